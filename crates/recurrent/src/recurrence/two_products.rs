//! Steps with a second product: the GRU whose reset gate acts before the recurrent product, and the LSTM
//! with a projection. Each direction of such a layer has all its units on one thread, since the second
//! product reads all of them.
//!
//! ```text
//! GRU, forward                                  LSTM with a projection, forward
//!     r, z = σ(gates + h · W_h(r,z)ᵀ)               gates, c, m = cell(gates + h · W_hhᵀ, c)
//!     n    = tanh(gates + (r ⊙ h) · W_hnᵀ)          h'   = m · W_hrᵀ
//!     h'   = n + z (h - n)
//! backward                                      backward
//!     d_n, d_z, dh = cell'(dh)                      dm   = dh · W_hr
//!     d(r ⊙ h)     = d_n · W_hn                     d_gates, dc = cell'(gates, dm, dc)
//!     d_r          = d(r ⊙ h) ⊙ h ⊙ r (1 - r)       dh   = d_gates · W_hh
//!     dh          += d(r ⊙ h) ⊙ r + d(r,z) · W_h(r,z)
//! ```

use super::layer_backward::{BackwardJob, Workspace};
use super::layer_forward::{ForwardJob, Running, Step};
use super::units::{self, ResetBeforeGradients};
use crate::algebra::{Left, PanelProduct};
use crate::machine::{Isa, Number, Shared, Vector};

impl<E: Number> ForwardJob<'_, E> {
    /// One step of a GRU whose reset gate acts before the product.
    #[inline(always)]
    pub(super) fn reset_before_step<V: Vector<Elem = E>>(
        &self,
        isa: Isa<V>,
        step: Step,
        gates: &mut [E],
        running: &mut Running<E>,
    ) {
        let geometry = self.geometry;
        let Step { chunk, n_rows, token, .. } = step;
        let (width, units, padded) =
            (geometry.panel_width(), geometry.panel_units(), geometry.padded_h());
        let h_before = self.h_before(step);
        // r ⊙ h, [ranks, padded h].
        let reset_h = &mut running.scratch;
        let gates_of = |panel: usize| {
            let first = (panel * chunk.n_tokens + token - chunk.first_token) * width;
            first..first + n_rows * width
        };
        for panel in 0..geometry.n_panels {
            let gates = &mut gates[gates_of(panel)];
            let weights = self.weights.recurrent(panel, geometry.hidden * width);
            isa.call(PanelProduct {
                c: &mut *gates,
                c_stride: width,
                start: None,
                a: Left::new(h_before, padded, 1),
                n_rows,
                panel: &weights[..geometry.hidden * 2 * units],
                depth: geometry.hidden,
            });
            for rank in 0..n_rows {
                let unit = rank * padded + panel * units;
                units::reset_and_update(
                    isa,
                    &mut gates[rank * width..][..width],
                    &h_before[unit..][..units],
                    &mut reset_h[unit..][..units],
                );
            }
        }
        for panel in 0..geometry.n_panels {
            let gates = &mut gates[gates_of(panel)];
            let weights = self.weights.recurrent(panel, geometry.hidden * width);
            isa.call(PanelProduct {
                c: &mut gates[2 * units..],
                c_stride: width,
                start: None,
                a: Left::new(reset_h, padded, 1),
                n_rows,
                panel: &weights[geometry.hidden * 2 * units..],
                depth: geometry.hidden,
            });
            for rank in 0..n_rows {
                let unit = rank * padded + panel * units;
                // SAFETY: these units are this thread's alone.
                let h = unsafe { self.h_after(step).write(unit..unit + units) };
                let gates = &mut gates[rank * width..][..width];
                units::new_state(isa, gates, &h_before[unit..][..units], h);
            }
        }
    }

    /// `h = m · W_hrᵀ`, where m is what the LSTM's cells put out, `[ranks, padded H]`.
    #[inline(always)]
    pub(super) fn project<V: Vector<Elem = E>>(&self, isa: Isa<V>, step: Step, m: &[E]) {
        let geometry = self.geometry;
        let Some(weights) = &self.weights.projection else { return };
        let padded = geometry.padded_h();
        // SAFETY: this thread has all units.
        let h = unsafe { self.h_after(step).write(0..step.n_rows * padded) };
        h.fill(E::default());
        for (column, block) in weights.blocks() {
            isa.call(PanelProduct {
                c: &mut h[column..],
                c_stride: padded,
                start: None,
                a: Left::new(m, geometry.padded_hidden(), 1),
                n_rows: step.n_rows,
                panel: block,
                depth: geometry.hidden,
            });
        }
    }
}

impl<E: Number> BackwardJob<'_, E> {
    /// The gradients of one step's gates and of the h before it, for a GRU whose reset gate acts before the
    /// product; dh already includes that of the outputs.
    #[inline(always)]
    pub(super) fn reset_before_gradients<V: Vector<Elem = E>>(
        &self,
        isa: Isa<V>,
        step: Step,
        work: &mut Workspace<E>,
        dh: &mut [E],
    ) {
        let units = self.geometry.panel_units();
        let Some(d_recurrent) = self.d_recurrent else { return };
        let n_tokens = step.chunk.n_tokens;
        let local = step.token - step.chunk.first_token;
        // In a panel, the numbers of r and z come before those of n.
        let (panel_len, n_start) = (n_tokens * 3 * units, n_tokens * 2 * units);
        self.each_vector::<V, false>(isa, step, d_recurrent, work, dh);
        work.d_second.fill(E::default());
        let first = n_start + local * units;
        // SAFETY: one thread has all units of the team, and these numbers of the step are complete.
        let d_n = unsafe { Left::segments(d_recurrent, first, (units, units), panel_len) };
        self.add_product(isa, step, d_n, 1, &mut work.d_second);
        self.each_vector::<V, true>(isa, step, d_recurrent, work, dh);
        let (first, width) = (local * 2 * units, 2 * units);
        // SAFETY: as above.
        let d_rz = unsafe { Left::segments(d_recurrent, first, (width, width), panel_len) };
        self.add_product(isa, step, d_rz, 0, dh);
    }

    /// The first or second half of the element-wise gradients of a step. (A closure for the half would be
    /// compiled without the instruction set.)
    #[inline(always)]
    fn each_vector<V: Vector<Elem = E>, const SECOND_HALF: bool>(
        &self,
        isa: Isa<V>,
        step: Step,
        d_recurrent: Shared<'_, E>,
        work: &mut Workspace<E>,
        dh: &mut [E],
    ) {
        let geometry = self.geometry;
        let Step { chunk, n_rows, token, .. } = step;
        let (width, units, padded) =
            (geometry.panel_width(), geometry.panel_units(), geometry.padded_h());
        let gates = self.saved.gates(chunk, geometry.n_panels * width);
        for panel in 0..geometry.n_panels {
            let panel_start = panel * chunk.n_tokens * width;
            for rank in 0..n_rows {
                let row = token - chunk.first_token + rank;
                let gate = panel_start + row * width;
                let rz = panel_start + row * 2 * units;
                let n = panel_start + chunk.n_tokens * 2 * units + row * units;
                let own = rank * padded + panel * units;
                let before = row * work.h_stride + panel * units;
                // SAFETY: one thread has all units of the team, and the three places differ.
                let (d_input, d_rz, d_n) = unsafe {
                    let d_rz = d_recurrent.write(rz..rz + 2 * units);
                    let d_n = d_recurrent.write(n..n + units);
                    (self.d_input.write(gate..gate + width), d_rz, d_n)
                };
                let row = ResetBeforeGradients {
                    gates: &gates[gate..][..width],
                    h_before: &work.h_before[before..][..units],
                    dh: &mut dh[own..][..units],
                    d_input: &mut *d_input,
                    d_rz: &mut *d_rz,
                    d_n: &mut *d_n,
                    reset_h: &mut work.second[before..][..units],
                    d_reset_h: &work.d_second[own..][..units],
                };
                if SECOND_HALF {
                    row.reset(isa);
                } else {
                    row.new_and_update(isa);
                }
                geometry.zero_padding(panel, d_input);
                geometry.zero_padding(panel, d_rz);
                geometry.zero_padding(panel, d_n);
            }
        }
    }

    /// `to += left · W_hh` for one part of the recurrent weights.
    #[inline(always)]
    fn add_product<V: Vector<Elem = E>>(
        &self,
        isa: Isa<V>,
        step: Step,
        left: Left<'_, E>,
        part: usize,
        to: &mut [E],
    ) {
        let weights = &self.weights.recurrent[part];
        for (column, block) in weights.blocks() {
            isa.call(PanelProduct {
                c: &mut to[column..],
                c_stride: self.geometry.padded_h(),
                start: None,
                a: left,
                n_rows: step.n_rows,
                panel: block,
                depth: weights.layout().depth,
            });
        }
    }

    /// `dm = dh · W_hr`: the gradient of what the LSTM's cells have put out, `[ranks, padded H]`, from that of
    /// h, which is kept for the gradient of W_hr and then zeroed.
    #[inline(always)]
    pub(super) fn unproject<V: Vector<Elem = E>>(
        &self,
        isa: Isa<V>,
        step: Step,
        work: &mut Workspace<E>,
        dh: &mut [E],
    ) {
        let geometry = self.geometry;
        let Some(weights) = &self.weights.projection else { return };
        let padded = geometry.padded_h();
        let local = step.token - step.chunk.first_token;
        let layout = geometry.h_columns();
        work.d_second[..step.n_rows * geometry.padded_hidden()].fill(E::default());
        for (column, block) in weights.blocks() {
            isa.call(PanelProduct {
                c: &mut work.d_second[column..],
                c_stride: geometry.padded_hidden(),
                start: None,
                a: Left::new(dh, padded, 1),
                n_rows: step.n_rows,
                panel: block,
                depth: geometry.h_size,
            });
        }
        for block in 0..layout.n_blocks() {
            let (first, width) = layout.block(block);
            let start = first * step.chunk.n_tokens + local * width;
            let to = work.d_h[start..][..step.n_rows * width].chunks_exact_mut(width);
            for (to, from) in to.zip(dh.chunks_exact(padded)) {
                to.copy_from_slice(&from[first..first + width]);
            }
        }
        dh[..step.n_rows * padded].fill(E::default());
    }

    /// `dW_hr += dhᵀ · m` over one chunk, as `[block][H][vectors]`.
    #[inline(always)]
    pub(super) fn add_projection_gradient<V: Vector<Elem = E>>(
        &self,
        isa: Isa<V>,
        n_tokens: usize,
        is_first: bool,
        work: &Workspace<E>,
        projection: &mut [E],
    ) {
        let geometry = self.geometry;
        let layout = geometry.h_columns();
        for block in 0..layout.n_blocks() {
            let (first, width) = layout.block(block);
            isa.call(PanelProduct {
                c: &mut projection[first * geometry.hidden..][..width * geometry.hidden],
                c_stride: width,
                start: is_first.then(|| &work.zeros[..width]),
                a: Left::new(&work.second, 1, work.second_stride),
                n_rows: geometry.hidden,
                panel: &work.d_h[first * n_tokens..][..width * n_tokens],
                depth: n_tokens,
            });
        }
    }
}

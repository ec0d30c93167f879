//! One thread's part of a forward pass: some rows of the batch, some hidden units, all steps.
//!
//! ```text
//! for each chunk of steps
//!     gather the chunk's inputs                    x      [tokens, I]
//!     gates = bias + x · W_ihᵀ                     gates  [panel][tokens, panel width]
//!                                                  (repeated vectors: precomputed, gathered here)
//!     for each step
//!         for each panel
//!             gates += h · W_hhᵀ                   (GRU: separately, in scratch)
//!             gates, c, h' = cell(gates)
//!         write h' to the outputs; wait for the threads that have the other units
//! ```

use std::ops::Range;

use super::buffer::Buffer;
use super::crew::Barrier;
use super::gemm::{Left, PanelProduct};
use super::geometry::Geometry;
use super::input::Input;
use super::pack::ForwardWeights;
use super::plan::{Chunk, Plan};
use super::shared::Shared;
use super::units::{self, ForwardRow};
use super::vector::{Isa, Job, Number, Vector};
use crate::cell::Cell;

/// Data that the backward pass needs from the forward pass, for one thread's rows and units.
pub(crate) struct Saved<E> {
    /// Activated gates: per chunk, per panel, `[tokens, panel width]`.
    gates: Buffer<E>,
    /// `[tokens, units]`: the LSTM's c, the GRU's recurrent side of the new gate, else empty.
    pub(crate) extra: Buffer<E>,
}

impl<E: Number> Saved<E> {
    /// The gates of one chunk, `[panel][tokens, panel width]`.
    pub(crate) fn gates(&self, chunk: Chunk, gates_per_token: usize) -> &[E] {
        &self.gates[chunk.first_token * gates_per_token..][..chunk.n_tokens * gates_per_token]
    }
}

/// The outputs of one direction inside `[B, T, width]`, starting at `column`.
#[derive(Clone, Copy)]
pub(crate) struct Columns<T> {
    pub(crate) numbers: T,
    pub(crate) width: usize,
    pub(crate) column: usize,
}

impl<T> Columns<T> {
    /// Index range of some units of a place (see [`Plan::place`]).
    pub(crate) fn range(&self, place: usize, units: &Range<usize>) -> Range<usize> {
        let first = place * self.width + self.column;
        first + units.start..first + units.end
    }
}

pub(crate) struct ForwardJob<'a, E> {
    pub(crate) geometry: &'a Geometry,
    pub(crate) plan: &'a Plan,
    /// The panels of this thread's hidden units.
    pub(crate) panels: Range<usize>,
    /// Synchronises with the threads that have the other units.
    pub(crate) barrier: &'a Barrier,
    pub(crate) weights: &'a ForwardWeights<E>,
    pub(crate) x: Input<'a, E>,
    /// LSTM: the initial c, `[B, H]`.
    pub(crate) initial_c: Option<&'a [E]>,
    /// h before the even and before the odd steps, `[ranks, padded H]` each; the first holds the
    /// initial h. At the end, a row's final h is in the one selected by the parity of its length.
    pub(crate) h: [Shared<'a, E>; 2],
    pub(crate) outputs: Columns<Shared<'a, E>>,
    /// Whether a backward pass may follow.
    pub(crate) save: bool,
}

/// The results of one thread.
pub(crate) struct ForwardShare<E> {
    /// LSTM: the final c of its rows and units, `[ranks, units]`; else empty.
    pub(crate) c: Buffer<E>,
    pub(crate) saved: Option<Saved<E>>,
}

impl<E: Number> Job<E> for ForwardJob<'_, E> {
    type Output = ForwardShare<E>;

    #[inline(always)]
    fn run<V: Vector<Elem = E>>(self, isa: Isa<V>) -> ForwardShare<E> {
        let _attendance = self.barrier.attend();
        let (geometry, plan) = (self.geometry, self.plan);
        let gates_per_token = self.panels.len() * geometry.panel_width();
        let n_units = self.panels.len() * geometry.panel_units();
        let chunks = plan.chunks();
        let chunk_tokens = chunks.iter().map(|chunk| chunk.n_tokens).max().unwrap_or(0);
        let mut c = self.gather_initial_c(n_units);
        let mut scratch = Buffer::scratch(plan.n_rows() * geometry.panel_width());
        let mut x = Buffer::scratch(chunk_tokens * geometry.input_stride());
        let has_extra = self.save && matches!(geometry.cell, Cell::Lstm | Cell::Gru);
        let gate_tokens = if self.save { plan.n_tokens() } else { chunk_tokens };
        let mut saved = Saved {
            gates: Buffer::scratch(gate_tokens * gates_per_token),
            extra: Buffer::scratch(if has_extra { plan.n_tokens() * n_units } else { 0 }),
        };

        for chunk in chunks {
            let first = if self.save { chunk.first_token } else { 0 };
            let gates =
                &mut saved.gates[first * gates_per_token..][..chunk.n_tokens * gates_per_token];
            match self.x.projected {
                Some(projected) => projected.gather(geometry, (plan, chunk), &self.panels, gates),
                None => {
                    self.x.gather(geometry, plan, chunk, &mut x);
                    self.input_product(isa, &x, chunk, gates);
                }
            }
            for step in chunk.start..chunk.end {
                self.step(isa, chunk, step, gates, &mut c, &mut saved.extra, &mut scratch);
                self.barrier.wait();
            }
        }
        ForwardShare { c, saved: self.save.then_some(saved) }
    }
}

impl<E: Number> ForwardJob<'_, E> {
    fn gather_initial_c(&self, n_units: usize) -> Buffer<E> {
        let (geometry, plan) = (self.geometry, self.plan);
        if geometry.cell != Cell::Lstm {
            return Buffer::zeros(0);
        }
        let mut c = Buffer::zeros(plan.n_rows() * n_units);
        if let Some(initial) = self.initial_c {
            plan.gather_state(geometry, initial, &geometry.units(&self.panels), &mut c, n_units);
        }
        c
    }

    /// `gates = bias + x · W_ihᵀ` for all tokens of a chunk.
    #[inline(always)]
    fn input_product<V: Vector<Elem = E>>(
        &self,
        isa: Isa<V>,
        x: &[E],
        chunk: Chunk,
        gates: &mut [E],
    ) {
        let geometry = self.geometry;
        let width = geometry.panel_width();
        for (panel, to) in self.panels.clone().zip(gates.chunks_exact_mut(chunk.n_tokens * width)) {
            isa.call(PanelProduct {
                c: to,
                c_stride: width,
                start: Some(self.weights.input_bias(panel, width)),
                a: Left::new(x, geometry.input_stride(), 1),
                n_rows: chunk.n_tokens,
                panel: self.weights.input(panel, geometry.input * width),
                depth: geometry.input,
            });
        }
    }

    /// One step of all rows and this thread's units.
    #[inline(always)]
    #[allow(clippy::too_many_arguments)] // The buffers are separate locals of the caller.
    fn step<V: Vector<Elem = E>>(
        &self,
        isa: Isa<V>,
        chunk: Chunk,
        step: usize,
        gates: &mut [E],
        c: &mut [E],
        extra: &mut [E],
        scratch: &mut [E],
    ) {
        let (geometry, plan) = (self.geometry, self.plan);
        let (width, units, padded) =
            (geometry.panel_width(), geometry.panel_units(), geometry.padded_hidden());
        let n_units = self.panels.len() * units;
        let (n_rows, token) = (plan.active[step], plan.offset[step]);
        let is_gru = geometry.cell == Cell::Gru;
        // SAFETY: since the last barrier, threads write only to the other of the two.
        let h_before = unsafe { self.h[step % 2].read(0..n_rows * padded) };
        for (index, panel) in self.panels.clone().enumerate() {
            let first_gate = (index * chunk.n_tokens + token - chunk.first_token) * width;
            let gates = &mut gates[first_gate..][..n_rows * width];
            for rank in 0..if extra.is_empty() { 0 } else { n_rows } {
                // The hardware cannot predict these addresses; prefetch them during the product.
                let at = &raw const extra[(token + rank) * n_units + index * units];
                V::prefetch(at);
            }
            isa.call(PanelProduct {
                c: if is_gru { &mut *scratch } else { &mut *gates },
                c_stride: width,
                start: is_gru.then(|| self.weights.recurrent_bias(panel, width)),
                a: Left::new(h_before, padded, 1),
                n_rows,
                panel: self.weights.recurrent(panel, geometry.hidden * width),
                depth: geometry.hidden,
            });
            for rank in 0..n_rows {
                let unit = rank * padded + panel * units;
                let own = rank * n_units + index * units;
                // SAFETY: these units are this thread's, and nothing reads them before the barrier.
                let h = unsafe { self.h[(step + 1) % 2].write(unit..unit + units) };
                let row = ForwardRow {
                    gates: &mut gates[rank * width..][..width],
                    recurrent: if is_gru { &scratch[rank * width..][..width] } else { &[] },
                    h_before: &h_before[unit..][..units],
                    h,
                    c: if c.is_empty() { &mut [] } else { &mut c[own..][..units] },
                    extra: if extra.is_empty() {
                        None
                    } else {
                        Some(&mut extra[token * n_units + own..][..units])
                    },
                };
                units::forward(isa, geometry.cell, row, geometry.vectors_per_gate);
            }
        }
        let own = geometry.units(&self.panels);
        for rank in 0..n_rows {
            let to = self.outputs.range(plan.place(geometry, rank, step), &own);
            // SAFETY: this thread alone writes these units of these rows, here and above.
            unsafe {
                let h =
                    self.h[(step + 1) % 2].read(rank * padded + own.start..rank * padded + own.end);
                self.outputs.numbers.write(to).copy_from_slice(h);
            }
        }
    }
}

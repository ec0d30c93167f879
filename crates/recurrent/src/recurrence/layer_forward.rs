//! One thread's part of a layer's forward pass: some rows of the batch, some hidden units, all steps.
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
//!         write h' to the outputs; meet the threads that have the other units
//! ```
//!
//! Two networks need a second product within a step, see [`two_products`](super::two_products).

use std::ops::Range;

use super::input::Input;
use super::plan::{Chunk, Plan};
use super::repeated::InputProducts;
use super::team::Team;
use super::units::{self, ForwardRow};
use crate::algebra::{ForwardWeights, Geometry, Left, PanelProduct};
use crate::cell::Cell;
use crate::machine::{Buffer, Isa, Job, Number, Shared, Vector};

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

/// The input of a layer's forward pass.
#[derive(Clone, Copy)]
pub(crate) enum ForwardInput<'a, E> {
    Steps(Input<'a, E>),
    /// Products that are already computed.
    Products(InputProducts<'a, E>),
}

pub(crate) struct ForwardJob<'a, E> {
    pub(crate) geometry: &'a Geometry,
    pub(crate) plan: &'a Plan,
    /// The panels of this thread's hidden units.
    pub(crate) panels: Range<usize>,
    /// The threads that have the other units.
    pub(crate) team: Team<'a>,
    pub(crate) weights: &'a ForwardWeights<E>,
    pub(crate) x: ForwardInput<'a, E>,
    /// LSTM: the initial c, `[B, H]`.
    pub(crate) initial_c: Option<&'a [E]>,
    /// h before the even and before the odd steps, `[ranks, padded h]` each; the first holds the
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

/// What a thread keeps from step to step, besides h.
pub(super) struct Running<E> {
    /// LSTM: c, `[ranks, units]`.
    pub(super) c: Buffer<E>,
    /// See [`Saved::extra`].
    pub(super) extra: Buffer<E>,
    /// One panel's products of a step, or what the second product of a step reads.
    pub(super) scratch: Buffer<E>,
}

/// One step of a chunk.
#[derive(Clone, Copy)]
pub(super) struct Step {
    pub(super) chunk: Chunk,
    pub(super) step: usize,
    pub(super) n_rows: usize,
    /// The step's first token.
    pub(super) token: usize,
}

impl<E: Number> Job<E> for ForwardJob<'_, E> {
    type Output = ForwardShare<E>;

    #[inline(always)]
    fn run<V: Vector<Elem = E>>(self, isa: Isa<V>) -> ForwardShare<E> {
        let (geometry, plan) = (self.geometry, self.plan);
        let gates_per_token = self.panels.len() * geometry.panel_width();
        let n_units = self.panels.len() * geometry.panel_units();
        let chunk_tokens = plan.chunk_tokens();
        let has_extra = self.save && matches!(geometry.cell, Cell::Lstm | Cell::Gru);
        let mut running = Running {
            c: self.gather_initial_c(n_units),
            extra: Buffer::scratch(if has_extra { plan.n_tokens() * n_units } else { 0 }),
            scratch: Buffer::scratch(plan.n_rows() * self.scratch_width()),
        };
        let x_len = match self.x {
            ForwardInput::Steps(_) => chunk_tokens * geometry.input_stride(),
            ForwardInput::Products(_) => 0,
        };
        let mut x = Buffer::scratch(x_len);
        let gate_tokens = if self.save { plan.n_tokens() } else { chunk_tokens };
        let mut saved_gates = Buffer::scratch(gate_tokens * gates_per_token);
        for &chunk in &plan.chunks {
            let first = if self.save { chunk.first_token } else { 0 };
            let gates =
                &mut saved_gates[first * gates_per_token..][..chunk.n_tokens * gates_per_token];
            match self.x {
                ForwardInput::Products(products) => {
                    products.gather(geometry, (plan, chunk), &self.panels, gates);
                }
                ForwardInput::Steps(input) => {
                    input.gather(geometry, plan, chunk, &mut x);
                    self.input_product(isa, &x, chunk, gates);
                }
            }
            for step in chunk.start..chunk.end {
                let (n_rows, token) = (plan.active[step], plan.offset[step]);
                let step = Step { chunk, step, n_rows, token };
                if geometry.cell == Cell::GruResetBefore {
                    self.reset_before_step(isa, step, gates, &mut running);
                } else {
                    self.step(isa, step, gates, &mut running);
                }
                self.write_outputs(step);
                if step.step + 1 < plan.n_steps() {
                    self.team.meet();
                }
            }
        }
        let Running { c, extra, .. } = running;
        ForwardShare { c, saved: self.save.then_some(Saved { gates: saved_gates, extra }) }
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
            let units = geometry.units(&self.panels);
            plan.gather_state((initial, geometry.hidden), &units, (&mut c, n_units));
        }
        c
    }

    /// Numbers of the scratch memory for each row.
    fn scratch_width(&self) -> usize {
        match self.geometry.cell {
            Cell::GruResetBefore => self.geometry.padded_hidden(),
            Cell::Lstm if self.geometry.is_projected() => self.geometry.padded_hidden(),
            _ => self.geometry.panel_width(),
        }
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

    /// h before a step, `[ranks, padded h]`.
    #[inline(always)]
    pub(super) fn h_before(&self, step: Step) -> &[E] {
        let len = step.n_rows * self.geometry.padded_h();
        // SAFETY: since the last meeting, threads write only to the other of the two.
        unsafe { self.h[step.step % 2].read(0..len) }
    }

    /// The place for h after a step, `[ranks, padded h]`.
    #[inline(always)]
    pub(super) fn h_after(&self, step: Step) -> Shared<'_, E> {
        self.h[(step.step + 1) % 2]
    }

    /// One step of all rows and this thread's units.
    #[inline(always)]
    fn step<V: Vector<Elem = E>>(
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
        let n_units = self.panels.len() * units;
        let is_gru = geometry.cell == Cell::Gru;
        let is_projected = geometry.is_projected();
        let Running { c, extra, scratch } = running;
        let h_before = self.h_before(step);
        for (index, panel) in self.panels.clone().enumerate() {
            let first_gate = (index * chunk.n_tokens + token - chunk.first_token) * width;
            let gates = &mut gates[first_gate..][..n_rows * width];
            for rank in 0..if extra.is_empty() { 0 } else { n_rows } {
                // The hardware cannot predict these addresses; prefetch them during the product.
                let at = &raw const extra[(token + rank) * n_units + index * units];
                V::prefetch(at);
            }
            isa.call(PanelProduct {
                c: if is_gru { &mut scratch[..] } else { &mut *gates },
                c_stride: width,
                start: is_gru.then(|| self.weights.recurrent_bias(panel, width)),
                a: Left::new(h_before, padded, 1),
                n_rows,
                panel: self.weights.recurrent(panel, geometry.h_size * width),
                depth: geometry.h_size,
            });
            for rank in 0..n_rows {
                let unit = rank * padded + panel * units;
                let own = rank * n_units + index * units;
                let recurrent: &[E];
                let h: &mut [E];
                if is_projected {
                    // What is projected to h below.
                    (recurrent, h) = (&[], &mut scratch[own..][..units]);
                } else {
                    recurrent = if is_gru { &scratch[rank * width..][..width] } else { &[] };
                    // SAFETY: these units are this thread's, and nothing reads them before the
                    // meeting.
                    h = unsafe { self.h_after(step).write(unit..unit + units) };
                }
                let row = ForwardRow {
                    gates: &mut gates[rank * width..][..width],
                    recurrent,
                    h_before: if is_gru { &h_before[unit..][..units] } else { &[] },
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
        if is_projected {
            self.project(isa, step, scratch);
        }
    }

    /// Copies this thread's part of h after a step to the outputs.
    #[inline(always)]
    fn write_outputs(&self, step: Step) {
        let (geometry, plan) = (self.geometry, self.plan);
        let padded = geometry.padded_h();
        let own =
            if geometry.is_projected() { 0..geometry.h_size } else { geometry.units(&self.panels) };
        for rank in 0..step.n_rows {
            let to = self.outputs.range(plan.place(geometry, rank, step.step), &own);
            // SAFETY: this thread alone writes these units of these rows, here and in the step.
            unsafe {
                let h = self.h[(step.step + 1) % 2]
                    .read(rank * padded + own.start..rank * padded + own.end);
                self.outputs.numbers.write(to).copy_from_slice(h);
            }
        }
    }
}

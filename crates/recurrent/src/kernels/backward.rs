//! One thread's part of a backward pass: some rows of the batch, some hidden units, all steps.
//!
//! ```text
//! for each chunk of steps, last first, from the first one that a gradient reaches
//!     gather the chunk's inputs and the h before each step
//!     for each step, last first
//!         dh += gradient of the outputs
//!         d_gates, dc = cell'(gates, dh, dc)       d_gates [panel][tokens, panel width]
//!         wait for the threads that have the other units
//!         dh = d_gates · W_hh
//!     dW_ih += xᵀ · d_gates                        one product for all steps of the chunk
//!     dW_hh += hᵀ · d_gates
//!     dx     = d_gates · W_ih
//! ```
//!
//! Only `dh` must be computed step by step; the weight gradients of a chunk are products whose
//! inner dimension is the chunk's tokens.
//!
//! Chunks past the last gradient are skipped, since their gradients are zero: a classifier that
//! reads the outputs of the last word trains only the first step of the top layer's reverse
//! direction.

use std::ops::Range;

use super::buffer::Buffer;
use super::crew::Barrier;
use super::forward::{Columns, Saved};
use super::gemm::{Left, PanelProduct};
use super::geometry::{Geometry, MAX_VECTORS, spread_stride};
use super::input::{Input, InputGradient};
use super::pack::ColumnBlocks;
use super::plan::{Chunk, Plan};
use super::shared::Shared;
use super::units::{self, BackwardRow};
use super::vector::{Isa, Job, Number, Vector};
use crate::cell::Cell;

/// Packed weights of the backward pass.
pub(crate) struct BackwardWeights<E> {
    /// The columns of W_ih for a thread's columns of dx; absent if dx is not needed.
    pub(crate) input: Option<ColumnBlocks<E>>,
    /// The columns of W_hh that belong to a thread's units.
    pub(crate) recurrent: ColumnBlocks<E>,
}

/// Tensors are contiguous; shapes as in the forward pass.
pub(crate) struct BackwardJob<'a, E> {
    pub(crate) geometry: &'a Geometry,
    pub(crate) plan: &'a Plan,
    pub(crate) panels: Range<usize>,
    pub(crate) barrier: &'a Barrier,
    pub(crate) weights: &'a BackwardWeights<E>,
    pub(crate) saved: &'a Saved<E>,
    pub(crate) x: Input<'a, E>,
    /// Initial state tensors, `[B, H]` each, in the cell's order; zeros if absent.
    pub(crate) initial: [Option<&'a [E]>; 2],
    pub(crate) outputs: Columns<&'a [E]>,
    pub(crate) d_outputs: Option<Columns<&'a [E]>>,
    /// Gradients of the final state, as `initial`.
    pub(crate) d_final: [Option<&'a [E]>; 2],
    /// Gradient of a for one chunk, `[panel][tokens, panel width]`.
    pub(crate) d_input: Shared<'a, E>,
    /// Gradient of b if it differs from a's (GRU).
    pub(crate) d_recurrent: Option<Shared<'a, E>>,
    pub(crate) dx: Option<InputGradient<'a, E>>,
}

/// One thread's share of the gradients. Weight gradients are in gate panels, transposed.
pub(crate) struct BackwardShare<E> {
    /// `[panel][I][panel width]`
    pub(crate) input: Buffer<E>,
    /// `[panel][H][panel width]`
    pub(crate) recurrent: Buffer<E>,
    /// `[panel][panel width]`
    pub(crate) input_bias: Buffer<E>,
    /// `[panel][panel width]`, GRU only; elsewhere it equals the input's.
    pub(crate) recurrent_bias: Buffer<E>,
    /// Gradients of the initial state, `[ranks, units]` each; dc for the LSTM only.
    pub(crate) dh: Buffer<E>,
    pub(crate) dc: Buffer<E>,
}

impl<E: Number> Job<E> for BackwardJob<'_, E> {
    type Output = BackwardShare<E>;

    #[inline(always)]
    fn run<V: Vector<Elem = E>>(self, isa: Isa<V>) -> BackwardShare<E> {
        let _attendance = self.barrier.attend();
        let (geometry, plan) = (self.geometry, self.plan);
        let n_gates = self.panels.len() * geometry.panel_width();
        let chunks = plan.chunks();
        let chunk_tokens = chunks.iter().map(|chunk| chunk.n_tokens).max().unwrap_or(0);
        let mut work = Workspace::new(&self, chunk_tokens);
        let mut share = BackwardShare {
            input: Buffer::scratch(geometry.input * n_gates),
            recurrent: Buffer::scratch(geometry.hidden * n_gates),
            input_bias: Buffer::zeros(n_gates),
            recurrent_bias: Buffer::zeros(if self.d_recurrent.is_some() { n_gates } else { 0 }),
            dh: self.gather_state(self.d_final[0]),
            dc: self.gather_state(self.d_final[1]),
        };
        let mut has_gradient = self.final_states_have_gradient();
        let mut is_first = true;
        for &chunk in chunks.iter().rev() {
            has_gradient = has_gradient || self.outputs_have_gradient(chunk);
            if !has_gradient {
                self.zero_input_gradient(chunk, &mut work.dx);
                continue;
            }
            self.x.gather(geometry, plan, chunk, &mut work.x);
            self.gather_h_before(chunk, &mut work);
            for step in (chunk.start..chunk.end).rev() {
                self.d_gates(isa, chunk, step, &work, &mut share);
                self.barrier.wait();
                self.dh(isa, chunk, step, &mut share.dh);
            }
            self.add_weight_gradients(isa, chunk, is_first, &work, &mut share);
            is_first = false;
            self.input_gradient(isa, chunk, &work.zeros, &mut work.dx);
            // The next chunk's gradients will overwrite this one's.
            self.barrier.wait();
        }
        if is_first {
            share.input.fill(E::default());
            share.recurrent.fill(E::default());
        }
        share
    }
}

impl<'a, E: Number> BackwardJob<'a, E> {
    /// This thread's hidden units, padded.
    fn n_units(&self) -> usize {
        self.panels.len() * self.geometry.panel_units()
    }

    /// This thread's rows and units of a state `[B, H]`.
    fn gather_state(&self, state: Option<&[E]>) -> Buffer<E> {
        let mut own = Buffer::zeros(self.plan.n_rows() * self.n_units());
        if let Some(state) = state {
            let units = self.geometry.units(&self.panels);
            self.plan.gather_state(self.geometry, state, &units, &mut own, self.n_units());
        }
        own
    }

    /// Whether the final states of this team's rows have any gradient.
    fn final_states_have_gradient(&self) -> bool {
        let hidden = self.geometry.hidden;
        self.d_final.iter().flatten().any(|d_state| {
            self.plan.rows.iter().any(|row| has_nonzero(&d_state[row * hidden..][..hidden]))
        })
    }

    /// Whether the outputs of a chunk have any gradient, in any unit: all threads of a team must
    /// make the same decision.
    fn outputs_have_gradient(&self, chunk: Chunk) -> bool {
        let Some(d_outputs) = self.d_outputs else { return false };
        let units = 0..self.geometry.hidden;
        (chunk.start..chunk.end).rev().any(|step| {
            (0..self.plan.active[step]).any(|rank| {
                let place = self.plan.place(self.geometry, rank, step);
                has_nonzero(&d_outputs.numbers[d_outputs.range(place, &units)])
            })
        })
    }

    /// The h before each token of a chunk, `[tokens, h stride]`, all units.
    fn gather_h_before(&self, chunk: Chunk, work: &mut Workspace<E>) {
        let (geometry, plan) = (self.geometry, self.plan);
        for (rank, step, token) in plan.tokens_by_row(chunk) {
            let to = &mut work.h_before[token * work.h_stride..][..geometry.hidden];
            if step > 0 {
                let place = plan.place(geometry, rank, step - 1);
                let from = self.outputs.range(place, &(0..geometry.hidden));
                to.copy_from_slice(&self.outputs.numbers[from]);
            } else if let Some(state) = self.initial[0] {
                let from = plan.rows[rank] * geometry.hidden;
                to.copy_from_slice(&state[from..][..geometry.hidden]);
            } else {
                to.fill(E::default());
            }
        }
    }

    /// The gradients of one step's gates and of the c before it.
    #[inline(always)]
    fn d_gates<V: Vector<Elem = E>>(
        &self,
        isa: Isa<V>,
        chunk: Chunk,
        step: usize,
        work: &Workspace<E>,
        share: &mut BackwardShare<E>,
    ) {
        let (geometry, plan) = (self.geometry, self.plan);
        let (width, units) = (geometry.panel_width(), geometry.panel_units());
        let (n_units, n_rows, token) = (self.n_units(), plan.active[step], plan.offset[step]);
        let local = token - chunk.first_token;
        if let Some(d_outputs) = self.d_outputs {
            let own = geometry.units(&self.panels);
            for rank in 0..n_rows {
                let from = d_outputs.range(plan.place(geometry, rank, step), &own);
                let dh = &mut share.dh[rank * n_units..][..own.len()];
                for (dh, d_output) in dh.iter_mut().zip(&d_outputs.numbers[from]) {
                    *dh += *d_output;
                }
            }
        }
        let gates = self.saved.gates(chunk, self.panels.len() * width);
        let extra = &self.saved.extra;
        let c_before: &[E] = match geometry.cell {
            Cell::Lstm if step > 0 => &extra[plan.offset[step - 1] * n_units..],
            Cell::Lstm => &work.initial_c,
            _ => &[],
        };
        for (index, panel) in self.panels.clone().enumerate() {
            for rank in 0..n_rows {
                let gate = (index * chunk.n_tokens + local + rank) * width;
                let shared_gate = (panel * chunk.n_tokens + local + rank) * width;
                let own = rank * n_units + index * units;
                let h_before = (local + rank) * work.h_stride + panel * units;
                let shared_gate = shared_gate..shared_gate + width;
                // SAFETY: these panels are this thread's until the barrier, and their places
                // differ from step to step.
                let (d_input, d_recurrent) = unsafe {
                    let d_recurrent = self.d_recurrent.map(|d| d.write(shared_gate.clone()));
                    (self.d_input.write(shared_gate), d_recurrent)
                };
                // The next step reads data that has left the cache; prefetch it during the product.
                for vector in 0..width / V::LANES {
                    let before = gate.wrapping_sub(n_rows * width);
                    V::prefetch(gates.as_ptr().wrapping_add(before + vector * V::LANES));
                }
                if !c_before.is_empty() {
                    let before = own.wrapping_sub(n_rows * n_units);
                    V::prefetch(c_before.as_ptr().wrapping_add(before));
                }
                let row = BackwardRow {
                    gates: &gates[gate..][..width],
                    h_before: &work.h_before[h_before..][..units],
                    extra: if extra.is_empty() {
                        &[]
                    } else {
                        &extra[token * n_units + own..][..units]
                    },
                    c_before: if c_before.is_empty() { &[] } else { &c_before[own..][..units] },
                    dh: &mut share.dh[own..][..units],
                    dc: &mut share.dc[own..][..units],
                    d_input,
                    d_recurrent: d_recurrent.unwrap_or_default(),
                };
                units::backward(isa, geometry.cell, row, geometry.vectors_per_gate);
            }
        }
    }

    /// `dh += d_gates · W_hh` for one step's rows and this thread's units.
    #[inline(always)]
    fn dh<V: Vector<Elem = E>>(&self, isa: Isa<V>, chunk: Chunk, step: usize, dh: &mut [E]) {
        let (geometry, plan) = (self.geometry, self.plan);
        let width = geometry.panel_width();
        let n_rows = plan.active[step];
        let local = plan.offset[step] - chunk.first_token;
        let d_gates = self.d_recurrent.unwrap_or(self.d_input);
        // SAFETY: the barrier is passed, and nothing writes to this step's places any more.
        let d_gates =
            unsafe { Left::segments(d_gates, local * width, width, chunk.n_tokens * width) };
        for (column, block) in self.weights.recurrent.blocks() {
            isa.call(PanelProduct {
                c: &mut dh[column..],
                c_stride: self.n_units(),
                start: None,
                a: d_gates,
                n_rows,
                panel: block,
                depth: geometry.padded_gates(),
            });
        }
    }

    /// `dW_ih += xᵀ · d_gates`, `dW_hh += hᵀ · d_gates` and the bias sums, over one chunk; the first
    /// chunk initialises the sums.
    #[inline(always)]
    fn add_weight_gradients<V: Vector<Elem = E>>(
        &self,
        isa: Isa<V>,
        chunk: Chunk,
        is_first: bool,
        work: &Workspace<E>,
        share: &mut BackwardShare<E>,
    ) {
        let geometry = self.geometry;
        let width = geometry.panel_width();
        let start = is_first.then(|| &work.zeros[..width]);
        let of_chunk = |shared: Shared<'a, E>, panel: usize| -> &'a [E] {
            let len = chunk.n_tokens * width;
            // SAFETY: only this thread writes to its panels, and that is done for this chunk.
            unsafe { shared.read(panel * len..(panel + 1) * len) }
        };
        for (index, panel) in self.panels.clone().enumerate() {
            let d_input = of_chunk(self.d_input, panel);
            let d_recurrent = self.d_recurrent.map_or(d_input, |d| of_chunk(d, panel));
            isa.call(PanelProduct {
                c: &mut share.input[index * geometry.input * width..][..geometry.input * width],
                c_stride: width,
                start,
                a: Left::new(&work.x, 1, geometry.input_stride()),
                n_rows: geometry.input,
                panel: d_input,
                depth: chunk.n_tokens,
            });
            isa.call(PanelProduct {
                c: &mut share.recurrent[index * geometry.hidden * width..]
                    [..geometry.hidden * width],
                c_stride: width,
                start,
                a: Left::new(&work.h_before, 1, work.h_stride),
                n_rows: geometry.hidden,
                panel: d_recurrent,
                depth: chunk.n_tokens,
            });
            add_rows(isa, d_input, &mut share.input_bias[index * width..][..width]);
            if self.d_recurrent.is_some() {
                add_rows(isa, d_recurrent, &mut share.recurrent_bias[index * width..][..width]);
            }
        }
    }

    /// `dx = d_gates · W_ih` for all tokens of a chunk and this thread's columns.
    #[inline(always)]
    fn input_gradient<V: Vector<Elem = E>>(
        &self,
        isa: Isa<V>,
        chunk: Chunk,
        zeros: &[E],
        dx: &mut [E],
    ) {
        let (Some(weights), Some(to)) = (&self.weights.input, self.dx) else { return };
        let geometry = self.geometry;
        let width = geometry.panel_width();
        let stride = spread_stride(weights.padded_columns());
        // SAFETY: all threads are past the barrier of the chunk's last step, and nothing writes
        // before the barrier at the chunk's end.
        let d_input = unsafe { Left::segments(self.d_input, 0, width, chunk.n_tokens * width) };
        for (column, block) in weights.blocks() {
            isa.call(PanelProduct {
                c: &mut dx[column..],
                c_stride: stride,
                start: Some(&zeros[..block.len() / geometry.padded_gates()]),
                a: d_input,
                n_rows: chunk.n_tokens,
                panel: block,
                depth: geometry.padded_gates(),
            });
        }
        let columns = (weights.columns().start, weights.columns().len());
        // SAFETY: no other thread has these rows and these columns.
        unsafe { to.scatter(geometry, (self.plan, chunk), columns, dx, stride) };
    }

    /// `dx = 0` for all tokens of a chunk and this thread's columns.
    fn zero_input_gradient(&self, chunk: Chunk, dx: &mut [E]) {
        let (Some(weights), Some(to)) = (&self.weights.input, self.dx) else { return };
        if to.add {
            return;
        }
        let stride = spread_stride(weights.padded_columns());
        dx[..chunk.n_tokens * stride].fill(E::default());
        let columns = (weights.columns().start, weights.columns().len());
        // SAFETY: as in `input_gradient`.
        unsafe { to.scatter(self.geometry, (self.plan, chunk), columns, dx, stride) };
    }
}

/// Whether any number is nonzero; NaN counts as nonzero.
fn has_nonzero<E: Number>(numbers: &[E]) -> bool {
    numbers.iter().any(|&number| number != E::default())
}

/// Adds all rows of `[n, width]` to `sum [width]`.
#[inline(always)]
fn add_rows<V: Vector>(isa: Isa<V>, rows: &[V::Elem], sum: &mut [V::Elem]) {
    for row in rows.chunks_exact(sum.len()) {
        for at in (0..sum.len()).step_by(V::LANES) {
            isa.store(isa.load(sum, at).add(isa.load(row, at)), sum, at);
        }
    }
}

/// One chunk's intermediate results.
struct Workspace<E> {
    /// `[tokens, input stride]`
    x: Buffer<E>,
    /// `[tokens, h stride]`
    h_before: Buffer<E>,
    h_stride: usize,
    /// `[tokens, dx stride]`
    dx: Buffer<E>,
    /// LSTM: the initial c of this thread's rows and units; else empty.
    initial_c: Buffer<E>,
    /// As long as a row of the widest panel.
    zeros: Buffer<E>,
}

impl<E: Number> Workspace<E> {
    fn new(job: &BackwardJob<'_, E>, chunk_tokens: usize) -> Self {
        let geometry = job.geometry;
        let h_stride = spread_stride(geometry.padded_hidden());
        let dx_stride =
            job.weights.input.as_ref().map_or(0, |blocks| spread_stride(blocks.padded_columns()));
        let is_lstm = geometry.cell == Cell::Lstm;
        Self {
            x: Buffer::scratch(chunk_tokens * geometry.input_stride()),
            // Zeros, because padding units are read as well, and zero times NaN is NaN.
            h_before: Buffer::zeros(chunk_tokens * h_stride),
            h_stride,
            dx: Buffer::scratch(chunk_tokens * dx_stride),
            initial_c: if is_lstm { job.gather_state(job.initial[1]) } else { Buffer::zeros(0) },
            zeros: Buffer::zeros(MAX_VECTORS * geometry.lanes),
        }
    }
}

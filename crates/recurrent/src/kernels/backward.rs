//! The backward pass over the rows of one thread.
//!
//! ```text
//! for each chunk of steps, last first
//!     gather the chunk's inputs and the h before each step
//!     for each step, last first
//!         dh += gradient of the outputs
//!         d_gates, dc = cell'(gates, dh, dc)       d_gates [panel][tokens, panel width]
//!         dh = d_gates · W_hh
//!     dW_ih += xᵀ · d_gates                        one product for all steps of the chunk
//!     dW_hh += hᵀ · d_gates
//!     dx     = d_gates · W_ih
//! ```
//!
//! Only `dh` must be made step by step; the weight gradients of a chunk are products whose inner
//! dimension is the chunk's tokens.

use super::buffer::Buffer;
use super::forward::{SavedRows, gather_inputs, gather_state, pack_states};
use super::gemm::{Left, PanelProduct};
use super::geometry::{Geometry, spread_stride};
use super::pack::{ColumnPanels, FlatWeights};
use super::plan::{Chunk, Plan};
use super::units::{self, BackwardRow};
use super::vector::{Isa, Job, Number, Vector};
use crate::cell::Cell;

/// Packed weights of the backward pass, shared by all threads.
pub(crate) struct BackwardWeights<E> {
    /// For dx; absent when nobody asks for it.
    input: Option<ColumnPanels<E>>,
    recurrent: ColumnPanels<E>,
}

impl<E: Number> BackwardWeights<E> {
    pub(crate) fn pack(weights: &FlatWeights<'_, E>, geometry: &Geometry, wants_dx: bool) -> Self {
        let input = wants_dx.then(|| ColumnPanels::new(weights.input, geometry.input, geometry));
        let recurrent = ColumnPanels::new(weights.recurrent, geometry.hidden, geometry);
        Self { input, recurrent }
    }
}

/// One thread's part of a backward pass. Tensors are contiguous; shapes as in the forward pass.
pub(crate) struct BackwardJob<'a, E> {
    pub(crate) geometry: &'a Geometry,
    pub(crate) plan: &'a Plan,
    pub(crate) weights: &'a BackwardWeights<E>,
    pub(crate) saved: &'a SavedRows<E>,
    pub(crate) x: &'a [E],
    pub(crate) state: &'a [E],
    pub(crate) outputs: &'a [E],
    pub(crate) d_outputs: &'a [E],
    pub(crate) d_final_state: &'a [E],
    /// By rank: the row's `[T, I]` part of dx, zeroed; empty when dx is not wanted.
    pub(crate) dx: Vec<&'a mut [E]>,
}

/// One thread's share of the gradients. Weight gradients are in gate panels, transposed.
pub(crate) struct BackwardRows<E> {
    /// `[panel][I][panel width]`
    pub(crate) input: Buffer<E>,
    /// `[panel][H][panel width]`
    pub(crate) recurrent: Buffer<E>,
    /// `[panel][panel width]`
    pub(crate) input_bias: Buffer<E>,
    /// `[panel][panel width]`, GRU only; elsewhere it equals the input's.
    pub(crate) recurrent_bias: Buffer<E>,
    /// `[states, ranks, H]`
    pub(crate) state: Vec<E>,
}

impl<E: Number> Job<E> for BackwardJob<'_, E> {
    type Output = BackwardRows<E>;

    #[inline(always)]
    fn run<V: Vector<Elem = E>>(mut self, isa: Isa<V>) -> BackwardRows<E> {
        let (geometry, plan) = (self.geometry, self.plan);
        let width = geometry.panel_width();
        let chunks = plan.chunks();
        let chunk_tokens = chunks.iter().map(|chunk| chunk.n_tokens).max().unwrap_or(0);
        let mut work = Workspace::new(geometry, chunk_tokens);
        let mut running = RunningGradient::start(geometry, plan, self.d_final_state, self.state);
        let mut sums = BackwardRows {
            input: Buffer::zeros(geometry.n_panels * geometry.input * width),
            recurrent: Buffer::zeros(geometry.n_panels * geometry.hidden * width),
            input_bias: Buffer::zeros(geometry.padded_gates()),
            recurrent_bias: Buffer::zeros(if work.apart { geometry.padded_gates() } else { 0 }),
            state: Vec::new(),
        };

        for &chunk in chunks.iter().rev() {
            gather_inputs(geometry, plan, chunk, self.x, &mut work.x);
            self.gather_h_before(chunk, &mut work);
            for step in (chunk.start..chunk.end).rev() {
                self.step(isa, chunk, step, &mut work, &mut running);
            }
            add_weight_gradients(isa, geometry, chunk, &work, &mut sums);
            if let Some(weights) = &self.weights.input {
                input_gradient(isa, geometry, weights, chunk, &mut work);
                self.scatter_dx(chunk, &work);
            }
        }
        sums.state = running.finish(geometry, plan);
        sums
    }
}

impl<E: Number> BackwardJob<'_, E> {
    /// One step back: `d_gates` of the step, and dh and dc of the step before.
    #[inline(always)]
    fn step<V: Vector<Elem = E>>(
        &self,
        isa: Isa<V>,
        chunk: Chunk,
        step: usize,
        work: &mut Workspace<E>,
        running: &mut RunningGradient<E>,
    ) {
        let (geometry, plan) = (self.geometry, self.plan);
        let (width, units, padded) =
            (geometry.panel_width(), geometry.panel_units(), geometry.padded_hidden());
        let n_rows = plan.active[step];
        let token = plan.offset[step];
        let local = token - chunk.first_token;
        for rank in 0..n_rows {
            let row = plan.rows[rank];
            let from = (row * geometry.steps + plan.time(rank, step)) * geometry.hidden;
            let dh = &mut running.dh[rank * padded..][..geometry.hidden];
            for (dh, d_output) in dh.iter_mut().zip(&self.d_outputs[from..]) {
                *dh += *d_output;
            }
        }
        let chunk_gates = &self.saved.gates[chunk.first_token * geometry.padded_gates()..]
            [..chunk.n_tokens * geometry.padded_gates()];
        let (c_before, extra): (&[E], &[E]) = if geometry.cell == Cell::Lstm && step > 0 {
            (&self.saved.extra[plan.offset[step - 1] * padded..], &self.saved.extra)
        } else {
            (&running.initial_c, &self.saved.extra)
        };
        for panel in 0..geometry.n_panels {
            let first_gate = (panel * chunk.n_tokens + local) * width;
            for rank in 0..n_rows {
                let unit = rank * padded + panel * units;
                let gate = first_gate + rank * width;
                let of_units = |slice: &'_ [E], at: usize| -> std::ops::Range<usize> {
                    if slice.is_empty() { 0..0 } else { at..at + units }
                };
                let row = BackwardRow {
                    gates: &chunk_gates[gate..][..width],
                    h_before: &work.h_before[(local + rank) * work.h_stride + panel * units..]
                        [..units],
                    extra: &extra[of_units(extra, token * padded + unit)],
                    c_before: &c_before[of_units(c_before, unit)],
                    dh: &running.dh[unit..][..units],
                    dc: &mut running.dc[unit..][..units],
                    dh_direct: &mut running.next_dh[unit..][..units],
                    d_input: &mut work.d_input[gate..][..width],
                    d_recurrent: if work.apart {
                        &mut work.d_recurrent[gate..][..width]
                    } else {
                        &mut []
                    },
                };
                units::backward(isa, geometry.cell, row, geometry.vectors_per_gate);
            }
        }
        // The GRU's direct part is there already; the others have none.
        if geometry.cell != Cell::Gru {
            running.next_dh[..n_rows * padded].fill(E::default());
        }
        let d_recurrent = if work.apart { &work.d_recurrent } else { &work.d_input };
        for panel in 0..geometry.n_panels {
            let first_gate = (panel * chunk.n_tokens + local) * width;
            for (column, block) in self.weights.recurrent.blocks(panel * width, width) {
                isa.call(PanelProduct {
                    c: &mut running.next_dh[column..],
                    c_stride: padded,
                    a: Left {
                        data: &d_recurrent[first_gate..][..n_rows * width],
                        row_stride: width,
                        depth_stride: 1,
                    },
                    n_rows,
                    panel: block,
                    depth: width,
                });
            }
        }
        running.advance(n_rows, padded);
    }

    /// The h before each token of a chunk, `[tokens, h stride]`.
    fn gather_h_before(&self, chunk: Chunk, work: &mut Workspace<E>) {
        let (geometry, plan) = (self.geometry, self.plan);
        for step in chunk.start..chunk.end {
            for rank in 0..plan.active[step] {
                let row = plan.rows[rank];
                let from = if step == 0 {
                    &self.state[row * geometry.hidden..]
                } else {
                    let time = plan.time(rank, step - 1);
                    &self.outputs[(row * geometry.steps + time) * geometry.hidden..]
                };
                let token = plan.offset[step] - chunk.first_token + rank;
                work.h_before[token * work.h_stride..][..geometry.hidden]
                    .copy_from_slice(&from[..geometry.hidden]);
            }
        }
    }

    fn scatter_dx(&mut self, chunk: Chunk, work: &Workspace<E>) {
        let (geometry, plan) = (self.geometry, self.plan);
        for step in chunk.start..chunk.end {
            for rank in 0..plan.active[step] {
                let token = plan.offset[step] - chunk.first_token + rank;
                let at = plan.time(rank, step) * geometry.input;
                self.dx[rank][at..][..geometry.input]
                    .copy_from_slice(&work.dx[token * work.dx_stride..][..geometry.input]);
            }
        }
    }
}

/// `dW_ih += xᵀ · d_gates`, `dW_hh += hᵀ · d_gates` and the bias sums, over one chunk.
#[inline(always)]
fn add_weight_gradients<V: Vector>(
    isa: Isa<V>,
    geometry: &Geometry,
    chunk: Chunk,
    work: &Workspace<V::Elem>,
    sums: &mut BackwardRows<V::Elem>,
) {
    let width = geometry.panel_width();
    let d_recurrent = if work.apart { &work.d_recurrent } else { &work.d_input };
    for panel in 0..geometry.n_panels {
        let tokens = panel * chunk.n_tokens * width..(panel + 1) * chunk.n_tokens * width;
        isa.call(PanelProduct {
            c: &mut sums.input[panel * geometry.input * width..][..geometry.input * width],
            c_stride: width,
            a: Left { data: &work.x, row_stride: 1, depth_stride: geometry.input_stride() },
            n_rows: geometry.input,
            panel: &work.d_input[tokens.clone()],
            depth: chunk.n_tokens,
        });
        isa.call(PanelProduct {
            c: &mut sums.recurrent[panel * geometry.hidden * width..][..geometry.hidden * width],
            c_stride: width,
            a: Left { data: &work.h_before, row_stride: 1, depth_stride: work.h_stride },
            n_rows: geometry.hidden,
            panel: &d_recurrent[tokens.clone()],
            depth: chunk.n_tokens,
        });
        add_rows(
            isa,
            &work.d_input[tokens.clone()],
            &mut sums.input_bias[panel * width..][..width],
        );
        if work.apart {
            add_rows(
                isa,
                &work.d_recurrent[tokens],
                &mut sums.recurrent_bias[panel * width..][..width],
            );
        }
    }
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

/// `dx = d_gates · W_ih` for all tokens of a chunk.
#[inline(always)]
fn input_gradient<V: Vector>(
    isa: Isa<V>,
    geometry: &Geometry,
    weights: &ColumnPanels<V::Elem>,
    chunk: Chunk,
    work: &mut Workspace<V::Elem>,
) {
    let width = geometry.panel_width();
    let stride = work.dx_stride;
    work.dx[..chunk.n_tokens * stride].fill(V::Elem::default());
    for panel in 0..geometry.n_panels {
        let tokens = &work.d_input[panel * chunk.n_tokens * width..][..chunk.n_tokens * width];
        for (column, block) in weights.blocks(panel * width, width) {
            isa.call(PanelProduct {
                c: &mut work.dx[column..],
                c_stride: stride,
                a: Left { data: tokens, row_stride: width, depth_stride: 1 },
                n_rows: chunk.n_tokens,
                panel: block,
                depth: width,
            });
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
    /// `[panel][tokens, panel width]`
    d_input: Buffer<E>,
    /// The same for the recurrent side where it differs (GRU), else empty.
    d_recurrent: Buffer<E>,
    /// Whether the gradients of the two sides differ.
    apart: bool,
    /// `[tokens, dx stride]`
    dx: Buffer<E>,
    dx_stride: usize,
}

impl<E: Number> Workspace<E> {
    fn new(geometry: &Geometry, chunk_tokens: usize) -> Self {
        let apart = geometry.cell == Cell::Gru;
        let h_stride = spread_stride(geometry.padded_hidden());
        let dx_stride = spread_stride(geometry.input);
        let n_gates = chunk_tokens * geometry.padded_gates();
        Self {
            x: Buffer::zeros(chunk_tokens * geometry.input_stride()),
            h_before: Buffer::zeros(chunk_tokens * h_stride),
            h_stride,
            d_input: Buffer::zeros(n_gates),
            d_recurrent: Buffer::zeros(if apart { n_gates } else { 0 }),
            apart,
            dx: Buffer::zeros(chunk_tokens * dx_stride),
            dx_stride,
        }
    }
}

/// The gradient that goes from step to step, `[ranks, padded H]` each.
///
/// It starts with the gradient of the final state. Going backward, a row takes part from its last
/// step on; until then its gradient waits in place.
struct RunningGradient<E> {
    dh: Buffer<E>,
    next_dh: Buffer<E>,
    dc: Buffer<E>,
    /// LSTM: the initial c; else empty.
    initial_c: Buffer<E>,
}

impl<E: Number> RunningGradient<E> {
    fn start(geometry: &Geometry, plan: &Plan, d_final_state: &[E], state: &[E]) -> Self {
        let len = plan.n_rows() * geometry.padded_hidden();
        let has_c = geometry.cell.n_states() == 2;
        let mut dh = Buffer::zeros(len);
        gather_state(geometry, plan, d_final_state, 0, &mut dh);
        let mut dc = Buffer::zeros(len);
        let mut initial_c = Buffer::zeros(if has_c { len } else { 0 });
        if has_c {
            gather_state(geometry, plan, d_final_state, 1, &mut dc);
            gather_state(geometry, plan, state, 1, &mut initial_c);
        }
        Self { dh, next_dh: Buffer::zeros(len), dc, initial_c }
    }

    /// Makes the rows' new dh the current one and leaves the waiting rows as they are.
    fn advance(&mut self, n_rows: usize, padded: usize) {
        let rows = ..n_rows * padded;
        self.dh[rows].copy_from_slice(&self.next_dh[rows]);
    }

    /// The gradient of the initial state, `[states, ranks, H]`.
    fn finish(self, geometry: &Geometry, plan: &Plan) -> Vec<E> {
        pack_states(geometry, plan, [&self.dh, &self.dc])
    }
}

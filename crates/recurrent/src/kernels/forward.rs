//! The forward pass over the rows of one thread.
//!
//! ```text
//! for each chunk of steps
//!     gather the chunk's inputs                    x      [tokens, I]
//!     gates = bias + x · W_ihᵀ                     gates  [panel][tokens, panel width]
//!     for each step
//!         for each panel
//!             scratch = bias + h · W_hhᵀ           scratch [rows, panel width]
//!             gates, c, h' = cell(gates, scratch)
//!         h = h'; write h to the outputs
//! ```

use super::buffer::Buffer;
use super::gemm::{Left, PanelProduct};
use super::geometry::Geometry;
use super::pack::{FlatWeights, gate_bias, gate_panels};
use super::plan::{Chunk, Plan};
use super::units::{self, ForwardRow};
use super::vector::{Isa, Job, Number, Vector};
use crate::cell::Cell;

/// Packed weights of the forward pass, shared by all threads.
pub(crate) struct ForwardWeights<E> {
    input: Buffer<E>,
    recurrent: Buffer<E>,
    input_bias: Buffer<E>,
    recurrent_bias: Buffer<E>,
}

impl<E: Number> ForwardWeights<E> {
    pub(crate) fn pack(weights: &FlatWeights<'_, E>, geometry: &Geometry) -> Self {
        // The GRU's reset gate acts on its recurrent side, bias included, so there the two biases
        // must stay apart; elsewhere they only ever appear as a sum.
        let (input_biases, recurrent_biases): (Vec<&[E]>, Vec<&[E]>) = match weights.biases {
            None => (vec![], vec![]),
            Some((input, recurrent)) if geometry.cell == Cell::Gru => {
                (vec![input], vec![recurrent])
            }
            Some((input, recurrent)) => (vec![input, recurrent], vec![]),
        };
        Self {
            input: gate_panels(weights.input, geometry.input, geometry),
            recurrent: gate_panels(weights.recurrent, geometry.hidden, geometry),
            input_bias: gate_bias(&input_biases, geometry),
            recurrent_bias: gate_bias(&recurrent_biases, geometry),
        }
    }
}

/// What the backward pass needs of the forward pass, for the rows of one plan.
pub(crate) struct SavedRows<E> {
    /// Activated gates: per chunk, per panel, `[tokens, panel width]`.
    pub(crate) gates: Buffer<E>,
    /// `[tokens, padded H]`: the LSTM's c, the GRU's recurrent side of the new gate, else empty.
    pub(crate) extra: Buffer<E>,
}

/// One thread's part of a forward pass.
pub(crate) struct ForwardJob<'a, E> {
    pub(crate) geometry: &'a Geometry,
    pub(crate) plan: &'a Plan,
    pub(crate) weights: &'a ForwardWeights<E>,
    /// `[B, T, I]`, contiguous.
    pub(crate) x: &'a [E],
    /// `[states, B, H]`, contiguous.
    pub(crate) state: &'a [E],
    /// By rank: the row's `[T, H]` part of the outputs, zeroed.
    pub(crate) outputs: Vec<&'a mut [E]>,
    /// Whether a backward pass may follow.
    pub(crate) save: bool,
}

/// What a thread hands back: its final states `[states, ranks, H]` and what it saved.
pub(crate) struct ForwardRows<E> {
    pub(crate) final_state: Vec<E>,
    pub(crate) saved: Option<SavedRows<E>>,
}

impl<E: Number> Job<E> for ForwardJob<'_, E> {
    type Output = ForwardRows<E>;

    #[inline(always)]
    fn run<V: Vector<Elem = E>>(mut self, isa: Isa<V>) -> ForwardRows<E> {
        let (geometry, plan) = (self.geometry, self.plan);
        let (width, units, padded) =
            (geometry.panel_width(), geometry.panel_units(), geometry.padded_hidden());
        let mut state = RunningState::start(geometry, plan, self.state);
        let mut scratch = Buffer::<E>::zeros(plan.n_rows() * width);
        let chunks = plan.chunks();
        let chunk_tokens = chunks.iter().map(|chunk| chunk.n_tokens).max().unwrap_or(0);
        let mut x = Buffer::<E>::zeros(chunk_tokens * geometry.input_stride());
        let has_extra = self.save && matches!(geometry.cell, Cell::Lstm | Cell::Gru);
        let mut saved = SavedRows {
            gates: Buffer::zeros(
                if self.save { plan.n_tokens() } else { chunk_tokens } * geometry.padded_gates(),
            ),
            extra: Buffer::zeros(if has_extra { plan.n_tokens() * padded } else { 0 }),
        };

        for chunk in chunks {
            let first = if self.save { chunk.first_token } else { 0 };
            let gates = &mut saved.gates[first * geometry.padded_gates()..]
                [..chunk.n_tokens * geometry.padded_gates()];
            gather_inputs(geometry, plan, chunk, self.x, &mut x);
            self.input_product(isa, &x, chunk, gates);

            for step in chunk.start..chunk.end {
                let n_rows = plan.active[step];
                let token = plan.offset[step];
                for panel in 0..geometry.n_panels {
                    let bias = &self.weights.recurrent_bias[panel * width..][..width];
                    for row in scratch[..n_rows * width].chunks_exact_mut(width) {
                        row.copy_from_slice(bias);
                    }
                    isa.call(PanelProduct {
                        c: &mut scratch,
                        c_stride: width,
                        a: Left { data: &state.h, row_stride: padded, depth_stride: 1 },
                        n_rows,
                        panel: &self.weights.recurrent[panel * geometry.hidden * width..]
                            [..geometry.hidden * width],
                        depth: geometry.hidden,
                    });
                    let first_gate = (panel * chunk.n_tokens + token - chunk.first_token) * width;
                    let panel_gates = &mut gates[first_gate..][..n_rows * width];
                    for rank in 0..n_rows {
                        let unit = rank * padded + panel * units;
                        let extra =
                            has_extra.then(|| &mut saved.extra[token * padded + unit..][..units]);
                        let row = ForwardRow {
                            gates: &mut panel_gates[rank * width..][..width],
                            recurrent: &scratch[rank * width..][..width],
                            h_before: &state.h[unit..][..units],
                            h: &mut state.next_h[unit..][..units],
                            c: &mut state.c[unit..][..units],
                            extra,
                        };
                        units::forward(isa, geometry.cell, row, geometry.vectors_per_gate);
                    }
                }
                for rank in 0..n_rows {
                    let h = &state.next_h[rank * padded..][..geometry.hidden];
                    let at = plan.time(rank, step) * geometry.hidden;
                    self.outputs[rank][at..][..geometry.hidden].copy_from_slice(h);
                }
                state.advance(n_rows, padded);
            }
        }
        ForwardRows { final_state: state.finish(geometry, plan), saved: self.save.then_some(saved) }
    }
}

impl<E: Number> ForwardJob<'_, E> {
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
        for panel in 0..geometry.n_panels {
            let to = &mut gates[panel * chunk.n_tokens * width..][..chunk.n_tokens * width];
            let bias = &self.weights.input_bias[panel * width..][..width];
            for row in to.chunks_exact_mut(width) {
                row.copy_from_slice(bias);
            }
            isa.call(PanelProduct {
                c: to,
                c_stride: width,
                a: Left { data: x, row_stride: geometry.input_stride(), depth_stride: 1 },
                n_rows: chunk.n_tokens,
                panel: &self.weights.input[panel * geometry.input * width..]
                    [..geometry.input * width],
                depth: geometry.input,
            });
        }
    }
}

/// Copies a chunk's input rows to `[tokens, input stride]`.
pub(crate) fn gather_inputs<E: Number>(
    geometry: &Geometry,
    plan: &Plan,
    chunk: Chunk,
    x: &[E],
    to: &mut [E],
) {
    for step in chunk.start..chunk.end {
        for rank in 0..plan.active[step] {
            let from = (plan.rows[rank] * geometry.steps + plan.time(rank, step)) * geometry.input;
            let token = plan.offset[step] - chunk.first_token + rank;
            to[token * geometry.input_stride()..][..geometry.input]
                .copy_from_slice(&x[from..][..geometry.input]);
        }
    }
}

/// The state that goes from step to step: `[ranks, padded H]` each.
struct RunningState<E> {
    h: Buffer<E>,
    next_h: Buffer<E>,
    c: Buffer<E>,
}

impl<E: Number> RunningState<E> {
    fn start(geometry: &Geometry, plan: &Plan, initial: &[E]) -> Self {
        let padded = geometry.padded_hidden();
        let mut h = Buffer::zeros(plan.n_rows() * padded);
        let mut c = Buffer::zeros(plan.n_rows() * padded);
        gather_state(geometry, plan, initial, 0, &mut h);
        if geometry.cell.n_states() == 2 {
            gather_state(geometry, plan, initial, 1, &mut c);
        }
        Self { h, next_h: Buffer::zeros(plan.n_rows() * padded), c }
    }

    /// Makes the rows' new h the current one; a row that has ended keeps its last.
    fn advance(&mut self, n_rows: usize, padded: usize) {
        let rows = ..n_rows * padded;
        self.h[rows].copy_from_slice(&self.next_h[rows]);
    }

    /// The final states, `[states, ranks, H]`.
    fn finish(self, geometry: &Geometry, plan: &Plan) -> Vec<E> {
        pack_states(geometry, plan, [&self.h, &self.c])
    }
}

/// Drops the padding of `[ranks, padded H]` states: `[states, ranks, H]`. The second is the
/// LSTM's c and is left out for cells that have none.
pub(crate) fn pack_states<E: Number>(
    geometry: &Geometry,
    plan: &Plan,
    states: [&[E]; 2],
) -> Vec<E> {
    let n_states = geometry.cell.n_states();
    let mut packed = Vec::with_capacity(n_states * plan.n_rows() * geometry.hidden);
    for state in &states[..n_states] {
        for row in state.chunks_exact(geometry.padded_hidden()) {
            packed.extend_from_slice(&row[..geometry.hidden]);
        }
    }
    packed
}

/// Copies state tensor `index` of `[states, B, H]` to `[ranks, padded H]`.
pub(crate) fn gather_state<E: Number>(
    geometry: &Geometry,
    plan: &Plan,
    states: &[E],
    index: usize,
    to: &mut [E],
) {
    for (rank, row) in plan.rows.iter().enumerate() {
        let from = (index * geometry.batch + row) * geometry.hidden;
        to[rank * geometry.padded_hidden()..][..geometry.hidden]
            .copy_from_slice(&states[from..][..geometry.hidden]);
    }
}

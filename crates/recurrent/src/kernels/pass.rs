//! One layer in one direction: splits the work over threads and puts the results together.

use rayon::prelude::*;

use super::backward::{BackwardJob, BackwardRows, BackwardWeights};
use super::forward::{ForwardJob, ForwardWeights, SavedRows};
use super::geometry::Geometry;
use super::isa::{Element, InstructionSet};
use super::pack::{FlatWeights, unpack_gate_panels};
use super::plan::Plan;
use crate::cell::Cell;

/// Multiply-adds below which a second thread costs more than it brings.
const WORK_PER_THREAD: usize = 200_000;

/// One pass to run: what the layer is, its sizes, and the CPU's instruction set.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    pub(crate) cell: Cell,
    /// B, T, I.
    pub(crate) input: (usize, usize, usize),
    /// H.
    pub(crate) hidden: usize,
    /// Real steps of each row, at most T.
    pub(crate) lengths: Vec<usize>,
    pub(crate) reverse: bool,
    pub(crate) instructions: InstructionSet,
}

/// A problem with its layout and its division over threads.
pub(crate) struct Pass {
    geometry: Geometry,
    plans: Vec<Plan>,
    instructions: InstructionSet,
}

/// What a forward pass keeps for the backward pass.
pub(crate) struct Saved<E> {
    pass: Pass,
    rows: Vec<SavedRows<E>>,
}

/// Gradients of one pass, in the shapes of what they belong to.
pub(crate) struct Gradients<E> {
    /// `[B, T, I]`, if it was wanted.
    pub(crate) x: Option<Vec<E>>,
    /// Flat, in the order of [`FlatWeights`].
    pub(crate) weights: Vec<E>,
    /// `[states, B, H]`
    pub(crate) state: Vec<E>,
}

impl Pass {
    pub(crate) fn new<E: Element>(problem: &Problem) -> Self {
        let lanes = E::lanes(problem.instructions);
        let geometry = Geometry::new(problem.cell, problem.input, problem.hidden, lanes);
        let n_threads = (geometry.work() / WORK_PER_THREAD).clamp(1, rayon::current_num_threads());
        let plans = Plan::deal(&problem.lengths, problem.reverse, n_threads);
        Self { geometry, plans, instructions: problem.instructions }
    }

    /// Runs forward. `x [B, T, I]`, `weights` flat, `state [states, B, H]`.
    ///
    /// Returns outputs `[B, T, H]` (zero past a row's length) followed by final states
    /// `[states, B, H]` in one vector and, if `save` is set, what the backward pass needs.
    pub(crate) fn forward<E: Element>(
        self,
        x: &[E],
        weights: &[E],
        state: &[E],
        save: bool,
    ) -> (Vec<E>, Option<Saved<E>>) {
        let geometry = &self.geometry;
        let n_outputs = geometry.batch * geometry.steps * geometry.hidden;
        let n_state = geometry.cell.n_states() * geometry.batch * geometry.hidden;
        let mut result = vec![E::default(); n_outputs + n_state];
        let packed = ForwardWeights::pack(&FlatWeights::split(weights, geometry), geometry);
        let (outputs, final_state) = result.split_at_mut(n_outputs);

        let jobs = deal_rows(&self.plans, outputs, geometry.steps * geometry.hidden);
        let rows: Vec<_> = self
            .plans
            .par_iter()
            .zip(jobs)
            .map(|(plan, outputs)| {
                let job = ForwardJob { geometry, plan, weights: &packed, x, state, outputs, save };
                E::dispatch(self.instructions, job)
            })
            .collect();

        let mut saved = Vec::with_capacity(rows.len());
        for (plan, rows) in self.plans.iter().zip(rows) {
            scatter_state(geometry, plan, &rows.final_state, final_state);
            saved.extend(rows.saved);
        }
        let saved = save.then_some(Saved { pass: self, rows: saved });
        (result, saved)
    }
}

impl<E: Element> Saved<E> {
    /// Runs backward. `result` is what the forward pass returned and `d_result` its gradient;
    /// the other arguments are the forward pass's own.
    pub(crate) fn backward(
        &self,
        x: &[E],
        weights: &[E],
        state: &[E],
        result: &[E],
        d_result: &[E],
        wants_dx: bool,
    ) -> Gradients<E> {
        let geometry = &self.pass.geometry;
        let n_outputs = geometry.batch * geometry.steps * geometry.hidden;
        let row_len = geometry.steps * geometry.input;
        let mut dx = vec![E::default(); if wants_dx { geometry.batch * row_len } else { 0 }];
        let flat = FlatWeights::split(weights, geometry);
        let packed = BackwardWeights::pack(&flat, geometry, wants_dx);
        let (outputs, _) = result.split_at(n_outputs);
        let (d_outputs, d_final_state) = d_result.split_at(n_outputs);

        let jobs = deal_rows(&self.pass.plans, &mut dx, row_len);
        let rows: Vec<BackwardRows<E>> = self
            .pass
            .plans
            .par_iter()
            .zip(&self.rows)
            .zip(jobs)
            .map(|((plan, saved), dx)| {
                let job = BackwardJob {
                    geometry,
                    plan,
                    weights: &packed,
                    saved,
                    x,
                    state,
                    outputs,
                    d_outputs,
                    d_final_state,
                    dx,
                };
                E::dispatch(self.pass.instructions, job)
            })
            .collect();

        let mut d_state = vec![E::default(); state.len()];
        for (plan, rows) in self.pass.plans.iter().zip(&rows) {
            scatter_state(geometry, plan, &rows.state, &mut d_state);
        }
        let d_weights = flatten(geometry, rows, weights.len(), flat.biases.is_some());
        Gradients { x: wants_dx.then_some(dx), weights: d_weights, state: d_state }
    }
}

/// Adds the threads' shares in their fixed order, so that the sum does not depend on which thread
/// ended first, and brings them into the flat parameter's order.
fn flatten<E: Element>(
    geometry: &Geometry,
    rows: Vec<BackwardRows<E>>,
    n_weights: usize,
    has_biases: bool,
) -> Vec<E> {
    let mut flat = vec![E::default(); n_weights];
    let mut shares = rows.into_iter();
    let Some(mut total) = shares.next() else { return flat };
    for share in shares {
        total.input.add_assign(&share.input);
        total.recurrent.add_assign(&share.recurrent);
        total.input_bias.add_assign(&share.input_bias);
        total.recurrent_bias.add_assign(&share.recurrent_bias);
    }
    let n_gate_rows = geometry.cell.n_gates() * geometry.hidden;
    let (input, rest) = flat.split_at_mut(n_gate_rows * geometry.input);
    let (recurrent, biases) = rest.split_at_mut(n_gate_rows * geometry.hidden);
    unpack_gate_panels(&total.input, geometry.input, geometry, input);
    unpack_gate_panels(&total.recurrent, geometry.hidden, geometry, recurrent);
    if has_biases {
        let (input_bias, recurrent_bias) = biases.split_at_mut(n_gate_rows);
        let of_recurrent =
            if total.recurrent_bias.is_empty() { &total.input_bias } else { &total.recurrent_bias };
        unpack_gate_panels(&total.input_bias, 1, geometry, input_bias);
        unpack_gate_panels(of_recurrent, 1, geometry, recurrent_bias);
    }
    flat
}

/// Hands each plan its own rows of a `[B, row_len]` tensor, by rank. An empty tensor deals none.
fn deal_rows<'a, E>(plans: &[Plan], tensor: &'a mut [E], row_len: usize) -> Vec<Vec<&'a mut [E]>> {
    let mut rows: Vec<Option<&mut [E]>> = if tensor.is_empty() {
        Vec::new()
    } else {
        tensor.chunks_exact_mut(row_len).map(Some).collect()
    };
    plans
        .iter()
        .map(|plan| {
            plan.rows.iter().filter_map(|&row| rows.get_mut(row).and_then(Option::take)).collect()
        })
        .collect()
}

/// Copies `[states, ranks, H]` of one plan to its places in `[states, B, H]`.
fn scatter_state<E: Element>(geometry: &Geometry, plan: &Plan, from: &[E], to: &mut [E]) {
    let hidden = geometry.hidden;
    for state in 0..geometry.cell.n_states() {
        for (rank, row) in plan.rows.iter().enumerate() {
            let from = &from[(state * plan.n_rows() + rank) * hidden..][..hidden];
            to[(state * geometry.batch + row) * hidden..][..hidden].copy_from_slice(from);
        }
    }
}

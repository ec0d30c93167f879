//! One layer in one direction: divides a pass among threads and combines the results.

use std::ops::Range;

use super::backward::{BackwardJob, BackwardShare, BackwardWeights};
use super::buffer::Buffer;
use super::crew::{Barrier, Crew, share};
use super::forward::{Columns, ForwardJob, Saved};
use super::geometry::Geometry;
use super::input::{Input, InputGradient};
use super::isa::Element;
use super::pack::{ColumnBlocks, ForwardWeights, Weights, unpack_gate_panels};
use super::plan::Plan;
use super::shared::Shared;
use crate::cell::Cell;

/// Multiply-adds below which a second thread costs more than it gains.
const WORK_PER_THREAD: usize = 200_000;

/// Rows per thread below which threads divide the hidden units instead: fewer rows do not fill a
/// register tile, and every thread would have to read all weights for them.
const MIN_ROWS_PER_THREAD: usize = 12;

/// A pass and its division among threads.
pub(crate) struct Pass {
    geometry: Geometry,
    /// The rows of each team; a team's members divide the hidden units.
    teams: Vec<Plan>,
    /// The panels of each member of a team.
    members: Vec<Range<usize>>,
}

/// Data that a forward pass keeps for the backward pass, by thread.
pub(crate) struct SavedPass<E>(Vec<Saved<E>>);

/// State tensors of one layer and direction in the cell's order, `[B, H]` each; zeros if absent.
pub(crate) type States<'a, E> = [Option<&'a [E]>; 2];

/// The inputs of a backward pass other than the saved data.
pub(crate) struct BackwardInput<'a, E> {
    pub(crate) x: Input<'a, E>,
    pub(crate) weights: Weights<'a, E>,
    pub(crate) initial: States<'a, E>,
    pub(crate) outputs: Columns<&'a [E]>,
    pub(crate) d_outputs: Option<Columns<&'a [E]>>,
    pub(crate) d_final: States<'a, E>,
    pub(crate) dx: Option<InputGradient<'a, E>>,
}

/// Gradients of one layer and direction, each in the shape of its tensor.
pub(crate) struct PassGradients<E> {
    /// W_ih, W_hh and, if there are biases, b_ih and b_hh.
    pub(crate) weights: Vec<Vec<E>>,
    /// `[B, H]` for each state tensor.
    pub(crate) initial: Vec<Vec<E>>,
}

impl Pass {
    /// `lengths`: real steps of each row.
    pub(crate) fn new(geometry: Geometry, lengths: &[usize], reverse: bool, crew: &Crew) -> Self {
        let n_threads = (geometry.work() / WORK_PER_THREAD).clamp(1, crew.n_members());
        let by_units = geometry.batch < n_threads * MIN_ROWS_PER_THREAD;
        let n_members = if by_units { n_threads.min(geometry.n_panels) } else { 1 };
        let teams = Plan::deal(lengths, reverse, if n_members > 1 { 1 } else { n_threads });
        let members =
            (0..n_members).map(|member| share(geometry.n_panels, member, n_members)).collect();
        Self { geometry, teams, members }
    }

    /// Threads that must work at the same time.
    pub(crate) fn n_threads(&self) -> usize {
        self.teams.len() * self.members.len()
    }

    fn barrier(&self) -> Barrier {
        Barrier::new(self.members.len())
    }

    /// Runs forward: writes the outputs of every real step and the final states `[B, H]`.
    #[allow(clippy::too_many_arguments)] // One per tensor of the pass.
    pub(crate) fn forward<E: Element>(
        &self,
        crew: &Crew,
        x: Input<'_, E>,
        weights: &ForwardWeights<E>,
        initial: States<'_, E>,
        outputs: Columns<Shared<'_, E>>,
        final_states: &mut [&mut [E]],
        save: bool,
    ) -> Option<SavedPass<E>> {
        let geometry = &self.geometry;
        let padded = geometry.padded_hidden();
        let all_units = 0..geometry.hidden;
        let mut h: Vec<[Buffer<E>; 2]> = self
            .teams
            .iter()
            .map(|plan| {
                let len = plan.n_rows() * padded;
                let mut h = [Buffer::zeros(len), Buffer::zeros(len)];
                if let Some(initial) = initial[0] {
                    plan.gather_state(geometry, initial, &all_units, &mut h[0], padded);
                }
                h
            })
            .collect();
        let shared_h: Vec<[Shared<'_, E>; 2]> =
            h.iter_mut().map(|h| h.each_mut().map(|h| Shared::new(h))).collect();
        let barrier = self.barrier();
        let shares = self.on_threads(crew, |thread| {
            let (team, member) = self.place(thread);
            let job = ForwardJob {
                geometry,
                plan: &self.teams[team],
                panels: self.members[member].clone(),
                barrier: &barrier,
                weights,
                x,
                initial_c: initial[1],
                h: shared_h[team],
                outputs,
                save,
            };
            E::dispatch(geometry.instructions, job)
        });

        for (plan, h) in self.teams.iter().zip(&h) {
            for (rank, (row, length)) in plan.rows.iter().zip(&plan.lengths).enumerate() {
                let from = &h[length % 2][rank * padded..][..geometry.hidden];
                final_states[0][row * geometry.hidden..][..geometry.hidden].copy_from_slice(from);
            }
        }
        if geometry.cell == Cell::Lstm {
            for (thread, share) in shares.iter().enumerate() {
                self.scatter_state(thread, &share.c, final_states[1]);
            }
        }
        let saved: Option<Vec<Saved<E>>> = shares.into_iter().map(|share| share.saved).collect();
        saved.map(SavedPass)
    }

    /// Runs backward.
    pub(crate) fn backward<E: Element>(
        &self,
        crew: &Crew,
        saved: &SavedPass<E>,
        input: &BackwardInput<'_, E>,
    ) -> PassGradients<E> {
        let geometry = &self.geometry;
        let weights = self.pack_backward(crew, &input.weights, input.dx.is_some());
        let mut d_gates: Vec<[Buffer<E>; 2]> = self
            .teams
            .iter()
            .map(|plan| {
                let tokens = plan.chunks().iter().map(|chunk| chunk.n_tokens).max().unwrap_or(0);
                let len = tokens * geometry.padded_gates();
                let is_gru = geometry.cell == Cell::Gru;
                [Buffer::scratch(len), Buffer::scratch(if is_gru { len } else { 0 })]
            })
            .collect();
        let d_gates: Vec<[Shared<'_, E>; 2]> =
            d_gates.iter_mut().map(|d| d.each_mut().map(|d| Shared::new(d))).collect();
        let barrier = self.barrier();
        let shares = self.on_threads(crew, |thread| {
            let (team, member) = self.place(thread);
            let [d_input, d_recurrent] = d_gates[team];
            let job = BackwardJob {
                geometry,
                plan: &self.teams[team],
                panels: self.members[member].clone(),
                barrier: &barrier,
                weights: &weights[member],
                saved: &saved.0[thread],
                x: input.x,
                initial: input.initial,
                outputs: input.outputs,
                d_outputs: input.d_outputs,
                d_final: input.d_final,
                d_input,
                d_recurrent: (geometry.cell == Cell::Gru).then_some(d_recurrent),
                dx: input.dx,
            };
            E::dispatch(geometry.instructions, job)
        });
        self.gather_gradients(crew, shares, input.weights.biases.is_some())
    }

    /// A thread's team and its index among the team's members.
    fn place(&self, thread: usize) -> (usize, usize) {
        (thread / self.members.len(), thread % self.members.len())
    }

    /// Runs `job` for every thread of the pass; results are in thread order.
    fn on_threads<R: Send>(&self, crew: &Crew, job: impl Fn(usize) -> R + Sync) -> Vec<R> {
        let n_threads = self.n_threads();
        // Members of a team wait for one another, so each needs a thread of the crew.
        assert!(self.members.len() == 1 || n_threads <= crew.n_members());
        let results = crew.map(|crew_member| {
            share(n_threads, crew_member, crew.n_members()).map(&job).collect::<Vec<R>>()
        });
        results.into_iter().flatten().collect()
    }

    /// Packed weights for each member of a team.
    fn pack_backward<E: Element>(
        &self,
        crew: &Crew,
        weights: &Weights<'_, E>,
        wants_dx: bool,
    ) -> Vec<BackwardWeights<E>> {
        let geometry = &self.geometry;
        let n_input_vectors = geometry.input.div_ceil(geometry.lanes);
        let n_members = self.members.len();
        (0..n_members)
            .map(|member| {
                let vectors = share(n_input_vectors, member, n_members);
                let columns = geometry.input.min(vectors.start * geometry.lanes)
                    ..geometry.input.min(vectors.end * geometry.lanes);
                let units = geometry.units(&self.members[member]);
                let pack = |weight, n_columns, columns| {
                    ColumnBlocks::pack(weight, n_columns, columns, geometry, crew)
                };
                BackwardWeights {
                    input: wants_dx.then(|| pack(weights.input, geometry.input, columns)),
                    recurrent: pack(weights.recurrent, geometry.hidden, units),
                }
            })
            .collect()
    }

    /// Adds up the threads' shares in a fixed order, so that the sum does not depend on which thread
    /// finished first.
    fn gather_gradients<E: Element>(
        &self,
        crew: &Crew,
        shares: Vec<BackwardShare<E>>,
        has_biases: bool,
    ) -> PassGradients<E> {
        let geometry = &self.geometry;
        let mut initial =
            vec![vec![E::default(); geometry.batch * geometry.hidden]; geometry.cell.n_states()];
        let (mut input, mut recurrent) = (Vec::new(), Vec::new());
        let (mut input_bias, mut recurrent_bias) = (Vec::new(), Vec::new());
        for (thread, share) in shares.into_iter().enumerate() {
            for (state, own) in initial.iter_mut().zip([&share.dh, &share.dc]) {
                self.scatter_state(thread, own, state);
            }
            let panels = &self.members[self.place(thread).1];
            input.push((panels.clone(), share.input));
            recurrent.push((panels.clone(), share.recurrent));
            input_bias.push((panels.clone(), share.input_bias));
            recurrent_bias.push((panels.clone(), share.recurrent_bias));
        }
        let mut weights = vec![
            unpack_gate_panels(&mut input, geometry.input, geometry, crew),
            unpack_gate_panels(&mut recurrent, geometry.hidden, geometry, crew),
        ];
        if has_biases {
            let d_input = unpack_gate_panels(&mut input_bias, 1, geometry, crew);
            let d_recurrent = if geometry.cell == Cell::Gru {
                unpack_gate_panels(&mut recurrent_bias, 1, geometry, crew)
            } else {
                d_input.clone()
            };
            weights.extend([d_input, d_recurrent]);
        }
        PassGradients { weights, initial }
    }

    /// Copies a thread's rows and units, `[ranks, units]`, to their places in `[B, H]`.
    fn scatter_state<E: Element>(&self, thread: usize, own: &[E], state: &mut [E]) {
        let (team, member) = self.place(thread);
        let panels = &self.members[member];
        let stride = panels.len() * self.geometry.panel_units();
        let units = self.geometry.units(panels);
        self.teams[team].scatter_state(&self.geometry, own, stride, &units, state);
    }
}

//! The backward pass of a network: all layers and directions.

use super::forward::SavedPass;
use super::input::{Input, InputGradient};
use super::layer_backward::{BackwardInput, BackwardJob, BackwardShare};
use super::pooled::OutputGradient;
use super::problem::{Problem, States, Steps};
use super::region::{Part, Region};
use super::repeated::{TeamVectors, UsedVectors, used_vectors};
use super::team::Team;
use crate::algebra::{Geometry, unpack_panel};
use crate::cell::Cell;
use crate::machine::{Buffer, Crew, Element, Shared, Source, share, zeroed_vec};

/// Gradients, each in the shape of its tensor.
pub(crate) struct Gradients<E> {
    /// Of the input or of the repeated vectors.
    pub(crate) x: Option<Vec<E>>,
    /// `[layer·direction]`: W_ih, W_hh and, if there are biases, b_ih and b_hh; with a projection, W_hr.
    pub(crate) weights: Vec<Vec<Vec<E>>>,
    /// For each state tensor, `[L·D, B, h or H]`.
    pub(crate) initial: Vec<Vec<E>>,
}

/// The tensors that a backward pass reads; shapes as in the forward pass.
pub(crate) struct BackwardTensors<'a, E> {
    pub(crate) x: Steps<'a, E>,
    pub(crate) has_biases: bool,
    /// Whether any weight's gradient is wanted; without, those of the result are empty.
    pub(crate) wants_weights: bool,
    pub(crate) initial: States<'a, E>,
    pub(crate) outputs: &'a [E],
    pub(crate) d_outputs: Option<OutputGradient<'a, E>>,
    /// Of the outputs of the layers below the last, `[B, T, D·h]`; empty if there are none.
    pub(crate) d_between: &'a [Option<&'a [E]>],
    pub(crate) d_final: States<'a, E>,
}

impl Problem {
    /// Runs backward.
    ///
    /// # Errors
    /// If the system refuses a thread.
    pub(crate) fn backward<E: Element>(
        &self,
        saved: &SavedPass<E>,
        tensors: &BackwardTensors<'_, E>,
        wants_dx: bool,
    ) -> std::io::Result<Gradients<E>> {
        let geometries = self.geometries::<E>();
        let division = saved.division;
        let crew = if division.is_together() {
            Crew::of(division.n_seats())?
        } else {
            Crew::of_idle(division.n_seats())
        };
        let mut dx = zeroed_vec(if wants_dx { tensors.x.len() } else { 0 });
        let (local, used) = match tensors.x {
            Steps::Repeated { vectors, indexes } => {
                let n_vectors = vectors.len() / self.input_size;
                used_vectors(indexes, n_vectors, self.steps, &saved.plans[0])
            }
            Steps::Each(_) => (Vec::new(), Vec::new()),
        };
        let mut sums = self.empty_sums::<E>(&geometries[0], &used);
        let mut d_gates = self.chunk_gradients::<E>(&geometries[0], saved);
        let mut below: Vec<[Buffer<E>; 2]> = self.gradients_between(saved, tensors, wants_dx);
        let pass = Pass {
            problem: self,
            geometries: &geometries,
            saved,
            tensors,
            dx: wants_dx.then(|| Shared::new(&mut dx)),
            below: below.iter_mut().map(|below| below.each_mut().map(|d| Shared::new(d))).collect(),
            local: &local,
            used: &used,
            sums: sums.iter_mut().map(|sums| Shared::new(sums)).collect(),
            d_gates: d_gates.iter_mut().map(|d| d.each_mut().map(|d| Shared::new(d))).collect(),
        };
        let shares = pass.run(&crew);
        pass.add_vector_gradients(&crew, &shares);
        let weights =
            if tensors.wants_weights { pass.weight_gradients(&crew, &shares) } else { Vec::new() };
        let initial = pass.state_gradients(&shares);
        drop(pass);
        Ok(Gradients { x: wants_dx.then_some(dx), weights, initial })
    }

    /// For repeated vectors, zeros for the sums of the gates' gradients by vector, `[direction·team]`.
    fn empty_sums<E: Element>(&self, geometry: &Geometry, used: &[UsedVectors]) -> Vec<Buffer<E>> {
        let zeros =
            |used: &UsedVectors| Buffer::zeros(used.vectors.len() * geometry.padded_gates());
        (0..self.num_directions).flat_map(|_| used.iter().map(zeros)).collect()
    }

    /// Room for the gates' gradients of one chunk, which the members of a team share, and for a second form
    /// of them that GRUs need: by direction and team, for one layer after the other.
    fn chunk_gradients<E: Element>(
        &self,
        geometry: &Geometry,
        saved: &SavedPass<E>,
    ) -> Vec<[Buffer<E>; 2]> {
        let has_second = matches!(self.cell, Cell::Gru | Cell::GruResetBefore);
        let plans = saved.plans.iter().flatten();
        plans
            .map(|plan| {
                let len = plan.chunk_tokens() * geometry.padded_gates();
                [Buffer::scratch(len), Buffer::scratch(if has_second { len } else { 0 })]
            })
            .collect()
    }

    /// Room for the gradient of each layer's input, and for the second direction's part of it if the
    /// directions run at the same time; the first layer's own is the result.
    fn gradients_between<E: Element>(
        &self,
        saved: &SavedPass<E>,
        tensors: &BackwardTensors<'_, E>,
        wants_dx: bool,
    ) -> Vec<[Buffer<E>; 2]> {
        // Every real place is written; nothing reads the others.
        (0..self.num_layers)
            .map(|layer| {
                let n_outputs = if layer == 0 { 0 } else { self.n_outputs() };
                let n_second = match tensors.x {
                    _ if !saved.division.directions_at_once() => 0,
                    Steps::Each(x) if layer == 0 && wants_dx => x.len(),
                    _ => n_outputs,
                };
                [Buffer::scratch(n_outputs), Buffer::scratch(n_second)]
            })
            .collect()
    }
}

struct Pass<'a, E> {
    problem: &'a Problem,
    geometries: &'a [Geometry],
    saved: &'a SavedPass<E>,
    tensors: &'a BackwardTensors<'a, E>,
    /// The gradient of the network's input, if it is wanted.
    dx: Option<Shared<'a, E>>,
    /// See [`Problem::gradients_between`].
    below: Vec<[Shared<'a, E>; 2]>,
    /// See [`used_vectors`]; empty if vectors do not repeat.
    local: &'a [u32],
    used: &'a [UsedVectors],
    /// See [`Problem::empty_sums`].
    sums: Vec<Shared<'a, E>>,
    /// See [`Problem::chunk_gradients`].
    d_gates: Vec<[Shared<'a, E>; 2]>,
}

/// The shares of all threads, `[layer·direction][team·member]`.
type Shares<E> = Vec<Vec<BackwardShare<E>>>;

impl<'a, E: Element> Pass<'a, E> {
    /// Where the gradient of a layer's input goes: its place, and another for the second direction if the
    /// directions run at the same time.
    fn below(&self, layer: usize) -> Option<[Shared<'a, E>; 2]> {
        let [first, second] = self.below[layer];
        match layer {
            0 if !self.used.is_empty() => None,
            0 => self.dx.map(|dx| [dx, second]),
            _ => Some([first, second]),
        }
    }

    /// Runs all layers.
    fn run(&self, crew: &Crew<'_>) -> Shares<E> {
        let Problem { num_layers, num_directions, .. } = *self.problem;
        let division = self.saved.division;
        let region = Region { division, num_layers, num_directions, reverse: true };
        let add = |layer, threads| self.add_second_direction(layer, threads);
        region.run(crew, |part, team| self.layer(part, team), Some(&add))
    }

    /// One thread's part of one layer and direction.
    fn layer(&self, Part { layer, direction, place }: Part, team: Team<'_>) -> BackwardShare<E> {
        let Self { problem, saved, tensors, .. } = self;
        let index = layer * problem.num_directions + direction;
        let geometry = &self.geometries[layer];
        let (team_index, member) = saved.division.team_and_member(place);
        let dropout = saved.dropout.below(layer);
        let x = match (layer, tensors.x) {
            (0, Steps::Repeated { vectors, .. }) => BackwardInput::Repeated(TeamVectors {
                vectors,
                used: &self.used[team_index],
                local: self.local,
                sums: self.sums[direction * self.used.len() + team_index],
            }),
            (0, Steps::Each(x)) => BackwardInput::Steps(Input { numbers: Source::new(x), dropout }),
            _ => {
                let numbers = Source::new(&saved.between[layer - 1]);
                BackwardInput::Steps(Input { numbers, dropout })
            }
        };
        let d_outputs = match self.below.get(layer + 1) {
            Some([above, _]) => Some(OutputGradient::Steps(above.source(0))),
            None => tensors.d_outputs,
        };
        let own = tensors.d_between.get(layer).copied().flatten();
        let own = own.map(|numbers| OutputGradient::Steps(Source::new(numbers)));
        let at_once = saved.division.directions_at_once();
        let dx = self.below(layer).map(|[first, second]| InputGradient {
            numbers: if at_once && direction == 1 { second } else { first },
            dropout,
            add: !at_once && direction > 0,
        });
        let [d_input, d_recurrent] = self.d_gates[direction * saved.division.n_teams + team_index];
        let has_second = matches!(geometry.cell, Cell::Gru | Cell::GruResetBefore);
        let job = BackwardJob {
            geometry,
            plan: &saved.plans[direction][team_index],
            panels: saved.division.panels(geometry, member),
            team,
            weights: &saved.columns.0[index][member],
            saved: &saved.layers[index][place],
            x,
            initial: problem.states_of(tensors.initial, index),
            outputs: problem.columns(
                saved.between.get(layer).map_or(tensors.outputs, |outputs| outputs),
                direction,
            ),
            d_outputs: [d_outputs, own].map(|numbers| Some(problem.columns(numbers?, direction))),
            d_final: problem.states_of(tensors.d_final, index),
            d_input,
            d_recurrent: has_second.then_some(d_recurrent),
            dx,
            wants_weights: tensors.wants_weights,
        };
        E::dispatch(geometry.instructions, job)
    }

    /// Adds the second direction's part of a gradient of a layer's input to the first's, for one thread's rows.
    fn add_second_direction(&self, layer: usize, (thread, n_threads): (usize, usize)) {
        let Some([first, second]) = self.below(layer) else { return };
        let (width, steps) = (self.geometries[layer].input, self.problem.steps);
        for row in share(self.problem.batch, thread, n_threads) {
            // Nothing reads the places past a row's end, but those of the input's gradient are zero.
            let places = row * steps..row * steps + self.problem.lengths[row];
            let range = places.start * width..places.end * width;
            // SAFETY: each row is one thread's, and all have met after the layer.
            let (to, from) = unsafe { (first.write(range.clone()), second.read(range)) };
            to.iter_mut().zip(from).for_each(|(to, from)| *to += *from);
        }
    }

    /// For repeated vectors, adds up the gradients of the vectors from all directions, teams and members.
    fn add_vector_gradients(&self, crew: &Crew<'_>, shares: &Shares<E>) {
        let (Some(to), false) = (self.dx, self.used.is_empty()) else { return };
        let input = self.problem.input_size;
        let n_vectors = self.tensors.x.len() / input;
        let division = self.saved.division;
        crew.run(|member| {
            let range = share(n_vectors, member, crew.n_members());
            for (index, shares) in shares.iter().enumerate().take(self.problem.num_directions) {
                for (place, share) in shares.iter().enumerate() {
                    let (team, member) = division.team_and_member(place);
                    let weights = &self.saved.columns.0[index][member];
                    let Some(columns) = weights.input.as_ref().map(|w| &w.layout().columns) else {
                        continue;
                    };
                    let vectors = &self.used[team].vectors;
                    let first = vectors.partition_point(|&v| (v as usize) < range.start);
                    let end = vectors.partition_point(|&v| (v as usize) < range.end);
                    let rows = share.vectors.chunks_exact(weights.dx_stride().max(1));
                    for (&vector, from) in vectors[first..end].iter().zip(rows.skip(first)) {
                        let at = vector as usize * input + columns.start;
                        // SAFETY: each vector is one thread's.
                        let to = unsafe { to.write(at..at + columns.len()) };
                        to.iter_mut().zip(from).for_each(|(to, from)| *to += *from);
                    }
                }
            }
        });
    }

    /// Adds up the shares of each weight's gradient, in a fixed order, so that a sum does not depend on which
    /// thread finished first.
    fn weight_gradients(&self, crew: &Crew<'_>, shares: &Shares<E>) -> Vec<Vec<Vec<E>>> {
        let division = self.saved.division;
        let n_directions = self.problem.num_directions;
        // Per layer and direction: W_ih, W_hh, b_ih, b_hh, W_hr; empty where there is none.
        let mut all: Vec<[Vec<E>; 5]> = (0..shares.len())
            .map(|index| {
                let geometry = &self.geometries[index / n_directions];
                let rows = geometry.cell.n_gates() * geometry.hidden;
                let has_biases = self.tensors.has_biases;
                let has_second = has_biases && geometry.cell == Cell::Gru;
                let projection =
                    if geometry.is_projected() { geometry.h_size * geometry.hidden } else { 0 };
                let biases = [has_biases, has_second].map(|has| if has { rows } else { 0 });
                [rows * geometry.input, rows * geometry.h_size, biases[0], biases[1], projection]
                    .map(zeroed_vec)
            })
            .collect();
        let to: Vec<[Shared<'_, E>; 5]> =
            all.iter_mut().map(|all| all.each_mut().map(|to| Shared::new(to))).collect();
        let tasks: Vec<(usize, usize)> = (0..shares.len())
            .flat_map(|index| {
                let n_panels = self.geometries[index / n_directions].n_panels;
                (0..n_panels).map(move |panel| (index, panel))
            })
            .collect();
        crew.run(|thread| {
            for &(index, panel) in tasks.iter().skip(thread).step_by(crew.n_members()) {
                let geometry = &self.geometries[index / n_directions];
                let of_panel = |member: usize| {
                    let panels = division.panels(geometry, member);
                    panels.contains(&panel).then(|| panel - panels.start)
                };
                let shares = shares[index].iter().enumerate();
                let own: Vec<(usize, &BackwardShare<E>)> = shares
                    .filter_map(|(place, share)| {
                        Some((of_panel(division.team_and_member(place).1)?, share))
                    })
                    .collect();
                let [input, recurrent, input_bias, recurrent_bias, projection] = to[index];
                let all_vectors = || std::iter::once(0..geometry.panel_vectors());
                // SAFETY: each panel of each tensor is one thread's; the projection is the first panel's.
                unsafe {
                    add_panels(geometry, panel, geometry.input, all_vectors(), input, &own, |s| {
                        &s.input
                    });
                    let parts = geometry.recurrent_parts();
                    add_panels(geometry, panel, geometry.h_size, parts, recurrent, &own, |s| {
                        &s.recurrent
                    });
                    add_panels(geometry, panel, 1, all_vectors(), input_bias, &own, |s| {
                        &s.input_bias
                    });
                    add_panels(geometry, panel, 1, all_vectors(), recurrent_bias, &own, |s| {
                        &s.recurrent_bias
                    });
                    if panel == 0 && geometry.is_projected() {
                        add_projections(geometry, projection, &own);
                    }
                }
            }
        });
        all.into_iter()
            .map(|[input, recurrent, input_bias, recurrent_bias, projection]| {
                let mut tensors = vec![input, recurrent];
                if self.tensors.has_biases {
                    // Where only the biases' sum matters, both have the same gradient.
                    let second =
                        if recurrent_bias.is_empty() { input_bias.clone() } else { recurrent_bias };
                    tensors.extend([input_bias, second]);
                }
                tensors.extend((!projection.is_empty()).then_some(projection));
                tensors
            })
            .collect()
    }

    /// The gradients of the initial states.
    fn state_gradients(&self, shares: &Shares<E>) -> Vec<Vec<E>> {
        let problem = self.problem;
        let mut states: Vec<Vec<E>> = problem
            .state_sizes()
            .map(|width| vec![E::default(); problem.n_directed_layers() * problem.batch * width])
            .collect();
        for (index, shares) in shares.iter().enumerate() {
            let geometry = &self.geometries[index / problem.num_directions];
            let plans = &self.saved.plans[index % problem.num_directions];
            for (place, share) in shares.iter().enumerate() {
                let (team, member) = self.saved.division.team_and_member(place);
                let panels = self.saved.division.panels(geometry, member);
                let units = geometry.units(&panels);
                let stride = panels.len() * geometry.panel_units();
                let (own_h, h_stride) = if geometry.is_projected() {
                    (0..geometry.h_size, geometry.padded_h())
                } else {
                    (units.clone(), stride)
                };
                for (state, (numbers, (own, stride), width)) in states.iter_mut().zip([
                    (&share.dh, (own_h, h_stride), geometry.h_size),
                    (&share.dc, (units, stride), geometry.hidden),
                ]) {
                    let of_layer = &mut state[index * problem.batch * width..];
                    plans[team].scatter_state((numbers, stride), &own, (of_layer, width));
                }
            }
        }
        states
    }
}

/// Adds up a panel of some shares' gradients, `[part][depth][vectors]`, and writes the sum to its rows of
/// `[G·H, depth]`; does nothing if there is no such tensor. Shares come with the panel's number in them.
///
/// # Safety
/// Nothing else may read or write the panel's rows of `to` while this runs.
unsafe fn add_panels<E: Element>(
    geometry: &Geometry,
    panel: usize,
    depth: usize,
    parts: impl Iterator<Item = std::ops::Range<usize>>,
    to: Shared<'_, E>,
    shares: &[(usize, &BackwardShare<E>)],
    of_share: impl Fn(&BackwardShare<E>) -> &Buffer<E>,
) {
    if to.is_empty() {
        return;
    }
    let len = depth * geometry.panel_width();
    let mut panels =
        shares.iter().map(|(index, share)| &of_share(share)[index * len..(index + 1) * len]);
    let Some(first) = panels.next() else { return };
    let mut sum;
    let total = match panels.next() {
        None => first,
        Some(second) => {
            sum = Buffer::scratch(len);
            for ((sum, first), second) in sum.iter_mut().zip(first).zip(second) {
                *sum = *first;
                *sum += *second;
            }
            for other in panels {
                sum.iter_mut().zip(other).for_each(|(sum, other)| *sum += *other);
            }
            &sum[..]
        }
    };
    for vectors in parts {
        let from = &total[depth * vectors.start * geometry.lanes..];
        // SAFETY: the caller vouches for it.
        unsafe { unpack_panel(panel, vectors, (from, depth), geometry, to) };
    }
}

/// Adds up the teams' gradients of W_hr.
///
/// # Safety
/// Nothing else may read or write `to` while this runs.
unsafe fn add_projections<E: Element>(
    geometry: &Geometry,
    to: Shared<'_, E>,
    shares: &[(usize, &BackwardShare<E>)],
) {
    let Some(((_, first), others)) = shares.split_first() else { return };
    let mut sum = Buffer::scratch(first.projection.len());
    sum.copy_from_slice(&first.projection);
    for (_, other) in others {
        sum.iter_mut().zip(other.projection.iter()).for_each(|(sum, other)| *sum += *other);
    }
    // SAFETY: the caller vouches for it.
    let to = unsafe { to.write(0..geometry.h_size * geometry.hidden) };
    geometry.h_columns().unpack_to_rows(&sum, geometry.instructions, to);
}

//! The forward pass of a network: all layers and directions.

use super::division::Division;
use super::input::{Dropout, Input};
use super::layer_forward::{Columns, ForwardInput, ForwardJob, ForwardShare, Saved};
use super::packing::{PackedColumns, PackedWeights};
use super::plan::Plan;
use super::problem::{LayerDropout, Problem, States, Steps};
use super::region::{Part, Region};
use super::repeated::{InputProducts, ProductBlock, Repeated, product_stride};
use super::team::Team;
use crate::algebra::{ForwardWeights, Geometry, Weights};
use crate::cell::Cell;
use crate::machine::{Buffer, Crew, Element, Shared, Source, num_threads, share, zeroed_vec};

/// Results of a forward pass.
pub(crate) struct Forward<E> {
    /// `[B, T, D·h]`, zero past a row's length.
    pub(crate) outputs: Vec<E>,
    /// For each state tensor in the cell's order, `[L·D, B, h or H]`.
    pub(crate) final_states: Vec<Vec<E>>,
    /// Copies of the outputs of every layer but the last, if they are wanted.
    pub(crate) between: Vec<Vec<E>>,
    pub(crate) saved: Option<SavedPass<E>>,
}

/// Data that a forward pass keeps for the backward pass.
pub(crate) struct SavedPass<E> {
    pub(super) division: Division,
    /// By direction, then by team.
    pub(super) plans: Vec<Vec<Plan>>,
    /// `[layer·direction][team·member]`
    pub(super) layers: Vec<Vec<Saved<E>>>,
    /// Outputs of every layer but the last, in the shape of the network's.
    pub(super) between: Vec<Buffer<E>>,
    pub(super) dropout: LayerDropout,
    pub(super) columns: PackedColumns<E>,
}

/// What a forward pass reads besides its input.
pub(crate) struct ForwardTensors<'a, E> {
    pub(crate) x: Steps<'a, E>,
    /// By layer and direction.
    pub(crate) weights: &'a [Weights<'a, E>],
    /// The same weights, already packed.
    pub(crate) packed: Option<&'a PackedWeights<E>>,
    pub(crate) initial: States<'a, E>,
}

impl Problem {
    /// Packs the weights of all layers, so that passes need not.
    pub(crate) fn pack<E: Element>(&self, weights: &[Weights<'_, E>]) -> PackedWeights<E> {
        let geometries = self.geometries::<E>();
        PackedWeights::pack(&Crew::of_idle(num_threads()), &geometries, weights)
    }

    /// Runs forward. `record`: if a backward pass may follow, whether it will compute the input's gradient.
    pub(crate) fn forward<E: Element>(
        &self,
        tensors: &ForwardTensors<'_, E>,
        dropout: LayerDropout,
        record: Option<bool>,
        wants_between: bool,
    ) -> Forward<E> {
        let geometries = self.geometries::<E>();
        let load = self.load(&geometries);
        let n_threads = load.n_threads(num_threads());
        let crew = Crew::of_idle(n_threads);
        let division = load.divide(load.n_teams(n_threads), crew.n_members());
        let packed_now;
        let packed = match tensors.packed {
            Some(packed) => packed,
            None => {
                packed_now = PackedWeights::pack(&crew, &geometries, tensors.weights);
                &packed_now
            }
        };
        let columns = record.map(|wants_dx| {
            PackedColumns::pack(&crew, self, &geometries, tensors.weights, division, wants_dx)
        });
        let products = self.input_products(&crew, &geometries[0], packed, tensors.x);
        let pass = Pass::new(self, &geometries, division);
        let mut outputs = zeroed_vec(self.n_outputs());
        let mut between: Vec<Buffer<E>> =
            (1..self.num_layers).map(|_| self.layer_outputs::<E>()).collect();
        let mut h = pass.initial_h(tensors.initial);
        let results = pass.run(
            &crew,
            &Numbers {
                tensors,
                packed,
                products: products.as_ref(),
                dropout: &dropout,
                h: h.iter_mut().map(|h| h.each_mut().map(|h| Shared::new(h))).collect(),
                outputs: between
                    .iter_mut()
                    .map(|outputs| Shared::new(outputs))
                    .chain([Shared::new(&mut outputs)])
                    .collect(),
                save: record.is_some(),
            },
        );
        let final_states = pass.final_states(&h, &results);
        let Pass { plans, .. } = pass;
        let wanted = between.iter().filter(|_| wants_between);
        let copies = wanted.map(|outputs| outputs.to_vec()).collect();
        let saved = columns.map(|columns| {
            let layers = results
                .into_iter()
                .map(|shares| shares.into_iter().filter_map(|share| share.saved).collect())
                .collect();
            SavedPass { division, plans, layers, between, dropout, columns }
        });
        Forward { outputs, final_states, between: copies, saved }
    }

    /// For repeated vectors, their products with the first layer's W_ih, by direction: `[N, stride]`.
    fn input_products<E: Element>(
        &self,
        crew: &Crew<'_>,
        geometry: &Geometry,
        packed: &PackedWeights<E>,
        x: Steps<'_, E>,
    ) -> Option<Vec<Buffer<E>>> {
        let Steps::Repeated { vectors, .. } = x else { return None };
        let repeated = Repeated { vectors };
        let len = repeated.n_vectors(geometry) * product_stride(geometry);
        let mut products: Vec<Buffer<E>> =
            (0..self.num_directions).map(|_| Buffer::scratch(len)).collect();
        let to: Vec<Shared<'_, E>> = products.iter_mut().map(|to| Shared::new(to)).collect();
        let n_blocks = repeated.n_blocks(geometry);
        crew.run(|member| {
            for task in share(self.num_directions * n_blocks, member, crew.n_members()) {
                let (direction, block) = (task / n_blocks, task % n_blocks);
                let weights = &packed.0[direction];
                let job = ProductBlock { geometry, weights, repeated, block, to: to[direction] };
                E::dispatch(geometry.instructions, job);
            }
        });
        Some(products)
    }

    /// A buffer for the outputs of a layer other than the last; values that no pass writes are zero.
    fn layer_outputs<E: Element>(&self) -> Buffer<E> {
        let mut outputs = Buffer::scratch(self.n_outputs());
        let width = self.output_size();
        for (row, length) in outputs.chunks_exact_mut(self.steps * width).zip(&self.lengths) {
            row[length * width..].fill(E::default());
        }
        outputs
    }

    /// One direction's columns of a layer's outputs.
    pub(super) fn columns<T>(&self, numbers: T, direction: usize) -> Columns<T> {
        Columns { numbers, width: self.output_size(), column: direction * self.h_size }
    }
}

/// The division of a pass, with the plans of its teams.
struct Pass<'a> {
    problem: &'a Problem,
    geometries: &'a [Geometry],
    division: Division,
    /// By direction, then by team.
    plans: Vec<Vec<Plan>>,
}

/// The numbers that a pass reads and writes.
struct Numbers<'a, E> {
    tensors: &'a ForwardTensors<'a, E>,
    packed: &'a PackedWeights<E>,
    products: Option<&'a Vec<Buffer<E>>>,
    dropout: &'a LayerDropout,
    /// `[layer·direction·team]`
    h: Vec<[Shared<'a, E>; 2]>,
    /// Of each layer.
    outputs: Vec<Shared<'a, E>>,
    save: bool,
}

impl<'a> Pass<'a> {
    fn new(problem: &'a Problem, geometries: &'a [Geometry], division: Division) -> Self {
        let directions = &[false, true][..problem.num_directions];
        let plans = directions
            .iter()
            .map(|&reverse| Plan::deal(&problem.lengths, reverse, division.n_teams))
            .collect();
        Self { problem, geometries, division, plans }
    }

    fn directed_layers(&self) -> impl Iterator<Item = (usize, &Geometry, &[Plan])> {
        let n_directions = self.problem.num_directions;
        (0..self.problem.n_directed_layers()).map(move |index| {
            (index, &self.geometries[index / n_directions], &self.plans[index % n_directions][..])
        })
    }

    /// For each layer, direction and team two places for h, `[ranks, padded h]`; the first holds the initial
    /// h.
    fn initial_h<E: Element>(&self, initial: States<'_, E>) -> Vec<[Buffer<E>; 2]> {
        let mut all = Vec::new();
        for (index, geometry, plans) in self.directed_layers() {
            let [initial, _] = self.problem.states_of(initial, index);
            let padded = geometry.padded_h();
            for plan in plans {
                let len = plan.n_rows() * padded;
                let mut h = [Buffer::zeros(len), Buffer::zeros(len)];
                if let Some(initial) = initial {
                    let width = geometry.h_size;
                    plan.gather_state((initial, width), &(0..width), (&mut h[0], padded));
                }
                all.push(h);
            }
        }
        all
    }

    /// The states after each row's last step.
    fn final_states<E: Element>(
        &self,
        h: &[[Buffer<E>; 2]],
        shares: &[Vec<ForwardShare<E>>],
    ) -> Vec<Vec<E>> {
        let problem = self.problem;
        let mut states: Vec<Vec<E>> = problem
            .state_sizes()
            .map(|width| vec![E::default(); problem.n_directed_layers() * problem.batch * width])
            .collect();
        for (index, geometry, plans) in self.directed_layers() {
            let width = geometry.h_size;
            let of_layer = &mut states[0][index * problem.batch * width..];
            for (plan, h) in plans.iter().zip(&h[index * plans.len()..]) {
                for (rank, (row, length)) in plan.rows.iter().zip(&plan.lengths).enumerate() {
                    let from = &h[length % 2][rank * geometry.padded_h()..][..width];
                    of_layer[row * width..][..width].copy_from_slice(from);
                }
            }
            if geometry.cell != Cell::Lstm {
                continue;
            }
            let width = geometry.hidden;
            let of_layer = &mut states[1][index * problem.batch * width..];
            for (place, share) in shares[index].iter().enumerate() {
                let (team, member) = self.division.team_and_member(place);
                let panels = self.division.panels(geometry, member);
                let stride = panels.len() * geometry.panel_units();
                let units = geometry.units(&panels);
                plans[team].scatter_state((&share.c, stride), &units, (of_layer, width));
            }
        }
        states
    }

    /// Runs all layers; returns the shares `[layer·direction][team·member]`.
    fn run<E: Element>(
        &self,
        crew: &Crew<'_>,
        numbers: &Numbers<'_, E>,
    ) -> Vec<Vec<ForwardShare<E>>> {
        let Problem { num_layers, num_directions, .. } = *self.problem;
        let region = Region { division: self.division, num_layers, num_directions, reverse: false };
        region.run(crew, |part, team| self.layer(numbers, part, team), None)
    }

    /// One thread's part of one layer and direction.
    fn layer<E: Element>(
        &self,
        numbers: &Numbers<'_, E>,
        Part { layer, direction, place }: Part,
        team: Team<'_>,
    ) -> ForwardShare<E> {
        let problem = self.problem;
        let index = layer * problem.num_directions + direction;
        let geometry = &self.geometries[layer];
        let (team_index, member) = self.division.team_and_member(place);
        let x = match (numbers.tensors.x, numbers.products) {
            (Steps::Repeated { indexes, .. }, Some(products)) if layer == 0 => {
                let products = &products[direction][..];
                ForwardInput::Products(InputProducts { products, indexes })
            }
            (Steps::Each(x), _) if layer == 0 => {
                ForwardInput::Steps(Input { numbers: Source::new(x), dropout: None })
            }
            _ => ForwardInput::Steps(Input {
                numbers: numbers.outputs[layer - 1].source(0),
                dropout: numbers.dropout.below(layer),
            }),
        };
        let weights: &ForwardWeights<E> = &numbers.packed.0[index];
        let job = ForwardJob {
            geometry,
            plan: &self.plans[direction][team_index],
            panels: self.division.panels(geometry, member),
            team,
            weights,
            x,
            initial_c: problem.states_of(numbers.tensors.initial, index)[1],
            h: numbers.h[index * self.division.n_teams + team_index],
            outputs: problem.columns(numbers.outputs[layer], direction),
            save: numbers.save,
        };
        E::dispatch(geometry.instructions, job)
    }
}

impl LayerDropout {
    /// The mask of a layer's input.
    pub(super) fn below<E: Element>(&self, layer: usize) -> Option<Dropout<'_, E>> {
        let kept = self.kept.get(layer.checked_sub(1)?)?;
        Some(Dropout { kept, scale: E::from_f64(self.scale) })
    }
}

//! All layers and directions of a network: the passes in sequence, and the data that flows between
//! them.

use super::buffer::{Buffer, zeroed_vec};
use super::crew::Crew;
use super::forward::Columns;
use super::geometry::Geometry;
use super::input::{Dropout, Input, InputGradient};
use super::isa::{Element, InstructionSet};
use super::pack::{ForwardWeights, Weights};
use super::pass::{BackwardInput, Pass, SavedPass, States};
use super::projection::{Projected, Projection};
use super::shared::Shared;
use crate::cell::Cell;

/// A network's configuration and the sizes of one batch.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    pub(crate) cell: Cell,
    pub(crate) num_layers: usize,
    pub(crate) num_directions: usize,
    pub(crate) input_size: usize,
    pub(crate) hidden_size: usize,
    pub(crate) batch: usize,
    pub(crate) steps: usize,
    /// Real steps of each row, at most `steps`.
    pub(crate) lengths: Vec<usize>,
    pub(crate) instructions: InstructionSet,
}

/// Dropout masks between layers: 1 or 0 for each number that the second and later layers read.
#[derive(Debug, Default)]
pub(crate) struct LayerDropout {
    pub(crate) kept: Vec<Vec<u8>>,
    pub(crate) scale: f64,
}

/// The input of the first layer.
#[derive(Clone, Copy)]
pub(crate) enum Steps<'a, E> {
    /// `[B, T, I]`
    Each(&'a [E]),
    /// Distinct vectors `[N, I]`, and the vector index for each place `[B, T]`; for a forward pass
    /// without a backward pass.
    Repeated { vectors: &'a [E], indexes: &'a [u32] },
}

/// Packed weights of all layers and directions.
pub(crate) struct PackedWeights<E>(Vec<ForwardWeights<E>>);

/// Results of a forward pass.
pub(crate) struct Forward<E> {
    /// `[B, T, D·H]`, zero past a row's length.
    pub(crate) outputs: Vec<E>,
    /// For each state tensor in the cell's order, `[L·D, B, H]`.
    pub(crate) final_states: Vec<Vec<E>>,
    pub(crate) saved: Option<Saved<E>>,
}

/// Data that a forward pass keeps for the backward pass.
pub(crate) struct Saved<E> {
    /// `[layer·direction]`
    passes: Vec<(Pass, SavedPass<E>)>,
    /// Outputs of every layer but the last, in the shape of the network's.
    between: Vec<Buffer<E>>,
    dropout: LayerDropout,
}

/// Gradients, each in the shape of its tensor.
pub(crate) struct Gradients<E> {
    pub(crate) x: Option<Vec<E>>,
    /// `[layer·direction]`: W_ih, W_hh and, if there are biases, b_ih and b_hh.
    pub(crate) weights: Vec<Vec<Vec<E>>>,
    /// For each state tensor, `[L·D, B, H]`.
    pub(crate) initial: Vec<Vec<E>>,
}

/// The tensors that a backward pass reads; shapes as in the forward pass.
pub(crate) struct BackwardTensors<'a, E> {
    pub(crate) x: &'a [E],
    pub(crate) weights: &'a [Weights<'a, E>],
    pub(crate) initial: States<'a, E>,
    pub(crate) outputs: &'a [E],
    pub(crate) d_outputs: Option<&'a [E]>,
    pub(crate) d_final: States<'a, E>,
}

impl Problem {
    fn geometry<E: Element>(&self, layer: usize) -> Geometry {
        let input = if layer == 0 { self.input_size } else { self.output_size() };
        let (instructions, lanes) = (self.instructions, E::lanes(self.instructions));
        let sizes = (self.batch, self.steps, input);
        Geometry::new(self.cell, sizes, self.hidden_size, instructions, lanes)
    }

    fn output_size(&self) -> usize {
        self.num_directions * self.hidden_size
    }

    fn n_outputs(&self) -> usize {
        self.batch * self.steps * self.output_size()
    }

    pub(crate) fn pack<E: Element>(&self, weights: &[Weights<'_, E>]) -> PackedWeights<E> {
        self.pack_with(&Crew::new(), weights)
    }

    fn pack_with<E: Element>(&self, crew: &Crew, weights: &[Weights<'_, E>]) -> PackedWeights<E> {
        let pack = |(index, weights)| {
            ForwardWeights::pack(weights, &self.geometry::<E>(index / self.num_directions), crew)
        };
        PackedWeights(weights.iter().enumerate().map(pack).collect())
    }

    /// The part of each state tensor `[L·D, B, H]` that belongs to a layer and direction.
    fn states_of<'a, E>(&self, states: States<'a, E>, index: usize) -> States<'a, E> {
        let len = self.batch * self.hidden_size;
        states.map(|state| state.map(|state| &state[index * len..][..len]))
    }

    /// Runs forward: weights by layer and direction, already packed if `packed`.
    pub(crate) fn forward<E: Element>(
        &self,
        x: Steps<'_, E>,
        weights: &[Weights<'_, E>],
        packed: Option<&PackedWeights<E>>,
        initial: States<'_, E>,
        dropout: LayerDropout,
        save: bool,
    ) -> Forward<E> {
        let crew = Crew::new();
        let packed_now;
        let packed = match packed {
            Some(packed) => packed,
            None => {
                packed_now = self.pack_with(&crew, weights);
                &packed_now
            }
        };
        let state_len = self.batch * self.hidden_size;
        let mut final_states =
            vec![vec![E::default(); packed.0.len() * state_len]; self.cell.n_states()];
        let mut outputs = zeroed_vec(self.n_outputs());
        let mut between: Vec<Buffer<E>> = Vec::new();
        let mut passes = Vec::new();
        for layer in 0..self.num_layers {
            let geometry = self.geometry::<E>(layer);
            let mut next = (layer + 1 < self.num_layers).then(|| self.layer_outputs::<E>());
            let shared = Shared::new(next.as_deref_mut().unwrap_or(&mut outputs));
            let repeated = match x {
                Steps::Repeated { vectors, indexes } if layer == 0 => Some((vectors, indexes)),
                _ => None,
            };
            let each = if let Steps::Each(numbers) = x { numbers } else { &[] };
            let x = layer_input(each, &between, &dropout, layer);
            for direction in 0..self.num_directions {
                let index = layer * self.num_directions + direction;
                let projection = repeated.map(|(vectors, _)| {
                    Projection::new(&crew, &geometry, &packed.0[index], vectors)
                });
                let projected = projection
                    .as_ref()
                    .zip(repeated)
                    .map(|(projection, (_, indexes))| Projected { projection, indexes });
                let x = Input { projected, ..x };
                let reverse = direction == 1;
                let pass = Pass::new(geometry.clone(), &self.lengths, reverse, &crew);
                let mut final_states: Vec<&mut [E]> = final_states
                    .iter_mut()
                    .map(|state| &mut state[index * state_len..][..state_len])
                    .collect();
                let saved = pass.forward(
                    &crew,
                    x,
                    &packed.0[index],
                    self.states_of(initial, index),
                    self.columns(shared, direction),
                    &mut final_states,
                    save,
                );
                passes.extend(saved.map(|saved| (pass, saved)));
            }
            between.extend(next);
        }
        let saved = save.then_some(Saved { passes, between, dropout });
        Forward { outputs, final_states, saved }
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

    fn columns<T>(&self, numbers: T, direction: usize) -> Columns<T> {
        Columns { numbers, width: self.output_size(), column: direction * self.hidden_size }
    }

    /// Runs backward.
    pub(crate) fn backward<E: Element>(
        &self,
        saved: &Saved<E>,
        tensors: &BackwardTensors<'_, E>,
        wants_dx: bool,
    ) -> Gradients<E> {
        let n_threads = saved.passes.iter().map(|(pass, _)| pass.n_threads()).max().unwrap_or(1);
        let crew = Crew::of(n_threads);
        let state_len = self.batch * self.hidden_size;
        let mut weights: Vec<Vec<Vec<E>>> = vec![Vec::new(); saved.passes.len()];
        let mut initial =
            vec![vec![E::default(); saved.passes.len() * state_len]; self.cell.n_states()];
        let mut dx = zeroed_vec(if wants_dx { tensors.x.len() } else { 0 });
        let mut d_outputs: Option<Buffer<E>> = None;
        for layer in (0..self.num_layers).rev() {
            let outputs = saved.between.get(layer).map_or(tensors.outputs, |outputs| outputs);
            let x = layer_input(tensors.x, &saved.between, &saved.dropout, layer);
            // Every real place is written; nothing reads the others.
            let mut d_below = (layer > 0).then(|| Buffer::scratch(self.n_outputs()));
            let shared_dx = match &mut d_below {
                Some(d_below) => Some(Shared::new(d_below)),
                None => wants_dx.then(|| Shared::new(&mut dx)),
            };
            for direction in 0..self.num_directions {
                let index = layer * self.num_directions + direction;
                let (pass, saved) = &saved.passes[index];
                let d_outputs = d_outputs
                    .as_deref()
                    .or(tensors.d_outputs.filter(|_| layer + 1 == self.num_layers));
                let gradients = pass.backward(
                    &crew,
                    saved,
                    &BackwardInput {
                        x,
                        weights: tensors.weights[index],
                        initial: self.states_of(tensors.initial, index),
                        outputs: self.columns(outputs, direction),
                        d_outputs: d_outputs.map(|numbers| self.columns(numbers, direction)),
                        d_final: self.states_of(tensors.d_final, index),
                        dx: shared_dx.map(|numbers| InputGradient {
                            numbers,
                            dropout: x.dropout,
                            add: direction > 0,
                        }),
                    },
                );
                weights[index] = gradients.weights;
                for (to, from) in initial.iter_mut().zip(&gradients.initial) {
                    to[index * state_len..][..state_len].copy_from_slice(from);
                }
            }
            d_outputs = d_below;
        }
        Gradients { x: wants_dx.then_some(dx), weights, initial }
    }
}

/// The input of a layer: the network's input, or the outputs of the layer below with dropout.
fn layer_input<'a, E: Element>(
    x: &'a [E],
    between: &'a [Buffer<E>],
    dropout: &'a LayerDropout,
    layer: usize,
) -> Input<'a, E> {
    match layer.checked_sub(1) {
        None => Input { numbers: x, dropout: None, projected: None },
        Some(below) => Input {
            numbers: &between[below],
            dropout: dropout
                .kept
                .get(below)
                .map(|kept| Dropout { kept, scale: E::from_f64(dropout.scale) }),
            projected: None,
        },
    }
}

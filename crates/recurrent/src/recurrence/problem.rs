//! A network and one batch: sizes, and what the passes read.

use super::division::Load;
use crate::algebra::{Geometry, Sizes};
use crate::cell::Cell;
use crate::machine::{Element, InstructionSet};

/// A network's configuration and the sizes of one batch.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    pub(crate) cell: Cell,
    pub(crate) num_layers: usize,
    pub(crate) num_directions: usize,
    pub(crate) input_size: usize,
    pub(crate) hidden_size: usize,
    /// Size of h: `hidden_size` without a projection.
    pub(crate) h_size: usize,
    pub(crate) batch: usize,
    pub(crate) steps: usize,
    /// Real steps of each row, at most `steps`.
    pub(crate) lengths: Vec<usize>,
    pub(crate) instructions: InstructionSet,
}

/// Dropout masks between layers: whether to keep each number that the second and later layers read.
#[derive(Debug, Default)]
pub(crate) struct LayerDropout {
    pub(crate) kept: Vec<Vec<bool>>,
    pub(crate) scale: f64,
}

/// The input of the first layer.
#[derive(Clone, Copy)]
pub(crate) enum Steps<'a, E> {
    /// `[B, T, I]`
    Each(&'a [E]),
    /// Distinct vectors `[N, I]`, and the vector index for each place `[B, T]`.
    Repeated { vectors: &'a [E], indexes: &'a [u32] },
}

impl<E> Steps<'_, E> {
    /// The numbers of the tensor that gets a gradient.
    pub(crate) fn len(&self) -> usize {
        match self {
            Steps::Each(numbers) => numbers.len(),
            Steps::Repeated { vectors, .. } => vectors.len(),
        }
    }
}

/// State tensors in the cell's order, `[.., B, h]` and `[.., B, H]`; zeros if absent.
pub(crate) type States<'a, E> = [Option<&'a [E]>; 2];

impl Problem {
    pub(crate) fn geometry<E: Element>(&self, layer: usize) -> Geometry {
        let input = if layer == 0 { self.input_size } else { self.output_size() };
        let sizes =
            Sizes { steps: self.steps, input, hidden: self.hidden_size, h_size: self.h_size };
        Geometry::new::<E>(self.cell, sizes, self.instructions)
    }

    /// The geometry of every layer.
    pub(crate) fn geometries<E: Element>(&self) -> Vec<Geometry> {
        (0..self.num_layers).map(|layer| self.geometry::<E>(layer)).collect()
    }

    /// Layers times directions; `layer * num_directions + direction` numbers them.
    pub(crate) fn n_directed_layers(&self) -> usize {
        self.num_layers * self.num_directions
    }

    pub(crate) fn output_size(&self) -> usize {
        self.num_directions * self.h_size
    }

    /// Numbers of a layer's outputs.
    pub(crate) fn n_outputs(&self) -> usize {
        self.batch * self.steps * self.output_size()
    }

    /// Features of each state tensor.
    pub(crate) fn state_sizes(&self) -> impl Iterator<Item = usize> + use<> {
        [self.h_size, self.hidden_size].into_iter().take(self.cell.n_states())
    }

    /// The part of each state tensor `[L·D, B, width]` that belongs to a layer and direction.
    pub(crate) fn states_of<'a, E>(&self, states: States<'a, E>, index: usize) -> States<'a, E> {
        let [h, c] = states;
        let part = |state: Option<&'a [E]>, width: usize| {
            let len = self.batch * width;
            state.map(|state| &state[index * len..][..len])
        };
        [part(h, self.h_size), part(c, self.hidden_size)]
    }

    /// What the division among threads depends on.
    pub(crate) fn load(&self, geometries: &[Geometry]) -> Load {
        let n_tokens: usize = self.lengths.iter().sum();
        let gates = self.cell.n_gates() * self.hidden_size;
        let per_token: usize = geometries
            .iter()
            .map(|geometry| gates * (geometry.input + self.h_size) * self.num_directions)
            .sum();
        let has_second_product =
            self.h_size != self.hidden_size || self.cell == Cell::GruResetBefore;
        let n_panels = geometries.iter().map(|geometry| geometry.n_panels).min().unwrap_or(1);
        Load {
            n_rows: self.batch,
            n_directions: self.num_directions,
            n_panels: if has_second_product { 1 } else { n_panels },
            work: n_tokens.saturating_mul(per_token),
        }
    }
}

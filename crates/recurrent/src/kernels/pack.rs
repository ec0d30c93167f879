//! Weights in the order in which the matrix products walk through them, and gradients back.

use super::buffer::Buffer;
use super::geometry::{Geometry, MAX_VECTORS};
use super::vector::Number;

/// The flat parameter of one layer and direction, as autograd hands it over:
/// `W_ih [G·H, I]`, `W_hh [G·H, H]`, and where there are biases `b_ih [G·H]`, `b_hh [G·H]`.
pub(crate) struct FlatWeights<'a, E> {
    pub(crate) input: &'a [E],
    pub(crate) recurrent: &'a [E],
    pub(crate) biases: Option<(&'a [E], &'a [E])>,
}

impl<'a, E> FlatWeights<'a, E> {
    pub(crate) fn split(flat: &'a [E], geometry: &Geometry) -> Self {
        let rows = geometry.cell.n_gates() * geometry.hidden;
        let (input, rest) = flat.split_at(rows * geometry.input);
        let (recurrent, rest) = rest.split_at(rows * geometry.hidden);
        let biases = (!rest.is_empty()).then(|| rest.split_at(rows));
        Self { input, recurrent, biases }
    }
}

/// For each panel of gates: `[depth][panel_width]`, the product's right side in `x · Wᵀ`.
pub(crate) fn gate_panels<E: Number>(weight: &[E], depth: usize, geometry: &Geometry) -> Buffer<E> {
    let width = geometry.panel_width();
    let mut packed = Buffer::zeros(geometry.n_panels * depth * width);
    for panel in 0..geometry.n_panels {
        let to = &mut packed[panel * depth * width..][..depth * width];
        for column in 0..width {
            let Some(row) = geometry.weight_row(panel, column) else { continue };
            let from = &weight[row * depth..][..depth];
            for (k, value) in from.iter().enumerate() {
                to[k * width + column] = *value;
            }
        }
    }
    packed
}

/// A bias in the order of the gate panels, zeros where there is none.
pub(crate) fn gate_bias<E: Number>(biases: &[&[E]], geometry: &Geometry) -> Buffer<E> {
    let width = geometry.panel_width();
    let mut packed = Buffer::zeros(geometry.padded_gates());
    for panel in 0..geometry.n_panels {
        for column in 0..width {
            if let Some(row) = geometry.weight_row(panel, column) {
                for bias in biases {
                    packed[panel * width + column] += bias[row];
                }
            }
        }
    }
    packed
}

/// A weight `[G·H, N]` for the products `d_gates · W` of the backward pass: panels of up to four
/// vectors of its N columns, each `[padded gates][vectors]` with gates in panel order.
pub(crate) struct ColumnPanels<E> {
    packed: Buffer<E>,
    depth: usize,
    n_vectors: usize,
    lanes: usize,
}

impl<E: Number> ColumnPanels<E> {
    pub(crate) fn new(weight: &[E], n_columns: usize, geometry: &Geometry) -> Self {
        let lanes = geometry.lanes;
        let depth = geometry.padded_gates();
        let n_vectors = n_columns.div_ceil(lanes);
        let mut packed = Buffer::zeros(depth * n_vectors * lanes);
        for first in (0..n_vectors).step_by(MAX_VECTORS) {
            let width = MAX_VECTORS.min(n_vectors - first) * lanes;
            let to = &mut packed[first * lanes * depth..][..depth * width];
            let columns = (first * lanes)..n_columns.min(first * lanes + width);
            for panel in 0..geometry.n_panels {
                for column in 0..geometry.panel_width() {
                    let Some(row) = geometry.weight_row(panel, column) else { continue };
                    let k = panel * geometry.panel_width() + column;
                    let from = &weight[row * n_columns..][columns.clone()];
                    to[k * width..][..from.len()].copy_from_slice(from);
                }
            }
        }
        Self { packed, depth, n_vectors, lanes }
    }

    /// Each panel's first column, with the panel's `depth` rows `[first_row .. first_row + depth]`.
    pub(crate) fn blocks(
        &self,
        first_row: usize,
        depth: usize,
    ) -> impl Iterator<Item = (usize, &[E])> {
        (0..self.n_vectors).step_by(MAX_VECTORS).map(move |first| {
            let width = MAX_VECTORS.min(self.n_vectors - first) * self.lanes;
            let panel = &self.packed[first * self.lanes * self.depth..][..self.depth * width];
            (first * self.lanes, &panel[first_row * width..][..depth * width])
        })
    }
}

/// Writes a gradient from gate panels `[panel][depth][panel_width]` back as `[G·H, depth]`.
pub(crate) fn unpack_gate_panels<E: Number>(
    packed: &[E],
    depth: usize,
    geometry: &Geometry,
    to: &mut [E],
) {
    let width = geometry.panel_width();
    for panel in 0..geometry.n_panels {
        let from = &packed[panel * depth * width..][..depth * width];
        for column in 0..width {
            let Some(row) = geometry.weight_row(panel, column) else { continue };
            for (k, value) in to[row * depth..][..depth].iter_mut().enumerate() {
                *value = from[k * width + column];
            }
        }
    }
}

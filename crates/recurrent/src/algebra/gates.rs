//! Weights in panels of gates, the order in which the forward products read them.

use std::ops::Range;

use super::columns::ColumnBlocks;
use super::geometry::Geometry;
use super::transpose::Transpose;
use crate::cell::Cell;
use crate::machine::{Buffer, Element, Number, Shared};

/// The weights of one layer and direction: `W_ih [G·H, I]`, `W_hh [G·H, P]` and, if there are
/// biases, `b_ih [G·H]`, `b_hh [G·H]`; with a projection, `W_hr [P, H]`; contiguous.
#[derive(Clone, Copy)]
pub(crate) struct Weights<'a, E> {
    pub(crate) input: &'a [E],
    pub(crate) recurrent: &'a [E],
    pub(crate) biases: Option<(&'a [E], &'a [E])>,
    pub(crate) projection: Option<&'a [E]>,
}

/// Packed weights of the forward pass, shared by all threads.
///
/// They are one block of memory, recurrent weights first: these are read in every step, and in one
/// large page they do not evict one another from the second-level cache.
pub(crate) struct ForwardWeights<E> {
    packed: Buffer<E>,
    layout: ForwardLayout,
    /// The columns of W_hrᵀ, with a projection.
    pub(crate) projection: Option<ColumnBlocks<E>>,
}

/// Where the parts of [`ForwardWeights`] start.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ForwardLayout {
    /// `[panel][panel width]`, like the next.
    recurrent_bias: usize,
    input_bias: usize,
    /// `[panel][I][panel width]`; `[panel][P][panel width]` of the recurrent side starts at 0.
    input: usize,
    len: usize,
}

impl ForwardLayout {
    fn new(geometry: &Geometry) -> Self {
        let gates = geometry.padded_gates();
        let recurrent_bias = geometry.h_size * gates;
        let input_bias = recurrent_bias + gates;
        let input = input_bias + gates;
        Self { recurrent_bias, input_bias, input, len: input + geometry.input * gates }
    }

    /// Packs one panel of all parts.
    ///
    /// # Safety
    /// Nothing else may read or write the panel's places while this runs.
    pub(crate) unsafe fn pack<E: Element>(
        &self,
        panel: usize,
        weights: &Weights<'_, E>,
        geometry: &Geometry,
        packed: Shared<'_, E>,
    ) {
        let width = geometry.panel_width();
        let place = |part: usize, len: usize| {
            // SAFETY: the caller vouches for it.
            unsafe { packed.write(part + panel * len..part + (panel + 1) * len) }
        };
        let (h_size, input) = (geometry.h_size, geometry.input);
        let all = 0..geometry.panel_vectors();
        pack_panel(panel, all, (weights.input, input), geometry, place(self.input, input * width));
        let mut to = place(0, h_size * width);
        for part in geometry.recurrent_parts() {
            let (own, rest) = to.split_at_mut(h_size * part.len() * geometry.lanes);
            pack_panel(panel, part, (weights.recurrent, h_size), geometry, own);
            to = rest;
        }
        // The GRU's reset gate acts on the recurrent side including its bias, so there the two biases
        // must stay separate; elsewhere only their sum matters.
        let (of_input, of_recurrent) = match weights.biases {
            None => ([None, None], None),
            Some((input, recurrent)) if geometry.cell == Cell::Gru => {
                ([Some(input), None], Some(recurrent))
            }
            Some((input, recurrent)) => ([Some(input), Some(recurrent)], None),
        };
        pack_bias(panel, of_input, geometry, place(self.input_bias, width));
        pack_bias(panel, [of_recurrent, None], geometry, place(self.recurrent_bias, width));
    }
}

impl<E: Element> ForwardWeights<E> {
    /// Room for the weights, to be packed panel by panel; a projection is packed here.
    pub(crate) fn new(geometry: &Geometry, weights: &Weights<'_, E>) -> Self {
        let layout = ForwardLayout::new(geometry);
        let projection = weights.projection.map(|matrix| {
            ColumnBlocks::of_rows(matrix, geometry.instructions, geometry.h_columns())
        });
        Self { packed: Buffer::scratch(layout.len), layout, projection }
    }
}

impl<E: Number> ForwardWeights<E> {
    /// The layout, and the room in which the panels are to be packed.
    pub(crate) fn unpacked(&mut self) -> (ForwardLayout, Shared<'_, E>) {
        (self.layout, Shared::new(&mut self.packed))
    }

    /// One panel of length `len`.
    #[inline(always)]
    pub(crate) fn input(&self, panel: usize, len: usize) -> &[E] {
        &self.packed[self.layout.input + panel * len..][..len]
    }

    #[inline(always)]
    pub(crate) fn recurrent(&self, panel: usize, len: usize) -> &[E] {
        &self.packed[panel * len..][..len]
    }

    #[inline(always)]
    pub(crate) fn input_bias(&self, panel: usize, width: usize) -> &[E] {
        &self.packed[self.layout.input_bias + panel * width..][..width]
    }

    #[inline(always)]
    pub(crate) fn recurrent_bias(&self, panel: usize, width: usize) -> &[E] {
        &self.packed[self.layout.recurrent_bias + panel * width..][..width]
    }
}

/// Packs some vectors of a panel of gates as `[depth][vectors]`, the right-hand side of `x · Wᵀ`.
fn pack_panel<E: Element>(
    panel: usize,
    vectors: Range<usize>,
    (weight, depth): (&[E], usize),
    geometry: &Geometry,
    to: &mut [E],
) {
    let width = vectors.len() * geometry.lanes;
    for (index, vector) in vectors.enumerate() {
        let rows = geometry.weight_rows(panel, vector);
        let to = &mut to[index * geometry.lanes..];
        if rows.len() < geometry.lanes {
            for to in to.chunks_mut(width) {
                to[rows.len()..geometry.lanes].fill(E::default());
            }
        }
        let from = &weight[rows.start * depth..];
        let (n_rows, n_columns) = (rows.len(), depth);
        let job = Transpose { from, from_stride: depth, n_rows, n_columns, to, to_stride: width };
        E::dispatch(geometry.instructions, job);
    }
}

/// The sum of some biases in the order of a panel.
fn pack_bias<E: Number>(
    panel: usize,
    biases: [Option<&[E]>; 2],
    geometry: &Geometry,
    packed: &mut [E],
) {
    packed.fill(E::default());
    for vector in 0..geometry.panel_vectors() {
        let to = &mut packed[vector * geometry.lanes..];
        for bias in biases.into_iter().flatten() {
            let bias = &bias[geometry.weight_rows(panel, vector)];
            to.iter_mut().zip(bias).for_each(|(to, bias)| *to += *bias);
        }
    }
}

/// Writes a gradient of some vectors of a gate panel, `[depth][vectors]`, to its rows of `[G·H, depth]`.
///
/// # Safety
/// Nothing else may read or write the vectors' rows of `to` while this runs.
pub(crate) unsafe fn unpack_panel<E: Element>(
    panel: usize,
    vectors: Range<usize>,
    (from, depth): (&[E], usize),
    geometry: &Geometry,
    to: Shared<'_, E>,
) {
    let width = vectors.len() * geometry.lanes;
    for (index, vector) in vectors.enumerate() {
        let rows = geometry.weight_rows(panel, vector);
        // SAFETY: the caller vouches for it.
        let to = unsafe { to.write(rows.start * depth..rows.end * depth) };
        let from = &from[index * geometry.lanes..];
        let (n_rows, n_columns) = (depth, rows.len());
        let job = Transpose { from, from_stride: width, n_rows, n_columns, to, to_stride: depth };
        E::dispatch(geometry.instructions, job);
    }
}

/// The row of `[G·H, depth]` for each number of some vectors of all panels, `[panel][vectors]`; `None` for
/// padding.
pub(crate) fn gate_row(geometry: &Geometry, vectors: &Range<usize>, k: usize) -> Option<usize> {
    let width = vectors.len() * geometry.lanes;
    let vector = vectors.start + k % width / geometry.lanes;
    let rows = geometry.weight_rows(k / width, vector);
    let row = rows.start + k % geometry.lanes;
    rows.contains(&row).then_some(row)
}

//! Packs weights in the order in which the matrix products read them, and unpacks gradients.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::buffer::Buffer;
use super::crew::Crew;
use super::geometry::{Geometry, MAX_VECTORS};
use super::isa::Element;
use super::shared::Shared;
use super::transpose::{Transpose, as_place};
use super::vector::Number;
use crate::cell::Cell;

/// The weights of one layer and direction: `W_ih [G·H, I]`, `W_hh [G·H, H]` and, if there are
/// biases, `b_ih [G·H]`, `b_hh [G·H]`; contiguous.
#[derive(Clone, Copy)]
pub(crate) struct Weights<'a, E> {
    pub(crate) input: &'a [E],
    pub(crate) recurrent: &'a [E],
    pub(crate) biases: Option<(&'a [E], &'a [E])>,
}

/// Packed weights of the forward pass, shared by all threads.
///
/// They are one block of memory, recurrent weights first: these are read in every step, and in one
/// large page they do not evict one another from the second-level cache.
pub(crate) struct ForwardWeights<E> {
    packed: Buffer<E>,
    layout: ForwardLayout,
}

/// Where the parts of [`ForwardWeights`] start.
struct ForwardLayout {
    /// `[panel][panel width]`, like the next.
    recurrent_bias: usize,
    input_bias: usize,
    /// `[panel][I][panel width]`; `[panel][H][panel width]` of the recurrent side starts at 0.
    input: usize,
}

impl<E: Element> ForwardWeights<E> {
    pub(crate) fn pack(weights: &Weights<'_, E>, geometry: &Geometry, crew: &Crew) -> Self {
        let gates = geometry.padded_gates();
        let recurrent_bias = geometry.hidden * gates;
        let input_bias = recurrent_bias + gates;
        let input = input_bias + gates;
        let mut packed = Buffer::scratch(input + geometry.input * gates);
        let (recurrent_part, rest) = packed.split_at_mut(recurrent_bias);
        let (recurrent_bias_part, rest) = rest.split_at_mut(gates);
        let (input_bias_part, input_part) = rest.split_at_mut(gates);
        // The GRU's reset gate acts on the recurrent side including its bias, so there the two
        // biases must stay separate; elsewhere only their sum matters.
        let (of_input, of_recurrent): (Vec<&[E]>, Vec<&[E]>) = match weights.biases {
            None => (vec![], vec![]),
            Some((input, recurrent)) if geometry.cell == Cell::Gru => {
                (vec![input], vec![recurrent])
            }
            Some((input, recurrent)) => (vec![input, recurrent], vec![]),
        };
        pack_bias(&of_input, geometry, input_bias_part);
        pack_bias(&of_recurrent, geometry, recurrent_bias_part);
        pack_gate_panels(weights.recurrent, geometry.hidden, geometry, crew, recurrent_part);
        pack_gate_panels(weights.input, geometry.input, geometry, crew, input_part);
        Self { packed, layout: ForwardLayout { recurrent_bias, input_bias, input } }
    }
}

impl<E: Number> ForwardWeights<E> {
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

/// Packs each panel of gates as `[depth][panel width]`, the right-hand side of `x · Wᵀ`.
fn pack_gate_panels<E: Element>(
    weight: &[E],
    depth: usize,
    geometry: &Geometry,
    crew: &Crew,
    packed: &mut [E],
) {
    let width = geometry.panel_width();
    let packed = Shared::new(packed);
    crew.for_each(geometry.n_panels, |panel| {
        // SAFETY: each panel is packed once.
        let to = unsafe { packed.write(panel * depth * width..(panel + 1) * depth * width) };
        for vector in 0..geometry.panel_vectors() {
            let rows = geometry.weight_rows(panel, vector);
            let to = &mut to[vector * geometry.lanes..];
            E::dispatch(
                geometry.instructions,
                Transpose {
                    from: &weight[rows.start * depth..],
                    from_stride: depth,
                    n_rows: rows.len(),
                    n_columns: depth,
                    // SAFETY: a transpose writes numbers.
                    to: unsafe { as_place(to) },
                    to_stride: width,
                },
            );
            if rows.len() < geometry.lanes {
                for to in to.chunks_mut(width) {
                    to[rows.len()..geometry.lanes].fill(E::default());
                }
            }
        }
    });
}

/// The sum of some biases in the order of the gate panels.
fn pack_bias<E: Number>(biases: &[&[E]], geometry: &Geometry, packed: &mut [E]) {
    let width = geometry.panel_width();
    packed.fill(E::default());
    for panel in 0..geometry.n_panels {
        for vector in 0..geometry.panel_vectors() {
            let to = &mut packed[panel * width + vector * geometry.lanes..];
            for bias in biases {
                let bias = &bias[geometry.weight_rows(panel, vector)];
                to.iter_mut().zip(bias).for_each(|(to, bias)| *to += *bias);
            }
        }
    }
}

/// Some columns of a weight `[G·H, N]` for the products `d_gates · W` in the backward pass: blocks
/// of up to four vectors of columns, each `[padded gates][vectors]` with gates in panel order.
pub(crate) struct ColumnBlocks<E> {
    packed: Buffer<E>,
    depth: usize,
    lanes: usize,
    columns: Range<usize>,
}

impl<E: Number> ColumnBlocks<E> {
    /// Packs `columns` out of the weight's `n_columns`.
    pub(crate) fn pack(
        weight: &[E],
        n_columns: usize,
        columns: Range<usize>,
        geometry: &Geometry,
        crew: &Crew,
    ) -> Self {
        let lanes = geometry.lanes;
        let depth = geometry.padded_gates();
        let n_vectors = columns.len().div_ceil(lanes);
        let mut packed = Buffer::scratch(depth * n_vectors * lanes);
        let shared = Shared::new(&mut packed);
        crew.for_each(n_vectors.div_ceil(MAX_VECTORS), |block| {
            let first = block * MAX_VECTORS;
            let width = MAX_VECTORS.min(n_vectors - first) * lanes;
            let start = first * lanes * depth;
            // SAFETY: each block is packed once.
            let to = unsafe { shared.write(start..start + depth * width) };
            let from_column = columns.start + first * lanes;
            let n_real = width.min(columns.end - from_column);
            for panel in 0..geometry.n_panels {
                for vector in 0..geometry.panel_vectors() {
                    let mut rows = geometry.weight_rows(panel, vector);
                    let k = panel * geometry.panel_width() + vector * lanes;
                    for to in to[k * width..][..lanes * width].chunks_exact_mut(width) {
                        let n_real = if rows.is_empty() { 0 } else { n_real };
                        let row = rows.next().unwrap_or(0);
                        let from = &weight[row * n_columns + from_column..][..n_real];
                        to[..n_real].copy_from_slice(from);
                        to[n_real..].fill(E::default());
                    }
                }
            }
        });
        Self { packed, depth, lanes, columns }
    }

    /// Vectors that hold the columns.
    fn n_vectors(&self) -> usize {
        self.columns.len().div_ceil(self.lanes)
    }

    /// Numbers in one row of all blocks: the columns, padded.
    pub(crate) fn padded_columns(&self) -> usize {
        self.n_vectors() * self.lanes
    }

    pub(crate) fn columns(&self) -> &Range<usize> {
        &self.columns
    }

    /// Each block with its first column, relative to the first packed one.
    pub(crate) fn blocks(&self) -> impl Iterator<Item = (usize, &[E])> {
        (0..self.n_vectors()).step_by(MAX_VECTORS).map(move |first| {
            let width = MAX_VECTORS.min(self.n_vectors() - first) * self.lanes;
            let block = &self.packed[first * self.lanes * self.depth..][..self.depth * width];
            (first * self.lanes, block)
        })
    }
}

/// Adds up the shares' gradients in gate panels, `[panel][depth][panel width]` for the panels
/// `panels`, in the shares' order, and writes the sum as rows of `[G·H, depth]`.
pub(crate) fn unpack_gate_panels<E: Element>(
    shares: &mut [(Range<usize>, Buffer<E>)],
    depth: usize,
    geometry: &Geometry,
    crew: &Crew,
) -> Vec<E> {
    let width = geometry.panel_width();
    let n_rows = geometry.cell.n_gates() * geometry.hidden;
    let mut rows = Vec::with_capacity(n_rows * depth);
    let to = Shared::new(&mut rows.spare_capacity_mut()[..n_rows * depth]);
    let n_written = AtomicUsize::new(0);
    let shares: Vec<(Range<usize>, Shared<'_, E>)> = shares
        .iter_mut()
        .map(|(panels, share)| (panels.clone(), Shared::new(&mut share[..])))
        .collect();
    crew.for_each(geometry.n_panels, |panel| {
        let len = depth * width;
        let mut sum: Option<&mut [E]> = None;
        for (panels, share) in &shares {
            if !panels.contains(&panel) {
                continue;
            }
            let start = (panel - panels.start) * len;
            // SAFETY: this is the only call for this panel.
            let share = unsafe { share.write(start..start + len) };
            match &mut sum {
                None => sum = Some(share),
                Some(sum) => sum.iter_mut().zip(&*share).for_each(|(sum, share)| *sum += *share),
            }
        }
        let Some(sum) = sum else { return };
        for vector in 0..geometry.panel_vectors() {
            let rows = geometry.weight_rows(panel, vector);
            // SAFETY: each row of the weight belongs to one vector of one panel.
            let to = unsafe { to.write(rows.start * depth..rows.end * depth) };
            E::dispatch(
                geometry.instructions,
                Transpose {
                    from: &sum[vector * geometry.lanes..],
                    from_stride: width,
                    n_rows: depth,
                    n_columns: rows.len(),
                    to,
                    to_stride: depth,
                },
            );
            n_written.fetch_add(rows.len(), Ordering::Relaxed);
        }
    });
    assert_eq!(n_written.into_inner(), n_rows, "rows of a gradient");
    // SAFETY: each row belongs to one vector, and all rows have been written.
    unsafe { rows.set_len(n_rows * depth) };
    rows
}

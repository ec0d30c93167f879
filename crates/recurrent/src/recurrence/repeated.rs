//! An input whose vectors repeat: products once per vector, not once per step.
//!
//! Forward, `bias + vector · W_ihᵀ` is computed for each distinct vector and gathered step by step.
//! Backward, the gates' gradients are first added by vector: `S[n] = Σ d_gates` over the steps that read
//! vector n. Then `dW_ih = Σ vectorᵀ · S` and `d_vectors = S · W_ih` are products over the vectors.

use std::ops::Range;

use super::plan::{Chunk, Plan};
use crate::algebra::{
    ColumnBlocks, ForwardWeights, Geometry, Left, MAX_VECTORS, PanelProduct, spread_stride,
};
use crate::machine::{Buffer, Isa, Job, Number, Shared, Vector};

/// Vectors multiplied by all weights before the next ones: as many as fit in the second-level
/// cache.
const BLOCK_VECTORS: usize = 192;

/// Distinct vectors `[N, I]`, and the vector for each place `[B·T]`.
#[derive(Clone, Copy)]
pub(crate) struct Repeated<'a, E> {
    pub(crate) vectors: &'a [E],
    pub(crate) indexes: &'a [u32],
}

impl<E: Number> Repeated<'_, E> {
    /// N.
    pub(crate) fn n_vectors(&self, geometry: &Geometry) -> usize {
        self.vectors.len() / geometry.input
    }

    /// Blocks of vectors that are multiplied at a time.
    pub(crate) fn n_blocks(&self, geometry: &Geometry) -> usize {
        self.n_vectors(geometry).div_ceil(BLOCK_VECTORS)
    }

    fn block(&self, block: usize, geometry: &Geometry) -> Range<usize> {
        let first = block * BLOCK_VECTORS;
        first..self.n_vectors(geometry).min(first + BLOCK_VECTORS)
    }
}

/// Distance between the products of two vectors.
pub(crate) fn product_stride(geometry: &Geometry) -> usize {
    spread_stride(geometry.padded_gates())
}

/// `bias + vector · W_ihᵀ` for one block of vectors, `[N, stride]`, gates in panel order.
pub(crate) struct ProductBlock<'a, E> {
    pub(crate) geometry: &'a Geometry,
    pub(crate) weights: &'a ForwardWeights<E>,
    pub(crate) repeated: Repeated<'a, E>,
    pub(crate) block: usize,
    /// Of all vectors; nothing else writes this block's.
    pub(crate) to: Shared<'a, E>,
}

impl<E: Number> Job<E> for ProductBlock<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector<Elem = E>>(self, isa: Isa<V>) {
        let (width, input) = (self.geometry.panel_width(), self.geometry.input);
        let stride = product_stride(self.geometry);
        let vectors = self.repeated.block(self.block, self.geometry);
        // SAFETY: each block is computed once, and read only after the threads have met.
        let to = unsafe { self.to.write(vectors.start * stride..vectors.end * stride) };
        for panel in 0..self.geometry.n_panels {
            isa.call(PanelProduct {
                c: &mut to[panel * width..],
                c_stride: stride,
                start: Some(self.weights.input_bias(panel, width)),
                a: Left::new(&self.repeated.vectors[vectors.start * input..], input, 1),
                n_rows: vectors.len(),
                panel: self.weights.input(panel, input * width),
                depth: input,
            });
        }
    }
}

/// The products of all vectors, with the vector for each place `[B·T]`.
#[derive(Clone, Copy)]
pub(crate) struct InputProducts<'a, E> {
    pub(crate) products: &'a [E],
    pub(crate) indexes: &'a [u32],
}

impl<E: Number> InputProducts<'_, E> {
    /// Copies some panels of a chunk's tokens to `[panel][tokens, panel width]`.
    pub(crate) fn gather(
        &self,
        geometry: &Geometry,
        (plan, chunk): (&Plan, Chunk),
        panels: &Range<usize>,
        gates: &mut [E],
    ) {
        let (width, stride) = (geometry.panel_width(), product_stride(geometry));
        for (rank, step, token) in plan.tokens_by_row(chunk) {
            let vector = self.indexes[plan.place(geometry, rank, step)] as usize;
            let first = vector * stride;
            let range = first + panels.start * width..first + panels.end * width;
            let from = &self.products[range];
            for (index, from) in from.chunks_exact(width).enumerate() {
                gates[(index * chunk.n_tokens + token) * width..][..width].copy_from_slice(from);
            }
        }
    }
}

/// Adds the gates' gradients of a chunk, `[panel][tokens, panel width]`, to the sums of their vectors,
/// `[panel][N, panel width]`, for some panels.
///
/// # Safety
/// Nothing else may read or write these panels of `sums`, or write these panels of `d_gates`.
#[inline(always)]
pub(crate) unsafe fn add_by_vector<V: Vector>(
    isa: Isa<V>,
    repeated: Repeated<'_, V::Elem>,
    geometry: &Geometry,
    (plan, chunk): (&Plan, Chunk),
    panels: &Range<usize>,
    (d_gates, sums): (Shared<'_, V::Elem>, Shared<'_, V::Elem>),
) {
    let (width, n_vectors) = (geometry.panel_width(), repeated.n_vectors(geometry));
    for panel in panels.clone() {
        let len = chunk.n_tokens * width;
        // SAFETY: the caller vouches for both.
        let (d_gates, sums) = unsafe {
            let sums = sums.write(panel * n_vectors * width..(panel + 1) * n_vectors * width);
            (d_gates.read(panel * len..(panel + 1) * len), sums)
        };
        for (rank, step, token) in plan.tokens_by_row(chunk) {
            let vector = repeated.indexes[plan.place(geometry, rank, step)] as usize;
            let (from, to) =
                (&d_gates[token * width..][..width], &mut sums[vector * width..][..width]);
            for at in (0..width).step_by(V::LANES) {
                isa.store(isa.load(to, at).add(isa.load(from, at)), to, at);
            }
        }
    }
}

/// One panel of `dW_ih = Σ vectorᵀ · S`, after the teams' sums are added to the first team's.
pub(crate) struct WeightPanel<'a, E> {
    pub(crate) geometry: &'a Geometry,
    pub(crate) repeated: Repeated<'a, E>,
    pub(crate) panel: usize,
    /// `[panel][N, panel width]` of each team; nothing else reads or writes this panel.
    pub(crate) sums: &'a [Shared<'a, E>],
    /// `[I][panel width]`
    pub(crate) to: &'a mut [E],
}

impl<E: Number> Job<E> for WeightPanel<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector<Elem = E>>(self, isa: Isa<V>) {
        let (width, input) = (self.geometry.panel_width(), self.geometry.input);
        let n_vectors = self.repeated.n_vectors(self.geometry);
        let range = self.panel * n_vectors * width..(self.panel + 1) * n_vectors * width;
        // SAFETY: this is the only job for this panel, and its teams have met.
        let mut sums = self.sums.iter().map(|sums| unsafe { sums.write(range.clone()) });
        let Some(first) = sums.next() else { return };
        for other in sums {
            for at in (0..first.len()).step_by(V::LANES) {
                isa.store(isa.load(first, at).add(isa.load(other, at)), first, at);
            }
        }
        let zeros = Buffer::zeros(width);
        isa.call(PanelProduct {
            c: self.to,
            c_stride: width,
            start: Some(&zeros),
            a: Left::new(self.repeated.vectors, 1, input),
            n_rows: input,
            panel: first,
            depth: n_vectors,
        });
    }
}

/// One block of vectors of `d_vectors = Σ S · W_ih` over the directions.
pub(crate) struct VectorGradientBlock<'a, E> {
    pub(crate) geometry: &'a Geometry,
    pub(crate) repeated: Repeated<'a, E>,
    pub(crate) block: usize,
    /// For each direction its sums, `[panel][N, panel width]`, and the columns of W_ih.
    pub(crate) directions: &'a [(Shared<'a, E>, &'a ColumnBlocks<E>)],
    /// `[N, I]`; nothing else writes this block's.
    pub(crate) to: Shared<'a, E>,
}

impl<E: Number> Job<E> for VectorGradientBlock<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector<Elem = E>>(self, isa: Isa<V>) {
        let (width, input) = (self.geometry.panel_width(), self.geometry.input);
        let n_vectors = self.repeated.n_vectors(self.geometry);
        let vectors = self.repeated.block(self.block, self.geometry);
        // SAFETY: each block is computed once.
        let to = unsafe { self.to.write(vectors.start * input..vectors.end * input) };
        let stride = spread_stride(input.next_multiple_of(V::LANES));
        let mut rows = Buffer::scratch(vectors.len() * stride);
        let zeros = Buffer::zeros(MAX_VECTORS * V::LANES);
        for (index, (sums, weights)) in self.directions.iter().enumerate() {
            let (first, segment) = (vectors.start * width, n_vectors * width);
            // SAFETY: all sums are complete, and nothing writes to them any more.
            let sums = unsafe { Left::segments(*sums, first, (width, width), segment) };
            let depth = self.geometry.padded_gates();
            for (column, block) in weights.blocks() {
                isa.call(PanelProduct {
                    c: &mut rows[column..],
                    c_stride: stride,
                    start: (index == 0).then(|| &zeros[..block.len() / depth]),
                    a: sums,
                    n_rows: vectors.len(),
                    panel: block,
                    depth,
                });
            }
        }
        for (to, from) in to.chunks_exact_mut(input).zip(rows.chunks_exact(stride)) {
            to.copy_from_slice(&from[..input]);
        }
    }
}

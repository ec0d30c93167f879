//! An input whose vectors repeat: products once per vector, not once per step.
//!
//! Forward, `bias + vector · W_ihᵀ` is computed for each distinct vector and gathered step by step.
//! Backward, each team first adds the gates' gradients by vector: `S[n] = Σ d_gates` over its steps that read
//! vector n. Then its shares of `dW_ih = Σ vectorᵀ · S` and `d_vectors = S · W_ih` are products over the
//! vectors that it uses.

use std::ops::Range;

use super::plan::{Chunk, Plan};
use crate::algebra::{ForwardWeights, Geometry, Left, PanelProduct, spread_stride};
use crate::machine::{Isa, Job, Number, Shared, Vector};

/// Vectors multiplied by all weights before the next ones: as many as fit in the second-level
/// cache.
const BLOCK_VECTORS: usize = 192;

/// Distinct vectors `[N, I]`.
#[derive(Clone, Copy)]
pub(crate) struct Repeated<'a, E> {
    pub(crate) vectors: &'a [E],
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
                copy(&mut gates[(index * chunk.n_tokens + token) * width..][..width], from);
            }
        }
    }
}

/// Copies a panel's few vectors in place: a call of the C library for each took a tenth of a forward pass.
#[inline(always)]
fn copy<E: Number>(to: &mut [E], from: &[E]) {
    const LANES: usize = 8;
    let (to, to_rest) = to.as_chunks_mut::<LANES>();
    let (from, from_rest) = from.as_chunks::<LANES>();
    for (to, from) in to.iter_mut().zip(from) {
        *to = *from;
    }
    to_rest.copy_from_slice(from_rest);
}

/// The vectors that one team's rows read.
pub(crate) struct UsedVectors {
    /// Their numbers, ascending.
    pub(crate) vectors: Vec<u32>,
}

/// For each place `[B·T]` the index of its vector among those that its row's team uses, and these vectors by
/// team; of real steps only.
pub(crate) fn used_vectors(
    indexes: &[u32],
    n_vectors: usize,
    steps: usize,
    teams: &[Plan],
) -> (Vec<u32>, Vec<UsedVectors>) {
    let mut local = vec![0; indexes.len()];
    let mut index_of = vec![0; n_vectors];
    let used = teams.iter().map(|plan| {
        let places = || {
            let rows = plan.rows.iter().zip(&plan.lengths);
            rows.flat_map(|(row, length)| row * steps..row * steps + length)
        };
        let mut is_used = vec![false; n_vectors];
        places().for_each(|place| is_used[indexes[place] as usize] = true);
        let vectors: Vec<u32> =
            (0..n_vectors as u32).filter(|&vector| is_used[vector as usize]).collect();
        for (index, &vector) in (0..).zip(&vectors) {
            index_of[vector as usize] = index;
        }
        places().for_each(|place| local[place] = index_of[indexes[place] as usize]);
        UsedVectors { vectors }
    });
    let used = used.collect();
    (local, used)
}

/// A team's part of the repeated vectors of the first layer's input.
pub(crate) struct TeamVectors<'a, E> {
    /// All vectors, `[N, I]`.
    pub(crate) vectors: &'a [E],
    pub(crate) used: &'a UsedVectors,
    /// For each place, the index among them.
    pub(crate) local: &'a [u32],
    /// The sums of the gates' gradients by vector, `[panel][used, panel width]`; the team's members have its
    /// panels among them.
    pub(crate) sums: Shared<'a, E>,
}

impl<E> Clone for TeamVectors<'_, E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E> Copy for TeamVectors<'_, E> {}

impl<E: Number> TeamVectors<'_, E> {
    pub(crate) fn n_used(&self) -> usize {
        self.used.vectors.len()
    }

    /// The place of a panel in the sums.
    pub(crate) fn panel(&self, panel: usize, width: usize) -> Range<usize> {
        let len = self.n_used() * width;
        panel * len..(panel + 1) * len
    }

    /// Copies the vectors to `[used, input stride]`.
    pub(crate) fn gather(&self, geometry: &Geometry, to: &mut [E]) {
        let len = geometry.input;
        let rows = to.chunks_exact_mut(geometry.input_stride());
        for (to, &vector) in rows.zip(&self.used.vectors) {
            to[..len].copy_from_slice(&self.vectors[vector as usize * len..][..len]);
        }
    }

    /// Adds the gates' gradients of a chunk, `[panel][tokens, panel width]`, to the sums of their vectors, for
    /// some panels.
    ///
    /// # Safety
    /// Nothing else may read or write these panels of the sums, or write these panels of `d_gates`.
    #[inline(always)]
    pub(crate) unsafe fn add<V: Vector<Elem = E>>(
        &self,
        isa: Isa<V>,
        geometry: &Geometry,
        (plan, chunk): (&Plan, Chunk),
        panels: &Range<usize>,
        d_gates: Shared<'_, E>,
    ) {
        let width = geometry.panel_width();
        for panel in panels.clone() {
            let len = chunk.n_tokens * width;
            // SAFETY: the caller vouches for both.
            let (d_gates, sums) = unsafe {
                let sums = self.sums.write(self.panel(panel, width));
                (d_gates.read(panel * len..(panel + 1) * len), sums)
            };
            for (rank, step, token) in plan.tokens_by_row(chunk) {
                let index = self.local[plan.place(geometry, rank, step)] as usize;
                let from = &d_gates[token * width..][..width];
                let to = &mut sums[index * width..][..width];
                for at in (0..width).step_by(V::LANES) {
                    isa.store(isa.load(to, at).add(isa.load(from, at)), to, at);
                }
            }
        }
    }
}

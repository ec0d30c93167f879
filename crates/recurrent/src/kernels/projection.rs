//! The input product of repeated vectors: once per vector, not once per step.

use super::buffer::Buffer;
use super::crew::{Crew, share};
use super::gemm::{Left, PanelProduct};
use super::geometry::{Geometry, spread_stride};
use super::isa::Element;
use super::pack::ForwardWeights;
use super::plan::{Chunk, Plan};
use super::shared::Shared;
use super::vector::{Isa, Job, Number, Vector};

/// Vectors multiplied by all weights before the next ones: as many as fit in the second-level
/// cache.
const BLOCK_VECTORS: usize = 192;

/// `bias + vector · W_ihᵀ` for each distinct input vector, `[N, stride]`, gates in panel order.
pub(crate) struct Projection<E> {
    numbers: Buffer<E>,
    stride: usize,
}

impl<E: Element> Projection<E> {
    /// Computes the product for `vectors [N, I]`.
    pub(crate) fn new(
        crew: &Crew,
        geometry: &Geometry,
        weights: &ForwardWeights<E>,
        vectors: &[E],
    ) -> Self {
        let n_vectors = vectors.len() / geometry.input;
        let stride = spread_stride(geometry.padded_gates());
        let mut numbers = Buffer::scratch(n_vectors * stride);
        let shared = Shared::new(&mut numbers);
        crew.run(|member| {
            let own = share(n_vectors, member, crew.n_members());
            for start in own.clone().step_by(BLOCK_VECTORS) {
                let n_vectors = BLOCK_VECTORS.min(own.end - start);
                // SAFETY: each vector is projected once.
                let to = unsafe { shared.write(start * stride..(start + n_vectors) * stride) };
                let vectors = &vectors[start * geometry.input..];
                let job = Block { geometry, weights, vectors, n_vectors, to, stride };
                E::dispatch(geometry.instructions, job);
            }
        });
        Self { numbers, stride }
    }
}

/// Some vectors times all weights.
struct Block<'a, E> {
    geometry: &'a Geometry,
    weights: &'a ForwardWeights<E>,
    vectors: &'a [E],
    n_vectors: usize,
    to: &'a mut [E],
    stride: usize,
}

impl<E: Number> Job<E> for Block<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector<Elem = E>>(self, isa: Isa<V>) {
        let (width, input) = (self.geometry.panel_width(), self.geometry.input);
        for panel in 0..self.geometry.n_panels {
            isa.call(PanelProduct {
                c: &mut self.to[panel * width..],
                c_stride: self.stride,
                start: Some(self.weights.input_bias(panel, width)),
                a: Left::new(self.vectors, input, 1),
                n_rows: self.n_vectors,
                panel: self.weights.input(panel, input * width),
                depth: input,
            });
        }
    }
}

/// An input whose product is precomputed, with the vector index for each place `[B·T]`.
pub(crate) struct Projected<'a, E> {
    pub(crate) projection: &'a Projection<E>,
    pub(crate) indexes: &'a [u32],
}

impl<E> Clone for Projected<'_, E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E> Copy for Projected<'_, E> {}

impl<E: Number> Projected<'_, E> {
    /// Copies some panels of a chunk's tokens to `[panel][tokens, panel width]`.
    pub(crate) fn gather(
        &self,
        geometry: &Geometry,
        (plan, chunk): (&Plan, Chunk),
        panels: &std::ops::Range<usize>,
        gates: &mut [E],
    ) {
        let Projection { numbers, stride } = self.projection;
        let width = geometry.panel_width();
        for (rank, step, token) in plan.tokens_by_row(chunk) {
            let vector = self.indexes[plan.place(geometry, rank, step)] as usize;
            let from = &numbers[vector * stride + panels.start * width..];
            for (index, from) in from.chunks_exact(width).take(panels.len()).enumerate() {
                gates[(index * chunk.n_tokens + token) * width..][..width].copy_from_slice(from);
            }
        }
    }
}

//! The input of a layer, step by step, optionally under a dropout mask, and its gradient.

use super::plan::{Chunk, Plan};
use crate::algebra::Geometry;
use crate::machine::{Number, Shared, Source};

/// A layer's input, `[B, T, I]`, contiguous. A team's rows are complete before the team reads them, while
/// other teams may still write theirs.
#[derive(Clone, Copy)]
pub(crate) struct Input<'a, E> {
    pub(crate) numbers: Source<'a, E>,
    pub(crate) dropout: Option<Dropout<'a, E>>,
}

/// Which numbers of an input dropout keeps, and their scale.
#[derive(Clone, Copy)]
pub(crate) struct Dropout<'a, E> {
    /// Whether to keep each number.
    pub(crate) kept: &'a [bool],
    pub(crate) scale: E,
}

impl<E: Number> Dropout<'_, E> {
    /// Masks consecutive numbers of the input, the first of them at index `first`.
    fn apply(&self, numbers: &mut [E], first: usize) {
        for (number, &kept) in numbers.iter_mut().zip(&self.kept[first..]) {
            *number = if kept { *number * self.scale } else { E::default() };
        }
    }
}

impl<E: Number> Input<'_, E> {
    /// Copies a chunk's rows to `[tokens, input stride]`.
    pub(crate) fn gather(&self, geometry: &Geometry, plan: &Plan, chunk: Chunk, to: &mut [E]) {
        let len = geometry.input;
        for (rank, step, token) in plan.tokens_by_row(chunk) {
            let first = plan.place(geometry, rank, step) * len;
            let to = &mut to[token * geometry.input_stride()..][..len];
            // SAFETY: the rows of this plan's team are complete.
            to.copy_from_slice(unsafe { self.numbers.read(first..first + len) });
            if let Some(dropout) = self.dropout {
                dropout.apply(to, first);
            }
        }
    }
}

/// The gradient of an input, `[B, T, I]`, of which a thread owns some rows or columns.
#[derive(Clone, Copy)]
pub(crate) struct InputGradient<'a, E> {
    pub(crate) numbers: Shared<'a, E>,
    pub(crate) dropout: Option<Dropout<'a, E>>,
    /// Whether another direction has already written its part.
    pub(crate) add: bool,
}

impl<E: Number> InputGradient<'_, E> {
    /// Writes columns `[column .. column + width]` of a chunk to their places, from
    /// `[tokens, stride]`.
    ///
    /// # Safety
    /// No other thread may read or write these columns of the plan's rows.
    pub(crate) unsafe fn scatter(
        &self,
        geometry: &Geometry,
        (plan, chunk): (&Plan, Chunk),
        (column, width): (usize, usize),
        from: &mut [E],
        stride: usize,
    ) {
        for (rank, step, token) in plan.tokens_by_row(chunk) {
            let first = plan.place(geometry, rank, step) * geometry.input + column;
            let from = &mut from[token * stride..][..width];
            if let Some(dropout) = self.dropout {
                dropout.apply(from, first);
            }
            // SAFETY: the caller vouches for it.
            let to = unsafe { self.numbers.write(first..first + width) };
            if self.add {
                for (to, from) in to.iter_mut().zip(from) {
                    *to += *from;
                }
            } else {
                to.copy_from_slice(from);
            }
        }
    }
}

//! Pooling of the outputs, forward and backward, without a gradient of their size.
//!
//! As in PyTorch, a NaN in a real step makes the max and the mean of its feature NaN, and of several equal
//! maxima the first gets the gradient. A row without steps gives zeros.

use super::problem::Problem;
use crate::machine::{Crew, Element, Isa, Job, Number, Shared, Source, Vector, share};
use crate::pooling::Pooling;

/// The step of the maximum for each row and feature, `[B, F]`; empty without max.
pub(crate) type Argmax = Vec<u32>;

/// The gradient of pooled outputs.
#[derive(Clone, Copy)]
pub(crate) struct PooledGradient<'a, E> {
    /// Of the max, `[B, F]`, and the steps of the maxima.
    pub(crate) max: Option<(&'a [E], &'a [u32])>,
    /// What each real step gets of the mean's, `[B, F]`.
    pub(crate) mean: Option<&'a [E]>,
}

/// The gradient of the network's outputs.
#[derive(Clone, Copy)]
pub(crate) enum OutputGradient<'a, E> {
    /// `[B, T, D·h]`
    Steps(Source<'a, E>),
    /// Of what they are pooled to.
    Pooled(PooledGradient<'a, E>),
}

impl Problem {
    /// Pools outputs `[B, T, F]`: `[B, parts·F]`, and the steps of the maxima.
    pub(crate) fn pool<E: Element>(&self, outputs: &[E], pooling: Pooling) -> (Vec<E>, Argmax) {
        let (width, n_parts) = (self.output_size(), pooling.n_parts());
        let n_max = if pooling.max { width } else { 0 };
        let mut pooled = vec![E::default(); self.batch * n_parts * width];
        let mut argmax = vec![0; self.batch * n_max];
        let crew = Crew::of_idle((outputs.len() / POOLED_PER_THREAD).clamp(1, self.batch));
        let (to_pooled, to_argmax) = (Shared::new(&mut pooled), Shared::new(&mut argmax));
        crew.run(|member| {
            for row in share(self.batch, member, crew.n_members()) {
                let n: usize = n_parts * width;
                // SAFETY: each row is one member's.
                let (pooled, argmax) = unsafe {
                    (
                        to_pooled.write(row * n..(row + 1) * n),
                        to_argmax.write(row * n_max..(row + 1) * n_max),
                    )
                };
                let (max, mean) = pooled.split_at_mut(n_max);
                let length = self.lengths[row];
                let steps = &outputs[row * self.steps * width..][..length * width];
                let job = PoolRow { steps, width, max, argmax, mean };
                E::dispatch(self.instructions, job);
            }
        });
        (pooled, argmax)
    }

    /// The two parts of a gradient of pooled outputs, `[B, F]` each; the mean's is divided by the number of
    /// steps.
    pub(crate) fn pooled_gradients<E: Element>(
        &self,
        d_pooled: &[E],
        pooling: Pooling,
    ) -> [Vec<E>; 2] {
        let width = self.output_size();
        let (mut max, mut mean) = (Vec::new(), Vec::new());
        let row_len: usize = pooling.n_parts() * width;
        let rows = d_pooled.chunks_exact(row_len);
        for (row, &length) in rows.zip(&self.lengths) {
            let (of_max, of_mean) = row.split_at(if pooling.max { width } else { 0 });
            max.extend_from_slice(of_max);
            let n_steps = length.max(1) as f64;
            mean.extend(of_mean.iter().map(|&d| E::from_f64(d.to_f64() / n_steps)));
        }
        [max, mean]
    }
}

/// Numbers below which a further thread costs more than it gains.
const POOLED_PER_THREAD: usize = 100_000;

/// One row's outputs, `[steps, width]`, to its max and mean; either may be empty.
struct PoolRow<'a, E> {
    steps: &'a [E],
    width: usize,
    max: &'a mut [E],
    argmax: &'a mut [u32],
    mean: &'a mut [E],
}

impl<E: Element> Job<E> for PoolRow<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector<Elem = E>>(self, _: Isa<V>) {
        let Self { steps, width, max, argmax, mean } = self;
        let mut rows = steps.chunks_exact(width);
        let n_steps = rows.len();
        let Some(first) = rows.next() else { return };
        if !max.is_empty() {
            max.copy_from_slice(first);
        }
        if !mean.is_empty() {
            mean.copy_from_slice(first);
        }
        for (step, row) in (1..).zip(rows) {
            for ((max, argmax), &output) in max.iter_mut().zip(&mut *argmax).zip(row) {
                // The first of several NaNs stays, too.
                let is_nan = output.is_nan() && !max.is_nan();
                let is_new = output > *max || is_nan;
                *max = if is_new { output } else { *max };
                *argmax = if is_new { step } else { *argmax };
            }
            mean.iter_mut().zip(row).for_each(|(sum, &output)| *sum += output);
        }
        let n_steps = E::from_f64(n_steps as f64);
        mean.iter_mut().for_each(|sum| *sum /= n_steps);
    }
}

impl<E: Number> PooledGradient<'_, E> {
    /// Adds the gradient of a row's outputs at a step to `dh`; `first`: the first of the features, which has
    /// as many as `dh`.
    #[inline(always)]
    pub(crate) fn add(&self, row: usize, step: usize, width: usize, first: usize, dh: &mut [E]) {
        let at = row * width + first..row * width + first + dh.len();
        if let Some(mean) = self.mean {
            dh.iter_mut().zip(&mean[at.clone()]).for_each(|(dh, d)| *dh += *d);
        }
        if let Some((max, argmax)) = self.max {
            let steps = &argmax[at.clone()];
            for ((dh, d), &of) in dh.iter_mut().zip(&max[at]).zip(steps) {
                let d = if of as usize == step { *d } else { E::default() };
                *dh += d;
            }
        }
    }

    /// Whether a row's outputs at a step have any gradient.
    pub(crate) fn is_nonzero(&self, row: usize, step: usize, width: usize) -> bool {
        let at = row * width..(row + 1) * width;
        let is_nonzero = |d: &E| *d != E::default();
        self.mean.is_some_and(|mean| mean[at.clone()].iter().any(is_nonzero))
            || self.max.is_some_and(|(max, argmax)| {
                let mut all = max[at.clone()].iter().zip(&argmax[at.clone()]);
                all.any(|(d, &of)| of as usize == step && is_nonzero(d))
            })
    }
}

//! Max and mean pooling on the CPU: one pass over the outputs forward, one over their gradient backward.
//!
//! `plain`, the same in candle's operations, writes several tensors of the outputs' size, forward and even
//! more so backward. Here, padding is skipped, and the argmax is kept for the backward pass. For 50 rows of 75
//! to 300 steps with 128 features, both passes take 2.5 ms instead of 22 ms; about half of that is candle, which
//! adds the gradient to a tensor of zeros. Sharing the rows among threads was no faster on two busy cores.

use std::sync::OnceLock;

use candle_core::{CpuStorage, CustomOp1, DType, Device, Layout, Shape, Tensor, WithDType};
use recurrent::{contiguous, numbers_of};

use super::{Pooling, PoolingPart};
use crate::error::Result;

/// See [`super::max_and_mean`]; f32 or f64. Values past `lengths` are not read, and their gradient is 0.
///
/// As in PyTorch, a NaN in a real step makes the max and the mean of its feature NaN (candle's max ignores
/// a NaN after the first step), and of several equal maxima, the first gets the gradient (in candle, each of
/// them gets all of it).
///
/// The gradient has no graph, so there are no second derivatives. [`Tensor::backward`] provides none by
/// default either, since it detaches gradients; if the environment variable `CANDLE_GRAD_DO_NOT_DETACH` turns
/// that off, second derivatives through the pooling are still missing.
///
/// # Errors
/// If `outputs` is not of rank 3, or `lengths` does not fit it.
pub(super) fn max_and_mean(
    pooling: Pooling,
    outputs: &Tensor,
    lengths: &[usize],
) -> Result<Tensor> {
    let op = MaxAndMean { pooling, lengths: lengths.to_vec(), argmax: OnceLock::new() };
    Ok(outputs.contiguous()?.apply_op1(op)?)
}

struct MaxAndMean {
    pooling: Pooling,
    lengths: Vec<usize>,
    /// `[B][F]`: step of each maximum, set by the forward pass; the rows are empty without max.
    argmax: OnceLock<Vec<Vec<u32>>>,
}

impl CustomOp1 for MaxAndMean {
    fn name(&self) -> &'static str {
        "max-and-mean"
    }

    fn cpu_fwd(
        &self,
        storage: &CpuStorage,
        layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let shape = layout.shape().dims3()?;
        match storage {
            CpuStorage::F64(_) => self.forward::<f64>(contiguous(storage, layout)?, shape),
            _ => self.forward::<f32>(contiguous(storage, layout)?, shape),
        }
    }

    fn bwd(
        &self,
        outputs: &Tensor,
        _pooled: &Tensor,
        d_pooled: &Tensor,
    ) -> candle_core::Result<Option<Tensor>> {
        let (shape, d_pooled) = (outputs.dims3()?, d_pooled.contiguous()?);
        let storage = d_pooled.storage_and_layout();
        let d_outputs = match d_pooled.dtype() {
            DType::F64 => self.backward::<f64>(numbers_of(&storage)?, shape),
            _ => self.backward::<f32>(numbers_of(&storage)?, shape),
        };
        d_outputs.map(Some)
    }
}

impl MaxAndMean {
    /// Sizes of a row's max and of its mean: F, or 0 if the pooling does not include it.
    fn widths(&self, n_features: usize) -> [usize; 2] {
        [PoolingPart::Max, PoolingPart::Mean]
            .map(|part| if self.pooling.has(part) { n_features } else { 0 })
    }

    fn forward<T: WithDType>(
        &self,
        outputs: &[T],
        (n_rows, n_steps, n_features): (usize, usize, usize),
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        if self.lengths.len() != n_rows || self.lengths.iter().any(|&length| length > n_steps) {
            let lengths = &self.lengths;
            candle_core::bail!("lengths {lengths:?} do not fit {n_rows} rows of {n_steps} steps");
        }
        let [max_width, mean_width] = self.widths(n_features);
        let pooled_width = max_width + mean_width;
        let mut pooled = vec![T::zero(); n_rows * pooled_width];
        let argmax = pooled
            .chunks_exact_mut(pooled_width.max(1))
            .zip(&self.lengths)
            .enumerate()
            .map(|(row, (pooled, &length))| {
                let (max, mean) = pooled.split_at_mut(max_width);
                let outputs = &outputs[row * n_steps * n_features..][..length * n_features];
                pool_row(outputs.chunks_exact(n_features), max, mean)
            })
            .collect();
        let _ = self.argmax.set(argmax);
        Ok((T::to_cpu_storage_owned(pooled), Shape::from((n_rows, pooled_width))))
    }

    fn backward<T: WithDType>(
        &self,
        d_pooled: &[T],
        (n_rows, n_steps, n_features): (usize, usize, usize),
    ) -> candle_core::Result<Tensor> {
        let Some(argmax) = self.argmax.get() else {
            candle_core::bail!("{} has not run forward", self.name());
        };
        let [max_width, mean_width] = self.widths(n_features);
        let mut d_outputs = vec![T::zero(); n_rows * n_steps * n_features];
        d_outputs
            .chunks_exact_mut((n_steps * n_features).max(1))
            .zip(d_pooled.chunks_exact((max_width + mean_width).max(1)))
            .zip(&self.lengths)
            .zip(argmax)
            .for_each(|(((d_outputs, d_pooled), &length), argmax)| {
                let (d_max, d_mean) = d_pooled.split_at(max_width);
                spread_row(d_max, d_mean, argmax, &mut d_outputs[..length * n_features]);
            });
        Tensor::from_vec(d_outputs, (n_rows, n_steps, n_features), &Device::Cpu)
    }
}

/// Pools the real steps of one row into `max` and `mean`, which are 0; returns the step of each maximum. A
/// slice is empty if the pooling does not include it.
fn pool_row<'a, T: WithDType>(
    steps: impl ExactSizeIterator<Item = &'a [T]>,
    max: &mut [T],
    mean: &mut [T],
) -> Vec<u32> {
    let mut argmax = vec![0; max.len()];
    let count = T::from_f64(steps.len().max(1) as f64);
    for (step, values) in (0u32..).zip(steps) {
        if step == 0 {
            max.copy_from_slice(&values[..max.len()]);
        }
        for ((max, argmax), &value) in max.iter_mut().zip(&mut argmax).zip(values) {
            let wins = value > *max || is_nan(value) && !is_nan(*max);
            // Without a branch, so that the compiler vectorises the loop.
            *max = if wins { value } else { *max };
            *argmax = if wins { step } else { *argmax };
        }
        // In ascending order and from 0, as candle sums.
        for (sum, &value) in mean.iter_mut().zip(values) {
            *sum += value;
        }
    }
    for sum in mean {
        *sum /= count;
    }
    argmax
}

/// `f32::is_nan` for a generic number.
fn is_nan<T: PartialOrd>(x: T) -> bool {
    x.partial_cmp(&x).is_none()
}

/// Writes the gradient of one row's real steps, `d_steps [length, F]`: an equal share of the mean's gradient to
/// every step, and the max's to the steps of the maxima. A slice is empty as in [`pool_row`].
fn spread_row<T: WithDType>(d_max: &[T], d_mean: &[T], argmax: &[u32], d_steps: &mut [T]) {
    let n_features = d_max.len().max(d_mean.len());
    if d_steps.is_empty() {
        return;
    }
    let count = T::from_f64((d_steps.len() / n_features) as f64);
    let share: Vec<T> = d_mean.iter().map(|&d| d / count).collect();
    for d_step in d_steps.chunks_exact_mut(n_features) {
        d_step[..share.len()].copy_from_slice(&share);
    }
    for (feature, (&step, &d)) in argmax.iter().zip(d_max).enumerate() {
        d_steps[step as usize * n_features + feature] += d;
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Var;
    use proptest::prelude::*;

    use super::*;
    use crate::pooling::plain;

    /// For gradients. Measured: exactly 0.
    const TOLERANCE: f64 = 1e-6;

    fn parts(names: &str) -> Pooling {
        names.parse().unwrap()
    }

    /// Numbers in -0.5..0.5, no two of them equal: multiples of the golden ratio, less their whole parts.
    fn distinct(n: usize, seed: u32) -> Vec<f64> {
        (0..n).map(|i| ((i as f64 + f64::from(seed)) * 0.618_033_988_75).fract() - 0.5).collect()
    }

    /// Pooled values, and each row's gradient `[T·F]` of their sum weighted by distinct numbers.
    fn values_and_gradient(
        pool: fn(Pooling, &Tensor, &[usize]) -> Result<Tensor>,
        pooling: Pooling,
        outputs: &Tensor,
        lengths: &[usize],
    ) -> Result<(Vec<f64>, Vec<Vec<f64>>)> {
        let outputs = Var::from_tensor(outputs)?;
        let pooled = pool(pooling, &outputs, lengths)?;
        let d_pooled =
            Tensor::from_vec(distinct(pooled.elem_count(), 7), pooled.shape(), &Device::Cpu)?;
        let loss = (&pooled * d_pooled.to_dtype(pooled.dtype())?)?.sum_all()?;
        let gradients = loss.backward()?;
        let gradient = gradients.get(&outputs).unwrap().to_dtype(DType::F64)?;
        let values = pooled.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?;
        Ok((values, gradient.flatten_from(1)?.to_vec2()?))
    }

    prop_compose! {
        fn batches()(n_steps in 1usize..20, n_features in 1usize..40)(
            lengths in prop_oneof![
                4 => prop::collection::vec(0..=n_steps, 1..6),
                1 => prop::collection::vec(Just(n_steps), 1..6),
            ],
            n_steps in Just(n_steps),
            n_features in Just(n_features),
            seed in 0u32..10_000,
        ) -> (Tensor, Vec<usize>) {
            let mut outputs = distinct(lengths.len() * n_steps * n_features, seed);
            for (row, &length) in outputs.chunks_exact_mut(n_steps * n_features).zip(&lengths) {
                row[length * n_features..].fill(0.0);
            }
            let shape = (lengths.len(), n_steps, n_features);
            (Tensor::from_vec(outputs, shape, &Device::Cpu).unwrap(), lengths)
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn fused_equals_plain(
            (outputs, lengths) in batches(),
            pooling in prop::sample::select(vec!["max", "mean", "max-mean"]).prop_map(parts),
            dtype in prop::sample::select(vec![DType::F32, DType::F64]),
        ) {
            let outputs = outputs.to_dtype(dtype).unwrap();
            let run = |pool| values_and_gradient(pool, pooling, &outputs, &lengths).unwrap();
            let (values, gradient) = run(max_and_mean);
            let (expected_values, expected_gradient) = run(plain::max_and_mean);
            let bits = |values: &[f64]| values.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
            prop_assert_eq!(bits(&values), bits(&expected_values));
            let n_features = outputs.dim(2).unwrap();
            for ((row, expected), &length) in gradient.iter().zip(&expected_gradient).zip(&lengths) {
                let (real, padding) = row.split_at(length * n_features);
                for (d, expected) in real.iter().zip(expected) {
                    prop_assert!((d - expected).abs() <= TOLERANCE, "{} {}", d, expected);
                }
                prop_assert!(padding.iter().all(|&d| d == 0.0));
            }

            let by_feature = outputs.transpose(1, 2).unwrap().contiguous().unwrap();
            let strided = by_feature.transpose(1, 2).unwrap();
            let pooled = max_and_mean(pooling, &strided, &lengths).unwrap();
            let pooled = pooled.to_dtype(DType::F64).unwrap().flatten_all().unwrap();
            prop_assert_eq!(pooled.to_vec1::<f64>().unwrap(), values);
        }
    }

    #[test]
    fn the_first_of_equal_maxima_gets_the_whole_gradient() -> Result<()> {
        let outputs = [[[1f32, 0.0], [5.0, -0.0], [5.0, -2.0], [5.0, 0.0]]];
        let outputs = Var::new(&outputs, &Device::Cpu)?;
        let pooled = max_and_mean(parts("max"), &outputs, &[3])?;
        assert_eq!(pooled.to_vec2::<f32>()?, [[5.0, 0.0]]);
        let gradients = pooled.backward()?;
        let gradient = gradients.get(&outputs).unwrap().to_vec3::<f32>()?;
        assert_eq!(gradient, [[[0.0, 1.0], [1.0, 0.0], [0.0, 0.0], [0.0, 0.0]]]);
        Ok(())
    }

    #[test]
    fn a_nan_in_any_real_step_is_kept_and_padding_is_not_read() -> Result<()> {
        let n_steps = 4;
        for nan_step in 0..n_steps {
            // Two features, -1, -2, -3, -4; the first has the NaN.
            let mut steps = [[-1f32; 2], [-2.0; 2], [-3.0; 2], [-4.0; 2]];
            steps[nan_step][0] = f32::NAN;
            let outputs = Tensor::new(&[steps], &Device::Cpu)?;
            for length in 1..=n_steps {
                let pooled = max_and_mean(parts("max-mean"), &outputs, &[length])?;
                let [max, other_max, mean, other_mean] = pooled.to_vec2::<f32>()?[0][..] else {
                    panic!("{pooled}");
                };
                assert_eq!([other_max, other_mean], [-1.0, -(1.0 + length as f32) / 2.0]);
                if nan_step < length {
                    assert!(max.is_nan() && mean.is_nan(), "step {nan_step}: {max} {mean}");
                } else {
                    assert_eq!([max, mean], [other_max, other_mean]);
                }
            }
        }
        Ok(())
    }

    #[test]
    fn lengths_that_do_not_fit_are_an_error() -> Result<()> {
        let outputs = Tensor::zeros((2, 3, 4), DType::F32, &Device::Cpu)?;
        for lengths in [&[3][..], &[3, 4], &[1, 2, 3]] {
            assert!(max_and_mean(parts("max"), &outputs, lengths).is_err());
        }
        Ok(())
    }
}

//! Seeded random numbers for dropout and initial weights.
//!
//! Candle's CPU generator cannot be seeded; this one gives the same numbers on every machine.

use candle_core::{DType, Device, Shape, Tensor};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::error::Result;

/// A seeded generator for dropout masks and initial weights.
#[derive(Debug, Clone)]
pub struct SeededRng(ChaCha8Rng);

impl SeededRng {
    /// Generators with the same seed give the same tensors in the same order.
    pub fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// A tensor of numbers uniform in `low..high`.
    pub fn uniform(
        &mut self,
        (low, high): (f32, f32),
        shape: impl Into<Shape>,
        dtype: DType,
        device: &Device,
    ) -> Result<Tensor> {
        let scale = high - low;
        self.fill(|unit| low + scale * unit, shape.into(), dtype, device)
    }

    /// A tensor of independent standard normal numbers, by the Box-Muller transform.
    pub fn standard_normal(
        &mut self,
        shape: impl Into<Shape>,
        dtype: DType,
        device: &Device,
    ) -> Result<Tensor> {
        let shape = shape.into();
        let mut values = Vec::with_capacity(shape.elem_count() + 1);
        while values.len() < shape.elem_count() {
            // 1 - u is in (0, 1], where the logarithm is finite.
            let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
            let angle = std::f32::consts::TAU * self.unit();
            values.extend([radius * angle.cos(), radius * angle.sin()]);
        }
        values.truncate(shape.elem_count());
        Ok(Tensor::from_vec(values, shape, device)?.to_dtype(dtype)?)
    }

    /// Zeroes each number of `x` with probability `rate` and scales the others by
    /// `1 / (1 - rate)`, which preserves the expected value
    /// ([torch.nn.Dropout](https://docs.pytorch.org/docs/stable/generated/torch.nn.Dropout.html)).
    pub fn dropout(&mut self, x: &Tensor, rate: f64) -> Result<Tensor> {
        if rate == 0.0 {
            return Ok(x.clone());
        }
        let (kept, scale) = (self.kept(x.elem_count(), rate), dropout_scale(rate) as f32);
        let mask: Vec<f32> = kept.into_iter().map(|kept| f32::from(kept) * scale).collect();
        let mask = Tensor::from_vec(mask, x.shape(), x.device())?.to_dtype(x.dtype())?;
        Ok(x.mul(&mask)?)
    }

    /// Zeroes each feature of each row of `x (batch, steps, features)` in all steps with probability
    /// `rate`, and scales the others: one mask for the whole sequence (Gal and Ghahramani 2016, [A
    /// theoretically grounded application of dropout in recurrent neural
    /// networks](https://arxiv.org/abs/1512.05287)).
    pub fn variational_dropout(&mut self, x: &Tensor, rate: f64) -> Result<Tensor> {
        if rate == 0.0 {
            return Ok(x.clone());
        }
        let (batch, _, features) = x.dims3()?;
        let ones = Tensor::ones((batch, 1, features), x.dtype(), x.device())?;
        Ok(x.broadcast_mul(&self.dropout(&ones, rate)?)?)
    }

    /// A number from 0 to `bound` - 1; 0 if `bound` is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        // Probabilities differ by at most a relative bound / 2⁶⁴.
        ((u128::from(self.0.next_u64()) * bound as u128) >> 64) as usize
    }

    /// `false` with probability `rate`, else `true`.
    pub fn kept_flags(&mut self, len: usize, rate: f64) -> Vec<bool> {
        self.kept(len, rate).into_iter().map(|kept| kept == 1).collect()
    }

    /// 0 with probability `rate`, else 1.
    pub(crate) fn kept(&mut self, len: usize, rate: f64) -> Vec<u8> {
        let rate = rate as f32;
        (0..len).map(|_| u8::from(self.unit() >= rate)).collect()
    }

    fn fill(
        &mut self,
        of_unit: impl Fn(f32) -> f32,
        shape: Shape,
        dtype: DType,
        device: &Device,
    ) -> Result<Tensor> {
        let values: Vec<f32> = (0..shape.elem_count()).map(|_| of_unit(self.unit())).collect();
        Ok(Tensor::from_vec(values, shape, device)?.to_dtype(dtype)?)
    }

    /// Uniform in `[0, 1)`, one of 2^24 evenly spaced numbers.
    fn unit(&mut self) -> f32 {
        (self.0.next_u32() >> 8) as f32 * (1.0 / (1 << 24) as f32)
    }
}

/// Scale that dropout applies to the numbers it keeps.
pub(crate) fn dropout_scale(rate: f64) -> f64 {
    1.0 / (1.0 - rate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_gives_one_sequence() -> Result<()> {
        let draw = |seed| -> Result<Vec<f32>> {
            let tensor = SeededRng::new(seed).uniform((-1.0, 1.0), 5, DType::F32, &Device::Cpu)?;
            Ok(tensor.to_vec1()?)
        };
        assert_eq!(draw(7)?, draw(7)?);
        assert_ne!(draw(7)?, draw(8)?);
        Ok(())
    }

    #[test]
    fn dropout_keeps_the_mean_and_zeroes_the_rate() -> Result<()> {
        let x = Tensor::ones(100_000, DType::F32, &Device::Cpu)?;
        let y: Vec<f32> = SeededRng::new(1).dropout(&x, 0.3)?.to_vec1()?;
        let zeroed = y.iter().filter(|&&y| y == 0.0).count() as f64 / 1e5;
        let mean = y.iter().map(|&y| f64::from(y)).sum::<f64>() / 1e5;
        // Five standard deviations of 100,000 draws.
        assert!((zeroed - 0.3).abs() < 0.0073, "{zeroed}");
        assert!((mean - 1.0).abs() < 0.0104, "{mean}");
        Ok(())
    }

    #[test]
    fn variational_dropout_has_one_mask_for_all_steps() -> Result<()> {
        let x = Tensor::ones((50, 3, 200), DType::F32, &Device::Cpu)?;
        let y: Vec<Vec<Vec<f32>>> = SeededRng::new(1).variational_dropout(&x, 0.25)?.to_vec3()?;
        assert!(y.iter().all(|row| row[0] == row[1] && row[0] == row[2]));
        assert!(y[0][0] != y[1][0]);
        let zeroed = y.iter().flat_map(|row| &row[0]).filter(|&&y| y == 0.0).count() as f64 / 1e4;
        // Five standard deviations of 10,000 draws.
        assert!((zeroed - 0.25).abs() < 0.022, "{zeroed}");
        Ok(())
    }

    #[test]
    fn normal_numbers_have_mean_zero_and_variance_one() -> Result<()> {
        let tensor = SeededRng::new(3).standard_normal(100_001, DType::F32, &Device::Cpu)?;
        let values: Vec<f32> = tensor.to_vec1()?;
        let mean = values.iter().map(|&x| f64::from(x)).sum::<f64>() / 100_001.0;
        let variance = values.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / 100_001.0;
        assert!(mean.abs() < 0.016 && (variance - 1.0).abs() < 0.023, "{mean} {variance}");
        Ok(())
    }
}

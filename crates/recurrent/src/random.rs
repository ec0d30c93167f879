//! Seeded random numbers for dropout and initial weights.
//!
//! Candle's CPU generator cannot be seeded; this one gives the same numbers on every machine.

use candle_core::{DType, Device, Shape, Tensor};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::dropout::{DropoutMasks, dropout, variational_dropout};
use crate::error::Result;

/// Draws of the generator for a mask at a time.
const DRAWS_AT_A_TIME: usize = 1024;

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

    /// Zeroes each number of `x` with probability `rate` and scales the others; see
    /// [`dropout`](crate::dropout).
    ///
    /// # Errors
    /// If the device fails.
    pub fn dropout(&mut self, x: &Tensor, rate: f64) -> Result<Tensor> {
        dropout(self, x, rate)
    }

    /// Zeroes features of whole rows; see [`variational_dropout`](crate::variational_dropout).
    ///
    /// # Errors
    /// If `x` has not three dimensions or the device fails.
    pub fn variational_dropout(&mut self, x: &Tensor, rate: f64) -> Result<Tensor> {
        variational_dropout(self, x, rate)
    }

    /// How many 32-bit words have been drawn: with the seed, all that the next numbers depend on.
    pub fn position(&self) -> u64 {
        // A stream has 2⁶⁸ words; nobody draws more than 2⁶⁴.
        self.0.get_word_pos() as u64
    }

    /// Goes to a [`position`](Self::position) of the sequence.
    pub fn set_position(&mut self, position: u64) {
        self.0.set_word_pos(u128::from(position));
    }

    /// A number from 0 to `bound` - 1; 0 if `bound` is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        // Probabilities differ by at most a relative bound / 2⁶⁴.
        ((u128::from(self.0.next_u64()) * bound as u128) >> 64) as usize
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

impl DropoutMasks for SeededRng {
    fn kept(&mut self, n: usize, rate: f64) -> Vec<bool> {
        // `unit() >= rate` in whole numbers, for many draws at a time.
        let least = (f64::from(rate as f32) * f64::from(1 << 24)).ceil() as u32;
        let mut kept = Vec::with_capacity(n);
        let mut bytes = [0; 4 * DRAWS_AT_A_TIME];
        while kept.len() < n {
            let bytes = &mut bytes[..4 * DRAWS_AT_A_TIME.min(n - kept.len())];
            self.0.fill_bytes(bytes);
            let (draws, _) = bytes.as_chunks::<4>();
            kept.extend(draws.iter().map(|&draw| u32::from_le_bytes(draw) >> 8 >= least));
        }
        kept
    }
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
    fn a_mask_is_what_single_draws_give() {
        for rate in [0.0, 0.1, 0.25, 0.3, 0.999, 1.0 - f64::from(f32::EPSILON)] {
            for n in [1, 7, 3000] {
                let mut one_by_one = SeededRng::new(5);
                let expected: Vec<bool> =
                    (0..n).map(|_| one_by_one.unit() >= rate as f32).collect();
                let mut rng = SeededRng::new(5);
                assert_eq!(rng.kept(n, rate), expected, "{n} numbers, rate {rate}");
                assert_eq!(rng.unit(), one_by_one.unit(), "the next draw");
            }
        }
    }

    /// After any mixture of draws, a new generator at the same position goes on like the old one.
    #[test]
    fn a_generator_goes_on_from_its_position() -> Result<()> {
        let draw = |rng: &mut SeededRng, n: usize| -> Result<Vec<f32>> {
            let numbers = match n % 4 {
                0 => rng.uniform((0.0, 1.0), n, DType::F32, &Device::Cpu)?.to_vec1()?,
                1 => rng.standard_normal(n, DType::F32, &Device::Cpu)?.to_vec1()?,
                2 => rng.kept(n, 0.5).into_iter().map(|kept| f32::from(u8::from(kept))).collect(),
                _ => (0..n).map(|_| rng.below(1000) as f32).collect(),
            };
            Ok(numbers)
        };
        let mut rng = SeededRng::new(9);
        for n in (0..200).map(|i| i * 37 % 151) {
            draw(&mut rng, n)?;
            let mut other = SeededRng::new(9);
            other.set_position(rng.position());
            for n in [3, 4, 1001, 2, 5] {
                assert_eq!(draw(&mut rng, n)?, draw(&mut other, n)?);
                assert_eq!(rng.position(), other.position());
            }
        }
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

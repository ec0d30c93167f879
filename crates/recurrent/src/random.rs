//! Seeded random numbers for dropout and initial weights.
//!
//! Candle's CPU generator cannot be seeded; this one gives the same numbers on every machine.

use candle_core::{DType, Device, Shape, Tensor};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::dropout::{ChaCha8Position, DropoutMasks, dropout, least_kept, variational_dropout};
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
        let least = least_kept(rate);
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

    fn skip_chacha8(&mut self, n: usize) -> Option<ChaCha8Position> {
        let word = self.position();
        self.set_position(word + n as u64);
        let seed = self.0.get_seed();
        let (words, _) = seed.as_chunks::<4>();
        let mut key = [0; 8];
        for (part, word) in key.iter_mut().zip(words) {
            *part = u32::from_le_bytes(*word);
        }
        Some(ChaCha8Position { key, word })
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

    /// A block of 16 words, from the definition.
    fn chacha8_block(key: [u32; 8], block: u64) -> [u32; 16] {
        let mut start = [0; 16];
        start[..4].copy_from_slice(&[0x6170_7865, 0x3320_646e, 0x7962_2d32, 0x6b20_6574]);
        start[4..12].copy_from_slice(&key);
        (start[12], start[13]) = (block as u32, (block >> 32) as u32);
        let mut x = start;
        for round in 0..8 {
            for i in 0..4 {
                let lane = |row: usize| 4 * row + (i + round % 2 * row) % 4;
                let [a, b, c, d] = [0, 1, 2, 3].map(lane);
                for [left, right] in [[16, 12], [8, 7]] {
                    x[a] = x[a].wrapping_add(x[b]);
                    x[d] = (x[d] ^ x[a]).rotate_left(left);
                    x[c] = x[c].wrapping_add(x[d]);
                    x[b] = (x[b] ^ x[c]).rotate_left(right);
                }
            }
        }
        std::array::from_fn(|i| x[i].wrapping_add(start[i]))
    }

    #[test]
    fn a_device_that_draws_from_the_position_makes_the_same_mask() {
        let mut rng = SeededRng::new(11);
        for (n, rate) in [(5, 0.3), (16, 0.5), (1000, 0.1), (3, 0.9)] {
            let mut other = rng.clone();
            let Some(position) = other.skip_chacha8(n) else { panic!("no position") };
            let expected = rng.kept(n, rate);
            assert_eq!(rng.position(), other.position());
            let kept = |word: u64| {
                let block = chacha8_block(position.key, word / 16);
                block[(word % 16) as usize] >> 8 >= least_kept(rate)
            };
            let got: Vec<bool> = (0..n as u64).map(|i| kept(position.word + i)).collect();
            assert_eq!(got, expected, "{n}");
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

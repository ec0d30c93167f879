//! Dropout of a tensor's numbers, with masks from any source.

use candle_core::Tensor;

use crate::error::Result;

/// A source of dropout masks, such as [`SeededRng`](crate::SeededRng).
pub trait DropoutMasks {
    /// Whether to keep each of `n` numbers: `false` with probability `rate`.
    fn kept(&mut self, n: usize, rate: f64) -> Vec<bool>;
}

/// Zeroes each number of `x` with probability `rate` and scales the others by `1 / (1 - rate)`, which
/// preserves the expected value
/// ([torch.nn.Dropout](https://docs.pytorch.org/docs/stable/generated/torch.nn.Dropout.html)).
///
/// # Errors
/// If the device fails.
pub fn dropout(masks: &mut (impl DropoutMasks + ?Sized), x: &Tensor, rate: f64) -> Result<Tensor> {
    if rate == 0.0 {
        return Ok(x.clone());
    }
    let scale = dropout_scale(rate) as f32;
    let kept = masks.kept(x.elem_count(), rate);
    let mask: Vec<f32> = kept.into_iter().map(|kept| if kept { scale } else { 0.0 }).collect();
    let mask = Tensor::from_vec(mask, x.shape(), x.device())?.to_dtype(x.dtype())?;
    Ok(x.mul(&mask)?)
}

/// Zeroes each feature of each row of `x (batch, steps, features)` in all steps with probability `rate`, and
/// scales the others: one mask for the whole sequence (Gal and Ghahramani 2016, [A theoretically grounded
/// application of dropout in recurrent neural networks](https://arxiv.org/abs/1512.05287)).
///
/// # Errors
/// If `x` has not three dimensions or the device fails.
pub fn variational_dropout(
    masks: &mut (impl DropoutMasks + ?Sized),
    x: &Tensor,
    rate: f64,
) -> Result<Tensor> {
    if rate == 0.0 {
        return Ok(x.clone());
    }
    let (batch, _, features) = x.dims3()?;
    let ones = Tensor::ones((batch, 1, features), x.dtype(), x.device())?;
    Ok(x.broadcast_mul(&dropout(masks, &ones, rate)?)?)
}

/// Scale that dropout applies to the numbers it keeps.
pub(crate) fn dropout_scale(rate: f64) -> f64 {
    1.0 / (1.0 - rate)
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};

    use super::*;
    use crate::random::SeededRng;

    #[test]
    fn dropout_keeps_the_mean_and_zeroes_the_rate() -> Result<()> {
        let x = Tensor::ones(100_000, DType::F32, &Device::Cpu)?;
        let y: Vec<f32> = dropout(&mut SeededRng::new(1), &x, 0.3)?.to_vec1()?;
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
        let y: Vec<Vec<Vec<f32>>> =
            variational_dropout(&mut SeededRng::new(1), &x, 0.25)?.to_vec3()?;
        assert!(y.iter().all(|row| row[0] == row[1] && row[0] == row[2]));
        assert!(y[0][0] != y[1][0]);
        let zeroed = y.iter().flat_map(|row| &row[0]).filter(|&&y| y == 0.0).count() as f64 / 1e4;
        // Five standard deviations of 10,000 draws.
        assert!((zeroed - 0.25).abs() < 0.022, "{zeroed}");
        Ok(())
    }
}

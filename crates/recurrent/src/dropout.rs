//! Dropout of a tensor's numbers, with masks from any source.

use std::sync::Arc;

use candle_core::backend::BackendStorage as _;
use candle_core::{CpuStorage, CustomOp1, DType, Layout, Shape, Tensor};

use crate::error::{Error, Result};
use crate::machine::Element;
use crate::numbers::contiguous;

/// A source of dropout masks, such as [`SeededRng`](crate::SeededRng).
pub trait DropoutMasks {
    /// Whether to keep each of `n` numbers: `false` with probability `rate`.
    fn kept(&mut self, n: usize, rate: f64) -> Vec<bool>;

    /// If the draws for masks are words of a ChaCha stream with 8 rounds, skips the next `n` and says where they
    /// are: a CUDA device then makes the mask itself, of a draw for each number, which is dropped if the draw's
    /// upper 24 bits, as a fraction of 2²⁴, are below the rate as an f32. Otherwise masks are uploaded.
    fn skip_chacha8(&mut self, n: usize) -> Option<ChaCha8Position> {
        let _ = n;
        None
    }
}

/// A place in a ChaCha stream with 8 rounds, a 64-bit block counter and stream number 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChaCha8Position {
    /// The key.
    pub key: [u32; 8],
    /// The number of 32-bit words before it.
    pub word: u64,
}

/// The least draw of 24 bits that keeps a number.
pub(crate) fn least_kept(rate: f64) -> u32 {
    (f64::from(rate as f32) * f64::from(1 << 24)).ceil() as u32
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
    #[cfg(feature = "cuda")]
    if x.device().is_cuda() && matches!(x.dtype(), DType::F16 | DType::BF16) {
        return Ok(dropout(masks, &x.to_dtype(DType::F32)?, rate)?.to_dtype(x.dtype())?);
    }
    #[cfg(feature = "cuda")]
    if x.device().is_cuda()
        && x.dtype() == DType::F32
        && x.elem_count() > 0
        && let Some(position) = masks.skip_chacha8(x.elem_count())
    {
        let (least, scale) = (least_kept(rate), dropout_scale(rate));
        let masked = crate::dropout_on_device::MaskedOnDevice { position, least, scale };
        return Ok(x.contiguous()?.apply_op1(masked)?);
    }
    let kept = mask(masks, x.elem_count(), rate)?.into();
    let masked = Masked { kept, scale: dropout_scale(rate) };
    if x.device().is_cpu() && matches!(x.dtype(), DType::F32 | DType::F64) {
        return Ok(x.contiguous()?.apply_op1(masked)?);
    }
    let mask = Tensor::from_vec(masked.factors::<f32>(), x.shape(), x.device())?;
    Ok(x.mul(&mask.to_dtype(x.dtype())?)?)
}

/// A mask of `n` numbers.
///
/// # Errors
/// [`Error::MaskLength`] if the source gives more or fewer.
pub(crate) fn mask(
    masks: &mut (impl DropoutMasks + ?Sized),
    n: usize,
    rate: f64,
) -> Result<Vec<bool>> {
    let kept = masks.kept(n, rate);
    if kept.len() == n { Ok(kept) } else { Err(Error::MaskLength { got: kept.len(), expected: n }) }
}

/// Multiplication by a mask on the CPU. Candle's own would need the mask in numbers, forward and backward.
#[derive(Clone)]
struct Masked {
    kept: Arc<[bool]>,
    scale: f64,
}

impl Masked {
    fn factors<E: Element>(&self) -> Vec<E> {
        let scale = E::from_f64(self.scale);
        self.kept.iter().map(|&kept| if kept { scale } else { E::default() }).collect()
    }

    fn apply<E: Element>(&self, numbers: &[E]) -> Vec<E> {
        let scale = E::from_f64(self.scale);
        let masked = |(&number, &kept): (&E, &bool)| {
            let scaled = number * scale;
            if kept { scaled } else { E::default() }
        };
        numbers.iter().zip(self.kept.iter()).map(masked).collect()
    }
}

impl CustomOp1 for Masked {
    fn name(&self) -> &'static str {
        "dropout"
    }

    fn cpu_fwd(
        &self,
        storage: &CpuStorage,
        layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let masked = match storage.dtype() {
            DType::F64 => CpuStorage::F64(self.apply(contiguous(storage, layout)?)),
            _ => CpuStorage::F32(self.apply(contiguous(storage, layout)?)),
        };
        Ok((masked, layout.shape().clone()))
    }

    fn bwd(
        &self,
        _: &Tensor,
        _: &Tensor,
        gradient: &Tensor,
    ) -> candle_core::Result<Option<Tensor>> {
        // The same again, and linear: so are its derivatives.
        Ok(Some(gradient.contiguous()?.apply_op1(self.clone())?))
    }
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
    use candle_core::Device;

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

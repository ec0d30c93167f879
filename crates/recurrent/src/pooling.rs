//! Pooling of a sequence's outputs to one vector, in candle's operations; for f32 on a CUDA device, by kernels of our
//! own.

use candle_core::Tensor;

use crate::error::Result;
use crate::lengths::Lengths;
#[cfg(feature = "cuda")]
use crate::pooling_on_device;

/// How [`forward_pooled`](crate::Layer::forward_pooled) makes one vector of the outputs of a row's steps,
/// feature by feature. At least one of the two must be wanted. A row without steps gives zeros.
///
/// The fused kernels, and f32 on a CUDA device, treat equal maxima and NaN as PyTorch does: of several equal maxima
/// the first gets the gradient, and a NaN makes both the max and the mean NaN. Elsewhere candle's `max` decides, in
/// which each of several equal maxima gets all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pooling {
    /// The largest value over the real steps, first in the vector.
    pub max: bool,
    /// The mean over the real steps, last in the vector.
    pub mean: bool,
}

impl Pooling {
    /// How many of the two are wanted.
    pub(crate) fn n_parts(self) -> usize {
        usize::from(self.max) + usize::from(self.mean)
    }
}

/// Pools outputs `(batch, steps, features)` that are zero past each row's length, in candle's operations or, f32 on a
/// CUDA device, by kernels of our own.
///
/// # Errors
/// If there are not as many lengths as rows, one is too large, or the device fails.
pub fn pool(outputs: &Tensor, lengths: &[usize], pooling: Pooling) -> Result<Tensor> {
    let (batch, steps, _) = outputs.dims3()?;
    Ok(pool_checked(outputs, &Lengths::check(Some(lengths), batch, steps)?, pooling)?)
}

/// Pools outputs `[B, T, F]`.
pub(crate) fn pool_checked(
    outputs: &Tensor,
    lengths: &Lengths,
    pooling: Pooling,
) -> candle_core::Result<Tensor> {
    #[cfg(feature = "cuda")]
    if let Some(pooled) = pooling_on_device::pool(outputs, lengths, pooling)? {
        return Ok(pooled);
    }
    let mut parts = Vec::new();
    if pooling.max {
        parts.push(max(outputs, lengths)?);
    }
    if pooling.mean {
        let (dtype, device) = (outputs.dtype(), outputs.device());
        let counts: Vec<f32> = lengths.by_row.iter().map(|&length| length.max(1) as f32).collect();
        let counts = Tensor::from_vec(counts, (lengths.by_row.len(), 1), device)?;
        parts.push(outputs.sum(1)?.broadcast_div(&counts.to_dtype(dtype)?)?);
    }
    Tensor::cat(&parts, 1)
}

fn max(outputs: &Tensor, lengths: &Lengths) -> candle_core::Result<Tensor> {
    if lengths.all_full {
        return outputs.max(1);
    }
    let (batch, steps, _) = outputs.dims3()?;
    // An empty row keeps its first step, which is zero.
    let real: Vec<u8> = lengths
        .by_row
        .iter()
        .flat_map(|&length| (0..steps).map(move |step| u8::from(step < length.max(1))))
        .collect();
    let real = Tensor::from_vec(real, (batch, steps, 1), outputs.device())?;
    let lowest = Tensor::full(f32::NEG_INFINITY, outputs.shape(), outputs.device())?;
    let lowest = lowest.to_dtype(outputs.dtype())?;
    real.broadcast_as(outputs.shape())?.where_cond(outputs, &lowest)?.max(1)
}

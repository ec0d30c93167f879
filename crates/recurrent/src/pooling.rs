//! Pooling of a sequence's outputs to one vector, in candle's operations.

use candle_core::{Result, Tensor};

use crate::lengths::Lengths;

/// How [`forward_pooled`](crate::Layer::forward_pooled) makes one vector of the outputs of a row's steps,
/// feature by feature. At least one of the two must be wanted.
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

/// Pools outputs `[B, T, F]`, zero past each row's length; an empty row gives zeros.
pub(crate) fn pool(outputs: &Tensor, lengths: &Lengths, pooling: Pooling) -> Result<Tensor> {
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

fn max(outputs: &Tensor, lengths: &Lengths) -> Result<Tensor> {
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

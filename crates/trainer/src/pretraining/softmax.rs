//! Cross-entropy of words among candidates.

use std::sync::Mutex;
use std::sync::PoisonError;

use candle_core::{CpuStorage, CustomOp1, DType, Layout, Shape, Tensor, WithDType};
use rayon::prelude::*;

use crate::error::Result;

/// Rows that one task works through at least.
const ROWS_PER_TASK: usize = 32;

/// The sum of `scale · -ln softmax(logits)[target]` over the rows of `logits [N, C]`; `targets`: `[N]`,
/// each below C. A scalar, whose gradient is `scale · (softmax(logits) - [target])`.
///
/// # Errors
/// If the shapes do not fit or a device fails.
pub(super) fn cross_entropy(logits: &Tensor, targets: &[u32], scale: f64) -> Result<Tensor> {
    if logits.device().is_cpu() && logits.dtype() == DType::F32 {
        let op = CrossEntropy { targets: targets.to_vec(), scale, gradient: Mutex::new(None) };
        return Ok(logits.contiguous()?.apply_op1(op)?);
    }
    let targets = Tensor::new(targets, logits.device())?;
    let n = logits.dim(0)? as f64;
    Ok((candle_nn::loss::cross_entropy(logits, &targets)? * (n * scale))?)
}

/// One pass over the logits for value and gradient, on all cores; candle's operations take a dozen on
/// one.
struct CrossEntropy {
    targets: Vec<u32>,
    scale: f64,
    /// What the forward pass found.
    gradient: Mutex<Option<Vec<f32>>>,
}

impl CustomOp1 for CrossEntropy {
    fn name(&self) -> &'static str {
        "cross-entropy"
    }

    fn cpu_fwd(
        &self,
        storage: &CpuStorage,
        layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let (n_rows, width) = layout.shape().dims2()?;
        let Some((start, end)) = layout.contiguous_offsets() else {
            candle_core::bail!("{} takes contiguous logits", self.name());
        };
        let is_candidate = |&target: &u32| (target as usize) < width;
        if self.targets.len() != n_rows || !self.targets.iter().all(is_candidate) {
            candle_core::bail!("{} takes a target below {width} for each row", self.name());
        }
        let logits = &f32::cpu_storage_as_slice(storage)?[start..end];
        let mut gradient = logits.to_vec();
        let losses: Vec<f64> = gradient
            .par_chunks_exact_mut(width.max(1))
            .zip(&self.targets)
            .with_min_len(ROWS_PER_TASK)
            .map(|(row, &target)| {
                let logit = row[target as usize];
                let log_sum = exponentials(row);
                let factor = (self.scale / log_sum.sum) as f32;
                row.iter_mut().for_each(|x| *x *= factor);
                row[target as usize] -= self.scale as f32;
                self.scale * (log_sum.ln() - f64::from(logit))
            })
            .collect();
        *self.gradient.lock().unwrap_or_else(PoisonError::into_inner) = Some(gradient);
        let loss = losses.iter().sum::<f64>() as f32;
        Ok((CpuStorage::F32(vec![loss]), Shape::from(())))
    }

    fn bwd(
        &self,
        logits: &Tensor,
        _loss: &Tensor,
        d_loss: &Tensor,
    ) -> candle_core::Result<Option<Tensor>> {
        let saved = self.gradient.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(gradient) = saved else {
            candle_core::bail!("{} goes backward once", self.name());
        };
        let gradient = Tensor::from_vec(gradient, logits.shape(), logits.device())?;
        let d_loss: f32 = d_loss.to_scalar()?;
        Ok(Some(if d_loss == 1.0 { gradient } else { (gradient * f64::from(d_loss))? }))
    }
}

/// The sum of the exponentials of some numbers less the largest of them.
pub(super) struct LogSum {
    largest: f32,
    sum: f64,
}

impl LogSum {
    /// The logarithm of the sum of the numbers' exponentials.
    pub(super) fn ln(&self) -> f64 {
        f64::from(self.largest) + self.sum.ln()
    }
}

/// Puts the exponential of each number, less the largest, in its place.
pub(super) fn exponentials(row: &mut [f32]) -> LogSum {
    let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    for x in row.iter_mut() {
        *x = (*x - largest).exp();
    }
    // Short sums in f32, added up in f64.
    let sum = row.chunks(64).map(|part| f64::from(part.iter().sum::<f32>())).sum();
    LogSum { largest, sum }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Var};

    #[test]
    fn value_and_gradient_are_those_of_candles_operations() -> Result<()> {
        let numbers: Vec<f32> = (0..70 * 9).map(|i| (i as f32 * 0.37).sin() * 20.0).collect();
        let targets: Vec<u32> = (0..70).map(|i| i * 5 % 9).collect();
        let run = |dtype| -> Result<(f64, Vec<f64>)> {
            let logits = Tensor::from_slice(&numbers, (70, 9), &Device::Cpu)?.to_dtype(dtype)?;
            let logits = Var::from_tensor(&logits)?;
            let loss = (cross_entropy(&logits, &targets, 0.5)? * 3.0)?;
            let store = loss.backward()?;
            let gradient = store.get(&logits).map(|d| d.to_dtype(DType::F64)).transpose()?;
            let gradient = gradient.map(|d| d.flatten_all()?.to_vec1()).transpose()?;
            Ok((loss.to_dtype(DType::F64)?.to_scalar()?, gradient.unwrap_or_default()))
        };
        let (own, candles) = (run(DType::F32)?, run(DType::F64)?);
        assert!((own.0 - candles.0).abs() < 1e-5 * candles.0, "{} {}", own.0, candles.0);
        assert_eq!(own.1.len(), candles.1.len());
        for (own, candle) in own.1.iter().zip(candles.1) {
            assert!((own - candle).abs() < 1e-6, "{own} {candle}");
        }
        Ok(())
    }
}

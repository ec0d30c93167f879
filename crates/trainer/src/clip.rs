//! Gradient clipping by global norm.

#[cfg(feature = "cuda")]
mod on_device;

use candle_core::{D, DType, Tensor};
use rayon::prelude::*;

use crate::error::Result;
use crate::numbers::{TASK_LEN, with_f32};
use crate::scalar::{Scalar, is_here};

/// The Euclidean norm of all gradients taken as one vector.
///
/// # Errors
/// If a device fails.
pub fn global_norm<'a>(gradients: impl IntoIterator<Item = &'a Tensor>) -> Result<f64> {
    let gradients: Vec<&Tensor> = gradients.into_iter().collect();
    #[cfg(feature = "cuda")]
    if let Some(norm) = on_device::norm(&gradients)? {
        return Scalar::OnDevice(norm).read();
    }
    let mut sum = 0.0;
    for gradient in gradients {
        sum += squared_norm(gradient)?;
    }
    Ok(sum.sqrt())
}

/// The factor that scales gradients of this norm to at most `max_norm`
/// ([torch.nn.utils.clip_grad_norm_](https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.clip_grad_norm_.html));
/// 1 when `max_norm` is 0, which turns clipping off.
pub fn clip_factor(norm: f64, max_norm: f64) -> f64 {
    if max_norm == 0.0 { 1.0 } else { (max_norm / (norm + 1e-6)).min(1.0) }
}

/// [`global_norm`], found where the gradients are: on a device other than the CPU it stays there.
///
/// # Errors
/// If the device fails.
pub(crate) fn norm<'a>(gradients: impl IntoIterator<Item = &'a Tensor>) -> Result<Scalar> {
    let gradients: Vec<&Tensor> = gradients.into_iter().collect();
    if gradients.iter().all(|gradient| is_here(gradient.device())) {
        return Ok(Scalar::Number(global_norm(gradients)?));
    }
    #[cfg(feature = "cuda")]
    if let Some(norm) = on_device::norm(&gradients)? {
        return Ok(Scalar::OnDevice(norm));
    }
    let mut sum: Option<Tensor> = None;
    for gradient in gradients {
        let squares = squares(gradient)?;
        sum = Some(match sum {
            Some(sum) => (sum + squares)?,
            None => squares,
        });
    }
    match sum {
        Some(sum) => Ok(Scalar::OnDevice(sum.sqrt()?)),
        None => Ok(Scalar::Number(0.0)),
    }
}

/// [`clip_factor`] where the norm is.
///
/// # Errors
/// If the device fails.
pub(crate) fn clip_scale(norm: &Scalar, max_norm: f64) -> Result<Scalar> {
    Ok(match norm {
        Scalar::Number(norm) => Scalar::Number(clip_factor(*norm, max_norm)),
        Scalar::OnDevice(_) if max_norm == 0.0 => Scalar::Number(1.0),
        Scalar::OnDevice(norm) => {
            #[cfg(feature = "cuda")]
            if let Some(scale) = on_device::clip_scale(norm, max_norm)? {
                return Ok(Scalar::OnDevice(scale));
            }
            let factor = ((norm + 1e-6)?.recip()? * max_norm)?;
            Scalar::OnDevice(factor.minimum(&factor.ones_like()?)?)
        }
    })
}

/// The sum of a tensor's squares, `[]`, f32, on its device. The sums of its rows come first: a device adds up rows side
/// by side, but all numbers at once on a small part of it.
fn squares(tensor: &Tensor) -> Result<Tensor> {
    let squares = tensor.detach().to_dtype(DType::F32)?.sqr()?;
    let of_rows = if squares.rank() > 1 { squares.sum(D::Minus1)? } else { squares };
    Ok(of_rows.sum_all()?)
}

fn squared_norm(gradient: &Tensor) -> Result<f64> {
    let on_cpu = with_f32(gradient, |numbers| {
        let parts: Vec<f64> = numbers
            .par_chunks(TASK_LEN)
            .map(|chunk| {
                // Short sums in f32, which the compiler vectorises, added up in f64.
                chunk.chunks(256).map(|part| f64::from(sum_of_squares(part))).sum()
            })
            .collect();
        parts.iter().sum()
    })?;
    match on_cpu {
        Some(sum) => Ok(sum),
        None => Scalar::OnDevice(squares(gradient)?).read(),
    }
}

fn sum_of_squares(numbers: &[f32]) -> f32 {
    let mut lanes = [0f32; 16];
    let (blocks, rest) = numbers.as_chunks::<16>();
    for block in blocks {
        for (lane, x) in lanes.iter_mut().zip(block) {
            *lane += x * x;
        }
    }
    lanes.iter().sum::<f32>() + rest.iter().map(|x| x * x).sum::<f32>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn the_norm_is_over_all_tensors_together() -> Result<()> {
        let a = Tensor::full(2f32, (300, 700), &Device::Cpu)?;
        let b = Tensor::new(&[3f32, 4.0], &Device::Cpu)?;
        let norm = global_norm([&a, &b])?;
        assert!((norm - (4.0f64 * 210_000.0 + 25.0).sqrt()).abs() < 1e-9, "{norm}");
        Ok(())
    }

    #[test]
    fn only_norms_above_the_limit_are_clipped() {
        assert_eq!(clip_factor(4.0, 5.0), 1.0);
        assert!((clip_factor(10.0, 5.0) - 0.5).abs() < 1e-6);
        assert_eq!(clip_factor(10.0, 0.0), 1.0);
    }
}

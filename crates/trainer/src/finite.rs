//! Values that are not finite: how to name them, and how to find them in weights.

use candle_core::{DType, Tensor};
use model::Weights;
use rayon::prelude::*;

use crate::error::Result;
use crate::numbers::{TASK_LEN, with_f32};

/// A value that is not finite.
#[derive(Debug, Clone, PartialEq)]
pub struct NonFinite {
    /// The quantity that has the value, such as `loss`.
    pub quantity: String,
    /// The value.
    pub value: f64,
}

impl NonFinite {
    pub(crate) fn new(quantity: impl Into<String>, value: impl Into<f64>) -> Self {
        Self { quantity: quantity.into(), value: value.into() }
    }
}

/// The first weight, by name, that is not finite.
///
/// A validation can look sound even if the row of a word that occurs in none of its texts is not
/// finite.
///
/// # Errors
/// If a device fails.
pub(crate) fn first_in(weights: &Weights) -> Result<Option<NonFinite>> {
    for (name, tensor) in weights {
        if let Some(value) = first_of(tensor)? {
            return Ok(Some(NonFinite::new(format!("weights {name}"), value)));
        }
    }
    Ok(None)
}

fn first_of(tensor: &Tensor) -> Result<Option<f64>> {
    let on_cpu = with_f32(tensor, |numbers| {
        // Without an early exit, the compiler vectorises the loop.
        let is_finite = |chunk: &&[f32]| chunk.iter().fold(true, |all, x| all & x.is_finite());
        numbers
            .par_chunks(TASK_LEN)
            .find_first(|chunk| !is_finite(chunk))
            .and_then(|chunk| chunk.iter().find(|x| !x.is_finite()))
            .map(|x| f64::from(*x))
    })?;
    match on_cpu {
        Some(found) => Ok(found),
        None => {
            let sum = (tensor.to_dtype(DType::F32)? * 0.0)?.sum_all()?.to_scalar::<f32>()?;
            Ok((sum != 0.0).then_some(f64::NAN))
        }
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn a_single_number_among_many_is_found() -> Result<()> {
        let n = 3 * TASK_LEN + 17;
        for (place, bad) in [(0, f32::NAN), (n - 1, f32::INFINITY), (TASK_LEN, f32::NEG_INFINITY)] {
            for dtype in [DType::F32, DType::F64] {
                let mut numbers = vec![f32::MAX; n];
                let weights = |numbers: &[f32]| -> Result<Weights> {
                    let tensor = Tensor::new(numbers, &Device::Cpu)?.to_dtype(dtype)?;
                    Ok(Weights::from([("table".to_string(), tensor)]))
                };
                assert_eq!(first_in(&weights(&numbers)?)?, None);
                numbers[place] = bad;
                let found = first_in(&weights(&numbers)?)?;
                assert!(found.is_some_and(|found| {
                    found.quantity == "weights table" && !found.value.is_finite()
                }));
            }
        }
        Ok(())
    }
}

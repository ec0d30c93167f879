//! Scales the logits of a network's two paths by scaling the weights that produce them.

use candle_core::{Device, Tensor};

use crate::parameters::{FC_BIAS, FC_WEIGHT, NGRAM_BIAS, NGRAM_TABLE, Weights};

/// Scales applied to the logits of a network's two paths: each has a number for every output, `[O]`, or one
/// number for all.
#[derive(Debug, Clone, PartialEq)]
pub struct PathScales {
    /// Scale of the recurrent layers' logits.
    pub recurrent: Vec<f64>,
    /// Scale of the linear path's logits, if there is one.
    pub linear: Vec<f64>,
    /// Added to the logits of either path before they are scaled.
    pub shift: Vec<f64>,
}

impl Default for PathScales {
    /// No change.
    fn default() -> Self {
        Self::uniform(1.0, 1.0, 0.0)
    }
}

impl PathScales {
    /// The same scales for every output.
    #[must_use]
    pub fn uniform(recurrent: f64, linear: f64, shift: f64) -> Self {
        Self { recurrent: vec![recurrent], linear: vec![linear], shift: vec![shift] }
    }
}

impl PathScales {
    /// The weights of a network whose paths' logits are scaled, by scaling the weights and biases that produce them.
    /// All others share their memory with the given ones.
    ///
    /// # Errors
    /// If the scales are neither one nor as many as the outputs, or the device fails.
    pub fn applied(&self, weights: &Weights) -> candle_core::Result<Weights> {
        let Self { recurrent, linear, shift } = self;
        // The outputs are the rows of `fc.weight` and the columns of the n-grams' table.
        let parameters = [
            (FC_WEIGHT, 0, recurrent, None),
            (FC_BIAS, 0, recurrent, Some(shift)),
            (NGRAM_TABLE, 1, linear, None),
            (NGRAM_BIAS, 0, linear, Some(shift)),
        ];
        let mut scaled = weights.clone();
        for (name, outputs_at, scale, shift) in parameters {
            if let Some(weights) = scaled.get_mut(name) {
                *weights = of_outputs(weights, outputs_at, scale, shift.map(Vec::as_slice))?;
            }
        }
        Ok(scaled)
    }
}

/// `weights` times `scale`, plus `scale` times `shift`, of each output. `outputs_at`: the dimension that the
/// outputs are.
fn of_outputs(
    weights: &Tensor,
    outputs_at: usize,
    scale: &[f64],
    shift: Option<&[f64]>,
) -> candle_core::Result<Tensor> {
    let n_outputs = weights.dim(outputs_at)?;
    let of = |numbers: &[f64], output: usize| match numbers {
        [number] => Ok(*number),
        numbers if numbers.len() == n_outputs => Ok(numbers[output]),
        numbers => {
            let n = numbers.len();
            candle_core::bail!("there are {n} scales, expected 1 or {n_outputs}, one per output")
        }
    };
    let added = |output: usize| match shift {
        None => Ok(0.0),
        Some(shift) => Ok::<_, candle_core::Error>(of(scale, output)? * of(shift, output)?),
    };
    if scale.len() == 1 && shift.is_none_or(|shift| shift.len() == 1) {
        return weights.affine(of(scale, 0)?, added(0)?);
    }
    let mut shape = vec![1; weights.rank()];
    shape[outputs_at] = n_outputs;
    let row = |number: &dyn Fn(usize) -> candle_core::Result<f64>| {
        let numbers: Vec<f64> = (0..n_outputs).map(number).collect::<candle_core::Result<_>>()?;
        Tensor::from_vec(numbers, shape.as_slice(), &Device::Cpu)?
            .to_dtype(weights.dtype())?
            .to_device(weights.device())
    };
    weights.broadcast_mul(&row(&|output| of(scale, output))?)?.broadcast_add(&row(&added)?)
}

#[cfg(test)]
mod tests {
    use candle_core::Result;

    use super::*;

    fn weights(n_outputs: usize) -> Result<Weights> {
        let mut weights = Weights::new();
        let shapes = [
            (FC_WEIGHT, vec![n_outputs, 4]),
            (FC_BIAS, vec![n_outputs]),
            (NGRAM_TABLE, vec![5, n_outputs]),
            (NGRAM_BIAS, vec![n_outputs]),
            ("embedding.weight", vec![3, 3]),
        ];
        for (seed, (name, shape)) in shapes.into_iter().enumerate() {
            let n: usize = shape.iter().product();
            let numbers: Vec<f32> = (0..n).map(|i| (i as f32 + 1.7 * seed as f32).sin()).collect();
            let tensor = Tensor::from_vec(numbers, shape, &Device::Cpu)?;
            weights.insert(name.to_string(), tensor);
        }
        Ok(weights)
    }

    /// Every number, by name.
    fn numbers(weights: &Weights) -> Result<Vec<(String, Vec<f32>)>> {
        let all = weights.iter();
        all.map(|(name, tensor)| Ok((name.clone(), tensor.flatten_all()?.to_vec1()?))).collect()
    }

    fn scaled(weights: &Weights, scales: &PathScales) -> Result<Vec<(String, Vec<f32>)>> {
        numbers(&scales.applied(weights)?)
    }

    #[test]
    fn every_output_has_scales_of_its_own() -> Result<()> {
        let weights = weights(3)?;
        let before = numbers(&weights)?;
        let scales = PathScales {
            recurrent: vec![0.5, 2.0, -1.0],
            linear: vec![3.0],
            shift: vec![0.0, 1.0, 0.25],
        };
        for ((name, got), (_, before)) in scaled(&weights, &scales)?.iter().zip(&before) {
            for (index, (got, weight)) in got.iter().zip(before).enumerate() {
                let (scale, shift) = match name.as_str() {
                    FC_WEIGHT => (scales.recurrent[index / 4], 0.0),
                    FC_BIAS => (scales.recurrent[index], scales.shift[index]),
                    NGRAM_TABLE => (3.0, 0.0),
                    NGRAM_BIAS => (3.0, scales.shift[index]),
                    _ => (1.0, 0.0),
                };
                let expected = scale * (f64::from(*weight) + shift);
                assert!((f64::from(*got) - expected).abs() < 1e-6, "{name}: {got} {expected}");
            }
        }
        assert_eq!(numbers(&weights)?, before, "the given ones are as they were");
        Ok(())
    }

    #[test]
    fn one_number_for_all_outputs_has_the_bits_of_as_many_equal_ones() -> Result<()> {
        let weights = weights(3)?;
        let (recurrent, linear, shift) = (0.37, 0.81, -0.13);
        let each = PathScales {
            recurrent: vec![recurrent; 3],
            linear: vec![linear; 3],
            shift: vec![shift; 3],
        };
        let all = PathScales::uniform(recurrent, linear, shift);
        assert_eq!(scaled(&weights, &each)?, scaled(&weights, &all)?);
        Ok(())
    }

    #[test]
    fn another_number_of_scales_is_an_error() -> Result<()> {
        let weights = weights(3)?;
        for scales in [
            PathScales { linear: vec![1.0; 2], ..PathScales::default() },
            PathScales { shift: vec![0.0; 4], ..PathScales::default() },
            PathScales { recurrent: vec![], ..PathScales::default() },
            PathScales { shift: vec![], ..PathScales::default() },
        ] {
            let error = scaled(&weights, &scales).unwrap_err().to_string();
            assert!(error.contains("expected 1 or 3, one per output"), "{error}");
        }
        Ok(())
    }
}

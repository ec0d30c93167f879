//! An exponential moving average of the weights.

use std::collections::BTreeMap;

use candle_core::{Tensor, Var};
use rayon::prelude::*;

use crate::error::Result;
use crate::numbers::{TASK_LEN, is_f32_on_cpu, with_f32, with_f32_mut};

/// An exponentially weighted mean of the weights over the last steps (after Polyak and Juditsky 1992):
/// `a = d a + (1 - d) θ` after every step.
///
/// In the first steps d is the smaller of `decay` and `(1 + t) / (10 + t)`, so that the random initial
/// weights are soon forgotten, as in
/// [tf.train.ExponentialMovingAverage](https://www.tensorflow.org/api_docs/python/tf/train/ExponentialMovingAverage).
#[derive(Debug)]
pub struct WeightAverage {
    decay: f64,
    n_steps: u64,
    averages: Vec<(Var, Tensor)>,
}

impl WeightAverage {
    /// Starts from the current weights. `decay`: d, below 1.
    ///
    /// # Errors
    /// If a device fails.
    pub fn new(variables: &BTreeMap<String, Var>, decay: f64) -> Result<Self> {
        let averages = variables
            .values()
            .map(|var| Ok((var.clone(), var.as_detached_tensor().copy()?)))
            .collect::<Result<_>>()?;
        Ok(Self { decay, n_steps: 0, averages })
    }

    /// Updates the average after a step.
    ///
    /// # Errors
    /// If a device fails.
    pub fn update(&mut self) -> Result<()> {
        self.n_steps += 1;
        let t = self.n_steps as f64;
        let decay = self.decay.min((1.0 + t) / (10.0 + t));
        for (var, average) in &mut self.averages {
            if is_f32_on_cpu(var) {
                let new_share = (1.0 - decay) as f32;
                with_f32(var, |weights| {
                    with_f32_mut(average, |averages| {
                        averages
                            .par_chunks_mut(TASK_LEN)
                            .zip(weights.par_chunks(TASK_LEN))
                            .for_each(|(averages, weights)| {
                                for (average, weight) in averages.iter_mut().zip(weights) {
                                    *average += new_share * (weight - *average);
                                }
                            });
                        Ok(())
                    })
                })?
                .transpose()?;
            } else {
                let change = ((var.as_detached_tensor() - &*average)? * (1.0 - decay))?;
                *average = (&*average + change)?;
            }
        }
        Ok(())
    }

    /// Swaps weights and averages: once to evaluate and save the averages, once more to go on training.
    ///
    /// # Errors
    /// If a device fails.
    pub fn swap(&mut self) -> Result<()> {
        for (var, average) in &mut self.averages {
            let weights = var.as_detached_tensor().copy()?;
            var.set(average)?;
            *average = weights;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};

    use super::*;

    #[test]
    fn the_average_follows_its_definition_on_every_dtype() -> Result<()> {
        for dtype in [DType::F32, DType::F64] {
            let start = Tensor::new(&[1.0, -2.0], &Device::Cpu)?.to_dtype(dtype)?;
            let var = Var::from_tensor(&start)?;
            let mut average =
                WeightAverage::new(&BTreeMap::from([("w".to_string(), var.clone())]), 0.9)?;
            let mut expected = [1.0, -2.0];
            for t in 1..=200 {
                let weights = [f64::from(t).sin(), f64::from(t) * 0.01];
                var.set(&Tensor::new(&weights, &Device::Cpu)?.to_dtype(dtype)?)?;
                average.update()?;
                let decay = (f64::from(1 + t) / f64::from(10 + t)).min(0.9);
                for (mean, weight) in expected.iter_mut().zip(weights) {
                    *mean = decay * *mean + (1.0 - decay) * weight;
                }
            }
            let weights = var.to_dtype(DType::F64)?.to_vec1::<f64>()?;
            average.swap()?;
            let got = var.to_dtype(DType::F64)?.to_vec1::<f64>()?;
            assert!(got.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{got:?}");
            average.swap()?;
            assert!(average.averages.iter().all(|(_, average)| !average.track_op()));
            assert_eq!(var.to_dtype(DType::F64)?.to_vec1::<f64>()?, weights);
        }
        Ok(())
    }
}

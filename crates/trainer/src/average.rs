//! An exponential moving average of the weights.

use std::collections::BTreeMap;

use candle_core::{Tensor, Var};
use rayon::prelude::*;

use crate::error::Result;
use crate::numbers::{TASK_LEN, is_f32_on_cpu, with_f32, with_f32_mut};
use crate::state::{Restored, Snapshot};

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
    averages: Vec<Average>,
}

#[derive(Debug)]
struct Average {
    name: String,
    var: Var,
    mean: Tensor,
}

impl WeightAverage {
    /// Starts from the current weights. `decay`: d, below 1.
    ///
    /// # Errors
    /// If a device fails.
    pub fn new(variables: &BTreeMap<String, Var>, decay: f64) -> Result<Self> {
        let averages = variables
            .iter()
            .map(|(name, var)| {
                let mean = var.as_detached_tensor().copy()?;
                Ok(Average { name: name.clone(), var: var.clone(), mean })
            })
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
        for Average { var, mean: average, .. } in &mut self.averages {
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

    /// Adds the averages under names that begin with `prefix`.
    pub(crate) fn snapshot<'a>(&'a self, prefix: &str, to: &mut Snapshot<'a>) -> Result<()> {
        to.fact(format!("{prefix}n_steps"), &self.n_steps)?;
        self.averages
            .iter()
            .try_for_each(|Average { name, mean, .. }| to.tensor(format!("{prefix}{name}"), mean))
    }

    /// Takes over a state that [`snapshot`](Self::snapshot) made.
    pub(crate) fn restore(&mut self, prefix: &str, from: &mut Restored) -> Result<()> {
        self.n_steps = from.fact(&format!("{prefix}n_steps"))?;
        for Average { name, mean, .. } in &mut self.averages {
            *mean = from.tensor_like(&format!("{prefix}{name}"), mean)?;
        }
        Ok(())
    }

    /// The averages by name. On the CPU they share their memory with what the next step changes.
    pub fn means(&self) -> impl Iterator<Item = (String, Tensor)> {
        self.averages.iter().map(|average| (average.name.clone(), average.mean.clone()))
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
            let (name, mean) = average.means().next().unwrap();
            let got = mean.to_dtype(DType::F64)?.to_vec1::<f64>()?;
            assert!(got.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{got:?}");
            assert!(name == "w" && !mean.track_op());
        }
        Ok(())
    }
}

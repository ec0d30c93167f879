//! Keeps a network near the weights that it started from.
//!
//! The weights that are validated and saved are halfway between those of the model that the training started from and
//! those that it has reached (WiSE-FT, Wortsman et al. 2022). The training itself goes on with its own weights. On the
//! way between two such networks, most of what the second has learned is there before much of what the first knew is
//! lost: halfway with a higher learning rate is better at both than the end with a lower one.

use model::Weights;

use crate::error::Result;

/// How far the weights of answers are from the start, as a share of the way to the trained ones.
pub(super) const TRAINED_SHARE: f64 = 0.5;

/// The weights that a training started from.
pub(crate) struct Anchor(Weights);

impl Anchor {
    /// `start`: on the network's device.
    pub(crate) fn new(start: Weights) -> Self {
        Self(start)
    }

    /// The weights between the start and the trained ones; those without a start stay as they are.
    ///
    /// # Errors
    /// If a device fails.
    pub(crate) fn pulled(&self, mut trained: Weights) -> Result<Weights> {
        for (name, start) in &self.0 {
            if let Some(weights) = trained.get_mut(name) {
                let way = ((weights.detach() - start)? * TRAINED_SHARE)?;
                *weights = (start + way)?;
            }
        }
        Ok(trained)
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Tensor};

    use super::*;

    #[test]
    fn weights_are_halfway_to_where_training_led_and_new_ones_stay() -> Result<()> {
        let weights = |all: &[(&str, f32)]| -> Result<Weights> {
            let tensor = |number: f32| Tensor::new(&[number], &Device::Cpu);
            all.iter().map(|(name, number)| Ok((name.to_string(), tensor(*number)?))).collect()
        };
        let anchor = Anchor::new(weights(&[("a", 1.0), ("gone", 9.0)])?);
        let pulled = anchor.pulled(weights(&[("a", 4.0), ("new", 7.0)])?)?;
        assert_eq!(pulled.keys().collect::<Vec<_>>(), ["a", "new"]);
        assert_eq!(pulled["a"].to_vec1::<f32>()?, [2.5]);
        assert_eq!(pulled["new"].to_vec1::<f32>()?, [7.0]);
        Ok(())
    }
}

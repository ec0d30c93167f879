//! How a network is trained.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Settings of a training. The default is the notebook's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainingConfig {
    /// Passes over the training texts.
    pub epochs: usize,
    /// Texts in a batch.
    pub batch_size: usize,
    /// Adam's step size.
    pub learning_rate: f64,
    /// Largest global norm of the gradient; 0 switches clipping off.
    pub clip_norm: f64,
    /// Whether a batch starts from the state that the batch before left, as the notebook does.
    pub state: StateCarry,
    /// Validations without a lower loss after which the training ends; 0 never ends it early.
    pub patience: usize,
    /// Optimiser steps between validations; 0 validates at the end of each epoch only.
    pub validate_every: usize,
    /// Seed of the split, the initial weights, the dropout and the order of the batches.
    pub seed: u64,
}

/// Where a batch's initial state comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StateCarry {
    /// Each batch starts from zeros.
    Zero,
    /// From what the batch before left, without its gradient; zeros at the start of an epoch and
    /// for a batch of another size. The texts of two batches have nothing to do with each other,
    /// so this is of use only to repeat the notebook.
    Carry,
}

impl Default for TrainingConfig {
    fn default() -> Self {
        Self {
            epochs: 4,
            batch_size: 50,
            learning_rate: 0.001,
            clip_norm: 5.0,
            state: StateCarry::Carry,
            patience: 0,
            validate_every: 0,
            seed: 0,
        }
    }
}

impl TrainingConfig {
    /// Checks every value's range.
    ///
    /// # Errors
    /// [`Error::Config`] with the first field that is out of range.
    pub fn check(&self) -> Result<()> {
        for (field, value) in [("epochs", self.epochs), ("batch_size", self.batch_size)] {
            if value == 0 {
                return Err(Error::Config { field, expected: "at least 1", got: "0".to_string() });
            }
        }
        if !(self.learning_rate > 0.0 && self.learning_rate.is_finite()) {
            let (expected, got) = ("a number above 0", self.learning_rate.to_string());
            return Err(Error::Config { field: "learning_rate", expected, got });
        }
        if !self.clip_norm.is_finite() || self.clip_norm < 0.0 {
            let (expected, got) =
                ("0 (off) or a finite number above it", self.clip_norm.to_string());
            return Err(Error::Config { field: "clip_norm", expected, got });
        }
        Ok(())
    }
}

//! Language-model pre-training: before it learns the classes, a network learns to predict the next
//! word.

mod candidates;
mod language_model;
mod softmax;

use model::ModelConfig;
use recurrent::settings;
use serde::{Deserialize, Serialize};

use crate::config::{Schedule, TrainingConfig};
use crate::error::Result;
use crate::schedule::LearningRate;

pub(crate) use language_model::{LanguageModel, Learned};

/// Pre-training settings. The default is no pre-training.
///
/// The network's embedding and recurrent layers are trained as a language model on the training texts
/// (Dai and Le 2015, [Semi-supervised sequence learning](https://arxiv.org/abs/1511.01432)): the output
/// at each word predicts the next word; in the backward direction, the previous one. The output weights
/// are the embedding's rows themselves (tied weights, Press and Wolf 2017).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PretrainingConfig {
    /// Passes over the training texts; 0 for no pre-training.
    pub epochs: usize,
    /// Texts in a batch.
    pub batch_size: usize,
    /// Adam's step size, the maximum of a one-cycle schedule.
    pub learning_rate: f64,
    /// Largest global norm of the gradient; 0 turns clipping off.
    pub clip_norm: f64,
}

impl Default for PretrainingConfig {
    fn default() -> Self {
        Self { epochs: 0, batch_size: 50, learning_rate: 0.003, clip_norm: 1.0 }
    }
}

impl PretrainingConfig {
    /// Checks every value's range, and that the network can be pre-trained.
    ///
    /// # Errors
    /// [`Error::Config`](crate::Error::Config) with the first field that is out of range.
    pub fn check(&self, model: &ModelConfig) -> Result<()> {
        settings::at_least_1("batch_size", self.batch_size)?;
        settings::above_0("learning_rate", self.learning_rate)?;
        settings::clip_norm("clip_norm", self.clip_norm)?;
        let leaks = self.epochs > 0 && model.bidirectional && model.num_layers > 1;
        let expected = "0 with several bidirectional layers, whose upper layers see the words \
                            that they have to predict";
        settings::check("epochs", !leaks, expected, self.epochs)?;
        Ok(())
    }

    /// The learning rate of each step over so many texts.
    pub(crate) fn learning_rate(&self, n_rows: usize) -> LearningRate {
        let &Self { epochs, learning_rate, .. } = self;
        let schedule = Schedule::OneCycle;
        let settings =
            TrainingConfig { epochs, learning_rate, schedule, ..TrainingConfig::default() };
        LearningRate::new(&settings, n_rows.div_ceil(self.batch_size))
    }
}

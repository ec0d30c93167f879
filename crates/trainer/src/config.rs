//! How a network is trained.

use std::path::PathBuf;

use model::ModelConfig;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::optimizer::{OptimizerConfig, OptimizerKind};
use crate::schedule::Schedule;

/// Settings of a training. The default is the notebook's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainingConfig {
    /// A text file (from where the program runs) of word vectors (GloVe, word2vec, fastText) as wide as the embedding, whose words'
    /// rows start from them; absent for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub word_vectors: Option<PathBuf>,
    /// Passes over the training texts.
    pub epochs: usize,
    /// Texts in a batch.
    pub batch_size: usize,
    /// The optimiser's step size; the highest of the schedule.
    pub learning_rate: f64,
    /// When the network's linear path learns, if it has one.
    pub ngram_training: NgramTraining,
    /// The step size of the linear path, which moves by plain gradient descent: how far a text moves
    /// its own logit there, divided by how wrong the logit is (label minus probability).
    pub ngram_learning_rate: f64,
    /// Which optimiser moves the weights.
    pub optimizer: OptimizerKind,
    /// Adam's decoupled weight decay (AdamW); 0 for none.
    pub weight_decay: f64,
    /// The momentum of optimizer `sgd`.
    pub momentum: f64,
    /// Batches whose gradients are averaged into one optimiser step, as if they were one batch.
    pub accumulation: usize,
    /// Decay of an exponential moving average of the weights, such as 0.999, which is then what is
    /// validated and kept; 0 for none. It costs a pass over all weights in every step.
    pub average_decay: f64,
    /// How the learning rate changes.
    pub schedule: Schedule,
    /// Share of all steps in which the learning rate rises linearly to the schedule's.
    pub warmup: f64,
    /// Schedules `step` and `plateau`: what the learning rate is multiplied by.
    pub decay_factor: f64,
    /// Schedule `step`: epochs between two falls.
    pub decay_epochs: usize,
    /// Schedule `plateau`: validations without a lower loss that are borne before a fall.
    pub decay_patience: usize,
    /// How far labels are drawn from 0 and 1 to the middle in training: 0.1 makes them 0.05 and
    /// 0.95.
    pub label_smoothing: f64,
    /// Weight of the positive texts' loss in training, against 1 for the negative ones.
    pub positive_weight: f64,
    /// Adversarial training: how far each embedded text is moved, as a share of its own length, in the
    /// direction that raises its loss most; the loss is then the mean of that of the text and that of
    /// the moved text, at twice the cost. 0 for none.
    pub adversarial_norm: f64,
    /// Which texts come together in a batch.
    pub batches: BatchOrder,
    /// Largest global norm of the gradient; 0 switches clipping off.
    pub clip_norm: f64,
    /// Whether a batch starts from the state that the batch before left, as the notebook does.
    pub state: StateCarry,
    /// Which model is kept.
    pub keep: Keep,
    /// Whether a kept model's output weights are scaled so that its probabilities fit the validation
    /// split (temperature scaling); no text changes its class.
    pub calibrate: bool,
    /// Whether, once the validation texts have chosen a model, the network is trained anew on them and
    /// the training texts together, as long as the chosen one was; that is then what is kept. What is
    /// told of the validation split stays that of the chosen one.
    pub refit: bool,
    /// Validations without a lower loss after which the training ends; 0 never ends it early.
    pub patience: usize,
    /// Optimiser steps between validations; 0 validates at the end of each epoch only.
    pub validate_every: usize,
    /// Seed of the split, the initial weights, the dropout and the order of the batches.
    pub seed: u64,
}

/// When a linear path learns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NgramTraining {
    /// Before the rest, and by itself; at each validation, how much of the logits is whose is fitted.
    First,
    /// Together with the rest, its step size rising and falling with the schedule.
    Jointly,
}

/// Which texts come together in a batch. Every text comes once an epoch in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BatchOrder {
    /// Any.
    Shuffled,
    /// Texts of like length, drawn from shuffled buckets: less padding, and equal work for all
    /// threads.
    LengthBuckets,
}

/// Which of the validated models is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Keep {
    /// The last, whatever it measured, as the notebook does.
    Last,
    /// The one with the lowest validation loss: its probabilities are the most honest.
    LowestLoss,
    /// The one with the highest validation accuracy, often a later one, which is surer of itself than
    /// it should be.
    HighestAccuracy,
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
            word_vectors: None,
            epochs: 4,
            batch_size: 50,
            learning_rate: 0.001,
            ngram_training: NgramTraining::First,
            ngram_learning_rate: 8.0,
            optimizer: OptimizerKind::Adam,
            weight_decay: 0.0,
            momentum: 0.0,
            accumulation: 1,
            average_decay: 0.0,
            schedule: Schedule::Constant,
            warmup: 0.0,
            decay_factor: 0.5,
            decay_epochs: 1,
            decay_patience: 0,
            label_smoothing: 0.0,
            positive_weight: 1.0,
            adversarial_norm: 0.0,
            batches: BatchOrder::Shuffled,
            clip_norm: 5.0,
            state: StateCarry::Carry,
            keep: Keep::Last,
            calibrate: false,
            refit: false,
            patience: 0,
            validate_every: 0,
            seed: 0,
        }
    }
}

impl TrainingConfig {
    /// The optimiser's part of these settings.
    pub fn optimizer(&self) -> OptimizerConfig {
        let &Self { optimizer: kind, weight_decay, momentum, .. } = self;
        OptimizerConfig { kind, weight_decay, momentum }
    }

    /// Checks that no setting of the network is without effect in this training.
    ///
    /// # Errors
    /// [`Error::Config`] with the first field that is.
    pub fn check_with(&self, model: &ModelConfig) -> Result<()> {
        let joint = [("ngram_start", model.ngram_start), ("ngram_dropout", model.ngram_dropout)];
        for (field, value) in joint {
            if value != 0.0 && self.ngram_training == NgramTraining::First {
                let expected = "0 unless training.ngram_training is jointly";
                return Err(Error::Config { field, expected, got: value.to_string() });
            }
        }
        Ok(())
    }

    /// Checks every value's range.
    ///
    /// # Errors
    /// [`Error::Config`] with the first field that is out of range.
    pub fn check(&self) -> Result<()> {
        let counts = [
            ("epochs", self.epochs),
            ("batch_size", self.batch_size),
            ("accumulation", self.accumulation),
            ("decay_epochs", self.decay_epochs),
        ];
        for (field, value) in counts {
            if value == 0 {
                return Err(Error::Config { field, expected: "at least 1", got: "0".to_string() });
            }
        }
        let above_0 = [
            ("learning_rate", self.learning_rate),
            ("ngram_learning_rate", self.ngram_learning_rate),
            ("positive_weight", self.positive_weight),
        ];
        for (field, value) in above_0 {
            if !(value > 0.0 && value.is_finite()) {
                let (expected, got) = ("a number above 0", value.to_string());
                return Err(Error::Config { field, expected, got });
            }
        }
        if !(0.0..=1.0).contains(&self.warmup) {
            let (expected, got) = ("a share from 0 to 1", self.warmup.to_string());
            return Err(Error::Config { field: "warmup", expected, got });
        }
        if !(self.decay_factor > 0.0 && self.decay_factor <= 1.0) {
            let (expected, got) = ("above 0 and at most 1", self.decay_factor.to_string());
            return Err(Error::Config { field: "decay_factor", expected, got });
        }
        let below_1 =
            [("label_smoothing", self.label_smoothing), ("average_decay", self.average_decay)];
        for (field, value) in below_1 {
            if !(0.0..1.0).contains(&value) {
                let (expected, got) = ("at least 0 and below 1", value.to_string());
                return Err(Error::Config { field, expected, got });
            }
        }
        if !(self.adversarial_norm >= 0.0 && self.adversarial_norm.is_finite()) {
            let (expected, got) = ("a number of at least 0", self.adversarial_norm.to_string());
            return Err(Error::Config { field: "adversarial_norm", expected, got });
        }
        self.optimizer().check()?;
        if self.weight_decay * self.learning_rate >= 1.0 {
            let (expected, got) = ("less than 1 / learning_rate", self.weight_decay.to_string());
            return Err(Error::Config { field: "weight_decay", expected, got });
        }
        if self.refit && self.schedule == Schedule::Plateau {
            let expected = "false with schedule plateau, which goes by validations";
            return Err(Error::Config { field: "refit", expected, got: "true".to_string() });
        }
        if self.patience > 0 && self.keep == Keep::Last {
            let expected = "lowest-loss or highest-accuracy where patience ends the training";
            return Err(Error::Config { field: "keep", expected, got: "last".to_string() });
        }
        if !self.clip_norm.is_finite() || self.clip_norm < 0.0 {
            let (expected, got) =
                ("0 (off) or a finite number above it", self.clip_norm.to_string());
            return Err(Error::Config { field: "clip_norm", expected, got });
        }
        Ok(())
    }
}

//! What each stage of a training run measured.

use measures::Metrics;
use serde::{Deserialize, Serialize};

use crate::path_scaling::ScalesByLength;
use crate::paths::PathScores;
use crate::per_output::PerOutput;

/// One validation, with the training since the last one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ValidationRecord {
    /// Epochs completed, including the fraction of the current one.
    pub epoch: f64,
    /// Optimiser steps since the start.
    pub step: usize,
    /// Mean loss of the batches since the last validation, dropout on.
    pub train_loss: f64,
    /// Metrics on the validation split.
    pub validation: Metrics,
    /// Seconds of training since the last validation, without validations.
    pub train_s: f64,
    /// Texts trained on per second.
    #[serde(alias = "reviews_per_s")]
    pub texts_per_s: f64,
    /// The linear path's fraction of the logits, if there is one; the rest is the recurrent layers'. With scales by length,
    /// that at the median length of the validation texts, where the log-count ratios do not count.
    #[serde(default)]
    pub linear_share: Option<f64>,
    /// The divisor of the logits, in these measurements and in the model if it is kept; absent without
    /// `calibrate`. With scales by length, that of each label beside the scales; absent where a text has one class.
    #[serde(default)]
    pub temperature: Option<PerOutput>,
    /// What is added to the logits of every path before they are scaled, in these metrics and in the model if
    /// it is kept; absent where all classes count alike, and where scales by length have a bias instead.
    #[serde(default)]
    pub shift: Option<PerOutput>,
    /// The paths' scales by length, in these metrics and in the model if it is kept; absent where they are constant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_scales: Option<ScalesByLength>,
    /// The decision thresholds in these metrics and in the model if it is kept; absent where none were chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thresholds: Option<Vec<f32>>,
    /// Each path alone on the validation split, if there are two.
    #[serde(default)]
    pub alone: Option<PathScores>,
    /// The validation loss with its texts weighted as in training, by which models are selected; absent
    /// where all texts count equally.
    #[serde(default)]
    pub weighted_loss: Option<f64>,
    /// Whether this model replaced the one kept before.
    #[serde(alias = "is_best")]
    pub is_kept: bool,
}

impl ValidationRecord {
    /// The validation loss by which models are selected.
    pub fn selection_loss(&self) -> f64 {
        self.weighted_loss.unwrap_or_else(|| self.validation.loss())
    }
}

/// What one epoch of pre-training measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PretrainingRecord {
    /// From 1.
    pub epoch: usize,
    /// Mean cross-entropy of a word among those of a few texts, in nats, dropout on.
    pub train_loss: f64,
    /// Seconds of training.
    pub train_s: f64,
    /// After the last epoch: the perplexity of some validation texts over the whole vocabulary, by
    /// direction.
    pub perplexity: Option<Vec<f64>>,
}

/// The record of retraining.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RefitRecord {
    /// Texts that it was trained on.
    pub n_rows: usize,
    /// Optimiser steps.
    pub n_steps: usize,
    /// Mean loss of its batches in the last epoch, dropout on.
    pub train_loss: f64,
    /// Seconds.
    pub train_s: f64,
}

/// Why a training run ended, or that it has not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// It is running, or was killed.
    Running,
    /// All epochs are done.
    Complete,
    /// The validation loss did not fall for as long as `patience` allows.
    EarlyStopping,
    /// It was asked to stop.
    Interrupted,
    /// The loss, the gradient or the weights were no longer finite; a model kept before is unaffected.
    Diverged,
    /// An error ended it.
    Failed,
}

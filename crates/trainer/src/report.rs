//! What a training measured: the contents of `metrics.json`.

use std::fs;
use std::path::{Path, PathBuf};

use dataset::ReadOptions;
use model::ModelConfig;
use model::folder::{METRICS_FILE, Records};
use serde::{Deserialize, Serialize};

use crate::config::TrainingConfig;
use crate::error::{Error, Result};
use crate::metrics::Metrics;
use crate::prepare::SplitPlan;
use crate::pretraining::{PretrainingConfig, PretrainingRecord};
use crate::profile::Profile;
use crate::refit::RefitRecord;
use crate::summary::DataSummary;
use crate::warning::{Scope, Warning};
use crate::word_vectors::VectorsUse;

/// One validation, with the training since the last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// Epochs gone through, the running one counted in part.
    pub epoch: f64,
    /// Optimiser steps since the start.
    pub step: usize,
    /// Mean loss of the batches since the last validation, dropout on.
    pub train_loss: f64,
    /// On the validation split.
    pub validation: Metrics,
    /// Seconds of training since the last validation, without validations.
    pub train_s: f64,
    /// Texts trained on per second.
    pub reviews_per_s: f64,
    /// How much of the logits is the linear path's, if that was fitted before; the rest is the recurrent
    /// layers'.
    #[serde(default)]
    pub linear_share: Option<f64>,
    /// What the logits are divided by, in these measurements and in the model if it is kept; absent
    /// without `calibrate`.
    #[serde(default)]
    pub temperature: Option<f64>,
    /// Whether this model took the place of the one kept before.
    #[serde(alias = "is_best")]
    pub is_kept: bool,
}

/// Where the data came from and how it was divided.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DataOrigin {
    /// The file.
    pub path: PathBuf,
    /// Its text column.
    pub text_column: String,
    /// Its label column.
    pub label_column: String,
    /// Its column of groups, if the table was split by group.
    #[serde(default)]
    pub group_column: Option<String>,
    /// How it was read.
    #[serde(default)]
    pub options: ReadOptions,
    /// [`LabelledTexts::fingerprint`](dataset::LabelledTexts::fingerprint) of its contents.
    pub fingerprint: String,
    /// Which rows were used, and how they were divided.
    pub split: SplitPlan,
    /// Counts.
    pub summary: DataSummary,
}

/// Everything about one training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainingReport {
    /// Name of the recipe.
    pub recipe: String,
    /// Where the data came from.
    pub data: DataOrigin,
    /// The network.
    pub model: ModelConfig,
    /// The training's settings.
    pub training: TrainingConfig,
    /// The linear path alone on the validation split, if it was fitted before the rest.
    #[serde(default)]
    pub linear_path: Option<Metrics>,
    /// What became of the file of word vectors, if there was one.
    #[serde(default)]
    pub word_vectors: Option<VectorsUse>,
    /// The settings of the pre-training.
    #[serde(default)]
    pub pretraining: PretrainingConfig,
    /// Every epoch of the pre-training, in order.
    #[serde(default)]
    pub pretraining_history: Vec<PretrainingRecord>,
    /// Every validation, in order.
    pub history: Vec<EpochRecord>,
    /// The second training, on the validation texts, too, if there was one: its model is the one that
    /// was kept and tested.
    #[serde(default)]
    pub refit: Option<RefitRecord>,
    /// Why the training ended.
    pub ended: Ending,
    /// What happened, if it ended because numbers were no longer finite.
    #[serde(default)]
    pub diverged: Option<String>,
    /// Seconds of the whole training: linear path, pre-training, validations and a second training
    /// included.
    pub train_s: f64,
    /// The kept model on the validation split.
    pub validation: Option<Metrics>,
    /// The kept model on the test split, once it was measured.
    pub test: Option<Metrics>,
    /// Test accuracy of a linear model over words and word pairs on the same split, once it was
    /// measured.
    #[serde(default)]
    pub baseline_test_accuracy: Option<f64>,
    /// What should be heard before these figures are believed.
    #[serde(default)]
    pub warnings: Vec<Warning>,
    /// Where the time went, once the training has ended.
    #[serde(default)]
    pub profile: Option<Profile>,
}

/// Why a training ended, or that it has not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// It runs, or was cut off.
    Running,
    /// All epochs are done.
    Complete,
    /// The validation loss did not fall for as long as `patience` allows.
    EarlyStopping,
    /// It was asked to stop.
    Interrupted,
    /// The loss, the gradient or the weights were no longer finite; what was kept before is sound.
    Diverged,
}

impl TrainingReport {
    /// Reads `metrics.json` of a model folder.
    ///
    /// # Errors
    /// [`Error::Report`] if it is missing or not a report.
    pub fn load(folder: &Path) -> Result<Self> {
        let path = folder.join(METRICS_FILE);
        let text = fs::read_to_string(&path)
            .map_err(|error| Error::Report { path: path.clone(), reason: error.to_string() })?;
        serde_json::from_str(&text)
            .map_err(|error| Error::Report { path, reason: error.to_string() })
    }

    /// The report among what was read with a model, which is then of that model.
    ///
    /// # Errors
    /// [`Error::Report`] if it is not a report.
    pub fn of(records: &Records, folder: &Path) -> Result<Self> {
        serde_json::from_str(&records.metrics).map_err(|error| Error::Report {
            path: folder.join(METRICS_FILE),
            reason: error.to_string(),
        })
    }

    /// Adds what the kept model measured on the test split.
    pub fn add_test(&mut self, metrics: Metrics) {
        self.test = Some(metrics);
        self.judge();
    }

    /// Finds out anew what there is to say of the data and the figures.
    pub(crate) fn judge(&mut self) {
        let diverged = self.diverged.iter();
        let diverged = diverged.map(|reason| Warning::Diverged { reason: reason.clone() });
        let splits = [(Scope::Validation, &self.validation), (Scope::Test, &self.test)];
        let of_split = |(scope, metrics): (Scope, &Option<Metrics>)| {
            metrics
                .iter()
                .flat_map(|metrics| Warning::of_metrics(scope, metrics))
                .collect::<Vec<_>>()
        };
        self.warnings = diverged
            .chain(Warning::of_data(&self.data.summary))
            .chain(splits.into_iter().flat_map(of_split))
            .collect();
    }

    /// The record of the model that was kept.
    pub fn kept(&self) -> Option<&EpochRecord> {
        self.history.iter().rev().find(|record| record.is_kept)
    }
}

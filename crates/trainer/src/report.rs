//! The report of a training run: the contents of `metrics.json`.

use std::fs;
use std::path::{Path, PathBuf};

use dataset::{ColumnNames, ReadOptions};
use model::ModelConfig;
use model::folder::{METRICS_FILE, Records, drop_retired};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::config::TrainingConfig;
use crate::error::{Error, Result};
use crate::metrics::Metrics;
use crate::paths::{PathScore, PathScores};
use crate::prepare::{Prepared, SplitPlan};
use crate::pretraining::PretrainingConfig;
use crate::profile::Profile;
use crate::record::{Ending, PretrainingRecord, RefitRecord, ValidationRecord};
use crate::summary::DataSummary;
use crate::warning::{Scope, Warning};
use crate::word_vectors::VectorsUse;

/// Where the data came from and how it was divided.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DataOrigin {
    /// The file.
    pub path: PathBuf,
    /// Its text column.
    pub text_column: String,
    /// Its label column.
    pub label_column: String,
    /// Its group column, if the table was split by group.
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

impl DataOrigin {
    /// Where `data` came from: the columns `columns` of the file `path`, read with `options`.
    pub fn new(
        path: impl Into<PathBuf>,
        columns: ColumnNames,
        options: ReadOptions,
        fingerprint: String,
        split: SplitPlan,
        data: &Prepared,
    ) -> Self {
        let (path, summary) = (path.into(), data.summary.clone());
        let ColumnNames { text, label, group } = columns;
        let (text_column, label_column) = (text.name, label.name);
        let group_column = group.map(|column| column.name);
        Self { path, text_column, label_column, group_column, options, fingerprint, split, summary }
    }
}

/// Everything about one training run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainingReport {
    /// Name of the recipe.
    pub recipe: String,
    /// Where the data came from.
    pub data: DataOrigin,
    /// The network.
    pub model: ModelConfig,
    /// The training settings.
    pub training: TrainingConfig,
    /// The linear path alone on the validation split, if it was fitted before the rest.
    #[serde(default)]
    pub linear_path: Option<Metrics>,
    /// What was used of the word-vector file, if there was one.
    #[serde(default)]
    pub word_vectors: Option<VectorsUse>,
    /// The pre-training settings.
    #[serde(default)]
    pub pretraining: PretrainingConfig,
    /// Every epoch of pre-training, in order.
    #[serde(default)]
    pub pretraining_history: Vec<PretrainingRecord>,
    /// Every validation, in order.
    pub history: Vec<ValidationRecord>,
    /// Retraining on the training and validation texts, if there was any: its model was kept and
    /// tested.
    #[serde(default)]
    pub refit: Option<RefitRecord>,
    /// Why training ended.
    pub ended: Ending,
    /// What happened, if training diverged.
    #[serde(default)]
    pub diverged: Option<String>,
    /// Seconds of the whole training run, including linear path, pre-training, validations and
    /// retraining.
    pub train_s: f64,
    /// The kept model on the validation split.
    pub validation: Option<Metrics>,
    /// The kept model on the test split, once it was measured.
    pub test: Option<Metrics>,
    /// Each path of the kept model alone on the test split, if it has two.
    #[serde(default)]
    pub test_alone: Option<PathScores>,
    /// On the test split: a linear model over words and word pairs, for comparison with a network that has
    /// no linear path.
    #[serde(default)]
    pub linear_baseline: Option<PathScore>,
    /// Warnings about the data and the metrics.
    #[serde(default)]
    pub warnings: Vec<Warning>,
    /// Where the time went, once training has ended.
    #[serde(default)]
    pub profile: Option<Profile>,
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
        parse(&text).map_err(|error| Error::Report { path, reason: error.to_string() })
    }

    /// The report from the records read with a model, so it belongs to that model.
    ///
    /// # Errors
    /// [`Error::Report`] if it is not a report.
    pub fn of(records: &Records, folder: &Path) -> Result<Self> {
        parse(&records.metrics).map_err(|error| Error::Report {
            path: folder.join(METRICS_FILE),
            reason: error.to_string(),
        })
    }

    /// Adds the test metrics of the kept model and of each of its paths alone.
    pub fn add_test(&mut self, metrics: Metrics, alone: Option<PathScores>) {
        (self.test, self.test_alone) = (Some(metrics), alone);
        self.judge();
    }

    /// Recomputes the warnings.
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
    pub fn kept(&self) -> Option<&ValidationRecord> {
        self.history.iter().rev().find(|record| record.is_kept)
    }
}

/// Reads a report of this version or an older one, whose settings had more fields.
fn parse(text: &str) -> serde_json::Result<TrainingReport> {
    let mut report: Value = serde_json::from_str(text)?;
    if let Some(model) = report.get_mut("model") {
        drop_retired(model);
    }
    if let Some(training) = report.get_mut("training").and_then(Value::as_object_mut) {
        training.remove("ngram_training");
    }
    serde_json::from_value(report)
}

//! The report of a training run: the contents of `metrics.json`.

use std::fs;
use std::path::{Path, PathBuf};

use classifier::folder::{METRICS_FILE, Records, drop_retired};
use dataset::{ColumnNames, LabelOptions, LabelledTexts, ReadOptions};
use measures::{Intervals, Metrics};
use model::{ModelConfig, Regularization, Task};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};

use crate::config::TrainingConfig;
use crate::error::{Error, Result};
use crate::evaluate::Measurements;
use crate::from_model::FromRecord;
use crate::job::TrainingJob;
use crate::own_splits::{OwnOrigin, OwnSplits};
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
    /// The file; empty for texts from memory.
    pub path: PathBuf,
    /// Whether the texts came from memory, so that there is no file with them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub in_memory: bool,
    /// Its text column.
    pub text_column: String,
    /// Its label columns: one, or one for each class.
    #[serde(alias = "label_column", deserialize_with = "one_or_more")]
    pub label_columns: Vec<String>,
    /// Its column of row weights, if there was one.
    #[serde(default)]
    pub weight_column: Option<String>,
    /// How the labels were to be read: what was requested, not what was recognised, which is
    /// [`TrainingReport::task`].
    #[serde(default)]
    pub labels: LabelOptions,
    /// Its group column, if the table was split by group.
    #[serde(default)]
    pub group_column: Option<String>,
    /// How it was read.
    #[serde(default)]
    pub options: ReadOptions,
    /// [`LabelledTexts::fingerprint`](dataset::LabelledTexts::fingerprint) of its contents.
    pub fingerprint: String,
    /// The files of the other splits, if the user divided the texts; then that of `path` is the training file.
    #[serde(default, skip_serializing_if = "OwnSplits::is_empty")]
    pub own_splits: OwnSplits<OwnOrigin>,
    /// Which rows were used, and how they were divided.
    pub split: SplitPlan,
    /// Counts.
    pub summary: DataSummary,
}

impl DataOrigin {
    /// Where `data` came from: the columns `columns` of the file `path`, read with `options` and `labels`.
    pub fn new(
        path: impl Into<PathBuf>,
        columns: ColumnNames,
        (options, labels): (ReadOptions, LabelOptions),
        fingerprint: String,
        split: SplitPlan,
        data: &Prepared,
    ) -> Self {
        let (path, summary) = (path.into(), data.summary.clone());
        // Also if it was recognised: other tables are read with it.
        let labels = LabelOptions { separator: data.separator.or(labels.separator), ..labels };
        let ColumnNames { text, labels: label_columns, group, weight } = columns;
        let (text_column, group_column) = (text.name, group.map(|column| column.name));
        let label_columns = label_columns.into_iter().map(|column| column.name).collect();
        let weight_column = weight.map(|column| column.name);
        Self {
            path,
            in_memory: false,
            text_column,
            label_columns,
            weight_column,
            labels,
            group_column,
            options,
            fingerprint,
            own_splits: OwnSplits::default(),
            split,
            summary,
        }
    }

    /// The same with the files of the other splits.
    #[must_use]
    pub fn with_own_splits(self, own_splits: OwnSplits<OwnOrigin>) -> Self {
        Self { own_splits, ..self }
    }

    /// That `data` came from texts in memory; the lists of texts, labels, weights and groups are named like columns.
    pub fn in_memory(texts: &LabelledTexts, split: SplitPlan, data: &Prepared) -> Self {
        let how = (ReadOptions::default(), texts.label_options().clone());
        let columns = texts.columns().clone();
        let name = |is_there: bool, name: &str| is_there.then(|| name.to_string());
        Self {
            in_memory: true,
            weight_column: name(texts.weights().is_some(), "weight"),
            group_column: name(texts.groups().is_some(), "group"),
            ..Self::new(PathBuf::new(), columns, how, texts.fingerprint(), split, data)
        }
    }
}

/// A batch size that was lowered, because there were fewer training texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoweredBatch {
    /// The batch size of the recipe.
    pub from: usize,
    /// The one that was used: the number of training texts.
    pub to: usize,
}

/// Everything about one training run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainingReport {
    /// Name of the recipe.
    pub recipe: String,
    /// Where the data came from.
    pub data: DataOrigin,
    /// The model that the training started from, if it started from one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<FromRecord>,
    /// What the network is asked.
    #[serde(default)]
    pub task: Task,
    /// The network.
    pub model: ModelConfig,
    /// What kept it from overfitting.
    #[serde(default = "Regularization::default")]
    pub regularization: Regularization,
    /// The training settings.
    pub training: TrainingConfig,
    /// That the batch size of `training` was lowered, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lowered_batch: Option<LoweredBatch>,
    /// The linear path alone on the validation split, if it was fitted before the rest.
    #[serde(default)]
    pub linear_path: Option<Metrics>,
    /// The learning rate with which the linear path was fitted, if there is one.
    #[serde(default)]
    pub linear_rate: Option<f64>,
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
    /// 95 % bootstrap intervals of the test metrics.
    #[serde(default)]
    pub test_intervals: Option<Intervals>,
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
    /// The report of a training that has not begun.
    pub(crate) fn at_start(job: &TrainingJob<'_>) -> Result<Self> {
        Ok(Self {
            recipe: job.recipe.to_string(),
            data: job.origin.clone(),
            from: job.data.start.as_ref().map(|start| FromRecord::of(start)),
            task: job.data.task.clone(),
            model: job.model.for_task(&job.data.task)?,
            regularization: *job.regularization,
            training: job.training.clone(),
            lowered_batch: None,
            linear_path: None,
            linear_rate: None,
            word_vectors: None,
            pretraining: job.pretraining.clone(),
            pretraining_history: Vec::new(),
            history: Vec::new(),
            refit: None,
            ended: Ending::Running,
            diverged: None,
            train_s: 0.0,
            validation: None,
            test: None,
            test_intervals: None,
            test_alone: None,
            linear_baseline: None,
            warnings: Vec::new(),
            profile: None,
        })
    }

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
    pub fn add_test(&mut self, measured: Measurements) {
        let Measurements { metrics, intervals, alone } = measured;
        (self.test, self.test_intervals, self.test_alone) = (Some(metrics), Some(intervals), alone);
        self.judge();
    }

    /// Records that the batch size was lowered.
    pub(crate) fn lower_batch(&mut self, lowered: LoweredBatch) {
        self.lowered_batch = Some(lowered);
        self.judge();
    }

    /// Recomputes the warnings.
    pub(crate) fn judge(&mut self) {
        let (task, diverged) = (&self.task, self.diverged.iter());
        let has_goal = self.training.threshold.is_some();
        let diverged = diverged.map(|reason| Warning::Diverged { reason: reason.clone() });
        let of_goal = self.training.threshold.zip(self.validation.as_ref());
        let of_goal = of_goal
            .map(|(goal, metrics)| Warning::of_goal(goal, metrics, task))
            .into_iter()
            .flatten();
        let splits = [(Scope::Validation, &self.validation), (Scope::Test, &self.test)];
        let of_split = |(scope, metrics): (Scope, &Option<Metrics>)| {
            metrics
                .iter()
                .flat_map(|metrics| Warning::of_metrics(scope, metrics, task, has_goal))
                .collect::<Vec<_>>()
        };
        let lowered = self.lowered_batch.iter();
        let lowered = lowered.map(|&LoweredBatch { from, to }| Warning::LoweredBatch { from, to });
        let of_data = Warning::of_data(&self.data.summary, task);
        let of_data = match &self.from {
            Some(from) => Warning::of_start(from, (&self.data.summary, task), of_data),
            None => of_data,
        };
        let of_data = of_data.into_iter();
        self.warnings = diverged
            .chain(lowered)
            .chain(of_data.map(|warning| warning.worded(self.data.in_memory)))
            .chain(splits.into_iter().flat_map(of_split))
            .chain(of_goal)
            .collect();
    }

    /// Whether this is the report of the same training as `earlier`, at the same step or a later one.
    pub(crate) fn is_ahead_of(&self, earlier: &Self) -> bool {
        let of = |report: &Self| (report.model.clone(), report.training.clone());
        let losses = |report: &Self| -> Vec<u64> {
            let losses = report.history.iter().map(|record| record.validation.loss().to_bits());
            losses.collect()
        };
        of(self) == of(earlier)
            && self.data.fingerprint == earlier.data.fingerprint
            && losses(self).starts_with(&losses(earlier))
    }

    /// The record of the model that was kept.
    pub fn kept(&self) -> Option<&ValidationRecord> {
        self.history.iter().rev().find(|record| record.is_kept)
    }
}

/// Reads a report of this version or an older one, whose settings had other fields and which named no task.
fn parse(text: &str) -> serde_json::Result<TrainingReport> {
    let mut report: Value = serde_json::from_str(text)?;
    // Before format 5 of the folder, the network's settings included those of the regularisation.
    let is_old = report.get("task").is_none();
    let older = report.get("model").filter(|_| is_old).cloned();
    if let Some(model) = report.get_mut("model") {
        drop_retired(model);
    }
    let training = report.get_mut("training").and_then(Value::as_object_mut);
    if let (Some(training), Some(older)) = (training, &older) {
        training.remove("ngram_training");
        if let Some(weights) = training.remove("positive_weight").and_then(class_weights) {
            training.insert("class_weights".to_string(), weights);
        }
        for key in ["embedding_std", "ngram_min_texts"] {
            if let Some(value) = older.get(key) {
                training.insert(key.to_string(), value.clone());
            }
        }
    }
    if let (Some(older), Some(report)) = (older, report.as_object_mut()) {
        report.insert("regularization".to_string(), regularization(&older));
    }
    serde_json::from_value(report)
}

/// The class weights for what was the weight of positive texts.
fn class_weights(positive_weight: Value) -> Option<Value> {
    match positive_weight {
        Value::String(balanced) => Some(Value::String(balanced)),
        weight if weight.as_f64() == Some(1.0) => None,
        weight => Some(json!({ (dataset::CLASS_NAMES[1]): weight })),
    }
}

/// The regularisation among the settings of an older network.
fn regularization(model: &Value) -> Value {
    let mut found = json!(Regularization::default());
    if let Some(fields) = found.as_object_mut() {
        for (key, value) in fields {
            if let Some(older) = model.get(key) {
                *value = older.clone();
            }
        }
    }
    found
}

/// One name, as older reports have it, or several.
fn one_or_more<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum OneOrMore {
        One(String),
        More(Vec<String>),
    }
    Ok(match OneOrMore::deserialize(deserializer)? {
        OneOrMore::One(name) => vec![name],
        OneOrMore::More(names) => names,
    })
}

#![doc = include_str!("../README.md")]

mod adversarial;
mod average;
mod baseline;
mod cache;
mod calibration;
mod clip;
mod config;
mod error;
mod evaluate;
mod finite;
mod job;
mod linear_path;
mod loss;
mod metrics;
mod numbers;
mod observer;
mod optimizer;
mod prepare;
mod pretraining;
mod profile;
mod refit;
mod report;
mod schedule;
mod seen;
mod step;
mod summary;
mod train;
mod validation;
mod warning;
mod word_vectors;

pub use average::WeightAverage;
pub use baseline::{LinearBaseline, baseline_accuracy};
pub use cache::Cache;
pub use calibration::fit_temperature;
pub use clip::{clip_factor, global_norm};
pub use config::{BatchOrder, Keep, NgramTraining, StateCarry, TrainingConfig};
pub use error::{Error, Result};
pub use evaluate::{evaluate, logits, probability};
pub use finite::NonFinite;
pub use job::TrainingJob;
pub use loss::{BceOptions, bce_with_logits};
pub use metrics::{Confusion, Metrics};
pub use observer::{Event, Observer, Silent};
pub use optimizer::{Gradients, Optimizer, OptimizerConfig, OptimizerKind, RowGradient};
pub use prepare::{
    DataRequest, Divided, Duplicates, LoadedData, Prepared, SplitPlan, digest_of_rows, encode_rows,
    load, prepare, split,
};
pub use pretraining::{PretrainingConfig, PretrainingRecord};
pub use profile::{Part, Profile};
pub use refit::RefitRecord;
pub use report::{DataOrigin, Ending, EpochRecord, TrainingReport};
pub use schedule::{LearningRate, Schedule};
pub use seen::{Evaluation, SeenMetrics, SeenSplit, evaluate_seen};
pub use step::{Outcome, TrainingStep};
pub use summary::{CutTexts, DataSummary, SplitSummaries, SplitSummary, percent};
pub use warning::{Scope, Warning};
pub use word_vectors::VectorsUse;

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
mod linear_model;
mod load;
mod loss;
mod metrics;
mod numbers;
mod observer;
mod optimizer;
mod paths;
mod positive_weight;
mod prepare;
mod pretraining;
mod profile;
mod record;
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
pub use baseline::linear_baseline;
pub use cache::Cache;
pub use calibration::fit_temperature;
pub use clip::{clip_factor, global_norm};
pub use config::{BatchOrder, Keep, Schedule, StateCarry, TrainingConfig};
pub use error::{Error, Result};
pub use evaluate::{evaluate, evaluate_paths, logits, probability};
pub use finite::NonFinite;
pub use job::TrainingJob;
pub use load::load;
pub use loss::{BceOptions, bce_with_logits};
pub use metrics::{Confusion, Metrics};
pub use observer::{Event, Observer, Silent};
pub use optimizer::{Gradients, Optimizer, OptimizerConfig, OptimizerKind, RowGradient};
pub use paths::{PathScore, PathScores};
pub use positive_weight::PositiveWeight;
pub use prepare::{
    DataRequest, Divided, Duplicates, LoadedData, Prepared, SplitPlan, digest_of_rows, encode_rows,
    prepare, split,
};
pub use pretraining::PretrainingConfig;
pub use profile::{Part, Profile};
pub use record::{Ending, PretrainingRecord, RefitRecord, ValidationRecord};
pub use report::{DataOrigin, TrainingReport};
pub use schedule::LearningRate;
pub use seen::{Evaluation, SeenMetrics, SeenSplit, evaluate_seen};
pub use step::{Outcome, TrainingStep};
pub use summary::{CutTexts, DataSummary, SplitSummaries, SplitSummary, percent};
pub use warning::{Scope, Warning};
pub use word_vectors::VectorsUse;

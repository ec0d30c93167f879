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
mod step;
mod train;
mod word_vectors;

pub use average::WeightAverage;
pub use baseline::{LinearBaseline, baseline_accuracy};
pub use cache::Cache;
pub use calibration::fit_temperature;
pub use clip::{clip_factor, global_norm};
pub use config::{BatchOrder, Keep, NgramTraining, StateCarry, TrainingConfig};
pub use error::{Error, Result};
pub use evaluate::{evaluate, logits, probability};
pub use loss::{BceOptions, bce_with_logits};
pub use metrics::{Confusion, Metrics};
pub use observer::{Event, Observer, Silent};
pub use optimizer::{Gradients, Optimizer, OptimizerConfig, OptimizerKind, RowGradient};
pub use prepare::{
    DataRequest, DataSummary, LoadedData, Prepared, SplitPlan, encode_rows, load, prepare, split,
};
pub use pretraining::{PretrainingConfig, PretrainingRecord};
pub use profile::{Part, Profile};
pub use refit::RefitRecord;
pub use report::{DataOrigin, Ending, EpochRecord, TrainingReport};
pub use schedule::{LearningRate, Schedule};
pub use step::{NonFinite, Outcome, TrainingStep};
pub use train::TrainingJob;
pub use word_vectors::VectorsUse;

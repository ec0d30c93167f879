#![doc = include_str!("../README.md")]

// The small trainings of the tests, for the tests of this crate's own parts.
#[cfg(test)]
extern crate self as trainer;
#[cfg(test)]
#[path = "../tests/small_runs/mod.rs"]
mod small_runs;

mod adversarial;
mod average;
mod baseline;
mod cache;
mod calibration;
mod class_weights;
mod clip;
mod config;
mod cross_validation;
mod data_check;
mod divisors;
mod doubtful_labels;
mod error;
mod evaluate;
mod few_texts;
mod finite;
mod from_model;
mod frozen;
mod job;
mod lessons;
mod linear_model;
mod linear_search;
mod load;
mod loss;
mod newton;
mod numbers;
mod observer;
mod optimizer;
#[cfg(test)]
mod other_device;
mod own_splits;
mod path_scaling;
mod paths;
mod per_output;
mod phases;
mod predictions;
mod prepare;
mod pretraining;
mod profile;
mod recipe;
mod record;
mod report;
mod run_folder;
mod scalar;
mod schedule;
mod scoring;
mod seen;
mod softmax_calibration;
mod split_texts;
mod stacking;
mod state;
mod step;
mod summary;
mod teacher;
mod tested;
mod texts_training;
mod thresholds;
mod ties;
mod training;
mod validation;
mod warning;
mod windows;
mod word_vectors;

pub use average::WeightAverage;
pub use baseline::linear_baseline;
pub use cache::Cache;
pub use calibration::fit_temperature;
pub use class_weights::ClassWeights;
pub use clip::{clip_factor, global_norm};
pub use config::{BatchOrder, Keep, Schedule, StateCarry, TrainingConfig, VectorTraining};
pub use cross_validation::{HeldOut, OutOfFold};
pub use data_check::{CheckRequest, MOST_CHECKED, check_data};
pub use doubtful_labels::{DoubtfulLabel, DoubtfulLabels};
pub use error::{Error, Result};
pub use evaluate::{Measurements, evaluate, logits, test};
pub use few_texts::FewTexts;
pub use finite::NonFinite;
pub use from_model::{
    FromRecord, Part as ModelPart, Start, StartModel, load_from, prepare_from, test_rows_from,
};
pub use job::TrainingJob;
pub use load::{DataRequest, LoadedData, load};
pub use loss::Objective;
pub use measures::{Intervals, Metrics};
pub use observer::{Control, Deadline, Event, Never, Observer, Silent, Stamp, Stop};
pub use optimizer::{Gradients, Optimizer, OptimizerConfig, OptimizerKind, RowGradient};
pub use own_splits::{LoadedFile, OwnOrigin, OwnSplits};
pub use path_scaling::ScalesByLength;
pub use paths::{PathScore, PathScores};
pub use per_output::PerOutput;
pub use prepare::{
    Divided, Duplicates, Prepared, SplitPlan, classes_of, digest_of_rows, encode_rows, prepare,
    prepare_own, split, task_of,
};
pub use pretraining::PretrainingConfig;
pub use profile::{Part, Profile};
pub use recipe::{Recipe, RecipeError};
pub use record::{Ending, PretrainingRecord, RefitRecord, ValidationRecord};
pub use report::{DataOrigin, LoweredBatch, TrainingReport};
pub use run_folder::{
    KeyFigures, RecordPlan, RunAbout, RunData, RunFile, RunFolder, RunFrom, RunRecorder,
    RunSession, RunStatus,
};
pub use scalar::Scalar;
pub use schedule::LearningRate;
pub use scoring::mean_absolute_error;
pub use seen::{Evaluation, SeenMetrics, SeenSplit, evaluate_seen};
pub use split_texts::SplitTexts;
pub use state::{Difference, Identity, Phase, Position};
pub use step::{Outcome, StepPlan, TrainingStep};
pub use summary::{
    CutTexts, DataSummary, LeftOut, SharedGroups, SplitSummaries, SplitSummary, percent,
};
pub use texts_training::{SmallData, TextsTraining};
pub use thresholds::ThresholdGoal;
pub use training::Session;
pub use warning::{Scope, Warning};
pub use word_vectors::VectorsUse;

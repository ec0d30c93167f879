#![doc = include_str!("../README.md")]

mod adam;
mod clip;
mod config;
mod error;
mod evaluate;
mod loss;
mod metrics;
mod numbers;
mod observer;
mod prepare;
mod report;
mod schedule;
mod train;

pub use adam::Adam;
pub use clip::{clip_factor, global_norm};
pub use config::{StateCarry, TrainingConfig};
pub use error::{Error, Result};
pub use evaluate::{evaluate, logits, probability};
pub use loss::{BceOptions, bce_with_logits};
pub use metrics::{Confusion, Metrics};
pub use observer::{Event, Observer, Silent};
pub use prepare::{DataSummary, Prepared, SplitPlan, encode_rows, prepare, split};
pub use report::{DataOrigin, Ending, EpochRecord, TrainingReport};
pub use schedule::{LearningRate, Schedule};
pub use train::TrainingJob;

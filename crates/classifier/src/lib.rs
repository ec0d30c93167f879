#![doc = include_str!("../README.md")]

mod batches;
mod classifier;
mod error;
mod export;
pub mod folder;
mod logits;
mod mapped;
mod prediction;
mod source;

pub use classifier::Classifier;
pub use error::{Error, Result};
pub use folder::{MODEL_ID, ModelId};
pub use logits::{PathLogits, path_logits};
pub use model::{DeviceChoice, Task, TaskKind};
pub use prediction::Prediction;
pub use source::ModelFiles;

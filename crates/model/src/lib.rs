#![doc = include_str!("../README.md")]

mod config;
mod device;
mod embedding;
mod error;
pub mod folder;
mod linear_path;
mod mapped;
mod network;
mod ngrams;
mod parameters;
mod pooling;
mod recurrent_layer;
mod tokens;
mod vocabularies;
mod weights;

pub use config::{CellKind, ModelConfig, Padding};
pub use device::DeviceChoice;
pub use error::{Error, Result};
pub use folder::TrainedModel;
pub use network::{PathLogits, Reading, RecurrentClassifier};
pub use ngrams::NgramVocabulary;
pub use parameters::{NGRAM_BIAS, NGRAM_TABLE, PathScales, TABLE, sorted, with_scaled_logits};
pub use pooling::{Pooling, PoolingPart};
pub use recurrent_layer::State;
pub use tokens::{DistinctIds, Tokens, Words};
pub use vocabularies::Vocabularies;

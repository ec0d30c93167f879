#![doc = include_str!("../README.md")]

mod config;
mod device;
mod embedding;
mod error;
mod linear_path;
mod network;
mod ngrams;
mod parameters;
mod path_scales;
mod path_scaling;
mod pooling;
mod precision;
mod recurrent_layer;
mod regularization;
#[cfg(feature = "cuda")]
mod row_sums;
mod stored;
mod task;
mod task_kind;
mod tokens;
mod vocabularies;
mod weights;

pub use config::{CellKind, ModelConfig, Padding, PathScaling};
pub use device::{DeviceChoice, card_name, device_name};
pub use error::{Error, Result};
pub use network::{PathLogits, Reading, RecurrentClassifier};
pub use ngrams::{NgramChoice, NgramStart, NgramVocabulary, Renumbered, TextClasses};
pub use parameters::{
    FITTED_PARAMETERS, InitConfig, NGRAM_BIAS, NGRAM_TABLE, OUTPUT_PARAMETERS, PATH_BIAS,
    PATH_SCALES, TABLE, Weights, sorted, weights,
};
pub use path_scales::PathScales;
pub use path_scaling::{LengthScale, LengthScales, length_position};
pub use pooling::{Pooling, PoolingPart};
pub use precision::Precision;
pub use recurrent::{error_in_words, is_out_of_memory};
pub use recurrent_layer::State;
pub use regularization::Regularization;
pub use stored::{Bytes, StoredTensors};
pub use task::{ClassNames, Task, sigmoid};
pub use task_kind::TaskKind;
pub use tokens::{DistinctIds, Tokens, Words};
pub use vocabularies::Vocabularies;

//! What can stop a training or an evaluation.

use std::path::PathBuf;

/// Result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a training or an evaluation stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A configuration value is outside its range.
    #[error("{field} is {got}; expected {expected}")]
    Config {
        /// The configuration field.
        field: &'static str,
        /// What the field may hold.
        expected: &'static str,
        /// What it held.
        got: String,
    },
    /// The loss or the gradient became infinite or not a number.
    #[error(
        "the {quantity} became {value} in epoch {epoch} at step {step} (learning rate {learning_rate}, \
         batch {batch} of the epoch, training rows {rows}); {kept}"
    )]
    NonFinite {
        /// What became so.
        quantity: &'static str,
        /// What it became.
        value: f64,
        /// Epoch, from 1.
        epoch: usize,
        /// Optimiser step since the start, from 1.
        step: usize,
        /// Learning rate of the step.
        learning_rate: f64,
        /// Batch of the epoch, from 1.
        batch: usize,
        /// The batch's rows of the training split, the first few.
        rows: String,
        /// Where the model kept so far lies, in words.
        kept: String,
    },
    /// The loss or the gradient of the second training became infinite or not a number.
    #[error(
        "the {quantity} became {value} at step {step} of the training on all texts (learning rate \
         {learning_rate}); the model of the first training is in {folder}; try refit = false"
    )]
    Refit {
        /// What became so.
        quantity: &'static str,
        /// What it became.
        value: f64,
        /// Optimiser step, from 1.
        step: usize,
        /// Learning rate of the step.
        learning_rate: f64,
        /// Where the model kept before lies.
        folder: PathBuf,
    },
    /// The loss of the pre-training became infinite or not a number.
    #[error(
        "the loss or the gradient became {value} in epoch {epoch} of the pre-training at step {step} \
         (learning rate {learning_rate}); try a lower pretraining.learning_rate or clip_norm"
    )]
    Pretraining {
        /// What it became.
        value: f64,
        /// Epoch, from 1.
        epoch: usize,
        /// Optimiser step, from 1.
        step: usize,
        /// Learning rate of the step.
        learning_rate: f64,
    },
    /// Word vectors do not have the embedding's width.
    #[error(
        "{path} has vectors of {dim} numbers, but the embedding's have {embedding_dim}; set \
         model.embedding_dim={dim}"
    )]
    VectorWidth {
        /// The file.
        path: PathBuf,
        /// Numbers in its vectors.
        dim: usize,
        /// Those of the embedding.
        embedding_dim: usize,
    },
    /// There are fewer training texts than one batch needs.
    #[error(
        "{rows} training texts are fewer than one batch of {batch_size}; use more data or a smaller batch_size"
    )]
    FewerThanABatch {
        /// Texts in the training split.
        rows: usize,
        /// Configured batch size.
        batch_size: usize,
    },
    /// The network puts out more than one number; the two classes here need one.
    #[error("output_size is {got}; two classes are trained and scored with 1")]
    OutputSize {
        /// The network's `output_size`.
        got: usize,
    },
    /// A split to be scored has no labels.
    #[error("the texts have no labels to compare predictions with")]
    NoLabels,
    /// `metrics.json` of a model folder could not be read.
    #[error("{path} cannot be read as a training report: {reason}")]
    Report {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A gradient does not fit the optimiser's parameters.
    #[error("a gradient does not fit: {reason}")]
    Gradient {
        /// What is wrong with it.
        reason: String,
    },
    /// An optimiser's state could not be written or read.
    #[error("{path} cannot be used as the state of this optimiser: {reason}")]
    State {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A data file was changed since it was read.
    #[error("{path} does not have the texts any more that were read from it before")]
    OtherData {
        /// The file.
        path: PathBuf,
    },
    /// The data could not be read or split.
    #[error(transparent)]
    Data(#[from] dataset::Error),
    /// The texts could not be encoded.
    #[error(transparent)]
    Text(#[from] text_preprocessing::Error),
    /// The network or its folder reported an error.
    #[error(transparent)]
    Model(#[from] model::Error),
    /// The recurrent layers reported an error.
    #[error(transparent)]
    Recurrent(#[from] recurrent::Error),
    /// Candle reported an error.
    #[error(transparent)]
    Candle(#[from] candle_core::Error),
}

impl Error {
    /// A gradient whose numbers are not those of its parameter's kind.
    pub(crate) fn other_dtype() -> Self {
        Self::Gradient { reason: "it has another dtype than its parameter".to_string() }
    }
}

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
    /// The loss, the gradient or the weights became infinite or not a number.
    #[error(
        "the {quantity} became {value} in epoch {epoch} at step {step} (learning rate {learning_rate}{batch}); \
         {kept}"
    )]
    NonFinite {
        /// What became so.
        quantity: String,
        /// What it became.
        value: f64,
        /// Epoch, from 1.
        epoch: usize,
        /// Optimiser step since the start, from 1.
        step: usize,
        /// Learning rate of the step.
        learning_rate: f64,
        /// The batch and the first few of its rows of the training split, in words; empty if it was
        /// a validation that found out.
        batch: String,
        /// Which model is kept, in words.
        kept: String,
    },
    /// The loss, the gradient or the weights of the second training became infinite or not a number.
    #[error(
        "the {quantity} became {value} at step {step} of the training on all texts (learning rate \
         {learning_rate}); the model of the first training was kept; try refit = false"
    )]
    Refit {
        /// What became so.
        quantity: String,
        /// What it became.
        value: f64,
        /// Optimiser step, from 1.
        step: usize,
        /// Learning rate of the step.
        learning_rate: f64,
    },
    /// The linear path, which learns first, left the finite numbers.
    #[error(
        "the linear path's {quantity} became {value} (ngram_learning_rate {rate}); try a lower \
         ngram_learning_rate"
    )]
    LinearPath {
        /// What became so.
        quantity: &'static str,
        /// What it became.
        value: f32,
        /// Its learning rate.
        rate: f64,
    },
    /// A network's answers are not finite numbers.
    #[error(
        "the network answers {n_rows} of {n_all} texts with {value}: its weights are not finite numbers, \
         and no probability can be told"
    )]
    NonFiniteLogits {
        /// The first such answer.
        value: f32,
        /// Texts with such an answer.
        n_rows: usize,
        /// All texts.
        n_all: usize,
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
    /// Whether numbers left the finite ones, which a lower learning rate may prevent: the model kept
    /// before, if there is one, is as good as it was.
    pub fn is_divergence(&self) -> bool {
        matches!(
            self,
            Self::NonFinite { .. }
                | Self::Refit { .. }
                | Self::Pretraining { .. }
                | Self::LinearPath { .. }
        )
    }

    /// A gradient whose numbers are not those of its parameter's kind.
    pub(crate) fn other_dtype() -> Self {
        Self::Gradient { reason: "it has another dtype than its parameter".to_string() }
    }
}

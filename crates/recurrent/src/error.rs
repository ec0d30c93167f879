//! Errors of this crate, with the numbers that explain them.

use crate::device_errors::{error_in_words, is_out_of_memory};
use crate::settings::OutOfRange;

/// Result type of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a recurrent layer could not be built or run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting is outside its range.
    #[error(transparent)]
    Config(#[from] OutOfRange),
    /// A tensor's shape does not fit the layer.
    #[error("{tensor} has shape {got:?}; expected {expected}")]
    Shape {
        /// The argument.
        tensor: &'static str,
        /// The shape required, in words and numbers.
        expected: String,
        /// The actual shape.
        got: Vec<usize>,
    },
    /// A tensor's dtype or device differs from the layer's weights.
    #[error("{tensor} is {got}; the layer's weights are {expected}")]
    Placement {
        /// The argument.
        tensor: &'static str,
        /// Dtype and device of the weights.
        expected: String,
        /// Dtype and device of the argument.
        got: String,
    },
    /// The number of lengths differs from the number of batch rows.
    #[error("{got} lengths for a batch of {batch} rows; expected one per row")]
    LengthCount {
        /// Number of lengths.
        got: usize,
        /// Number of rows.
        batch: usize,
    },
    /// A row's length exceeds the sequence.
    #[error("row {row} has length {got}; the sequence has {steps} steps")]
    Length {
        /// The batch row, from 0.
        row: usize,
        /// Its length.
        got: usize,
        /// Steps in the sequence.
        steps: usize,
    },
    /// A step refers to a vector that does not exist.
    #[error("a step refers to vector {index}; expected an index below {n_vectors}")]
    Index {
        /// The value in the list of indexes.
        index: u32,
        /// Number of vectors.
        n_vectors: usize,
    },
    /// A state has not as many tensors as the layer's states.
    #[error(
        "the initial state has {got} tensors; expected {expected} (an LSTM has h and c, others h)"
    )]
    StateCount {
        /// Its tensors.
        got: usize,
        /// Those of the layer's states.
        expected: usize,
    },
    /// A source of dropout masks gave a mask of the wrong length.
    #[error("a dropout mask has {got} values; expected {expected}")]
    MaskLength {
        /// Its length.
        got: usize,
        /// The numbers to mask.
        expected: usize,
    },
    /// The pass has more numbers than memory can have.
    #[error("{batch} rows of {steps} steps are more than any memory holds")]
    TooLarge {
        /// Rows of the batch.
        batch: usize,
        /// Steps of each row.
        steps: usize,
    },
    /// The batch has no rows.
    #[error("the batch has no rows")]
    EmptyBatch,
    /// A streaming step was requested from a bidirectional layer, which needs the whole sequence.
    #[error(
        "a bidirectional layer cannot run step by step: its backward direction starts at the end"
    )]
    BidirectionalStep,
    /// A forced backend cannot run on this machine or on these tensors.
    #[error("the {backend} backend cannot run here: {reason}")]
    Backend {
        /// The requested backend.
        backend: String,
        /// Why it cannot run.
        reason: String,
    },
    /// Candle reported an error.
    #[error("{}", error_in_words(.0))]
    Candle(candle_core::Error),
}

impl Error {
    /// Whether a device has no memory left.
    pub fn is_out_of_memory(&self) -> bool {
        matches!(self, Self::Candle(error) if is_out_of_memory(error))
    }
}

impl From<candle_core::Error> for Error {
    fn from(error: candle_core::Error) -> Self {
        Self::Candle(error)
    }
}

/// Lets layers be used inside candle code that returns candle's own result.
impl From<Error> for candle_core::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Candle(error) => error,
            other => candle_core::Error::wrap(other),
        }
    }
}

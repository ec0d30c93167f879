//! What can go wrong in this crate, with the numbers that tell why.

/// Result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a recurrent layer could not be built or run.
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
    /// A tensor's shape does not fit the layer.
    #[error("{tensor} has shape {got:?}; expected {expected}")]
    Shape {
        /// Which argument.
        tensor: &'static str,
        /// The shape the layer needs, in words and numbers.
        expected: String,
        /// The shape it got.
        got: Vec<usize>,
    },
    /// A tensor's dtype or device differs from the layer's weights.
    #[error("{tensor} is {got}; the layer's weights are {expected}")]
    Placement {
        /// Which argument.
        tensor: &'static str,
        /// Dtype and device of the weights.
        expected: String,
        /// Dtype and device of the argument.
        got: String,
    },
    /// There is not one length per batch row.
    #[error("{got} lengths for a batch of {batch} rows; expected one per row")]
    LengthCount {
        /// Number of lengths.
        got: usize,
        /// Number of rows.
        batch: usize,
    },
    /// A row is said to be longer than the sequence.
    #[error("row {row} has length {got}; the sequence has {steps} steps")]
    Length {
        /// The batch row, from 0.
        row: usize,
        /// Its length.
        got: usize,
        /// Steps in the sequence.
        steps: usize,
    },
    /// A step names a vector that there is not.
    #[error("a step names vector {index}; there are {n_vectors}, from 0")]
    Index {
        /// The number in the list of indexes.
        index: u32,
        /// How many vectors there are.
        n_vectors: usize,
    },
    /// The batch has no rows.
    #[error("the batch has no rows")]
    EmptyBatch,
    /// A streaming step was asked of a bidirectional layer, which needs the whole sequence.
    #[error(
        "a bidirectional layer cannot run step by step: its backward direction starts at the end"
    )]
    BidirectionalStep,
    /// A backend was forced that this machine or these tensors cannot run.
    #[error("the {backend} backend cannot run here: {reason}")]
    Backend {
        /// The backend asked for.
        backend: String,
        /// Why not.
        reason: String,
    },
    /// Candle reported an error.
    #[error(transparent)]
    Candle(#[from] candle_core::Error),
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

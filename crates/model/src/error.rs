//! Errors of networks, and what to do about them.

use recurrent::{error_in_words, is_out_of_memory};

use crate::precision::Precision;
use crate::task_kind::TaskKind;

/// Result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a network could not be built or run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting is outside its range.
    #[error(transparent)]
    Config(#[from] recurrent::OutOfRange),
    /// A task has too few or too many classes.
    #[error("{} {kind} task has {expected}, got {got}", article(*kind))]
    NumberOfClasses {
        /// The kind of task.
        kind: TaskKind,
        /// The number that it needs.
        expected: &'static str,
        /// The number of classes.
        got: usize,
    },
    /// A class's name is empty.
    #[error("class {number} has an empty name")]
    NamelessClass {
        /// The class, from 1.
        number: usize,
    },
    /// Two classes have the same name.
    #[error("two classes are named {name:?}")]
    RepeatedClass {
        /// The name.
        name: String,
    },
    /// A network's number of outputs is not the one that its task needs.
    #[error(
        "model.output_size is {got}, but {n_classes} {} {} {expected} {}; remove the setting",
        plural(*n_classes, "class", "classes"),
        plural(*n_classes, "needs", "need"),
        plural(*expected, "output", "outputs")
    )]
    OutputSize {
        /// The configured number.
        got: usize,
        /// Number of classes.
        n_classes: usize,
        /// The number of outputs that they need.
        expected: usize,
    },
    /// Thresholds do not fit a task.
    #[error("the thresholds do not fit the task: {reason}")]
    Thresholds {
        /// Which, and why.
        reason: String,
    },
    /// A state was passed to a network that must read each text as a whole.
    #[error("this network cannot process a text in chunks: {reason}")]
    NotChunked {
        /// The property of the network that prevents it.
        reason: &'static str,
    },
    /// An id is not in the vocabulary.
    #[error("row {row} holds id {id}; the vocabulary has {vocab_size} ids, from 0")]
    UnknownId {
        /// The batch row, from 0.
        row: usize,
        /// The id.
        id: u32,
        /// Number of ids.
        vocab_size: usize,
    },
    /// The requested device is not there or does not work.
    #[error("the {device} device cannot be used: {reason}")]
    Device {
        /// The requested device.
        device: &'static str,
        /// Why not, and what to do.
        reason: String,
    },
    /// A device has no such precision.
    #[error("{precision} is for CUDA devices; {device} computes in f32")]
    Precision {
        /// The requested precision.
        precision: Precision,
        /// The device, in words.
        device: String,
    },
    /// No n-gram occurs often enough for a linear path.
    #[error(
        "no n-gram occurs in {min_texts} or more training texts, so the linear path is empty; lower \
         ngram_min_texts, or set ngram_order to 0"
    )]
    NoNgrams {
        /// Number of texts in which an n-gram must occur.
        min_texts: usize,
    },
    /// A network with a linear path was built without n-grams.
    #[error("ngram_order is {order}, but the network's vocabularies have no n-grams")]
    LacksNgrams {
        /// The longest n-grams that it should have.
        order: usize,
    },
    /// Stored weights are not those of the network.
    #[error("the weights do not fit the configuration: {reason}")]
    Mismatch {
        /// Which tensor, and how.
        reason: String,
    },
    /// A stored tensor cannot be read.
    #[error("a stored tensor cannot be read: {reason}")]
    Unreadable {
        /// Which, and why.
        reason: String,
    },
    /// The recurrent layers reported an error.
    #[error(transparent)]
    Recurrent(#[from] recurrent::Error),
    /// Candle reported an error.
    #[error("{}", error_in_words(.0))]
    Candle(candle_core::Error),
}

impl Error {
    /// Whether a device has no memory left.
    pub fn is_out_of_memory(&self) -> bool {
        match self {
            Self::Candle(error) => is_out_of_memory(error),
            Self::Recurrent(error) => error.is_out_of_memory(),
            _ => false,
        }
    }
}

impl From<candle_core::Error> for Error {
    fn from(error: candle_core::Error) -> Self {
        Self::Candle(error)
    }
}

fn article(kind: TaskKind) -> &'static str {
    match kind {
        TaskKind::AnyOf => "an",
        TaskKind::Binary | TaskKind::OneOf => "a",
    }
}

fn plural(number: usize, one: &'static str, more: &'static str) -> &'static str {
    if number == 1 { one } else { more }
}

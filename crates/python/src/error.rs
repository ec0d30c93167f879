//! Errors, and which Python exceptions they become.

use std::io;
use std::path::{Path, PathBuf};

use arrow_schema::ArrowError;
use pyo3::create_exception;
use pyo3::exceptions::{
    PyFileExistsError, PyFileNotFoundError, PyKeyboardInterrupt, PyOSError, PyPermissionError,
    PyRuntimeError, PyTypeError, PyValueError,
};
use pyo3::prelude::*;
use trainer::RecipeError;

create_exception!(
    sentiment_rnn,
    ModelVersionError,
    PyValueError,
    "A model has a format that this version of sentiment_rnn does not read."
);
create_exception!(
    sentiment_rnn,
    InternalError,
    PyRuntimeError,
    "A fault of sentiment_rnn itself. Please report it."
);

/// Result of this crate.
pub(crate) type Result<T> = std::result::Result<T, Error>;

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// An item of a list is not a string.
    #[error(
        "item {number} is {found}, expected str{}",
        if *is_bytes { "; decode it first, e.g. with .decode(\"utf-8\")" } else { "" }
    )]
    Item {
        /// From 0.
        number: usize,
        /// Its type, or `None`.
        found: String,
        is_bytes: bool,
    },
    /// An item of a list is a string that cannot be written as UTF-8.
    #[error("item {number} has a lone surrogate, which is not a character: {source}")]
    Surrogate {
        /// From 0.
        number: usize,
        source: PyErr,
    },
    /// A table has several columns.
    #[error("the table has {} columns ({}); choose one with column=", names.len(), quoted(names))]
    WhichColumn { names: Vec<String> },
    /// A table has no such column.
    #[error("the table has no column {name:?}; its columns are {}", quoted(names))]
    NoColumn { name: String, names: Vec<String> },
    /// Two columns have the name.
    #[error("the table has several columns named {name:?}; rename all but one")]
    RepeatedColumn { name: String },
    /// A column was chosen where there are none.
    #[error("column= is for tables, but the texts are a single column; leave it out")]
    NoColumns,
    /// A column does not hold texts.
    #[error(
        "{} has the Arrow type {data_type}, expected texts (string, large_string, string_view, or a dictionary of \
         them)",
        name.as_ref().map_or_else(|| "the array".to_string(), |name| format!("column {name:?}"))
    )]
    ColumnType {
        /// The column of a table.
        name: Option<String>,
        data_type: String,
    },
    /// A device has no such name.
    #[error("there is no device {name:?}; expected \"cpu\", \"cuda\", \"metal\" or \"auto\"")]
    DeviceName { name: String },
    /// A model has no file of this name.
    #[error(
        "a model has no file {name:?}; its files are config.json, tokenizer.json, model.safetensors, \
         ngrams.safetensors and metrics.json"
    )]
    FileName { name: String },
    /// A model was replaced after it was loaded.
    #[error(
        "the files of the loaded model are gone: {} holds another model by now; load it again, or keep a model that \
         must be pickled in a folder of its own",
        folder.display()
    )]
    Replaced { folder: PathBuf },
    /// The process is a child of one that has computed.
    #[error(
        "this process ({this}) was forked from one ({parent}) in which sentiment_rnn had already computed, and threads \
         do not survive a fork; start processes with the method \"spawn\" (multiprocessing.set_start_method(\"spawn\")), \
         or train and predict in the children only"
    )]
    Forked { parent: u32, this: u32 },
    /// Ctrl-C ended a training before there was a model.
    #[error("training was stopped by Ctrl-C before there was a model")]
    StoppedEarly,
    /// An argument of a training is wrong.
    #[error("{reason}")]
    Argument { reason: String },
    /// A report could not be written as JSON.
    #[error("the training report cannot be written as JSON: {source}")]
    Report { source: serde_json::Error },
    /// A recipe or one of its settings is wrong.
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    /// Texts or labels are wrong.
    #[error(transparent)]
    Data(#[from] dataset::Error),
    /// A training failed.
    #[error(transparent)]
    Trainer(#[from] trainer::Error),
    /// Something panicked.
    #[error("internal error: {reason}; please report it, with the text above if there is any")]
    Internal { reason: String },
    /// An Arrow producer's data is wrong or could not be taken.
    #[error("the Arrow data cannot be read: {0}")]
    Arrow(#[from] ArrowError),
    /// A model could not be opened or asked.
    #[error(transparent)]
    Classifier(#[from] classifier::Error),
    /// Python raised an exception.
    #[error(transparent)]
    Python(#[from] PyErr),
}

impl From<Error> for PyErr {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::Python(raised) => raised,
            Error::Item { .. } | Error::ColumnType { .. } | Error::NoColumns => {
                PyTypeError::new_err(message)
            }
            Error::Surrogate { source, .. } => Python::attach(|py| {
                let error = PyValueError::new_err(message);
                error.set_cause(py, Some(source));
                error
            }),
            Error::WhichColumn { .. }
            | Error::NoColumn { .. }
            | Error::RepeatedColumn { .. }
            | Error::DeviceName { .. }
            | Error::Arrow(_) => PyValueError::new_err(message),
            Error::Argument { .. } | Error::FileName { .. } => PyValueError::new_err(message),
            Error::StoppedEarly => PyKeyboardInterrupt::new_err(message),
            Error::Recipe(error) => of_recipe(&error),
            Error::Data(error) => of_data(&error),
            Error::Trainer(error) => of_trainer(&error),
            Error::Report { .. } => InternalError::new_err(message),
            Error::Replaced { .. } | Error::Forked { .. } => PyRuntimeError::new_err(message),
            Error::Internal { .. } => InternalError::new_err(message),
            Error::Classifier(error) => of_classifier(&error),
        }
    }
}

fn of_recipe(error: &RecipeError) -> PyErr {
    match error {
        RecipeError::Missing { .. } => PyFileNotFoundError::new_err(error.to_string()),
        RecipeError::Read { error: source, .. } => of_io(error.to_string(), source),
        _ => PyValueError::new_err(error.to_string()),
    }
}

fn of_data(error: &dataset::Error) -> PyErr {
    let advice = error.advice().map_or_else(String::new, |advice| format!("\n{advice}"));
    PyValueError::new_err(format!("{error}{advice}"))
}

const FULL_MEMORY: &str = "In a training, smaller batches (settings={\"training.batch_size\": N}) and shorter \
    texts (preprocessing.seq_len) need less of it. nvidia-smi lists other programs that use the card. To compute on \
    the CPU, pass device=\"cpu\".";
const USE_THE_CPU: &str = "To compute on the CPU, pass device=\"cpu\".";

fn of_trainer(error: &trainer::Error) -> PyErr {
    use trainer::Error as E;
    match error {
        _ if error.is_out_of_memory() => PyRuntimeError::new_err(format!("{error}\n{FULL_MEMORY}")),
        E::Data(error) => of_data(error),
        E::Classifier(error) => of_classifier(error),
        E::Text(text_preprocessing::Error::NoWords { .. }) => PyValueError::new_err(format!(
            "{error}\nLower preprocessing.min_frequency with settings=. If the texts have no spaces between words, \
             set preprocessing.scheme to \"bpe\"."
        )),
        E::Vectors(word_vectors::Error::Read { source, .. }) => {
            of_io(format!("{error}: {source}"), source)
        }
        _ if error.is_divergence() => PyValueError::new_err(error.to_string()),
        E::NothingKept
        | E::Config(_)
        | E::FewerThanABatch { .. }
        | E::NoWeight { .. }
        | E::UnknownClass { .. }
        | E::ThresholdGoal { .. }
        | E::VectorWidth { .. }
        | E::Text(_)
        | E::Vectors(_)
        | E::Model(_) => PyValueError::new_err(error.to_string()),
        _ => PyRuntimeError::new_err(error.to_string()),
    }
}

const COPY_AGAIN: &str = "Copy the model folder again from its source, or train the model again.";

fn of_classifier(error: &classifier::Error) -> PyErr {
    use classifier::Error as E;
    let with = |advice: &str| format!("{error}\n{advice}");
    match error {
        _ if error.is_out_of_memory() => PyRuntimeError::new_err(with(FULL_MEMORY)),
        E::Model(model::Error::Device { .. }) => PyValueError::new_err(with(USE_THE_CPU)),
        E::NoModel { path, meant, .. } => {
            let message = match meant.is_empty() {
                true => with("Pass the folder that a training wrote."),
                false => error.to_string(),
            };
            if path.exists() {
                PyValueError::new_err(message)
            } else {
                PyFileNotFoundError::new_err(message)
            }
        }
        E::MissingFile { path, .. } if is_in_memory(path) => {
            PyValueError::new_err(error.to_string())
        }
        E::MissingFile { .. } => PyFileNotFoundError::new_err(with(COPY_AGAIN)),
        E::Damaged { .. } | E::Mixed { .. } | E::Mismatch { .. } => {
            PyValueError::new_err(with(COPY_AGAIN))
        }
        E::Version { .. } => ModelVersionError::new_err(error.to_string()),
        E::Exists { .. } => PyFileExistsError::new_err(with(
            "Choose another folder with output=, or replace the model in it with overwrite=True.",
        )),
        E::NotAModel { .. } => {
            PyFileExistsError::new_err(with("Choose another folder with output=."))
        }
        E::InUse { .. } => PyRuntimeError::new_err(with(
            "Wait until it finishes, or choose another folder with output=.",
        )),
        E::Io { source, .. } => of_io(format!("{error}: {source}"), source),
        E::Stranded { source, .. } => of_io(format!("{error}: {source}"), source),
        E::Text(_) | E::Model(_) => PyValueError::new_err(error.to_string()),
        _ => PyRuntimeError::new_err(error.to_string()),
    }
}

fn of_io(message: String, source: &io::Error) -> PyErr {
    match source.kind() {
        io::ErrorKind::NotFound => PyFileNotFoundError::new_err(message),
        io::ErrorKind::PermissionDenied => PyPermissionError::new_err(message),
        _ => PyOSError::new_err(message),
    }
}

/// Whether a model's file is one in memory, which has a name but no folder.
fn is_in_memory(path: &Path) -> bool {
    path.parent().is_none_or(|folder| folder.as_os_str().is_empty())
}

/// Names for a message: `"a", "b" and 3 more`.
fn quoted(names: &[String]) -> String {
    const SHOWN: usize = 12;
    let shown: Vec<String> = names.iter().take(SHOWN).map(|name| format!("{name:?}")).collect();
    match names.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        n_more => format!("{} and {n_more} more", shown.join(", ")),
    }
}

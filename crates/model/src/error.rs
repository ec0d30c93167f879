//! Errors of networks and model folders, and what to do about them.

use std::path::PathBuf;

use crate::task_kind::TaskKind;

/// Result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a network could not be built, run, saved or loaded.
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
    /// The requested device is not available.
    #[error("no {device} device: {reason}")]
    Device {
        /// The requested device.
        device: &'static str,
        /// Why not, and what to do.
        reason: String,
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
    /// A model folder lacks a file.
    #[error("{path} is missing; a model folder holds {expected}")]
    MissingFile {
        /// The file.
        path: PathBuf,
        /// All files of a model folder.
        expected: &'static str,
    },
    /// A file of a model folder is damaged or of the wrong kind.
    #[error("{path} cannot be read as {expected}: {reason}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What the file should hold.
        expected: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// This version does not support the model folder's format.
    #[error(
        "{path} has format {got}, {}; this program reads formats {oldest} to {newest}: {}",
        written_by(*got, *newest, writer.as_deref()),
        cure(*got, *newest, writer.as_deref())
    )]
    Version {
        /// The configuration file.
        path: PathBuf,
        /// Its format.
        got: u64,
        /// The version of the program that wrote it, if recorded.
        writer: Option<String>,
        /// The oldest supported format.
        oldest: u64,
        /// The newest supported format.
        newest: u64,
    },
    /// A folder contains files of two models.
    #[error(
        "{path} belongs to a different model than config.json: its {key} is {got}, expected \
         {expected}"
    )]
    Mixed {
        /// The file that does not belong there.
        path: PathBuf,
        /// The value that differs.
        key: &'static str,
        /// The file's value.
        got: String,
        /// The configuration's value.
        expected: String,
    },
    /// The weights file does not fit the configuration beside it.
    #[error("{path} does not fit the configuration: {reason}")]
    Mismatch {
        /// The weights file.
        path: PathBuf,
        /// Which tensor, and how.
        reason: String,
    },
    /// The given path is not a model folder.
    #[error("{path} is not a model folder: {found}{}", did_you_mean(meant))]
    NoModel {
        /// The given path.
        path: PathBuf,
        /// Description of what is there.
        found: String,
        /// Folders that may have been meant.
        meant: Vec<PathBuf>,
    },
    /// Another process is writing to a model folder.
    #[error("another training run is writing to {path}{}", process(*pid))]
    InUse {
        /// The folder.
        path: PathBuf,
        /// The process, if it is known.
        pid: Option<u32>,
    },
    /// The model folder must be new, but it already exists.
    #[error("{path} already exists")]
    Exists {
        /// The folder.
        path: PathBuf,
    },
    /// A file of a model was written before the model itself.
    #[error("no model has been saved to {path} yet")]
    NothingSaved {
        /// The folder.
        path: PathBuf,
    },
    /// The output path holds something other than a model.
    #[error("{path} exists and is not a model folder: {found}")]
    NotAModel {
        /// The folder.
        path: PathBuf,
        /// Description of what is there.
        found: String,
    },
    /// A new model could not replace the old one, and the old one could not be restored.
    #[error("cannot write {path}; the model that was there is now in {old}")]
    Stranded {
        /// The folder.
        path: PathBuf,
        /// Where its old contents are.
        old: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// A file or folder could not be read or written.
    #[error("cannot {action} {path}")]
    Io {
        /// The attempted action.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// The tokenizer could not be saved or loaded.
    #[error(transparent)]
    Text(#[from] text_preprocessing::Error),
    /// The recurrent layers reported an error.
    #[error(transparent)]
    Recurrent(#[from] recurrent::Error),
    /// Candle reported an error.
    #[error(transparent)]
    Candle(#[from] candle_core::Error),
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

/// Describes what wrote an unsupported format.
fn written_by(got: u64, newest: u64, writer: Option<&str>) -> String {
    match writer {
        _ if got < newest => "which is too old".to_string(),
        Some(version) => format!("written by {PROGRAM} {version}"),
        None => format!("written by a newer version of {PROGRAM}"),
    }
}

/// What to do about an unsupported format.
fn cure(got: u64, newest: u64, writer: Option<&str>) -> String {
    match writer {
        _ if got < newest => "retrain the model".to_string(),
        Some(version) => format!("install version {version} or newer"),
        None => "install a newer version".to_string(),
    }
}

const PROGRAM: &str = "sentiment-rnn";

fn process(pid: Option<u32>) -> String {
    pid.map_or_else(String::new, |pid| format!(" (process {pid})"))
}

fn did_you_mean(meant: &[PathBuf]) -> String {
    let names: Vec<String> = meant.iter().map(|path| path.display().to_string()).collect();
    match names.as_slice() {
        [] => String::new(),
        [name] => format!("; did you mean {name}?"),
        [names @ .., last] => format!("; did you mean {} or {last}?", names.join(", ")),
    }
}

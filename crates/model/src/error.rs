//! What can go wrong with a network or its folder, with what to do about it.

use std::path::PathBuf;

/// Result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a network could not be built, run, saved or loaded.
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
    /// A state was handed on to a network that reads each text as a whole.
    #[error("this network cannot take a text in chunks: {reason}")]
    NotChunked {
        /// Which property of the network stands against it.
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
    /// The device asked for cannot be used.
    #[error("no {device} device: {reason}")]
    Device {
        /// The device asked for.
        device: &'static str,
        /// Why not, and what to do.
        reason: String,
    },
    /// A network with a linear path has no n-grams for it.
    #[error(
        "no n-gram comes in {min_texts} texts or more: there is nothing for a linear path to weigh; \
         lower ngram_min_texts, or set ngram_order to 0"
    )]
    NoNgrams {
        /// The texts that an n-gram must come in.
        min_texts: usize,
    },
    /// A model folder lacks a file.
    #[error("{path} is missing; a model folder holds {expected}")]
    MissingFile {
        /// The file.
        path: PathBuf,
        /// All files of a model folder.
        expected: &'static str,
    },
    /// A file of a model folder could not be read as what it should be.
    #[error("{path} cannot be read as {expected}: {reason}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What the file should hold.
        expected: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The model folder has a format that this version does not know.
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
        /// The version of the program that wrote it, if it says so.
        writer: Option<String>,
        /// The oldest format that is read here.
        oldest: u64,
        /// The newest one.
        newest: u64,
    },
    /// Files of two models stand in one folder.
    #[error(
        "{path} is not part of the model that config.json beside it describes: its {key} is {got}, \
         expected {expected}"
    )]
    Mixed {
        /// The file that does not belong there.
        path: PathBuf,
        /// What tells them apart.
        key: &'static str,
        /// What the file has.
        got: String,
        /// What the configuration has.
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
    /// What was given as a model is none.
    #[error("{path} is not a model folder: {found}{}", did_you_mean(meant))]
    NoModel {
        /// What was given.
        path: PathBuf,
        /// What is there, in words.
        found: String,
        /// The folders that may have been meant.
        meant: Vec<PathBuf>,
    },
    /// Another process is writing to a model folder.
    #[error("another training is writing to {path}{}", process(*pid))]
    InUse {
        /// The folder.
        path: PathBuf,
        /// The process, if it is known.
        pid: Option<u32>,
    },
    /// A model folder is to be new, and is there.
    #[error("{path} exists")]
    Exists {
        /// The folder.
        path: PathBuf,
    },
    /// A single file of a model was to be written before the model.
    #[error("no model has been saved to {path} yet")]
    NothingSaved {
        /// The folder.
        path: PathBuf,
    },
    /// The target of a save holds something that is not a model.
    #[error("{path} exists and is not a model folder: {found}")]
    NotAModel {
        /// The folder.
        path: PathBuf,
        /// What is there, in words.
        found: String,
    },
    /// A new model could not take the place of an old one, which could not go back either.
    #[error("cannot write {path}; the model that was there is now in {old}")]
    Stranded {
        /// The folder.
        path: PathBuf,
        /// Where its old contents are.
        old: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A file or folder could not be read or written.
    #[error("cannot {action} {path}")]
    Io {
        /// What was being done.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
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

/// Who wrote a format that is not known.
fn written_by(got: u64, newest: u64, writer: Option<&str>) -> String {
    match writer {
        _ if got < newest => "which is too old".to_string(),
        Some(version) => format!("written by {PROGRAM} {version}"),
        None => format!("written by a newer version of {PROGRAM}"),
    }
}

/// What to do about a format that is not known.
fn cure(got: u64, newest: u64, writer: Option<&str>) -> String {
    match writer {
        _ if got < newest => "train the model anew".to_string(),
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

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
    /// The model folder was written by a version whose format this one does not know.
    #[error("{path} has format version {got}; this program reads version {expected}")]
    Version {
        /// The configuration file.
        path: PathBuf,
        /// Its format version.
        got: u64,
        /// The one known here.
        expected: u64,
    },
    /// The weights file does not fit the configuration beside it.
    #[error("{path} does not fit the configuration: {reason}")]
    Mismatch {
        /// The weights file.
        path: PathBuf,
        /// Which tensor, and how.
        reason: String,
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

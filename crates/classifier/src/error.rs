//! Errors of trained classifiers and their folders, and what to do about them.

use std::path::PathBuf;

/// Result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a trained classifier could not be saved, opened or asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A network's outputs are not finite.
    #[error(
        "the network's output is {value} for {n_texts} of {n_all} texts: its weights are not finite; \
         retrain the model"
    )]
    NonFinite {
        /// The first such output.
        value: f32,
        /// Texts with such an output.
        n_texts: usize,
        /// All texts.
        n_all: usize,
    },
    /// The parts of a classifier do not fit together.
    #[error(
        "a classifier's parts do not fit together: its network has {got} {what}, expected {expected}"
    )]
    Parts {
        /// What differs.
        what: &'static str,
        /// The number that the task or the encoder needs.
        expected: usize,
        /// The network's.
        got: usize,
    },
    /// The caller stopped a prediction.
    #[error("stopped before all texts were answered")]
    Stopped,
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
    /// The texts could not be encoded, or the tokenizer not saved or loaded.
    #[error(transparent)]
    Text(#[from] text_preprocessing::Error),
    /// The network reported an error.
    #[error(transparent)]
    Model(#[from] model::Error),
    /// Candle reported an error.
    #[error("{}", model::error_in_words(.0))]
    Candle(candle_core::Error),
}

impl Error {
    /// Whether a device has no memory left.
    pub fn is_out_of_memory(&self) -> bool {
        match self {
            Self::Candle(error) => model::is_out_of_memory(error),
            Self::Model(error) => error.is_out_of_memory(),
            _ => false,
        }
    }
}

impl From<candle_core::Error> for Error {
    fn from(error: candle_core::Error) -> Self {
        Self::Candle(error)
    }
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

//! `status.json`: how a run stands, for people and for `sentiment runs`.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::record::Ending;
use crate::state::{Identity, Position};

/// How a run stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunStatus {
    /// How it ended; [`Ending::Running`] until then, and if it was killed.
    pub ended: Ending,
    /// The error with which it ended, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Every session, in order.
    pub sessions: Vec<RunSession>,
    /// What is trained, and on what: whoever goes on must have the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
    /// Seconds of training so far, of all sessions.
    pub train_s: f64,
    /// Epochs that were validated last, and their figures on the validation split.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation: Option<KeyFigures>,
    /// On the test split, once it was tested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<KeyFigures>,
}

/// From a start to the end of the program, or its death.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunSession {
    /// ISO 8601, UTC.
    pub started: String,
    /// Where it went on; absent if it started from the beginning.
    pub from: Option<Position>,
    /// When it ended; absent while it runs, and if it was killed.
    pub ended: Option<String>,
}

/// The figures that a list of runs shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KeyFigures {
    /// Epochs trained by then.
    pub epoch: f64,
    /// The loss.
    pub loss: f64,
    /// Name of the headline: accuracy, or micro F1.
    pub name: String,
    /// Its value.
    pub value: f64,
    /// Macro F1.
    pub macro_f1: f64,
}

impl RunStatus {
    /// Of a run that has not begun.
    pub(crate) fn new() -> Self {
        Self {
            ended: Ending::Running,
            error: None,
            sessions: Vec::new(),
            identity: None,
            train_s: 0.0,
            validation: None,
            test: None,
        }
    }

    /// Reads `status.json`.
    ///
    /// # Errors
    /// [`Error::RunFile`] if it is missing or no status.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = fs::read(path).map_err(|error| error.to_string());
        let status =
            text.and_then(|text| serde_json::from_slice(&text).map_err(|error| error.to_string()));
        status.map_err(|reason| Error::RunFile {
            path: path.to_path_buf(),
            what: "the status of a run",
            reason,
        })
    }

    /// Writes it, atomically.
    ///
    /// # Errors
    /// [`Error::Unwritten`].
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        let written = serde_json::to_vec_pretty(self)
            .map_err(std::io::Error::other)
            .and_then(|bytes| whole_file::write(path, &[&bytes[..], b"\n"].concat()));
        written.map_err(|source| Error::Unwritten { path: path.to_path_buf(), source })
    }
}

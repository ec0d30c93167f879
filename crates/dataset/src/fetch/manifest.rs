//! `manifest.json`: the files created, their sources, and their SHA-256 at that time.
//!
//! The checksums are recorded, not pinned in the program, because another version of the Parquet writer
//! may write the same rows as different bytes.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::catalogue::{Counts, Part};
use super::checksum;
use super::error::{FetchError, io_error};
use super::event::{Event, OnEvent};
use super::report::Fault;
use super::store;

const FILE: &str = "manifest.json";

/// All entries by file name.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Manifest {
    files: BTreeMap<String, Entry>,
}

/// What was recorded when a file was created.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) source: String,
    pub(super) source_sha256: String,
    #[serde(flatten)]
    pub(super) counts: Counts,
    pub(super) n_bytes: u64,
    pub(super) sha256: String,
}

/// How a file compares with its entry.
#[derive(Debug)]
pub(super) enum State {
    Missing,
    Good(Entry),
    Faulty(Fault),
}

impl Manifest {
    /// Reads the manifest of a folder. A missing or damaged one counts as empty; a damaged one is
    /// reported in a note.
    pub(super) fn load(folder: &Path, on_event: OnEvent<'_>) -> Result<Self, FetchError> {
        let path = folder.join(FILE);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if is_absent(&error) => return Ok(Self::default()),
            Err(error) => return Err(io_error("read", &path)(error)),
        };
        Ok(serde_json::from_slice(&text).unwrap_or_else(|error| {
            on_event(Event::Note(format!("{} is damaged ({error})", path.display())));
            Self::default()
        }))
    }

    /// Writes the manifest completely or not at all.
    pub(super) fn save(&self, folder: &Path) -> Result<(), FetchError> {
        let path = folder.join(FILE);
        let mut text = serde_json::to_vec_pretty(self)
            .map_err(|error| io_error("write", &path)(error.into()))?;
        text.push(b'\n');
        store::replace(&path, &text)
    }

    pub(super) fn record(&mut self, file: &str, entry: Entry) {
        self.files.insert(file.to_owned(), entry);
    }

    /// Compares a file with its entry, cheap checks first.
    pub(super) fn check(
        &self,
        folder: &Path,
        part: &Part,
        source_sha256: &str,
    ) -> Result<State, FetchError> {
        let path = folder.join(&part.file);
        let n_bytes = match fs::metadata(&path) {
            Ok(metadata) => metadata.len(),
            Err(error) if is_absent(&error) => return Ok(State::Missing),
            Err(error) => return Err(io_error("read", &path)(error)),
        };
        let Some(entry) = self.files.get(&part.file) else {
            return Ok(State::Faulty(Fault::Unrecorded));
        };
        if entry.n_bytes != n_bytes {
            return Ok(State::Faulty(Fault::Size { expected: entry.n_bytes, got: n_bytes }));
        }
        let sha256 = checksum::of_file(&path)?;
        if entry.sha256 != sha256 {
            let expected = entry.sha256.clone();
            return Ok(State::Faulty(Fault::Checksum { expected, got: sha256 }));
        }
        if entry.source_sha256 != source_sha256 {
            return Ok(State::Faulty(Fault::OtherSource { recorded: entry.source.clone() }));
        }
        if entry.counts != part.counts {
            return Ok(State::Faulty(Fault::Counts { expected: part.counts, got: entry.counts }));
        }
        Ok(State::Good(entry.clone()))
    }
}

/// Also true if the folder is a file: creating the folder gives a better message.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

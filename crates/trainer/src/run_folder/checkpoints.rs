//! The checkpoints of a run: the last few, by the number of batches that they were saved after.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result, chain};
use crate::state::{self, Kind, Restored, Snapshot};

const PREFIX: &str = "batch-";
const SUFFIX: &str = ".safetensors";

/// The newest checkpoint that can be used.
pub(crate) struct Found {
    /// Its contents.
    pub(crate) restored: Restored,
    /// Newer ones that could not be used, newest first, each with the reason, and whatever else is not as it was left.
    pub(crate) notes: Vec<String>,
    /// Whether numbers are rounded as they were.
    pub(crate) is_exact: bool,
}

/// A folder of checkpoints.
#[derive(Debug, Clone)]
pub(crate) struct Checkpoints {
    folder: PathBuf,
}

impl Checkpoints {
    pub(crate) fn in_folder(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// All, the newest first.
    ///
    /// # Errors
    /// [`Error::Unread`].
    pub(crate) fn all(&self) -> Result<Vec<PathBuf>> {
        let failed = |source| Error::Unread { path: self.folder.clone(), source };
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(error)),
        };
        let mut found = Vec::new();
        for entry in entries {
            let path = entry.map_err(failed)?.path();
            if let Some(number) = number_of(&path) {
                found.push((number, path));
            }
        }
        found.sort_unstable_by(|a, b| b.cmp(a));
        Ok(found.into_iter().map(|(_, path)| path).collect())
    }

    /// Saves a state, and removes all but the last `keep`.
    ///
    /// # Errors
    /// [`Error::Unwritten`]; all earlier ones are there then.
    pub(crate) fn save(&self, snapshot: &Snapshot<'_>, number: u64, keep: usize) -> Result<()> {
        let failed = |source| Error::Unwritten { path: self.folder.clone(), source };
        fs::create_dir_all(&self.folder).map_err(failed)?;
        let path = self.folder.join(format!("{PREFIX}{number:010}{SUFFIX}"));
        state::write(&path, Kind::Training, snapshot)?;
        for old in self.all()?.into_iter().skip(keep.max(1)) {
            fs::remove_file(&old).map_err(|source| Error::Unwritten { path: old, source })?;
        }
        Ok(())
    }

    /// Reads the newest that is whole; `None` if there are none.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] of the newest if none of several can be used.
    pub(crate) fn newest(&self) -> Result<Option<Found>> {
        let mut failures = Vec::new();
        for path in self.all()? {
            match state::read(&path, Kind::Training) {
                Ok(restored) => {
                    let notes = failures.iter().map(chain).collect();
                    return Ok(Some(Found { restored, notes, is_exact: true }));
                }
                Err(error) => failures.push(error),
            }
        }
        failures.into_iter().next().map_or(Ok(None), Err)
    }

    /// Removes all of them.
    ///
    /// # Errors
    /// [`Error::Unwritten`].
    pub(crate) fn remove_all(&self) -> Result<()> {
        for path in self.all()? {
            fs::remove_file(&path).map_err(|source| Error::Unwritten { path, source })?;
        }
        Ok(())
    }
}

/// The number in a checkpoint's name.
fn number_of(path: &Path) -> Option<u64> {
    let name = path.file_name()?.to_str()?;
    name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?.parse().ok()
}

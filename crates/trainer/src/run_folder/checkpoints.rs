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

    /// Saves a state, and removes all but the last `keep` up to it. Any of later states cannot be used, since the
    /// training went on from an earlier one.
    ///
    /// # Errors
    /// [`Error::Unwritten`]; all earlier ones are there then.
    pub(crate) fn save(&self, snapshot: &Snapshot<'_>, number: u64, keep: usize) -> Result<()> {
        let failed = |source| Error::Unwritten { path: self.folder.clone(), source };
        fs::create_dir_all(&self.folder).map_err(failed)?;
        let path = self.folder.join(format!("{PREFIX}{number:010}{SUFFIX}"));
        state::write(&path, Kind::Training, snapshot)?;
        let is_later = |path: &PathBuf| number_of(path).is_some_and(|other| other > number);
        let (later, upto): (Vec<_>, Vec<_>) = self.all()?.into_iter().partition(is_later);
        for old in later.into_iter().chain(upto.into_iter().skip(keep.max(1))) {
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

/// Whether a file of this name is a checkpoint.
pub(crate) fn is_checkpoint(name: &str) -> bool {
    number_of(Path::new(name)).is_some()
}

/// The number in a checkpoint's name.
fn number_of(path: &Path) -> Option<u64> {
    let name = path.file_name()?.to_str()?;
    name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(checkpoints: &Checkpoints) -> Vec<u64> {
        checkpoints.all().unwrap().iter().filter_map(|path| number_of(path)).collect()
    }

    #[test]
    fn the_last_few_are_kept_and_what_is_damaged_is_passed_over_and_then_removed() {
        let folder = tempfile::tempdir().unwrap();
        let checkpoints = Checkpoints::in_folder(folder.path().join("checkpoints"));
        assert!(checkpoints.newest().unwrap().is_none());
        for number in [1, 20, 300, 4_000_000_000] {
            checkpoints.save(&Snapshot::default(), number, 2).unwrap();
        }
        assert_eq!(numbers(&checkpoints), [4_000_000_000, 300]);
        fs::write(folder.path().join("checkpoints/notes.txt"), "mine").unwrap();
        fs::write(&checkpoints.all().unwrap()[0], "damaged").unwrap();
        let found = checkpoints.newest().unwrap().unwrap();
        assert!(found.restored.path().ends_with("batch-0000000300.safetensors"));
        assert!(
            found.notes[0].contains("batch-4000000000.safetensors: it is damaged"),
            "{:?}",
            found.notes
        );
        checkpoints.save(&Snapshot::default(), 301, 1).unwrap();
        assert_eq!(numbers(&checkpoints), [301]);
        checkpoints.remove_all().unwrap();
        assert_eq!(fs::read_dir(folder.path().join("checkpoints")).unwrap().count(), 1);
    }
}

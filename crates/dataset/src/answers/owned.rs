//! Which files of a folder of parts are ours: nothing else is ever removed.

use std::fs;
use std::path::Path;

use super::{lock, manifest};

/// The files of a folder of parts that we wrote.
#[derive(Clone, Debug, Default)]
pub(super) struct Owned {
    /// The parts that the manifest knows of.
    pub(super) parts: Vec<String>,
}

impl Owned {
    /// Whether a folder holds anything else; false if there is no such folder.
    pub(super) fn has_others(&self, folder: &Path) -> bool {
        let Ok(entries) = fs::read_dir(folder) else { return false };
        entries.flatten().any(|entry| {
            let name = entry.file_name();
            !name.to_str().is_some_and(|name| self.holds(name))
        })
    }

    fn holds(&self, name: &str) -> bool {
        let is_known = [lock::NAME, manifest::NAME].contains(&name) || is_staged(name);
        is_known || self.parts.iter().any(|part| part == name)
    }

    /// Removes the parts of a folder, as far as the system lets us.
    pub(super) fn remove_parts(&self, folder: &Path) {
        for name in &self.parts {
            let _ = fs::remove_file(folder.join(name));
        }
    }

    /// Removes everything of ours, and the folder if nothing is left in it, as far as the system lets us. No
    /// other process may write to it.
    pub(super) fn remove_all(&self, folder: &Path) {
        self.remove_parts(folder);
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        for name in entries.map(|entry| entry.file_name()) {
            if name.to_str().is_some_and(is_staged) {
                let _ = fs::remove_file(folder.join(name));
            }
        }
        for name in [manifest::NAME, lock::NAME] {
            let _ = fs::remove_file(folder.join(name));
        }
        let _ = fs::remove_dir(folder);
    }
}

/// Whether a file is one that was not completed.
fn is_staged(name: &str) -> bool {
    name.starts_with(".sentiment-") && name.ends_with(".unfinished")
}

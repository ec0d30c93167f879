//! Claims a folder for writing: resolves and locks it, and removes leftovers of killed programs.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use whole_file::{folder_of, sync_folder};

use super::files::{Purpose, hidden, looks_like_a_model, standing};
use super::lock::{Asked, Lock};
use super::replace::move_in;
use crate::error::{Error, Result};

/// How often to re-create a parent folder that another process created and removed.
const PARENT_TRIES: usize = 100;

/// An exclusive claim to a folder, held until this is dropped.
#[derive(Debug)]
pub(super) struct Claim {
    /// The folder as the user named it, for messages.
    pub(super) given: PathBuf,
    /// The folder itself: absolute and with links resolved, so that it has one spelling and one lock.
    pub(super) target: PathBuf,
    lock: Option<Lock>,
    /// Parents created for it, the deepest first.
    made: Vec<PathBuf>,
}

/// Whether a program is training a model for this folder at this moment. False on file systems without locks.
#[must_use]
pub fn is_claimed(folder: &Path) -> bool {
    // The lock is beside the folder itself, not beside a link to it.
    let folder = &folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf());
    let Some(name) = folder.file_name() else { return false };
    Lock::is_taken(&folder_of(folder).join(hidden(name, ".lock")))
}

impl Claim {
    /// Claims a folder without waiting, and removes leftovers of killed programs beside it.
    ///
    /// # Errors
    /// [`Error::InUse`] if another process has it; [`Error::NotAModel`] if it cannot be a model folder;
    /// [`Error::Io`].
    pub(super) fn take(given: &Path) -> Result<Self> {
        let name = given.file_name().ok_or_else(|| Error::NotAModel {
            path: given.to_path_buf(),
            found: "the path must end in a folder name".to_string(),
        })?;
        // Without the trailing slash, which would follow a link.
        let path = match given.parent() {
            Some(parent) => parent.join(name),
            None => PathBuf::from(name),
        };
        let mut claim = Self {
            given: given.to_path_buf(),
            target: PathBuf::new(),
            lock: None,
            made: Vec::new(),
        };
        claim.find(&path)?;
        // Without locks, apparent leftovers may belong to a training run in progress.
        if claim.is_locked() {
            claim.sweep()?;
        }
        Ok(claim)
    }

    /// Resolves the path and takes the lock.
    fn find(&mut self, path: &Path) -> Result<()> {
        let mut n_tries = 0;
        loop {
            self.target = self.resolved(path)?;
            let lock_path = self.beside(".lock");
            match Lock::ask(&lock_path) {
                Ok(Asked::Ours(lock)) => {
                    self.lock = Some(lock);
                    return Ok(());
                }
                Ok(Asked::Taken(pid)) => {
                    return Err(Error::InUse { path: self.given.clone(), pid });
                }
                // Another process had also created the parent folder and has just removed it.
                Err(error) if error.kind() == io::ErrorKind::NotFound && n_tries < PARENT_TRIES => {
                    n_tries += 1;
                }
                Err(source) if source.kind() == io::ErrorKind::Other => {
                    return Err(Error::Io { action: "lock", path: lock_path, source });
                }
                Err(source) => return Err(self.cannot_write_to(folder_of(path), source)),
            }
        }
    }

    /// Resolves a path, creating missing parents.
    fn resolved(&mut self, path: &Path) -> Result<PathBuf> {
        let io = |source| Error::Io { action: "read", path: path.to_path_buf(), source };
        let not_a_model = |found| Error::NotAModel { path: path.to_path_buf(), found };
        let is_link = standing(path).is_ok_and(|found| found.is_some_and(|it| it.is_symlink()));
        if is_link {
            let target = fs::canonicalize(path).map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => not_a_model("it is a broken link".to_string()),
                _ => io(error),
            })?;
            return match target.file_name() {
                Some(_) => Ok(target),
                None => Err(not_a_model("the path must end in a folder name".into())),
            };
        }
        let parent = folder_of(path);
        let missing = parent
            .ancestors()
            .take_while(|path| !path.as_os_str().is_empty() && matches!(standing(path), Ok(None)));
        let missing: Vec<PathBuf> = missing.map(Path::to_path_buf).collect();
        fs::create_dir_all(parent).map_err(|source| self.cannot_write_to(parent, source))?;
        for folder in missing {
            if !self.made.contains(&folder) {
                self.made.push(folder);
            }
        }
        let parent = fs::canonicalize(parent).map_err(io)?;
        Ok(parent.join(path.file_name().unwrap_or_default()))
    }

    /// Names the nearest existing parent: the others would have been created.
    fn cannot_write_to(&self, parent: &Path, source: io::Error) -> Error {
        let above = parent.ancestors().find(|path| path.exists());
        let above = above.filter(|path| !path.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Error::Io { action: "write to", path: above.to_path_buf(), source }
    }

    /// Checks that the lock is still ours, and takes it again if its file was removed.
    pub(super) fn renew(&mut self) -> Result<()> {
        let io = |source| Error::Io { action: "lock", path: self.given.clone(), source };
        if let Some(lock) = &self.lock
            && lock.is_in_place().map_err(io)?
        {
            return Ok(());
        }
        let path = self.lock.as_ref().map_or_else(|| self.beside(".lock"), |it| it.path().into());
        fs::create_dir_all(self.parent()).map_err(io)?;
        match Lock::ask(&path).map_err(io)? {
            Asked::Ours(lock) => {
                self.lock = Some(lock);
                Ok(())
            }
            Asked::Taken(pid) => Err(Error::InUse { path: self.given.clone(), pid }),
        }
    }

    /// Whether other processes are kept out.
    pub(super) fn is_locked(&self) -> bool {
        self.lock.as_ref().is_some_and(Lock::is_locked)
    }

    /// The name of the folder itself.
    pub(super) fn name(&self) -> &OsStr {
        self.target.file_name().unwrap_or_default()
    }

    pub(super) fn parent(&self) -> PathBuf {
        folder_of(&self.target).to_path_buf()
    }

    fn beside(&self, ending: &str) -> PathBuf {
        self.parent().join(hidden(self.name(), ending))
    }

    /// Flushes the folder's name, and those of the parents created for it, to disk.
    pub(super) fn sync(&self) -> io::Result<()> {
        sync_folder(&self.parent())?;
        self.made.iter().try_for_each(|folder| match folder.canonicalize() {
            Ok(folder) => sync_folder(folder_of(&folder)),
            Err(error) => Err(error),
        })
    }

    /// Removes leftovers of killed programs beside the folder. If a program was killed between the two
    /// renames of a replacement, puts the old model back.
    fn sweep(&self) -> Result<()> {
        let io = |source| Error::Io { action: "read", path: self.parent(), source };
        let mut older: Vec<(SystemTime, OsString)> = Vec::new();
        for entry in fs::read_dir(self.parent()).map_err(io)? {
            let name = entry.map_err(io)?.file_name();
            match Purpose::of(&name, self.name()) {
                Some(Purpose::New) => remove(&self.parent().join(name)),
                Some(Purpose::Old) => {
                    let changed = fs::metadata(self.parent().join(&name));
                    let changed = changed.and_then(|metadata| metadata.modified());
                    older.push((changed.unwrap_or(SystemTime::UNIX_EPOCH), name));
                }
                None => {}
            }
        }
        // Newest first: the loop runs backwards.
        older.sort();
        for (_, name) in older.into_iter().rev() {
            let path = self.parent().join(name);
            let is_missing = matches!(standing(&self.target), Ok(None));
            if is_missing && looks_like_a_model(&path) {
                move_in(&path, &self.target).map_err(|source| Error::Stranded {
                    path: self.given.clone(),
                    old: path.clone(),
                    source,
                })?;
                sync_folder(&self.parent()).map_err(io)?;
            } else {
                remove(&path);
            }
        }
        Ok(())
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        // The lock file is in the first parent.
        self.lock = None;
        for folder in &self.made {
            // A folder that is not empty stays, and so do its parents.
            if fs::remove_dir(folder).is_err() {
                break;
            }
        }
    }
}

/// Best effort: what cannot be removed now is left to the next claim.
fn remove(path: &Path) {
    let _ = match standing(path) {
        Ok(Some(metadata)) if metadata.is_dir() => fs::remove_dir_all(path),
        _ => fs::remove_file(path),
    };
}

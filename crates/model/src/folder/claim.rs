//! Who may write to a folder: the place is found, locked, and cleared of what killed programs left.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::files::{Purpose, hidden, looks_like_a_model, parent_of, standing, sync_folder};
use super::lock::{Asked, Lock};
use super::replace::move_in;
use crate::error::{Error, Result};

/// How often a parent folder is made anew that others, who had made it, have removed.
const PARENT_TRIES: usize = 100;

/// A folder's place, held until this is dropped.
#[derive(Debug)]
pub(super) struct Claim {
    /// The folder as the user named it, for messages.
    pub(super) given: PathBuf,
    /// The folder itself: absolute, links followed, so that it has one spelling and one lock.
    pub(super) target: PathBuf,
    lock: Option<Lock>,
    /// Parents that were made for it, the deepest first.
    made: Vec<PathBuf>,
}

impl Claim {
    /// Takes a folder, waits for nobody, and sweeps what killed programs left beside it.
    ///
    /// # Errors
    /// [`Error::InUse`] if another process has it; [`Error::NotAModel`] if it is no place for a model;
    /// [`Error::Io`].
    pub(super) fn take(given: &Path) -> Result<Self> {
        let name = given.file_name().ok_or_else(|| Error::NotAModel {
            path: given.to_path_buf(),
            found: "a model needs a folder with a name of its own".to_string(),
        })?;
        // Without the slash at the end, which would follow a link.
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
        // Without locks, what looks left over may be another training's, which is at work.
        if claim.is_locked() {
            claim.sweep()?;
        }
        Ok(claim)
    }

    /// Fills in the place, and the lock.
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
                // Another process had made the parent folder, too, and has just removed it.
                Err(error) if error.kind() == io::ErrorKind::NotFound && n_tries < PARENT_TRIES => {
                    n_tries += 1;
                }
                Err(source) if source.kind() == io::ErrorKind::Other => {
                    return Err(Error::Io { action: "lock", path: lock_path, source });
                }
                Err(source) => return Err(self.cannot_write_to(&parent_of(path), source)),
            }
        }
    }

    /// Where a path leads, its parents made if they are missing.
    fn resolved(&mut self, path: &Path) -> Result<PathBuf> {
        let io = |source| Error::Io { action: "read", path: path.to_path_buf(), source };
        let not_a_model = |found| Error::NotAModel { path: path.to_path_buf(), found };
        let is_link = standing(path).is_ok_and(|found| found.is_some_and(|it| it.is_symlink()));
        if is_link {
            let target = fs::canonicalize(path).map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => not_a_model("it is a link to nothing".to_string()),
                _ => io(error),
            })?;
            return match target.file_name() {
                Some(_) => Ok(target),
                None => Err(not_a_model("a model needs a folder with a name of its own".into())),
            };
        }
        let parent = parent_of(path);
        let missing = parent
            .ancestors()
            .take_while(|path| !path.as_os_str().is_empty() && matches!(standing(path), Ok(None)));
        let missing: Vec<PathBuf> = missing.map(Path::to_path_buf).collect();
        fs::create_dir_all(&parent).map_err(|source| self.cannot_write_to(&parent, source))?;
        for folder in missing {
            if !self.made.contains(&folder) {
                self.made.push(folder);
            }
        }
        let parent = fs::canonicalize(&parent).map_err(io)?;
        Ok(parent.join(path.file_name().unwrap_or_default()))
    }

    /// Names the nearest folder above that is there: the others would have been made.
    fn cannot_write_to(&self, parent: &Path, source: io::Error) -> Error {
        let above = parent.ancestors().find(|path| path.exists());
        let above = above.filter(|path| !path.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Error::Io { action: "write to", path: above.to_path_buf(), source }
    }

    /// Checks that the lock is still ours, and takes it anew if somebody has removed its file.
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
        parent_of(&self.target)
    }

    fn beside(&self, ending: &str) -> PathBuf {
        self.parent().join(hidden(self.name(), ending))
    }

    /// Makes sure that the folder's name, and those of the parents made for it, are on disk.
    pub(super) fn sync(&self) -> io::Result<()> {
        sync_folder(&self.parent())?;
        self.made.iter().try_for_each(|folder| match folder.canonicalize() {
            Ok(folder) => sync_folder(&parent_of(&folder)),
            Err(error) => Err(error),
        })
    }

    /// Removes what killed programs left beside the folder. A model that is the only one, because a program
    /// was killed between the two renames of a replacement, is put back.
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
        // The newest first.
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
        // The lock file stands in the first of the parents.
        self.lock = None;
        for folder in &self.made {
            // One that holds something stays, and so do those above it.
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

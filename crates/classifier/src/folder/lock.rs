//! A lock that ends with its process: a file beside the model folder, locked by the system.
//!
//! The lock is the system's (`flock` on Unix), not the file's existence: however a process ends, its
//! lock is released, and a leftover file means nothing. The file holds the process id, for messages
//! only.
//!
//! The holder of the lock removes the file. Another process may have opened it just before and then
//! lock a file that no longer has a name, while a third creates a new one. So a lock counts only if the
//! locked file is still the one at the path; otherwise the process tries again. (Only Unix can
//! distinguish the two files; elsewhere the file is not removed.)

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

/// How often to look for the process id, which the holder writes just after taking the lock.
const NUMBER_TRIES: u32 = 20;
const NUMBER_PAUSE: Duration = Duration::from_millis(5);

/// Maximum length of a lock file.
const MAX_LEN: u64 = 32;

/// A lock that is held until this is dropped.
#[derive(Debug)]
pub(super) struct Lock {
    path: PathBuf,
    file: File,
    is_locked: bool,
}

/// Result of asking for a lock.
#[derive(Debug)]
pub(super) enum Asked {
    /// It is ours.
    Ours(Lock),
    /// Another process has it; its id, if it could be read.
    Taken(Option<u32>),
}

impl Lock {
    /// Asks for the lock on the file `path`, without waiting.
    ///
    /// On a file system without locks every process gets one; see [`is_locked`](Self::is_locked).
    pub(super) fn ask(path: &Path) -> io::Result<Asked> {
        loop {
            let mut file = open(path)?;
            let is_locked = match file.try_lock() {
                Ok(()) => true,
                Err(TryLockError::WouldBlock) => return Ok(Asked::Taken(number_in(path))),
                Err(TryLockError::Error(error)) if is_unsupported(&error) => false,
                Err(TryLockError::Error(error)) => return Err(error),
            };
            if !whole_file::is_at(&file, path)? {
                // Its last holder has just removed it.
                continue;
            }
            check_contents(&mut file)?;
            // For messages only: a full disk must not prevent a lock.
            let _ = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
            return Ok(Asked::Ours(Self { path: path.to_path_buf(), file, is_locked }));
        }
    }

    /// Whether another process has the lock on the file `path` at this moment.
    pub(super) fn is_taken(path: &Path) -> bool {
        // Without a file there is no lock; one that cannot be opened says nothing.
        File::open(path)
            .is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }

    /// Whether other processes are kept out; false on file systems without locks.
    pub(super) fn is_locked(&self) -> bool {
        self.is_locked
    }

    /// Whether the lock file is still the one that was locked. Somebody may have removed it.
    pub(super) fn is_in_place(&self) -> io::Result<bool> {
        whole_file::is_at(&self.file, &self.path)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Before closing the file releases the lock: see above.
        #[cfg(unix)]
        if self.is_in_place().unwrap_or(false) {
            // Best effort: a leftover file is harmless.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    // A link would let a lock file be written somewhere else.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(
        &mut options,
        rustix::fs::OFlags::NOFOLLOW.bits().cast_signed(),
    );
    options.open(path)
}

/// Refuses a foreign file rather than overwriting it.
fn check_contents(file: &mut File) -> io::Result<()> {
    let mut contents = Vec::new();
    file.rewind()?;
    file.take(MAX_LEN + 1).read_to_end(&mut contents)?;
    file.rewind()?;
    if contents.trim_ascii().iter().all(u8::is_ascii_digit) && contents.len() as u64 <= MAX_LEN {
        return Ok(());
    }
    Err(io::Error::other("it is not a lock file of this program; move it away"))
}

/// The id of the process that holds a lock.
fn number_in(path: &Path) -> Option<u32> {
    for _ in 0..NUMBER_TRIES {
        // Where locked files cannot be read, the id is unknown.
        let number = fs::read_to_string(path).ok()?.trim().parse().ok();
        if number.is_some() {
            return number;
        }
        thread::sleep(NUMBER_PAUSE);
    }
    None
}

fn is_unsupported(error: &io::Error) -> bool {
    // Network file systems report that they have no locks, or no room for them (ENOLCK).
    #[cfg(unix)]
    let has_no_room =
        rustix::io::Errno::from_io_error(error).is_some_and(|no| no == rustix::io::Errno::NOLCK);
    #[cfg(not(unix))]
    let has_no_room = false;
    has_no_room || error.kind() == io::ErrorKind::Unsupported
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours(path: &Path) -> Option<Lock> {
        match Lock::ask(path).ok()? {
            Asked::Ours(lock) => Some(lock),
            Asked::Taken(_) => None,
        }
    }

    #[test]
    fn a_lock_is_had_once_at_a_time_and_leaves_no_file() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join(".model.lock");
        let lock = ours(&path);
        assert!(lock.as_ref().is_some_and(Lock::is_locked));
        match Lock::ask(&path)? {
            Asked::Taken(number) => assert_eq!(number, Some(std::process::id())),
            Asked::Ours(_) => panic!("two have the lock"),
        }
        drop(lock);
        assert!(!cfg!(unix) || !path.exists());
        assert!(ours(&path).is_some());
        Ok(())
    }

    #[test]
    fn a_file_that_stayed_behind_is_no_lock_and_a_file_of_others_is_not_written_over()
    -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join(".model.lock");
        fs::write(&path, "4194305\n")?;
        assert!(ours(&path).is_some());
        for contents in ["my notes", &"1".repeat(40)] {
            fs::write(&path, contents)?;
            assert!(Lock::ask(&path).is_err());
            assert_eq!(fs::read_to_string(&path)?, contents);
        }
        Ok(())
    }

    #[cfg(unix)]
    #[test]
    fn a_lock_whose_file_was_removed_is_known_to_be_out_of_place() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join(".model.lock");
        let lock = ours(&path).ok_or(io::ErrorKind::WouldBlock)?;
        assert!(lock.is_in_place()?);
        fs::remove_file(&path)?;
        assert!(!lock.is_in_place()?);
        // Another's file is not removed with ours.
        let other = ours(&path);
        assert!(other.is_some());
        drop(lock);
        assert!(path.exists());
        Ok(())
    }

    #[cfg(unix)]
    #[test]
    fn many_threads_that_take_and_remove_the_file_never_hold_it_together() {
        use std::sync::atomic::{AtomicU32, Ordering};
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".model.lock");
        let (holders, n_held) = (AtomicU32::new(0), AtomicU32::new(0));
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let mut n_own = 0;
                    while n_own < 40 {
                        let Some(lock) = ours(&path) else { continue };
                        n_own += 1;
                        assert_eq!(holders.fetch_add(1, Ordering::SeqCst), 0, "two have the lock");
                        n_held.fetch_add(1, Ordering::SeqCst);
                        thread::yield_now();
                        holders.fetch_sub(1, Ordering::SeqCst);
                        drop(lock);
                    }
                });
            }
        });
        assert_eq!(n_held.load(Ordering::SeqCst), 8 * 40);
        assert!(!path.exists());
    }
}

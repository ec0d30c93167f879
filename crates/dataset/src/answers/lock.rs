//! A lock on a folder of parts, which ends with its process.
//!
//! The lock is the system's, not the file's existence: a file that stayed behind means nothing. Whoever has
//! the lock may remove the folder, also while another opens the file in it. So a lock counts only if the
//! locked file is still the one at the path. The file holds the process id, for messages only.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::path::Path;

/// The name of the file in the folder.
pub(super) const NAME: &str = ".lock";

/// A lock that is held until this is dropped.
#[derive(Debug)]
pub(super) struct Lock(#[expect(dead_code, reason = "it is held, not used")] File);

/// The result of asking for a lock.
#[derive(Debug)]
pub(super) enum Asked {
    Ours(Lock),
    /// Another process has it; its id, if it could be read.
    Taken(Option<u32>),
}

impl Lock {
    /// Creates a folder if it is missing, and asks for its lock, without waiting. On a file system without
    /// locks, every process gets one.
    ///
    /// # Errors
    /// If the folder or the file cannot be created.
    pub(super) fn ask(folder: &Path) -> io::Result<Asked> {
        let path = folder.join(NAME);
        loop {
            match fs::create_dir(folder) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).truncate(false);
            let mut file = match options.open(&path) {
                // Its last holder has just removed the folder.
                Err(error) if error.kind() == io::ErrorKind::NotFound && !folder.exists() => {
                    continue;
                }
                result => result?,
            };
            match file.try_lock() {
                Err(TryLockError::WouldBlock) => return Ok(Asked::Taken(number_in(&path))),
                Err(TryLockError::Error(_)) | Ok(()) => {}
            }
            if !whole_file::is_at(&file, &path)? {
                continue;
            }
            // For messages only: a full disk must not prevent a lock.
            let _ = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
            return Ok(Asked::Ours(Self(file)));
        }
    }
}

/// The id of the process that holds a lock.
fn number_in(path: &Path) -> Option<u32> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

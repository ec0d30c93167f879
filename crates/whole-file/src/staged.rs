//! Files under a temporary name until they are complete.
//!
//! A staged file is locked while its program runs. The next program to stage one in the same folder removes
//! those that are not locked.

use std::ffi::OsStr;
use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::io;
use std::path::Path;

use tempfile::NamedTempFile;

use crate::folder::{folder_of, sync_folder};

const PREFIX: &str = ".sentiment-";
const SUFFIX: &str = ".unfinished";

/// A file that does not have its final name yet; removed unless it gets it.
#[derive(Debug)]
pub struct Staged(NamedTempFile);

/// A builder of temporary files (`mode` 0o666) or folders (0o777) with the user's permissions rather than
/// private ones: the umask applies, as to everything new.
#[must_use]
pub fn builder<'a, 'b>(mode: u32) -> tempfile::Builder<'a, 'b> {
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(mode));
    #[cfg(not(unix))]
    let _ = mode;
    builder
}

impl Staged {
    /// Stages a file in the folder of `target`, so that it can be renamed.
    ///
    /// # Errors
    /// If no file can be created there.
    pub fn beside(target: &Path) -> io::Result<Self> {
        let folder = folder_of(target);
        sweep(folder);
        // A file that replaces a private one must not be readable by others while it is written.
        let mode = if fs::symlink_metadata(target).is_ok() { 0o600 } else { 0o666 };
        loop {
            let file = builder(mode).prefix(PREFIX).suffix(SUFFIX).tempfile_in(folder)?;
            // Not every file system has locks; without them, nothing is ever swept.
            if matches!(file.as_file().try_lock(), Err(TryLockError::WouldBlock)) {
                // Another program sweeps it at this moment.
                continue;
            }
            // Another program may have swept it before it was locked.
            if file.path().symlink_metadata().is_ok() {
                return Ok(Self(file));
            }
        }
    }

    /// Stages a file in another folder of the same file system, under a name that begins with `prefix` and
    /// goes on with `n_random` random characters. Nothing is swept.
    ///
    /// # Errors
    /// If no file can be created there.
    pub fn in_folder(folder: &Path, prefix: &OsStr, n_random: usize) -> io::Result<Self> {
        builder(0o666).prefix(prefix).rand_bytes(n_random).tempfile_in(folder).map(Self)
    }

    /// The file, open for writing.
    pub fn file(&mut self) -> &mut File {
        self.0.as_file_mut()
    }

    /// Replaces `target` and takes over its permissions.
    ///
    /// # Errors
    /// If the file cannot be synced or renamed.
    pub fn replace(self, target: &Path) -> io::Result<()> {
        if let Ok(metadata) = fs::metadata(target) {
            take_after(self.0.as_file(), &metadata)?;
        }
        self.0.as_file().sync_all()?;
        self.0.persist(target).map_err(|error| error.error)?;
        // The file is complete; some file systems cannot sync its name.
        let _ = sync_folder(folder_of(target));
        Ok(())
    }

    /// Becomes `target`, which must not exist.
    ///
    /// # Errors
    /// `AlreadyExists` if it does; as [`replace`](Self::replace).
    pub fn appear_as(self, target: &Path) -> io::Result<()> {
        self.0.as_file().sync_all()?;
        if let Err(error) = self.0.persist_noclobber(target) {
            if error.error.kind() == io::ErrorKind::AlreadyExists {
                return Err(error.error);
            }
            // This file system has neither rename without replacement nor hard links: reserve the name
            // first, so there is an empty file for a moment.
            OpenOptions::new().write(true).create_new(true).open(target)?;
            error.file.persist(target).map_err(|error| {
                let _ = fs::remove_file(target);
                error.error
            })?;
        }
        let _ = sync_folder(folder_of(target));
        Ok(())
    }
}

/// Gives a new file the owner, group and permissions of an old one, as far as we are allowed to.
#[cfg(unix)]
fn take_after(file: &File, old: &Metadata) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
    // Drop setuid, setgid and sticky bits: these files are not programs.
    let mut mode = old.mode() & 0o777;
    let new = file.metadata()?;
    if (new.uid(), new.gid()) != (old.uid(), old.gid())
        && fchown(file, Some(old.uid()), Some(old.gid())).is_err()
        && new.gid() != old.gid()
        && fchown(file, None, Some(old.gid())).is_err()
    {
        // Our group is another one, so it only gets the permissions of others.
        mode = mode & !0o070 | (mode & 0o007) << 3;
    }
    file.set_permissions(fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn take_after(_: &File, _: &Metadata) -> io::Result<()> {
    Ok(())
}

/// Removes staged files of programs that no longer run; files that cannot be removed stay.
fn sweep(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let is_ours =
            name.to_str().is_some_and(|name| name.starts_with(PREFIX) && name.ends_with(SUFFIX));
        // Do not follow links: remove only files that this program created.
        if !is_ours || !entry.file_type().is_ok_and(|kind| kind.is_file()) {
            continue;
        }
        let path = entry.path();
        let Ok(file) = File::open(&path) else { continue };
        if file.try_lock().is_ok() {
            // Locked until it is gone, so that its program, if it runs, sees what happened.
            let _ = fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_file_appears_whole_and_leaves_nothing_beside_it() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("a.txt");
        let names = || -> io::Result<usize> { Ok(fs::read_dir(folder.path())?.count()) };
        drop(Staged::beside(&path)?);
        assert_eq!(names()?, 0);
        crate::write(&path, b"first")?;
        crate::write(&path, b"second")?;
        assert_eq!((fs::read(&path)?, names()?), (b"second".to_vec(), 1));

        let mut staged = Staged::beside(&path)?;
        staged.file().write_all(b"third")?;
        let error = staged.appear_as(&path).err().map(|error| error.kind());
        assert_eq!(error, Some(io::ErrorKind::AlreadyExists));
        assert_eq!((fs::read(&path)?, names()?), (b"second".to_vec(), 1));

        let elsewhere = tempfile::tempdir_in(folder.path())?;
        let mut staged = Staged::in_folder(folder.path(), OsStr::new(".a.new-"), 6)?;
        staged.file().write_all(b"fourth")?;
        staged.replace(&elsewhere.path().join("b.txt"))?;
        assert_eq!(fs::read(elsewhere.path().join("b.txt"))?, b"fourth");
        Ok(())
    }

    #[test]
    fn what_a_killed_program_left_is_swept_and_what_runs_is_not() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let left = folder.path().join(format!("{PREFIX}x1{SUFFIX}"));
        fs::write(&left, "half")?;
        let other = folder.path().join(".sentiment-notes");
        fs::write(&other, "mine")?;
        let first = Staged::beside(&folder.path().join("a"))?;
        assert!(!left.exists() && other.exists());
        let second = Staged::beside(&folder.path().join("b"))?;
        assert!(first.0.path().exists() && second.0.path().exists());
        Ok(())
    }

    #[cfg(unix)]
    #[test]
    fn permissions_of_the_old_file_are_kept() -> io::Result<()> {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("a.txt");
        fs::write(&path, "old")?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640))?;
        crate::write(&path, b"new")?;
        assert_eq!(fs::metadata(&path)?.permissions().mode() & 0o777, 0o640);
        Ok(())
    }
}

//! Moves a staged folder into place: in one step, where the system supports that.
//!
//! Linux (`renameat2`) and macOS (`renameatx_np`) exchange two folders atomically: readers find the old
//! model or the new one at every moment, even if the program is killed. Systems and file systems
//! without that get two renames; between them the path is empty, and a program killed just then leaves
//! the old model beside it, as `.NAME.old-XXXXXX`, until the next claim of the folder puts it back.
//!
//! A new folder is renamed; no system renames over a folder that is not empty.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::Path;
use whole_file::folder_of;

use super::files::Purpose;
use crate::error::{Error, Result};

/// How to exchange two folders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exchange {
    /// In one step, or in two where that is not possible.
    Atomic,
    /// In two. Tests choose this.
    #[cfg_attr(not(test), allow(dead_code, reason = "what `Atomic` falls back to, on its own"))]
    TwoRenames,
}

/// Moves a staged folder to a free path or over an empty folder. Never replaces anything else.
pub(super) fn move_in(staged: &Path, target: &Path) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        let result = renameat_with(CWD, staged, CWD, target, RenameFlags::NOREPLACE);
        match result.map_err(io::Error::from) {
            Err(error) if is_unsupported(&error) => {}
            result => return result,
        }
    }
    fs::rename(staged, target)
}

/// Exchanges a staged folder and the one in its place. Afterwards `staged` is what was at `target`.
///
/// # Errors
/// [`Error::Stranded`] if the old folder could neither be replaced nor put back; [`Error::Io`].
pub(super) fn exchange(how: Exchange, staged: &Path, target: &Path, name: &Path) -> Result<()> {
    let io = |source| Error::Io { action: "write", path: name.to_path_buf(), source };
    if how == Exchange::Atomic {
        match exchange_at_once(staged, target) {
            Err(error) if is_unsupported(&error) => {}
            result => return result.map_err(io),
        }
    }
    let file_name = target.file_name().unwrap_or(OsStr::new("model"));
    let parent = folder_of(target);
    let aside = Purpose::Old.folder_in(parent, file_name).map_err(io)?;
    // Only the name is needed, not the folder: not every system renames onto an empty one.
    let old = aside.keep();
    fs::remove_dir(&old).map_err(io)?;
    fs::rename(target, &old).map_err(io)?;
    if let Err(error) = fs::rename(staged, target) {
        return match fs::rename(&old, target) {
            Ok(()) => Err(io(error)),
            Err(_) => Err(Error::Stranded { path: name.to_path_buf(), old, source: error }),
        };
    }
    // The new model is in place. If this fails, the old one stays where it is until the next claim.
    let _ = fs::rename(&old, staged);
    Ok(())
}

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
fn exchange_at_once(staged: &Path, target: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    Ok(renameat_with(CWD, staged, CWD, target, RenameFlags::EXCHANGE)?)
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
fn exchange_at_once(_staged: &Path, _target: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Whether the system or the file system does not support such a rename: ENOSYS, ENOTSUP, or EINVAL for
/// the flag.
fn is_unsupported(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::Unsupported | io::ErrorKind::InvalidInput)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(parent: &Path, name: &str, contents: &str) -> io::Result<std::path::PathBuf> {
        let path = parent.join(name);
        fs::create_dir(&path)?;
        fs::write(path.join("file"), contents)?;
        Ok(path)
    }

    #[test]
    fn folders_are_exchanged_in_one_step_or_in_two() -> io::Result<()> {
        for how in [Exchange::Atomic, Exchange::TwoRenames] {
            let parent = tempfile::tempdir()?;
            let staged = folder(parent.path(), ".model.new-abcdef", "newer")?;
            let target = folder(parent.path(), "model", "older")?;
            exchange(how, &staged, &target, &target).unwrap();
            assert_eq!(fs::read_to_string(target.join("file"))?, "newer");
            assert_eq!(fs::read_to_string(staged.join("file"))?, "older");
            assert_eq!(fs::read_dir(parent.path())?.count(), 2, "{how:?}");
        }
        Ok(())
    }

    #[test]
    fn an_exchange_that_fails_leaves_the_older_folder() -> io::Result<()> {
        for how in [Exchange::Atomic, Exchange::TwoRenames] {
            let parent = tempfile::tempdir()?;
            let target = folder(parent.path(), "model", "older")?;
            let error = exchange(how, &parent.path().join("away"), &target, &target).unwrap_err();
            assert!(error.to_string().starts_with("cannot write"), "{error}");
            assert_eq!(fs::read_to_string(target.join("file"))?, "older");
            assert_eq!(fs::read_dir(parent.path())?.count(), 1, "{how:?}");
        }
        Ok(())
    }

    #[test]
    fn what_holds_something_is_never_moved_onto() -> io::Result<()> {
        let parent = tempfile::tempdir()?;
        let staged = folder(parent.path(), "staged", "newer")?;
        let target = folder(parent.path(), "model", "precious")?;
        assert!(move_in(&staged, &target).is_err());
        // The same by the rename that systems without the flag get.
        assert!(fs::rename(&staged, &target).is_err());
        assert_eq!(fs::read_to_string(target.join("file"))?, "precious");
        assert_eq!(fs::read_to_string(staged.join("file"))?, "newer");
        Ok(())
    }
}

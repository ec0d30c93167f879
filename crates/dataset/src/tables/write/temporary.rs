//! A file under a name of its own until it is complete; and what killed programs left of such files.
//!
//! A temporary file is locked while its program lives. Whoever makes the next one in the same folder
//! removes those that nobody holds.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::path::Path;

use tempfile::NamedTempFile;

use super::destination::{folder_of, sync_folder};

const PREFIX: &str = ".sentiment-";
const SUFFIX: &str = ".unfinished";

/// A file that is not yet under its name; removed unless it gets there.
pub(super) struct Temporary(NamedTempFile);

impl Temporary {
    /// Makes one in the folder of `target`, so that it can be renamed.
    pub(super) fn beside(target: &Path) -> io::Result<Self> {
        let folder = folder_of(target);
        sweep(folder);
        // What replaces a private file must not be readable while it is written.
        let mode = if fs::symlink_metadata(target).is_ok() { 0o600 } else { 0o666 };
        loop {
            let mut builder = tempfile::Builder::new();
            builder.prefix(PREFIX).suffix(SUFFIX);
            #[cfg(unix)]
            {
                // The umask has its say, as with every new file.
                use std::os::unix::fs::PermissionsExt;
                builder.permissions(fs::Permissions::from_mode(mode));
            }
            #[cfg(not(unix))]
            let _ = mode;
            let file = builder.tempfile_in(folder)?;
            // Not every file system has locks; where there are none, nothing is ever swept.
            let _ = file.as_file().try_lock();
            // Between its making and its locking, another program may have swept it.
            if file.path().symlink_metadata().is_ok() {
                return Ok(Self(file));
            }
        }
    }

    pub(super) fn file(&mut self) -> &mut File {
        self.0.as_file_mut()
    }

    /// Takes the place of `target`, with its permissions.
    pub(super) fn replace(self, target: &Path) -> io::Result<()> {
        if let Ok(metadata) = fs::metadata(target) {
            take_after(self.0.as_file(), &metadata)?;
        }
        self.0.as_file().sync_all()?;
        self.0.persist(target).map_err(|error| error.error)?;
        sync_folder(folder_of(target));
        Ok(())
    }

    /// Becomes `target`, where nothing may be.
    pub(super) fn appear_as(self, target: &Path) -> io::Result<()> {
        self.0.as_file().sync_all()?;
        if let Err(error) = self.0.persist_noclobber(target) {
            if error.error.kind() == io::ErrorKind::AlreadyExists {
                return Err(error.error);
            }
            // A file system that neither renames without replacing nor has hard links: the name is
            // taken first, and an empty file stands there for a moment.
            OpenOptions::new().write(true).create_new(true).open(target)?;
            error.file.persist(target).map_err(|error| {
                let _ = fs::remove_file(target);
                error.error
            })?;
        }
        sync_folder(folder_of(target));
        Ok(())
    }
}

/// Gives a new file the owner, the group and the permissions of an old one, as far as we may.
#[cfg(unix)]
fn take_after(file: &File, old: &Metadata) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
    // Nothing that is written here is a program to be run in another's name.
    let mut mode = old.mode() & 0o777;
    let new = file.metadata()?;
    if (new.uid(), new.gid()) != (old.uid(), old.gid())
        && fchown(file, Some(old.uid()), Some(old.gid())).is_err()
        && new.gid() != old.gid()
        && fchown(file, None, Some(old.gid())).is_err()
    {
        // What the old group could do, ours need not: it gets what everybody has.
        mode = mode & !0o070 | (mode & 0o007) << 3;
    }
    file.set_permissions(fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn take_after(_: &File, _: &Metadata) -> io::Result<()> {
    Ok(())
}

/// Removes the unfinished files of programs that are no more; what cannot be removed stays.
fn sweep(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let is_ours =
            name.to_str().is_some_and(|name| name.starts_with(PREFIX) && name.ends_with(SUFFIX));
        // Not through a link: only what this program made.
        if !is_ours || !entry.file_type().is_ok_and(|kind| kind.is_file()) {
            continue;
        }
        let path = entry.path();
        if File::open(&path).is_ok_and(|file| file.try_lock().is_ok()) {
            let _ = fs::remove_file(path);
        }
    }
}

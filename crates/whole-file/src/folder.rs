//! The folders that files are in.

use std::fs::File;
use std::io;
use std::path::Path;

/// The folder that contains a path; `.` for a bare name.
#[must_use]
pub fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Syncs a folder, so that the names of new and renamed files in it are on disk too. Does nothing where the
/// system cannot do that.
///
/// # Errors
/// If the system can and fails.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    if !cfg!(unix) {
        // Elsewhere a folder cannot be opened, and its names are as safe as the system makes them.
        return Ok(());
    }
    match File::open(folder)?.sync_all() {
        Err(error)
            if !matches!(
                error.kind(),
                io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported
            ) =>
        {
            Err(error)
        }
        _ => Ok(()),
    }
}

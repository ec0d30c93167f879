//! Whether an open file is still the one at its path.

#[cfg(unix)]
use std::fs;
use std::fs::File;
use std::io;
use std::path::Path;

/// Whether an open file is the one at `path` itself, not at the end of a link. A lock on a file that has been removed or
/// replaced meanwhile keeps nobody out. True where files cannot be told apart.
///
/// # Errors
/// If the system does not say.
#[cfg(unix)]
pub fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt as _;
    let id = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
    match fs::symlink_metadata(path) {
        Ok(metadata) => Ok(id(metadata) == id(file.metadata()?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether an open file is the one at `path` itself, not at the end of a link. A lock on a file that has been removed or
/// replaced meanwhile keeps nobody out. True where files cannot be told apart.
///
/// # Errors
/// If the system does not say.
#[cfg(not(unix))]
pub fn is_at(_file: &File, _path: &Path) -> io::Result<bool> {
    Ok(true)
}

#[cfg(all(test, unix))]
#[allow(clippy::unwrap_used, reason = "a test that cannot make its files has failed")]
mod tests {
    use super::*;

    #[test]
    fn a_removed_or_replaced_file_is_no_longer_at_its_path() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let file = File::create(&path).unwrap();
        assert!(is_at(&file, &path).unwrap());
        fs::remove_file(&path).unwrap();
        assert!(!is_at(&file, &path).unwrap());
        let other = File::create(&path).unwrap();
        assert!(!is_at(&file, &path).unwrap() && is_at(&other, &path).unwrap());
    }
}

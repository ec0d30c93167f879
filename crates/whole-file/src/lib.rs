#![doc = include_str!("../README.md")]

mod counted;
mod folder;
mod identity;
mod mapped;
mod staged;

use std::io::{self, Write as _};
use std::path::Path;

pub use counted::CountedFile;
pub use folder::{folder_of, sync_folder};
pub use identity::is_at;
pub use mapped::Mapped;
pub use staged::{Staged, builder};

/// Writes a file whole or not at all, in place of an older one.
///
/// # Errors
/// If it cannot be written; an older file is then as it was.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("report.json");
/// whole_file::write(&path, b"{}\n")?;
/// assert_eq!(std::fs::read(&path)?, b"{}\n");
/// # Ok(())
/// # }
/// ```
pub fn write(path: &Path, contents: &[u8]) -> io::Result<()> {
    let mut staged = Staged::beside(path)?;
    staged.file().write_all(contents)?;
    staged.replace(path)
}

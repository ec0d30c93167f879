//! Files mapped into memory.

use std::io;
use std::path::Path;

use model::Bytes;
use whole_file::Mapped;

/// Maps a file of a model folder, which is replaced as a whole: its bytes are read when they are needed.
///
/// # Errors
/// If it cannot be opened.
pub(crate) fn map(path: &Path) -> io::Result<Bytes> {
    Mapped::open(path).map(Bytes::new)
}

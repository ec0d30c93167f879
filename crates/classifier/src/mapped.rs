//! Files mapped into memory.

use std::fs::File;
use std::io;
use std::path::Path;

use memmap2::Mmap;
use model::Bytes;

/// Maps a file: its bytes are read when they are needed, and shared with other processes.
///
/// # Errors
/// If it cannot be opened.
pub(crate) fn map(path: &Path) -> io::Result<Bytes> {
    let file = File::open(path)?;
    // SAFETY: the mapped bytes must not change while they are read. A model folder is replaced as a whole, by
    // renaming, and its old files stay valid for readers that have them open; nothing writes to them in place.
    let map = unsafe { Mmap::map(&file) }?;
    Ok(Bytes::new(map))
}

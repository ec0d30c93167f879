//! Files mapped into memory.

use std::fs::File;
use std::io;
use std::ops::Deref;
use std::path::Path;

use memmap2::Mmap;

/// The bytes of a file that was written whole. They are read when they are needed, and shared with other processes.
#[derive(Debug)]
pub struct Mapped(Mmap);

impl Mapped {
    /// Maps a file.
    ///
    /// # Errors
    /// If it cannot be opened or mapped.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        // SAFETY: the mapped bytes must not change while they are read. Files that are written whole are replaced by
        // renaming, and an old one stays valid for readers that have it open; nothing writes to it in place.
        let map = unsafe { Mmap::map(&file) }?;
        Ok(Self(map))
    }
}

impl Deref for Mapped {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl AsRef<[u8]> for Mapped {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapped_file_keeps_its_bytes_when_it_is_replaced() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("a");
        crate::write(&path, b"first")?;
        let mapped = Mapped::open(&path)?;
        crate::write(&path, b"second")?;
        assert_eq!((&*mapped, &*Mapped::open(&path)?), (&b"first"[..], &b"second"[..]));
        Ok(())
    }
}

//! SHA-256 of files and of data being written.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::digest::{add_all, hex};

use super::error::{FetchError, io_error};

/// SHA-256 of a file as 64 lower-case hexadecimal digits, without holding it in memory.
pub(super) fn of_file(path: &Path) -> Result<String, FetchError> {
    let mut file = File::open(path).map_err(io_error("open", path))?;
    let mut hasher = Sha256::new();
    add_all(&mut hasher, &mut file).map_err(io_error("read", path))?;
    Ok(hex(hasher))
}

/// Counts and hashes bytes while passing them on to `W`.
pub(super) struct HashingWriter<W> {
    inner: W,
    hasher: Sha256,
    n_bytes: u64,
}

impl<W: Write> HashingWriter<W> {
    pub(super) fn new(inner: W) -> Self {
        Self { inner, hasher: Sha256::new(), n_bytes: 0 }
    }

    /// The inner writer, the number of bytes and their SHA-256.
    pub(super) fn finish(self) -> (W, u64, String) {
        (self.inner, self.n_bytes, hex(self.hasher))
    }
}

impl<W: Write> Write for HashingWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.inner.write(bytes)?;
        self.hasher.update(&bytes[..n]);
        self.n_bytes += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // The first example of FIPS 180-2, "abc".
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn file_and_writer_agree_with_the_standard() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("abc");
        let mut writer = HashingWriter::new(File::create(&path).unwrap());
        writer.write_all(b"a").unwrap();
        writer.write_all(b"bc").unwrap();
        let (_, n_bytes, sha256) = writer.finish();
        assert_eq!((n_bytes, sha256.as_str()), (3, ABC));
        assert_eq!(of_file(&path).unwrap(), ABC);
    }
}

//! SHA-256 of files.

use std::fs::File;
use std::io::{self, Read as _};

use sha2::{Digest as _, Sha256};

const BUFFER_BYTES: usize = 256 * 1024;

/// Hashes the rest of a file without holding it in memory.
pub(crate) fn add_file(hasher: &mut Sha256, file: &mut File) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(n) => hasher.update(&buffer[..n]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// 64 lower-case hexadecimal digits.
pub(crate) fn hex(hasher: Sha256) -> String {
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

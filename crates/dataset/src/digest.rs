//! SHA-256 of files.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use sha2::{Digest as _, Sha256};

const BUFFER_BYTES: usize = 256 * 1024;

/// SHA-256 over `settings` and the bytes of a file, in hexadecimal: one name for a file's contents
/// together with what is made of them.
///
/// # Errors
/// If the file cannot be read.
pub fn file_digest(path: &Path, settings: &[u8]) -> io::Result<String> {
    let mut hasher = Sha256::new();
    // The length keeps the end of the settings from passing as the start of the file.
    hasher.update((settings.len() as u64).to_le_bytes());
    hasher.update(settings);
    add_file(&mut hasher, &mut File::open(path)?)?;
    Ok(hex(hasher))
}

/// Adds what is left of a file; it is never held in memory.
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

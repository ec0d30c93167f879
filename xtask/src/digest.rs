//! Digests of files.

use std::fs::File;
use std::io::{BufReader, Read as _};
use std::path::Path;

use anyhow::Context as _;
use sha2::{Digest as _, Sha256};

/// SHA-256 of a file, in hexadecimal.
pub(crate) fn digest(path: &Path) -> anyhow::Result<String> {
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let (mut reader, mut hasher) = (BufReader::new(file), Sha256::new());
    let mut block = vec![0; 1 << 20];
    loop {
        match reader.read(&mut block)? {
            0 => break,
            n => hasher.update(&block[..n]),
        }
    }
    Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

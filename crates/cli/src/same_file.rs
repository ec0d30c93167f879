//! Whether two paths lead to one file or folder.

use std::fs::Metadata;
use std::path::Path;

/// Whether two paths are names of the same file or folder, also through links. Of what is not there, whether the paths are
/// equal.
pub(crate) fn is_same_file(a: &Path, b: &Path) -> bool {
    match (a.metadata(), b.metadata()) {
        (Ok(of_a), Ok(of_b)) => are_same((a, &of_a), (b, &of_b)),
        _ => a == b,
    }
}

#[cfg(unix)]
fn are_same((_, a): (&Path, &Metadata), (_, b): (&Path, &Metadata)) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    (a.dev(), a.ino()) == (b.dev(), b.ino())
}

#[cfg(not(unix))]
fn are_same((a, _): (&Path, &Metadata), (b, _): (&Path, &Metadata)) -> bool {
    match (a.canonicalize(), b.canonicalize()) {
        (Ok(a), Ok(b)) => a == b,
        _ => a == b,
    }
}

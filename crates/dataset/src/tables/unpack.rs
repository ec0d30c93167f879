//! Compressed files: told by their first bytes, unpacked in memory.

use std::borrow::Cow;
use std::io::{self, Read};
use std::path::Path;

use super::notes::{Note, ReadNotes};
use crate::error::{Error, Result};

const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
/// Frames of zstd that hold no data have one of sixteen numbers; parallel writers begin with one.
const ZSTD_SKIPPABLE: &[u8] = &[0x2a, 0x4d, 0x18];

/// Endings that say how a file is compressed, and are not part of what its name says otherwise.
pub(super) const ENDINGS: [&str; 3] = ["gz", "zst", "zstd"];

/// The bytes inside a compressed file; others as they are.
///
/// # Errors
/// `Unpack` if the compressed bytes are damaged or end too early.
pub(super) fn unpacked<'a>(
    path: &Path,
    bytes: Cow<'a, [u8]>,
    notes: &mut ReadNotes,
) -> Result<Cow<'a, [u8]>> {
    let is_skippable = bytes.get(1..4) == Some(ZSTD_SKIPPABLE) && (0x50..=0x5f).contains(&bytes[0]);
    let (compression, result) = if bytes.starts_with(GZIP) {
        ("gzip", all_of(flate2::read::MultiGzDecoder::new(&*bytes)))
    } else if bytes.starts_with(ZSTD) || is_skippable {
        ("zstd", zstd::stream::read::Decoder::with_buffer(&*bytes).and_then(all_of))
    } else {
        return Ok(bytes);
    };
    let unpacked =
        result.map_err(|source| Error::Unpack { path: path.to_owned(), compression, source })?;
    let is_named = path
        .extension()
        .is_some_and(|extension| ENDINGS.iter().any(|known| extension.eq_ignore_ascii_case(known)));
    if !is_named {
        notes.add(Note::Unpacked { compression: compression.to_owned() });
    }
    Ok(Cow::Owned(unpacked))
}

fn all_of(mut reader: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes)?;
    Ok(bytes)
}

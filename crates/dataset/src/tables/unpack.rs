//! Compressed files: recognised by their first bytes and unpacked in memory.

use std::borrow::Cow;
use std::io::{self, Read};
use std::path::Path;

use super::notes::{Note, ReadNotes};
use crate::error::{Error, Result};

const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
/// zstd frames without data have one of sixteen magic numbers; parallel writers begin with such a frame.
const ZSTD_SKIPPABLE: &[u8] = &[0x2a, 0x4d, 0x18];

/// Extensions of compressed files; the format is in the extension before them.
pub(super) const ENDINGS: [&str; 3] = ["gz", "zst", "zstd"];

/// The bytes inside a compressed file; other bytes are returned unchanged.
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

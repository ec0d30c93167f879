//! Compressed files: recognised by their first bytes and unpacked as they are read.

use std::io::{self, BufReader, Read};
use std::path::Path;

use super::notes::{Note, ReadNotes};
use super::source::{HasChanged, Source, SourceReader};
use crate::error::{Error, Result};

const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
/// zstd frames without data have one of sixteen magic numbers; parallel writers begin with such a frame.
const ZSTD_SKIPPABLE: &[u8] = &[0x2a, 0x4d, 0x18];

/// Extensions of compressed files; the format is in the extension before them.
pub(super) const ENDINGS: [&str; 3] = ["gz", "zst", "zstd"];

/// Compressed bytes read at a time.
const BUFFER_BYTES: usize = 1 << 17;

/// How a file is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compression {
    None,
    Gzip,
    Zstd,
}

impl Compression {
    /// How bytes are compressed that begin so.
    pub(super) fn of(head: &[u8]) -> Self {
        let is_skippable =
            head.get(1..4) == Some(ZSTD_SKIPPABLE) && (0x50..=0x5f).contains(&head[0]);
        if head.starts_with(GZIP) {
            Self::Gzip
        } else if head.starts_with(ZSTD) || is_skippable {
            Self::Zstd
        } else {
            Self::None
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::None => "nothing",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    /// Notes the compression, unless the name says that there is one.
    pub(super) fn note(self, path: &Path, notes: &mut ReadNotes) {
        let is_named = path.extension().is_some_and(|extension| {
            ENDINGS.iter().any(|known| extension.eq_ignore_ascii_case(known))
        });
        if self != Self::None && !is_named {
            notes.add(Note::Unpacked { compression: self.name().to_owned() });
        }
    }

    /// Unpacks all that a reader gives.
    pub(super) fn unpacked(self, reader: SourceReader) -> io::Result<Unpacked> {
        let buffered = BufReader::with_capacity(BUFFER_BYTES, reader);
        Ok(match self {
            Self::None => Unpacked::Plain(buffered.into_inner()),
            Self::Gzip => Unpacked::Gzip(Box::new(flate2::bufread::MultiGzDecoder::new(buffered))),
            Self::Zstd => {
                Unpacked::Zstd(Box::new(zstd::stream::read::Decoder::with_buffer(buffered)?))
            }
        })
    }

    /// The error for a failure to read or unpack.
    pub(super) fn failed(self, path: &Path, source: io::Error) -> Error {
        let path = path.to_owned();
        if source.get_ref().is_some_and(|inner| inner.is::<HasChanged>()) {
            return Error::Changed { path };
        }
        // Only the system's errors have a number.
        if self == Self::None || source.raw_os_error().is_some() {
            return Error::Read { path, source };
        }
        Error::Unpack { path, compression: self.name(), source }
    }
}

/// A reader of unpacked bytes.
pub(super) enum Unpacked {
    Plain(SourceReader),
    Gzip(Box<flate2::bufread::MultiGzDecoder<BufReader<SourceReader>>>),
    Zstd(Box<zstd::stream::read::Decoder<'static, BufReader<SourceReader>>>),
}

impl Read for Unpacked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(reader) => reader.read(buffer),
            Self::Gzip(reader) => reader.read(buffer),
            Self::Zstd(reader) => reader.read(buffer),
        }
    }
}

/// The bytes inside a compressed source, in a temporary file; another source is returned unchanged.
///
/// # Errors
/// `Unpack` if the compressed bytes are damaged or end too early; `Read`.
pub(super) fn spooled(path: &Path, source: &Source, compression: Compression) -> Result<Source> {
    if compression == Compression::None {
        return Ok(source.clone());
    }
    let spool = || Source::spooled(compression.unpacked(source.reader())?);
    spool().map_err(|source| compression.failed(path, source))
}

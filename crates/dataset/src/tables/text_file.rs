//! A text file that was looked through once: what its bytes are, and that all of them can be decoded.

use std::path::{Path, PathBuf};

use super::decode::Decoder;
use super::fault::{Fault, Place};
use super::format::Format;
use super::head::{HEAD_BYTES, is_binary};
use super::notes::{Note, ReadNotes};
use super::options::{Encoding, ReadOptions};
use super::source::Source;
use super::unpack::Compression;
use super::window::Window;
use crate::error::{Error, Result};

/// The first characters that tell whether NUL characters are those of UTF-16.
const WIDE_HEAD: usize = 64;

/// A text file, ready to be read from its beginning any number of times.
#[derive(Clone, Debug)]
pub(super) struct TextFile {
    pub(super) path: PathBuf,
    source: Source,
    compression: Compression,
    named: Option<Encoding>,
    /// The byte that ends lines: LF, or CR in a file without LF, as old Macs wrote them.
    pub(super) line_end: u8,
    /// The SHA-256 that the bytes must have at the end of a pass.
    digest: Option<String>,
    block: usize,
}

impl TextFile {
    /// Looks through a file: unpacks and decodes all of it, `block` bytes at a time.
    ///
    /// With a digest, later passes fail if the bytes have another.
    ///
    /// # Errors
    /// `Empty`, `Read`, `Unpack`, `WrongContent`; `Fault::NotEncoded`, `Fault::CutCharacter` and
    /// `Fault::Nul`, each with its line.
    pub(super) fn look_through(
        path: &Path,
        source: &Source,
        (format, compression): (Format, Compression),
        options: &ReadOptions,
        (digest, block): (Option<&str>, usize),
        notes: &mut ReadNotes,
    ) -> Result<Self> {
        let mut file = Self {
            path: path.to_owned(),
            source: source.clone(),
            compression,
            named: options.encoding,
            line_end: b'\n',
            digest: digest.map(str::to_owned),
            block,
        };
        compression.note(path, notes);
        let head = head(path, source, compression)?;
        let is_binary = options.encoding.is_none() && is_binary(&head);
        let found = is_binary.then_some("it holds binary data");
        let found = format.complaint(&head).or(found);
        let mut decoder = file.decoder()?;
        let seen = Seen::of(&mut decoder);
        // Damage that only the end shows comes before everything else.
        decoder.skip_rest()?;
        let is_blank = head.trim_ascii_start().is_empty()
            && (head.len() < HEAD_BYTES || matches!(&seen, Ok(seen) if seen.is_blank));
        if is_blank {
            return Err(Error::Empty { path: path.to_owned() });
        }
        if let Some(found) = found {
            return Err(Error::WrongContent { path: path.to_owned(), expected: format, found });
        }
        if let Some(encoding) = decoder.marked(options.encoding) {
            notes.add(Note::Mark { encoding: encoding.to_owned() });
        }
        let seen = seen?;
        if let Some(line) = seen.nul_line {
            let fault = Fault::Nul { is_wide: seen.is_wide && decoder.is_plain_utf_8() };
            return Err(Error::at(path, Place::line(line), fault));
        }
        if seen.is_blank {
            return Err(Error::Empty { path: path.to_owned() });
        }
        if !seen.has_feed && seen.has_return {
            file.line_end = b'\r';
        }
        Ok(file)
    }

    /// The text from the beginning.
    ///
    /// # Errors
    /// `Read`, `Unpack`.
    pub(super) fn window(&self) -> Result<Window> {
        Ok(Window::new(self.decoder()?))
    }

    fn decoder(&self) -> Result<Decoder> {
        let mut reader = self.source.reader();
        if let Some(digest) = &self.digest {
            reader = reader.expecting(digest);
        }
        let unpacked = self.compression.unpacked(reader);
        let unpacked = unpacked.map_err(|source| self.compression.failed(&self.path, source))?;
        Decoder::new(&self.path, (unpacked, self.compression), self.named, self.block)
    }
}

/// The first bytes of a file, unpacked.
///
/// # Errors
/// `Read`, `Unpack`.
pub(super) fn head(path: &Path, source: &Source, compression: Compression) -> Result<Vec<u8>> {
    use std::io::Read as _;
    let mut head = Vec::new();
    let read = |head: &mut Vec<u8>| {
        let unpacked = compression.unpacked(source.reader())?;
        unpacked.take(HEAD_BYTES as u64).read_to_end(head)
    };
    read(&mut head).map_err(|source| compression.failed(path, source))?;
    Ok(head)
}

/// What a pass over the decoded text saw.
#[derive(Default)]
struct Seen {
    is_blank: bool,
    has_feed: bool,
    has_return: bool,
    nul_line: Option<usize>,
    /// Whether the first characters are as often zero as in UTF-16 that is read as UTF-8.
    is_wide: bool,
}

impl Seen {
    fn of(decoder: &mut Decoder) -> Result<Self> {
        let mut seen = Self { is_blank: true, ..Self::default() };
        let (mut text, mut n_lines, mut n_bytes) = (String::new(), 0, 0);
        let mut first = Vec::new();
        loop {
            text.clear();
            let goes_on = decoder.fill(&mut text)?;
            let bytes = text.as_bytes();
            n_bytes += bytes.len();
            first.extend(bytes.iter().copied().take(WIDE_HEAD - first.len()));
            seen.is_blank = seen.is_blank && bytes.trim_ascii_start().is_empty();
            seen.has_return = seen.has_return || memchr::memchr(b'\r', bytes).is_some();
            if seen.nul_line.is_none() {
                let nul = memchr::memchr(0, bytes);
                let before = &bytes[..nul.unwrap_or(bytes.len())];
                n_lines += memchr::memchr_iter(b'\n', before).count();
                seen.nul_line = nul.map(|_| n_lines + 1);
            }
            seen.has_feed = seen.has_feed || memchr::memchr(b'\n', bytes).is_some();
            if !goes_on {
                break;
            }
        }
        // In UTF-16, every other byte of Latin text is zero.
        let n_zeros = first.iter().filter(|&&byte| byte == 0).count();
        seen.is_wide = n_zeros >= 16.min(n_bytes / 3);
        Ok(seen)
    }
}

//! Decodes a text file to UTF-8 as it is read, replacing nothing and guessing nothing.
//!
//! A byte order mark takes precedence, then the encoding that the user named, then UTF-8.

use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use encoding_rs::{DecoderResult, UTF_8, UTF_16BE, UTF_16LE};

use super::fault::{Fault, Place};
use super::options::Encoding;
use super::unpack::{Compression, Unpacked};
use crate::error::{Error, Result};

/// A decoder may report an invalid byte this many bytes late.
const LATE: usize = 16;

/// Reads a text file as UTF-8, without its byte order mark.
pub(super) struct Decoder {
    path: PathBuf,
    reader: Unpacked,
    compression: Compression,
    encoding: &'static encoding_rs::Encoding,
    /// `None` for UTF-8, which is only checked.
    inner: Option<encoding_rs::Decoder>,
    /// Bytes read and not yet decoded; of other encodings than UTF-8, also the last that were.
    raw: Vec<u8>,
    /// The bytes of `raw` that are already decoded.
    n_decoded: usize,
    /// All bytes decoded so far, without the byte order mark.
    n_bytes: u64,
    /// The line feeds decoded so far.
    n_lines: usize,
    block: usize,
    is_marked: bool,
    is_at_end: bool,
}

impl Decoder {
    /// Begins to read; `block` bytes at a time.
    ///
    /// # Errors
    /// `Read`, `Unpack`.
    pub(super) fn new(
        path: &Path,
        (reader, compression): (Unpacked, Compression),
        named: Option<Encoding>,
        block: usize,
    ) -> Result<Self> {
        let encoding = wanted(named);
        let mut decoder = Self {
            path: path.to_owned(),
            reader,
            compression,
            encoding,
            inner: None,
            raw: Vec::new(),
            n_decoded: 0,
            n_bytes: 0,
            n_lines: 0,
            block: block.max(1),
            is_marked: false,
            is_at_end: false,
        };
        // A byte order mark has at most three bytes.
        while decoder.raw.len() < 3 && decoder.read_block()? {}
        if let Some((marked, n_mark)) = encoding_rs::Encoding::for_bom(&decoder.raw) {
            (decoder.encoding, decoder.is_marked) = (marked, true);
            decoder.raw.drain(..n_mark);
        }
        if decoder.encoding != UTF_8 {
            decoder.inner = Some(decoder.encoding.new_decoder_without_bom_handling());
        }
        Ok(decoder)
    }

    /// Whether the file is read as UTF-8 and has no byte order mark.
    pub(super) fn is_plain_utf_8(&self) -> bool {
        self.encoding == UTF_8 && !self.is_marked
    }

    /// The encoding that a byte order mark says, if it is another one than the wanted one.
    pub(super) fn marked(&self, named: Option<Encoding>) -> Option<&'static str> {
        (self.encoding != wanted(named)).then(|| self.encoding.name())
    }

    /// Appends a block of text; false if that was the last.
    ///
    /// # Errors
    /// `Fault::NotEncoded`, `Fault::CutCharacter`, each with its line; `Read`, `Unpack`, `Changed`.
    pub(super) fn fill(&mut self, text: &mut String) -> Result<bool> {
        if self.is_at_end {
            return Ok(false);
        }
        self.is_at_end = !self.read_block()?;
        let start = text.len();
        let result = match self.inner.take() {
            None => self.check(text),
            Some(mut inner) => {
                let result = self.convert(&mut inner, text);
                self.inner = Some(inner);
                result
            }
        };
        self.n_lines += memchr::memchr_iter(b'\n', &text.as_bytes()[start..]).count();
        match result {
            Ok(()) => Ok(!self.is_at_end),
            Err(fault) => Err(Error::at(&self.path, Place::line(self.n_lines + 1), fault)),
        }
    }

    /// Reads the rest without decoding it, for errors that only the end shows.
    ///
    /// # Errors
    /// `Read`, `Unpack`, `Changed`.
    pub(super) fn skip_rest(&mut self) -> Result<()> {
        loop {
            self.raw.clear();
            self.n_decoded = 0;
            if !self.read_block()? {
                self.is_at_end = true;
                return Ok(());
            }
        }
    }

    /// Reads more bytes; false at the end.
    fn read_block(&mut self) -> Result<bool> {
        let n_kept = self.raw.len();
        self.raw.resize(n_kept + self.block, 0);
        let result = loop {
            match self.reader.read(&mut self.raw[n_kept..]) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                result => break result,
            }
        };
        let n_read = *result.as_ref().unwrap_or(&0);
        self.raw.truncate(n_kept + n_read);
        match result {
            Ok(n_read) => Ok(n_read > 0),
            Err(source) => Err(self.compression.failed(&self.path, source)),
        }
    }

    /// Takes over valid UTF-8; the bytes of an incomplete character stay.
    fn check(&mut self, text: &mut String) -> Result<(), Fault> {
        let (valid, error_len) = match std::str::from_utf8(&self.raw) {
            Ok(valid) => (valid, None),
            Err(error) => {
                let valid = &self.raw[..error.valid_up_to()];
                (std::str::from_utf8(valid).unwrap_or_default(), error.error_len())
            }
        };
        text.push_str(valid);
        let n_valid = valid.len();
        self.n_bytes += n_valid as u64;
        if error_len.is_some() {
            let byte = self.raw.get(n_valid).copied().unwrap_or_default();
            return Err(Fault::NotEncoded { encoding: UTF_8.name(), byte });
        }
        self.raw.drain(..n_valid);
        if self.is_at_end && !self.raw.is_empty() {
            return Err(Fault::CutCharacter);
        }
        Ok(())
    }

    /// Converts another encoding.
    fn convert(
        &mut self,
        inner: &mut encoding_rs::Decoder,
        text: &mut String,
    ) -> Result<(), Fault> {
        loop {
            let rest = &self.raw[self.n_decoded..];
            // A unit needs at most three bytes of UTF-8, and the decoder stops when the string is full.
            text.reserve(3 * rest.len() + 16);
            let (result, n_read) =
                inner.decode_to_string_without_replacement(rest, text, self.is_at_end);
            self.n_decoded += n_read;
            self.n_bytes += n_read as u64;
            match result {
                DecoderResult::OutputFull => {}
                DecoderResult::InputEmpty => {
                    let n_past = self.n_decoded.saturating_sub(LATE);
                    self.raw.drain(..n_past);
                    self.n_decoded -= n_past;
                    return Ok(());
                }
                DecoderResult::Malformed(n_bad, n_after) => {
                    let is_wide = self.encoding == UTF_16LE || self.encoding == UTF_16BE;
                    let is_last = self.is_at_end && self.n_decoded == self.raw.len();
                    if is_last && is_wide && self.n_bytes % 2 == 1 {
                        return Err(Fault::CutCharacter);
                    }
                    let late = usize::from(n_bad) + usize::from(n_after);
                    let first_bad = self.n_decoded.checked_sub(late);
                    let byte = first_bad.and_then(|at| self.raw.get(at)).copied();
                    let byte = byte.unwrap_or_default();
                    return Err(Fault::NotEncoded { encoding: self.encoding.name(), byte });
                }
            }
        }
    }
}

fn wanted(named: Option<Encoding>) -> &'static encoding_rs::Encoding {
    named.map_or(UTF_8, Encoding::inner)
}

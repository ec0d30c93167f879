//! Decodes a text file to UTF-8, replacing nothing and guessing nothing.
//!
//! A byte order mark takes precedence, then the encoding that the user named, then UTF-8.

use std::borrow::Cow;
use std::path::Path;

use encoding_rs::{DecoderResult, UTF_8, UTF_16BE, UTF_16LE};

use super::fault::{Fault, Place};
use super::notes::{Note, ReadNotes};
use super::options::Encoding;
use crate::error::{Error, Result};

/// Bytes decoded at a time.
const BLOCK: usize = 1 << 20;

/// A text file as UTF-8, without its byte order mark.
///
/// # Errors
/// `Fault::NotEncoded`, `Fault::CutCharacter` and `Fault::Nul`, each with its line.
pub(super) fn decoded<'a>(
    path: &Path,
    bytes: Cow<'a, [u8]>,
    named: Option<Encoding>,
    notes: &mut ReadNotes,
) -> Result<Cow<'a, str>> {
    let marked = encoding_rs::Encoding::for_bom(&bytes);
    let wanted = named.map_or(UTF_8, Encoding::inner);
    let (encoding, n_mark) = marked.unwrap_or((wanted, 0));
    if n_mark > 0 && encoding != wanted {
        notes.add(Note::Mark { encoding: encoding.name().to_owned() });
    }
    let text = if encoding == UTF_8 {
        checked(path, bytes, n_mark)?
    } else {
        Cow::Owned(converted(path, &bytes[n_mark..], encoding)?)
    };
    if let Some(offset) = memchr::memchr(0, text.as_bytes()) {
        // In UTF-16, every other byte of Latin text is zero.
        let is_wide = encoding == UTF_8
            && marked.is_none()
            && text.bytes().take(64).filter(|&byte| byte == 0).count() >= 16.min(text.len() / 3);
        return Err(at_line(path, &text.as_bytes()[..offset], Fault::Nul { is_wide }));
    }
    Ok(text)
}

/// Validates UTF-8 in place.
fn checked<'a>(path: &Path, bytes: Cow<'a, [u8]>, n_mark: usize) -> Result<Cow<'a, str>> {
    let wrong = |bytes: &[u8], error: std::str::Utf8Error| {
        let before = &bytes[..error.valid_up_to()];
        let fault = match (error.error_len(), bytes.get(before.len())) {
            (Some(_), Some(&byte)) => Fault::NotEncoded { encoding: UTF_8.name(), byte },
            _ => Fault::CutCharacter,
        };
        at_line(path, before, fault)
    };
    match bytes {
        Cow::Borrowed(bytes) => {
            let bytes = &bytes[n_mark..];
            std::str::from_utf8(bytes).map(Cow::Borrowed).map_err(|error| wrong(bytes, error))
        }
        Cow::Owned(mut bytes) => {
            bytes.drain(..n_mark);
            String::from_utf8(bytes)
                .map(Cow::Owned)
                .map_err(|error| wrong(error.as_bytes(), error.utf8_error()))
        }
    }
}

/// Decodes another encoding block by block, so that the line of the first bad byte is known.
fn converted(
    path: &Path,
    bytes: &[u8],
    encoding: &'static encoding_rs::Encoding,
) -> Result<String> {
    let mut decoder = encoding.new_decoder_without_bom_handling();
    let mut text = String::with_capacity(bytes.len() + bytes.len() / 8);
    let mut rest = bytes;
    loop {
        // A unit needs at most three bytes of UTF-8, and the decoder stops when the string is full.
        text.reserve(3 * rest.len().min(BLOCK) + 16);
        let block = &rest[..rest.len().min(BLOCK)];
        let is_last = block.len() == rest.len();
        let (result, n_read) =
            decoder.decode_to_string_without_replacement(block, &mut text, is_last);
        let at_end = n_read == rest.len();
        rest = &rest[n_read..];
        match result {
            DecoderResult::InputEmpty if is_last => return Ok(text),
            DecoderResult::InputEmpty | DecoderResult::OutputFull => {}
            DecoderResult::Malformed(n_bad, n_after) => {
                let is_wide = encoding == UTF_16LE || encoding == UTF_16BE;
                let first_bad =
                    bytes.len() - rest.len() - usize::from(n_bad) - usize::from(n_after);
                let fault = if at_end && is_wide && bytes.len() % 2 == 1 {
                    Fault::CutCharacter
                } else {
                    Fault::NotEncoded {
                        encoding: encoding.name(),
                        byte: bytes.get(first_bad).copied().unwrap_or_default(),
                    }
                };
                return Err(at_line(path, text.as_bytes(), fault));
            }
        }
    }
}

/// A fault on the line where the text `before` it ends.
fn at_line(path: &Path, before: &[u8], fault: Fault) -> Error {
    let line = memchr::memchr_iter(b'\n', before).count() + 1;
    Error::at(path, Place::line(line), fault)
}

//! Keeps the texts of a folder in a temporary file without a name, as JSON lines.

use std::fs;
use std::io::{self, BufWriter, Write as _};
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use super::layout::Class;
use crate::error::{Error, Result};
use crate::tables::source::Source;

/// One text.
#[derive(Serialize)]
struct Row<'a> {
    /// Absent if the file has nothing but spaces.
    text: Option<&'a str>,
    label: &'a str,
    file: &'a str,
}

/// Reads all texts and keeps them; returns the file of each row.
///
/// # Errors
/// `NotText`, `Read`.
pub(super) fn keep(path: &Path, classes: &[Class]) -> Result<(Vec<String>, Source)> {
    // Like a pipe, it is kept in the system's folder for such files.
    let failed = |source: io::Error| Error::Read { path: path.to_owned(), source };
    let mut kept = BufWriter::new(tempfile::tempfile().map_err(failed)?);
    let mut files = Vec::new();
    for Class { name, files: of_class } in classes {
        for file in of_class {
            let inner = path.join(file);
            let bytes =
                fs::read(&inner).map_err(|source| Error::Read { path: inner.clone(), source })?;
            let text = text_of(&bytes).map_err(|(line, found)| Error::NotText {
                path: inner,
                line,
                found,
            })?;
            let text = (!text.trim().is_empty()).then_some(text);
            serde_json::to_writer(&mut kept, &Row { text, label: name, file })
                .map_err(|error| failed(error.into()))?;
            kept.write_all(b"\n").map_err(failed)?;
            files.push(file.clone());
        }
    }
    let kept = kept.into_inner().map_err(|error| failed(error.into_error()))?;
    Ok((files, Source::File(Arc::new(kept))))
}

/// The text of a file, without a byte order mark and without the line break at its end; or the line that is not
/// text, and what was found there.
fn text_of(bytes: &[u8]) -> Result<&str, (usize, String)> {
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    let line_of = |at: usize| memchr::memchr_iter(b'\n', &bytes[..at]).count() + 1;
    if let Some(at) = memchr::memchr(0, bytes) {
        return Err((line_of(at), "a NUL character".to_owned()));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let at = error.valid_up_to();
        (line_of(at), format!("byte 0x{:02x}, which is not valid UTF-8", bytes[at]))
    })?;
    let text = text.strip_suffix('\n').unwrap_or(text);
    Ok(text.strip_suffix('\r').unwrap_or(text))
}

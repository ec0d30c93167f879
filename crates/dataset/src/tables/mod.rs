//! Reads a file of any format into a table in memory.
//!
//! bytes → unpacked → decoded → table. All columns are read and checked, wanted or not, so that the
//! result depends only on the file. `columns` and `labels` decide what the texts and labels are.

mod decode;
mod delimited;
mod fault;
mod file;
pub(crate) mod format;
mod json_lines;
mod naming;
mod notes;
mod options;
mod parquet;
mod separator;
mod table;
mod text_table;
mod texts;
mod unpack;
pub(crate) mod write;

pub(crate) use self::fault::looks_missing;
pub use self::fault::{Fault, Place, QuoteCause};
pub use self::file::DataFile;
pub use self::format::Format;
pub use self::notes::{Note, ReadNotes};
pub use self::options::{Encoding, Header, Missing, Quoting, ReadOptions};
pub use self::separator::Separator;
pub use self::text_table::TextTable;
pub use self::write::Change;

pub(crate) use self::delimited::looks_like_data;
pub(crate) use self::parquet::one_line;
pub(crate) use self::table::{Cells, JsonValue, Table};
pub(crate) use self::text_table::TextColumn;
pub(crate) use self::texts::Texts;

use crate::error::{Error, Result};

/// Bytes at the start of a file that are enough to recognise its type.
const HEAD_BYTES: usize = 8192;

/// Reads a file as a table.
///
/// # Errors
/// An error that says what is wrong with the file, and where.
pub(crate) fn read(file: &DataFile, options: &ReadOptions, notes: &mut ReadNotes) -> Result<Table> {
    let path = &file.name();
    let format = match options.format {
        Some(format) => format,
        None => Format::of_input(path)?,
    };
    let bytes = unpack::unpacked(path, file.contents()?, notes)?;
    if bytes.is_empty() || (format != Format::Parquet && bytes.trim_ascii_start().is_empty()) {
        return Err(Error::Empty { path: path.clone() });
    }
    let head = &bytes[..bytes.len().min(HEAD_BYTES)];
    let is_binary = format != Format::Parquet && options.encoding.is_none() && is_binary(head);
    let found = is_binary.then_some("it holds binary data");
    if let Some(found) = format.complaint(head).or(found) {
        return Err(Error::WrongContent { path: path.clone(), expected: format, found });
    }
    if format == Format::Parquet {
        return parquet::read(path, bytes, notes);
    }
    let text = decode::decoded(path, bytes, options.encoding, notes)?;
    if text.trim_ascii_start().is_empty() {
        return Err(Error::Empty { path: path.clone() });
    }
    match format {
        Format::JsonLines => json_lines::read(path, &text, notes),
        _ => delimited::read(path, &text, format, options, notes),
    }
}

/// Whether the first bytes are not text in any encoding that can be detected.
fn is_binary(head: &[u8]) -> bool {
    let is_utf_8 =
        std::str::from_utf8(head).map_or_else(|error| error.error_len().is_none(), |_| true);
    !is_utf_8 && memchr::memchr(0, head).is_some() && encoding_rs::Encoding::for_bom(head).is_none()
}

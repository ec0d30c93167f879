//! Reads Parquet with polars, with errors that say what is wrong with the file.

mod pages;
mod reader;

use std::io::{Cursor, Read as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use polars::prelude::{
    ArrowDataType, ArrowSchema, Column, IntoColumn as _, ParquetReader, PolarsError, PolarsResult,
    SerReader, StringChunkedBuilder,
};
use polars_buffer::Buffer;
use polars_parquet::parquet::page::CompressedPage;
use polars_parquet::parquet::read::{PageReader, read_metadata};
use polars_parquet::parquet::schema::types::PrimitiveLogicalType;
use polars_parquet::read::{FileMetadata, infer_schema};

pub(super) use self::reader::{Parquet, Reader};

use super::format::Format;
use super::head::HEAD_BYTES;
use super::notes::{Note, ReadNotes};
use super::source::Source;
use super::table::{Cells, Table};
use super::unpack::Compression;
use crate::error::{Error, Result};

/// Reads a Parquet file.
///
/// Columns of types that we cannot read and write in every format (lists, decimals, times with a zone)
/// are left out, with a note. Columns of bytes are texts if all are UTF-8, because older programs wrote
/// texts so.
///
/// # Errors
/// `NoRows`, `Malformed`.
pub(super) fn read(
    path: &Path,
    source: &Source,
    compression: Compression,
    notes: &mut ReadNotes,
) -> Result<Table> {
    compression.note(path, notes);
    let mut bytes = Vec::new();
    let unpacked = compression.unpacked(source.reader());
    let result = unpacked.and_then(|mut reader| reader.read_to_end(&mut bytes));
    result.map_err(|source| compression.failed(path, source))?;
    if bytes.is_empty() {
        return Err(Error::Empty { path: path.to_owned() });
    }
    let head = &bytes[..bytes.len().min(HEAD_BYTES)];
    if let Some(found) = Format::Parquet.complaint(head) {
        let expected = Format::Parquet;
        return Err(Error::WrongContent { path: path.to_owned(), expected, found });
    }
    let bytes = Buffer::from(bytes);
    let reader = || ParquetReader::new(Cursor::new(&bytes));
    let schema = guarded(path, || {
        let schema = reader().schema()?;
        check(&bytes, &schema)?;
        Ok(schema)
    })?;
    let (mut kept, mut left_out) = (Vec::new(), Vec::new());
    for (name, field) in schema.iter() {
        let names = if is_plain(&field.dtype) { &mut kept } else { &mut left_out };
        names.push(name.to_string());
    }
    let mut frame = guarded(path, || {
        let mut frame = reader().with_columns(Some(kept)).finish()?;
        // With one chunk per column, "row i" is a look-up, not a search; strings are not moved.
        frame.rechunk_mut();
        Ok(frame)
    })?;
    if frame.height() == 0 {
        return Err(Error::NoRows { path: path.to_owned() });
    }
    let is_bytes = |column: &&Column| column.dtype().is_binary();
    let of_bytes: Vec<Column> = frame.columns().iter().filter(is_bytes).cloned().collect();
    for column in of_bytes {
        let name = column.name().to_string();
        let replaced = match as_texts(&column) {
            Some(texts) => guarded(path, || frame.with_column(texts).map(drop)),
            None => {
                left_out.push(name.clone());
                guarded(path, || frame.drop_in_place(&name).map(drop))
            }
        };
        replaced?;
    }
    if !left_out.is_empty() {
        notes.add(Note::LeftOut { columns: left_out.clone() });
    }
    Ok(Table {
        frame,
        cells: Cells::Typed,
        left_out,
        lines: Vec::new(),
        first_row: 0,
        bad: Vec::new(),
    })
}

/// Checks metadata that a file stores in several places and that polars trusts in one.
///
/// Polars takes a negative number of values in a page for an enormous one, and requests so much memory
/// that the process is killed. It takes types from the Arrow schema, which many files have in addition
/// to Parquet's own, even if that schema says a column of numbers is null or changes their signs.
fn check(bytes: &Buffer<u8>, schema: &ArrowSchema) -> PolarsResult<()> {
    let metadata = read_metadata(&mut Cursor::new(bytes))?;
    check_metadata(&metadata, schema, bytes.len() as u64)?;
    for group in &metadata.row_groups {
        for chunk in group.parquet_columns() {
            let mut n_left = chunk.num_values() as usize;
            let range = chunk.byte_range();
            let pages = Cursor::new(bytes.clone().sliced(range.start as usize..range.end as usize));
            let mut pages = PageReader::new(pages, chunk, Vec::new(), usize::MAX);
            pages.read_dict()?;
            for page in pages {
                if let CompressedPage::Data(page) = page? {
                    n_left = n_left
                        .checked_sub(page.num_values())
                        .ok_or_else(|| damaged("a page has more values than its column"))?;
                }
            }
        }
    }
    Ok(())
}

/// Checks what the metadata alone shows.
fn check_metadata(metadata: &FileMetadata, schema: &ArrowSchema, n_bytes: u64) -> PolarsResult<()> {
    let mut metadata = metadata.clone();
    metadata.key_value_metadata = None;
    let stored = infer_schema(&metadata)?;
    let contradicted = schema.iter().any(|(name, field)| {
        stored.get(name).is_some_and(|stored| contradicts(&field.dtype, &stored.dtype))
    });
    if contradicted {
        return Err(damaged(TWO_SCHEMAS));
    }
    for group in &metadata.row_groups {
        for chunk in group.parquet_columns() {
            let column = &chunk.descriptor().descriptor;
            let name = chunk.descriptor().path_in_schema.first();
            let is_null = name
                .and_then(|name| schema.get(name))
                .is_some_and(|f| f.dtype == ArrowDataType::Null);
            if is_null && column.primitive_type.logical_type != Some(PrimitiveLogicalType::Unknown)
            {
                return Err(damaged(TWO_SCHEMAS));
            }
            // A list column may have any number of values.
            let n_values = usize::try_from(chunk.num_values()).ok();
            if n_values.is_none_or(|n| column.max_rep_level == 0 && n != group.num_rows()) {
                return Err(damaged("a column has more or fewer values than there are rows"));
            }
            let range = chunk.byte_range();
            if range.start > range.end || range.end > n_bytes {
                return Err(damaged("a column lies outside the file"));
            }
        }
    }
    Ok(())
}

fn damaged(what: &'static str) -> PolarsError {
    PolarsError::ComputeError(what.into())
}

const TWO_SCHEMAS: &str = "its two schemas disagree about a column";

/// Whether a type in the Arrow schema contradicts the type of the stored values.
///
/// Only simple types are compared: strings and times can be stored in several ways.
fn contradicts(said: &ArrowDataType, stored: &ArrowDataType) -> bool {
    use ArrowDataType as A;
    let is_number = |dtype: &A| {
        matches!(dtype, A::Boolean | A::Float32 | A::Float64 | A::Date32)
            || matches!(dtype, A::Int8 | A::Int16 | A::Int32 | A::Int64)
            || matches!(dtype, A::UInt8 | A::UInt16 | A::UInt32 | A::UInt64)
    };
    match (said, stored) {
        // Parquet's first version had no unsigned numbers.
        (A::UInt32, A::Int64) => false,
        (A::Timestamp(..), A::Int64) => true,
        _ => is_number(said) && is_number(stored) && said != stored,
    }
}

/// Whether polars, as we build it, reads an Arrow type and writes it to each of our formats.
fn is_plain(dtype: &ArrowDataType) -> bool {
    use ArrowDataType as A;
    match dtype {
        A::Null | A::Boolean | A::Float32 | A::Float64 | A::Date32 | A::Timestamp(_, None) => true,
        A::Int8 | A::Int16 | A::Int32 | A::Int64 => true,
        A::UInt8 | A::UInt16 | A::UInt32 | A::UInt64 => true,
        A::Utf8 | A::LargeUtf8 | A::Utf8View => true,
        A::Binary | A::LargeBinary | A::BinaryView => true,
        A::Dictionary(_, values, _) => {
            matches!(**values, A::Utf8 | A::LargeUtf8 | A::Utf8View)
        }
        _ => false,
    }
}

/// A column of bytes as strings, if all are UTF-8.
fn as_texts(column: &Column) -> Option<Column> {
    let bytes = column.binary().ok()?;
    let mut texts = StringChunkedBuilder::new(column.name().clone(), bytes.len());
    for value in bytes.iter() {
        match value {
            Some(value) => texts.append_value(std::str::from_utf8(value).ok()?),
            None => texts.append_null(),
        }
    }
    Some(texts.finish().into_column())
}

/// Runs a polars reader and explains its failures.
///
/// Readers sometimes panic on damaged files, and a file must not end the process.
fn guarded<T>(path: &Path, read: impl FnOnce() -> PolarsResult<T>) -> Result<T> {
    match catch_unwind(AssertUnwindSafe(read)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(explained(path, error)),
        Err(_) => Err(Error::Malformed {
            path: path.to_owned(),
            format: Format::Parquet,
            detail: "the reader crashed on it".to_owned(),
        }),
    }
}

fn explained(path: &Path, error: PolarsError) -> Error {
    match error {
        // Parsers also report damage as an I/O error; only the system's errors have a number.
        PolarsError::IO { error, .. } if error.raw_os_error().is_some() => {
            let source = Arc::try_unwrap(error)
                .unwrap_or_else(|error| std::io::Error::new(error.kind(), error.to_string()));
            Error::Read { path: path.to_owned(), source }
        }
        PolarsError::IO { error, .. } => Error::Malformed {
            path: path.to_owned(),
            format: Format::Parquet,
            detail: one_line(&error.to_string()),
        },
        other => malformed(path, Format::Parquet, &other),
    }
}

/// The error for polars' message about a file.
pub(super) fn malformed(path: &Path, format: Format, error: &PolarsError) -> Error {
    Error::Malformed { path: path.to_owned(), format, detail: one_line(&error.to_string()) }
}

/// The first paragraph of a parser's message; what follows is advice about polars' own options.
pub(crate) fn one_line(message: &str) -> String {
    let first = message.split("\n\n").next().unwrap_or_default();
    first.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_about_polars_is_cut_from_messages() {
        assert_eq!(one_line("found more\n fields\n\nConsider setting x"), "found more fields");
    }
}

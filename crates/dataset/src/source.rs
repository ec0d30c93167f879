//! A file on disk as a polars frame, with errors that say what is wrong with the file.
//!
//! Knows nothing of texts and labels: it gives column names, then the columns asked for.

use std::fs::File;
use std::io::{Cursor, Read, Seek, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use polars::prelude::{
    ArrowDataType, CsvParseOptions, CsvReadOptions, DataFrame, DataType, JsonFormat, JsonReader,
    ParquetReader, PlSmallStr, PolarsError, PolarsResult, SerReader,
};

use crate::error::{Error, Result};
use crate::format::Format;

/// Enough of a file to see what it is.
const HEAD_BYTES: u64 = 8192;

/// An opened file: its columns are known, its rows are read on demand.
pub(crate) struct Source {
    path: PathBuf,
    format: Format,
    /// The columns that we can read, in file order.
    pub(crate) columns: Vec<String>,
    /// The columns that we cannot read and write back in every format (lists, time zones, …).
    pub(crate) left_out: Vec<String>,
    /// JSON lines have no header: their columns are known once everything is read.
    rows: Option<DataFrame>,
}

impl Source {
    /// Looks at a file and lists its columns.
    ///
    /// # Errors
    /// Says what is wrong with the file: absent, a folder, empty, of another format, unreadable.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let metadata = match path.metadata() {
            Ok(metadata) => metadata,
            Err(source) if source.kind() == std::io::ErrorKind::NotFound => {
                return Err(Error::Missing { path: path.to_owned() });
            }
            Err(source) => return Err(Error::Read { path: path.to_owned(), source }),
        };
        if metadata.is_dir() {
            return Err(Error::IsFolder { path: path.to_owned() });
        }
        let format = Format::of(path)?;
        let head =
            read_head(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
        if head.iter().all(u8::is_ascii_whitespace) && metadata.len() <= HEAD_BYTES {
            return Err(Error::Empty { path: path.to_owned() });
        }
        if let Some(found) = format.complaint(&head) {
            return Err(Error::WrongContent { path: path.to_owned(), expected: format, found });
        }

        let mut source = Self {
            path: path.to_owned(),
            format,
            columns: Vec::new(),
            left_out: Vec::new(),
            rows: None,
        };
        match format {
            Format::Csv | Format::Tsv => {
                let header = source.guarded(|| source.csv(Some(0), None))?;
                source.columns = column_names(&header);
                // The rows are checked by the parser; of the header it makes what it can.
                if source.columns.iter().any(|name| name.contains(char::REPLACEMENT_CHARACTER))
                    && let Some(error) = source.utf8_error(&head)
                {
                    return Err(error);
                }
            }
            Format::Parquet => {
                let schema = source.guarded(|| ParquetReader::new(File::open(path)?).schema())?;
                for (name, field) in schema.iter() {
                    let names = if is_plain_arrow(&field.dtype) {
                        &mut source.columns
                    } else {
                        &mut source.left_out
                    };
                    names.push(name.to_string());
                }
            }
            Format::JsonLines => {
                let rows = source.guarded(|| source.json())?;
                for column in rows.columns() {
                    let names = if column.dtype().is_nested() {
                        &mut source.left_out
                    } else {
                        &mut source.columns
                    };
                    names.push(column.name().to_string());
                }
                source.rows = Some(rows);
            }
        }
        Ok(source)
    }

    /// Reads some columns, in one chunk each: `[n_rows, columns.len()]`, in file order or as asked.
    ///
    /// CSV and TSV cells come as strings, whatever they look like: a type inferred from the first
    /// rows would fail on row 812 with no word about labels. A cell with nothing in it is null, a
    /// quoted `""` is an empty string. Blank lines at the end are no rows; elsewhere they are rows
    /// of nulls, because they are more likely a mistake than a habit of editors.
    ///
    /// # Errors
    /// `NoRows`, `NotUtf8`, `Malformed`.
    pub(crate) fn read(self, columns: &[String]) -> Result<DataFrame> {
        let mut frame = self.guarded(|| match (&self.rows, self.format) {
            (Some(rows), _) => rows.select(columns.iter().map(String::as_str)),
            (None, Format::Parquet) => ParquetReader::new(File::open(&self.path)?)
                .with_columns(Some(columns.to_vec()))
                .finish(),
            (None, _) => self.csv(None, Some(columns)),
        })?;
        if self.format.separator().is_some() {
            let n_blank = trailing_blank_lines(&self.path)
                .map_err(|source| Error::Read { path: self.path.clone(), source })?;
            frame = frame.slice(0, frame.height() - n_null_rows_at_end(&frame).min(n_blank));
        }
        if frame.height() == 0 {
            return Err(Error::NoRows { path: self.path });
        }
        // One chunk a column makes "row i" a look-up and not a search; strings are not moved.
        frame.rechunk_mut();
        Ok(frame)
    }

    fn csv(&self, n_rows: Option<usize>, columns: Option<&[String]>) -> PolarsResult<DataFrame> {
        let parse =
            CsvParseOptions::default().with_separator(self.format.separator().unwrap_or(b','));
        CsvReadOptions::default()
            .with_parse_options(parse)
            .with_infer_schema_length(Some(0))
            .with_n_rows(n_rows)
            .with_columns(
                columns.map(|names| names.iter().map(PlSmallStr::from).collect::<Vec<_>>().into()),
            )
            .into_reader_with_file_handle(File::open(&self.path)?)
            .finish()
    }

    fn json(&self) -> PolarsResult<DataFrame> {
        // The types of a column may change after the first hundred rows: look at all of them.
        JsonReader::new(File::open(&self.path)?)
            .with_json_format(JsonFormat::JsonLines)
            .infer_schema_len(None)
            .finish()
    }

    /// Runs a polars reader and explains its failures.
    ///
    /// Readers have been seen to panic on damaged files, and a file must not end the process.
    fn guarded<T>(&self, read: impl FnOnce() -> PolarsResult<T>) -> Result<T> {
        match catch_unwind(AssertUnwindSafe(read)) {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(self.explained(error)),
            Err(_) => Err(self.malformed(None, "the reader gave up on it".to_owned())),
        }
    }

    /// Turns a parser's error into one about the file, looking at the file again if that helps.
    fn explained(&self, error: PolarsError) -> Error {
        let detail = match error {
            PolarsError::IO { error, .. } => {
                // Parsers report damage as an I/O error too; the system's have a number.
                if error.raw_os_error().is_some() {
                    let source = Arc::try_unwrap(error).unwrap_or_else(|error| {
                        std::io::Error::new(error.kind(), error.to_string())
                    });
                    return Error::Read { path: self.path.clone(), source };
                }
                one_line(&error.to_string())
            }
            PolarsError::NoData(_) => return Error::Empty { path: self.path.clone() },
            other => one_line(&other.to_string()),
        };
        if self.format == Format::Parquet {
            return self.malformed(None, detail);
        }
        let Ok(bytes) = std::fs::read(&self.path) else {
            return self.malformed(None, detail);
        };
        if let Some(error) = self.utf8_error(&bytes) {
            return error;
        }
        if self.format == Format::JsonLines
            && let Some((line, detail)) = first_bad_json_line(&bytes)
        {
            return self.malformed(Some(line), detail);
        }
        self.malformed(None, detail)
    }

    /// The first line that is not UTF-8, as an error. A character that is cut off at the end is fine
    /// here: `bytes` may be the head of a file.
    fn utf8_error(&self, bytes: &[u8]) -> Option<Error> {
        let error = std::str::from_utf8(bytes).err()?;
        error.error_len()?;
        let n_lines_before = bytes[..error.valid_up_to()].iter().filter(|&&b| b == b'\n').count();
        Some(Error::NotUtf8 { path: self.path.clone(), line: n_lines_before + 1 })
    }

    fn malformed(&self, line: Option<usize>, detail: String) -> Error {
        Error::Malformed { path: self.path.clone(), line, format: self.format, detail }
    }
}

fn read_head(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut head = Vec::new();
    File::open(path)?.take(HEAD_BYTES).read_to_end(&mut head)?;
    Ok(head)
}

/// How many blank lines end a file, as far as its last bytes tell; each is a row of nulls to polars.
fn trailing_blank_lines(path: &Path) -> std::io::Result<usize> {
    let mut file = File::open(path)?;
    let n_bytes = file.metadata()?.len();
    file.seek(SeekFrom::Start(n_bytes.saturating_sub(HEAD_BYTES)))?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail)?;
    let n_breaks = tail
        .iter()
        .rev()
        .take_while(|&&byte| byte == b'\n' || byte == b'\r')
        .filter(|&&byte| byte == b'\n')
        .count();
    // The first of them ends the last row.
    Ok(n_breaks.saturating_sub(1))
}

/// How many rows at the end have no value in any column.
fn n_null_rows_at_end(frame: &DataFrame) -> usize {
    let is_null_row = |row: &usize| {
        frame.columns().iter().all(|column| column.get(*row).is_ok_and(|value| value.is_null()))
    };
    (0..frame.height()).rev().take_while(is_null_row).count()
}

fn column_names(frame: &DataFrame) -> Vec<String> {
    frame.get_column_names().into_iter().map(ToString::to_string).collect()
}

/// Whether polars, as we build it, reads an Arrow type and writes it to every format of ours.
fn is_plain_arrow(dtype: &ArrowDataType) -> bool {
    use ArrowDataType as A;
    match dtype {
        A::Null | A::Boolean | A::Float32 | A::Float64 | A::Date32 | A::Timestamp(_, None) => true,
        A::Int8 | A::Int16 | A::Int32 | A::Int64 => true,
        A::UInt8 | A::UInt16 | A::UInt32 | A::UInt64 => true,
        A::Utf8 | A::LargeUtf8 | A::Utf8View => true,
        A::Dictionary(_, values, _) => {
            matches!(**values, A::Utf8 | A::LargeUtf8 | A::Utf8View)
        }
        _ => false,
    }
}

/// The first line that is no JSON object, from 1, and what the parser says about it.
///
/// Parsing line by line is slow, and only done when it is known that some line is wrong.
fn first_bad_json_line(bytes: &[u8]) -> Option<(usize, String)> {
    bytes.split(|&byte| byte == b'\n').enumerate().find_map(|(idx, line)| {
        if line.trim_ascii().is_empty() {
            return None;
        }
        let parse =
            || JsonReader::new(Cursor::new(line)).with_json_format(JsonFormat::JsonLines).finish();
        match catch_unwind(AssertUnwindSafe(parse)) {
            Ok(Ok(_)) => None,
            Ok(Err(error)) => Some((idx + 1, one_line(&error.to_string()))),
            Err(_) => Some((idx + 1, "the reader gave up on it".to_owned())),
        }
    })
}

/// The first paragraph of a parser's message; what follows is advice about polars' own options.
pub(crate) fn one_line(message: &str) -> String {
    let first = message.split("\n\n").next().unwrap_or_default();
    first.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A column as strings, or `None` if it holds something else.
///
/// Categories become strings; a column of nulls becomes a column of null strings.
pub(crate) fn as_strings(
    column: &polars::prelude::Column,
) -> Option<polars::prelude::StringChunked> {
    let dtype = column.dtype();
    let fits = dtype.is_string() || dtype.is_categorical() || *dtype == DataType::Null;
    if !fits {
        return None;
    }
    let strings = column.cast(&DataType::String).ok()?;
    strings.str().ok().cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_about_polars_is_cut_from_messages() {
        assert_eq!(one_line("found more\n fields\n\nConsider setting x"), "found more fields");
    }

    #[test]
    fn the_bad_line_is_found_among_good_and_blank_ones() {
        let bytes = b"{\"text\": \"a\"}\n\n{\"text\": \"b\"\n{\"text\": \"c\"}\n";
        assert_eq!(first_bad_json_line(bytes).map(|(line, _)| line), Some(3));
        assert!(first_bad_json_line(b"{\"text\": \"a\"}\n\n").is_none());
    }
}

//! Reads text tables: CSV, TSV and others that separate columns by a character.
//!
//! This is our own reader because others are too lenient: polars adds and cuts off fields, and the
//! `csv` crate joins `"a"b` and closes open quotes. Here every row must have as many fields as the
//! header, whether or not a column is wanted; otherwise the file is rejected, with the row and its
//! line. All cells are strings, whatever they look like. An empty unquoted field is null, an empty
//! quoted one is an empty string. Blank lines at the end of a file are ignored; elsewhere they are rows
//! without values.

mod dialect;
mod header;
mod limits;
mod messages;
mod quoting;
mod reader;
mod rows;
mod scanner;
mod start;
mod swallowed;
mod watch;

pub(crate) use self::header::looks_like_data;
pub(super) use self::reader::Reader;

use self::dialect::Dialect;
use self::messages::{excerpt, failed};
use self::quoting::Reading;
use self::rows::Rows;
use self::start::Start;
use super::chunk::BadRows;
use super::fault::{Fault, Place};
use super::format::Format;
use super::notes::{Note, ReadNotes};
use super::options::{Header, Quoting, ReadOptions};
use super::separator::Separator;
use super::text_file::TextFile;
use super::window::Window;
use crate::error::{Error, Result};

/// A text table whose columns are known; its rows are not yet read.
#[derive(Clone, Debug)]
pub(crate) struct Delimited {
    file: TextFile,
    dialect: Dialect,
    has_quotes: bool,
    /// The columns.
    pub(super) names: Vec<String>,
    header: Header,
    /// Whether fields that join lines may be a mistake.
    is_suspicious: bool,
}

impl Delimited {
    /// Finds out how a text table is written, which may take several passes.
    ///
    /// # Errors
    /// The `Fault`s of the header and of quotation marks, with their line.
    pub(super) fn of(
        file: TextFile,
        format: Format,
        options: &ReadOptions,
        bad_rows: BadRows,
        notes: &mut ReadNotes,
    ) -> Result<Self> {
        let mut window = file.window()?;
        let head = (&mut window, file.line_end);
        let dialect = Dialect::of(&file.path, head, format, options, notes)?;
        let start = Start { file: &file, dialect };
        let has_quotes = has_quotes(&start, options, bad_rows, notes)?;

        let mut rows = start.rows(has_quotes)?;
        let mut fields = Vec::new();
        let row = rows.next_row(&mut fields)?.transpose();
        let number = if options.header == Header::Present { None } else { Some(1) };
        row.map_err(|failure| failed(&file.path, &rows, number, failure))?;
        let names = match options.header {
            Header::Present => header::names(&file.path, rows.text(), &fields, dialect.line)?,
            Header::Absent => (1..=fields.len()).map(|number| number.to_string()).collect(),
        };
        let is_suspicious = options.quoting == Quoting::Auto;
        let header = options.header;
        Ok(Self { file, dialect, has_quotes, names, header, is_suspicious })
    }

    fn separator(&self) -> Separator {
        self.dialect.separator
    }

    /// The data rows, from the first.
    fn rows(&self) -> Result<Rows> {
        let start = Start { file: &self.file, dialect: self.dialect };
        let mut rows = start.rows(self.has_quotes)?;
        if self.header == Header::Present {
            // It was read before; if that fails now, the file has changed.
            let row = rows.next_row(&mut Vec::new())?.transpose();
            row.map_err(|failure| failed(&self.file.path, &rows, None, failure))?;
        }
        Ok(rows)
    }
}

/// Whether quotation marks have a meaning.
fn has_quotes(
    start: &Start<'_>,
    options: &ReadOptions,
    bad_rows: BadRows,
    notes: &mut ReadNotes,
) -> Result<bool> {
    match options.quoting {
        Quoting::Standard => return Ok(true),
        Quoting::Literal => return Ok(false),
        Quoting::Auto if start.dialect.separator != Separator::TAB => return Ok(true),
        Quoting::Auto => {}
    }
    match quoting::reading(start, options.header, bad_rows)? {
        Reading::Same | Reading::Quoted => Ok(true),
        Reading::Literal { n_fields, line } => {
            notes.add(Note::LiteralQuotes { n_fields, line });
            Ok(false)
        }
        Reading::Ambiguous { start: begins, row, line } => {
            let row = if options.header == Header::Absent { row + 1 } else { row };
            let fault = Fault::AmbiguousQuotes { start: begins };
            Err(Error::at(&start.file.path, Place::row(row, Some(line)), fault))
        }
    }
}

/// A file of a text that is read a few bytes at a time.
#[cfg(test)]
fn text_file(text: &str, block: usize) -> TextFile {
    use super::source::Source;
    use super::unpack::Compression;
    let source = Source::Memory(text.as_bytes().to_vec().into());
    let kind = (Format::Csv, Compression::None);
    let (path, options) = (std::path::Path::new("x"), ReadOptions::default());
    let notes = &mut ReadNotes::default();
    TextFile::look_through(path, &source, kind, &options, (None, block), notes).unwrap()
}

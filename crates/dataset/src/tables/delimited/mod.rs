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
mod quoting;
mod scanner;
mod swallowed;

use std::path::Path;

use polars::prelude::{Column, DataFrame, IntoColumn as _, StringChunkedBuilder};

pub(crate) use self::header::looks_like_data;

use self::dialect::Dialect;
use self::quoting::Reading;
use self::scanner::{Failure, FailureKind, Field, Form, Row, Scanner, line_end, value};
use self::swallowed::{Shape, Suspect};
use super::fault::{Fault, Place, QuoteCause};
use super::format::Format;
use super::notes::Note;
use super::notes::ReadNotes;
use super::options::{Header, Quoting, ReadOptions};
use super::separator::Separator;
use super::table::{Cells, Table};
use crate::error::{Error, Result};

/// A quoted text with at least this many line breaks gets a note.
const LONG_TEXT: usize = 200;

/// Bytes that a message shows before and after a quotation mark.
const SHOWN: usize = 24;

/// Reads a text table.
///
/// # Errors
/// `NoRows`, and every `Fault` of text tables with its row and line.
pub(super) fn read(
    path: &Path,
    text: &str,
    format: Format,
    options: &ReadOptions,
    notes: &mut ReadNotes,
) -> Result<Table> {
    let dialect = Dialect::of(path, text, format, options, notes)?;
    let reader = Reader { path, text, dialect };
    let has_quotes = reader.has_quotes(options, notes)?;

    let mut scanner = Scanner::new(
        text.as_bytes(),
        dialect.start,
        dialect.line,
        dialect.separator.byte(),
        has_quotes,
    );
    let mut fields = Vec::new();
    let names = match options.header {
        Header::Present => {
            let row = scanner.next_row(&mut fields);
            row.transpose().map_err(|failure| reader.failed(None, failure))?;
            header::names(path, text, &fields, dialect.line)?
        }
        Header::Absent => {
            let row = scanner.clone().next_row(&mut fields);
            row.transpose().map_err(|failure| reader.failed(Some(1), failure))?;
            (1..=fields.len()).map(|number| number.to_string()).collect()
        }
    };
    let mut rows = Rows::new(&reader, &names);
    while let Some(row) = scanner.next_row(&mut fields) {
        let row = row.map_err(|failure| reader.failed(Some(rows.next_number()), failure))?;
        rows.add(&row, &fields)?;
    }
    rows.finish(options, notes)
}

/// The file, for reading it and for error messages.
struct Reader<'a> {
    path: &'a Path,
    text: &'a str,
    dialect: Dialect,
}

impl Reader<'_> {
    /// Whether quotation marks have a meaning.
    fn has_quotes(&self, options: &ReadOptions, notes: &mut ReadNotes) -> Result<bool> {
        match options.quoting {
            Quoting::Standard => return Ok(true),
            Quoting::Literal => return Ok(false),
            Quoting::Auto if self.dialect.separator != Separator::TAB => return Ok(true),
            Quoting::Auto => {}
        }
        match quoting::reading(self.text, &self.dialect, options.header) {
            Reading::Same | Reading::Quoted => Ok(true),
            Reading::Literal { n_fields, line } => {
                notes.add(Note::LiteralQuotes { n_fields, line });
                Ok(false)
            }
            Reading::Ambiguous { start, row, line } => {
                let row = if options.header == Header::Absent { row + 1 } else { row };
                let start = self.excerpt(start, self.text.len());
                Err(self.wrong(Place::row(row, Some(line)), Fault::AmbiguousQuotes { start }))
            }
        }
    }

    fn wrong(&self, place: Place, fault: Fault) -> Error {
        Error::at(self.path, place, fault)
    }

    /// The error for a row that the scanner rejected; row `None` is the header.
    fn failed(&self, row: Option<usize>, failure: Failure) -> Error {
        let Failure { kind, line, start, at } = failure;
        let place = Place { row, line: Some(line) };
        let field = &self.text.as_bytes()[start..at];
        let cause = if field.windows(2).any(|pair| pair == b"\\\"")
            || (field.last() == Some(&b'\\') && kind == FailureKind::ClosedInside)
        {
            QuoteCause::Backslash
        } else {
            QuoteCause::Unknown
        };
        let fault = match kind {
            FailureKind::Unclosed => Fault::Unclosed { start: self.excerpt(start, at), cause },
            FailureKind::ClosedInside => {
                let line_end = line_end(self.text.as_bytes());
                let n_lines = memchr::memchr_iter(line_end, field).count();
                let before = floor(self.text, at.saturating_sub(SHOWN).max(start));
                let after = floor(self.text, (at + SHOWN).min(self.text.len()));
                Fault::ClosedInside { n_lines, end: self.text[before..after].to_owned(), cause }
            }
            FailureKind::LoneReturn => Fault::LoneReturn { start: self.text[start..at].to_owned() },
        };
        self.wrong(place, fault)
    }

    /// The beginning of the text in a byte range.
    fn excerpt(&self, start: usize, end: usize) -> String {
        self.text[start..end].chars().take(2 * SHOWN).collect()
    }

    fn shape(&self, n_columns: usize) -> Shape {
        let separator = self.dialect.separator.byte();
        Shape { separator, line_end: line_end(self.text.as_bytes()), n_columns }
    }
}

/// The last character boundary at or before a byte.
fn floor(text: &str, at: usize) -> usize {
    text.floor_char_boundary(at)
}

/// The rows read so far.
struct Rows<'a> {
    reader: &'a Reader<'a>,
    names: &'a [String],
    columns: Vec<StringChunkedBuilder>,
    /// The line of each row.
    lines: Vec<usize>,
    /// The lines of blank lines, which become rows if another row follows.
    blank: Vec<usize>,
    suspects: Vec<Suspect>,
    longest: Option<(usize, Row)>,
    scratch: String,
    shape: Shape,
}

impl<'a> Rows<'a> {
    fn new(reader: &'a Reader<'a>, names: &'a [String]) -> Self {
        let column = |name: &String| StringChunkedBuilder::new(name.as_str().into(), 0);
        Self {
            reader,
            names,
            columns: names.iter().map(column).collect(),
            lines: Vec::new(),
            blank: Vec::new(),
            suspects: Vec::new(),
            longest: None,
            scratch: String::new(),
            shape: reader.shape(names.len()),
        }
    }

    /// The number of the next row, from 1.
    fn next_number(&self) -> usize {
        self.lines.len() + self.blank.len() + 1
    }

    fn add(&mut self, row: &Row, fields: &[Field]) -> Result<()> {
        let text = self.reader.text;
        if let [Field { start, end, form: Form::Bare }] = *fields {
            let content = &text[start..end];
            // In a table with one column, spaces are a text.
            if content.is_empty() || (self.names.len() > 1 && content.trim().is_empty()) {
                self.blank.push(row.line);
                return Ok(());
            }
        }
        for line in std::mem::take(&mut self.blank) {
            self.lines.push(line);
            self.columns.iter_mut().for_each(StringChunkedBuilder::append_null);
        }
        if fields.len() != self.names.len() {
            return Err(self.wrong_count(row, fields.len()));
        }
        for (column, &field) in self.columns.iter_mut().zip(fields) {
            if field.start == field.end && field.form == Form::Bare {
                column.append_null();
            } else {
                column.append_value(value(text, field, &mut self.scratch));
            }
        }
        if row.n_breaks > 0 {
            let row_idx = self.lines.len();
            self.suspects.extend(self.shape.suspect(text.as_bytes(), row_idx, row, fields));
            if self.longest.is_none_or(|(_, longest)| row.n_breaks > longest.n_breaks) {
                self.longest = Some((row_idx, *row));
            }
        }
        self.lines.push(row.line);
        Ok(())
    }

    fn wrong_count(&self, row: &Row, got: usize) -> Error {
        let content = &self.reader.text[row.start..row.end];
        let separator = self.reader.dialect.separator;
        let spaced = format!("{} \"", char::from(separator.byte()));
        let cause = if content.contains("\\\"") {
            QuoteCause::Backslash
        } else if content.contains(&spaced) {
            QuoteCause::SpaceBefore
        } else {
            QuoteCause::Unknown
        };
        let fault = Fault::FieldCount {
            expected: self.names.len(),
            got,
            start: self.reader.excerpt(row.start, row.end),
            separator,
            at_end: !row.is_closed,
            cause,
        };
        self.reader.wrong(Place::row(self.next_number(), Some(row.line)), fault)
    }

    fn finish(self, options: &ReadOptions, notes: &mut ReadNotes) -> Result<Table> {
        let Self { reader, columns, lines, suspects, longest, shape, .. } = self;
        if lines.is_empty() {
            return Err(Error::NoRows { path: reader.path.to_owned() });
        }
        let columns: Vec<Column> =
            columns.into_iter().map(|column| column.finish().into_column()).collect();
        let frame = DataFrame::new(lines.len(), columns)
            .map_err(|error| super::parquet::malformed(reader.path, Format::Csv, &error))?;
        if options.quoting == Quoting::Auto {
            let guilty = swallowed::guilty(reader.text, &frame, &suspects, &shape);
            if let Some(Suspect { row_idx, row, .. }) = guilty {
                let place = Place::row(row_idx + 1, Some(row.line));
                let start = reader.excerpt(row.start, row.end);
                return Err(reader.wrong(place, Fault::Swallowed { n_lines: row.n_breaks, start }));
            }
        }
        if let Some((row_idx, row)) = longest.filter(|(_, row)| row.n_breaks >= LONG_TEXT) {
            let (row, line, n_lines) = (row_idx + 1, row.line, row.n_breaks + 1);
            notes.add(Note::LongQuotation { row, line, n_lines });
        }
        Ok(Table { frame, cells: Cells::Text, left_out: Vec::new(), lines })
    }
}

//! Reads the rows of a text table into columns, a chunk at a time.

use std::sync::Arc;

use polars::prelude::{Column, DataFrame, IntoColumn as _, StringChunkedBuilder};

use super::Delimited;
use super::messages::{failed, wrong_count};
use super::rows::Rows;
use super::scanner::{Field, Form, Marks, value};
use super::swallowed::Shape;
use super::watch::Watch;
use crate::error::{Error, Result};
use crate::tables::chunk::{BadRow, BadRows, Sizes};
use crate::tables::fault::Place;
use crate::tables::format::Format;
use crate::tables::notes::ReadNotes;
use crate::tables::table::{Cells, Table};

/// Reads a text table from its first row on.
pub(crate) struct Reader {
    plan: Arc<Delimited>,
    rows: Rows,
    bad_rows: BadRows,
    fields: Vec<Field>,
    scratch: String,
    /// The data rows read so far.
    n_rows: usize,
    /// Blank lines, which become rows if another row follows.
    blank: Blank,
    /// Blank lines that another row follows.
    due: Blank,
    watch: Option<Watch>,
}

/// Blank lines in a row.
#[derive(Clone, Copy, Default)]
struct Blank {
    /// The first.
    line: usize,
    n_lines: usize,
}

impl Reader {
    /// Begins to read; a `survey` watches for rows that are several.
    ///
    /// # Errors
    /// `Read`, `Unpack`.
    pub(in crate::tables) fn new(
        plan: &Arc<Delimited>,
        bad_rows: BadRows,
        is_survey: bool,
    ) -> Result<Self> {
        let rows = plan.rows()?;
        let Marks { separator, line_end, .. } = rows.marks();
        let shape = Shape { separator, line_end, n_columns: plan.names.len() };
        Ok(Self {
            plan: Arc::clone(plan),
            rows,
            bad_rows,
            fields: Vec::new(),
            scratch: String::new(),
            n_rows: 0,
            blank: Blank::default(),
            due: Blank::default(),
            watch: is_survey.then(|| Watch::new(shape)),
        })
    }

    /// The next rows; `None` at the end.
    ///
    /// # Errors
    /// The `Fault`s of rows, with row and line; `Read`, `Unpack`, `Changed`.
    pub(in crate::tables) fn next_chunk(&mut self, sizes: &Sizes) -> Result<Option<Table>> {
        let mut chunk = Chunk::new(&self.plan.names, self.n_rows);
        while chunk.lines.len() < sizes.rows && chunk.n_bytes < sizes.bytes {
            if self.due.n_lines > 0 {
                chunk.add_nulls(self.due.line);
                self.due = Blank { line: self.due.line + 1, n_lines: self.due.n_lines - 1 };
                self.n_rows += 1;
                if let Some(watch) = &mut self.watch {
                    watch.add_blank();
                }
            } else if !self.add_row(&mut chunk)? {
                break;
            }
        }
        if chunk.lines.is_empty() { Ok(None) } else { chunk.finish(&self.plan).map(Some) }
    }

    /// Adds the next row, unless it is blank or blank lines come before it; false at the end.
    fn add_row(&mut self, chunk: &mut Chunk) -> Result<bool> {
        let path = &self.plan.file.path;
        let number = self.n_rows + self.blank.n_lines + 1;
        let Some(row) = self.rows.next_row(&mut self.fields)? else { return Ok(false) };
        let row = row.map_err(|failure| failed(path, &self.rows, Some(number), failure))?;
        let text = self.rows.text();
        if let [Field { start, end, form: Form::Bare }] = self.fields[..] {
            let content = &text[start..end];
            // In a table with one column, spaces are a text.
            if content.is_empty() || (self.plan.names.len() > 1 && content.trim().is_empty()) {
                let first = if self.blank.n_lines == 0 { row.line } else { self.blank.line };
                self.blank = Blank { line: first, n_lines: self.blank.n_lines + 1 };
                return Ok(true);
            }
        }
        if self.blank.n_lines > 0 {
            self.due = std::mem::take(&mut self.blank);
            self.rows.again(&row);
            return Ok(true);
        }
        let counts = (self.plan.names.len(), self.fields.len());
        if counts.0 != counts.1 {
            let fault = wrong_count(text, &row, counts, self.plan.separator());
            let place = Place::row(number, Some(row.line));
            if self.bad_rows == BadRows::Stop {
                return Err(Error::at(path, place, fault));
            }
            chunk.bad.push(BadRow::of(chunk.lines.len(), place, &fault));
            chunk.add_nulls(row.line);
            self.n_rows += 1;
            return Ok(true);
        }
        for (column, &field) in chunk.columns.iter_mut().zip(&self.fields) {
            if field.start == field.end && field.form == Form::Bare {
                column.append_null();
                chunk.n_bytes += Sizes::CELL;
            } else {
                let value = value(text, field, &mut self.scratch);
                chunk.n_bytes += value.len().max(Sizes::CELL);
                column.append_value(value);
            }
        }
        if let Some(watch) = &mut self.watch {
            if watch.wants_values() {
                let values: Vec<String> = self
                    .fields
                    .iter()
                    .map(|&field| value(text, field, &mut self.scratch).to_owned())
                    .collect();
                let values = values.iter().map(String::as_str);
                watch.add(text, (self.n_rows, &row), &self.fields, values);
            } else if row.n_breaks > 0 {
                watch.add(text, (self.n_rows, &row), &self.fields, std::iter::empty());
            }
        }
        chunk.lines.push(row.line);
        self.n_rows += 1;
        Ok(true)
    }

    /// Ends a survey, after the last chunk.
    ///
    /// # Errors
    /// `NoRows`; `Fault::Swallowed`.
    pub(in crate::tables) fn finish(self, notes: &mut ReadNotes) -> Result<()> {
        let path = &self.plan.file.path;
        if self.n_rows == 0 {
            return Err(Error::NoRows { path: path.to_owned() });
        }
        let Some(watch) = self.watch else { return Ok(()) };
        let note = watch.note();
        if self.plan.is_suspicious
            && let Some(guilty) = watch.guilty(|| self.plan.rows())?
        {
            let place = Place::row(guilty.row_idx + 1, Some(guilty.line));
            return Err(Error::at(path, place, guilty.fault));
        }
        note.into_iter().for_each(|note| notes.add(note));
        Ok(())
    }
}

/// Rows being read.
struct Chunk {
    first_row: usize,
    columns: Vec<StringChunkedBuilder>,
    /// The line of each row.
    lines: Vec<usize>,
    bad: Vec<BadRow>,
    /// The bytes of all cells.
    n_bytes: usize,
}

impl Chunk {
    fn new(names: &[String], first_row: usize) -> Self {
        let column = |name: &String| StringChunkedBuilder::new(name.as_str().into(), 0);
        let columns = names.iter().map(column).collect();
        Self { first_row, columns, lines: Vec::new(), bad: Vec::new(), n_bytes: 0 }
    }

    fn add_nulls(&mut self, line: usize) {
        self.lines.push(line);
        self.n_bytes += Sizes::CELL * self.columns.len();
        self.columns.iter_mut().for_each(StringChunkedBuilder::append_null);
    }

    fn finish(self, plan: &Delimited) -> Result<Table> {
        let Self { first_row, columns, lines, bad, .. } = self;
        let columns: Vec<Column> =
            columns.into_iter().map(|column| column.finish().into_column()).collect();
        let frame = DataFrame::new(lines.len(), columns).map_err(|error| {
            crate::tables::parquet::malformed(&plan.file.path, Format::Csv, &error)
        })?;
        let left_out = Vec::new();
        Ok(Table { frame, cells: Cells::Text, left_out, lines, first_row, bad })
    }
}

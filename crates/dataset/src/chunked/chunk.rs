//! Some rows of a table, with their texts.

use std::collections::HashSet;
use std::path::Path;

use polars::prelude::{Column, DataFrame};

use crate::columns::TEXT;
use crate::error::{Error, Result};
use crate::tables::{
    BadRow, BadRows, Fault, JsonValue, Missing, ReadNotes, Table, TextColumn, Texts,
};

/// Some rows of a table, with their texts.
#[derive(Clone, Debug)]
pub struct TextChunk {
    pub(crate) table: Table,
    pub(crate) first_row: usize,
    texts: Texts,
    /// The rows that have a text, ascending; `None` if every row has one.
    pub(crate) rows: Option<Vec<u32>>,
}

impl TextChunk {
    /// Takes the texts of some rows.
    ///
    /// # Errors
    /// As [`texts_of`].
    pub(crate) fn of(
        path: &Path,
        mut table: Table,
        first_row: usize,
        (column, missing, bad_rows): (&str, Missing, BadRows),
    ) -> Result<Self> {
        let (texts, rows) = texts_of(path, &mut table, column, missing, bad_rows)?;
        Ok(Self { table, first_row, texts, rows })
    }

    /// The rows of the table before these.
    pub fn first_row(&self) -> usize {
        self.first_row
    }

    /// The number of rows, including those without text.
    pub fn n_rows(&self) -> usize {
        self.table.frame.height()
    }

    /// The number of texts.
    pub fn n_texts(&self) -> usize {
        self.texts.len()
    }

    /// The texts, in file order: one answer each.
    pub fn texts(&self) -> impl ExactSizeIterator<Item = &str> + Clone {
        self.texts.iter()
    }

    /// The rows of [`TextChunk::frame`] that have a text, ascending; `None` if every row has one.
    pub fn text_rows(&self) -> Option<&[u32]> {
        self.rows.as_deref()
    }

    /// The columns of the table, except those left out. Cells of CSV and TSV are strings; cells of JSON
    /// are the JSON text of their values.
    pub fn frame(&self) -> &DataFrame {
        &self.table.frame
    }

    /// Names the file in the messages of rows that could not be read.
    pub(super) fn name_file(&mut self, path: &Path) {
        for bad in &mut self.table.bad {
            bad.message.insert_str(0, &format!("{}, ", path.display()));
        }
    }

    /// The rows from `n_rows` on.
    pub(super) fn without(mut self, n_rows: usize) -> Result<Self> {
        let n_left = self.n_rows() - n_rows;
        let Self { table, .. } = &mut self;
        table.frame = table.frame.slice(n_rows as i64, n_left);
        table.frame.rechunk_mut();
        table.lines.drain(..n_rows.min(table.lines.len()));
        table.first_row += n_rows;
        table.bad.retain(|bad| bad.row_idx >= n_rows);
        table.bad.iter_mut().for_each(|bad| bad.row_idx -= n_rows);
        let first = match &self.rows {
            None => n_rows,
            Some(rows) => rows.partition_point(|&row| (row as usize) < n_rows),
        };
        let kept: Vec<u32> = (first as u32..self.texts.len() as u32).collect();
        let rows = self
            .rows
            .take()
            .map(|rows| rows[first..].iter().map(|&row| row - n_rows as u32).collect::<Vec<u32>>());
        let texts = self.texts.select(&kept);
        Ok(Self { first_row: self.first_row + n_rows, texts, rows, ..self })
    }
}

/// The texts of some rows, and the rows that have one if not all do. Rows without text join the bad ones if
/// these are kept and a row without text is an error.
///
/// # Errors
/// `ColumnType`; with [`BadRows::Stop`], `Fault::NotText` and `Fault::MissingValue`.
pub(super) fn texts_of(
    path: &Path,
    table: &mut Table,
    name: &str,
    missing: Missing,
    bad_rows: BadRows,
) -> Result<(Texts, Option<Vec<u32>>)> {
    if bad_rows == BadRows::Stop {
        // They were counted in the survey.
        let notes = &mut ReadNotes::default();
        let TextColumn { texts, rows } = TextColumn::of(path, table, name, missing, notes)?;
        return Ok((texts, rows));
    }
    let column = table.column(path, name)?.clone();
    let unreadable: HashSet<usize> = table.bad.iter().map(|bad| bad.row_idx).collect();
    let mut rows = Vec::new();
    let mut texts = Vec::new();
    for row_idx in (0..table.frame.height()).filter(|row_idx| !unreadable.contains(row_idx)) {
        let fault = match text_of(path, table, &column, row_idx)? {
            Ok(Some(text)) => {
                rows.push(row_idx as u32);
                texts.push(text);
                continue;
            }
            Ok(None) if missing == Missing::Skip => continue,
            Ok(None) if missing == Missing::Empty => {
                rows.push(row_idx as u32);
                texts.push(String::new());
                continue;
            }
            Ok(None) => Fault::MissingValue { column: name.to_owned(), role: TEXT.name },
            Err(fault) => fault,
        };
        table.bad.push(BadRow::of(row_idx, table.place(row_idx), &fault));
    }
    table.bad.sort_by_key(|bad| bad.row_idx);
    let rows = (rows.len() < table.frame.height()).then_some(rows);
    Ok((Texts::from_strings(texts), rows))
}

/// The text of a row, or what is wrong with it.
fn text_of(
    path: &Path,
    table: &Table,
    column: &Column,
    row_idx: usize,
) -> Result<Result<Option<String>, Fault>> {
    let cell = column.slice(row_idx as i64, 1);
    if let Ok(strings) = table.strings(&cell) {
        return Ok(Ok(strings.get(0).map(str::to_owned)));
    }
    let Ok(cell) = cell.str() else {
        let (column, found) = (column.name().to_string(), column.dtype().to_string());
        let (role, expected) = (TEXT.name, "strings");
        return Err(Error::ColumnType { path: path.to_owned(), column, role, found, expected });
    };
    let value = cell.get(0).unwrap_or_default();
    Ok(Err(Fault::NotText {
        column: column.name().to_string(),
        found: JsonValue::of(value).kind(),
        value: value.to_owned(),
    }))
}

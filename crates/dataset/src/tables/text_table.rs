//! A table with a column of texts, kept whole: what `predict` reads and writes back with answers.

use std::path::{Path, PathBuf};

use polars::prelude::{DataFrame, NewChunkedArray, StringChunked};

use super::fault::Fault;
use super::file::DataFile;
use super::notes::{Note, ReadNotes};
use super::options::{Missing, ReadOptions};
use super::table::{JsonValue, NoStrings, Table};
use crate::columns::{ChosenColumn, ColumnChoice, TEXT, check_texts, choose_text};
use crate::error::{Error, Result};

/// A table of texts: no labels needed, other columns kept.
#[derive(Clone, Debug)]
pub struct TextTable {
    path: PathBuf,
    table: Table,
    texts: Texts,
    rows: Option<Vec<u32>>,
    text_column: ChosenColumn,
    notes: ReadNotes,
}

impl TextTable {
    /// Reads a table of texts; of the `choice`, only the text column matters.
    ///
    /// # Errors
    /// An [`Error`] that names the file, and the row, line or column if one is wrong: a missing, empty
    /// or damaged file, a row that does not fit, no column of texts, a row without text.
    pub fn read(file: &DataFile, choice: &ColumnChoice, options: &ReadOptions) -> Result<Self> {
        let mut notes = ReadNotes::default();
        let table = super::read(file, options, &mut notes)?;
        let path = file.name();
        let text_column = choose_text(&path, &table, choice)?;
        let found = TextColumn::of(&path, &table, &text_column.name, options.missing, &mut notes)?;
        check_texts(&path, &table, &text_column, &found.texts, &mut notes)?;
        let TextColumn { texts, rows } = found;
        Ok(Self { path, table, texts, rows, text_column, notes })
    }

    /// The file that was read.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The number of texts: rows, less those left out because they have none.
    pub fn len(&self) -> usize {
        self.texts.len()
    }

    /// Whether there are no texts.
    pub fn is_empty(&self) -> bool {
        self.texts.len() == 0
    }

    /// The number of rows of the file, those without text among them.
    pub fn n_rows(&self) -> usize {
        self.table.frame.height()
    }

    /// The texts, in file order.
    pub fn texts(&self) -> impl ExactSizeIterator<Item = &str> + Clone {
        self.texts.iter()
    }

    /// The rows of [`TextTable::frame`] that the texts stand in, ascending; `None` if each row has one.
    pub fn text_rows(&self) -> Option<&[u32]> {
        self.rows.as_deref()
    }

    /// The column of texts, and how it was chosen.
    pub fn text_column(&self) -> &ChosenColumn {
        &self.text_column
    }

    /// Columns that were not read, because not every output format can hold them: lists, structs,
    /// decimals, times with a zone.
    pub fn left_out_columns(&self) -> &[String] {
        &self.table.left_out
    }

    /// What a user should hear about how the file was read.
    pub fn notes(&self) -> &ReadNotes {
        &self.notes
    }

    /// The table: the columns of the file, less those left out. Cells of text formats are strings, those
    /// of JSON the text of their values.
    pub fn frame(&self) -> &DataFrame {
        &self.table.frame
    }

    pub(crate) fn table(&self) -> &Table {
        &self.table
    }
}

/// The texts of a table and the rows that they stand in.
pub(crate) struct TextColumn {
    pub(crate) texts: Texts,
    /// `None` if each row has one.
    pub(crate) rows: Option<Vec<u32>>,
}

impl TextColumn {
    /// Takes the texts of a table; where nothing is missing, the bytes are shared, not copied.
    ///
    /// # Errors
    /// `ColumnType`; `Fault::NotText` and, as `missing` says, `Fault::MissingValue`.
    pub(crate) fn of(
        path: &Path,
        table: &Table,
        name: &str,
        missing: Missing,
        notes: &mut ReadNotes,
    ) -> Result<Self> {
        let column = table.column(path, name)?;
        let wrong = |row_idx: usize, fault: Fault| Error::at(path, table.place(row_idx), fault);
        let texts = table.strings(column).map_err(|error| match error {
            NoStrings::Type => Error::ColumnType {
                path: path.to_owned(),
                column: name.to_owned(),
                role: TEXT.name,
                found: column.dtype().to_string(),
                expected: "strings",
            },
            NoStrings::Value { row_idx } => {
                let value =
                    column.str().ok().and_then(|values| values.get(row_idx)).unwrap_or_default();
                let fault = Fault::NotText {
                    column: name.to_owned(),
                    found: JsonValue::of(value).kind(),
                    value: value.to_owned(),
                };
                wrong(row_idx, fault)
            }
        })?;
        let n_missing = texts.null_count();
        if n_missing == 0 {
            return Ok(Self { texts: Texts(texts), rows: None });
        }
        match missing {
            Missing::Error => {
                let row_idx = texts.iter().position(|text| text.is_none()).unwrap_or_default();
                let fault = Fault::MissingValue { column: name.to_owned(), role: TEXT.name };
                Err(wrong(row_idx, fault))
            }
            Missing::Empty => {
                notes.add(Note::Empty { n_rows: n_missing });
                let texts = texts.iter().map(Option::unwrap_or_default);
                Ok(Self { texts: Texts::from_strings(texts), rows: None })
            }
            Missing::Skip => {
                notes.add(Note::Skipped { n_rows: n_missing });
                // Never more than u32::MAX rows: polars' own row index has 32 bits.
                let rows = (0u32..).zip(texts.iter()).filter(|(_, text)| text.is_some());
                let rows = rows.map(|(row, _)| row).collect();
                let texts = Texts::from_strings(texts.iter().flatten());
                Ok(Self { texts, rows: Some(rows) })
            }
        }
    }
}

/// A column of strings without nulls, in one chunk, shared with the frame it came from.
#[derive(Clone, Debug)]
pub(crate) struct Texts(StringChunked);

impl Texts {
    pub(crate) fn from_strings<S: AsRef<str>>(texts: impl IntoIterator<Item = S>) -> Self {
        Self(StringChunked::from_iter_values("text".into(), texts.into_iter()))
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// One text. Panics past the end, as a slice does.
    pub(crate) fn get(&self, row: usize) -> &str {
        // Nulls were dealt with when the column was taken.
        self.0.get(row).unwrap_or_default()
    }

    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = &str> + Clone {
        (0..self.len()).map(|row| self.get(row))
    }
}

//! A table with a text column, kept whole: `predict` reads it and writes it back with predictions.

use std::path::{Path, PathBuf};

use polars::prelude::DataFrame;

use super::fault::Fault;
use super::file::DataFile;
use super::notes::{Note, ReadNotes};
use super::options::{Missing, ReadOptions};
use super::table::{JsonValue, NoStrings, Table};
use super::texts::Texts;
use crate::columns::{ChosenColumn, ColumnChoice, TEXT, check_texts, choose_text};
use crate::error::{Error, Result};

/// A table with a text column; it needs no labels, and keeps its other columns.
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
    /// Reads a table of texts; only the text column of `choice` matters.
    ///
    /// # Errors
    /// An [`Error`] that names the file, and the row, line or column at fault: a missing, empty or
    /// damaged file, a row with the wrong number of fields, no text column, or a row without text.
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

    /// The number of texts: all rows except those left out because they have no text.
    pub fn len(&self) -> usize {
        self.texts.len()
    }

    /// Whether there are no texts.
    pub fn is_empty(&self) -> bool {
        self.texts.len() == 0
    }

    /// The number of rows of the file, including those without text.
    pub fn n_rows(&self) -> usize {
        self.table.frame.height()
    }

    /// The texts, in file order.
    pub fn texts(&self) -> impl ExactSizeIterator<Item = &str> + Clone {
        self.texts.iter()
    }

    /// The rows of [`TextTable::frame`] that have a text, ascending; `None` if every row has one.
    pub fn text_rows(&self) -> Option<&[u32]> {
        self.rows.as_deref()
    }

    /// The text column, and how it was chosen.
    pub fn text_column(&self) -> &ChosenColumn {
        &self.text_column
    }

    /// Columns that were left out because not every output format can hold them: lists, structs,
    /// decimals, times with a zone.
    pub fn left_out_columns(&self) -> &[String] {
        &self.table.left_out
    }

    /// What the user should know about how the file was read.
    pub fn notes(&self) -> &ReadNotes {
        &self.notes
    }

    /// The columns of the file, except those left out. Cells of CSV and TSV are strings; cells of JSON
    /// are the JSON text of their values.
    pub fn frame(&self) -> &DataFrame {
        &self.table.frame
    }

    pub(crate) fn table(&self) -> &Table {
        &self.table
    }
}

/// The texts of a table and the rows they are in.
pub(crate) struct TextColumn {
    pub(crate) texts: Texts,
    /// `None` if every row has one.
    pub(crate) rows: Option<Vec<u32>>,
}

impl TextColumn {
    /// Takes the texts of a table; if none is missing, the bytes are shared, not copied.
    ///
    /// # Errors
    /// `ColumnType`; `Fault::NotText`; `Fault::MissingValue` with [`Missing::Error`].
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

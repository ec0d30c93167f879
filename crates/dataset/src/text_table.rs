//! A table with a column of texts, kept whole: what `predict` reads and writes back with answers.

use std::path::{Path, PathBuf};

use polars::prelude::{DataFrame, NewChunkedArray, StringChunked};

use crate::columns::{ChosenColumn, TEXT, choose};
use crate::error::{Error, Result};
use crate::source::{Source, as_strings};

/// A table of texts: no labels needed, other columns kept.
#[derive(Clone, Debug)]
pub struct TextTable {
    path: PathBuf,
    frame: DataFrame,
    texts: Texts,
    text_column: ChosenColumn,
    left_out: Vec<String>,
}

impl TextTable {
    /// Reads a table of texts.
    ///
    /// The format is told by the extension. `text_column` names the column of texts; `None` guesses
    /// it ([`TextTable::text_column`] says what was taken). Cells of CSV and TSV files stay strings.
    ///
    /// # Errors
    /// An [`Error`] that names the file, and the row or column if one is wrong: a missing, empty or
    /// damaged file, no column of texts, a row without text.
    pub fn read(path: impl AsRef<Path>, text_column: Option<&str>) -> Result<Self> {
        let path = path.as_ref();
        let source = Source::open(path)?;
        let text_column = choose(path, &source.columns, &TEXT, text_column, None)?;
        let columns = source.columns.clone();
        let left_out = source.left_out.clone();
        let frame = source.read(&columns)?;
        let texts = Texts::from_column(path, &frame, &text_column.name)?;
        Ok(Self { path: path.to_owned(), frame, texts, text_column, left_out })
    }

    /// The file that was read.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.texts.len()
    }

    /// Whether there are no rows; never after [`TextTable::read`], which refuses such files.
    pub fn is_empty(&self) -> bool {
        self.texts.len() == 0
    }

    /// The texts, in file order.
    pub fn texts(&self) -> impl ExactSizeIterator<Item = &str> + Clone {
        self.texts.iter()
    }

    /// The column of texts, and whether it was guessed.
    pub fn text_column(&self) -> &ChosenColumn {
        &self.text_column
    }

    /// Columns that were not read, because not every output format can hold them: lists, structs,
    /// decimals, times with a zone.
    pub fn left_out_columns(&self) -> &[String] {
        &self.left_out
    }

    /// The table: the columns of the file, less those left out.
    pub fn frame(&self) -> &DataFrame {
        &self.frame
    }
}

/// A column of strings without nulls, in one chunk, shared with the frame it came from.
#[derive(Clone, Debug)]
pub(crate) struct Texts(StringChunked);

impl Texts {
    /// Takes the texts of a frame; the bytes are shared, not copied.
    pub(crate) fn from_column(path: &Path, frame: &DataFrame, name: &str) -> Result<Self> {
        let column = frame.column(name).map_err(|_| Error::UnknownColumn {
            path: path.to_owned(),
            wanted: name.to_owned(),
            columns: Vec::new(),
            nearest: None,
        })?;
        let texts = as_strings(column).ok_or_else(|| Error::ColumnType {
            path: path.to_owned(),
            column: name.to_owned(),
            role: TEXT.name,
            found: column.dtype().to_string(),
            expected: "strings",
        })?;
        let first_missing = texts.iter().position(|text| text.is_none());
        match first_missing {
            Some(idx) => Err(Error::MissingValue {
                path: path.to_owned(),
                row: idx + 1,
                column: name.to_owned(),
            }),
            None => Ok(Self(texts)),
        }
    }

    pub(crate) fn from_strings<S: AsRef<str>>(texts: impl IntoIterator<Item = S>) -> Self {
        Self(StringChunked::from_iter_values("text".into(), texts.into_iter()))
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// One text. Panics past the end, as a slice does.
    pub(crate) fn get(&self, row: usize) -> &str {
        // Nulls were refused when the column was taken.
        self.0.get(row).unwrap_or_default()
    }

    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = &str> + Clone {
        (0..self.len()).map(|row| self.get(row))
    }
}

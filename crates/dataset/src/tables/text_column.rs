//! The text column of a table: which rows have a text.

use std::path::Path;

use super::fault::Fault;
use super::notes::{Note, ReadNotes};
use super::options::Missing;
use super::table::{JsonValue, NoStrings, Table};
use super::texts::Texts;
use crate::columns::TEXT;
use crate::error::{Error, Result};

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

//! A table in memory, independent of the file format.

use std::borrow::Cow;
use std::path::Path;

use polars::prelude::{Column, DataFrame, DataType, StringChunked, StringChunkedBuilder};

use super::chunk::BadRow;
use super::fault::Place;
use crate::error::{Error, Result};

/// A table in memory, with rows in file order, independent of the file format.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    /// The columns, each in one chunk.
    pub(crate) frame: DataFrame,
    /// How the cells are represented.
    pub(crate) cells: Cells,
    /// Columns of the file that are not in the frame.
    pub(crate) left_out: Vec<String>,
    /// The line of the file on which each row begins, from 1; empty for files without lines.
    pub(crate) lines: Vec<usize>,
    /// The rows of the file before these.
    pub(crate) first_row: usize,
    /// Rows that could not be read, ascending; their cells are empty.
    pub(crate) bad: Vec<BadRow>,
}

/// How the cells of a table's frame are represented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cells {
    /// CSV, TSV: every column holds strings. An empty cell is null; a quoted `""` is an empty string.
    Text,
    /// JSON lines: every column holds strings with the JSON text of each value, unchanged
    /// (`"a\u0301"`, `1.50`, `[1, 2]`, `null`); null where the object lacks the key.
    Json,
    /// Parquet: polars' own types.
    Typed,
}

impl Table {
    /// The names of the columns, in file order.
    pub(crate) fn names(&self) -> Vec<String> {
        self.frame.get_column_names().into_iter().map(ToString::to_string).collect()
    }

    /// A column by its name in the file.
    ///
    /// # Errors
    /// `ColumnLeftOut`, `UnknownColumn`.
    pub(crate) fn column(&self, path: &Path, name: &str) -> Result<&Column> {
        self.frame.column(name).map_err(|_| {
            match self.left_out.iter().any(|column| column == name) {
                true => Error::ColumnLeftOut { path: path.to_owned(), column: name.to_owned() },
                false => Error::UnknownColumn {
                    path: path.to_owned(),
                    wanted: name.to_owned(),
                    columns: self.names(),
                    nearest: None,
                },
            }
        })
    }

    /// Where a row is in the file.
    pub(crate) fn place(&self, row_idx: usize) -> Place {
        Place::row(self.first_row + row_idx + 1, self.lines.get(row_idx).copied())
    }

    /// A column as strings without quotation marks and escapes.
    ///
    /// In JSON, only strings, numbers and null are allowed.
    ///
    /// # Errors
    /// The type if it does not fit, or the row of the first JSON value that does not.
    pub(crate) fn strings(&self, column: &Column) -> Result<StringChunked, NoStrings> {
        match self.cells {
            Cells::Text | Cells::Typed => as_strings(column).ok_or(NoStrings::Type),
            Cells::Json => {
                let values = column.str().map_err(|_| NoStrings::Type)?;
                let mut strings = StringChunkedBuilder::new(column.name().clone(), values.len());
                for (row_idx, json) in values.iter().enumerate() {
                    match json.map_or(JsonValue::Null, JsonValue::of) {
                        JsonValue::Null => strings.append_null(),
                        JsonValue::String(value) => strings.append_value(value),
                        JsonValue::Number(digits) => strings.append_value(digits),
                        JsonValue::Bool | JsonValue::List | JsonValue::Object => {
                            return Err(NoStrings::Value { row_idx });
                        }
                    }
                }
                Ok(strings.finish())
            }
        }
    }
}

/// Why a column cannot be read as strings.
#[derive(Clone, Copy, Debug)]
pub(crate) enum NoStrings {
    /// It has another type.
    Type,
    /// A JSON value is not a string, a number or null.
    Value { row_idx: usize },
}

/// A JSON value, classified by its text, which is known to be well formed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum JsonValue<'a> {
    Null,
    Bool,
    Number(&'a str),
    String(Cow<'a, str>),
    List,
    Object,
}

impl<'a> JsonValue<'a> {
    pub(crate) fn of(json: &'a str) -> Self {
        match json.as_bytes().first() {
            Some(b'"') => Self::String(unescaped(json)),
            Some(b'{') => Self::Object,
            Some(b'[') => Self::List,
            Some(b't' | b'f') => Self::Bool,
            Some(b'n') | None => Self::Null,
            Some(_) => Self::Number(json),
        }
    }

    /// The kind of value, with its article.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool => "true or false",
            Self::Number(_) => "a number",
            Self::String(_) => "a string",
            Self::List => "a list",
            Self::Object => "an object",
        }
    }
}

/// The content of a JSON string; escapes were checked when it was read.
fn unescaped(json: &str) -> Cow<'_, str> {
    let inner = json.get(1..json.len().saturating_sub(1)).unwrap_or_default();
    if memchr::memchr(b'\\', inner.as_bytes()).is_none() {
        return Cow::Borrowed(inner);
    }
    Cow::Owned(serde_json::from_str(json).unwrap_or_else(|_| inner.to_owned()))
}

/// A column as strings, or `None` if it holds something else.
///
/// Categories and enumerations become strings; a column of nulls becomes a column of null strings.
fn as_strings(column: &Column) -> Option<StringChunked> {
    let dtype = column.dtype();
    let fits =
        dtype.is_string() || dtype.is_categorical() || dtype.is_enum() || *dtype == DataType::Null;
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
    fn json_values_are_told_by_their_text() {
        let cases = [
            ("null", JsonValue::Null),
            ("true", JsonValue::Bool),
            ("-1.50e3", JsonValue::Number("-1.50e3")),
            ("\"a\"", JsonValue::String("a".into())),
            ("\"\"", JsonValue::String("".into())),
            ("\"a\\\"\\u00e9\\ud83d\\ude00\"", JsonValue::String("a\"é😀".into())),
            ("[1, 2]", JsonValue::List),
            ("{}", JsonValue::Object),
        ];
        for (json, expected) in cases {
            assert_eq!(JsonValue::of(json), expected, "{json}");
        }
    }
}

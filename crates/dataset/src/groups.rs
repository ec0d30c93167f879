//! Groups: rows that belong together because a column has the same value.

use std::collections::HashMap;
use std::path::Path;

use polars::prelude::DataType;

use crate::columns::GROUP;
use crate::error::{Error, Result};
use crate::tables::{Cells, Fault, JsonValue, Table};

/// The groups of the given rows of a table, numbered from 0 in order of appearance; of all rows if
/// `rows` is `None`. Values are equal if they print the same.
///
/// # Errors
/// `ColumnType`; `Fault::MissingValue` for a row without a group, as it could belong to any.
pub(crate) fn of_rows(
    path: &Path,
    table: &Table,
    name: &str,
    rows: Option<&[u32]>,
) -> Result<Vec<u32>> {
    let column = table.column(path, name)?;
    let wrong_type = || Error::ColumnType {
        path: path.to_owned(),
        column: name.to_owned(),
        role: GROUP.name,
        found: column.dtype().to_string(),
        expected: "strings, numbers, booleans or dates",
    };
    let values = column.cast(&DataType::String).map_err(|_| wrong_type())?;
    let values = values.str().map_err(|_| wrong_type())?;
    let mut numbers: HashMap<String, u32> = HashMap::new();
    let mut number_of = |row_idx: usize| {
        let value = values.get(row_idx)?;
        let value = match (table.cells, JsonValue::of(value)) {
            (Cells::Json, JsonValue::Null) => return None,
            (Cells::Json, JsonValue::String(word)) => word,
            _ => value.into(),
        };
        if let Some(&number) = numbers.get(&*value) {
            return Some(number);
        }
        // Never more than u32::MAX rows: polars' own row index has 32 bits.
        let number = numbers.len() as u32;
        numbers.insert(value.into_owned(), number);
        Some(number)
    };
    let mut group_of = |row_idx: usize| {
        number_of(row_idx).ok_or_else(|| {
            Error::at(
                path,
                table.place(row_idx),
                Fault::MissingValue { column: name.to_owned(), role: GROUP.name },
            )
        })
    };
    match rows {
        Some(rows) => rows.iter().map(|&row| group_of(row as usize)).collect(),
        None => (0..values.len()).map(group_of).collect(),
    }
}

/// Numbers groups by name, from 0 in order of appearance.
pub(crate) fn numbered<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> Vec<u32> {
    let mut numbers: HashMap<String, u32> = HashMap::new();
    let number_of = |name: S| match numbers.get(name.as_ref()) {
        Some(&number) => number,
        None => {
            // A table has at most u32::MAX rows, which is checked.
            let number = numbers.len() as u32;
            numbers.insert(name.as_ref().to_owned(), number);
            number
        }
    };
    names.into_iter().map(number_of).collect()
}

#[cfg(test)]
mod tests {
    use polars::prelude::{Column, DataFrame};

    use super::*;

    fn groups(column: Column, cells: Cells, rows: Option<&[u32]>) -> Result<Vec<u32>> {
        let frame = DataFrame::new(column.len(), vec![column]).unwrap();
        let table = Table {
            frame,
            cells,
            left_out: Vec::new(),
            lines: Vec::new(),
            first_row: 0,
            bad: Vec::new(),
        };
        of_rows(Path::new("x"), &table, "by", rows)
    }

    #[test]
    fn groups_are_numbered_as_they_appear() {
        let column = || Column::new("by".into(), ["b", "a", "b", "", "a"]);
        assert_eq!(groups(column(), Cells::Text, None).unwrap(), [0, 1, 0, 2, 1]);
        assert_eq!(groups(column(), Cells::Text, Some(&[1, 4, 3])).unwrap(), [0, 0, 1]);
        let numbers = Column::new("by".into(), [7i64, 7, 8]);
        assert_eq!(groups(numbers, Cells::Typed, None).unwrap(), [0, 0, 1]);
        let json = Column::new("by".into(), ["\"a\"", "\"\\u0061\"", "1", "true"]);
        assert_eq!(groups(json, Cells::Json, None).unwrap(), [0, 0, 1, 2]);
    }

    #[test]
    fn a_row_without_group_is_named() {
        let column = Column::new("by".into(), [Some("a"), None]);
        let message = groups(column, Cells::Text, None).unwrap_err().to_string();
        assert_eq!(message, "x, row 2: column \"by\" has no value");
        let json = Column::new("by".into(), ["\"a\"", "null"]);
        assert!(groups(json, Cells::Json, None).is_err());
    }
}

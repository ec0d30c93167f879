//! Groups: rows that belong together because a column has the same value.

use std::collections::HashMap;
use std::path::Path;

use polars::prelude::DataType;

use crate::columns::GROUP;
use crate::error::{Error, Result};
use crate::tables::{Cells, Fault, JsonValue, Table};

/// Which group each row is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Groups {
    /// The number of each row's group, `[n_rows]`.
    pub(crate) of_rows: Vec<u32>,
    /// The name of each group by its number, by which groups of several tables are compared; `None` if they only have
    /// numbers.
    pub(crate) names: Option<Vec<String>>,
}

/// Names that get numbers, from 0 in order of appearance.
#[derive(Default)]
struct Numbers {
    by_name: HashMap<String, u32>,
    names: Vec<String>,
}

impl Numbers {
    fn of(&mut self, name: &str) -> u32 {
        if let Some(&number) = self.by_name.get(name) {
            return number;
        }
        // Never more than u32::MAX rows: polars' own row index has 32 bits, and that of texts in memory is checked.
        let number = self.names.len() as u32;
        self.by_name.insert(name.to_owned(), number);
        self.names.push(name.to_owned());
        number
    }
}

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
) -> Result<Groups> {
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
    let mut numbers = Numbers::default();
    let mut number_of = |row_idx: usize| {
        let value = values.get(row_idx)?;
        let value = match (table.cells, JsonValue::of(value)) {
            (Cells::Json, JsonValue::Null) => return None,
            (Cells::Json, JsonValue::String(word)) => word,
            _ => value.into(),
        };
        Some(numbers.of(&value))
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
    let of_rows: Result<Vec<u32>> = match rows {
        Some(rows) => rows.iter().map(|&row| group_of(row as usize)).collect(),
        None => (0..values.len()).map(group_of).collect(),
    };
    Ok(Groups { of_rows: of_rows?, names: Some(numbers.names) })
}

/// Numbers groups by name, from 0 in order of appearance.
pub(crate) fn numbered<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> Groups {
    let mut numbers = Numbers::default();
    let of_rows = names.into_iter().map(|name| numbers.of(name.as_ref())).collect();
    Groups { of_rows, names: Some(numbers.names) }
}

#[cfg(test)]
mod tests {
    use polars::prelude::{Column, DataFrame};

    use super::*;

    fn groups(
        column: Column,
        cells: Cells,
        rows: Option<&[u32]>,
    ) -> Result<(Vec<u32>, Vec<String>)> {
        let frame = DataFrame::new(column.len(), vec![column]).unwrap();
        let table = Table {
            frame,
            cells,
            left_out: Vec::new(),
            lines: Vec::new(),
            first_row: 0,
            bad: Vec::new(),
        };
        let groups = of_rows(Path::new("x"), &table, "by", rows)?;
        let names = groups.names.unwrap();
        assert!(groups.of_rows.iter().all(|&number| (number as usize) < names.len()));
        Ok((groups.of_rows, names))
    }

    #[test]
    fn groups_are_numbered_as_they_appear() {
        let column = || Column::new("by".into(), ["b", "a", "b", "", "a"]);
        let found = |column, cells, rows| groups(column, cells, rows).unwrap();
        let named =
            |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(
            found(column(), Cells::Text, None),
            (vec![0, 1, 0, 2, 1], named(&["b", "a", ""]))
        );
        assert_eq!(
            found(column(), Cells::Text, Some(&[1, 4, 3])),
            (vec![0, 0, 1], named(&["a", ""]))
        );
        let numbers = Column::new("by".into(), [7i64, 7, 8]);
        assert_eq!(found(numbers, Cells::Typed, None), (vec![0, 0, 1], named(&["7", "8"])));
        let json = Column::new("by".into(), ["\"a\"", "\"\\u0061\"", "1", "true"]);
        assert_eq!(found(json, Cells::Json, None), (vec![0, 0, 1, 2], named(&["a", "1", "true"])));
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

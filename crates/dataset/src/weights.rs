//! Weights of rows: how much each counts in training.

use std::path::Path;

use polars::prelude::DataType;

use crate::classes::number;
use crate::columns::WEIGHT;
use crate::error::{Error, Result};
use crate::tables::{Cells, Fault, JsonValue, Table};
use crate::wording::shortened;

/// The weights of the given rows of a table: finite numbers of at least 0; of all rows if `rows` is
/// `None`.
///
/// # Errors
/// `ColumnType`; `Fault::MissingValue` and `Fault::BadWeight` name the first bad row; `NoWeight` if all
/// are 0.
pub(crate) fn of_rows(
    path: &Path,
    table: &Table,
    name: &str,
    rows: Option<&[u32]>,
) -> Result<Vec<f32>> {
    let column = table.column(path, name)?;
    let dtype = column.dtype();
    let is_fine = dtype.is_primitive_numeric()
        || dtype.is_string()
        || dtype.is_categorical()
        || dtype.is_enum()
        || *dtype == DataType::Null;
    let wrong_type = || Error::ColumnType {
        path: path.to_owned(),
        column: name.to_owned(),
        role: WEIGHT.name,
        found: dtype.to_string(),
        expected: "numbers",
    };
    if !is_fine {
        return Err(wrong_type());
    }
    let values = column.cast(&DataType::String).map_err(|_| wrong_type())?;
    let values = values.str().map_err(|_| wrong_type())?;
    let weight_of = |row_idx: usize| {
        let wrong = |fault| Error::at(path, table.place(row_idx), fault);
        let missing = || wrong(Fault::MissingValue { column: name.to_owned(), role: WEIGHT.name });
        let value = values.get(row_idx).ok_or_else(missing)?;
        let value = match (table.cells, JsonValue::of(value)) {
            (Cells::Json, JsonValue::Null) => return Err(missing()),
            (Cells::Json, JsonValue::String(word)) => word,
            _ => value.into(),
        };
        let found = number(value.trim()).map(|weight| weight as f32);
        found
            .filter(|weight| weight.is_finite() && *weight >= 0.0)
            .ok_or_else(|| wrong(Fault::BadWeight { value: shortened(value.trim()) }))
    };
    let weights: Vec<f32> = match rows {
        Some(rows) => rows.iter().map(|&row| weight_of(row as usize)).collect::<Result<_>>()?,
        None => (0..values.len()).map(weight_of).collect::<Result<_>>()?,
    };
    check(&weights, weights.len())?;
    Ok(weights)
}

/// Checks the weights of `n_rows` rows.
///
/// # Errors
/// `LengthMismatch`; `BadWeight` if one is negative or not finite; `NoWeight` if all are 0.
pub(crate) fn check(weights: &[f32], n_rows: usize) -> Result<()> {
    if weights.len() != n_rows {
        let got = weights.len();
        return Err(Error::LengthMismatch { what: "weights", expected: n_rows, got });
    }
    let is_fine = |weight: &f32| weight.is_finite() && *weight >= 0.0;
    if let Some(idx) = weights.iter().position(|weight| !is_fine(weight)) {
        return Err(Error::BadWeight { row: idx + 1, value: weights[idx] });
    }
    if !weights.is_empty() && weights.iter().all(|&weight| weight == 0.0) {
        return Err(Error::NoWeight { n_rows });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use polars::prelude::{Column, DataFrame};

    use super::*;

    fn weights(column: Column, cells: Cells, rows: Option<&[u32]>) -> Result<Vec<f32>> {
        let frame = DataFrame::new(column.len(), vec![column]).unwrap();
        let table = Table {
            frame,
            cells,
            left_out: Vec::new(),
            lines: Vec::new(),
            first_row: 0,
            bad: Vec::new(),
        };
        of_rows(Path::new("x"), &table, "w", rows)
    }

    #[test]
    fn numbers_of_every_type_are_weights() {
        let text = || Column::new("w".into(), ["1", " 0.5 ", "2e-1", "0"]);
        assert_eq!(weights(text(), Cells::Text, None).unwrap(), [1.0, 0.5, 0.2, 0.0]);
        assert_eq!(weights(text(), Cells::Text, Some(&[2, 0])).unwrap(), [0.2, 1.0]);
        let typed = Column::new("w".into(), [0.25f32, 3.0]);
        assert_eq!(weights(typed, Cells::Typed, None).unwrap(), [0.25, 3.0]);
        let typed = Column::new("w".into(), [7i64, 0]);
        assert_eq!(weights(typed, Cells::Typed, None).unwrap(), [7.0, 0.0]);
        let json = Column::new("w".into(), ["1.50", "\"2\""]);
        assert_eq!(weights(json, Cells::Json, None).unwrap(), [1.5, 2.0]);
    }

    #[test]
    fn what_is_no_weight_is_named_with_its_row() {
        let message = |column, cells| weights(column, cells, None).unwrap_err().to_string();
        for value in ["-1", "nan", "inf", "1e99", "heavy", ""] {
            assert_eq!(
                message(Column::new("w".into(), ["1", value]), Cells::Text),
                format!("x, row 2: weight \"{value}\" is not a number of at least 0")
            );
        }
        let nan = Column::new("w".into(), [f64::NAN]);
        assert!(message(nan, Cells::Typed).starts_with("x, row 1: weight \"NaN\""));
        let missing = Column::new("w".into(), [Some("1"), None]);
        assert_eq!(message(missing, Cells::Text), "x, row 2: column \"w\" has no value");
        let json = Column::new("w".into(), ["1", "null"]);
        assert_eq!(message(json, Cells::Json), "x, row 2: column \"w\" has no value");
        let flags = Column::new("w".into(), [true]);
        assert_eq!(
            message(flags, Cells::Typed),
            "x: column \"w\" has type bool; a weight column must hold numbers"
        );
        let zeros = Column::new("w".into(), ["0", "0"]);
        assert_eq!(
            message(zeros, Cells::Text),
            "all 2 rows have weight 0; at least one must be above 0"
        );
    }
}

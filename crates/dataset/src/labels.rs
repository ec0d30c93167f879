//! Labels: which cells mean negative (0) and which positive (1).

use std::collections::HashMap;
use std::path::Path;

use polars::prelude::{Column, DataType};

use crate::error::{Error, Result};
use crate::label_words::Written;
use crate::nearest::nearest;
use crate::tables::{Cells, Fault, JsonValue, Table};
use crate::wording::shortened;

/// The names of the classes, by label.
pub const CLASS_NAMES: [&str; 2] = ["negative", "positive"];

/// Words that may be suggested; of synonyms, the preferred one comes first.
const WORDS: [&str; 6] = ["negative", "positive", "neg", "pos", "false", "true"];

impl Written {
    fn json(json: &str) -> Self {
        match JsonValue::of(json) {
            JsonValue::Null => Self::Missing,
            JsonValue::Bool => Self::Label(u8::from(json == "true")),
            JsonValue::Number(digits) => Self::number(digits),
            JsonValue::String(word) => Self::word(&word),
            JsonValue::List | JsonValue::Object => Self::Unknown,
        }
    }
}

/// The labels of the given rows of a table, each 0 or 1; of all rows if `rows` is `None`.
///
/// 1 and -1 are labels if the column has no 0; with a 0, -1 would be a third class.
///
/// # Errors
/// `Fault::MissingValue` and `Fault::UnknownLabel` name the first bad row, the latter with all values of
/// the column; `ColumnType` if the column holds dates or other types.
pub(crate) fn of_rows(
    path: &Path,
    table: &Table,
    name: &str,
    rows: Option<&[u32]>,
) -> Result<Vec<u8>> {
    let column = table.column(path, name)?;
    let mut written = written(column, table.cells).ok_or_else(|| Error::ColumnType {
        path: path.to_owned(),
        column: name.to_owned(),
        role: "label",
        found: column.dtype().to_string(),
        expected: "numbers, booleans or words",
    })?;
    if let Some(rows) = rows {
        written = rows.iter().map(|&row| written[row as usize]).collect();
    }
    let has_zero = written.contains(&Written::Label(0));
    let label = |written: &Written| match written {
        Written::Label(label) => Ok(*label),
        Written::MinusOne if !has_zero => Ok(0),
        other => Err(*other),
    };
    let labels: Result<Vec<u8>, Written> = written.iter().map(label).collect();
    labels.map_err(|wrong| {
        let idx = written.iter().position(|one| label(one).is_err()).unwrap_or_default();
        let row_of = |idx: usize| rows.map_or(idx, |rows| rows[idx] as usize);
        let fault = if wrong == Written::Missing {
            Fault::MissingValue { column: name.to_owned(), role: "label" }
        } else {
            let kept = (0..written.len()).map(row_of);
            unknown(column, table.cells, row_of(idx), kept)
        };
        Error::at(path, table.place(row_of(idx)), fault)
    })
}

/// The value of each cell; `None` if values of this type are never labels.
fn written(column: &Column, cells: Cells) -> Option<Vec<Written>> {
    let dtype = column.dtype();
    if *dtype == DataType::Null {
        return Some(vec![Written::Missing; column.len()]);
    }
    if dtype.is_bool() {
        let label = |flag: Option<bool>| match flag {
            Some(flag) => Written::Label(u8::from(flag)),
            None => Written::Missing,
        };
        return Some(column.bool().ok()?.iter().map(label).collect());
    }
    if dtype.is_primitive_numeric() {
        // f64 holds 0 and 1 exactly, and nothing else rounds to them from an integer.
        let numbers = column.cast(&DataType::Float64).ok()?;
        return Some(numbers.f64().ok()?.iter().map(Written::float).collect());
    }
    if dtype.is_string() || dtype.is_categorical() || dtype.is_enum() {
        let words = column.cast(&DataType::String).ok()?;
        let of = if cells == Cells::Json { Written::json } else { Written::word };
        let label = |word: Option<&str>| word.map_or(Written::Missing, of);
        return Some(words.str().ok()?.iter().map(label).collect());
    }
    None
}

/// The fault for an unknown label, with all values of the column.
fn unknown(
    column: &Column,
    cells: Cells,
    row_idx: usize,
    rows: impl Iterator<Item = usize>,
) -> Fault {
    let value_of = |row_idx: usize| -> Option<String> {
        let value = column.get(row_idx).ok()?;
        let value = value.get_str().map_or_else(|| value.to_string(), str::to_owned);
        let value = match (cells, JsonValue::of(&value)) {
            (Cells::Json, JsonValue::String(word)) => word.trim().to_owned(),
            _ => value.trim().to_owned(),
        };
        Some(shortened(&value))
    };
    let mut counts: HashMap<String, usize> = HashMap::new();
    for value in rows.filter_map(value_of) {
        *counts.entry(value).or_default() += 1;
    }
    let mut values: Vec<(String, usize)> = counts.into_iter().collect();
    values.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let value = value_of(row_idx).unwrap_or_default();
    // In a CSV file, numbers are words too, and "expected negative or positive" would not help.
    let is_number = value.parse::<f64>().is_ok();
    Fault::UnknownLabel {
        expected: if is_number { "0 or 1" } else { "negative or positive" },
        nearest: nearest(&value, WORDS).map(str::to_owned),
        value,
        values,
    }
}

/// Fails if a label given in memory is neither 0 nor 1.
pub(crate) fn check(labels: &[u8]) -> Result<()> {
    match labels.iter().position(|&label| label > 1) {
        Some(idx) => Err(Error::LabelNotBinary { row: idx + 1, value: labels[idx] }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use polars::prelude::*;

    use super::*;
    use crate::label_words::parse_label;

    fn table(column: Column, cells: Cells) -> Table {
        let n_rows = column.len();
        let frame = DataFrame::new(n_rows, vec![column]).unwrap();
        Table { frame, cells, left_out: Vec::new(), lines: Vec::new() }
    }

    fn parsed(column: Column) -> Result<Vec<u8>> {
        of_rows(Path::new("reviews.csv"), &table(column, Cells::Typed), "label", None)
    }

    fn message(column: Column) -> String {
        parsed(column).unwrap_err().to_string()
    }

    fn advice(words: &[&str]) -> String {
        parsed(Column::new("label".into(), words)).unwrap_err().advice().unwrap()
    }

    #[test]
    fn every_way_to_write_a_label() {
        for (word, label) in [
            ("0", 0),
            (" 1 ", 1),
            ("neg", 0),
            ("POS", 1),
            ("Negative", 0),
            ("positive ", 1),
            ("FALSE", 0),
            ("true", 1),
            ("f", 0),
            ("T", 1),
            ("No", 0),
            ("yes", 1),
            ("N", 0),
            ("y", 1),
            ("0.0", 0),
            ("1.0", 1),
            ("1.", 1),
            ("1.00", 1),
            ("01", 1),
            ("000", 0),
            ("+1", 1),
            ("-0.0", 0),
            ("1.000000e+00", 1),
            ("0E0", 0),
            ("1e-0", 1),
        ] {
            assert_eq!(parse_label(word), Some(label), "{word:?}");
            assert_eq!(parsed(Column::new("label".into(), [word])).unwrap(), [label], "{word:?}");
        }
        for word in [
            "",
            " ",
            ".",
            "-",
            "e",
            "e0",
            "1e",
            ".0",
            ".1",
            "1e1",
            "10",
            "0.1",
            "1.01",
            "10e-1",
            "1e-400",
            "0.99999999999999999999",
            "1.00000000000000000001",
            "1 0",
            "0x1",
            "1_0",
            "-1",
            "2",
            "nan",
            "p",
            "P",
            "good",
            "bad",
            "negatives",
            "neg.",
            "LABEL_1",
            "__label__1",
            "１",
            "👍",
            "négatif",
            "1f",
        ] {
            assert_eq!(parse_label(word), None, "{word:?}");
        }
        assert_eq!(parsed(Column::new("label".into(), [0i64, 1])).unwrap(), [0, 1]);
        assert_eq!(parsed(Column::new("label".into(), [0u8, 1])).unwrap(), [0, 1]);
        assert_eq!(parsed(Column::new("label".into(), [1i8, 0])).unwrap(), [1, 0]);
        assert_eq!(parsed(Column::new("label".into(), [0.0f32, 1.0])).unwrap(), [0, 1]);
        assert_eq!(parsed(Column::new("label".into(), [true, false])).unwrap(), [1, 0]);
    }

    #[test]
    fn a_typo_is_named_with_its_row_and_a_suggestion() {
        let mut words = vec!["positive"; 811];
        words.push("postive");
        assert_eq!(
            message(Column::new("label".into(), words)),
            "reviews.csv, row 812: unknown label \"postive\"; expected negative or positive \
             (did you mean \"positive\"?); the column holds \"positive\" (811 times), \"postive\" (once)"
        );
    }

    #[test]
    fn other_wrong_labels_are_named_without_one() {
        let text = |value: &str| message(Column::new("label".into(), ["pos", value]));
        assert_eq!(
            text("neutral"),
            "reviews.csv, row 2: unknown label \"neutral\"; expected negative or positive; the column \
             holds \"neutral\" (once), \"pos\" (once)"
        );
        assert!(text("4").starts_with("reviews.csv, row 2: unknown label \"4\"; expected 0 or 1;"));
        assert_eq!(
            message(Column::new("label".into(), [0i64, -1])),
            "reviews.csv, row 2: unknown label \"-1\"; expected 0 or 1; the column holds \"-1\" (once), \
             \"0\" (once)"
        );
        assert_eq!(
            message(Column::new("label".into(), [0.5f64])),
            "reviews.csv, row 1: unknown label \"0.5\"; expected 0 or 1; the column holds \"0.5\" (once)"
        );
        assert!(text(&"long ".repeat(100)).len() < 250);
    }

    #[test]
    fn a_missing_label_is_named() {
        let expected = "reviews.csv, row 2: column \"label\" has no value";
        assert_eq!(message(Column::new("label".into(), [Some("pos"), None])), expected);
        assert_eq!(message(Column::new("label".into(), [Some(1i64), None])), expected);
        assert_eq!(message(Column::new("label".into(), [Some(true), None])), expected);
        let nothing = Column::full_null("label".into(), 2, &DataType::Null);
        assert_eq!(message(nothing), "reviews.csv, row 1: column \"label\" has no value");
    }

    #[test]
    fn dates_are_no_labels() {
        let dates = Column::new("label".into(), [1i32]).cast(&DataType::Date).unwrap();
        assert_eq!(
            message(dates),
            "reviews.csv: column \"label\" has type date; a label column must hold numbers, booleans or \
             words"
        );
    }

    #[test]
    fn minus_one_is_negative_unless_there_is_a_zero() {
        let words = |words: &[&str]| parsed(Column::new("label".into(), words));
        assert_eq!(words(&["-1", "+1", "1", "-1.0"]).unwrap(), [0, 1, 1, 0]);
        assert_eq!(parsed(Column::new("label".into(), [-1i64, 1])).unwrap(), [0, 1]);
        assert_eq!(parsed(Column::new("label".into(), [1.0f64, -1.0])).unwrap(), [1, 0]);
        let error = words(&["1", "-1", "0"]).unwrap_err().to_string();
        assert!(error.contains("row 2: unknown label \"-1\""), "{error}");
        assert!(parsed(Column::new("label".into(), [0i64, 1, -1])).is_err());
    }

    #[test]
    fn labels_of_json_are_told_by_value() {
        let of = |values: &[&str]| {
            let column = Column::new("label".into(), values);
            of_rows(Path::new("x"), &table(column, Cells::Json), "label", None)
        };
        let values = ["1", "\"negative\"", "true", "1.0", "\"0\"", "false", "\"\\u0070os\""];
        assert_eq!(of(&values).unwrap(), [1, 0, 1, 1, 0, 0, 1]);
        for (value, expected) in [
            ("null", "no value"),
            ("\"neutral\"", "unknown label \"neutral\""),
            ("[1]", "unknown label \"[1]\""),
            ("2", "expected 0 or 1"),
        ] {
            let message = of(&["1", value]).unwrap_err().to_string();
            assert!(message.contains("row 2") && message.contains(expected), "{message}");
        }
    }

    #[test]
    fn rows_that_are_left_out_do_not_count() {
        let table = table(Column::new("label".into(), ["1", "x", "0"]), Cells::Text);
        let of = |rows: &[u32]| of_rows(Path::new("x"), &table, "label", Some(rows));
        assert_eq!(of(&[2, 0]).unwrap(), [0, 1]);
        let message = of(&[0, 1]).unwrap_err().to_string();
        assert!(message.contains("row 2: unknown label \"x\""), "{message}");
        assert!(!message.contains("\"0\""), "{message}");
    }

    #[test]
    fn advice_depends_on_what_the_column_holds() {
        assert!(advice(&["1", "2", "2"]).contains("0 instead of 1 and 1 instead of 2"));
        assert!(advice(&["good", "bad"]).contains("instead of these two values"));
        assert!(advice(&["1", "2", "3", "4", "5"]).contains("only two classes"));
        assert!(advice(&["positive", "negative", "neutral"]).contains("only two classes"));
        assert!(advice(&["1", "0", "nan"]).contains("no label"));
        let many: Vec<String> = (0..30).map(|id| id.to_string()).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(advice(&many).contains("does not look like a column of labels"));
    }
}

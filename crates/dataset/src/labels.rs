//! Labels: which cells mean negative (0) and which positive (1).

use std::path::Path;

use polars::prelude::{Column, DataType};

use crate::error::{Error, Result, shortened};
use crate::nearest::nearest;

/// The names of the classes, by label.
pub const CLASS_NAMES: [&str; 2] = ["negative", "positive"];

/// Words that a suggestion may offer; the first of each pair of synonyms comes first.
const WORDS: [&str; 6] = ["negative", "positive", "neg", "pos", "false", "true"];

/// The label that a word stands for, whatever its case and the space around it.
///
/// ```
/// assert_eq!(dataset::parse_label(" Pos "), Some(1));
/// assert_eq!(dataset::parse_label("0.0"), Some(0));
/// assert_eq!(dataset::parse_label("neutral"), None);
/// ```
pub fn parse_label(word: &str) -> Option<u8> {
    match word.trim().to_ascii_lowercase().as_str() {
        "0" | "0.0" | "neg" | "negative" | "false" => Some(0),
        "1" | "1.0" | "pos" | "positive" | "true" => Some(1),
        _ => None,
    }
}

/// The labels of a whole column: `[n_rows]`, each 0 or 1.
///
/// # Errors
/// `MissingValue` and `UnknownLabel` name the first row that is wrong; `ColumnType` if the column
/// holds lists, dates and the like.
pub(crate) fn from_column(path: &Path, column: &Column) -> Result<Vec<u8>> {
    let missing = |idx: usize| Error::MissingValue {
        path: path.to_owned(),
        row: idx + 1,
        column: column.name().to_string(),
    };
    let wrong_type = || Error::ColumnType {
        path: path.to_owned(),
        column: column.name().to_string(),
        role: "label",
        found: column.dtype().to_string(),
        expected: "numbers, booleans or words",
    };

    let dtype = column.dtype();
    if *dtype == DataType::Null {
        return if column.is_empty() { Ok(Vec::new()) } else { Err(missing(0)) };
    }
    if dtype.is_bool() {
        let flags = column.bool().map_err(|_| wrong_type())?;
        let label =
            |(idx, flag): (usize, Option<bool>)| flag.map(u8::from).ok_or_else(|| missing(idx));
        return flags.iter().enumerate().map(label).collect();
    }
    if dtype.is_primitive_numeric() {
        // f64 holds 0 and 1 exactly, and nothing else rounds to them from an integer.
        let numbers = column.cast(&DataType::Float64).map_err(|_| wrong_type())?;
        let numbers = numbers.f64().map_err(|_| wrong_type())?;
        return numbers
            .iter()
            .enumerate()
            .map(|(idx, number)| match number {
                None => Err(missing(idx)),
                Some(0.0) => Ok(0),
                Some(1.0) => Ok(1),
                Some(other) => Err(Error::UnknownLabel {
                    path: path.to_owned(),
                    row: idx + 1,
                    value: other.to_string(),
                    expected: "0 or 1",
                    nearest: None,
                }),
            })
            .collect();
    }
    if dtype.is_string() || dtype.is_categorical() {
        let words = column.cast(&DataType::String).map_err(|_| wrong_type())?;
        let words = words.str().map_err(|_| wrong_type())?;
        return words
            .iter()
            .enumerate()
            .map(|(idx, word)| {
                let word = word.ok_or_else(|| missing(idx))?;
                parse_label(word).ok_or_else(|| unknown_word(path, idx, word))
            })
            .collect();
    }
    Err(wrong_type())
}

fn unknown_word(path: &Path, idx: usize, word: &str) -> Error {
    // In a CSV file a number is a word too, and "expected negative or positive" would not help.
    let is_number = word.trim().parse::<f64>().is_ok();
    Error::UnknownLabel {
        path: path.to_owned(),
        row: idx + 1,
        value: shortened(word.trim()),
        expected: if is_number { "0 or 1" } else { "negative or positive" },
        nearest: nearest(word, WORDS).map(str::to_owned),
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

    fn parsed(column: Column) -> Result<Vec<u8>> {
        from_column(Path::new("reviews.csv"), &column)
    }

    fn message(column: Column) -> String {
        parsed(column).unwrap_err().to_string()
    }

    #[test]
    fn every_way_to_write_a_label() {
        let words =
            ["0", " 1 ", "neg", "POS", "Negative", "positive", "FALSE", "true", "0.0", "1.0"];
        let expected = vec![0, 1, 0, 1, 0, 1, 0, 1, 0, 1];
        assert_eq!(parsed(Column::new("label".into(), words)).unwrap(), expected);

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
             (did you mean \"positive\"?)"
        );
    }

    #[test]
    fn other_wrong_labels_are_named_without_one() {
        let text = |value: &str| message(Column::new("label".into(), ["pos", value]));
        assert_eq!(
            text("neutral"),
            "reviews.csv, row 2: unknown label \"neutral\"; expected negative or positive"
        );
        assert_eq!(text("4"), "reviews.csv, row 2: unknown label \"4\"; expected 0 or 1");
        assert_eq!(
            message(Column::new("label".into(), [0i64, -1])),
            "reviews.csv, row 2: unknown label \"-1\"; expected 0 or 1"
        );
        assert_eq!(
            message(Column::new("label".into(), [0.5f64])),
            "reviews.csv, row 1: unknown label \"0.5\"; expected 0 or 1"
        );
        assert!(text(&"long ".repeat(100)).len() < 150);
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
            "reviews.csv: column \"label\" holds date; a label column holds numbers, booleans or \
             words"
        );
    }
}

//! Writes predictions next to their texts, completely or not at all.

use std::path::Path;

use polars::prelude::{Column, PolarsError};

use crate::error::{Error, Result};
use crate::labels::{self, CLASS_NAMES};
use crate::tables::write::{Change, Destination, Existing, encode, same_file};
use crate::tables::{Cells, Format, TextTable, one_line};

const LABEL: &str = "predicted_label";
const PROBABILITY: &str = "probability";

/// A classifier's predictions for every text of a table, in the order of [`TextTable::texts`].
#[derive(Clone, Copy, Debug)]
pub struct Predictions<'a> {
    /// `[n_texts]`, each 0 or 1; written as `negative` or `positive`.
    pub labels: &'a [u8],
    /// `[n_texts]`, the probability of the positive class.
    pub probabilities: &'a [f32],
}

/// The names of the two new columns, and what changed in the written table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PredictionColumns {
    /// `predicted_label`, or `predicted_label_2` and so on if the table already has either name.
    pub label: String,
    /// `probability`, or `probability_2` and so on, with the same number.
    pub probability: String,
    /// Cells that the format could not hold unchanged.
    pub changes: Vec<Change>,
}

/// Checks whether a table can be written to `path`, as far as possible before there is one.
///
/// Takes the format from the name, follows links, and creates and removes a file next to the output
/// file. `-` is standard output. Pipes and devices are always accepted.
///
/// # Errors
/// `Exists`, `UnknownExtension`, `NoFolder`, `IsFolder`; `Write` if the system refuses.
pub fn check_output(path: impl AsRef<Path>, existing: Existing) -> Result<()> {
    let path = path.as_ref();
    let destination = Destination::find(path)?;
    if let Destination::File { .. } = destination {
        Format::of(path)?;
    }
    destination.check(path, existing)?;
    destination.probe(path)
}

impl TextTable {
    /// Like [`check_output`], and also checks that overwriting the input file would lose no columns.
    ///
    /// # Errors
    /// As [`check_output`]; `ColumnsLost`.
    pub fn check_output(&self, path: impl AsRef<Path>, existing: Existing) -> Result<()> {
        let path = path.as_ref();
        check_output(path, existing)?;
        self.check_not_lost(path)
    }

    /// Writes the table with two more columns, named in [`PredictionColumns`]. Rows without text get
    /// empty cells there.
    ///
    /// The extension determines the format; a pipe or device without one gets the input format. A
    /// file appears under its name when it is complete; until then it is a temporary file in the same
    /// folder. Links are followed: the target is written, and the link stays. A file that replaces
    /// another takes over its permissions.
    ///
    /// # Errors
    /// `LengthMismatch`, `LabelNotBinary`; `Exists`, `ColumnsLost`, `UnknownExtension`, `NoFolder`,
    /// `IsFolder`; `Write` if the system refuses, `Encode` if the format cannot hold the table.
    pub fn write_predictions(
        &self,
        path: impl AsRef<Path>,
        predictions: &Predictions<'_>,
        existing: Existing,
    ) -> Result<PredictionColumns> {
        let path = path.as_ref();
        let n_texts = self.texts().len();
        for (what, got) in [
            ("labels", predictions.labels.len()),
            ("probabilities", predictions.probabilities.len()),
        ] {
            if got != n_texts {
                return Err(Error::LengthMismatch { what, expected: n_texts, got });
            }
        }
        labels::check(predictions.labels)?;

        let destination = Destination::find(path)?;
        let format = match (&destination, Format::of(path)) {
            (_, Ok(format)) => format,
            (Destination::Stream(_), Err(_)) => self.format_read(),
            (Destination::File { .. }, Err(error)) => return Err(error),
        };
        self.check_not_lost(path)?;

        let (label, probability) = self.free_names();
        let words = predictions.labels.iter().map(|&label| CLASS_NAMES[usize::from(label)]);
        let answers = vec![
            Column::new(label.as_str().into(), self.spread(words)),
            Column::new(
                probability.as_str().into(),
                self.spread(predictions.probabilities.iter().copied()),
            ),
        ];
        let changes = destination.write(path, existing, |sink| {
            encode(self.table(), answers, format, sink).map_err(|error| failed(path, format, error))
        })?;
        Ok(PredictionColumns { label, probability, changes })
    }

    fn check_not_lost(&self, path: &Path) -> Result<()> {
        let columns = self.left_out_columns();
        if !columns.is_empty() && same_file(self.path(), path) {
            return Err(Error::ColumnsLost { path: path.to_owned(), columns: columns.to_vec() });
        }
        Ok(())
    }

    fn format_read(&self) -> Format {
        match (self.table().cells, Format::of_input(self.path())) {
            (Cells::Text, Ok(Format::Tsv)) => Format::Tsv,
            (Cells::Text, _) => Format::Csv,
            (Cells::Json, _) => Format::JsonLines,
            (Cells::Typed, _) => Format::Parquet,
        }
    }

    /// The names of the new columns, with the first number for which both are free. Case is ignored,
    /// because DuckDB and Spark ignore it.
    fn free_names(&self) -> (String, String) {
        let names = self.frame().get_column_names().into_iter().map(|name| name.as_str());
        let left_out = self.left_out_columns().iter().map(String::as_str);
        let taken: Vec<&str> = names.chain(left_out).map(str::trim).collect();
        let is_free = |name: &str| !taken.iter().any(|taken| taken.eq_ignore_ascii_case(name));
        let (mut label, mut probability) = (LABEL.to_owned(), PROBABILITY.to_owned());
        let mut number = 2;
        while !(is_free(&label) && is_free(&probability)) {
            (label, probability) = (format!("{LABEL}_{number}"), format!("{PROBABILITY}_{number}"));
            number += 1;
        }
        (label, probability)
    }

    /// Spreads one value per text over the rows: rows without text get `None`.
    fn spread<T: Copy>(&self, of_texts: impl Iterator<Item = T>) -> Vec<Option<T>> {
        let Some(rows) = self.text_rows() else { return of_texts.map(Some).collect() };
        let mut column = vec![None; self.frame().height()];
        for (&row, value) in rows.iter().zip(of_texts) {
            column[row as usize] = Some(value);
        }
        column
    }
}

fn failed(path: &Path, format: Format, error: PolarsError) -> Error {
    match error {
        PolarsError::IO { error, .. } => Error::Write {
            path: path.to_owned(),
            source: std::io::Error::new(error.kind(), error.to_string()),
        },
        other => {
            Error::Encode { path: path.to_owned(), format, detail: one_line(&other.to_string()) }
        }
    }
}

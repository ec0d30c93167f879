//! Answers beside the texts they are about, written in one piece or not at all.

use std::path::Path;

use polars::prelude::{Column, PolarsError};

use crate::error::{Error, Result};
use crate::labels::{self, CLASS_NAMES};
use crate::tables::write::{Change, Destination, encode, same_file};
use crate::tables::{Cells, Format, TextTable, one_line};

const LABEL: &str = "predicted_label";
const PROBABILITY: &str = "probability";

/// What a classifier says about every text of a table, in the order of [`TextTable::texts`].
#[derive(Clone, Copy, Debug)]
pub struct Predictions<'a> {
    /// `[n_texts]`, each 0 or 1; written as `negative` or `positive`.
    pub labels: &'a [u8],
    /// `[n_texts]`, the probability of positive.
    pub probabilities: &'a [f32],
}

/// What happens to a file that stands where another is to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// It stays, and nothing is written.
    Refuse,
    /// It is replaced, once the new one is complete.
    Replace,
}

/// The names that the two new columns got, and what else there is to know of a written table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PredictionColumns {
    /// `predicted_label`, or `predicted_label_2` and so on where the table has either already.
    pub label: String,
    /// `probability`, or `probability_2` and so on, of the same number.
    pub probability: String,
    /// Cells that the format could not hold as they were.
    pub changes: Vec<Change>,
}

/// Whether a table can be written to `path`, as far as that can be told before there is one.
///
/// Takes the format from the name, follows links, and makes and removes a file beside the one to
/// be written. `-` is standard output. Pipes and devices are never refused.
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
    /// [`check_output`], with one thing more that only the table knows: it may be written over the
    /// file that it was read from only if it has all of its columns.
    ///
    /// # Errors
    /// As [`check_output`]; `ColumnsLost`.
    pub fn check_output(&self, path: impl AsRef<Path>, existing: Existing) -> Result<()> {
        let path = path.as_ref();
        check_output(path, existing)?;
        self.check_not_lost(path)
    }

    /// Writes the table with two more columns: [`PredictionColumns`] has their names. Rows without
    /// text get empty cells there.
    ///
    /// The format is told by the extension; a pipe or a device without one gets the format that was
    /// read. A file appears under its name when it is complete; until then it is a temporary file in
    /// the same folder. A link is followed: the file that it leads to is written, and the link
    /// stays. A file that replaces another gets its permissions.
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

    /// The names of the new columns: with the first number that leaves both free. Case makes no new
    /// name, because it makes none for DuckDB and Spark.
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

    /// What was said of each text, as a column: rows without text have nothing.
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

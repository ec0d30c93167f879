//! Writes a model's answers next to their texts, completely or not at all.

use std::collections::HashSet;
use std::path::Path;

use polars::prelude::{Column, PolarsError};

use crate::error::{Error, Result};
use crate::tables::write::{Change, Destination, Existing, encode, same_file};
use crate::tables::{Cells, Format, TextTable, one_line};

/// A new column: an answer for every text of a table, in the order of [`TextTable::texts`].
#[derive(Clone, Debug)]
pub struct AnswerColumn<'a> {
    /// The name that it should have, such as `predicted_label`.
    pub name: String,
    /// `[n_texts]`
    pub values: AnswerValues<'a>,
}

/// The answers of a column, `[n_texts]`.
#[derive(Clone, Copy, Debug)]
pub enum AnswerValues<'a> {
    /// Words; `None` is an empty cell.
    Words(&'a [Option<String>]),
    /// Numbers, such as probabilities.
    Numbers(&'a [f32]),
    /// Whole numbers.
    Counts(&'a [u32]),
}

impl AnswerValues<'_> {
    fn len(&self) -> usize {
        match self {
            Self::Words(words) => words.len(),
            Self::Numbers(numbers) => numbers.len(),
            Self::Counts(counts) => counts.len(),
        }
    }
}

/// The names of the new columns, and what changed in the written table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The wanted names, or all of them with the same number (`predicted_label_2`, `probability_2`) if
    /// the table already has one of them.
    pub names: Vec<String>,
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

    /// Writes the table with more columns, named in [`Written`]. Rows without text get empty cells there.
    ///
    /// The extension determines the format; a pipe or device without one gets the input format. A
    /// file appears under its name when it is complete; until then it is a temporary file in the same
    /// folder. Links are followed: the target is written, and the link stays. A file that replaces
    /// another takes over its permissions.
    ///
    /// # Errors
    /// `LengthMismatch`; `AnswerTwice` if two columns should have one name; `Exists`, `ColumnsLost`,
    /// `UnknownExtension`, `NoFolder`, `IsFolder`; `Write` if the system refuses, `Encode` if the format
    /// cannot hold the table.
    pub fn write_answers(
        &self,
        path: impl AsRef<Path>,
        answers: &[AnswerColumn<'_>],
        existing: Existing,
    ) -> Result<Written> {
        let path = path.as_ref();
        let expected = self.texts().len();
        for (idx, AnswerColumn { name, values }) in answers.iter().enumerate() {
            let got = values.len();
            if got != expected {
                return Err(Error::LengthMismatch { what: "answers", expected, got });
            }
            if answers[..idx].iter().any(|other| other.name.eq_ignore_ascii_case(name)) {
                return Err(Error::AnswerTwice { name: name.clone() });
            }
        }

        let destination = Destination::find(path)?;
        let format = match (&destination, Format::of(path)) {
            (_, Ok(format)) => format,
            (Destination::Stream(_), Err(_)) => self.format_read(),
            (Destination::File { .. }, Err(error)) => return Err(error),
        };
        self.check_not_lost(path)?;

        let names = self.free_names(answers);
        let columns = names
            .iter()
            .zip(answers)
            .map(|(name, answer)| {
                let name = name.as_str().into();
                match answer.values {
                    AnswerValues::Words(words) => {
                        Column::new(name, self.spread(words.iter().map(|word| word.as_deref())))
                    }
                    AnswerValues::Numbers(numbers) => {
                        Column::new(name, self.spread(numbers.iter().copied().map(Some)))
                    }
                    AnswerValues::Counts(counts) => {
                        Column::new(name, self.spread(counts.iter().copied().map(Some)))
                    }
                }
            })
            .collect();
        let changes = destination.write(path, existing, |sink| {
            encode(self.table(), columns, format, sink).map_err(|error| failed(path, format, error))
        })?;
        Ok(Written { names, changes })
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

    /// The names of the new columns, with the first number for which all are free. Case is ignored,
    /// because DuckDB and Spark ignore it.
    fn free_names(&self, answers: &[AnswerColumn<'_>]) -> Vec<String> {
        let names = self.frame().get_column_names().into_iter().map(|name| name.as_str());
        let left_out = self.left_out_columns().iter().map(String::as_str);
        let taken: HashSet<String> =
            names.chain(left_out).map(|name| name.trim().to_ascii_lowercase()).collect();
        let is_free = |name: &String| !taken.contains(&name.trim().to_ascii_lowercase());
        let mut wanted: Vec<String> = answers.iter().map(|answer| answer.name.clone()).collect();
        let mut number = 2;
        while !wanted.iter().all(is_free) {
            wanted = answers.iter().map(|answer| format!("{}_{number}", answer.name)).collect();
            number += 1;
        }
        wanted
    }

    /// Spreads one value per text over the rows: rows without text get `None`.
    fn spread<T: Copy>(&self, of_texts: impl Iterator<Item = Option<T>>) -> Vec<Option<T>> {
        let Some(rows) = self.text_rows() else { return of_texts.collect() };
        let mut column = vec![None; self.frame().height()];
        for (&row, value) in rows.iter().zip(of_texts) {
            column[row as usize] = value;
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

//! Writes a table in any format.

use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use polars::prelude::{DataFrame, PolarsError, PolarsResult};

use super::{Change, OutColumn, csv, json_lines, parquet};
use crate::error::Error;
use crate::tables::{Format, one_line};

/// What became of a table that was written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Encoded {
    /// Cells that the format could not hold unchanged.
    pub(crate) changes: Vec<Change>,
    /// Whether any field of a text table is quoted, which its header must then show.
    pub(crate) has_quotes: bool,
}

/// The line of column names, in formats that have one.
pub(crate) fn header<'a>(
    names: impl Iterator<Item = &'a str>,
    format: Format,
    has_quotes: bool,
) -> Vec<u8> {
    let separator = format.separator();
    separator.map_or(Vec::new(), |separator| csv::header(names, separator, has_quotes))
}

/// Writes the rows of a table, without a header; in Parquet, a whole file.
///
/// # Errors
/// `PolarsError::IO` if the sink fails; another error if the format cannot hold the table.
pub(crate) fn encode(
    columns: &[OutColumn],
    format: Format,
    sink: &mut dyn Write,
) -> PolarsResult<Encoded> {
    guarded(|| match format {
        Format::Csv | Format::Tsv => {
            let separator = format.separator().unwrap_or(b',');
            let (changes, has_quotes) = csv::write(columns, separator, sink)?;
            Ok(Encoded { changes, has_quotes })
        }
        Format::JsonLines => {
            Ok(Encoded { changes: json_lines::write(columns, sink)?, has_quotes: false })
        }
        Format::FastText => {
            Err(PolarsError::ComputeError("tables in this format are only read".into()))
        }
        Format::Parquet => {
            parquet::write(&mut parquet::typed(columns)?, sink)?;
            Ok(Encoded::default())
        }
    })
}

/// A table with the types in which Parquet holds it.
///
/// # Errors
/// If Parquet cannot hold it.
pub(crate) fn typed(columns: &[OutColumn]) -> PolarsResult<DataFrame> {
    guarded(|| parquet::typed(columns))
}

/// Polars' writers panic on types that they were built without.
pub(super) fn guarded<T>(write: impl FnOnce() -> PolarsResult<T>) -> PolarsResult<T> {
    catch_unwind(AssertUnwindSafe(write))
        .unwrap_or_else(|_| Err(PolarsError::ComputeError("the writer crashed on a column".into())))
}

/// The error for a failure to write.
pub(crate) fn failed(path: &Path, format: Format, error: PolarsError) -> Error {
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

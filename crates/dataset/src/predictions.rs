//! Answers beside the texts they are about, written in one piece or not at all.

use std::io::Write;
use std::path::Path;

use polars::prelude::{
    Column, CsvWriter, DataFrame, JsonFormat, JsonWriter, ParquetWriter, PolarsError, PolarsResult,
    SerWriter,
};

use crate::error::{Error, Result};
use crate::format::Format;
use crate::labels::{self, CLASS_NAMES};
use crate::source::one_line;
use crate::text_table::TextTable;

/// What a classifier says about every row of a table, in the order of the table.
#[derive(Clone, Copy, Debug)]
pub struct Predictions<'a> {
    /// `[n_rows]`, each 0 or 1; written as `negative` or `positive`.
    pub labels: &'a [u8],
    /// `[n_rows]`, the probability of positive.
    pub probabilities: &'a [f32],
}

/// The names that the two new columns got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PredictionColumns {
    /// `label`, or `predicted_label` where the table already has a `label`.
    pub label: String,
    /// `probability`, or `predicted_probability`.
    pub probability: String,
}

impl TextTable {
    /// Writes the table with two more columns, `label` and `probability`.
    ///
    /// The format is told by the extension. The file appears under its name when it is complete;
    /// until then it is a temporary file in the same folder. An older file is replaced.
    ///
    /// # Errors
    /// `LengthMismatch`, `LabelNotBinary`, `UnknownExtension`, `NoFolder`, `IsFolder`; `Write` if
    /// the system refuses, `Encode` if the format cannot hold the table.
    pub fn write_predictions(
        &self,
        path: impl AsRef<Path>,
        predictions: &Predictions<'_>,
    ) -> Result<PredictionColumns> {
        let path = path.as_ref();
        for (what, got) in [
            ("labels", predictions.labels.len()),
            ("probabilities", predictions.probabilities.len()),
        ] {
            if got != self.len() {
                return Err(Error::LengthMismatch { what, expected: self.len(), got });
            }
        }
        labels::check(predictions.labels)?;
        let format = Format::of(path)?;

        let names = PredictionColumns {
            label: free_name(self.frame(), "label"),
            probability: free_name(self.frame(), "probability"),
        };
        let words: Vec<&str> =
            predictions.labels.iter().map(|&label| CLASS_NAMES[usize::from(label)]).collect();
        let mut frame = self.frame().clone();
        let new_columns = [
            Column::new(names.label.as_str().into(), words),
            Column::new(names.probability.as_str().into(), predictions.probabilities),
        ];
        for column in new_columns {
            frame.with_column(column).map_err(|error| failed(path, format, error))?;
        }
        write_atomically(path, format, &mut frame)?;
        Ok(names)
    }
}

/// `name`, or a name with `predicted_` before it as often as it takes to be new.
fn free_name(frame: &DataFrame, name: &str) -> String {
    let mut name = name.to_owned();
    while frame.schema().contains(&name) {
        name.insert_str(0, "predicted_");
    }
    name
}

/// Writes to a temporary file beside `path`, then renames it.
fn write_atomically(path: &Path, format: Format, frame: &mut DataFrame) -> Result<()> {
    let refused = |source| Error::Write { path: path.to_owned(), source };
    if path.is_dir() {
        return Err(Error::IsFolder { path: path.to_owned() });
    }
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    if !folder.is_dir() {
        return Err(Error::NoFolder { path: path.to_owned(), folder: folder.to_owned() });
    }

    let mut builder = tempfile::Builder::new();
    builder.prefix(".predictions-");
    #[cfg(unix)]
    {
        // Temporary files are private; this one becomes the user's file, so the umask decides.
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    let mut file = builder.tempfile_in(folder).map_err(refused)?;
    encode(&mut file, format, frame).map_err(|error| failed(path, format, error))?;
    file.as_file().sync_all().map_err(refused)?;
    file.persist(path).map_err(|error| refused(error.error))?;
    Ok(())
}

fn encode(file: &mut impl Write, format: Format, frame: &mut DataFrame) -> PolarsResult<()> {
    match format {
        Format::Csv | Format::Tsv => {
            CsvWriter::new(file).with_separator(format.separator().unwrap_or(b',')).finish(frame)
        }
        Format::JsonLines => {
            let mut buffered = std::io::BufWriter::new(file);
            JsonWriter::new(&mut buffered).with_json_format(JsonFormat::JsonLines).finish(frame)?;
            Ok(buffered.flush()?)
        }
        Format::Parquet => {
            let mut buffered = std::io::BufWriter::new(file);
            ParquetWriter::new(&mut buffered).finish(frame)?;
            Ok(buffered.flush()?)
        }
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

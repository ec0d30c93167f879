//! Everything that can go wrong between a file and a batch, except downloads: `fetch` has its own.
//!
//! Messages name the file, the row and the column they are about. Rows are data rows counted from
//! 1; a CSV header is not counted, and a quoted text that spans lines is one row.

use std::fmt;
use std::path::PathBuf;

use crate::format::Format;

/// The result of everything in this crate except downloads.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, with the data to say where.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no such file.
    #[error("{} does not exist", path.display())]
    Missing {
        /// The path as given.
        path: PathBuf,
    },

    /// The path is a folder.
    #[error("{} is a folder, not a file", path.display())]
    IsFolder {
        /// The path as given.
        path: PathBuf,
    },

    /// The file has no bytes, or only blank lines.
    #[error("{} is empty", path.display())]
    Empty {
        /// The path as given.
        path: PathBuf,
    },

    /// The table has columns and no rows.
    #[error("{} has columns but no rows", path.display())]
    NoRows {
        /// The path as given.
        path: PathBuf,
    },

    /// The system did not let us read the file.
    #[error("cannot read {}", path.display())]
    Read {
        /// The path as given.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },

    /// The extension is none of the known ones.
    #[error(
        "cannot tell the format of {} from its name; known extensions are {}",
        path.display(),
        Format::EXTENSIONS.join(", ")
    )]
    UnknownExtension {
        /// The path as given.
        path: PathBuf,
    },

    /// The extension promises one format and the bytes are of another.
    #[error("{} is not {expected}: {found}", path.display())]
    WrongContent {
        /// The path as given.
        path: PathBuf,
        /// What the extension promises.
        expected: Format,
        /// What the bytes look like, as a clause.
        found: &'static str,
    },

    /// A text file holds bytes that are not UTF-8.
    #[error("{}, line {line}: not valid UTF-8", path.display())]
    NotUtf8 {
        /// The path as given.
        path: PathBuf,
        /// The line of the file, from 1, header included.
        line: usize,
    },

    /// The parser gave up.
    #[error("{}{} is not readable as {format}: {detail}", path.display(), AtLine(*line))]
    Malformed {
        /// The path as given.
        path: PathBuf,
        /// The line of the file, from 1, where it is known.
        line: Option<usize>,
        /// The format that was tried.
        format: Format,
        /// What the parser said, on one line.
        detail: String,
    },

    /// No column has a name that we would guess.
    #[error(
        "{} has no {role} column that can be guessed; its columns are {}{}",
        path.display(),
        QuotedList(columns),
        DidYouMean(nearest)
    )]
    NoColumn {
        /// The path as given.
        path: PathBuf,
        /// `text` or `label`.
        role: &'static str,
        /// The columns of the file.
        columns: Vec<String>,
        /// The column whose name is nearest to one that would be guessed.
        nearest: Option<String>,
    },

    /// The user named a column that the file lacks.
    #[error(
        "{} has no column \"{wanted}\"; its columns are {}{}",
        path.display(),
        QuotedList(columns),
        DidYouMean(nearest)
    )]
    UnknownColumn {
        /// The path as given.
        path: PathBuf,
        /// The name that the user gave.
        wanted: String,
        /// The columns of the file.
        columns: Vec<String>,
        /// The column with the nearest name.
        nearest: Option<String>,
    },

    /// One column was named as both text and label.
    #[error("{}: column \"{column}\" cannot be both text and label", path.display())]
    SameColumn {
        /// The path as given.
        path: PathBuf,
        /// The column.
        column: String,
    },

    /// A column holds a type of value that its role has no use for.
    #[error(
        "{}: column \"{column}\" holds {found}; a {role} column holds {expected}",
        path.display()
    )]
    ColumnType {
        /// The path as given.
        path: PathBuf,
        /// The column.
        column: String,
        /// `text` or `label`.
        role: &'static str,
        /// The type in the file.
        found: String,
        /// What would do.
        expected: &'static str,
    },

    /// A cell that is needed has no value.
    #[error("{}, row {row}: column \"{column}\" has no value", path.display())]
    MissingValue {
        /// The path as given.
        path: PathBuf,
        /// The data row, from 1.
        row: usize,
        /// The column.
        column: String,
    },

    /// A label is neither of the two classes.
    #[error(
        "{}, row {row}: unknown label \"{value}\"; expected {expected}{}",
        path.display(),
        DidYouMean(nearest)
    )]
    UnknownLabel {
        /// The path as given.
        path: PathBuf,
        /// The data row, from 1.
        row: usize,
        /// The label, shortened where it is long.
        value: String,
        /// What would do.
        expected: &'static str,
        /// The nearest word that would do.
        nearest: Option<String>,
    },

    /// A label given in memory is neither 0 nor 1.
    #[error("row {row}: label {value} is neither 0 nor 1")]
    LabelNotBinary {
        /// The row, from 1.
        row: usize,
        /// The label.
        value: u8,
    },

    /// Two lists that belong together have different lengths.
    #[error("expected {expected} {what}, one per row, got {got}")]
    LengthMismatch {
        /// What the longer or shorter list holds, in the plural.
        what: &'static str,
        /// The number of rows.
        expected: usize,
        /// The number of items.
        got: usize,
    },

    /// More tokens or rows than 32 bits can count.
    #[error("{n_rows} rows are more than one table can hold ({})", u32::MAX)]
    TooManyRows {
        /// The number of rows.
        n_rows: usize,
    },

    /// The fractions of a split do not make a whole.
    #[error(
        "split fractions must not be negative and must add up to 1, with some left for training; \
         got train {train}, validation {validation}, test {test}"
    )]
    Fractions {
        /// The fraction for training.
        train: f64,
        /// The fraction for validation.
        validation: f64,
        /// The fraction for the test.
        test: f64,
    },

    /// There are too few rows to cut in three.
    #[error("{n_rows} rows are too few to split; at least {needed} are needed")]
    TooFewRows {
        /// The number of rows.
        n_rows: usize,
        /// The least that will do.
        needed: usize,
    },

    /// Nothing to tell apart: every row has the same label.
    #[error("all {n_rows} rows are labelled {label}; a classifier needs both classes")]
    SingleClass {
        /// The only class, by name.
        label: &'static str,
        /// The number of rows.
        n_rows: usize,
    },

    /// A part of the split was asked for and got no rows.
    #[error("{n_rows} rows leave none for {part} at a fraction of {fraction}")]
    EmptyPart {
        /// `validation` or `test`.
        part: &'static str,
        /// The number of rows to split.
        n_rows: usize,
        /// The fraction asked for.
        fraction: f64,
    },

    /// A class got no row in the training part.
    #[error("no row labelled {label} is left for training: {n_rows} in all")]
    ClassNotInTraining {
        /// The class, by name.
        label: &'static str,
        /// How many rows have it.
        n_rows: usize,
    },

    /// A batch of no rows, or of no steps.
    #[error("{what} must be at least 1")]
    Zero {
        /// The setting.
        what: &'static str,
    },

    /// The thread that prepares batches did not start.
    #[error("cannot start the thread that prepares batches")]
    Spawn {
        /// What the system said.
        source: std::io::Error,
    },

    /// The thread that prepares batches died.
    #[error("the thread that prepares batches stopped: {reason}")]
    WorkerStopped {
        /// Its last words.
        reason: String,
    },

    /// A batch could not be made into tensors.
    #[error("cannot make the tensors of a batch")]
    Tensor {
        /// What the tensor library said.
        source: candle_core::Error,
    },

    /// The folder to write into does not exist.
    #[error("cannot write {}: folder {} does not exist", path.display(), folder.display())]
    NoFolder {
        /// The file to write.
        path: PathBuf,
        /// Its folder.
        folder: PathBuf,
    },

    /// The system did not let us write the file.
    #[error("cannot write {}", path.display())]
    Write {
        /// The path as given.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },

    /// The table does not fit into the format.
    #[error("cannot write {} as {format}: {detail}", path.display())]
    Encode {
        /// The path as given.
        path: PathBuf,
        /// The format.
        format: Format,
        /// What the writer said, on one line.
        detail: String,
    },
}

/// `, line 3`, or nothing.
struct AtLine(Option<usize>);

impl fmt::Display for AtLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |line| write!(f, ", line {line}"))
    }
}

/// ` (did you mean "text"?)`, or nothing.
struct DidYouMean<'a>(&'a Option<String>);

impl fmt::Display for DidYouMean<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(word) => write!(f, " (did you mean \"{word}\"?)"),
            None => Ok(()),
        }
    }
}

/// `"a", "b" and 3 more`: column names of a wrong file can be many and long.
struct QuotedList<'a>(&'a [String]);

impl fmt::Display for QuotedList<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 12;
        for (idx, name) in self.0.iter().take(SHOWN).enumerate() {
            let comma = if idx == 0 { "" } else { ", " };
            write!(f, "{comma}\"{}\"", shortened(name))?;
        }
        match self.0.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            n_more => write!(f, " and {n_more} more"),
        }
    }
}

/// The first 40 characters of a value that goes into a message, on one line.
pub(crate) fn shortened(value: &str) -> String {
    const SHOWN: usize = 40;
    let mut short: String =
        value.chars().take(SHOWN).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if value.chars().nth(SHOWN).is_some() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lists_and_long_names_are_cut() {
        let names: Vec<String> = (0..14).map(|i| format!("c{i}")).collect();
        let shown = QuotedList(&names).to_string();
        assert!(shown.starts_with("\"c0\", \"c1\""), "{shown}");
        assert!(shown.ends_with("\"c11\" and 2 more"), "{shown}");

        assert_eq!(shortened("two\nlines"), "two lines");
        assert_eq!(shortened(&"é".repeat(41)), format!("{}…", "é".repeat(40)));
        assert_eq!(shortened(&"é".repeat(40)), "é".repeat(40));
    }
}

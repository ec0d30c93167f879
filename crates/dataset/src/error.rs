//! Everything that can go wrong between a file and a batch, except downloads: `fetch` has its own.
//!
//! Messages name the file, the place in it and the column they are about: rows are data rows counted
//! from 1, where a header does not count and a text of several lines is one row; lines are those of the
//! file, from 1. What can be wrong at one place of a file is a [`Fault`].

use std::path::{Path, PathBuf};

use crate::tables::{Fault, Format, Place, format};
use crate::wording::{DidYouMean, QuotedList, RowPairs, shortened};

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

    /// The user named a format that we do not know.
    #[error("there is no format \"{}\"; expected csv, tsv, jsonl or parquet", shortened(name))]
    UnknownFormat {
        /// The name.
        name: String,
    },

    /// The user named an encoding that we do not know.
    #[error("there is no encoding \"{}\"{}", shortened(name), DidYouMean(nearest))]
    UnknownEncoding {
        /// The name.
        name: String,
        /// A known name that is near.
        nearest: Option<String>,
    },

    /// The user named a separator that cannot separate columns.
    #[error(
        "\"{}\" cannot separate columns; expected comma, semicolon, tab, pipe or another sign",
        shortened(name)
    )]
    BadSeparator {
        /// What the user named.
        name: String,
    },

    /// Compressed bytes are damaged or end too early.
    #[error("cannot unpack {}, which is compressed with {compression}", path.display())]
    Unpack {
        /// The path as given.
        path: PathBuf,
        /// `gzip` or `zstd`.
        compression: &'static str,
        /// What the decompressor said.
        source: std::io::Error,
    },

    /// Something in a file is not as it should be.
    #[error("{}{place}: {fault}", path.display())]
    Table {
        /// The path as given.
        path: PathBuf,
        /// Where in the file.
        place: Place,
        /// What is wrong there.
        fault: Box<Fault>,
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

    /// The parser gave up.
    #[error("{} is not readable as {format}: {detail}", path.display())]
    Malformed {
        /// The path as given.
        path: PathBuf,
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

    /// Several columns go by the name that the user gave.
    #[error(
        "{} has several columns that \"{wanted}\" may mean: {}",
        path.display(),
        QuotedList(columns)
    )]
    AmbiguousColumn {
        /// The path as given.
        path: PathBuf,
        /// `text`, `label` or `group`.
        role: &'static str,
        /// The name that the user gave.
        wanted: String,
        /// The columns.
        columns: Vec<String>,
    },

    /// One column was named for two roles.
    #[error("{}: column \"{column}\" cannot be both {role} and {other}", path.display())]
    SameColumn {
        /// The path as given.
        path: PathBuf,
        /// The column.
        column: String,
        /// One of the roles.
        role: &'static str,
        /// The other one.
        other: &'static str,
    },

    /// The column that is wanted was left out of the table.
    #[error(
        "{}: column \"{column}\" was left out, because it holds no text, numbers, booleans or dates",
        path.display()
    )]
    ColumnLeftOut {
        /// The path as given.
        path: PathBuf,
        /// The column.
        column: String,
    },

    /// A column of answers would have been taken as labels.
    #[error(
        "{}: column \"{column}\" looks like answers of this program and not like labels, because it \
         stands beside \"{beside}\"",
        path.display()
    )]
    OwnAnswers {
        /// The path as given.
        path: PathBuf,
        /// The column.
        column: String,
        /// The column of probabilities.
        beside: String,
    },

    /// A guessed text column does not look like one.
    #[error(
        "{}: column \"{column}\" holds only {found} and column \"{better}\" longer texts; which is the \
         text?",
        path.display()
    )]
    NotTexts {
        /// The path as given.
        path: PathBuf,
        /// The column that was guessed.
        column: String,
        /// `numbers` or `single words`.
        found: &'static str,
        /// The column with longer texts.
        better: String,
    },

    /// Every row has the same text.
    #[error("all {n_rows} rows have the same text: \"{}\"", shortened(text))]
    AllTheSame {
        /// The text.
        text: String,
        /// The number of rows.
        n_rows: usize,
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

    /// Many rows and hardly any texts.
    #[error("{n_rows} rows have only {n_texts} different texts; at least {needed} are needed")]
    TooFewTexts {
        /// The number of rows.
        n_rows: usize,
        /// How many texts are left when repeated ones are dropped.
        n_texts: usize,
        /// The least that will do.
        needed: usize,
    },

    /// A class has rows, but no text of its own.
    #[error(
        "none of the {n_rows} rows labelled {label} can be used: the same words (case, space and \
         punctuation aside) are labelled {other}, too"
    )]
    ClassWithoutTexts {
        /// The class, by name.
        label: &'static str,
        /// The other class.
        other: &'static str,
        /// How many rows have the label.
        n_rows: usize,
    },

    /// Texts have both labels, and that was not allowed.
    #[error(
        "{n_texts} {} both labels, such as {}; correct the labels, or say whether to keep the \
         first label or to drop such texts",
        if *n_texts == 1 { "text has" } else { "texts have" },
        RowPairs(examples)
    )]
    ConflictingLabels {
        /// How many texts.
        n_texts: usize,
        /// Data rows of the file, from 1: the first row of such a text, and the first with the other
        /// label.
        examples: Vec<[usize; 2]>,
    },

    /// There are too few groups to give every part of a split its share.
    #[error(
        "{n_groups} {} too few to split: rows of one group stay together, and {part} would get \
         {n_rows} of {n_all} rows",
        if *n_groups == 1 { "group is" } else { "groups are" }
    )]
    TooFewGroups {
        /// The number of groups.
        n_groups: usize,
        /// The part that would get too little.
        part: &'static str,
        /// The rows that it would get.
        n_rows: usize,
        /// The rows of all parts.
        n_all: usize,
    },

    /// One group is so large that the parts cannot have their shares.
    #[error(
        "one group holds {n_rows} of {n_all} rows (row {row} is one of them), and rows of one group \
         stay together: no split into the shares asked for is possible"
    )]
    LargeGroup {
        /// Its rows.
        n_rows: usize,
        /// The rows of all groups.
        n_all: usize,
        /// One of its rows, from 1.
        row: usize,
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

    /// There is a file already, and it may not be replaced.
    #[error("{} exists already; choose another name, or replace it with --force", path.display())]
    Exists {
        /// The path as given.
        path: PathBuf,
    },

    /// The file to write is the one that was read, and not all of it can be written back.
    #[error(
        "{} is the input, and its columns {} cannot be written back: they would be lost; choose \
         another file for the output",
        path.display(),
        QuotedList(columns)
    )]
    ColumnsLost {
        /// The path as given.
        path: PathBuf,
        /// The columns that were left out.
        columns: Vec<String>,
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

impl Error {
    /// A fault at a place of a file.
    pub(crate) fn at(path: &Path, place: Place, fault: Fault) -> Self {
        Self::Table { path: path.to_owned(), place, fault: Box::new(fault) }
    }

    /// What to do about it, in whole sentences, where the message does not say it itself; flags are
    /// those of the command line.
    pub fn advice(&self) -> Option<String> {
        Some(match self {
            Self::Table { fault, .. } => return fault.advice(),
            Self::UnknownExtension { path } => format::advice(path),
            Self::WrongContent { .. } => format::READ.into(),
            Self::UnknownEncoding { .. } => {
                "Usual ones are windows-1252, latin1, utf-16le, windows-1251, shift_jis, gb18030."
                    .into()
            }
            Self::Unpack { .. } => "Copy or download the file again.".into(),
            Self::NoColumn { role, .. } => format!("Name it with --{role}-column."),
            Self::AmbiguousColumn { role, .. } => {
                format!("Give its exact name with --{role}-column, or rename the others.")
            }
            Self::OwnAnswers { .. } => {
                "If these are labels that people gave, say so with --label-column.".into()
            }
            Self::NotTexts { .. } => "Name the text column with --text-column.".into(),
            Self::ColumnLeftOut { .. } => {
                "Choose another column, or make strings of its values.".into()
            }
            Self::AllTheSame { .. } => {
                "Look at how the file was made, or choose another column with --text-column.".into()
            }
            _ => return None,
        })
    }
}

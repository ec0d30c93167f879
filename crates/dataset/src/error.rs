//! Everything that can go wrong between a file and a batch; downloads have their own errors in `fetch`.
//!
//! Messages name the file, the place in it and the column. Rows are data rows, counted from 1: the
//! header is not counted, and a text that spans several lines is one row. Lines are lines of the file,
//! from 1. A problem at one place in a file is a [`Fault`].

use std::path::{Path, PathBuf};

use crate::tables::{Fault, Format, Place, format};
use crate::task_kind::TaskKind;
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

    /// A folder has no folders in it, which would be those of classes.
    #[error("{} is a folder without folders of classes in it{}", path.display(), LieDirectly(*n_texts))]
    NoClassFolder {
        /// The path as given.
        path: PathBuf,
        /// The number of texts directly in it.
        n_texts: usize,
    },

    /// A class's folder has no text in it or below it.
    #[error(
        "{} is the folder of a class, but no .txt file is in it{}",
        path.display(),
        OtherFilesAre(*n_others)
    )]
    EmptyClassFolder {
        /// The class's folder.
        path: PathBuf,
        /// The number of other files in it.
        n_others: usize,
    },

    /// A folder has the folder of only one class.
    #[error(
        "{} has the folder of one class only, \"{}\"; a classifier needs at least two classes",
        path.display(),
        shortened(name)
    )]
    OneClassFolder {
        /// The path as given.
        path: PathBuf,
        /// The class.
        name: String,
    },

    /// The folders in a folder are not classes but splits.
    #[error(
        "{} has the folders {}, which look like splits of the texts, not like classes",
        path.display(),
        QuotedList(folders)
    )]
    SplitFolders {
        /// The path as given.
        path: PathBuf,
        /// The folders.
        folders: Vec<String>,
        /// A split, as the command line calls it, and its folder: `train`, then `validation` and `test` if there are
        /// folders for them.
        splits: Vec<(&'static str, String)>,
    },

    /// The name of a file or folder is not Unicode.
    #[error("the name of {} is not Unicode", path.display())]
    FolderName {
        /// The path.
        path: PathBuf,
    },

    /// A file in a folder of texts is not text.
    #[error("{}, line {line}: expected a text in UTF-8, found {found}", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is there.
        found: String,
    },

    /// An option that is of a file's bytes was given for a folder.
    #[error("{} is a folder of texts, to which --{option} does not apply", path.display())]
    OptionOfFolder {
        /// The path as given.
        path: PathBuf,
        /// The option's name.
        option: &'static str,
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
        /// The system's error.
        source: std::io::Error,
    },

    /// The file was written to while it was read.
    #[error("{} has changed while it was read", path.display())]
    Changed {
        /// The path as given.
        path: PathBuf,
    },

    /// The file extension is unknown.
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
    #[error(
        "there is no format \"{}\"; expected csv, tsv, jsonl, parquet or fasttext",
        shortened(name)
    )]
    UnknownFormat {
        /// The name.
        name: String,
    },

    /// The user named an encoding that we do not know.
    #[error("there is no encoding \"{}\"{}", shortened(name), DidYouMean(nearest))]
    UnknownEncoding {
        /// The name.
        name: String,
        /// The nearest known name.
        nearest: Option<String>,
    },

    /// The user named a separator that cannot separate columns.
    #[error(
        "\"{}\" cannot separate columns; expected comma, semicolon, tab, pipe or another ASCII \
         punctuation mark",
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
        /// The decompressor's error.
        source: std::io::Error,
    },

    /// Something is wrong at one place in a file.
    #[error("{}{place}: {fault}", path.display())]
    Table {
        /// The path as given.
        path: PathBuf,
        /// Where in the file.
        place: Place,
        /// What is wrong there.
        fault: Box<Fault>,
    },

    /// The extension implies one format, but the bytes are in another.
    #[error("{} is not {expected}: {found}", path.display())]
    WrongContent {
        /// The path as given.
        path: PathBuf,
        /// The format that the extension implies.
        expected: Format,
        /// What the bytes look like, as a clause.
        found: &'static str,
    },

    /// The parser failed.
    #[error("{} is not readable as {format}: {detail}", path.display())]
    Malformed {
        /// The path as given.
        path: PathBuf,
        /// The format that was tried.
        format: Format,
        /// The parser's message, on one line.
        detail: String,
    },

    /// No column name suggests the role.
    #[error(
        "cannot guess the {role} column of {}; its columns are {}{}",
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
        /// The column whose name is nearest to one that we would guess.
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

    /// Several columns match the name that the user gave.
    #[error(
        "{}: column name \"{wanted}\" is ambiguous; it matches {}",
        path.display(),
        QuotedList(columns)
    )]
    AmbiguousColumn {
        /// The path as given.
        path: PathBuf,
        /// `text`, `label`, `group` or `weight`.
        role: &'static str,
        /// The name that the user gave.
        wanted: String,
        /// The matching columns.
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

    /// The requested column was left out of the table.
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

    /// A column of predictions would have been taken for labels.
    #[error(
        "{}: column \"{column}\" looks like predictions of this program, not labels, because it is \
         next to \"{beside}\"",
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
        "{}: column \"{column}\" holds only {found}, but column \"{better}\" holds longer texts; \
         which one is the text?",
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

    /// No file was named.
    #[error("expected at least one file")]
    NoFiles,

    /// One of several files has other columns than the first.
    #[error("{} does not have the columns of {}: {detail}", path.display(), first.display())]
    DifferentColumns {
        /// The path as given.
        path: PathBuf,
        /// The first file.
        first: PathBuf,
        /// The difference, as a clause.
        detail: String,
    },

    /// A column has a type that does not suit its role.
    #[error(
        "{}: column \"{column}\" has type {found}; a {role} column must hold {expected}",
        path.display()
    )]
    ColumnType {
        /// The path as given.
        path: PathBuf,
        /// The column.
        column: String,
        /// `text`, `label`, `group` or `weight`.
        role: &'static str,
        /// The type in the file.
        found: String,
        /// The accepted values.
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
        /// What the longer or shorter list contains, in the plural.
        what: &'static str,
        /// The number of rows.
        expected: usize,
        /// The number of items.
        got: usize,
    },

    /// More tokens or rows than 32 bits can count.
    #[error("{n_rows} rows are too many; a table can hold {}", u32::MAX)]
    TooManyRows {
        /// The number of rows.
        n_rows: usize,
    },

    /// The fractions of a split do not add up to 1.
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

    /// There are too few rows to split.
    #[error("{n_rows} rows are too few to split; at least {needed} are needed")]
    TooFewRows {
        /// The number of rows.
        n_rows: usize,
        /// The minimum.
        needed: usize,
    },

    /// Every row has the same label.
    #[error(
        "all {n_rows} rows are labelled {}; a classifier needs {}",
        shortened(label),
        if *n_classes == 2 { "both classes" } else { "at least two classes" }
    )]
    SingleClass {
        /// The only class, by name; where a row may have any number, all that every row has.
        label: String,
        /// The number of rows.
        n_rows: usize,
        /// The number of classes that there could be; 0 if it is not known.
        n_classes: usize,
    },

    /// No row has any label.
    #[error("none of the {n_rows} rows has a label")]
    NoLabels {
        /// The number of rows.
        n_rows: usize,
    },

    /// The map of labels leaves out every row.
    #[error("{}: the label map leaves out all {n_rows} rows", path.display())]
    AllSkipped {
        /// The path as given.
        path: PathBuf,
        /// The number of rows.
        n_rows: usize,
    },

    /// A label column does not hold labels.
    #[error(
        "{}: column \"{column}\" does not look like labels: it has {n_values} different values in \
         {n_rows} rows, such as {}",
        path.display(),
        QuotedList(examples)
    )]
    NotLabels {
        /// The path as given.
        path: PathBuf,
        /// The column.
        column: String,
        /// The number of different values.
        n_values: usize,
        /// The number of rows.
        n_rows: usize,
        /// Some of the values.
        examples: Vec<String>,
    },

    /// A label column has more values than the requested task has classes.
    #[error(
        "{}: column \"{column}\" has {} different labels ({}), but the task is {task}, which has two \
         classes",
        path.display(),
        values.len(),
        QuotedList(values)
    )]
    TooManyClasses {
        /// The path as given.
        path: PathBuf,
        /// The column.
        column: String,
        /// The requested task.
        task: TaskKind,
        /// The labels.
        values: Vec<String>,
    },

    /// Several label columns, which are one class each, but another task.
    #[error(
        "{}: {n_columns} label columns hold any number of labels a row, but the task is {task}",
        path.display()
    )]
    ColumnsAreAnyOf {
        /// The path as given.
        path: PathBuf,
        /// The number of label columns.
        n_columns: usize,
        /// The task.
        task: TaskKind,
    },

    /// A label column is named twice.
    #[error("{}: label column \"{column}\" is named twice", path.display())]
    LabelTwice {
        /// The path as given.
        path: PathBuf,
        /// The column.
        column: String,
    },

    /// A column of labels is called like none of the classes of a model.
    #[error(
        "{}: column \"{column}\" is not a class of the model; its classes are {}{}",
        path.display(),
        QuotedList(classes),
        DidYouMean(nearest)
    )]
    UnknownClassColumn {
        /// The path as given.
        path: PathBuf,
        /// The column.
        column: String,
        /// The classes.
        classes: Vec<String>,
        /// The nearest of them.
        nearest: Option<String>,
    },

    /// Two label columns of one class.
    #[error(
        "{path}: the label columns {:?} and {:?} are of the same class: names that differ only in case or \
         notation are the same", columns[0], columns[1]
    )]
    SameClassTwice {
        /// The path as given.
        path: PathBuf,
        /// Their names.
        columns: [String; 2],
    },

    /// A model's class has no label column, so that it would count as absent from all rows.
    #[error("{path}: no label column for {}, which the model predicts", QuotedList(missing))]
    ClassColumnsMissing {
        /// The path as given.
        path: PathBuf,
        /// The classes without a column.
        missing: Vec<String>,
    },

    /// Several label columns and a map of labels.
    #[error("a label map needs one label column, not {n_columns}")]
    MapOfColumns {
        /// The number of label columns.
        n_columns: usize,
    },

    /// A map of labels is not written as one.
    #[error("cannot read the label map \"{map}\": {detail}")]
    LabelMap {
        /// The map as written.
        map: String,
        /// What is wrong, with the part.
        detail: String,
    },

    /// The user named a task that we do not know.
    #[error("there is no task \"{}\"; expected binary, one-of or any-of", shortened(name))]
    UnknownTask {
        /// The name.
        name: String,
    },

    /// A class given in memory has no name.
    #[error("row {row}: class {class} is not one of {n_classes}, numbered from 0")]
    ClassOutOfRange {
        /// The row, from 1.
        row: usize,
        /// The class, from 0.
        class: u32,
        /// The number of classes.
        n_classes: usize,
    },

    /// Lists of classes given in memory are not well formed.
    #[error(
        "the starts of the rows must ascend from 0 to the number of classes, and the classes of a row \
         must ascend"
    )]
    MalformedTargets,

    /// Classes given in memory do not suit the task.
    #[error("the task {task} does not suit these labels or this number of classes ({n_classes})")]
    TargetsNotOfTask {
        /// The task.
        task: TaskKind,
        /// The number of classes.
        n_classes: usize,
    },

    /// One class a row on one side, any number on the other.
    #[error("labels of one class a row cannot be joined with labels of any number")]
    DifferentTargets,

    /// A weight given in memory is not a number of at least 0.
    #[error("row {row}: weight {value} is not a number of at least 0")]
    BadWeight {
        /// The row, from 1.
        row: usize,
        /// The weight.
        value: f32,
    },

    /// All rows have the weight 0.
    #[error("all {n_rows} rows have weight 0; at least one must be above 0")]
    NoWeight {
        /// The number of rows.
        n_rows: usize,
    },

    /// Only one of two splits has weights.
    #[error("rows with weights cannot be joined with rows without")]
    OneWithWeights,

    /// There are many rows but few distinct texts.
    #[error("{n_rows} rows have only {n_texts} distinct texts; at least {needed} are needed")]
    TooFewTexts {
        /// The number of rows.
        n_rows: usize,
        /// The number of texts left after duplicates are dropped.
        n_texts: usize,
        /// The minimum.
        needed: usize,
    },

    /// A class has rows, but deduplication leaves none of them.
    #[error(
        "none of the {n_rows} rows labelled {} can be used: the same words (ignoring case, spaces \
         and punctuation) are also labelled {}",
        shortened(label),
        shortened(other)
    )]
    ClassWithoutTexts {
        /// The class, by name.
        label: String,
        /// The other of the two classes.
        other: String,
        /// The number of rows with the label.
        n_rows: usize,
    },

    /// Some texts occur with different labels, which was not allowed.
    #[error(
        "{n_texts} {} {} labels, for example {}; correct the labels, or choose whether to keep the \
         first label or drop these texts",
        if *n_texts == 1 { "text has" } else { "texts have" },
        if *is_binary { "both" } else { "different" },
        RowPairs(examples)
    )]
    ConflictingLabels {
        /// The number of such texts.
        n_texts: usize,
        /// Whether each text has one of two classes.
        is_binary: bool,
        /// Data rows of the file, from 1: the first row of such a text, and the first with another
        /// label.
        examples: Vec<[usize; 2]>,
    },

    /// There are too few groups to give every part of the split its share.
    #[error(
        "{n_groups} {} too few to split: rows of one group stay together, so {part} would get \
         {n_rows} of {n_all} rows",
        if *n_groups == 1 { "group is" } else { "groups are" }
    )]
    TooFewGroups {
        /// The number of groups.
        n_groups: usize,
        /// The part that would get too few rows.
        part: &'static str,
        /// The rows that it would get.
        n_rows: usize,
        /// The rows of all parts.
        n_all: usize,
    },

    /// There are too few rows, or groups, for so many folds.
    #[error("{}", too_few_for_folds(*n_rows, *n_groups, *n_folds, *needed))]
    TooFewForFolds {
        /// The rows, without repeated texts.
        n_rows: usize,
        /// The groups, if they are too few; `None` if the rows are.
        n_groups: Option<usize>,
        /// The folds.
        n_folds: usize,
        /// The rows that are needed.
        needed: usize,
    },

    /// One group is too large for the requested fractions.
    #[error(
        "one group has {n_rows} of {n_all} rows (including row {row}), and rows of one group stay \
         together: the requested fractions are not possible"
    )]
    LargeGroup {
        /// Its rows.
        n_rows: usize,
        /// The rows of all groups.
        n_all: usize,
        /// One of its rows, from 1.
        row: usize,
    },

    /// A requested part of the split got no rows.
    #[error("{n_rows} rows are too few: a fraction of {fraction} leaves {part} empty")]
    EmptyPart {
        /// `validation` or `test`.
        part: &'static str,
        /// The number of rows to split.
        n_rows: usize,
        /// The requested fraction.
        fraction: f64,
    },

    /// A class got no row in the training part.
    #[error("no row labelled {} is left for training, out of {n_rows} in total", shortened(label))]
    ClassNotInTraining {
        /// The class, by name.
        label: String,
        /// The number of rows with that label.
        n_rows: usize,
    },

    /// A batch would have no rows or no steps.
    #[error("{what} must be at least 1")]
    Zero {
        /// The setting.
        what: &'static str,
    },

    /// The thread that prepares batches did not start.
    #[error("cannot start the thread that prepares batches")]
    Spawn {
        /// The system's error.
        source: std::io::Error,
    },

    /// The thread that prepares batches panicked.
    #[error("the thread that prepares batches stopped: {reason}")]
    WorkerStopped {
        /// Its panic message.
        reason: String,
    },

    /// Two columns of answers should have the same name.
    #[error("two columns of answers would be called \"{}\"", shortened(name))]
    AnswerTwice {
        /// The name.
        name: String,
    },

    /// The answers are not those that were declared.
    #[error("the answers do not have the kinds that were declared")]
    AnswerKinds,

    /// The columns of a Parquet file are not those that were declared.
    #[error("the columns do not have the kinds that were declared")]
    ColumnKinds,

    /// A column of a Parquet file has another number of values than its rows need.
    #[error("column \"{}\": expected {expected} values, got {got}", shortened(column))]
    ColumnLength {
        /// The column.
        column: String,
        /// The number that its rows need.
        expected: usize,
        /// The number of values.
        got: usize,
    },

    /// A chunk is not the next one.
    #[error("expected the chunk that begins with row {}, got row {}", expected + 1, got + 1)]
    OutOfOrder {
        /// The next row, from 0.
        expected: usize,
        /// The first row of the chunk, from 0.
        got: usize,
    },

    /// An output was to be completed before all rows were written.
    #[error("{got} of {expected} rows were written")]
    RowsMissing {
        /// The rows of the table.
        expected: usize,
        /// The rows written.
        got: usize,
    },

    /// Another process writes the output.
    #[error("{} is being written by another process{}", path.display(), Pid(*pid))]
    OutputInUse {
        /// The path as given.
        path: PathBuf,
        /// The process, if it is known.
        pid: Option<u32>,
    },

    /// The parts beside the output are of another run.
    #[error("{} holds parts of another run: {difference}", path.display())]
    OtherRun {
        /// The folder of parts.
        path: PathBuf,
        /// What differs, as a clause.
        difference: String,
    },

    /// The parts beside the output, or the output, were written by another version of the program.
    #[error("{} holds parts of another version of this program", path.display())]
    OldParts {
        /// The folder of parts.
        path: PathBuf,
    },

    /// A folder or file is not one of parts, or other files are in it, which must not be removed.
    #[error("{} exists and is not a folder of parts of this program and nothing else", path.display())]
    NotParts {
        /// The path.
        path: PathBuf,
    },

    /// The folder to write into does not exist.
    #[error("cannot write {}: folder {} does not exist", path.display(), folder.display())]
    NoFolder {
        /// The file to write.
        path: PathBuf,
        /// Its folder.
        folder: PathBuf,
    },

    /// The file already exists, and it may not be replaced.
    #[error("{} already exists; choose another name, or replace it with --force", path.display())]
    Exists {
        /// The path as given.
        path: PathBuf,
    },

    /// The output file is the input file, and some of its columns cannot be written back.
    #[error(
        "{} is the input file, and its columns {} cannot be written back and would be lost; choose \
         another output file",
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
        /// The system's error.
        source: std::io::Error,
    },

    /// Something is wrong with texts or labels from memory.
    #[error("{message}")]
    InMemory {
        /// What is wrong, in words for texts from memory: they are named by number, from 1.
        message: String,
        /// What to do about it, in full sentences, if the message does not say so.
        advice: Option<String>,
        /// The same in the words of a table, with the data.
        error: Box<Error>,
    },

    /// The format cannot hold the table.
    #[error("cannot write {} as {format}: {detail}", path.display())]
    Encode {
        /// The path as given.
        path: PathBuf,
        /// The format.
        format: Format,
        /// The writer's message, on one line.
        detail: String,
    },
}

impl Error {
    /// A fault at one place in a file.
    pub(crate) fn at(path: &Path, place: Place, fault: Fault) -> Self {
        Self::Table { path: path.to_owned(), place, fault: Box::new(fault) }
    }

    /// What to do about it, in full sentences, unless the message already says so. Flags are those of
    /// the command line.
    pub fn advice(&self) -> Option<String> {
        Some(match self {
            Self::Table { fault, .. } => return fault.advice(),
            Self::InMemory { advice, .. } => return advice.clone(),
            Self::Changed { .. } => "Start again, when nothing writes to it any more.".into(),
            Self::OtherRun { .. } | Self::OldParts { .. } => {
                "Delete this folder to start again, or start again with --force.".into()
            }
            Self::OutputInUse { .. } => "Wait for it to end, or choose another output.".into(),
            Self::NotParts { .. } => "Choose another name, or move it away.".into(),
            Self::DifferentColumns { .. } => {
                "Read files with different columns one by one, or make their columns equal.".into()
            }
            Self::UnknownExtension { path } => format::advice(path),
            Self::NoClassFolder { .. } | Self::EmptyClassFolder { .. } => {
                "Put each text in a .txt file of its own, in the folder of its class: reviews/positive/1.txt, \
                 reviews/negative/2.txt."
                    .into()
            }
            Self::SplitFolders { path, splits, .. } => {
                let paths = splits.iter().map(|(flag, name)| (flag, path.join(name)));
                let flags = paths.map(|(flag, path)| format!("--{flag} {}", path.display()));
                let flags: Vec<String> = flags.collect();
                let first = splits.first().map(|(_, name)| path.join(name)).unwrap_or_default();
                match &flags[..] {
                    [_] => format!("Name the folder in it: {}.", first.display()),
                    flags => format!(
                        "To train with these splits, name them: {}. Otherwise name one of them, such as {}.",
                        flags.join(" "),
                        first.display()
                    ),
                }
            }
            Self::NotText { .. } => {
                "Save it as UTF-8, or give it another ending to leave it out.".into()
            }
            Self::OptionOfFolder { .. } => {
                "Leave it out: each .txt file is one text in UTF-8.".into()
            }
            Self::WrongContent { .. } => format::READ.into(),
            Self::UnknownEncoding { .. } => {
                "Common encodings are windows-1252, latin1, utf-16le, windows-1251, shift_jis, gb18030."
                    .into()
            }
            Self::Unpack { .. } => "Copy or download the file again.".into(),
            Self::NoColumn { role, .. } => format!("Name it with --{role}-column."),
            Self::AmbiguousColumn { role, .. } => {
                format!("Give its exact name with --{role}-column, or rename the others.")
            }
            Self::OwnAnswers { .. } => {
                "If these are real labels, name the column with --label-column.".into()
            }
            Self::NotTexts { .. } => "Name the text column with --text-column.".into(),
            Self::ColumnLeftOut { .. } => {
                "Choose another column, or convert its values to strings.".into()
            }
            Self::NotLabels { .. } => {
                "Choose another column with --label-column, or set --task if these are classes."
                    .into()
            }
            Self::TooManyClasses { .. } => {
                "Map them to two classes with --labels, for example --labels \"1,2=negative; 3=skip; \
                 4,5=positive\", or choose --task one-of."
                    .into()
            }
            Self::ColumnsAreAnyOf { .. } => "Use --task any-of, or name one label column.".into(),
            Self::LabelTwice { .. } => "Name each column once.".into(),
            Self::UnknownClassColumn { .. } => {
                "Rename the column, or leave it out of --label-column.".into()
            }
            Self::ClassColumnsMissing { .. } => {
                "Name the columns of all labels with --label-column; a label that no row has may be a column of 0."
                    .into()
            }
            Self::MapOfColumns { .. } => "Leave out --labels, or name one label column.".into(),
            Self::TooFewForFolds { .. } => "Ask for fewer folds.".into(),
            Self::LabelMap { .. } => {
                "Write it like \"1,2=negative; 3=skip; 4,5=positive\".".into()
            }
            Self::AllSkipped { .. } => "Name at least one class in --labels.".into(),
            Self::AllTheSame { .. } => {
                "Check how the file was made, or choose another column with --text-column.".into()
            }
            _ => return None,
        })
    }
}

fn too_few_for_folds(
    n_rows: usize,
    n_groups: Option<usize>,
    n_folds: usize,
    needed: usize,
) -> String {
    match n_groups {
        Some(1) => format!("1 group is too few for {n_folds} folds: no group is ever in two"),
        Some(n_groups) => {
            format!("{n_groups} groups are too few for {n_folds} folds: no group is ever in two")
        }
        None => format!(
            "{n_rows} different texts are too few for {n_folds} folds; at least {needed} are needed"
        ),
    }
}

/// `; 2 .txt files lie directly in it`, or nothing.
struct LieDirectly(usize);

impl std::fmt::Display for LieDirectly {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            0 => Ok(()),
            1 => f.write_str("; one .txt file lies directly in it"),
            n_files => write!(f, "; {n_files} .txt files lie directly in it"),
        }
    }
}

/// ` (2 other files are)`, or nothing.
struct OtherFilesAre(usize);

impl std::fmt::Display for OtherFilesAre {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            0 => Ok(()),
            1 => f.write_str(" (1 other file is)"),
            n_files => write!(f, " ({n_files} other files are)"),
        }
    }
}

/// ` (process 123)`, or nothing.
struct Pid(Option<u32>);

impl std::fmt::Display for Pid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.map_or(Ok(()), |pid| write!(f, " (process {pid})"))
    }
}

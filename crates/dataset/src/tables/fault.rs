//! What can be wrong at one place in a file, and what to do about it.

use std::fmt;

use super::format::Format;
use super::separator::Separator;
use crate::quoted::Quoted;
use crate::wording::{DidYouMean, QuotedList, shortened};

/// A column with more distinct values does not hold classes.
const MANY_VALUES: usize = 20;

/// A place in a file, as far as it is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The data row, from 1: the header is not counted, and a text that spans several lines is one row.
    pub row: Option<usize>,
    /// The line of the file, from 1.
    pub line: Option<usize>,
}

impl Place {
    pub(crate) fn line(line: usize) -> Self {
        Self { row: None, line: Some(line) }
    }

    pub(crate) fn row(row: usize, line: Option<usize>) -> Self {
        Self { row: Some(row), line }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.row, self.line) {
            (Some(row), Some(line)) => write!(f, ", row {row} (line {line})"),
            (Some(row), None) => write!(f, ", row {row}"),
            (None, Some(line)) => write!(f, ", line {line}"),
            (None, None) => Ok(()),
        }
    }
}

/// What is wrong at one place in a file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// A byte is invalid in the encoding in which the file is read.
    #[error("not valid {encoding}: byte 0x{byte:02x}")]
    NotEncoded {
        /// The encoding.
        encoding: &'static str,
        /// The first invalid byte.
        byte: u8,
    },

    /// The file ends between the bytes of a character.
    #[error("the file ends in the middle of a character; it is not complete")]
    CutCharacter,

    /// A NUL character, which text tables do not allow.
    #[error("found a NUL character, which a text table cannot contain")]
    Nul {
        /// Whether the zeros are placed as in UTF-16.
        is_wide: bool,
    },

    /// A row has more or fewer fields than the table has columns.
    #[error(
        "expected {expected} {}{}, as in the first line, got {got}{}: \"{}\"",
        plural(*expected),
        SeparatedBy(*separator),
        if *at_end { ", and the file ends there" } else { "" },
        shortened(start)
    )]
    FieldCount {
        /// The number of columns.
        expected: usize,
        /// The number of fields of the row.
        got: usize,
        /// How the row begins.
        start: String,
        /// What separates the fields.
        separator: Separator,
        /// Whether the file ends with this row, without a line break.
        at_end: bool,
        /// The likely cause among the row's quotation marks.
        cause: QuoteCause,
    },

    /// A field begins with a quotation mark that nothing closes.
    #[error("a quoted field starts here and is never closed: \"{}\"", shortened(start))]
    Unclosed {
        /// How the field begins.
        start: String,
        /// The likely cause.
        cause: QuoteCause,
    },

    /// A field begins with a quotation mark, and text follows its closing quotation mark.
    #[error(
        "a quoted field starts here, but text follows its closing quotation mark{}: \"{}\"",
        AfterLines(*n_lines),
        shortened(end)
    )]
    ClosedInside {
        /// The lines between opening and closing; 0 on one line.
        n_lines: usize,
        /// The text around the closing quotation mark.
        end: String,
        /// The likely cause.
        cause: QuoteCause,
    },

    /// A quoted field is well formed, but the lines inside it look like rows.
    #[error(
        "a quoted field starts here and ends{}, but its lines look like rows: \"{}\"",
        AfterLines(*n_lines),
        shortened(start)
    )]
    Swallowed {
        /// The lines between opening and closing.
        n_lines: usize,
        /// How the row begins.
        start: String,
    },

    /// A tab-separated table can be read in two ways.
    #[error(
        "the quotation marks around a field may or may not be part of the text; both readings fit the \
         file: \"{}\"",
        shortened(start)
    )]
    AmbiguousQuotes {
        /// The field.
        start: String,
    },

    /// An unquoted field has a carriage return without a line feed, in a file with line feeds.
    #[error(
        "an unquoted field contains a carriage return without a line feed: \"{}\"",
        shortened(start)
    )]
    LoneReturn {
        /// The text before it.
        start: String,
    },

    /// A row has more bytes than any that is read.
    #[error("the row is longer than {mib} MiB: \"{}\"", shortened(start))]
    LongRow {
        /// The longest row that is read, in 2^20 bytes.
        mib: usize,
        /// How the row begins.
        start: String,
    },

    /// A line in fastText's format has more bytes than any that is read.
    #[error("the line is longer than {mib} MiB: \"{}\"", shortened(start))]
    LongLine {
        /// The longest line that is read, in 2^20 bytes.
        mib: usize,
        /// How the line begins.
        start: String,
    },

    /// A label in fastText's format has no name.
    #[error("a label has no name after \"__label__\"")]
    UnnamedLabel,

    /// A label in fastText's format comes after words of the text.
    #[error("label \"{}\" comes after the text has begun", shortened(label))]
    LateLabel {
        /// The label, with its beginning.
        label: String,
    },

    /// Two characters separate the first rows equally well.
    #[error("the columns may be separated by {one} or by {other}; both fit the first rows")]
    AmbiguousSeparator {
        /// One of them.
        one: Separator,
        /// The other one.
        other: Separator,
    },

    /// The first line looks like a row.
    #[error("the first line looks like data; is the header missing? got {}", QuotedList(names))]
    NoHeader {
        /// Its fields.
        names: Vec<String>,
    },

    /// Two columns have the same name.
    #[error("two columns are called \"{name}\" (columns {first} and {second})", name = shortened(name))]
    DuplicateColumn {
        /// The name.
        name: String,
        /// The first of them, from 1.
        first: usize,
        /// The second, from 1.
        second: usize,
    },

    /// A line is not exactly one JSON object.
    #[error("not readable as {format}: {detail}")]
    Json {
        /// JSON lines.
        format: Format,
        /// What is wrong.
        detail: String,
        /// Whether a value is not JSON; otherwise the line structure is wrong.
        is_value: bool,
    },

    /// A JSON object has the same key twice.
    #[error("the key \"{}\" occurs twice", shortened(key))]
    RepeatedKey {
        /// The key.
        key: String,
    },

    /// A JSON value in the text column is not text.
    #[error("column \"{column}\" holds {found} where a text is expected: {}", shortened(value))]
    NotText {
        /// The column.
        column: String,
        /// The kind of value.
        found: &'static str,
        /// The value.
        value: String,
    },

    /// A required cell has no value.
    #[error("column \"{column}\" has no value")]
    MissingValue {
        /// The column.
        column: String,
        /// `text`, `label`, `group` or `weight`.
        role: &'static str,
    },

    /// A label is likely to be misspelt, or is neither of the two usual classes.
    #[error(
        "unknown label \"{value}\"; expected {expected}{}; the column holds {}",
        DidYouMean(nearest),
        Counts(values)
    )]
    UnknownLabel {
        /// The label, shortened if it is long.
        value: String,
        /// The accepted values.
        expected: &'static str,
        /// The nearest accepted word.
        nearest: Option<String>,
        /// All values of the column and how often they occur, most frequent first.
        values: Vec<(String, usize)>,
    },

    /// A label is a word that programs write where there is no value.
    #[error("label \"{value}\" looks like a missing label; the column holds {}", Counts(values))]
    LooksMissing {
        /// The label.
        value: String,
        /// All values of the column and how often they occur, most frequent first.
        values: Vec<(String, usize)>,
    },

    /// A label is none of the classes of a model.
    #[error(
        "label \"{value}\" is not a class of the model; its classes are {}{}",
        QuotedList(classes),
        DidYouMean(nearest)
    )]
    NotOfModel {
        /// The label, shortened if it is long.
        value: String,
        /// The classes.
        classes: Vec<String>,
        /// The nearest of them.
        nearest: Option<String>,
    },

    /// A label of a validation or test file is none of those of the training file.
    #[error(
        "label \"{value}\" is not in the training file, whose labels are {}{}",
        QuotedList(classes),
        DidYouMean(nearest)
    )]
    NotInTraining {
        /// The label, shortened if it is long.
        value: String,
        /// The classes of the training file.
        classes: Vec<String>,
        /// The nearest of them.
        nearest: Option<String>,
    },

    /// A label is neither on the left nor on the right of a map of labels.
    #[error("label \"{value}\" is not in the label map ({map})")]
    NotInMap {
        /// The label, shortened if it is long.
        value: String,
        /// The map.
        map: String,
    },

    /// A column of labels holds numbers that are not whole.
    #[error("column \"{column}\" holds numbers such as {value}, not classes")]
    NotClasses {
        /// The column.
        column: String,
        /// The first such number.
        value: String,
    },

    /// A JSON value in a label column is not a label.
    #[error("column \"{column}\" holds {found} where a label is expected: {}", shortened(value))]
    NotLabel {
        /// The column.
        column: String,
        /// The kind of value.
        found: &'static str,
        /// The value.
        value: String,
    },

    /// A column of one class holds something else than 0 and 1.
    #[error(
        "column \"{column}\" holds \"{}\"; each of several label columns holds 0 or 1",
        shortened(value)
    )]
    NotZeroOrOne {
        /// The column.
        column: String,
        /// The value.
        value: String,
    },

    /// A weight is not a number of at least 0.
    #[error("weight \"{value}\" is not a number of at least 0")]
    BadWeight {
        /// The weight, shortened if it is long.
        value: String,
    },
}

/// The likely cause of misplaced quotation marks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum QuoteCause {
    /// Unknown.
    #[default]
    Unknown,
    /// Quotation marks inside texts are escaped with backslashes.
    Backslash,
    /// There is a space between a separator and a quotation mark.
    SpaceBefore,
}

impl Fault {
    /// What to do about it, in full sentences; flags are those of the command line.
    pub fn advice(&self) -> Option<String> {
        let quoted = |cause: &QuoteCause, other: String| match cause {
            QuoteCause::Backslash => {
                "Quotation marks in this file are escaped with a backslash (\\\"), as \
                 some databases do; in CSV they are doubled (\"\"). Export the table with doubled \
                 quotation marks, or replace \\\" with \"\"."
                    .to_owned()
            }
            QuoteCause::SpaceBefore => {
                "An opening quotation mark must come directly after the separator; \
                 remove the space before it."
                    .to_owned()
            }
            QuoteCause::Unknown => other,
        };
        let literal = "If quotation marks are ordinary characters in this file, read it with \
                       --quoting literal."
            .to_owned();
        Some(match self {
            Self::NotEncoded { encoding: "UTF-8", .. } => {
                "If the file comes from Windows or an older program, name its encoding: \
                 --encoding windows-1252 (Western European; also known as latin1), windows-1251 \
                 (Cyrillic), shift_jis, gb18030 and so on. Or save it as UTF-8."
                    .into()
            }
            Self::NotEncoded { .. } => "Name another encoding with --encoding NAME.".into(),
            Self::CutCharacter => "Copy or download the file again.".into(),
            Self::Nul { is_wide: true } => {
                "The file looks like UTF-16: read it with --encoding utf-16le, or save it as UTF-8."
                    .into()
            }
            Self::Nul { is_wide: false } => {
                "Remove it, or check that this is a complete text file.".into()
            }
            Self::FieldCount { expected, got, separator, cause, .. } => {
                quoted(cause, field_advice(*expected, *got, *separator))
            }
            Self::Unclosed { cause, .. } | Self::ClosedInside { cause, .. } => quoted(
                cause,
                format!(
                    "Inside a quoted field, every quotation mark must be doubled (\"\"); a single one \
                     ends it. {literal}"
                ),
            ),
            Self::Swallowed { .. } => format!(
                "If a quotation mark is unpaired, double it or remove it. {literal} If the text really \
                 has these lines, use --quoting standard."
            ),
            Self::AmbiguousQuotes { .. } => {
                "Use --quoting standard if the quotation marks only enclose \
                 the fields, or --quoting literal if they are part of the texts."
                    .into()
            }
            Self::LoneReturn { .. } => {
                "Put the field in quotation marks, or remove the carriage return.".into()
            }
            Self::LongRow { .. } => format!(
                "Check whether a quotation mark or a line break is missing. {literal}"
            ),
            Self::LongLine { .. } => "Check whether a line break is missing.".into(),
            Self::UnnamedLabel => {
                "Write the label's name directly after it, without a space: __label__positive some text."
                    .into()
            }
            Self::LateLabel { .. } => {
                "Write all labels of a line before its text; in the text, the label would give itself away."
                    .into()
            }
            Self::AmbiguousSeparator { .. } => "Name the right one with --separator.".into(),
            Self::NoHeader { .. } => "Add a first line with the column names, or use --no-header; \
                 the columns are then called 1, 2 and so on (--text-column 2 --label-column 1)."
                .into(),
            Self::DuplicateColumn { name, .. } if name.is_empty() => {
                "Give each column a name, or remove those without one.".into()
            }
            Self::DuplicateColumn { .. } => "Rename or remove one of them.".into(),
            Self::Json { is_value: true, .. } => "Write valid JSON: null for a missing number, \
                 complete characters in strings, no comma after the last member."
                .into(),
            Self::Json { is_value: false, .. } => "Each line must hold one whole object, such as \
                 {\"text\": \"...\", \"label\": 1}; `jq -c .` converts other JSON to this form."
                .into(),
            Self::RepeatedKey { .. } => "Rename or remove one of the two.".into(),
            Self::NotText { .. } => {
                "Choose another column with --text-column, or convert its values to strings.".into()
            }
            Self::MissingValue { role: "text", .. } => {
                "Leave out such rows with --missing skip, or treat \
                 them as empty texts with --missing empty."
                    .into()
            }
            Self::MissingValue { role: "label", .. } => format!(
                "Fill it in, or leave out such rows with {}.",
                labels_flag("", None)
            ),
            Self::MissingValue { .. } => "Fill it in, or remove the row.".into(),
            Self::LooksMissing { value, .. } if value.is_empty() => {
                format!("Fill it in, or leave out such rows with {}.", labels_flag("", None))
            }
            Self::UnknownLabel { value, nearest, values, .. } => {
                label_advice(value, nearest.as_deref(), values)
            }
            Self::LooksMissing { value, .. } => format!(
                "Fill it in, or leave out such rows with {}. If it is a class, say so with {}.",
                labels_flag(value, None),
                labels_flag(value, Some(value))
            ),
            Self::NotOfModel { value, nearest, .. } => {
                format!("Correct it, or map it with {}.", labels_flag(value, nearest.as_deref()))
            }
            Self::NotInTraining { value, nearest, .. } => format!(
                "Correct it, map it with {}, or add texts with this label to the training file: a model learns only \
                 the labels that are there.",
                labels_flag(value, nearest.as_deref())
            ),
            Self::NotInMap { value, .. } => format!(
                "Add it to --labels, for example {}=skip, or decide about all other values with \
                 *=skip or *=keep.",
                Quoted(value)
            ),
            Self::NotClasses { .. } => {
                "Group the numbers into classes first, or choose another column with \
                 --label-column. If each number is a class, set the task (--task one-of)."
                    .into()
            }
            Self::NotLabel { .. } => {
                "Write a string, a number, true or false, or a list of strings and numbers.".into()
            }
            Self::NotZeroOrOne { .. } => {
                "Write 1 where the row has the label and 0 where it has not, or name one label column."
                    .into()
            }
            Self::BadWeight { .. } => {
                "Write a number of at least 0, or choose another column with --weight-column.".into()
            }
        })
    }
}

fn field_advice(expected: usize, got: usize, separator: Separator) -> String {
    if got > expected {
        let mark = match separator {
            Separator::TAB => "a tab".to_owned(),
            other => format!("\"{}\"", char::from(other.byte())),
        };
        return format!(
            "A text that contains {mark} must be in quotation marks; export the table with a program \
             that adds them."
        );
    }
    "Either fields are missing, or a text with a line break is not in quotation marks.".to_owned()
}

/// What to do about a label, given all values that occur.
fn label_advice(value: &str, nearest: Option<&str>, values: &[(String, usize)]) -> String {
    if looks_missing(value) {
        return format!(
            "Such a row has no label; fill it in, remove the row, or leave it out with {}.",
            labels_flag(value, None)
        );
    }
    if values.len() > MANY_VALUES {
        return "This does not look like a column of labels; choose another with --label-column."
            .into();
    }
    match nearest {
        Some(nearest) => format!(
            "Correct it, or map it with {}. If it is a class of its own, set the task (--task), which \
             turns this check off.",
            labels_flag(value, Some(nearest))
        ),
        None => {
            "The classes are negative and positive: map other values with --labels, for example \
                 --labels \"1,2=negative; 3=skip; 4,5=positive\"."
                .into()
        }
    }
}

/// The flag that maps a value to a name, or leaves its rows out, and keeps all others.
fn labels_flag(value: &str, name: Option<&str>) -> String {
    let name = name.map_or("skip".to_owned(), |name| Quoted(name).to_string());
    let map = format!("{}={name}; *=keep", Quoted(value));
    // In a shell, quotation marks inside others need the other kind.
    let mark = if map.contains('"') { '\'' } else { '"' };
    format!("--labels {mark}{map}{mark}")
}

/// Whether a word is one that programs write where there is no value.
pub(crate) fn looks_missing(value: &str) -> bool {
    let word = value.trim().to_ascii_lowercase();
    ["", "nan", "na", "n/a", "none", "null", "-", "?"].contains(&word.as_str())
}

fn plural(n_fields: usize) -> &'static str {
    if n_fields == 1 { "field" } else { "fields" }
}

/// ` separated by semicolons`, or nothing for commas.
struct SeparatedBy(Separator);

impl fmt::Display for SeparatedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Separator::COMMA => Ok(()),
            other => write!(f, " separated by {other}"),
        }
    }
}

/// ` 3 lines below`, or nothing.
struct AfterLines(usize);

impl fmt::Display for AfterLines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => Ok(()),
            1 => f.write_str(" one line below"),
            n_lines => write!(f, " {n_lines} lines below"),
        }
    }
}

/// `"a" (3 times), "b" (once) and 2 more values`.
struct Counts<'a>(&'a [(String, usize)]);

impl fmt::Display for Counts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n_shown = if self.0.len() > MANY_VALUES { 3 } else { 8 };
        for (idx, (value, n_rows)) in self.0.iter().take(n_shown).enumerate() {
            let comma = if idx == 0 { "" } else { ", " };
            write!(f, "{comma}\"{}\" (", shortened(value))?;
            match n_rows {
                1 => f.write_str("once)")?,
                2 => f.write_str("twice)")?,
                n_rows => write!(f, "{n_rows} times)")?,
            }
        }
        match self.0.len().saturating_sub(n_shown) {
            0 => Ok(()),
            n_more => write!(f, " and {n_more} more values"),
        }
    }
}

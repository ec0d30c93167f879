//! What a reader did that a user should hear of.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::format::Format;
use super::options::Separator;
use crate::wording::QuotedList;

/// What a reader did that a user should hear of, in the order in which it did it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadNotes(Vec<Note>);

impl ReadNotes {
    /// The notes; each prints as a clause without a full stop.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Note> + Clone {
        self.0.iter()
    }

    /// Whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many rows had no text and were left out.
    pub fn n_skipped(&self) -> usize {
        self.0
            .iter()
            .map(|note| if let Note::Skipped { n_rows } = note { *n_rows } else { 0 })
            .sum()
    }

    /// How many rows had no text and count as empty ones.
    pub fn n_empty(&self) -> usize {
        self.0.iter().map(|note| if let Note::Empty { n_rows } = note { *n_rows } else { 0 }).sum()
    }

    pub(crate) fn add(&mut self, note: Note) {
        self.0.push(note);
    }
}

/// One thing that a reader did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Note {
    /// The bytes are compressed, and the name does not say so.
    Unpacked {
        /// `gzip` or `zstd`.
        compression: String,
    },
    /// A mark at the beginning says another encoding than UTF-8, or than the one named.
    Mark {
        /// The encoding of the mark.
        encoding: String,
    },
    /// The columns are separated by something else than the format promises.
    Separated {
        /// By what.
        by: Separator,
        /// The format.
        format: Format,
    },
    /// A first line `sep=;`, as Excel writes it, says what separates the columns.
    SeparatorLine {
        /// What it says.
        by: Separator,
    },
    /// Lines before the header that begin with `#` were passed over.
    Comments {
        /// How many.
        n_lines: usize,
    },
    /// Blank lines before the header were passed over.
    BlankBefore {
        /// How many.
        n_lines: usize,
    },
    /// Fields of a table with tabs begin with a quotation mark, and are taken as they stand.
    LiteralQuotes {
        /// How many fields.
        n_fields: usize,
        /// The line of the first.
        line: usize,
    },
    /// A quoted field has so many lines that its quotation may be a mistake.
    LongQuotation {
        /// The data row, from 1.
        row: usize,
        /// The line where the row begins.
        line: usize,
        /// How many lines it has.
        n_lines: usize,
    },
    /// The file is one JSON array of objects.
    Array,
    /// Columns that no text table can hold were left out.
    LeftOut {
        /// Their names.
        columns: Vec<String>,
    },
    /// A column of answers was not taken as labels.
    OwnAnswers {
        /// The column that was passed over.
        column: String,
        /// The column that was taken.
        taken: String,
    },
    /// The text column, which the user named, does not look like one.
    NotTexts {
        /// The column.
        column: String,
        /// `numbers` or `single words`.
        found: String,
        /// A column that holds longer texts.
        better: String,
    },
    /// Rows without text were left out.
    Skipped {
        /// How many.
        n_rows: usize,
    },
    /// Rows without text count as empty texts.
    Empty {
        /// How many.
        n_rows: usize,
    },
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unpacked { compression } => write!(f, "unpacked it with {compression}"),
            Self::Mark { encoding } => {
                write!(f, "read it as {encoding}, as the mark at its beginning says")
            }
            Self::Separated { by, format } => {
                write!(f, "its columns are separated by {by}, which is unusual for {format}")
            }
            Self::SeparatorLine { by } => {
                write!(f, "its columns are separated by {by}, as its first line says")
            }
            Self::Comments { n_lines } => {
                write!(f, "passed over {} beginning with # before the header", Lines(*n_lines))
            }
            Self::BlankBefore { n_lines } => {
                write!(f, "passed over {} before the header", Blank(*n_lines))
            }
            Self::LiteralQuotes { n_fields, line } => write!(
                f,
                "{n_fields} {} with a quotation mark (the first on line {line}), which was taken as \
                 part of the text",
                if *n_fields == 1 { "field begins" } else { "fields begin" }
            ),
            Self::LongQuotation { row, line, n_lines } => write!(
                f,
                "row {row} (line {line}) has a quoted text of {n_lines} lines; if these are several \
                 rows, a quotation mark is missing there"
            ),
            Self::Array => f.write_str("read it as one JSON array of objects"),
            Self::LeftOut { columns } => write!(
                f,
                "left out columns of types that a table of text cannot hold: {}",
                QuotedList(columns)
            ),
            Self::OwnAnswers { column, taken } => write!(
                f,
                "column \"{column}\" stands beside a probability, as answers of this program do, \
                 and was not taken as the label; took \"{taken}\""
            ),
            Self::NotTexts { column, found, better } => write!(
                f,
                "column \"{column}\" holds only {found}; column \"{better}\" holds longer texts"
            ),
            Self::Skipped { n_rows } => write!(f, "left out {} without text", Rows(*n_rows)),
            Self::Empty { n_rows } => {
                write!(f, "took {} without text as empty texts", Rows(*n_rows))
            }
        }
    }
}

struct Rows(usize);

impl fmt::Display for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0, if self.0 == 1 { "row" } else { "rows" })
    }
}

struct Lines(usize);

impl fmt::Display for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0, if self.0 == 1 { "line" } else { "lines" })
    }
}

struct Blank(usize);

impl fmt::Display for Blank {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} blank {}", self.0, if self.0 == 1 { "line" } else { "lines" })
    }
}

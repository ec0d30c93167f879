//! Notes on what a reader did that the user should know.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::format::Format;
use super::separator::Separator;
use crate::task_kind::TaskKind;
use crate::wording::{QuotedList, shortened};

/// What a reader did that the user should know, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadNotes(Vec<Note>);

impl ReadNotes {
    /// The notes; each prints as a clause without a full stop.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Note> + Clone {
        self.0.iter()
    }

    /// Whether there are no notes.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The number of rows left out because they had no text.
    pub fn n_skipped(&self) -> usize {
        self.0
            .iter()
            .map(|note| if let Note::Skipped { n_rows } = note { *n_rows } else { 0 })
            .sum()
    }

    /// The number of rows without text that count as empty texts.
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
    /// A byte order mark says another encoding than UTF-8, or than the one named.
    Mark {
        /// The encoding that the mark says.
        encoding: String,
    },
    /// The separator is not the usual one for the format.
    Separated {
        /// The separator found.
        by: Separator,
        /// The format.
        format: Format,
    },
    /// A first line `sep=;`, as Excel writes it, names the separator.
    SeparatorLine {
        /// The separator that it names.
        by: Separator,
    },
    /// Lines before the header that begin with `#` were skipped.
    Comments {
        /// The number of lines.
        n_lines: usize,
    },
    /// Blank lines before the header were skipped.
    BlankBefore {
        /// The number of lines.
        n_lines: usize,
    },
    /// Fields of a tab-separated table begin with a quotation mark, which is taken literally.
    LiteralQuotes {
        /// The number of such fields.
        n_fields: usize,
        /// The line of the first.
        line: usize,
    },
    /// A quoted field has so many lines that a quotation mark may be missing.
    LongQuotation {
        /// The data row, from 1.
        row: usize,
        /// The line on which the row begins.
        line: usize,
        /// The number of lines of the field.
        n_lines: usize,
    },
    /// The file is one JSON array of objects.
    Array,
    /// Columns that a text table cannot hold were left out.
    LeftOut {
        /// Their names.
        columns: Vec<String>,
    },
    /// A column of predictions was not used as labels.
    OwnAnswers {
        /// The column that was not used.
        column: String,
        /// The column that was used.
        taken: String,
    },
    /// The text column that the user named does not look like one.
    NotTexts {
        /// The column.
        column: String,
        /// `numbers` or `single words`.
        found: String,
        /// A column that holds longer texts.
        better: String,
    },
    /// What the labels mean, where they are not the usual two classes.
    Classes {
        /// The column.
        column: String,
        /// The task.
        task: TaskKind,
        /// The names of the classes.
        names: Vec<String>,
    },
    /// Cells of the label column hold several labels.
    SeveralLabels {
        /// The column.
        column: String,
        /// What separates them.
        separator: char,
    },
    /// Values that differ in case or surrounding spaces are one class.
    Spellings {
        /// The name of the class.
        name: String,
        /// Its other spellings.
        others: Vec<String>,
    },
    /// A label map names values that do not occur.
    UnusedInMap {
        /// The values.
        values: Vec<String>,
    },
    /// Rows were left out because of their labels.
    SkippedLabels {
        /// The number of rows.
        n_rows: usize,
    },
    /// Rows without text were left out.
    Skipped {
        /// The number of rows.
        n_rows: usize,
    },
    /// Rows without text count as empty texts.
    Empty {
        /// The number of rows.
        n_rows: usize,
    },
    /// Rows have no label, where each has any number.
    Unlabelled {
        /// The number of rows.
        n_rows: usize,
    },
    /// A folder beside those of the classes was left out, because its name says that its texts have no labels.
    FolderWithoutLabel {
        /// Its name.
        folder: String,
    },
    /// Files directly in a folder of texts were left out, because they are in no class's folder.
    FilesBeside {
        /// The number of files.
        n_files: usize,
        /// The first of them.
        first: String,
    },
    /// Files and folders in a folder of texts were left out, because they are hidden or do not end in `.txt`.
    OtherFiles {
        /// The number of files and folders.
        n_files: usize,
        /// The first of them.
        first: String,
    },
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unpacked { compression } => write!(f, "unpacked it with {compression}"),
            Self::Mark { encoding } => {
                write!(f, "read it as {encoding}, as its byte order mark says")
            }
            Self::Separated { by, format } => {
                write!(f, "its columns are separated by {by}, which is unusual for {format}")
            }
            Self::SeparatorLine { by } => {
                write!(f, "its columns are separated by {by}, as its first line says")
            }
            Self::Comments { n_lines } => {
                write!(f, "skipped {} beginning with # before the header", Lines(*n_lines))
            }
            Self::BlankBefore { n_lines } => {
                write!(f, "skipped {} before the header", Blank(*n_lines))
            }
            Self::LiteralQuotes { n_fields, line } => write!(
                f,
                "{n_fields} {} with a quotation mark (the first on line {line}), which was taken as \
                 part of the text",
                if *n_fields == 1 { "field begins" } else { "fields begin" }
            ),
            Self::LongQuotation { row, line, n_lines } => write!(
                f,
                "row {row} (line {line}) has a quoted text of {n_lines} lines; if these are separate \
                 rows, a quotation mark is missing"
            ),
            Self::Array => f.write_str("read it as one JSON array of objects"),
            Self::LeftOut { columns } => write!(
                f,
                "left out columns whose types a text table cannot hold: {}",
                QuotedList(columns)
            ),
            Self::OwnAnswers { column, taken } => write!(
                f,
                "column \"{column}\" is next to a probability column, like predictions of this program, \
                 so it was not used as the label; used \"{taken}\" instead"
            ),
            Self::NotTexts { column, found, better } => write!(
                f,
                "column \"{column}\" holds only {found}; column \"{better}\" holds longer texts"
            ),
            Self::Classes { column, task, names } => {
                let n_classes = Number(names.len());
                write!(f, "label column \"{column}\": ")?;
                match (task, &names[..]) {
                    (TaskKind::Binary, [negative, positive]) => write!(
                        f,
                        "two classes, \"{}\" and \"{}\" (positive)",
                        shortened(negative),
                        shortened(positive)
                    ),
                    (TaskKind::AnyOf, _) => {
                        write!(
                            f,
                            "any number of {n_classes} labels per text: {}",
                            QuotedList(names)
                        )
                    }
                    _ => write!(f, "{n_classes} classes: {}", QuotedList(names)),
                }
            }
            Self::SeveralLabels { column, separator } => write!(
                f,
                "column \"{column}\" holds several labels in a cell, separated by \"{separator}\"; if each \
                 cell is one class, set the task to one-of"
            ),
            Self::Spellings { name, others } => write!(
                f,
                "took {} as other spellings of the label \"{}\"",
                QuotedList(others),
                shortened(name)
            ),
            Self::UnusedInMap { values } => {
                write!(f, "no row has the label {} of the label map", QuotedList(values))
            }
            Self::SkippedLabels { n_rows } => {
                write!(f, "left out {}, as the label map says", Rows(*n_rows))
            }
            Self::Skipped { n_rows } => write!(f, "left out {} without text", Rows(*n_rows)),
            Self::Empty { n_rows } => {
                write!(f, "treated {} without text as empty texts", Rows(*n_rows))
            }
            Self::Unlabelled { n_rows: 1 } => {
                f.write_str("1 row without a label counts as a text that has none")
            }
            Self::Unlabelled { n_rows } => {
                write!(f, "{} without a label count as texts that have none", Rows(*n_rows))
            }
            Self::FolderWithoutLabel { folder } => {
                write!(
                    f,
                    "left out the folder \"{}\", whose texts have no labels",
                    shortened(folder)
                )
            }
            Self::FilesBeside { n_files: 1, first } => {
                write!(f, "left out a file that is in no class's folder, \"{}\"", shortened(first))
            }
            Self::FilesBeside { n_files, first } => write!(
                f,
                "left out {n_files} files that are in no class's folder, the first of them \"{}\"",
                shortened(first)
            ),
            Self::OtherFiles { n_files: 1, first } => write!(
                f,
                "left out a file or folder that is hidden or does not end in .txt, \"{}\"",
                shortened(first)
            ),
            Self::OtherFiles { n_files, first } => write!(
                f,
                "left out {n_files} files or folders that are hidden or do not end in .txt, the first of \
                 them \"{}\"",
                shortened(first)
            ),
        }
    }
}

/// Small numbers as words.
struct Number(usize);

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const WORDS: [&str; 13] = [
            "no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
            "eleven", "twelve",
        ];
        match WORDS.get(self.0) {
            Some(word) => f.write_str(word),
            None => write!(f, "{}", self.0),
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

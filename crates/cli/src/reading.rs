//! How commands read tables: the flags that they share, and printing the reader's notes.

use std::path::Path;

use clap::ValueEnum;
use dataset::{
    ChosenColumn, ColumnNames, Encoding, Format, Header, Missing, Quoting, ReadNotes, ReadOptions,
    Separator,
};

/// The flags.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Reading")]
pub(crate) struct ReadingArgs {
    /// Format of the table, if its name has no known extension (a pipe, or - for standard input) [default: by the name,
    /// else fasttext if the first line is like "__label__positive some text"]
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<FormatName>,

    /// Encoding of the file, such as windows-1252 [default: by the byte order mark, else UTF-8]
    #[arg(long, value_name = "NAME", value_parser = Encoding::named)]
    encoding: Option<Encoding>,

    /// Column separator of a text table: comma, semicolon, tab, pipe or a single character
    /// [default: detected]
    #[arg(long, value_name = "NAME", value_parser = Separator::named)]
    separator: Option<Separator>,

    /// What quotation marks mean in a text table
    #[arg(long, value_enum, default_value_t, value_name = "MEANING")]
    quoting: QuotingName,

    /// The first line is data, not column names; the columns are named 1, 2 and so on
    #[arg(long)]
    no_header: bool,

    /// What to do with rows without a text (a quoted "" counts as an empty text)
    #[arg(long, value_enum, default_value_t, value_name = "ACTION")]
    missing: MissingName,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FormatName {
    Csv,
    Tsv,
    Jsonl,
    Parquet,
    Fasttext,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum QuotingName {
    /// They enclose fields; in a tab-separated table, detected from the whole file
    #[default]
    Auto,
    /// They enclose fields and are doubled inside them
    Standard,
    /// Nothing: they are part of the text
    Literal,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum MissingName {
    /// Stop with an error that names the row
    #[default]
    Error,
    /// Skip them, and print how many there are
    Skip,
    /// Use them as empty texts, and print how many there are
    Empty,
}

impl ReadingArgs {
    /// Whether no flag was given.
    pub(crate) fn is_default(&self) -> bool {
        self.options() == ReadOptions::default()
    }

    /// The options that the flags stand for.
    pub(crate) fn options(&self) -> ReadOptions {
        ReadOptions {
            format: self.format.map(|name| match name {
                FormatName::Csv => Format::Csv,
                FormatName::Tsv => Format::Tsv,
                FormatName::Jsonl => Format::JsonLines,
                FormatName::Parquet => Format::Parquet,
                FormatName::Fasttext => Format::FastText,
            }),
            encoding: self.encoding,
            separator: self.separator,
            header: if self.no_header { Header::Absent } else { Header::Present },
            quoting: match self.quoting {
                QuotingName::Auto => Quoting::Auto,
                QuotingName::Standard => Quoting::Standard,
                QuotingName::Literal => Quoting::Literal,
            },
            missing: match self.missing {
                MissingName::Error => Missing::Error,
                MissingName::Skip => Missing::Skip,
                MissingName::Empty => Missing::Empty,
            },
        }
    }
}

/// Prints the reader's notes.
pub(crate) fn tell_notes(path: &Path, notes: &ReadNotes) {
    for note in notes.iter() {
        eprintln!("{}: {note}", path.display());
    }
}

/// Prints which columns were guessed, and the other candidates.
pub(crate) fn tell_guesses(path: &Path, columns: &ColumnNames) {
    tell_guess(path, "text", &columns.text);
    for column in &columns.labels {
        tell_guess(path, "label", column);
    }
}

/// Prints that a column was guessed, and the other candidates.
pub(crate) fn tell_guess(path: &Path, role: &str, column: &ChosenColumn) {
    if !column.guessed {
        return;
    }
    let (path, name) = (path.display(), &column.name);
    if column.candidates.is_empty() {
        eprintln!("{path}: using column {name:?} as the {role}");
    } else {
        let others: Vec<String> =
            column.candidates.iter().map(|other| format!("{other:?}")).collect();
        eprintln!(
            "{path}: using column {name:?} as the {role}, not {}; choose another with --{role}-column",
            others.join(" or ")
        );
    }
}

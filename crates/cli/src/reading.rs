//! How a command reads its table: the flags that all commands share, and what the reader has to say.

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
    /// Format of the table, where its name does not tell it (a pipe, or `-` for standard input)
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<FormatName>,

    /// Encoding of the file, such as windows-1252 [default: UTF-8, or what its byte order mark says]
    #[arg(long, value_name = "NAME", value_parser = Encoding::named)]
    encoding: Option<Encoding>,

    /// What separates the columns of a text table: comma, semicolon, tab, pipe or a character
    /// [default: found in the file]
    #[arg(long, value_name = "NAME", value_parser = Separator::named)]
    separator: Option<Separator>,

    /// What quotation marks mean in a text table
    #[arg(long, value_enum, default_value_t, value_name = "MEANING")]
    quoting: QuotingName,

    /// The first line holds data, not names: columns are called 1, 2 and so on
    #[arg(long)]
    no_header: bool,

    /// What to do with rows that have no text (a quoted "" is a text, an empty one)
    #[arg(long, value_enum, default_value_t, value_name = "ACTION")]
    missing: MissingName,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FormatName {
    Csv,
    Tsv,
    Jsonl,
    Parquet,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum QuotingName {
    /// They enclose fields; in a table with tabs, whatever fits the whole file
    #[default]
    Auto,
    /// They enclose fields, and are doubled inside them
    Standard,
    /// Nothing: they belong to the texts
    Literal,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum MissingName {
    /// Stop, and name the row
    #[default]
    Error,
    /// Leave them out, and say how many there are
    Skip,
    /// Read them as empty texts, and say how many there are
    Empty,
}

impl ReadingArgs {
    /// Whether no flag was given.
    pub(crate) fn is_default(&self) -> bool {
        self.options() == ReadOptions::default()
    }

    /// What the flags ask for.
    pub(crate) fn options(&self) -> ReadOptions {
        ReadOptions {
            format: self.format.map(|name| match name {
                FormatName::Csv => Format::Csv,
                FormatName::Tsv => Format::Tsv,
                FormatName::Jsonl => Format::JsonLines,
                FormatName::Parquet => Format::Parquet,
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

/// Says what the reader did that a user should know.
pub(crate) fn tell_notes(path: &Path, notes: &ReadNotes) {
    for note in notes.iter() {
        eprintln!("{}: {note}", path.display());
    }
}

/// Says which columns were guessed, and which others would have done.
pub(crate) fn tell_guesses(path: &Path, columns: &ColumnNames) {
    tell_guess(path, "text", &columns.text);
    tell_guess(path, "label", &columns.label);
}

/// Says that a column was guessed, and which others would have done.
pub(crate) fn tell_guess(path: &Path, role: &str, column: &ChosenColumn) {
    if !column.guessed {
        return;
    }
    let (path, name) = (path.display(), &column.name);
    if column.candidates.is_empty() {
        eprintln!("{path}: took column {name:?} as the {role}");
    } else {
        let others: Vec<String> =
            column.candidates.iter().map(|other| format!("{other:?}")).collect();
        eprintln!(
            "{path}: took column {name:?} as the {role}, not {}; --{role}-column chooses another",
            others.join(" or ")
        );
    }
}

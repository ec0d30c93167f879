//! The flags of `sentiment predict`.

use std::path::PathBuf;

use dataset::BadRows;

use super::columns::ColumnName;
use crate::answer::Showing;
use crate::device::DeviceArgs;
use crate::reading::ReadingArgs;

/// Classifies texts, with the probability of the predicted class; of two classes, that of the positive one.
///
/// Texts come from the command line, from tables (--input), or line by line from standard input.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  sentiment predict --model models/default \"What a film!\" \"I left early.\"
  cat lines.txt | sentiment predict --model models/default --json
  sentiment predict --model models/default --input reviews.csv --output answers.csv
  sentiment predict --model models/default --input \"logs/*.jsonl.gz\" --output answers.parquet
  sentiment predict --model models/topics --top 3 --abstain 0.6 \"Parliament votes on the budget\"
  zcat old.csv.gz | sentiment predict --model models/default --input - --format csv \\
      --encoding windows-1252 --output answers.parquet

Put -- before a text that begins with a dash: predict --model models/default -- \"-5 stars\"

--output writes all columns of the input, then the columns of --columns. If the input has columns of these names, the new ones are predicted_label_2 and probability_2, and so on. Where a text may have several labels, there is a column probability_of_LABEL for each, and predicted_label holds those predicted (a line has - if there are none). --top K adds top_1_label, top_1_probability and so on.

A table may be of any size: first every row is checked, then it is answered in parts, which are kept in OUTPUT.parts until all are there. If the run is stopped or killed, the same command goes on where it stopped.")]
pub(crate) struct Args {
    /// Folder of a trained model
    #[arg(long, value_name = "DIR")]
    pub(super) model: PathBuf,

    /// Texts to classify [default: the lines of standard input]
    #[arg(value_name = "TEXT", conflicts_with = "input")]
    pub(super) texts: Vec<String>,

    /// Tables of texts: .parquet, .csv, .tsv or .jsonl, also with .gz or .zst; lines in fastText's format; a folder with a
    /// folder of .txt files for each class; - for standard input. Several files, or a pattern such as "logs/*.csv", are
    /// one table; they need the same columns
    #[arg(long, value_name = "FILE", requires = "output", num_args = 1..)]
    pub(super) input: Vec<PathBuf>,

    /// Output table, or - for standard output: the input plus columns of predictions (see below)
    #[arg(long, value_name = "FILE", requires = "input", help_heading = "Tables")]
    pub(super) output: Option<PathBuf>,

    /// Columns to add, separated by commas [default: predicted_label,probability]
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        value_name = "NAMES",
        requires = "input",
        help_heading = "Tables"
    )]
    pub(super) columns: Vec<ColumnName>,

    /// Replace the output file if it exists, and start anew if parts of another run are there
    #[arg(long, requires = "output", help_heading = "Tables")]
    pub(super) force: bool,

    /// Leave the output as a folder of parts with a _manifest.json, in the format of --output's extension
    #[arg(long, requires = "output", help_heading = "Tables")]
    pub(super) parts: bool,

    /// What to do with rows that cannot be read or have no text
    #[arg(
        long,
        value_enum,
        default_value_t,
        value_name = "ACTION",
        requires = "input",
        help_heading = "Tables"
    )]
    pub(super) bad_rows: BadRowsName,

    /// Print how long reading, encoding, the network and writing took
    #[arg(long, requires = "input", help_heading = "Tables")]
    pub(super) profile: bool,

    /// Also give the K most probable classes, whatever the model's thresholds decide
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) top: Option<u16>,

    /// Predict nothing where the predicted class is less probable than this, so that a person can decide (a line
    /// has ? then, a table an empty cell)
    #[arg(long, value_name = "BELOW", value_parser = probability)]
    pub(super) abstain: Option<f32>,

    /// Column with the texts [default: the one used in training, or guessed by name]
    #[arg(long, value_name = "NAME", requires = "input", help_heading = "Tables")]
    pub(super) text_column: Option<String>,

    /// Print one JSON object per text
    #[arg(long, conflicts_with = "input")]
    pub(super) json: bool,

    #[command(flatten)]
    pub(super) device: DeviceArgs,

    #[command(flatten)]
    pub(super) reading: ReadingArgs,
}

/// What to do with rows that cannot be read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum BadRowsName {
    /// Stop before the first answer, with an error that names the first of them
    #[default]
    Stop,
    /// Keep them in their places, without an answer and with the reason in a column named error
    Keep,
}

impl From<BadRowsName> for BadRows {
    fn from(name: BadRowsName) -> Self {
        match name {
            BadRowsName::Stop => Self::Stop,
            BadRowsName::Keep => Self::Keep,
        }
    }
}

/// Between the labels of a text where training was told no separator (`--label-separator`).
const SEPARATOR: char = '|';

/// A probability on the command line.
fn probability(text: &str) -> Result<f32, String> {
    match text.parse() {
        Ok(probability) if (0.0..=1.0).contains(&probability) => Ok(probability),
        _ => Err("expected a probability from 0 to 1".to_string()),
    }
}

impl Args {
    /// How much of a prediction is shown; `separator`: the model's, between several labels.
    pub(super) fn showing(&self, separator: Option<char>) -> Showing {
        let top = self.top.map(usize::from);
        Showing { top, abstain: self.abstain, separator: separator.unwrap_or(SEPARATOR) }
    }
}

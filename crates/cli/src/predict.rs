//! `sentiment predict`.

use std::io::{BufRead as _, IsTerminal as _, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use dataset::{
    CLASS_NAMES, ColumnChoice, DataFile, EncodedSplit, Existing, Predictions, TextTable,
};
use model::TrainedModel;
use model::folder;
use serde::Serialize;
use trainer::TrainingReport;

use crate::device::DeviceName;
use crate::progress::scoring_bar;
use crate::reading::{ReadingArgs, tell_guess, tell_notes};
use crate::understanding::Understanding;

/// A byte order mark, which some shells put at the start of a pipe.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// Classifies texts as negative or positive, with the probability of positive.
///
/// Texts come from the command line, from a table (--input), or line by line from standard input.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  sentiment predict --model models/default \"What a film!\" \"I left early.\"
  cat lines.txt | sentiment predict --model models/default --json
  sentiment predict --model models/default --input reviews.csv --output answers.csv
  zcat old.csv.gz | sentiment predict --model models/default --input - --format csv \\
      --encoding windows-1252 --output answers.parquet

Put -- before a text that begins with a dash: predict --model models/default -- \"-5 stars\"

--output writes all columns of the input, then predicted_label and probability (of positive). If the
input has columns of these names, the new ones are predicted_label_2 and probability_2, and so on.")]
pub(crate) struct Args {
    /// Folder of a trained model
    #[arg(long, value_name = "DIR")]
    model: PathBuf,

    /// Texts to classify [default: the lines of standard input]
    #[arg(value_name = "TEXT", conflicts_with = "input")]
    texts: Vec<String>,

    /// Table of texts: .parquet, .csv, .tsv or .jsonl, also with .gz or .zst; - for standard input
    #[arg(long, value_name = "FILE", requires = "output")]
    input: Option<PathBuf>,

    /// Output table, or - for standard output: the input plus the columns predicted_label and probability
    #[arg(long, value_name = "FILE", requires = "input")]
    output: Option<PathBuf>,

    /// Replace the output file if it exists
    #[arg(long, requires = "output")]
    force: bool,

    /// Column with the texts [default: the one used in training, or guessed by name]
    #[arg(long, value_name = "NAME", requires = "input")]
    text_column: Option<String>,

    /// Print one JSON object per text
    #[arg(long, conflicts_with = "input")]
    json: bool,

    /// Device to compute on
    #[arg(long, value_enum, default_value_t, value_name = "DEVICE")]
    device: DeviceName,

    #[command(flatten)]
    reading: ReadingArgs,
}

/// One prediction, as JSON.
#[derive(Debug, Serialize)]
struct Answer<'a> {
    text: &'a str,
    label: &'static str,
    /// Probability of positive.
    probability: f32,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    if let (Some(input), Some(output)) = (&args.input, &args.output) {
        return predict_table(args, input, output);
    }
    if args.output.is_some() || args.text_column.is_some() || !args.reading.is_default() {
        bail!("--output, --text-column and the options for reading tables need --input FILE");
    }
    let device = model::DeviceChoice::from(args.device).open()?;
    let trained = folder::load(&args.model, &device)?;
    let mut understanding = Understanding::default();
    let mut out = std::io::stdout().lock();
    if !args.texts.is_empty() {
        let texts: Vec<&str> = args.texts.iter().map(String::as_str).collect();
        let probabilities = probabilities(&trained, &texts, &mut understanding, &mut |_| {})?;
        for (text, probability) in texts.into_iter().zip(probabilities) {
            print(&mut out, args.json, text, probability)?;
        }
    } else {
        answer_lines(&trained, args.json, &mut out, &mut understanding)?;
    }
    understanding.tell(&trained);
    Ok(())
}

/// Classifies each line of standard input before reading the next.
fn answer_lines(
    trained: &TrainedModel,
    json: bool,
    out: &mut impl Write,
    understanding: &mut Understanding,
) -> anyhow::Result<()> {
    if std::io::stdin().is_terminal() {
        eprintln!("reading texts from standard input, one per line; press Ctrl-D to end");
    }
    for (index, line) in std::io::stdin().lock().lines().enumerate() {
        let line = line.with_context(|| {
            format!(
                "cannot read line {} of standard input as UTF-8 text (convert it first, for example with \
                 iconv -f windows-1252 -t utf-8)",
                index + 1
            )
        })?;
        // It occurs in the middle where files were concatenated.
        let text = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&line);
        let probabilities = probabilities(trained, &[text], understanding, &mut |_| {})?;
        print(out, json, text, probabilities[0])?;
        // Print each prediction at once, even into a pipe.
        out.flush()?;
    }
    Ok(())
}

fn predict_table(args: &Args, input: &Path, output: &Path) -> anyhow::Result<()> {
    let existing = if args.force { Existing::Replace } else { Existing::Refuse };
    // Fail before reading and scoring if the table cannot be written.
    dataset::check_output(output, existing)?;
    let device = model::DeviceChoice::from(args.device).open()?;
    let (trained, records) = folder::load_with_records(&args.model, &device)?;
    let report = TrainingReport::of(&records, &args.model)?;
    let choice = ColumnChoice {
        text: args.text_column.clone(),
        known_text: Some(report.data.text_column),
        ..ColumnChoice::default()
    };
    let table = TextTable::read(&DataFile::open(input)?, &choice, &args.reading.options())?;
    tell_notes(input, table.notes());
    tell_guess(input, "text", table.text_column());
    table.check_output(output, existing)?;

    let texts: Vec<&str> = table.texts().collect();
    let bar = scoring_bar("predicting", texts.len());
    let mut understanding = Understanding::default();
    let mut on_rows = |n_rows| bar.inc(n_rows as u64);
    let probabilities = probabilities(&trained, &texts, &mut understanding, &mut on_rows)?;
    bar.finish_and_clear();
    let labels: Vec<u8> = probabilities.iter().map(|&p| label(p)).collect();
    let predictions = Predictions { labels: &labels, probabilities: &probabilities };
    let names = table.write_predictions(output, &predictions, existing)?;
    let place = match output.to_str() {
        Some("-") => "standard output".into(),
        _ => output.display().to_string(),
    };
    eprintln!(
        "{place}: {} texts with columns {:?} and {:?}",
        texts.len(),
        names.label,
        names.probability
    );
    for change in &names.changes {
        eprintln!("{place}: {change}");
    }
    understanding.tell(&trained);
    Ok(())
}

/// The probability of positive for each text.
fn probabilities(
    trained: &TrainedModel,
    texts: &[&str],
    understanding: &mut Understanding,
    on_rows: &mut dyn FnMut(usize),
) -> anyhow::Result<Vec<f32>> {
    let encoded = trained.encoder.encode_batch_counted(texts)?;
    understanding.add(&encoded);
    let ids = encoded.into_iter().map(|encoded| encoded.ids);
    let split = Arc::new(EncodedSplit::unlabelled(ids)?);
    let seq_len = trained.encoder.config().seq_len;
    let logits = trainer::logits(&trained.network, &split, seq_len, on_rows)?;
    Ok(logits.into_iter().map(trainer::probability).collect())
}

fn label(probability: f32) -> u8 {
    u8::from(probability >= 0.5)
}

fn print(out: &mut impl Write, json: bool, text: &str, probability: f32) -> anyhow::Result<()> {
    let label = CLASS_NAMES[usize::from(label(probability))];
    if json {
        let answer = Answer { text, label, probability };
        writeln!(out, "{}", serde_json::to_string(&answer)?)?;
    } else {
        writeln!(out, "{label}  {probability:.4}  {text}")?;
    }
    Ok(())
}

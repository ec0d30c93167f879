//! `sentiment predict`.

use std::io::{BufRead as _, IsTerminal as _, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use dataset::{CLASS_NAMES, EncodedSplit, Format, Predictions, TextTable};
use model::{TrainedModel, folder};
use serde::Serialize;

use crate::DeviceName;
use crate::progress::scoring_bar;

/// Tells for each text whether it is negative or positive, and the probability of positive.
///
/// Texts come from the command line, from a table (--input), or line by line from standard input.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  sentiment predict --model models/default \"What a film!\" \"I left early.\"
  cat lines.txt | sentiment predict --model models/default --json
  sentiment predict --model models/default --input reviews.csv --output answers.csv")]
pub(crate) struct Args {
    /// Folder of a trained model
    #[arg(long, value_name = "DIR")]
    model: PathBuf,

    /// Texts; without any, lines of standard input
    #[arg(value_name = "TEXT", conflicts_with = "input")]
    texts: Vec<String>,

    /// A table of texts: .parquet, .csv, .tsv or .jsonl
    #[arg(long, value_name = "FILE", requires = "output")]
    input: Option<PathBuf>,

    /// Where the table goes, with the columns label and probability added
    #[arg(long, value_name = "FILE", requires = "input")]
    output: Option<PathBuf>,

    /// The column of texts [default: guessed by name]
    #[arg(long, value_name = "NAME", requires = "input")]
    text_column: Option<String>,

    /// Print one JSON object per text
    #[arg(long, conflicts_with = "input")]
    json: bool,

    /// Where to compute
    #[arg(long, value_enum, default_value_t, value_name = "DEVICE")]
    device: DeviceName,
}

/// One answer.
#[derive(Debug, Serialize)]
struct Answer<'a> {
    text: &'a str,
    label: &'static str,
    /// Of positive.
    probability: f32,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let device = model::DeviceChoice::from(args.device).open()?;
    let trained = folder::load(&args.model, &device)?;
    if let (Some(input), Some(output)) = (&args.input, &args.output) {
        return predict_table(&trained, input, output, args.text_column.as_deref());
    }
    let mut out = std::io::stdout().lock();
    if !args.texts.is_empty() {
        let texts: Vec<&str> = args.texts.iter().map(String::as_str).collect();
        let probabilities = probabilities(&trained, &texts, &mut |_| {})?;
        for (text, probability) in texts.into_iter().zip(probabilities) {
            print(&mut out, args.json, text, probability)?;
        }
        return Ok(());
    }
    if std::io::stdin().is_terminal() {
        eprintln!("reading texts from standard input, one a line; Ctrl-D ends");
    }
    for line in std::io::stdin().lock().lines() {
        let line = line.context("cannot read standard input as UTF-8 text")?;
        let probabilities = probabilities(&trained, &[&line], &mut |_| {})?;
        print(&mut out, args.json, &line, probabilities[0])?;
        // An answer follows its line at once, also through a pipe.
        out.flush()?;
    }
    Ok(())
}

fn predict_table(
    trained: &TrainedModel,
    input: &Path,
    output: &Path,
    text_column: Option<&str>,
) -> anyhow::Result<()> {
    // A table that cannot be written is better known before all its texts are scored.
    Format::of(output)?;
    let table = TextTable::read(input, text_column)?;
    let column = table.text_column();
    if column.guessed {
        eprintln!("{}: took column {:?} as the text", input.display(), column.name);
    }
    if !table.left_out_columns().is_empty() {
        let columns = table.left_out_columns().join(", ");
        eprintln!(
            "{}: left out columns that a table of text cannot hold: {columns}",
            input.display()
        );
    }
    let texts: Vec<&str> = table.texts().collect();
    let bar = scoring_bar("predicting", texts.len());
    let probabilities = probabilities(trained, &texts, &mut |n_rows| bar.inc(n_rows as u64))?;
    bar.finish_and_clear();
    let labels: Vec<u8> = probabilities.iter().map(|&p| label(p)).collect();
    let predictions = Predictions { labels: &labels, probabilities: &probabilities };
    let names = table.write_predictions(output, &predictions)?;
    eprintln!(
        "{}: {} texts with columns {:?} and {:?}",
        output.display(),
        table.len(),
        names.label,
        names.probability
    );
    Ok(())
}

/// The probability of positive for each text.
fn probabilities(
    trained: &TrainedModel,
    texts: &[&str],
    on_rows: &mut dyn FnMut(usize),
) -> anyhow::Result<Vec<f32>> {
    let encoded = Arc::new(EncodedSplit::unlabelled(trained.encoder.encode_batch(texts)?)?);
    let seq_len = trained.encoder.config().seq_len;
    let logits = trainer::logits(&trained.network, &encoded, seq_len, on_rows)?;
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

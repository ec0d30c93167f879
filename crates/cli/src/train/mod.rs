//! `sentiment train`.

mod args;
mod data;
mod files;
mod folds;
mod place;
mod result;
mod start;
mod wanted;

use std::process::ExitCode;

use anyhow::bail;
use candle_core::Device;
use trainer::{
    Deadline, Ending, Identity, RecordPlan, RunAbout, RunFolder, RunFrom, RunRecorder, Session,
    TrainingReport,
};

pub(crate) use args::Args;
use files::OpenFiles;
use place::{Place, is_unfinished};

use wanted::Wanted;

use crate::device::device_in_words;
use crate::interrupt::{self, Interrupt};
use crate::progress::TrainingProgress;
use crate::shell::{program, quoted};
use crate::{curve, profile, warnings};

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    if let Some(n_folds) = args.folds {
        return folds::run(args, n_folds);
    }
    // Fail before reading anything if the model could not be saved or another training has the folder.
    let (wanted, place) = match &args.resume {
        None => {
            let wanted = Wanted::of(args)?;
            let place = Place::find(args, &wanted)?;
            (wanted, place)
        }
        Some(path) => {
            let run = RunFolder::open(path)?;
            let about = run.about()?;
            let status = run.status()?;
            if !is_unfinished(&status) {
                let (shown, model) = (path.display(), about.model.display());
                eprintln!(
                    "{shown}: nothing to go on with: this training has ended; its model is in {model}"
                );
                // It may have been killed just before it was through with that. Claiming the model removes what a
                // killed program left beside it.
                let place = Place::of(run, &about.model)?;
                place.run.tidy()?;
                return Ok(ExitCode::SUCCESS);
            }
            (Wanted::of_run(args, &about, run.about_file())?, Place::of(run, &about.model)?)
        }
    };
    let Place { model: folder, run, .. } = &place;
    place.tell()?;
    let device = args.device.open_as(wanted.precision)?;
    let files = wanted.files.open()?;
    let means = Means::new(&files, &device, args)?;
    let report = train_in(&place, &wanted, args, &means)?;
    if report.kept().is_some() {
        result::print(args.json, &report, (folder.path(), run.path()))?;
        warnings::tell(&report.warnings);
    } else {
        eprintln!("interrupted before the classifier was trained: no model was kept");
    }
    if report.ended != Ending::Interrupted {
        return Ok(ExitCode::SUCCESS);
    }
    let run = run.path().to_string_lossy();
    eprintln!("go on with: {} train --resume {}", program(), quoted(&run));
    Ok(ExitCode::from(interrupt::EXIT_CODE))
}

/// What every training of a command has.
struct Means<'a> {
    files: &'a OpenFiles,
    device: &'a Device,
    interrupt: Interrupt,
    deadline: Option<Deadline>,
    /// Whether what is found in the texts is printed: of several folds, the first says it for all.
    tells: bool,
}

impl<'a> Means<'a> {
    fn new(files: &'a OpenFiles, device: &'a Device, args: &Args) -> anyhow::Result<Self> {
        let deadline = args.stop_after.map(Deadline::after);
        Ok(Self { files, device, interrupt: Interrupt::listen()?, deadline, tells: true })
    }
}

/// Prepares the texts, trains and tests.
fn train_in(
    place: &Place,
    wanted: &Wanted,
    args: &Args,
    means: &Means<'_>,
) -> anyhow::Result<TrainingReport> {
    let Place { model: folder, run, goes_on } = place;
    let &Means { files, device, ref interrupt, deadline, tells } = means;
    let (data, origin) = data::prepare(wanted, !args.no_cache, files, tells)?;
    let about = RunAbout::new(&wanted.recipe, folder.path(), &origin, device);
    let recipe = wanted.recipe.adapted_to(&data, &wanted.plan);
    if tells {
        data::tell_adapted(&wanted.recipe, &recipe);
    }
    let job = recipe.job(&data, origin, device, folder);
    // Before an older run is removed.
    job.check()?;
    if !goes_on {
        let from = wanted.from.as_deref().map(RunFrom::of);
        run.create(&RunAbout { comparison: wanted.comparison, from, ..about })?;
    }
    let plan = RecordPlan {
        checkpoint_every: args.checkpoint_every,
        n_checkpoints: args.checkpoints,
        log_every: args.log_every,
        accepts_minor: args.anyway,
    };
    let mut recorder = RunRecorder::new(run, plan)?;

    eprintln!("training recipe {} on {}", recipe.name, place_in_words(device));
    let mut progress = TrainingProgress::new(&recipe, data.train.len());
    let control = (interrupt.clone(), deadline);
    let mut session =
        Session { observer: &mut progress, control: &control, run: Some(&mut recorder) };
    let result = job.run_and_test_in(wanted.comparison, &mut session);
    progress.finish();
    if let Ok(report) = &result
        && let Err(error) = curve::draw(&report.history, folder, run)
    {
        // Keep the model even without its picture.
        eprintln!("warning: {error:#}");
    }
    let ended = recorder.end(&result);
    if result.is_err() && !goes_on {
        run.remove_if_nothing_happened();
    }
    // What went wrong in the training is worth more than what its status file says of it.
    let report = result?;
    ended?;
    if let (true, Some(measured)) = (args.profile, &report.profile) {
        eprint!("{}", profile::table(measured));
    }
    Ok(report)
}

/// Fails if a training that was done before would not be the same now: with other texts, settings, or another program.
fn check_unchanged(
    place: &Place,
    wanted: &Wanted,
    args: &Args,
    means: &Means<'_>,
) -> anyhow::Result<()> {
    let (data, origin) = data::prepare(wanted, !args.no_cache, means.files, means.tells)?;
    let recipe = wanted.recipe.adapted_to(&data, &wanted.plan);
    if means.tells {
        data::tell_adapted(&wanted.recipe, &recipe);
    }
    let identity = Identity::of(&recipe.job(&data, origin, means.device, &place.model))?;
    let Some(before) = place.run.status()?.identity else {
        bail!("{}: it is not known how it was trained", place.run.path().display());
    };
    let mut differences = identity.differences(&before);
    differences.retain(|difference| !(args.anyway && difference.is_minor));
    if differences.is_empty() {
        return Ok(());
    }
    let differences: Vec<String> = differences.iter().map(ToString::to_string).collect();
    bail!(
        "{} was trained differently than it would be now: {}; choose another folder with --output",
        place.run.path().display(),
        differences.join("; ")
    );
}

/// The device, and with how many threads or in which precision it computes.
fn place_in_words(device: &Device) -> String {
    if device.is_cpu() {
        return format!("the CPU ({} threads)", rayon::current_num_threads());
    }
    device_in_words(device)
}

//! Where a training goes: a new pair of folders, for its model and its run, or those of a training that goes on.

use std::path::Path;

use anyhow::bail;
use classifier::Error;
use classifier::folder::{Existing, OutputFolder};
use trainer::{Ending, RunAbout, RunFolder, RunStatus};

use super::args::Args;
use super::wanted::Wanted;

const MODELS: &str = "models";
const RUNS: &str = "runs";

/// The folders of a training.
pub(super) struct Place {
    pub(super) model: OutputFolder,
    pub(super) run: RunFolder,
    /// Whether an earlier session made them.
    pub(super) goes_on: bool,
}

impl Place {
    /// For what the flags ask: the folders of the same training, if it was stopped, or else new ones.
    ///
    /// A requested model folder that exists is an error unless `force` is set.
    pub(super) fn find(args: &Args, wanted: &Wanted) -> anyhow::Result<Self> {
        if let Some(unfinished) = unfinished(args, wanted)? {
            return Ok(unfinished);
        }
        let existing = if args.force { Existing::Replace } else { Existing::Refuse };
        let model = claimed(match &args.output {
            Some(path) => {
                check_run_of(path, args.force)?;
                check_start_in(path, wanted)?;
                OutputFolder::claim(path, existing)
            }
            None => OutputFolder::claim_free(Path::new(MODELS), &wanted.recipe.name, |model| {
                !RunFolder::beside(model).path().exists()
            }),
        })?;
        let run = RunFolder::beside(model.path());
        run.check_nothing_foreign()?;
        Ok(Self { model, run, goes_on: false })
    }

    /// Says that a training goes on.
    pub(super) fn tell(&self) -> anyhow::Result<()> {
        if self.goes_on {
            let what = match self.run.has_checkpoint()? {
                true => "going on with it",
                false => "it has no checkpoint yet, so it starts again",
            };
            eprintln!("{}: this training was not finished; {what}", self.run.path().display());
        }
        Ok(())
    }

    /// In folders of their own that are named; those of the same training, if it was stopped.
    pub(super) fn named(model: &Path, run: RunFolder) -> anyhow::Result<Self> {
        if run.holds_a_run() {
            return Self::of(run, model);
        }
        let claimed_now = OutputFolder::claim(model, Existing::Refuse);
        if let Err(Error::Exists { path }) = claimed_now {
            let (path, run) = (path.display(), run.path().display());
            bail!("{path} holds a model, but its run {run} is not there; move the model away");
        }
        let model = claimed(claimed_now)?;
        run.check_nothing_foreign()?;
        Ok(Self { model, run, goes_on: false })
    }

    /// Of a run that goes on.
    pub(super) fn of(run: RunFolder, model: &Path) -> anyhow::Result<Self> {
        let model = claimed(OutputFolder::claim(model, Existing::Replace))?;
        Ok(Self { model, run, goes_on: true })
    }
}

/// Whether a run has not come to its end: it was stopped, killed, or an error ended it.
pub(super) fn is_unfinished(status: &RunStatus) -> bool {
    matches!(status.ended, Ending::Running | Ending::Interrupted | Ending::Failed)
}

/// Fails if the run folder of a requested model folder must not be replaced.
fn check_run_of(model: &Path, force: bool) -> anyhow::Result<()> {
    let run = RunFolder::beside(model);
    if !run.holds_a_run() {
        return Ok(());
    }
    let (about, status) = (run.about()?, run.status()?);
    let (run_path, model_path) = (run.path().display(), model.display());
    if !is_same_path(&about.model, model) {
        let other = about.model.display();
        bail!(
            "{run_path} is the run of another model, {other}; choose another folder with --output"
        );
    }
    if !force && is_unfinished(&status) && run.has_checkpoint()? {
        bail!(
            "{run_path} holds a training that was not finished and can go on with --resume {run_path}; use --force to \
             replace it and the model in {model_path}"
        );
    }
    Ok(())
}

/// Fails if the model to start from was begun by a training from the model that was there before, and has replaced it:
/// the same command again would start from what is half trained.
fn check_start_in(model: &Path, wanted: &Wanted) -> anyhow::Result<()> {
    let Some(start) = wanted.from.as_deref().filter(|start| is_same_path(start.path(), model))
    else {
        return Ok(());
    };
    let run = RunFolder::beside(model);
    if !run.holds_a_run() {
        return Ok(());
    }
    let (about, status) = (run.about()?, run.status()?);
    let began_there = about
        .from
        .as_ref()
        .is_some_and(|from| is_same_path(&from.absolute_path, model) && from.id != start.id());
    if began_there && is_unfinished(&status) {
        let (model, run) = (model.display(), run.path().display());
        bail!(
            "{model} holds a model of a training that was not finished ({run}), and that has replaced the one it started \
             from; start from a copy of that one, or remove {run} to start from what is there"
        );
    }
    Ok(())
}

/// Whether two paths are the same from the root.
pub(super) fn is_same_path(a: &Path, b: &Path) -> bool {
    let absolute = |path: &Path| std::path::absolute(path).ok();
    absolute(a).is_some() && absolute(a) == absolute(b)
}

/// The folders of the same training, if it has not come to its end and does not run at this moment.
fn unfinished(args: &Args, wanted: &Wanted) -> anyhow::Result<Option<Place>> {
    for run in candidates(args, &wanted.recipe.name)? {
        let (Ok(about), Ok(status)) = (run.about(), run.status()) else { continue };
        let is_there = args.output.as_ref().is_none_or(|output| is_same_path(output, &about.model));
        if !is_there || !is_same(wanted, &about) || !is_unfinished(&status) {
            continue;
        }
        let model = match OutputFolder::claim(&about.model, Existing::Replace) {
            // It runs at this moment.
            Err(Error::InUse { .. }) => continue,
            claimed_now => claimed(claimed_now)?,
        };
        // It may have ended meanwhile. Without locks, nobody knows whether it still runs.
        let status = run.status()?;
        let may_run = !model.is_locked() && status.ended == Ending::Running;
        if is_unfinished(&status) && !may_run {
            return Ok(Some(Place { model, run, goes_on: !args.restart }));
        }
    }
    Ok(None)
}

/// Whether a run is of the training that is wanted, as far as that can be said without reading the texts.
pub(super) fn is_same(wanted: &Wanted, about: &RunAbout) -> bool {
    let Wanted { recipe, from, files, columns, labels, options, plan, comparison, precision } =
        wanted;
    let of = &about.data;
    // Columns of texts and labels, and the separator, may have been recognised; the others are never guessed.
    let same_columns = columns.text.as_ref().is_none_or(|text| *text == of.text_column)
        && (columns.label.is_empty() || columns.label == of.label_columns)
        && columns.group == of.group_column
        && columns.weight == of.weight_column;
    // Those of the model that it starts from may have been used.
    let may_be_other = from.is_some();
    let same_labels = labels.task == of.labels.task
        && (labels.map == of.labels.map || labels.map.is_none() && may_be_other)
        && labels.separator.is_none_or(|separator| Some(separator) == of.labels.separator);
    let same_start =
        from.as_ref().map(|model| model.id()) == about.from.as_ref().map(|model| model.id.as_str());
    *recipe == about.recipe
        && same_start
        && files.are_of(of)
        && same_columns
        && same_labels
        && *options == of.options
        && *plan == of.split
        && *comparison == about.comparison
        && *precision == about.precision()
}

/// The run folders that the same command would have made.
fn candidates(args: &Args, recipe: &str) -> anyhow::Result<Vec<RunFolder>> {
    if let Some(model) = &args.output {
        let run = RunFolder::beside(model);
        return Ok(if run.holds_a_run() { vec![run] } else { Vec::new() });
    }
    if !Path::new(RUNS).is_dir() {
        return Ok(Vec::new());
    }
    let is_numbered = |rest: &str| {
        rest.is_empty()
            || rest.strip_prefix('-').is_some_and(|number| number.parse::<u32>().is_ok())
    };
    let is_of_recipe = |run: &RunFolder| {
        let name = run.path().file_name().unwrap_or_default().to_string_lossy();
        name.strip_prefix(recipe).is_some_and(is_numbered)
    };
    Ok(RunFolder::all_in(Path::new(RUNS))?.into_iter().filter(is_of_recipe).collect())
}

fn claimed(claimed: Result<OutputFolder, Error>) -> anyhow::Result<OutputFolder> {
    let folder = match claimed {
        Err(Error::Exists { path }) => {
            bail!("{} already exists; use --force to replace the model in it", path.display());
        }
        claimed => claimed?,
    };
    if !folder.is_locked() {
        eprintln!(
            "warning: the file system of {} does not support locks; let no other training write there",
            folder.path().display()
        );
    }
    Ok(folder)
}

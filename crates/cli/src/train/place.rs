//! Where a training goes: a new pair of folders, for its model and its run, or those of a training that goes on.

use std::path::{Path, PathBuf};

use anyhow::bail;
use classifier::Error;
use classifier::folder::{Existing, OutputFolder};
use trainer::{Ending, RunFolder, RunStatus};

use super::args::Args;
use super::wanted::Wanted;
use crate::fetch;

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
        if let Some(found) = unfinished(args, wanted)? {
            let model = claimed(OutputFolder::claim(&found.1, Existing::Replace))?;
            return Ok(Self { model, run: found.0, goes_on: !args.restart });
        }
        let existing = if args.force { Existing::Replace } else { Existing::Refuse };
        let model = claimed(match &args.output {
            Some(path) => OutputFolder::claim(path, existing),
            None => OutputFolder::claim_free(Path::new(MODELS), &wanted.recipe.name, |model| {
                !RunFolder::beside(model).holds_a_run()
            }),
        })?;
        let run = RunFolder::beside(model.path());
        // Without a model and without a checkpoint, nothing can be done with a run but to read its log.
        if run.holds_a_run() && run.has_checkpoint()? && !args.force {
            let run = run.path().display();
            bail!("{run} holds another training, which could go on; use --force to replace it");
        }
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

/// The folders of the same training, if it has not come to its end and does not run at this moment.
fn unfinished(args: &Args, wanted: &Wanted) -> anyhow::Result<Option<(RunFolder, PathBuf)>> {
    let data = wanted.data.clone().unwrap_or_else(|| fetch::FILE.into());
    if data.as_os_str() == "-" {
        return Ok(None);
    }
    for run in candidates(args, &wanted.recipe.name)? {
        let (Ok(about), Ok(status)) = (run.about(), run.status()) else { continue };
        let request = (data.as_path(), &wanted.options, &wanted.plan);
        let is_same = about.is_of(&wanted.recipe, request, wanted.comparison);
        if is_same && is_unfinished(&status) && !classifier::folder::is_claimed(&about.model) {
            return Ok(Some((run, about.model)));
        }
    }
    Ok(None)
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

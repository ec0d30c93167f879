//! What is to be trained: what the flags say, or what a run folder says, with the flags over it.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use dataset::{ColumnChoice, LabelOptions, ReadOptions};
use model::Precision;
use trainer::{Recipe, RunAbout, RunData, SplitPlan, StartModel};

use super::args::{Args, ConflictsName};
use super::files::Files;
use super::start;
use crate::settings::of_flags;

/// Everything that decides the result, before anything is read.
#[derive(Clone)]
pub(super) struct Wanted {
    pub(super) recipe: Recipe,
    /// The model to start from, if there is one.
    pub(super) from: Option<Arc<StartModel>>,
    /// The files of labelled texts.
    pub(super) files: Files,
    pub(super) columns: ColumnChoice,
    pub(super) labels: LabelOptions,
    pub(super) options: ReadOptions,
    pub(super) plan: SplitPlan,
    pub(super) comparison: bool,
    pub(super) precision: Precision,
}

impl Wanted {
    /// What the flags say.
    pub(super) fn of(args: &Args) -> anyhow::Result<Self> {
        let from = args.from.as_deref().map(StartModel::load).transpose()?.map(Arc::new);
        let recipe = match &from {
            Some(model) => {
                let name = args.recipe.as_deref();
                let recipe = over(args, of_flags(model.recipe(name, &settings(args)?))?);
                name.map(|name| start::tell_recipe(model, name)).transpose()?;
                recipe
            }
            None => recipe(args, args.recipe.as_deref().unwrap_or("default"))?,
        };
        let files = Files::of(args)?;
        let plan = SplitPlan {
            sample: args.sample,
            conflicts: args.conflicts.into(),
            ..divided(recipe.split_plan(), &files)
        };
        Ok(Self {
            recipe,
            from,
            files,
            columns: ColumnChoice {
                text: args.text_column.clone(),
                label: args.labels.columns(),
                group: args.group_column.clone(),
                weight: args.weight_column.clone(),
                ..ColumnChoice::default()
            },
            labels: args.labels.options_for(args.task),
            options: args.reading.options(),
            plan,
            comparison: !args.no_baseline,
            precision: args.device.precision().unwrap_or_default(),
        })
    }

    /// What a run is of, with the flags over it. Where they contradict it, the training will refuse to go on, and say
    /// in what they differ.
    pub(super) fn of_run(args: &Args, about: &RunAbout, file: PathBuf) -> anyhow::Result<Self> {
        let run_file = file.to_string_lossy();
        let from = from_of_run(args, about)?;
        let recipe = match (&from, &args.recipe) {
            // The same as without --resume.
            (Some(model), Some(name)) => {
                over(args, of_flags(model.recipe(Some(name), &settings(args)?))?)
            }
            (_, name) => recipe(args, name.as_deref().unwrap_or(&run_file))?,
        };
        let RunData { text_column, label_columns, group_column, weight_column, .. } = &about.data;
        let files = Files::of_run(args, &about.data)?;
        let labels = args.labels.columns();
        let mut plan = divided(about.data.split, &files);
        plan.shares.seed = recipe.training.seed;
        plan.sample = args.sample.or(plan.sample);
        if args.conflicts != ConflictsName::default() {
            plan.conflicts = args.conflicts.into();
        }
        let given = args.labels.options_for(args.task);
        let is_given = given != LabelOptions::default();
        Ok(Self {
            recipe,
            from,
            files,
            columns: ColumnChoice {
                text: args.text_column.clone().or_else(|| Some(text_column.clone())),
                label: if labels.is_empty() { label_columns.clone() } else { labels },
                group: args.group_column.clone().or_else(|| group_column.clone()),
                weight: args.weight_column.clone().or_else(|| weight_column.clone()),
                ..ColumnChoice::default()
            },
            labels: if is_given { given } else { about.data.labels.clone() },
            options: match args.reading.is_default() {
                true => about.data.options.clone(),
                false => args.reading.options(),
            },
            plan,
            comparison: about.comparison && !args.no_baseline,
            precision: args.device.precision().unwrap_or_else(|| about.precision()),
        })
    }
}

/// The plan for these files.
fn divided(plan: SplitPlan, files: &Files) -> SplitPlan {
    match &files.others {
        others if others.is_empty() => plan,
        others => plan.with_own_splits(others.validation.is_some()),
    }
}

fn recipe(args: &Args, name: &str) -> anyhow::Result<Recipe> {
    Ok(over(args, of_flags(Recipe::load(name, &settings(args)?))?))
}

/// The values of `--set`, and the vectors: a setting that contradicts them is refused with the recipe.
fn settings(args: &Args) -> anyhow::Result<Vec<String>> {
    let mut settings = args.settings.clone();
    if let Some(vectors) = &args.vectors {
        let path = vectors.to_str();
        let path = path.with_context(|| format!("--vectors {}: not UTF-8", vectors.display()))?;
        // A string in JSON is one in TOML.
        settings.push(format!("training.word_vectors={}", serde_json::to_string(path)?));
    }
    Ok(settings)
}

/// A recipe with the settings over it that have flags of their own and cannot contradict it.
fn over(args: &Args, mut recipe: Recipe) -> Recipe {
    if let Some(seed) = args.seed {
        recipe.training.seed = seed;
    }
    if let Some(weights) = &args.class_weights {
        recipe.training.class_weights = weights.clone();
    }
    recipe.training.threshold = args.threshold.or(recipe.training.threshold);
    recipe
}

/// The model that a run started from, if it started from one.
fn from_of_run(args: &Args, about: &RunAbout) -> anyhow::Result<Option<Arc<StartModel>>> {
    let Some(of_run) = &about.from else {
        if let Some(given) = &args.from {
            bail!("this run did not start from a model; leave out --from {}", given.display());
        }
        return Ok(None);
    };
    let path = args.from.as_deref().unwrap_or_else(|| of_run.found_path());
    let model = StartModel::load(path)?;
    if model.id() != of_run.id {
        let path = path.display();
        bail!(
            "{path} is not the model that this run started from: its id is {}, expected {}; pass the folder of that \
             model with --from",
            model.id(),
            of_run.id
        );
    }
    Ok(Some(Arc::new(model)))
}

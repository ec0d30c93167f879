//! What is to be trained: what the flags say, or what a run folder says, with the flags over it.

use std::path::PathBuf;

use anyhow::{anyhow, bail};
use dataset::{ColumnChoice, DataFile, LabelOptions, ReadOptions};
use model::Precision;
use trainer::{Recipe, RecipeError, RunAbout, RunData, SplitPlan};

use super::args::{Args, ConflictsName};
use super::place::STANDARD_INPUT;
use crate::fetch;

/// Everything that decides the result, before anything is read.
#[derive(Clone)]
pub(super) struct Wanted {
    pub(super) recipe: Recipe,
    /// The file of labelled texts; the IMDB reviews if absent.
    pub(super) data: Option<PathBuf>,
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
        let recipe = recipe(args, args.recipe.as_deref().unwrap_or("default"))?;
        let plan = SplitPlan {
            sample: args.sample,
            conflicts: args.conflicts.into(),
            ..recipe.split_plan()
        };
        Ok(Self {
            recipe,
            data: args.data.clone(),
            columns: ColumnChoice {
                text: args.text_column.clone(),
                label: args.labels.columns(),
                group: args.group_column.clone(),
                weight: args.weight_column.clone(),
                ..ColumnChoice::default()
            },
            labels: LabelOptions { task: args.task.map(Into::into), ..args.labels.options() },
            options: args.reading.options(),
            plan,
            comparison: !args.no_baseline,
            precision: args.device.precision().unwrap_or_default(),
        })
    }

    /// The path of the labelled texts.
    pub(super) fn path(&self) -> PathBuf {
        self.data.clone().unwrap_or_else(|| fetch::FILE.into())
    }

    /// Opens the file of labelled texts; downloads the reviews if they are wanted and missing.
    pub(super) fn open(&self) -> anyhow::Result<DataFile> {
        let path = match &self.data {
            Some(path) => path.clone(),
            None => fetch::default_data()?,
        };
        Ok(DataFile::open(&path)?)
    }

    /// What a run is of, with the flags over it. Where they contradict it, the training will refuse to go on, and say
    /// in what they differ.
    pub(super) fn of_run(args: &Args, about: &RunAbout, file: PathBuf) -> anyhow::Result<Self> {
        let run_file = file.to_string_lossy();
        let recipe = recipe(args, args.recipe.as_deref().unwrap_or(&run_file))?;
        let RunData { text_column, label_columns, group_column, weight_column, .. } = &about.data;
        let found = about.data.found_path();
        if args.data.is_none() && about.data.path.as_os_str() == STANDARD_INPUT {
            bail!("the texts of this run came from standard input; pass them again with --data -");
        }
        let labels = args.labels.columns();
        let mut plan = about.data.split;
        plan.shares.seed = recipe.training.seed;
        plan.sample = args.sample.or(plan.sample);
        if args.conflicts != ConflictsName::default() {
            plan.conflicts = args.conflicts.into();
        }
        let given = LabelOptions { task: args.task.map(Into::into), ..args.labels.options() };
        let is_given = given != LabelOptions::default();
        Ok(Self {
            recipe,
            data: Some(args.data.clone().unwrap_or_else(|| found.to_path_buf())),
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

fn recipe(args: &Args, name: &str) -> anyhow::Result<Recipe> {
    let mut recipe = Recipe::load(name, &args.settings).map_err(|error| match error {
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
    Ok(recipe)
}

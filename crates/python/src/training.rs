//! Training on texts and labels from Python.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use classifier::{Classifier, ModelFiles, TaskKind, folder};
use dataset::{Classes, LabelOptions, LabelledTexts, Labels};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use text_preprocessing::text_digests;
use trainer::{
    ClassWeights, Duplicates, Ending, Recipe, Session, SmallData, TextsTraining, ThresholdGoal,
};

use crate::compute::{guarded, without_lock};
use crate::error::{Error, Result};
use crate::model::{Model, open_device};
use crate::process;
use crate::progress::Progress;
use crate::strings;

/// A finished training.
#[pyclass(frozen, get_all, module = "sentiment_rnn._native")]
pub(crate) struct Trained {
    /// The model that was kept.
    model: Py<Model>,
    /// The training report, as JSON.
    report: String,
    /// What makes its figures mean less than it seems.
    warnings: Vec<String>,
    /// What was recognised in the labels.
    notes: Vec<String>,
}

/// What is trained, and how.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
struct Request {
    /// The classes and their order, if labels are to be taken exactly as they are.
    classes: Option<Vec<String>>,
    task: Option<String>,
    recipe: String,
    /// Such as `training.epochs=3`.
    settings: Vec<String>,
    seed: Option<u64>,
    /// As on the command line, or as JSON if it is an object.
    class_weights: Option<String>,
    threshold: Option<String>,
    sample_weight: Option<Vec<f32>>,
    groups: Option<Vec<u32>>,
    folder: PathBuf,
    /// Whether a model that is already there is replaced.
    overwrite: bool,
    /// Whether the model stays in the folder; otherwise its files are read into memory.
    stays: bool,
    device: String,
}

/// Trains a model on texts with labels: strings (``None`` for none), or lists of strings where `lists` is true.
#[pyfunction]
pub(crate) fn train(
    texts: &Bound<'_, PyAny>,
    labels: &Bound<'_, PyAny>,
    lists: bool,
    request: &Bound<'_, PyDict>,
    on_event: Option<Py<PyAny>>,
) -> Result<Trained> {
    let py = texts.py();
    let request: Request = request.extract()?;
    let texts = strings::take(texts, false)?;
    let labels =
        if lists { Labels::Lists(labels.extract()?) } else { Labels::Cells(labels.extract()?) };
    let device = open_device(&request.device)?;
    let mut progress = Progress::new(on_event);
    let outcome = without_lock(py, move || {
        let recipe = recipe(&request)?;
        let texts = labelled(texts.iter().flatten().map(|text| &**text), &labels, &request)?;
        let plan = recipe.split_plan();
        let notes = texts.notes_in_words();
        let existing = match request.overwrite {
            true => folder::Existing::Replace,
            false => folder::Existing::Refuse,
        };
        let output = folder::OutputFolder::claim(&request.folder, existing)?;
        process::claim()?;
        let unequal = copies_of_other_weight(&texts, plan.duplicates);
        let training = TextsTraining {
            texts: &texts,
            recipe: &recipe,
            plan: &plan,
            small_data: SmallData::LowerBatch,
            comparison: true,
            device: &device,
            folder: &output,
        };
        let control = progress.pressed();
        let session = &mut Session { observer: &mut progress, control: &control, run: None };
        let report = guarded(|| Ok(training.run_in(session)?));
        let interrupted = report.as_ref().is_ok_and(|report| report.ended == Ending::Interrupted);
        if let Some(raised) = progress.into_raised(interrupted) {
            return Err(raised.into());
        }
        let report = report?;
        if report.kept().is_none() {
            return Err(Error::StoppedEarly);
        }
        let mut warnings: Vec<String> = report.warnings.iter().map(ToString::to_string).collect();
        warnings.extend(unequal);
        let model = opened(output.path(), request.stays, &device)?;
        let report = serde_json::to_string(&report).map_err(|source| Error::Report { source })?;
        Ok((model, report, warnings, notes, interrupted))
    })?;
    let (model, report, mut warnings, notes, interrupted): (_, _, Vec<String>, _, bool) = outcome;
    if interrupted {
        warnings
            .insert(0, "training was stopped by Ctrl-C; the model kept so far is returned".into());
    }
    Ok(Trained { model: Py::new(py, model)?, report, warnings, notes })
}

fn recipe(request: &Request) -> Result<Recipe> {
    let mut recipe = Recipe::load(&request.recipe, &request.settings)?;
    if let Some(seed) = request.seed {
        recipe.training.seed = seed;
    }
    if let Some(weights) = &request.class_weights {
        recipe.training.class_weights = class_weights(weights)?;
    }
    if let Some(goal) = &request.threshold {
        let wrong = |reason: String| Error::Argument { reason };
        let goal: ThresholdGoal = goal.parse().map_err(|error| wrong(format!("{error}")))?;
        recipe.training.threshold = Some(goal);
    }
    Ok(recipe)
}

fn class_weights(weights: &str) -> Result<ClassWeights> {
    let wrong = |reason: String| Error::Argument { reason };
    if weights.starts_with('{') {
        serde_json::from_str(weights).map_err(|error| wrong(error.to_string()))
    } else {
        weights.parse().map_err(|error| wrong(format!("{error}")))
    }
}

fn labelled<'a>(
    texts: impl Iterator<Item = &'a str>,
    labels: &Labels,
    request: &Request,
) -> Result<LabelledTexts> {
    let task = request.task.as_deref().map(task).transpose()?;
    let mut labelled = match &request.classes {
        Some(names) => {
            let kind = task.unwrap_or(match labels {
                Labels::Lists(_) => TaskKind::AnyOf,
                Labels::Cells(_) if names.len() == 2 => TaskKind::Binary,
                Labels::Cells(_) => TaskKind::OneOf,
            });
            let classes = Classes::new(of_dataset(kind), names.clone());
            LabelledTexts::of_classes(texts, labels, classes)?
        }
        None => {
            let options = LabelOptions { task: task.map(of_dataset), ..LabelOptions::default() };
            LabelledTexts::from_columns(texts, labels, &options)?
        }
    };
    if let Some(weights) = &request.sample_weight {
        labelled = labelled.with_weights(weights.clone())?;
    }
    if let Some(groups) = &request.groups {
        labelled = labelled.with_groups(groups.clone())?;
    }
    Ok(labelled)
}

fn task(name: &str) -> Result<TaskKind> {
    let kinds = [TaskKind::Binary, TaskKind::OneOf, TaskKind::AnyOf];
    kinds.into_iter().find(|kind| kind.name() == name).ok_or_else(|| Error::Argument {
        reason: format!("there is no task {name:?}; expected \"binary\", \"one-of\" or \"any-of\""),
    })
}

fn of_dataset(kind: TaskKind) -> dataset::TaskKind {
    match kind {
        TaskKind::Binary => dataset::TaskKind::Binary,
        TaskKind::OneOf => dataset::TaskKind::OneOf,
        TaskKind::AnyOf => dataset::TaskKind::AnyOf,
    }
}

/// A warning if copies of a text have other weights than the first, which is the only one that is used.
fn copies_of_other_weight(texts: &LabelledTexts, duplicates: Duplicates) -> Option<String> {
    let weights = texts.weights()?;
    let given: Vec<&str> = texts.texts().collect();
    let n_copies = match duplicates {
        Duplicates::SameWords => n_unlike_first(text_digests(&given), weights),
        Duplicates::SameBytes => n_unlike_first(given, weights),
    };
    (n_copies > 0).then(|| {
        format!(
            "of texts that occur more than once, only the first copy and its weight count: {n_copies} copies have \
             other weights; add them up, or average them, before training"
        )
    })
}

/// How many values have another weight than the first that is equal to them.
fn n_unlike_first<T: Eq + std::hash::Hash>(
    values: impl IntoIterator<Item = T>,
    weights: &[f32],
) -> usize {
    let mut first = HashMap::new();
    let is_unlike = |(value, weight): (T, &f32)| *first.entry(value).or_insert(*weight) != *weight;
    values.into_iter().zip(weights).map(is_unlike).filter(|&is_unlike| is_unlike).count()
}

/// The model in a folder that stays, or will be deleted.
fn opened(path: &Path, stays: bool, device: &candle_core::Device) -> Result<Model> {
    let files = if stays {
        ModelFiles::Folder(std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf()))
    } else {
        ModelFiles::Memory(folder::read_files(path)?)
    };
    Ok(Model::new(Classifier::open(files.clone(), device)?, files))
}

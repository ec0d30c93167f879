//! The inputs of a training run, and what follows from them alone.

use std::time::Instant;

use candle_core::Device;
use classifier::folder::{OutputFolder, SavedModel, SeenTexts};
use dataset::{EncodedSplit, LoaderConfig, Order, Targets};
use model::{ModelConfig, NgramChoice, Regularization, Task, TextClasses, Vocabularies};

use crate::config::{BatchOrder, TrainingConfig};
use crate::error::Result;
use crate::evaluate::{batch_padding, targets_of};
use crate::finite::{self, NonFinite};
use crate::prepare::Prepared;
use crate::pretraining::PretrainingConfig;
use crate::profile::Part;
use crate::record::ValidationRecord;
use crate::report::{DataOrigin, TrainingReport};
use crate::stacking::Stacked;
use crate::step::{StepPlan, TrainingStep};

/// Most weights of a linear path, n-grams times outputs: 128 MiB.
const MAX_LINEAR_WEIGHTS: usize = 1 << 25;

/// Everything that a training run needs.
#[derive(Debug)]
pub struct TrainingJob<'a> {
    /// Name of the recipe, for the report.
    pub recipe: &'a str,
    /// The network. Its number of outputs follows from the data's task.
    pub model: &'a ModelConfig,
    /// What keeps the network from overfitting.
    pub regularization: &'a Regularization,
    /// The training settings.
    pub training: &'a TrainingConfig,
    /// The pre-training settings.
    pub pretraining: &'a PretrainingConfig,
    /// The encoded splits.
    pub data: &'a Prepared,
    /// Where the data came from, for the report.
    pub origin: DataOrigin,
    /// Where to compute.
    pub device: &'a Device,
    /// Where the kept model goes; an older model there is replaced at the first validation.
    pub folder: &'a OutputFolder,
}

/// Saves a model to the job's folder, with each path's logits shifted and scaled as in `kept`, and its
/// thresholds, unless a weight is not finite.
pub(crate) fn save(
    job: &TrainingJob<'_>,
    step: &mut TrainingStep,
    kept: &ValidationRecord,
    report: &TrainingReport,
    seen: &SeenTexts,
) -> Result<std::result::Result<(), NonFinite>> {
    let config = job.model.for_task(&job.data.task)?;
    let &TrainingJob { data, folder, .. } = job;
    let weights = step.weights()?;
    let started = Instant::now();
    let weights = stacked_of(kept).applied(&weights, config.outputs())?;
    let non_finite = finite::first_in(&weights)?;
    if non_finite.is_none() {
        let model = SavedModel {
            config: &config,
            task: &data.task,
            thresholds: kept.thresholds.as_deref(),
            encoder: &data.encoder,
            ngrams: step.vocabularies().ngrams.as_ref(),
            weights: &weights,
            seen,
        };
        folder.save(&model, report)?;
    }
    step.profile().add(Part::Save, started.elapsed());
    Ok(non_finite.map_or(Ok(()), Err))
}

/// What a validation found about the paths.
fn stacked_of(record: &ValidationRecord) -> Stacked {
    let ValidationRecord { linear_share, temperature, shift, path_scales, .. } = record.clone();
    Stacked { linear_share, temperature, shift, by_length: path_scales }
}

/// The vocabularies of a network trained on some texts.
pub(crate) fn vocabularies(job: &TrainingJob<'_>, texts: &EncodedSplit) -> Result<Vocabularies> {
    let (encoder, task) = (&job.data.encoder, &job.data.task);
    let choice = NgramChoice {
        order: job.model.ngram_order,
        min_texts: job.training.ngram_min_texts,
        max_ngrams: Some(max_ngrams(task, job.training)),
    };
    let (rows, targets) = (rows_of(texts), targets_of(texts)?);
    let (classes, n_classes) = (text_classes(targets), task.classes().len());
    let mut learned = Vocabularies::learn(encoder.vocab_size(), &rows, classes, n_classes, choice);
    if let (Task::Binary(_), Some(labels), false) =
        (task, targets.one_of(), job.model.path_scales.is_constant())
        && let Ok(Vocabularies { ngrams, .. }) = &mut learned
    {
        *ngrams = ngrams.take().map(|ngrams| ngrams.with_ratios(&rows, labels));
    }
    match &job.data.start {
        Some(start) => start.vocabularies(learned, most_ngrams(task)),
        None => Ok(learned?),
    }
}

/// Most n-grams of a linear path with these settings.
pub(crate) fn max_ngrams(task: &Task, training: &TrainingConfig) -> usize {
    let most = most_ngrams(task);
    training.max_ngrams.map_or(most, |wanted| wanted.min(most))
}

/// Most n-grams of any linear path.
pub(crate) fn most_ngrams(task: &Task) -> usize {
    MAX_LINEAR_WEIGHTS / task.n_outputs()
}

/// The targets as the n-grams take them.
pub(crate) fn text_classes(targets: &Targets) -> TextClasses<'_> {
    match targets {
        Targets::OneOf(classes) => TextClasses::OneOf(classes),
        Targets::AnyOf { starts, classes } => TextClasses::AnyOf { starts, classes },
    }
}

/// A new network with these vocabularies, ready for training, which starts from the job's model if it has one;
/// `targets`: of the texts that it learns from.
pub(crate) fn new_step(
    job: &TrainingJob<'_>,
    vocabularies: Vocabularies,
    targets: &Targets,
) -> Result<TrainingStep> {
    let task = &job.data.task;
    let plan = StepPlan {
        task,
        model: job.model,
        regularization: job.regularization,
        training: job.training,
    };
    match &job.data.start {
        Some(start) => {
            let weights = start.weights(vocabularies.ngrams.as_ref())?;
            TrainingStep::starting_from(&weights, plan, Some(targets), vocabularies, job.device)
        }
        None => TrainingStep::new(plan, Some(targets), vocabularies, job.device),
    }
}

pub(crate) fn rows_of(split: &EncodedSplit) -> Vec<&[u32]> {
    (0..split.len()).map(|row| split.row(row)).collect()
}

/// Optimiser steps in an epoch over this many texts.
pub(crate) fn steps_per_epoch(training: &TrainingConfig, n_rows: usize) -> usize {
    n_rows.div_ceil(training.batch_size).div_ceil(training.accumulation)
}

/// How an epoch's texts are ordered and batched.
pub(crate) fn loader_config(job: &TrainingJob<'_>, epoch: usize) -> LoaderConfig {
    let (seed, epoch) = (job.training.seed, epoch as u64);
    LoaderConfig {
        batch_size: job.training.batch_size,
        padding: batch_padding(job.model, job.data.encoder.config().seq_len),
        order: match job.training.batches {
            BatchOrder::Shuffled => Order::Shuffled { seed, epoch },
            BatchOrder::LengthBuckets => Order::LengthBuckets { seed, epoch },
        },
    }
}

//! The inputs of a training run, and what follows from them alone.

use candle_core::Device;
use dataset::{EncodedSplit, LoaderConfig, Order};
use model::folder::{OutputFolder, SeenTexts};
use model::{ModelConfig, PathScales, Vocabularies};
use text_preprocessing::{PAD_ID, TextEncoder};

use crate::config::{BatchOrder, TrainingConfig};
use crate::error::{Error, Result};
use crate::evaluate::batch_padding;
use crate::finite::{self, NonFinite};
use crate::positive_weight::PositiveWeight;
use crate::prepare::Prepared;
use crate::pretraining::PretrainingConfig;
use crate::profile::Part;
use crate::record::ValidationRecord;
use crate::report::{DataOrigin, TrainingReport};
use crate::step::TrainingStep;

/// Everything that a training run needs.
#[derive(Debug)]
pub struct TrainingJob<'a> {
    /// Name of the recipe, for the report.
    pub recipe: &'a str,
    /// The network.
    pub model: &'a ModelConfig,
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

/// Saves a model to the job's folder, with each path's logits multiplied by its scale in `kept`, unless
/// a weight is not finite.
pub(crate) fn save(
    job: &TrainingJob<'_>,
    step: &mut TrainingStep,
    kept: &ValidationRecord,
    report: &TrainingReport,
    seen: &SeenTexts,
) -> Result<std::result::Result<(), NonFinite>> {
    let ngrams = step.vocabularies().ngrams.clone();
    let &TrainingJob { model, data, folder, .. } = job;
    step.with_weights(|variables, profile| {
        profile.time(Part::Save, || {
            model::with_scaled_logits(variables, path_scales(kept), || {
                if let Some(non_finite) = finite::first_in(variables)? {
                    return Ok(Err(non_finite));
                }
                folder.save(model, &data.encoder, ngrams.as_ref(), variables, report, seen)?;
                Ok(Ok(()))
            })
        })
    })
}

/// Scales applied to the logits of a saved network.
fn path_scales(record: &ValidationRecord) -> PathScales {
    let scale = 1.0 / record.temperature.unwrap_or(1.0);
    let share = record.linear_share.unwrap_or(0.0);
    let shift = record.shift.unwrap_or(0.0);
    PathScales { recurrent: (1.0 - share) * scale, linear: share * scale, shift }
}

/// The vocabularies of a network trained on some texts.
pub(crate) fn vocabularies(
    model: &ModelConfig,
    encoder: &TextEncoder,
    texts: &EncodedSplit,
) -> Result<Vocabularies> {
    Ok(Vocabularies::learn(model, encoder.vocab_size(), &rows_of(texts), labels_of(texts)?)?)
}

/// A new network with these vocabularies, ready for training; `labels`: of the texts that it learns from.
pub(crate) fn new_step(
    job: &TrainingJob<'_>,
    vocabularies: Vocabularies,
    labels: &[u8],
) -> Result<TrainingStep> {
    let class_weights = job.training.positive_weight.of_classes(labels);
    let training = TrainingConfig { positive_weight: PositiveWeight::NONE, ..job.training.clone() };
    let step = TrainingStep::new(job.model, &training, vocabularies, job.device)?;
    Ok(step.with_class_weights(class_weights))
}

pub(crate) fn rows_of(split: &EncodedSplit) -> Vec<&[u32]> {
    (0..split.len()).map(|row| split.row(row)).collect()
}

pub(crate) fn labels_of(split: &EncodedSplit) -> Result<&[u8]> {
    split.labels().ok_or(Error::NoLabels)
}

/// Optimiser steps in an epoch over this many texts.
pub(crate) fn steps_per_epoch(training: &TrainingConfig, n_rows: usize) -> usize {
    n_rows.div_ceil(training.batch_size).div_ceil(training.accumulation)
}

/// How an epoch's texts are ordered and batched.
pub(crate) fn loader_config(job: &TrainingJob<'_>, epoch: usize) -> LoaderConfig {
    let (seed, epoch) = (job.training.seed, epoch as u64);
    LoaderConfig {
        padding_id: PAD_ID,
        batch_size: job.training.batch_size,
        padding: batch_padding(job.model, job.data.encoder.config().seq_len),
        order: match job.training.batches {
            BatchOrder::Shuffled => Order::Shuffled { seed, epoch },
            BatchOrder::LengthBuckets => Order::LengthBuckets { seed, epoch },
        },
    }
}

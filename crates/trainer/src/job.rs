//! What a training is given, and what follows from that alone.

use candle_core::Device;
use dataset::{EncodedSplit, LoaderConfig, Order};
use model::folder::{OutputFolder, SeenTexts};
use model::{ModelConfig, Vocabularies};
use text_preprocessing::TextEncoder;

use crate::config::{BatchOrder, TrainingConfig};
use crate::error::{Error, Result};
use crate::evaluate::batch_padding;
use crate::finite::{self, NonFinite};
use crate::prepare::Prepared;
use crate::pretraining::PretrainingConfig;
use crate::profile::Part;
use crate::report::{DataOrigin, EpochRecord, TrainingReport};
use crate::step::TrainingStep;
use crate::validation::path_scales;

/// Everything that a training needs.
#[derive(Debug)]
pub struct TrainingJob<'a> {
    /// Name of the recipe, for the report.
    pub recipe: &'a str,
    /// The network.
    pub model: &'a ModelConfig,
    /// The settings.
    pub training: &'a TrainingConfig,
    /// Those of the pre-training.
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

/// Puts a model into the job's folder, each path's logits multiplied by its scale in `kept`, unless it has
/// a weight that is not finite.
pub(crate) fn save(
    job: &TrainingJob<'_>,
    step: &mut TrainingStep,
    kept: &EpochRecord,
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

/// What a network learns to tell apart in some texts.
pub(crate) fn vocabularies(
    model: &ModelConfig,
    encoder: &TextEncoder,
    texts: &EncodedSplit,
) -> Result<Vocabularies> {
    Ok(Vocabularies::learn(model, encoder.vocab_size(), &rows_of(texts), labels_of(texts)?)?)
}

pub(crate) fn rows_of(split: &EncodedSplit) -> Vec<&[u32]> {
    (0..split.len()).map(|row| split.row(row)).collect()
}

pub(crate) fn labels_of(split: &EncodedSplit) -> Result<&[u8]> {
    split.labels().ok_or(Error::NoLabels)
}

/// Optimiser steps in an epoch over so many texts.
pub(crate) fn steps_per_epoch(training: &TrainingConfig, n_rows: usize) -> usize {
    n_rows.div_ceil(training.batch_size).div_ceil(training.accumulation)
}

/// How an epoch's texts come.
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

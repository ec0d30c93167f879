//! A second training, on the validation texts, too, once they have chosen the epoch.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use candle_core::Tensor;
use dataset::{EncodedSplit, Loader};
use model::{NGRAM_TABLE, folder};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::linear_path;
use crate::observer::{Event, Observer};
use crate::report::{EpochRecord, TrainingReport};
use crate::schedule::LearningRate;
use crate::step::TrainingStep;
use crate::train::{
    TrainingJob, labels_of, loader_config, path_scales, rows_of, steps_per_epoch, vocabularies,
};

/// What the second training did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RefitRecord {
    /// Texts that it learned from.
    pub n_rows: usize,
    /// Optimiser steps.
    pub n_steps: usize,
    /// Mean loss of its batches in the last epoch, dropout on.
    pub train_loss: f64,
    /// Seconds.
    pub train_s: f64,
}

/// The weights that a training started from, by name: all that does not depend on its texts.
pub(crate) type Start = BTreeMap<String, Tensor>;

/// Trains anew on training and validation texts, for as long as the kept model was trained, and puts
/// the outcome in its place. How much either path counts, and the temperature, are those of the kept
/// model, since there are no texts left to measure them on.
///
/// `None` if it was asked to stop: the model kept before stays.
pub(crate) fn refit(
    job: &TrainingJob<'_>,
    start: &Start,
    kept: &EpochRecord,
    report: &TrainingReport,
    observer: &mut dyn Observer,
) -> Result<Option<RefitRecord>> {
    let started = Instant::now();
    let &TrainingJob { model, training, data, device, .. } = job;
    let texts = Arc::new(EncodedSplit::joined(&data.train, &data.validation)?);
    let vocabularies = vocabularies(model, &data.encoder, &texts)?;
    let mut step = TrainingStep::new(model, training, vocabularies, device)?;
    let mut variables = model::sorted(step.network().1);
    let table = variables.remove(NGRAM_TABLE);
    for (name, variable) in variables {
        if let Some(weights) = start.get(&name) {
            variable.set(weights)?;
        }
    }
    if let (Some(table), Some(ngrams), true) =
        (table, &step.vocabularies().ngrams, kept.linear_share.is_some())
    {
        let (rate, labels) = (training.ngram_learning_rate, labels_of(&texts)?);
        let weights = linear_path::fit(ngrams, (&rows_of(&texts), labels), rate, training.seed);
        table.set(&Tensor::from_vec(weights, (ngrams.len(), 1), device)?)?;
    }

    let per_epoch = steps_per_epoch(training, texts.len());
    let rates = LearningRate::new(training, per_epoch);
    let n_steps = (kept.epoch * per_epoch as f64).round() as usize;
    let (mut loss_sum, mut n_batches) = (0.0, 0);
    for epoch in 1.. {
        if step.n_steps() >= n_steps {
            break;
        }
        observer.on_event(Event::RefitStart { epoch, n_rows: texts.len() });
        step.start_epoch();
        (loss_sum, n_batches) = (0.0, 0);
        let config = loader_config(job, epoch);
        for batch in Loader::new(Arc::clone(&texts), &config, device)? {
            if observer.should_stop() {
                return Ok(None);
            }
            let batch = batch?;
            let learning_rate = rates.at(step.n_steps());
            let outcome = step.run(&batch, learning_rate)?;
            let outcome = outcome.map_err(|non_finite| Error::Refit {
                quantity: non_finite.quantity,
                value: non_finite.value,
                step: step.n_steps() + 1,
                learning_rate,
                folder: job.folder.to_path_buf(),
            })?;
            loss_sum += f64::from(outcome.loss);
            n_batches += 1;
            observer.on_event(Event::Step { n_rows: batch.rows.len(), loss: outcome.loss });
            if step.n_steps() >= n_steps {
                break;
            }
        }
        // The gradients of a last few batches, short of a step, are left.
        step.finish_step(rates.at(step.n_steps()))?.ok();
    }

    let record = RefitRecord {
        n_rows: texts.len(),
        n_steps: step.n_steps(),
        train_loss: loss_sum / f64::from(n_batches.max(1)),
        train_s: started.elapsed().as_secs_f64(),
    };
    let report = TrainingReport { refit: Some(record.clone()), ..report.clone() };
    let ngrams = step.vocabularies().ngrams.clone();
    step.with_weights(|variables, _| {
        model::with_scaled_logits(variables, path_scales(kept), || {
            Ok(folder::save(job.folder, model, &data.encoder, ngrams.as_ref(), variables, &report)?)
        })
    })?;
    observer.on_event(Event::Refitted { record: &record });
    Ok(Some(record))
}

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
use crate::step::{NonFinite, TrainingStep};
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

/// The weights that a training of the classes started from, by name, the linear path's apart.
pub(crate) type Start = BTreeMap<String, Tensor>;

/// Trains anew on training and validation texts, for as long as the kept model was trained, and puts
/// the outcome in its place. How much either path counts, and the temperature, are those of the kept
/// model, since there are no texts left to measure them on.
///
/// `None` if it was asked to stop: the model kept before stays.
///
/// # Errors
/// [`Error::Refit`] if the loss or the gradient leaves the finite numbers; an error of the model, device
/// or disk. The model kept before stays then, too.
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
        observer.on_event(Event::RefitStart { epoch, n_rows: texts.len(), n_epochs: kept.epoch });
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
            let outcome =
                outcome.map_err(|non_finite| diverged(job, &step, non_finite, learning_rate))?;
            loss_sum += f64::from(outcome.loss);
            n_batches += 1;
            observer.on_event(Event::Step { n_rows: batch.rows.len(), loss: outcome.loss });
            if step.n_steps() >= n_steps {
                break;
            }
        }
        // The last batches of an epoch make a step, however few they are.
        if step.n_steps() < n_steps {
            let learning_rate = rates.at(step.n_steps());
            let finished = step.finish_step(learning_rate)?;
            finished.map_err(|non_finite| diverged(job, &step, non_finite, learning_rate))?;
        }
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

/// The training was led astray at its next step.
fn diverged(
    job: &TrainingJob<'_>,
    step: &TrainingStep,
    non_finite: NonFinite,
    learning_rate: f64,
) -> Error {
    let NonFinite { quantity, value } = non_finite;
    let (step, folder) = (step.n_steps() + 1, job.folder.to_path_buf());
    Error::Refit { quantity, value, step, learning_rate, folder }
}

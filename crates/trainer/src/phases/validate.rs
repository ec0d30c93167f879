//! A validation: measures the network, and keeps it if it is the best so far.

use crate::error::{Error, Result};
use crate::finite::NonFinite;
use crate::job::save;
use crate::observer::Event;
use crate::record::ValidationRecord;
use crate::run_folder::VALIDATION;
use crate::training::Training;
use crate::validation::{Measured, is_kept, measure};

/// Validates, keeps the model if `keep` selects it, and returns whether patience has run out.
///
/// `epoch`: from 1; `n_done`: texts and windows of it that were trained on.
pub(crate) fn validate(
    training: &mut Training<'_, '_>,
    (epoch, n_done): (usize, usize),
) -> Result<bool> {
    training.read_figures()?;
    let (progress, train_s) = (training.state.progress, training.state.progress_s());
    let (job, data) = (training.job, training.job.data);
    training.tell(Event::ValidationStart { n_rows: data.validation.len() })?;
    let measured = measure(training)?;
    let Measured { metrics, weighted_loss, stacked, thresholds, alone, predictions } = measured;
    let after = |training: &Training<'_, '_>, non_finite| {
        // A validation follows the step that it measures.
        let step = training.state.step.n_steps().saturating_sub(1);
        training.non_finite(non_finite, (epoch, step), String::new())
    };
    if !metrics.loss().is_finite() {
        return Err(after(training, NonFinite::new("validation loss", metrics.loss())));
    }
    let state = &mut training.state;
    let before = state.report.validation.clone();
    let mut record = ValidationRecord {
        epoch: (epoch - 1) as f64 + n_done as f64 / state.rows().len() as f64,
        step: state.step.n_steps(),
        train_loss: progress.loss_sum / progress.n_batches.max(1) as f64,
        validation: metrics.clone(),
        train_s,
        texts_per_s: if train_s > 0.0 { progress.n_rows as f64 / train_s } else { 0.0 },
        linear_share: stacked.linear_share,
        temperature: stacked.temperature,
        shift: stacked.shift,
        path_scales: stacked.by_length,
        thresholds,
        alone,
        weighted_loss,
        is_kept: false,
    };
    record.is_kept = is_kept(job.training.keep, &record, state.report.kept());
    let loss = record.selection_loss();
    let lowest = state.report.history.iter().map(ValidationRecord::selection_loss);
    let is_lowest = loss < lowest.fold(f64::INFINITY, f64::min);
    state.report.history.push(record.clone());
    if record.is_kept {
        state.report.validation = Some(metrics);
        state.report.train_s = state.elapsed_s();
        state.report.judge();
        let saved = save(job, &mut state.step, &record, &state.report, &data.seen)?;
        if let Err(non_finite) = saved {
            state.report.history.pop();
            state.report.validation = before;
            return Err(after(training, non_finite));
        }
        if let Some(run) = &mut training.session.run {
            run.keep_predictions(job, VALIDATION, &predictions)?;
        }
    }
    training.state.schedule.validated(loss);
    training.state.n_worse = if is_lowest { 0 } else { training.state.n_worse + 1 };
    training.tell(Event::Validated { record: Box::new(record) })?;
    training.state.restart_progress();
    let patience = job.training.patience;
    Ok(patience > 0 && training.state.n_worse >= patience)
}

impl Training<'_, '_> {
    /// The error that ends training once values are no longer finite. `step`: the one that led there, from 0; `batch`:
    /// the one that showed it, in words.
    pub(super) fn non_finite(
        &self,
        non_finite: NonFinite,
        (epoch, step): (usize, usize),
        batch: String,
    ) -> Error {
        let NonFinite { quantity, value } = non_finite;
        let kept = match self.state.report.kept() {
            Some(kept) => format!("the model after {:.2} epochs was kept", kept.epoch),
            None => {
                "no model was kept, because none had been validated; try a lower learning_rate \
                     or clip_norm"
                    .to_string()
            }
        };
        let learning_rate = self.state.schedule.at(step);
        Error::NonFinite { quantity, value, epoch, step: step + 1, learning_rate, batch, kept }
    }
}

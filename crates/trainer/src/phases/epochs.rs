//! The epochs: the network learns the classes, and is validated now and then.

use dataset::{Batch, Loader};
use model::FITTED_PARAMETERS;

use crate::error::{Error, Result};
use crate::job::loader_config;
use crate::observer::{Event, Stop};
use crate::phases::figures::Place;
use crate::phases::validate;
use crate::profile::Part;
use crate::record::Ending;
use crate::state::{Phase, Start};
use crate::training::Training;

/// Trains to the end of the epochs, or until it is to stop.
///
/// # Errors
/// [`Error::NonFinite`] if the loss, the gradient or the weights are no longer finite; an error of the model, device
/// or disk.
pub(crate) fn epochs(training: &mut Training<'_, '_>) -> Result<Ending> {
    if training.state.position.phase != Phase::Epochs {
        if training.job.training.refit {
            training.state.start = Some(initial_weights(training)?);
        }
        training.state.enter(training.job, Phase::Epochs);
    }
    while training.state.position.epoch <= training.job.training.epochs {
        if let Some(ending) = epoch(training)? {
            return Ok(ending);
        }
    }
    Ok(Ending::Complete)
}

/// Copies of all weights that are trained: all but the linear path's, and the scales of the paths.
fn initial_weights(training: &Training<'_, '_>) -> Result<Start> {
    let mut weights = model::weights(training.state.step.network().1);
    weights.retain(|name, _| !FITTED_PARAMETERS.contains(&name.as_str()));
    let copies = weights.into_iter().map(|(name, tensor)| Ok((name, tensor.copy()?)));
    copies.collect::<candle_core::Result<Start>>().map_err(Error::from)
}

/// The rest of one epoch; `Some` if the training ends in it or after it.
fn epoch(training: &mut Training<'_, '_>) -> Result<Option<Ending>> {
    let (job, n_rows) = (training.job, training.state.rows().len());
    let epoch = training.state.position.epoch;
    let (mut loader, mut n_done) = training.rest_of_epoch(&loader_config(job, epoch))?;
    training.tell(Event::EpochStart { epoch, n_rows, n_done })?;
    if n_done == 0 {
        training.state.step.begin_epoch(epoch)?;
    }
    for _ in 0..loader.len() {
        if let Some(stop) = training.pause()? {
            stop_in(training, (epoch, n_done), stop)?;
            return Ok(Some(Ending::Interrupted));
        }
        let Some(batch) = next(training, &mut loader)? else { break };
        n_done += batch.rows.len();
        learn(training, &batch, n_done == n_rows)?;
        // No number is a multiple of 0, which means never.
        let step = &training.state.step;
        let is_due =
            !step.has_accumulated() && step.n_steps().is_multiple_of(job.training.validate_every);
        if is_due && n_done < n_rows {
            let has_ended = validate(training, (epoch, n_done))?;
            training.state.ended = has_ended.then_some(Ending::EarlyStopping);
            training.save_state()?;
            if has_ended {
                return Ok(training.state.ended);
            }
        }
    }
    let has_ended = validate(training, (epoch, n_done))?;
    training.state.position = training.state.position.next_epoch();
    training.state.ended = match epoch < job.training.epochs {
        true => has_ended.then_some(Ending::EarlyStopping),
        false => Some(Ending::Complete),
    };
    training.save_state()?;
    Ok(training.state.ended)
}

fn next(training: &mut Training<'_, '_>, loader: &mut Loader) -> Result<Option<Batch>> {
    let batch = training.state.step.profile().time(Part::Load, || loader.next());
    Ok(batch.transpose()?)
}

/// One batch. `is_last`: of the epoch; its gradients do not wait for others.
fn learn(training: &mut Training<'_, '_>, batch: &Batch, is_last: bool) -> Result<()> {
    let place = Place::of(training, batch);
    let step = &mut training.state.step;
    let mut outcome = match step.run(batch, place.rate())? {
        Ok(outcome) => outcome,
        Err(non_finite) => return Err(training.not_finite(non_finite, &place, false)),
    };
    if is_last && step.has_accumulated() {
        match step.finish_step(place.rate())? {
            Ok(norm) => outcome.norm = norm,
            Err(non_finite) => return Err(training.not_finite(non_finite, &place, false)),
        }
    }
    training.trained(batch, place, (outcome, None))
}

/// Ends an epoch early. The state is saved, if it can be; without that, or without a model, the current network is
/// validated as it is.
fn stop_in(training: &mut Training<'_, '_>, place: (usize, usize), stop: Stop) -> Result<()> {
    // A fitted linear path makes a model, too.
    let has_path = training.state.linear_logits.is_some() && training.state.report.kept().is_none();
    let validates = training.must_validate() && (training.state.progress.n_batches > 0 || has_path);
    training.tell_stop(stop, validates)?;
    if validates {
        let state = &mut training.state;
        state.step.finish_step(state.schedule.at(state.step.n_steps()))?.ok();
        validate(training, place)?;
    }
    Ok(())
}

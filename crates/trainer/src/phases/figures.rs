//! The losses and norms of the batches: told batch by batch where they are at hand, and read together, every few batches,
//! from a device that would have to stop for each.
//!
//! What is read late is told late, in order and with the moments of the batches; a value that is not finite is noticed
//! late, after the weights have changed. So everything is read before weights are measured or saved, and before a state
//! is: a checkpoint has no figures to wait for.

use dataset::Batch;

use crate::error::{Error, Result};
use crate::finite::NonFinite;
use crate::observer::{Event, Stamp};
use crate::profile::Part;
use crate::scalar::{self, Scalar};
use crate::state::{Phase, Position};
use crate::step::Outcome;
use crate::training::Training;

/// Maximum number of batches whose figures are on a device.
const READ_EVERY: usize = 10;
/// Maximum number of training rows that an error names.
const ROWS_IN_ERROR: usize = 8;

/// Batches that were trained on and whose figures are not told yet, in order.
#[derive(Default)]
pub(crate) struct Unread(Vec<Trained>);

/// A batch that was trained on.
struct Trained {
    place: Place,
    at: Stamp,
    n_rows: usize,
    n_tokens: usize,
    /// Of its loss in the sum of losses.
    weight: f64,
    outcome: Outcome,
}

/// Where in a training a batch is.
pub(super) struct Place {
    position: Position,
    /// Optimiser steps before it.
    step: usize,
    rate: f64,
    /// The first of its rows, in words.
    rows: String,
}

impl Place {
    /// That of the next batch.
    pub(super) fn of(training: &Training<'_, '_>, batch: &Batch) -> Self {
        let state = &training.state;
        let step = state.n_steps();
        let text_of = |&row: &u32| state.lessons.text_of(row).to_string();
        let mut rows: Vec<String> = batch.rows.iter().take(ROWS_IN_ERROR).map(text_of).collect();
        if batch.rows.len() > ROWS_IN_ERROR {
            rows.push("...".to_string());
        }
        let (position, rate) = (state.position, state.schedule.at(step));
        Self { position, step, rate, rows: rows.join(", ") }
    }

    /// The learning rate of the step.
    pub(super) fn rate(&self) -> f64 {
        self.rate
    }
}

impl Unread {
    fn must_be_read(&self) -> bool {
        let is_here = |batch: &Trained| batch.outcome.scalars().all(|(_, x)| x.number().is_some());
        self.0.len() >= READ_EVERY || self.0.iter().all(is_here)
    }
}

impl Training<'_, '_> {
    /// Counts a batch that was trained on, and tells of it: now, or when its figures are read.
    ///
    /// `n_words`: the weight of its loss in pre-training; none elsewhere.
    pub(super) fn trained(
        &mut self,
        batch: &Batch,
        place: Place,
        (outcome, n_words): (Outcome, Option<usize>),
    ) -> Result<()> {
        self.count(batch, n_words.unwrap_or(batch.rows.len()));
        self.unread.0.push(Trained {
            place,
            at: self.stamp(),
            n_rows: batch.rows.len(),
            n_tokens: batch.n_tokens(),
            weight: n_words.map_or(1.0, |n_words| n_words as f64),
            outcome,
        });
        if self.unread.must_be_read() { self.read_figures() } else { Ok(()) }
    }

    /// Reads the figures that are still on a device, and tells of their batches.
    ///
    /// # Errors
    /// That of the first value that is not finite; an error of the device, the observer or the run folder.
    pub(crate) fn read_figures(&mut self) -> Result<()> {
        let unread = std::mem::take(&mut self.unread).0;
        let scalars: Vec<Scalar> = unread
            .iter()
            .flat_map(|batch| batch.outcome.scalars())
            .map(|(_, x)| x.clone())
            .collect();
        // Where the host waits for losses. The steps themselves count there, too, as they were only queued before.
        let numbers = self.state.step.profile().time(Part::Head, || scalar::read(&scalars))?;
        let mut numbers = numbers.into_iter();
        for Trained { place, at, n_rows, n_tokens, weight, outcome } in unread {
            let is_late = outcome.scalars().any(|(_, scalar)| scalar.number().is_none());
            let outcome = outcome.with_read(&mut numbers);
            let not_finite = |(_, scalar): &(_, &Scalar)| scalar.is_known_not_finite();
            if let Some((quantity, scalar)) = outcome.scalars().find(not_finite) {
                let non_finite = NonFinite::new(quantity, scalar.read()?);
                return Err(self.not_finite(non_finite, &place, is_late));
            }
            let (loss, norm) = (outcome.loss.read()?, outcome.norm.and_then(|norm| norm.number()));
            self.state.progress.loss_sum += loss * weight;
            let event = Event::Step { n_rows, n_tokens, loss, rate: place.rate, norm };
            self.session.tell(&at, &event)?;
        }
        Ok(())
    }

    /// The error of a batch that showed a value that is not finite. `is_late`: whether it was noticed only now, when the
    /// weights had been changed by it.
    pub(super) fn not_finite(&self, non_finite: NonFinite, place: &Place, is_late: bool) -> Error {
        let &Place { position, step, rate: learning_rate, ref rows } = place;
        let NonFinite { quantity, value } = non_finite;
        match position.phase {
            Phase::Pretraining => {
                Error::Pretraining { value, epoch: position.epoch, step: step + 1, learning_rate }
            }
            Phase::Refit => Error::Refit { quantity, value, step: step + 1, learning_rate },
            Phase::LinearPath | Phase::Epochs => {
                let number = position.n_batches + 1;
                let noticed = match is_late {
                    true => format!(", noticed after step {}", self.state.n_steps()),
                    false => String::new(),
                };
                let batch = format!(", batch {number} of the epoch, training rows {rows}{noticed}");
                let non_finite = NonFinite { quantity, value };
                self.non_finite(non_finite, (position.epoch, step), batch)
            }
        }
    }
}

//! The events of a training, who hears of them, and who may stop it.

use std::time::{Duration, Instant};

use measures::Metrics;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::record::{PretrainingRecord, RefitRecord, ValidationRecord};
use crate::state::{Phase, Position};
use crate::word_vectors::VectorsUse;

/// An event of a training run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Event {
    /// The training goes on from a checkpoint.
    Resumed {
        /// Where it goes on.
        position: Position,
        /// What is not as it was left: newer checkpoints that cannot be used, lost lines of the log.
        notes: Vec<String>,
    },
    /// The linear path is being fitted.
    LinearPathStart {
        /// Number of its n-grams; each has a weight for each output.
        n_ngrams: usize,
    },
    /// The linear path has been fitted.
    LinearPathFitted {
        /// Its metrics alone on the validation split, before its logits are scaled.
        metrics: Metrics,
    },
    /// The linear models that teach the network are being fitted.
    TeacherStart {
        /// How many.
        n_models: usize,
    },
    /// A file of word vectors was read.
    WordVectors {
        /// What was found in it.
        used: VectorsUse,
    },
    /// An epoch of pre-training begins, or goes on.
    PretrainingStart {
        /// From 1.
        epoch: usize,
        /// Number of its texts.
        n_rows: usize,
        /// Texts of it that are done.
        n_done: usize,
    },
    /// An epoch of pre-training ended.
    Pretrained {
        /// Its measurements.
        record: PretrainingRecord,
    },
    /// An epoch begins, or goes on.
    EpochStart {
        /// From 1.
        epoch: usize,
        /// Number of its texts and windows.
        n_rows: usize,
        /// Texts of it that are done.
        n_done: usize,
    },
    /// A batch was trained on.
    Step {
        /// Texts in the batch.
        n_rows: usize,
        /// Tokens in it, padding not counted.
        n_tokens: usize,
        /// Its mean loss, dropout on.
        loss: f64,
        /// The learning rate.
        rate: f64,
        /// Global norm of the gradient before clipping, if this batch ended in an optimiser step.
        norm: Option<f64>,
    },
    /// A validation begins.
    ValidationStart {
        /// Number of its texts.
        n_rows: usize,
    },
    /// A batch was scored, in a validation or in the test.
    Scored {
        /// Texts in the batch.
        n_rows: usize,
    },
    /// A validation ended; the model kept so far is on disk.
    Validated {
        /// Its measurements.
        record: Box<ValidationRecord>,
    },
    /// The state of the training was saved.
    CheckpointSaved {
        /// The next batch of the training that goes on from it.
        position: Position,
        /// Seconds that it took.
        seconds: f64,
    },
    /// An epoch of retraining, on all texts except the test split, begins or goes on.
    RefitStart {
        /// From 1.
        epoch: usize,
        /// Number of its texts and windows.
        n_rows: usize,
        /// Texts of it that are done.
        n_done: usize,
        /// Total number of epochs; the last may be partial.
        n_epochs: f64,
    },
    /// Retraining ended; its model has replaced the one kept before.
    Refitted {
        /// Its record.
        record: RefitRecord,
    },
    /// The loss, the gradient or the weights were no longer finite: training ends with the model kept
    /// before.
    Diverged {
        /// What happened.
        reason: String,
    },
    /// Training was asked to stop.
    Stopped {
        /// Why.
        stop: Stop,
        /// Whether its state is saved, so that it can go on.
        is_saved: bool,
        /// Whether its current model is validated now, because none has been kept or its state is not saved.
        validates: bool,
    },
    /// Training ended, and the test of the kept model begins.
    TestStart {
        /// Number of its texts.
        n_rows: usize,
    },
    /// The test ended.
    Tested {
        /// Its measurements.
        metrics: Metrics,
    },
    /// A linear model is being fitted for comparison.
    ComparisonStart,
    /// It was fitted and tested, or could not be, which does no harm to the model.
    Compared {
        /// Why it could not be fitted.
        failure: Option<String>,
    },
}

/// When an event happened.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Stamp {
    /// The phase of the training.
    pub phase: Phase,
    /// Epochs of the phase that are completed, including the fraction of the current one.
    pub epoch: f64,
    /// Optimiser steps of the phase.
    pub step: usize,
    /// Seconds of training so far, of all sessions.
    pub elapsed_s: f64,
    /// Seconds since 1970-01-01 UTC.
    pub time: f64,
}

/// Hears of the events of a training run.
pub trait Observer {
    /// Called for every event, on the training's thread.
    ///
    /// # Errors
    /// Any error ends the training with it.
    fn on(&mut self, at: &Stamp, event: &Event) -> Result<()>;
}

/// Ignores every event.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {
    fn on(&mut self, _at: &Stamp, _event: &Event) -> Result<()> {
        Ok(())
    }
}

/// Why a training is to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stop {
    /// Somebody asked for it: Ctrl-C, or the system's request to end.
    Interrupt,
    /// Its time is up.
    Deadline,
    /// It is not among the best of several.
    Pruned,
}

/// May stop a training run.
pub trait Control {
    /// Asked before every batch. A training that is asked to stop saves its state, if it has a run folder, and
    /// ends. It validates its current model first if it has no run folder, or if no model has been kept so far.
    /// Retraining keeps the earlier model.
    fn stop(&self) -> Option<Stop>;
}

/// Never stops a training.
#[derive(Debug, Clone, Copy, Default)]
pub struct Never;

impl Control for Never {
    fn stop(&self) -> Option<Stop> {
        None
    }
}

/// Stops a training after some time.
#[derive(Debug, Clone, Copy)]
pub struct Deadline(Option<Instant>);

impl Deadline {
    /// So much time from now; never, if that is longer than the clock goes.
    pub fn after(time: Duration) -> Self {
        Self(Instant::now().checked_add(time))
    }
}

impl Control for Deadline {
    fn stop(&self) -> Option<Stop> {
        self.0.is_some_and(|end| Instant::now() >= end).then_some(Stop::Deadline)
    }
}

/// Either of two may stop a training.
impl<A: Control, B: Control> Control for (A, B) {
    fn stop(&self) -> Option<Stop> {
        self.0.stop().or_else(|| self.1.stop())
    }
}

/// None, or the one there is.
impl<C: Control> Control for Option<C> {
    fn stop(&self) -> Option<Stop> {
        self.as_ref().and_then(Control::stop)
    }
}

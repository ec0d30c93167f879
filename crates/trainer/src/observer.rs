//! Events of a running training, and how to stop it.

use measures::Metrics;

use crate::error::Error;
use crate::record::{PretrainingRecord, RefitRecord, ValidationRecord};
use crate::word_vectors::VectorsUse;

/// An event of a training run.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The linear path is being fitted.
    LinearPathStart {
        /// Number of its n-grams; each has a weight for each output.
        n_ngrams: usize,
    },
    /// The linear path has been fitted.
    LinearPathFitted {
        /// Its metrics alone on the validation split, before its logits are scaled.
        metrics: &'a Metrics,
    },
    /// A file of word vectors was read.
    WordVectors {
        /// What was found in it.
        used: &'a VectorsUse,
    },
    /// An epoch of pre-training begins.
    PretrainingStart {
        /// From 1.
        epoch: usize,
        /// Number of its texts.
        n_rows: usize,
    },
    /// An epoch of pre-training ended.
    Pretrained {
        /// Its measurements.
        record: &'a PretrainingRecord,
    },
    /// An epoch begins.
    EpochStart {
        /// From 1.
        epoch: usize,
        /// Number of its texts.
        n_rows: usize,
    },
    /// A batch was trained on.
    Step {
        /// Texts in the batch.
        n_rows: usize,
        /// Its loss.
        loss: f32,
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
        record: &'a ValidationRecord,
    },
    /// An epoch of retraining, on all texts except the test split, begins.
    RefitStart {
        /// From 1.
        epoch: usize,
        /// Number of its texts.
        n_rows: usize,
        /// Total number of epochs; the last may be partial.
        n_epochs: f64,
    },
    /// Retraining ended; its model has replaced the one kept before.
    Refitted {
        /// Its record.
        record: &'a RefitRecord,
    },
    /// The loss, the gradient or the weights were no longer finite: training ends with the model kept
    /// before.
    Diverged {
        /// What happened.
        reason: &'a str,
    },
    /// Training was asked to stop and validates its current model.
    Interrupted,
    /// Training ended, and the test of the kept model begins.
    TestStart {
        /// Number of its texts.
        n_rows: usize,
    },
    /// The test ended.
    Tested,
    /// A linear model is being fitted for comparison.
    ComparisonStart,
    /// It was fitted and tested, or could not be, which does no harm to the model.
    Compared {
        /// Why it could not be fitted.
        failure: Option<&'a Error>,
    },
}

/// Receives the events of a training run and may stop it.
pub trait Observer {
    /// Called for every event, on the training's thread.
    fn on_event(&mut self, event: Event<'_>);

    /// Called before every step; `true` validates the current model and stops. In pre-training that is
    /// the linear path, if there is one; retraining keeps the earlier model.
    fn should_stop(&self) -> bool {
        false
    }
}

/// Ignores every event and never stops.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {
    fn on_event(&mut self, _event: Event<'_>) {}
}

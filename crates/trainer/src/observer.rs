//! What a training tells while it runs, and how it is asked to stop.

use crate::metrics::Metrics;
use crate::pretraining::PretrainingRecord;
use crate::refit::RefitRecord;
use crate::report::EpochRecord;
use crate::word_vectors::VectorsUse;

/// One thing that happened.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The linear path is being fitted.
    LinearPathStart {
        /// Its weights.
        n_ngrams: usize,
    },
    /// The linear path has been fitted.
    LinearPathFitted {
        /// What it alone measured on the validation split.
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
        /// Texts it goes over.
        n_rows: usize,
    },
    /// An epoch of pre-training ended.
    Pretrained {
        /// What it measured.
        record: &'a PretrainingRecord,
    },
    /// An epoch begins.
    EpochStart {
        /// From 1.
        epoch: usize,
        /// Texts it goes over.
        n_rows: usize,
    },
    /// A batch was learned from.
    Step {
        /// Texts in the batch.
        n_rows: usize,
        /// Its loss.
        loss: f32,
    },
    /// A validation begins.
    ValidationStart {
        /// Texts it goes over.
        n_rows: usize,
    },
    /// A batch was scored.
    Scored {
        /// Texts in the batch.
        n_rows: usize,
    },
    /// A validation ended; the model kept so far is on disk.
    Validated {
        /// What it measured.
        record: &'a EpochRecord,
    },
    /// An epoch of the second training, on all texts but the test's, begins.
    RefitStart {
        /// From 1.
        epoch: usize,
        /// Texts it goes over.
        n_rows: usize,
        /// Epochs that there will be, the last one perhaps in part.
        n_epochs: f64,
    },
    /// The second training ended; its model has taken the place of the one kept before.
    Refitted {
        /// What it did.
        record: &'a RefitRecord,
    },
    /// The loss, the gradient or the weights were no longer finite: the training ends with the model kept
    /// before.
    Diverged {
        /// What happened.
        reason: &'a str,
    },
    /// The training was asked to stop and validates what it has.
    Interrupted,
}

/// Hears of a training's events and may stop it.
pub trait Observer {
    /// Called for every event, on the training's thread.
    fn on_event(&mut self, event: Event<'_>);

    /// Asked before every step; `true` validates what has been learned of the classes so far and stops. In
    /// pre-training that is the linear path, if there is one; in a second training the model of the first
    /// stays.
    fn should_stop(&self) -> bool {
        false
    }
}

/// Hears and stops nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {
    fn on_event(&mut self, _event: Event<'_>) {}
}

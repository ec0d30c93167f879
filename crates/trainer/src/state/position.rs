//! Where a training is.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A phase of a training, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// The linear path is fitted.
    LinearPath,
    /// The recurrent layers learn to predict words.
    Pretraining,
    /// The network learns the classes, and is validated.
    Epochs,
    /// Another network learns from the validation texts, too.
    Refit,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LinearPath => "fitting the linear path",
            Self::Pretraining => "pre-training",
            Self::Epochs => "training",
            Self::Refit => "retraining",
        })
    }
}

/// The place of the next batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The phase.
    pub phase: Phase,
    /// The epoch of that phase, from 1.
    pub epoch: usize,
    /// Batches done in this epoch.
    pub n_batches: usize,
}

impl Position {
    /// The beginning of a phase.
    pub(crate) fn start_of(phase: Phase) -> Self {
        Self { phase, epoch: 1, n_batches: 0 }
    }

    /// The beginning of the next epoch.
    pub(crate) fn next_epoch(self) -> Self {
        Self { epoch: self.epoch + 1, n_batches: 0, ..self }
    }
}

impl fmt::Display for Position {
    /// `training, epoch 2, batch 17`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { phase, epoch, n_batches } = self;
        match phase {
            Phase::LinearPath => write!(f, "{phase}"),
            _ => write!(f, "{phase}, epoch {epoch}, batch {}", n_batches + 1),
        }
    }
}

//! The state of a training as one thing that can be saved, restored and compared.
//!
//! [`Snapshot`] is a state on its way to a file and [`Restored`] one that comes from it; `file.rs` is the format.
//! Every part of a training (weights, optimiser, average, schedule ...) saves and restores itself, beside its own
//! code; `training.rs` has the whole, `identity.rs` what the whole belongs to, and
//! `difference.rs` in what two of them differ.

mod difference;
mod file;
mod identity;
mod position;
mod restored;
mod snapshot;
mod training;

pub use difference::Difference;
pub(crate) use file::{Kind, read, write};
pub use identity::Identity;
pub(crate) use identity::{machine, precision_of, unread_vectors};
pub use position::{Phase, Position};
pub(crate) use restored::Restored;
pub(crate) use snapshot::Snapshot;
pub(crate) use training::{Start, TrainState};

//! Going on from a trained model with new or corrected texts.
//!
//! [`StartModel`] is the model; its recipe is that of the new training (`recipe.rs`). [`load_from`] reads the texts
//! with its classes, if it can (`labels.rs` says when it must), and encodes them with its vocabulary (`read.rs`, `divide.rs`). The network starts from
//! its weights (`weights.rs`) and is kept near them (`anchor.rs`). [`FromRecord`] says in the report what was kept.

mod anchor;
mod divide;
mod labels;
mod read;
mod recipe;
mod record;
mod start_model;
mod weights;

pub(crate) use anchor::Anchor;
pub use divide::test_rows_from;
pub use read::{load_from, prepare_from};
pub use record::{FromRecord, Part};
pub use start_model::{Start, StartModel};
pub(crate) use weights::LinearStart;

//! Writes a model's answers next to their texts, completely or not at all.

mod check;
mod columns;
mod layout;
mod lock;
mod manifest;
mod owned;
mod parts;
mod stream;
mod writer;

pub use self::check::check_output;
pub use self::columns::{AnswerKind, AnswerName, AnswerValues};
pub use self::layout::{Layout, OutputOptions};
pub use self::writer::AnswerWriter;

use crate::tables::write::Change;

/// The names of the new columns, and what changed in the written table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The wanted names, or all of them with the same number (`predicted_label_2`, `probability_2`) if
    /// the table already has one of them.
    pub names: Vec<String>,
    /// Cells that the format could not hold unchanged.
    pub changes: Vec<Change>,
}

#[cfg(test)]
mod tests;

//! Writes a model's answers next to their texts, completely or not at all.

mod columns;
mod layout;
mod lock;
mod manifest;
mod parts;
mod stream;
mod writer;

use std::path::Path;

pub use self::columns::{AnswerKind, AnswerName, AnswerValues};
pub use self::layout::{Layout, OutputOptions};
pub use self::writer::AnswerWriter;

use self::layout::Kind;
use crate::error::Result;
use crate::tables::write::{Change, Destination, Existing};

/// The names of the new columns, and what changed in the written table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The wanted names, or all of them with the same number (`predicted_label_2`, `probability_2`) if
    /// the table already has one of them.
    pub names: Vec<String>,
    /// Cells that the format could not hold unchanged.
    pub changes: Vec<Change>,
}

/// Checks whether a table can be written to `path`, as far as possible before there is one.
///
/// Takes the format from the name, follows links, and creates and removes a file next to the output
/// file. `-` is standard output. Pipes and devices are always accepted.
///
/// # Errors
/// `Exists`, `UnknownExtension`, `NoFolder`, `IsFolder`; `Write` if the system refuses.
pub fn check_output(path: impl AsRef<Path>, existing: Existing) -> Result<()> {
    let path = path.as_ref();
    let destination = Destination::find(path)?;
    if let Destination::File { .. } = destination {
        Kind::of(path)?;
    }
    destination.check(path, existing)?;
    destination.probe(path)
}

//! A folder of texts, with a folder for each class: `reviews/positive/1.txt`.
//!
//! It is read when it is opened, like a pipe, and kept as JSON lines with the text, the label (the name of the class's
//! folder) and the file, so that everything that reads tables reads it. A message about a row names its file.

mod keep;
mod layout;
mod walk;

use std::path::Path;

use serde::Serialize;

use self::layout::Layout;
use super::fault::Place;
use super::notes::{Note, ReadNotes};
use super::options::{Encoding, ReadOptions};
use super::source::Source;
use crate::error::{Error, Result};

/// What is known about a folder of texts that was read.
#[derive(Debug, Serialize)]
pub(crate) struct TextFolder {
    /// The names of its classes, ascending.
    classes: Vec<String>,
    /// The file of each row, below the folder, with slashes.
    files: Vec<String>,
    /// What was left out.
    notes: Vec<Note>,
}

impl TextFolder {
    /// Reads all texts: by class, then by the name of the file, each in the order of its bytes.
    ///
    /// # Errors
    /// `NoClassFolder`, `EmptyClassFolder`, `SplitFolders`, `FolderName`; `NotText` for a file that is not UTF-8 or has a
    /// NUL character; `Read`.
    pub(super) fn read(path: &Path) -> Result<(Self, Source)> {
        let Layout { classes, notes } = Layout::of(path)?;
        let (files, source) = keep::keep(path, &classes)?;
        let classes = classes.into_iter().map(|class| class.name).collect();
        Ok((Self { classes, files, notes }, source))
    }

    /// Checks that no option is of a file's bytes: they are those of many files.
    ///
    /// # Errors
    /// `OptionOfFolder`.
    pub(super) fn check(&self, path: &Path, options: &ReadOptions) -> Result<()> {
        let is_other = |encoding: Encoding| encoding != Encoding::UTF_8;
        let option = match options {
            ReadOptions { format: Some(_), .. } => "format",
            ReadOptions { encoding: Some(encoding), .. } if is_other(*encoding) => "encoding",
            _ => return Ok(()),
        };
        Err(Error::OptionOfFolder { path: path.to_owned(), option })
    }

    /// Checks that there are several classes, which a training needs.
    ///
    /// # Errors
    /// `OneClassFolder`.
    pub(super) fn check_classes(&self, path: &Path) -> Result<()> {
        match &self.classes[..] {
            [name] => Err(Error::OneClassFolder { path: path.to_owned(), name: name.clone() }),
            _ => Ok(()),
        }
    }

    /// Says what was left out.
    pub(super) fn tell(&self, notes: &mut ReadNotes) {
        self.notes.iter().for_each(|note| notes.add(note.clone()));
    }

    /// An error in the words of a folder: with the file instead of the row.
    pub(super) fn worded(&self, path: &Path, error: Error) -> Error {
        match error {
            Error::Table { place: Place { row: Some(row), .. }, fault, .. } => {
                let file = self.files.get(row - 1).map_or("", String::as_str);
                Error::Table { path: path.join(file), place: Place::default(), fault }
            }
            other => other,
        }
    }
}

#[cfg(test)]
mod tests;

//! What a training has beside its training file, if the user divided the texts.

use std::path::PathBuf;

use dataset::{ColumnNames, ReadNotes};
use serde::{Deserialize, Serialize};

/// The names of the parts in messages.
const VALIDATION: &str = "validation";
const TEST: &str = "test";

/// What belongs to the validation and to the test texts, each if they are in a file of their own. Without either, one
/// file is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnSplits<T> {
    /// Of the validation texts; without it, they are split off the training file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation: Option<T>,
    /// Of the test texts; without it, nothing is tested.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test: Option<T>,
}

impl<T> Default for OwnSplits<T> {
    fn default() -> Self {
        Self { validation: None, test: None }
    }
}

impl<T> OwnSplits<T> {
    /// Whether there is neither, so that one file is divided.
    pub fn is_empty(&self) -> bool {
        self.validation.is_none() && self.test.is_none()
    }

    /// The same, borrowed.
    pub fn as_ref(&self) -> OwnSplits<&T> {
        OwnSplits { validation: self.validation.as_ref(), test: self.test.as_ref() }
    }

    /// What there is, with its name: `validation`, then `test`.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &T)> {
        let named = [(VALIDATION, &self.validation), (TEST, &self.test)];
        named.into_iter().filter_map(|(name, of)| Some((name, of.as_ref()?)))
    }

    /// What `change` makes of each; it gets the name, too.
    ///
    /// # Errors
    /// The first of `change`.
    pub fn try_map<U, E>(
        self,
        mut change: impl FnMut(&'static str, T) -> Result<U, E>,
    ) -> Result<OwnSplits<U>, E> {
        let mut of = |name, it: Option<T>| it.map(|it| change(name, it)).transpose();
        Ok(OwnSplits { validation: of(VALIDATION, self.validation)?, test: of(TEST, self.test)? })
    }

    /// What `change` makes of each.
    pub fn map<U>(self, mut change: impl FnMut(T) -> U) -> OwnSplits<U> {
        OwnSplits { validation: self.validation.map(&mut change), test: self.test.map(&mut change) }
    }

    /// Each with its counterpart, where both are there.
    pub fn zip<U>(self, other: OwnSplits<U>) -> OwnSplits<(T, U)> {
        OwnSplits {
            validation: self.validation.zip(other.validation),
            test: self.test.zip(other.test),
        }
    }
}

/// What was found in a file that goes with a training file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadedFile {
    /// The columns that were read.
    pub columns: ColumnNames,
    /// The reader's notes for the user.
    pub notes: ReadNotes,
    /// [`LabelledTexts::fingerprint`](dataset::LabelledTexts::fingerprint) of its contents.
    pub fingerprint: String,
}

/// A file that went with a training file, for the report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnOrigin {
    /// The file.
    pub path: PathBuf,
    /// Its text column.
    pub text_column: String,
    /// Its label columns: one, or one for each class.
    pub label_columns: Vec<String>,
    /// [`LabelledTexts::fingerprint`](dataset::LabelledTexts::fingerprint) of its contents.
    pub fingerprint: String,
}

impl OwnOrigin {
    /// What was found in the file `path`.
    pub fn new(path: impl Into<PathBuf>, loaded: LoadedFile) -> Self {
        let LoadedFile { columns, fingerprint, .. } = loaded;
        let label_columns = columns.labels.into_iter().map(|column| column.name).collect();
        Self { path: path.into(), text_column: columns.text.name, label_columns, fingerprint }
    }
}

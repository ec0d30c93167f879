//! Labels from memory.

use crate::error::{Error, Result};
use crate::tables::Texts;

/// Labels from memory, those of one text after those of another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Labels {
    /// `[n_texts]`: what the cell of a label column would hold; `None` where there is no label.
    Cells(Vec<Option<String>>),
    /// `[n_texts]`: any number of labels each, perhaps none.
    Lists(Vec<Vec<String>>),
}

impl Labels {
    /// The number of texts.
    pub fn len(&self) -> usize {
        match self {
            Self::Cells(cells) => cells.len(),
            Self::Lists(lists) => lists.len(),
        }
    }

    /// Whether there are no texts.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Fails if there are not as many labels as texts, or more than rows can be numbered.
    pub(super) fn check(&self, texts: &Texts) -> Result<()> {
        let (expected, got) = (texts.len(), self.len());
        if got != expected {
            return Err(Error::LengthMismatch { what: "labels", expected, got });
        }
        match u32::try_from(expected) {
            Ok(_) => Ok(()),
            Err(_) => Err(Error::TooManyRows { n_rows: expected }),
        }
    }
}

impl From<Vec<String>> for Labels {
    fn from(labels: Vec<String>) -> Self {
        Self::Cells(labels.into_iter().map(Some).collect())
    }
}

impl From<Vec<&str>> for Labels {
    fn from(labels: Vec<&str>) -> Self {
        Self::Cells(labels.into_iter().map(|label| Some(label.to_owned())).collect())
    }
}

impl From<Vec<Option<String>>> for Labels {
    fn from(labels: Vec<Option<String>>) -> Self {
        Self::Cells(labels)
    }
}

impl From<Vec<Vec<String>>> for Labels {
    fn from(labels: Vec<Vec<String>>) -> Self {
        Self::Lists(labels)
    }
}

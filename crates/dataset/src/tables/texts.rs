//! The texts of a table, shared with the table's frame.

use polars::prelude::{NewChunkedArray, StringChunked};

/// A column of strings without nulls, in one chunk, shared with the frame it came from.
#[derive(Clone, Debug)]
pub(crate) struct Texts(pub(super) StringChunked);

impl Texts {
    pub(crate) fn from_strings<S: AsRef<str>>(texts: impl IntoIterator<Item = S>) -> Self {
        Self(StringChunked::from_iter_values("text".into(), texts.into_iter()))
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// One text. Panics past the end, like a slice.
    pub(crate) fn get(&self, row: usize) -> &str {
        // Nulls were handled when the column was taken.
        self.0.get(row).unwrap_or_default()
    }

    /// The texts of some rows, in the order given.
    pub(crate) fn select(&self, rows: &[u32]) -> Self {
        Self::from_strings(rows.iter().map(|&row| self.get(row as usize)))
    }

    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = &str> + Clone {
        (0..self.len()).map(|row| self.get(row))
    }
}

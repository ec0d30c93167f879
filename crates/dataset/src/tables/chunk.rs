//! How tables are read in chunks: how large a chunk is, and what becomes of rows that cannot be read.

use serde::{Deserialize, Serialize};

use super::fault::{Fault, Place};

/// What to do with a row that cannot be read: one with too few or too many fields, a line that is no JSON
/// object, or a row without text where that is an error.
///
/// What makes the rest of a file unreadable is an error with either: a quotation mark that is not closed, a
/// byte that cannot be decoded, a damaged Parquet file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BadRows {
    /// The first such row is an error.
    #[default]
    Stop,
    /// They are kept in their place, without answers and with a message in a column `error`.
    Keep,
}

/// A row that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BadRow {
    /// Its index in the chunk.
    pub(crate) row_idx: usize,
    /// What is wrong, with its row and line in the file.
    pub(crate) message: String,
}

impl BadRow {
    pub(crate) fn of(row_idx: usize, place: Place, fault: &Fault) -> Self {
        let place = place.to_string();
        Self { row_idx, message: format!("{}: {fault}", place.trim_start_matches(", ")) }
    }
}

/// How much is read at a time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    /// The most rows of a chunk.
    pub(crate) rows: usize,
    /// A chunk ends after the row with which its cells have this many bytes, each at least [`Sizes::CELL`] unless
    /// it is a number.
    pub(crate) bytes: usize,
    /// The bytes read from a file at a time.
    pub(crate) block: usize,
}

impl Sizes {
    /// What a cell takes at least, also an empty one: the size of a string's view.
    pub(crate) const CELL: usize = 16;

    /// So small that several chunks fit in memory, and that little is lost when a run is killed.
    pub(crate) const CHUNKS: Self = Self { rows: 1 << 14, bytes: 1 << 23, ..Self::WHOLE };
    /// The whole table in one chunk.
    pub(crate) const WHOLE: Self = Self { rows: usize::MAX, bytes: usize::MAX, block: 1 << 17 };
}

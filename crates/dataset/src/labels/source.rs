//! The rows of a table that labels are read from.

use std::path::Path;

use crate::error::Error;
use crate::tables::{Fault, Table};

/// Where labels are read from.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    pub(crate) path: &'a Path,
    pub(crate) table: &'a Table,
    /// The rows of the table that are wanted; `None` for all.
    pub(crate) rows: Option<&'a [u32]>,
    /// How the labels of a row are written in one cell.
    pub(crate) writing: Writing,
}

/// How the labels of a row are written in one cell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Writing {
    /// In any way that tables have: what separates them is recognised.
    #[default]
    Open,
    /// A cell is one label, whatever characters it has.
    One,
    /// With [`FASTTEXT_SEPARATOR`](crate::tables::FASTTEXT_SEPARATOR) between them, which no label can have.
    Words,
}

impl Source<'_> {
    pub(super) fn n_rows(&self) -> usize {
        self.rows.map_or(self.table.frame.height(), <[u32]>::len)
    }

    /// The row of the table of a wanted row.
    pub(super) fn table_row(&self, row: usize) -> usize {
        self.rows.map_or(row, |rows| rows[row] as usize)
    }

    /// A fault in a wanted row.
    pub(super) fn wrong(&self, row: usize, fault: Fault) -> Error {
        Error::at(self.path, self.table.place(self.table_row(row)), fault)
    }
}

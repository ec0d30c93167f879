//! The cells of a label column as they are written, with their rows.

use super::source::Source;
use super::values::{self, LabelCell};
use crate::error::Result;

/// One way in which labels are written.
#[derive(Clone, Debug)]
pub(crate) struct Spelling {
    /// As in the file, with surrounding spaces.
    pub(crate) written: String,
    /// The first wanted row that has it.
    pub(crate) first: usize,
    /// The wanted rows that have it, ascending.
    pub(crate) rows: Vec<u32>,
}

/// The different cells of a column, in order of appearance; cells without a value and lists are left out.
///
/// # Errors
/// `ColumnType`, `Fault::NotLabel`.
pub(crate) fn spellings(source: &Source<'_>, column: &str) -> Result<Vec<Spelling>> {
    let cells = values::read(source, column)?;
    let mut rows_of: Vec<Vec<u32>> = vec![Vec::new(); cells.all.len()];
    for (cell, row) in cells.of_row.iter().zip(0u32..) {
        if let Some(cell) = cell {
            rows_of[*cell as usize].push(row);
        }
    }
    let spelling = |(cell, rows): (LabelCell, Vec<u32>)| match (cell, rows.first()) {
        (LabelCell::One(written), Some(&first)) => {
            Some(Spelling { written, first: first as usize, rows })
        }
        _ => None,
    };
    Ok(cells.all.into_iter().zip(rows_of).filter_map(spelling).collect())
}

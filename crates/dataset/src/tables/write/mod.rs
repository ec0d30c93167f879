//! Tables on their way out: every cell as it came in, as far as the format can hold it.
//!
//! What a format cannot hold is written as the nearest thing that it can, and reported as a
//! [`Change`]; nothing is dropped without a word. Where the bytes go is `destination`'s business.

mod csv;
mod destination;
mod json_lines;
mod json_text;
mod parquet;
mod temporary;
mod times;

use std::fmt;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};

use polars::prelude::{Column, DataType, PolarsError, PolarsResult, StringChunked};

use crate::tables::{Cells, Format, Table};
use crate::wording::shortened;

pub(crate) use self::destination::{Destination, same_file};

/// What the cells of a written file became because its format cannot hold them as they were, or
/// what others may not read from it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// NaN and infinities, which JSON has no words for, were written as `null`.
    NotFinite {
        /// The column.
        column: String,
        /// How many of its cells.
        n_cells: usize,
    },
    /// NUL characters, which many readers of text tables refuse or stop at.
    Nul {
        /// The column.
        column: String,
        /// How many of its cells.
        n_cells: usize,
    },
    /// A column of JSON values that have no Parquet type in common was written as strings, which
    /// hold the JSON text of each value.
    AsJsonText {
        /// The column.
        column: String,
    },
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFinite { column, n_cells } => write!(
                f,
                "column \"{}\": {n_cells} NaN or infinite values became null, because JSON has \
                 none",
                shortened(column)
            ),
            Self::Nul { column, n_cells } => write!(
                f,
                "column \"{}\": {n_cells} texts with NUL characters, which many programs cannot read \
                 from a table of text",
                shortened(column)
            ),
            Self::AsJsonText { column } => write!(
                f,
                "column \"{}\" holds values that no one type of Parquet can hold; each is written as JSON in a string",
                shortened(column)
            ),
        }
    }
}

/// A column, and what its cells are.
#[derive(Debug)]
struct OutColumn {
    column: Column,
    cells: Cells,
}

impl OutColumn {
    fn name(&self) -> &str {
        self.column.name()
    }
}

/// Writes a table and more columns of polars' own types beside it.
///
/// # Errors
/// What the sink says, as `PolarsError::IO`; anything else if the format cannot hold the table.
pub(crate) fn encode(
    table: &Table,
    more: Vec<Column>,
    format: Format,
    sink: &mut dyn Write,
) -> PolarsResult<Vec<Change>> {
    let own = table.frame.columns().iter().map(|column| (column.clone(), table.cells));
    let columns: Vec<OutColumn> = own
        .chain(more.into_iter().map(|column| (column, Cells::Typed)))
        // One chunk a column: cells are looked up by row.
        .map(|(column, cells)| OutColumn { column: column.rechunk(), cells })
        .collect();
    let write = || match format {
        Format::Csv | Format::Tsv => csv::write(&columns, format.separator().unwrap_or(b','), sink),
        Format::JsonLines => json_lines::write(&columns, sink),
        Format::Parquet => parquet::write(&columns, sink),
    };
    // Polars' writers panic where they meet a type that they were not built for.
    catch_unwind(AssertUnwindSafe(write))
        .unwrap_or_else(|_| Err(PolarsError::ComputeError("the writer gave up on a column".into())))
}

/// A column of strings, whatever strings they were.
fn strings(column: &Column) -> PolarsResult<StringChunked> {
    let strings = column.cast(&DataType::String)?;
    Ok(strings.str()?.clone())
}

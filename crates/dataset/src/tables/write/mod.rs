//! Writes tables with every cell unchanged, as far as the format allows.
//!
//! A value that a format cannot hold is written as the nearest one that it can, and reported as a
//! [`Change`]; nothing is dropped silently. `destination` decides where the bytes go.

mod csv;
mod destination;
mod encode;
mod json_lines;
mod json_text;
mod parquet;
mod parquet_columns;
mod parquet_file;
mod times;

use std::fmt;

use polars::prelude::{Column, DataType, PolarsResult, StringChunked};
use serde::{Deserialize, Serialize};

use crate::tables::Cells;
use crate::wording::shortened;

pub use self::destination::Existing;
pub(crate) use self::destination::{Destination, Stream, same_file};
pub(crate) use self::encode::{Encoded, encode, failed, header, typed};
pub(crate) use self::json_text::Kind;
pub(crate) use self::parquet::Groups;
pub use self::parquet_columns::{ParquetKind, ParquetValues};
pub use self::parquet_file::ParquetFile;

/// A change to cells that the output format cannot hold, or a warning that other programs may not
/// read them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Change {
    /// NaN and infinities, which JSON cannot represent, were written as `null`.
    NotFinite {
        /// The column.
        column: String,
        /// The number of its cells.
        n_cells: usize,
    },
    /// Cells have NUL characters, which many readers of text tables reject or stop at.
    Nul {
        /// The column.
        column: String,
        /// The number of its cells.
        n_cells: usize,
    },
    /// A column of JSON values without a common Parquet type was written as strings with the JSON
    /// text of each value.
    AsJsonText {
        /// The column.
        column: String,
    },
}

impl Change {
    /// Adds this to the changes of other rows.
    pub(crate) fn join(self, others: &mut Vec<Self>) {
        for other in &mut *others {
            match (other, &self) {
                (
                    Self::NotFinite { column, n_cells },
                    Self::NotFinite { column: own, n_cells: more },
                )
                | (Self::Nul { column, n_cells }, Self::Nul { column: own, n_cells: more })
                    if column == own =>
                {
                    *n_cells += more;
                    return;
                }
                (Self::AsJsonText { column }, Self::AsJsonText { column: own })
                    if column == own =>
                {
                    return;
                }
                _ => {}
            }
        }
        others.push(self);
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFinite { column, n_cells } => write!(
                f,
                "column \"{}\": {n_cells} NaN or infinite values became null, because JSON \
                 cannot represent them",
                shortened(column)
            ),
            Self::Nul { column, n_cells } => write!(
                f,
                "column \"{}\": {n_cells} texts contain NUL characters, which many programs cannot \
                 read from a text table",
                shortened(column)
            ),
            Self::AsJsonText { column } => write!(
                f,
                "column \"{}\" holds values without a common Parquet type; each was written as a string \
                 of JSON",
                shortened(column)
            ),
        }
    }
}

/// A column, and how its cells are represented.
#[derive(Debug)]
pub(crate) struct OutColumn {
    pub(crate) column: Column,
    pub(crate) cells: Cells,
    /// Of a JSON column, the kind of all its values, also of those in other chunks.
    pub(crate) kind: Option<Kind>,
}

impl OutColumn {
    fn name(&self) -> &str {
        self.column.name()
    }
}

/// A column of any string type as plain strings.
fn strings(column: &Column) -> PolarsResult<StringChunked> {
    let strings = column.cast(&DataType::String)?;
    Ok(strings.str()?.clone())
}

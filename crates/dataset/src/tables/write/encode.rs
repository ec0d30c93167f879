//! Writes a table in any format.

use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};

use polars::prelude::{Column, PolarsError, PolarsResult};

use super::{Change, OutColumn, csv, json_lines, parquet};
use crate::tables::{Cells, Format, Table};

/// Writes a table with additional columns of polars' own types.
///
/// # Errors
/// `PolarsError::IO` if the sink fails; another error if the format cannot hold the table.
pub(crate) fn encode(
    table: &Table,
    more: Vec<Column>,
    format: Format,
    sink: &mut dyn Write,
) -> PolarsResult<Vec<Change>> {
    let own = table.frame.columns().iter().map(|column| (column.clone(), table.cells));
    let columns: Vec<OutColumn> = own
        .chain(more.into_iter().map(|column| (column, Cells::Typed)))
        // One chunk per column: cells are looked up by row.
        .map(|(column, cells)| OutColumn { column: column.rechunk(), cells })
        .collect();
    let write = || match format {
        Format::Csv | Format::Tsv => csv::write(&columns, format.separator().unwrap_or(b','), sink),
        Format::JsonLines => json_lines::write(&columns, sink),
        Format::Parquet => parquet::write(&columns, sink),
    };
    // Polars' writers panic on types that they were built without.
    catch_unwind(AssertUnwindSafe(write))
        .unwrap_or_else(|_| Err(PolarsError::ComputeError("the writer crashed on a column".into())))
}

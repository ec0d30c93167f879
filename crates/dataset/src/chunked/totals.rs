//! What needs all rows of a file, collected while they are read a chunk at a time.

use std::collections::HashSet;

use polars::prelude::Column;

use crate::tables::write::Kind;
use crate::tables::{Cells, JsonValue, Place, Table};

/// What is known of all rows read so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Totals {
    pub(super) n_rows: usize,
    /// Rows whose cells could not be read.
    pub(super) n_bad: usize,
    first_readable: Option<Place>,
    pub(super) columns: Vec<ColumnTotals>,
}

/// What is known of a column.
#[derive(Clone, Debug, Default)]
pub(super) struct ColumnTotals {
    /// Rows without a value, besides those that could not be read.
    pub(super) n_missing: usize,
    pub(super) first_missing: Option<Place>,
    /// JSON values that are no text.
    pub(super) n_wrong: usize,
    /// The first of them: its place, its kind and the value.
    pub(super) first_wrong: Option<(Place, &'static str, String)>,
    /// The kind of all JSON values.
    pub(super) kind: Option<Kind>,
}

impl Totals {
    /// Adds the next rows.
    pub(super) fn add(&mut self, table: &Table) {
        let columns = table.frame.columns();
        // A JSON column that appears late is missing in all rows before.
        let (n_missing, first_missing) = (self.n_rows - self.n_bad, self.first_readable);
        let late = || ColumnTotals { n_missing, first_missing, ..ColumnTotals::default() };
        self.columns.resize_with(columns.len(), late);
        let bad: HashSet<usize> = table.bad.iter().map(|bad| bad.row_idx).collect();
        if self.first_readable.is_none() {
            let first = (0..table.frame.height()).find(|row_idx| !bad.contains(row_idx));
            self.first_readable = first.map(|row_idx| table.place(row_idx));
        }
        for (totals, column) in self.columns.iter_mut().zip(columns) {
            totals.add(column, table, &bad);
        }
        self.n_rows += table.frame.height();
        self.n_bad += bad.len();
    }
}

impl ColumnTotals {
    /// Adds the next cells.
    fn add(&mut self, column: &Column, table: &Table, bad: &HashSet<usize>) {
        let mut miss = |row_idx: usize| {
            if !bad.contains(&row_idx) {
                self.n_missing += 1;
                self.first_missing.get_or_insert_with(|| table.place(row_idx));
            }
        };
        let Ok(cells) = column.str() else {
            let nulls = column.is_null();
            let nulls = nulls.iter().enumerate().filter(|(_, is_null)| *is_null == Some(true));
            nulls.for_each(|(row_idx, _)| miss(row_idx));
            return;
        };
        for (row_idx, cell) in cells.iter().enumerate() {
            let Some(cell) = cell else {
                miss(row_idx);
                continue;
            };
            if table.cells != Cells::Json {
                continue;
            }
            self.kind = Kind::with(self.kind, cell);
            match cell.as_bytes().first() {
                Some(b'n') => miss(row_idx),
                Some(b'{' | b'[' | b't' | b'f') => {
                    self.n_wrong += 1;
                    self.first_wrong.get_or_insert_with(|| {
                        let kind = JsonValue::of(cell).kind();
                        (table.place(row_idx), kind, cell.to_owned())
                    });
                }
                _ => {}
            }
        }
    }
}

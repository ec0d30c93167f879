//! Other columns that tell the label.

use std::collections::HashMap;

use polars::prelude::{Column, DataType};

use super::finding::{Finding, Found, Severity};
use super::table::CheckedTable;

/// A column tells the label if it follows from its values for this fraction of the rows.
const MOST: f64 = 0.95;
/// It must do so for this fraction of the rows that are not of the largest class, too.
const MOST_OF_OTHERS: f64 = 0.8;
/// A value must stand for so many rows on average: names and numbers of rows tell everything and mean nothing.
const ROWS_OF_VALUE: usize = 5;

/// Looks at every column that is not used.
pub(super) fn find(table: &CheckedTable) -> Vec<Finding> {
    let labelled = table.labelled();
    let Some(classes) = labelled.targets().one_of() else { return Vec::new() };
    let names = labelled.columns();
    let used: Vec<&str> = [Some(&names.text), names.group.as_ref(), names.weight.as_ref()]
        .into_iter()
        .flatten()
        .chain(&names.labels)
        .map(|column| column.name.as_str())
        .collect();
    let rows = table.table_rows();
    let largest = labelled.class_counts().into_iter().max().unwrap_or_default();
    let others = table.table.frame.columns().iter();
    let others = others.filter(|column| !used.contains(&column.name().as_str()));
    others
        .filter_map(|column| {
            let told = told(column, &rows, classes)?;
            let share = told.n_right as f64 / rows.len().max(1) as f64;
            let of_others = told.n_right.saturating_sub(largest) as f64
                / rows.len().saturating_sub(largest).max(1) as f64;
            let column = column.name().to_string();
            let found = Found::ColumnTells { column, n_values: told.n_values, share };
            // Only the texts are read: a model here does not see the column.
            (share >= MOST && of_others >= MOST_OF_OTHERS)
                .then(|| Finding::of(Severity::Note, found))
        })
        .collect()
}

/// What the values of a column say about the classes.
struct Told {
    n_values: usize,
    /// Rows that are of the most frequent class of their value.
    n_right: usize,
}

/// `None` if the column has too many values, only one, or values that cannot be compared.
fn told(column: &Column, rows: &[u32], classes: &[u32]) -> Option<Told> {
    let cells = column.cast(&DataType::String).ok()?;
    let cells = cells.str().ok()?;
    let mut counts: HashMap<&str, HashMap<u32, usize>> = HashMap::new();
    for (&row, &class) in rows.iter().zip(classes) {
        let Some(cell) = cells.get(row as usize) else { continue };
        *counts.entry(cell).or_default().entry(class).or_default() += 1;
        if counts.len() * ROWS_OF_VALUE > rows.len() {
            return None;
        }
    }
    let of_value = |classes: &HashMap<u32, usize>| classes.values().max().copied();
    let n_right = counts.values().filter_map(of_value).sum();
    (counts.len() > 1).then_some(Told { n_values: counts.len(), n_right })
}

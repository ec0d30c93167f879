//! Writes the real reviews as a CSV file.

use std::path::Path;

use anyhow::{Context as _, Result};
use dataset::{ColumnChoice, DataFile, LabelOptions, LabelledTexts, ReadOptions};

/// Writes the texts and labels of a table as CSV with the columns `text` and `label`.
///
/// # Errors
/// If `table` cannot be read or `csv` cannot be written.
pub fn write_csv(table: &Path, csv: &Path) -> Result<()> {
    let (columns, options) = (ColumnChoice::default(), ReadOptions::default());
    let labels = LabelOptions::default();
    let table = LabelledTexts::read(&DataFile::open(table)?, &columns, &labels, &options)?;
    let mut out = String::from("text,label\n");
    for (row, text) in table.texts().enumerate() {
        let label = table.targets().of_row(row).first().context("a review has no label")?;
        out.push('"');
        out.push_str(&text.replace('"', "\"\""));
        out.push_str(&format!("\",{label}\n"));
    }
    std::fs::write(csv, out).with_context(|| format!("cannot write {}", csv.display()))
}

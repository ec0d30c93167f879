//! Writes the real reviews as a CSV file.

use std::path::Path;

use anyhow::{Context as _, Result};
use dataset::{ColumnChoice, DataFile, LabelledTexts, ReadOptions};

/// Writes the texts and labels of a table as CSV with the columns `text` and `label`.
///
/// # Errors
/// If `table` cannot be read or `csv` cannot be written.
pub fn write_csv(table: &Path, csv: &Path) -> Result<()> {
    let (columns, options) = (ColumnChoice::default(), ReadOptions::default());
    let table = LabelledTexts::read(&DataFile::open(table)?, &columns, &options)?;
    let mut out = String::from("text,label\n");
    for (text, label) in table.texts().zip(table.labels()) {
        out.push('"');
        out.push_str(&text.replace('"', "\"\""));
        out.push_str(&format!("\",{label}\n"));
    }
    std::fs::write(csv, out).with_context(|| format!("cannot write {}", csv.display()))
}

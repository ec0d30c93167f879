//! A table with all its columns, read for a check: rows without a text are found, not refused.

use std::path::PathBuf;

use crate::columns::ColumnChoice;
use crate::error::Result;
use crate::labelled::LabelledTexts;
use crate::labels::{LabelOptions, Writing};
use crate::tables::{DataFile, Missing, ReadOptions, Table};

/// A table of labelled texts, and its other columns.
#[derive(Clone, Debug)]
pub struct CheckedTable {
    labelled: LabelledTexts,
    pub(super) table: Table,
    /// How the labels of a row are written.
    pub(super) writing: Writing,
    /// How the file is called in messages.
    pub(super) path: PathBuf,
    /// The file rows without a text, from 1, and whether reading the table otherwise stops at them.
    pub(super) without_text: Vec<usize>,
    pub(super) stops_at_missing: bool,
}

impl CheckedTable {
    /// Reads a table like [`LabelledTexts::read`], but leaves out rows without a text where that stops at them.
    ///
    /// # Errors
    /// As [`LabelledTexts::read`].
    pub fn read(
        file: &DataFile,
        choice: &ColumnChoice,
        label_options: &LabelOptions,
        options: &ReadOptions,
    ) -> Result<Self> {
        let stops_at_missing = options.missing == Missing::Error;
        let missing = if stops_at_missing { Missing::Skip } else { options.missing };
        let options = ReadOptions { missing, ..options.clone() };
        let table = Self::read_strictly(file, choice, label_options, &options)?;
        Ok(Self { stops_at_missing, ..table })
    }

    /// Reads a table exactly like [`LabelledTexts::read`], for a training that checks what it reads.
    ///
    /// # Errors
    /// As [`LabelledTexts::read`].
    pub fn read_strictly(
        file: &DataFile,
        choice: &ColumnChoice,
        label_options: &LabelOptions,
        options: &ReadOptions,
    ) -> Result<Self> {
        let (labelled, table, writing) =
            LabelledTexts::with_table(file, choice, label_options, options)?;
        let path = file.name();
        let column = table.column(&path, &labelled.columns().text.name)?;
        // That it can be read as strings was found out above.
        let without_text = match table.strings(column) {
            Ok(texts) if texts.null_count() > 0 => (1..)
                .zip(texts.iter())
                .filter(|(_, text)| text.is_none())
                .map(|(row, _)| row)
                .collect(),
            _ => Vec::new(),
        };
        Ok(Self { labelled, table, writing, path, without_text, stops_at_missing: false })
    }

    /// The texts and labels.
    pub fn labelled(&self) -> &LabelledTexts {
        &self.labelled
    }

    /// The texts, in file order, without rows that have none.
    pub fn texts(&self) -> impl ExactSizeIterator<Item = &str> + Clone {
        self.labelled.texts()
    }

    /// The row of the table of each text, from 0.
    pub(super) fn table_rows(&self) -> Vec<u32> {
        let n_rows = self.labelled.len() as u32;
        (0..n_rows).map(|row| (self.labelled.file_row(row) - 1) as u32).collect()
    }
}

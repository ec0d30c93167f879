//! A table with a text column, kept whole.

use std::path::{Path, PathBuf};

use polars::prelude::DataFrame;

use crate::answers::{AnswerColumn, AnswerName, AnswerWriter, OutputOptions, Written};
use crate::chunked::{ChunkedTable, TextChunk};
use crate::columns::{ChosenColumn, ColumnChoice};
use crate::error::{Error, Result};
use crate::tables::write::Existing;
use crate::tables::{BadRows, DataFile, ReadNotes, ReadOptions, Sizes};

/// A table with a text column, kept whole in one chunk.
#[derive(Clone, Debug)]
pub struct TextTable {
    path: PathBuf,
    table: ChunkedTable,
    chunk: TextChunk,
    notes: ReadNotes,
}

impl TextTable {
    /// Reads a table of texts; only the text column of `choice` matters.
    ///
    /// # Errors
    /// As [`ChunkedTable::survey`].
    pub fn read(file: &DataFile, choice: &ColumnChoice, options: &ReadOptions) -> Result<Self> {
        let files = std::slice::from_ref(file);
        let table =
            ChunkedTable::survey_sized(files, choice, options, BadRows::Stop, Sizes::WHOLE)?;
        let path = file.name();
        let Some(chunk) = table.chunks().next() else { return Err(Error::NoRows { path }) };
        let notes = table.notes().map(|(_, notes)| notes.clone()).next().unwrap_or_default();
        Ok(Self { path, chunk: chunk?, table, notes })
    }

    /// The file that was read.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The number of texts: all rows except those left out because they have no text.
    pub fn len(&self) -> usize {
        self.chunk.n_texts()
    }

    /// Whether there are no texts.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of rows of the file, including those without text.
    pub fn n_rows(&self) -> usize {
        self.chunk.n_rows()
    }

    /// The texts, in file order.
    pub fn texts(&self) -> impl ExactSizeIterator<Item = &str> + Clone {
        self.chunk.texts()
    }

    /// The rows of [`TextTable::frame`] that have a text, ascending; `None` if every row has one.
    pub fn text_rows(&self) -> Option<&[u32]> {
        self.chunk.rows.as_deref()
    }

    /// The text column, and how it was chosen.
    pub fn text_column(&self) -> &ChosenColumn {
        self.table.text_column()
    }

    /// As [`ChunkedTable::left_out_columns`].
    pub fn left_out_columns(&self) -> &[String] {
        self.table.left_out_columns()
    }

    /// What the user should know about how the file was read.
    pub fn notes(&self) -> &ReadNotes {
        &self.notes
    }

    /// The columns of the file, except those left out. Cells of CSV and TSV are strings; cells of JSON
    /// are the JSON text of their values.
    pub fn frame(&self) -> &DataFrame {
        &self.chunk.table.frame
    }

    /// As [`ChunkedTable::check_output`].
    ///
    /// # Errors
    /// As there.
    pub fn check_output(&self, path: impl AsRef<Path>, existing: Existing) -> Result<()> {
        self.table.check_output(path, existing)
    }

    /// Writes the table with more columns, as [`AnswerWriter`] does.
    ///
    /// # Errors
    /// As [`AnswerWriter`].
    pub fn write_answers(
        &self,
        path: impl AsRef<Path>,
        answers: &[AnswerColumn<'_>],
        existing: Existing,
    ) -> Result<Written> {
        let name = |AnswerColumn { name, values }: &AnswerColumn<'_>| AnswerName {
            name: name.clone(),
            kind: values.kind(),
        };
        let names: Vec<AnswerName> = answers.iter().map(name).collect();
        let values: Vec<_> = answers.iter().map(|answer| answer.values).collect();
        let options = OutputOptions { existing, ..OutputOptions::default() };
        let mut writer = AnswerWriter::create(&self.table, path, &names, options)?;
        writer.write(&self.chunk, &values)?;
        writer.finish()
    }
}

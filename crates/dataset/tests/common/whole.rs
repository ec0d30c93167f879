//! A table that is read in chunks and kept whole, to be looked at and written with answers.
#![allow(dead_code, reason = "each test needs a part of it")]

use std::path::{Path, PathBuf};

use dataset::{
    AnswerName, AnswerValues, AnswerWriter, BadRows, ChosenColumn, ChunkedTable, ColumnChoice,
    DataFile, Existing, Layout, OutputOptions, ReadNotes, ReadOptions, Result, TextChunk, Written,
};
use polars::prelude::DataFrame;

/// A column of answers to all texts of a table.
#[derive(Clone, Debug)]
pub(crate) struct AnswerColumn<'a> {
    pub(crate) name: String,
    pub(crate) values: AnswerValues<'a>,
}

/// A table of texts.
#[derive(Clone, Debug)]
pub(crate) struct TextTable {
    path: PathBuf,
    table: ChunkedTable,
    chunks: Vec<TextChunk>,
    frame: DataFrame,
    notes: ReadNotes,
}

impl TextTable {
    pub(crate) fn read(
        file: &DataFile,
        choice: &ColumnChoice,
        options: &ReadOptions,
    ) -> Result<Self> {
        let files = std::slice::from_ref(file);
        let table = ChunkedTable::survey(files, choice, options, BadRows::Stop)?;
        let chunks = table.chunks().collect::<Result<Vec<_>>>()?;
        let frames = chunks.iter().map(|chunk| chunk.frame().clone());
        let mut frame = frames.reduce(|all, next| all.vstack(&next).unwrap()).unwrap();
        frame.rechunk_mut();
        let notes = table.notes().next().unwrap().1.clone();
        Ok(Self { path: file.name(), table, chunks, frame, notes })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn len(&self) -> usize {
        self.table.n_texts()
    }

    pub(crate) fn n_rows(&self) -> usize {
        self.table.n_rows()
    }

    pub(crate) fn texts(&self) -> impl Iterator<Item = &str> + Clone {
        self.chunks.iter().flat_map(TextChunk::texts)
    }

    /// The rows that have a text; `None` if every row has one.
    pub(crate) fn text_rows(&self) -> Option<&[u32]> {
        assert_eq!(self.chunks.len(), 1);
        self.chunks[0].text_rows()
    }

    pub(crate) fn text_column(&self) -> &ChosenColumn {
        self.table.text_column()
    }

    pub(crate) fn left_out_columns(&self) -> &[String] {
        self.table.left_out_columns()
    }

    pub(crate) fn notes(&self) -> &ReadNotes {
        &self.notes
    }

    pub(crate) fn frame(&self) -> &DataFrame {
        &self.frame
    }

    pub(crate) fn check_output(&self, path: impl AsRef<Path>, existing: Existing) -> Result<()> {
        self.table.check_output(path, existing, Layout::File)
    }

    pub(crate) fn write_answers(
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
        let options = OutputOptions { existing, ..OutputOptions::default() };
        let mut writer = AnswerWriter::create(&self.table, path, &names, options)?;
        let mut first = 0;
        for (idx, chunk) in self.chunks.iter().enumerate() {
            // The last chunk gets all that are left, also if these are too many.
            let is_last = idx + 1 == self.chunks.len();
            let end = |len: usize| if is_last { len } else { first + chunk.n_texts() };
            let of_chunk: Vec<AnswerValues<'_>> = answers
                .iter()
                .map(|answer| match answer.values {
                    AnswerValues::Words(all) => AnswerValues::Words(&all[first..end(all.len())]),
                    AnswerValues::Numbers(all) => {
                        AnswerValues::Numbers(&all[first..end(all.len())])
                    }
                    AnswerValues::Counts(all) => AnswerValues::Counts(&all[first..end(all.len())]),
                    AnswerValues::Flags(all) => AnswerValues::Flags(&all[first..end(all.len())]),
                    AnswerValues::Lists(all) => AnswerValues::Lists(&all[first..end(all.len())]),
                })
                .collect();
            writer.write(chunk, &of_chunk)?;
            first += chunk.n_texts();
        }
        writer.finish()
    }
}

//! A table of any size, from one file or several: surveyed once, then read a chunk at a time.
//!
//! The survey reads and checks every row, so that a bad row at the end is found before anything is done with
//! the first, and so that what depends on the whole file is known: the number of rows, the columns, what
//! quotation marks mean. Chunks are always the same ones for the same file.

mod chunk;
mod chunks;
mod survey;
mod totals;

use std::path::Path;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

pub use self::chunk::TextChunk;
pub use self::chunks::Chunks;

use self::survey::Surveyed;
use crate::columns::{ChosenColumn, ColumnChoice};
use crate::digest::hex;
use crate::error::{Error, Result};
use crate::tables::write::{Change, Kind, same_file};
use crate::tables::{BadRows, Cells, DataFile, Format, Missing, ReadNotes, ReadOptions, Sizes};

/// A table of texts of any size, from one file or several whose rows follow one another.
///
/// Its rows are read again for [`ChunkedTable::chunks`], and are not kept in memory.
#[derive(Clone, Debug)]
pub struct ChunkedTable(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    files: Vec<Surveyed>,
    names: Vec<String>,
    missing: Missing,
    bad_rows: BadRows,
    sizes: Sizes,
    digest: String,
}

impl ChunkedTable {
    /// Reads and checks every row of some files; only the text column of `choice` matters. All files must have
    /// the same columns, in text tables and Parquet in the same order.
    ///
    /// # Errors
    /// An [`Error`] that names the file, and the row, line or column at fault, as of
    /// [`LabelledTexts::read`](crate::LabelledTexts::read); `DifferentColumns`; `NoFiles`; `Changed` if a file
    /// is written to meanwhile. With [`BadRows::Keep`], rows that cannot be read are counted instead.
    pub fn survey(
        files: &[DataFile],
        choice: &ColumnChoice,
        options: &ReadOptions,
        bad_rows: BadRows,
    ) -> Result<Self> {
        Self::survey_sized(files, choice, options, bad_rows, Sizes::CHUNKS)
    }

    pub(crate) fn survey_sized(
        files: &[DataFile],
        choice: &ColumnChoice,
        options: &ReadOptions,
        bad_rows: BadRows,
        sizes: Sizes,
    ) -> Result<Self> {
        let mut surveyed: Vec<Surveyed> = Vec::with_capacity(files.len());
        for file in files {
            let mut next = Surveyed::of(file, choice, options, bad_rows, &sizes)?;
            if let Some(first) = surveyed.first() {
                next.check_like(first)?;
                // In the order of the first file.
                next.plan = next.plan.with_names(first.columns.names());
            }
            surveyed.push(next);
        }
        let Some(first) = surveyed.first() else { return Err(Error::NoFiles) };
        let names = first.columns.names();
        let digest = digest(&surveyed, options, bad_rows);
        let missing = options.missing;
        Ok(Self(Arc::new(Inner { files: surveyed, names, missing, bad_rows, sizes, digest })))
    }

    /// The number of rows, including those without text.
    pub fn n_rows(&self) -> usize {
        self.sum(|file| file.totals.n_rows)
    }

    /// The number of texts.
    pub fn n_texts(&self) -> usize {
        self.sum(|file| file.n_texts)
    }

    /// The number of rows that could not be read; 0 with [`BadRows::Stop`].
    pub fn n_bad_rows(&self) -> usize {
        self.sum(|file| file.totals.n_bad)
    }

    fn sum(&self, of: impl Fn(&Surveyed) -> usize) -> usize {
        self.0.files.iter().map(of).sum()
    }

    /// The columns, except those left out.
    pub fn columns(&self) -> &[String] {
        &self.0.names
    }

    /// The text column, and how it was chosen.
    pub fn text_column(&self) -> &ChosenColumn {
        &self.first().text
    }

    /// Columns that were left out because not every output format can hold them: lists, structs,
    /// decimals, times with a zone.
    pub fn left_out_columns(&self) -> &[String] {
        &self.first().columns.left_out
    }

    /// What the user should know about how each file was read.
    pub fn notes(&self) -> impl ExactSizeIterator<Item = (&Path, &ReadNotes)> {
        self.0.files.iter().map(|file| (file.path.as_path(), &file.notes))
    }

    /// A digest of the bytes of all files as stored, and of how they are read: 64 hexadecimal digits.
    pub fn digest(&self) -> &str {
        &self.0.digest
    }

    /// Reads the rows, from the first.
    pub fn chunks(&self) -> Chunks {
        self.chunks_from(0)
    }

    /// Reads the rows from a row on, counted from 0.
    pub fn chunks_from(&self, row: usize) -> Chunks {
        Chunks::new(self, row)
    }

    /// Checks that writing to `path` would not lose columns of an input file.
    ///
    /// # Errors
    /// `ColumnsLost`.
    pub(crate) fn check_not_lost(&self, path: &Path) -> Result<()> {
        let columns = self.left_out_columns();
        let is_input = self.0.files.iter().any(|file| same_file(&file.path, path));
        if !columns.is_empty() && is_input {
            return Err(Error::ColumnsLost { path: path.to_owned(), columns: columns.to_vec() });
        }
        Ok(())
    }

    fn first(&self) -> &Surveyed {
        // There is at least one file.
        &self.0.files[0]
    }

    pub(crate) fn bad_rows(&self) -> BadRows {
        self.0.bad_rows
    }

    pub(crate) fn cells(&self) -> Cells {
        self.first().cells()
    }

    /// The kind of the JSON values of a column.
    pub(crate) fn kind(&self, name: &str) -> Option<Kind> {
        let of_file = |file: &Surveyed| {
            let idx = file.columns.names().iter().position(|column| column == name)?;
            file.totals.columns.get(idx)?.kind
        };
        self.0.files.iter().filter_map(of_file).reduce(Kind::joined)
    }

    /// The JSON columns that Parquet holds as strings of JSON.
    pub(crate) fn json_texts(&self) -> impl Iterator<Item = Change> {
        let names = self.columns().iter().filter(|_| self.cells() == Cells::Json);
        let mixed = names.filter(|name| self.kind(name) == Some(Kind::Other));
        mixed.map(|column| Change::AsJsonText { column: column.clone() })
    }

    /// The format in which the first file was read, or one that can be written and is like it.
    pub(crate) fn format_read(&self) -> Format {
        match self.first().format {
            Format::FastText => Format::Tsv,
            other => other,
        }
    }
}

/// A digest of the bytes of files and of how they are read.
fn digest(files: &[Surveyed], options: &ReadOptions, bad_rows: BadRows) -> String {
    let mut hasher = Sha256::new();
    for file in files {
        hasher.update(&file.digest);
        hasher.update((file.text.name.len() as u64).to_le_bytes());
        hasher.update(&file.text.name);
    }
    // Each setting has a fixed spelling.
    hasher.update(format!("{options:?} {bad_rows:?}"));
    hex(hasher)
}

#[cfg(test)]
mod tests;

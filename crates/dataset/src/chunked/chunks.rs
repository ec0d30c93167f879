//! Reads a surveyed table again, a chunk at a time.

use super::{ChunkedTable, Inner, TextChunk};
use crate::error::{Error, Result};
use crate::tables::Reader;

/// The chunks of a table, in order. Each is of one file.
///
/// Ends after the first error: the files were checked before, so that it is one of the system, or a file has
/// changed.
pub struct Chunks {
    table: ChunkedTable,
    file_idx: usize,
    reader: Option<Reader>,
    /// The rows of the table that were read, and of the file.
    n_rows: usize,
    n_of_file: usize,
    first_row: usize,
    has_failed: bool,
}

impl Chunks {
    pub(super) fn new(table: &ChunkedTable, first_row: usize) -> Self {
        let table = table.clone();
        Self {
            table,
            file_idx: 0,
            reader: None,
            n_rows: 0,
            n_of_file: 0,
            first_row,
            has_failed: false,
        }
    }

    fn read(&mut self) -> Result<Option<TextChunk>> {
        let Inner { files, missing, bad_rows, sizes, names, .. } = &*self.table.0;
        while let Some(file) = files.get(self.file_idx) {
            let is_skipped = self.n_rows + file.totals.n_rows <= self.first_row;
            if self.reader.is_none() && is_skipped {
                self.n_rows += file.totals.n_rows;
                self.file_idx += 1;
                continue;
            }
            let reader = match &mut self.reader {
                Some(reader) => reader,
                None => self.reader.insert(
                    file.plan.reader(*bad_rows, false).map_err(|error| file.or_changed(error))?,
                ),
            };
            let table = reader.next_chunk(sizes).map_err(|error| file.or_changed(error))?;
            let Some(table) = table else {
                if self.n_of_file != file.totals.n_rows || file.has_changed() {
                    return Err(file.changed());
                }
                (self.reader, self.n_of_file) = (None, 0);
                self.file_idx += 1;
                continue;
            };
            if table.frame.width() != names.len() {
                return Err(file.changed());
            }
            let (first_row, n_rows) = (self.n_rows, table.frame.height());
            self.n_rows += n_rows;
            self.n_of_file += n_rows;
            if self.n_rows <= self.first_row {
                continue;
            }
            let text = (file.text.name.as_str(), *missing, *bad_rows);
            let mut chunk = TextChunk::of(&file.name, table, first_row, text)
                .map_err(|error| file.or_changed(error))?;
            if files.len() > 1 {
                // Rows are counted in each file.
                chunk.name_file(&file.name);
            }
            let n_skipped = self.first_row.saturating_sub(first_row);
            return if n_skipped == 0 {
                Ok(Some(chunk))
            } else {
                chunk.without(n_skipped).map(Some)
            };
        }
        Ok(None)
    }
}

impl Iterator for Chunks {
    type Item = Result<TextChunk, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.has_failed {
            return None;
        }
        let next = self.read();
        self.has_failed = next.is_err();
        next.transpose()
    }
}

impl std::fmt::Debug for Chunks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Chunks").field("n_rows", &self.n_rows).finish_non_exhaustive()
    }
}

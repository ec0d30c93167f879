//! Reads one column of a Parquet file page by page, however large its row groups are.
//!
//! Polars decodes whole columns of a row group, and other programs write groups of a million rows. Here a page
//! is handed to polars' decoder as if it were the only one of its column, after the dictionary that it may
//! need.

use std::io::Cursor;

use polars::prelude::{ArrowField, DataType, PolarsResult, Series};
use polars_buffer::Buffer;
use polars_parquet::parquet::page::CompressedPage;
use polars_parquet::parquet::read::{PageMetaData, PageReader};
use polars_parquet::read::{
    BasicDecompressor, ColumnChunkMetadata, FileMetadata, column_iter_to_arrays,
};

use super::damaged;
use crate::tables::source::Source;

/// Bytes read at first; more if a page is larger.
const READ_BYTES: usize = 1 << 18;

/// The rows of one column, from the first on.
pub(super) struct ColumnPages {
    source: Source,
    field: ArrowField,
    /// The next row group.
    group_idx: usize,
    chunk: Option<Chunk>,
    /// Rows that are decoded and not yet taken.
    pub(super) ready: Option<Series>,
}

/// What is left of a column in one row group.
struct Chunk {
    metadata: PageMetaData,
    /// Bytes that were read, and how many of them were used.
    buffer: Buffer<u8>,
    n_used: usize,
    /// The byte of the file after the buffer, and after the column.
    next: u64,
    end: u64,
    /// The dictionary page, as it is in the file.
    dictionary: Vec<u8>,
    n_left: usize,
}

impl ColumnPages {
    pub(super) fn new(source: &Source, field: ArrowField) -> Self {
        Self { source: source.clone(), field, group_idx: 0, chunk: None, ready: None }
    }

    /// The number of rows that can be taken.
    pub(super) fn n_ready(&self) -> usize {
        self.ready.as_ref().map_or(0, |ready| ready.len())
    }

    /// Takes rows that are ready.
    pub(super) fn take(&mut self, n_rows: usize) -> Option<Series> {
        let ready = self.ready.take()?;
        let (taken, rest) = ready.split_at(n_rows as i64);
        self.ready = (!rest.is_empty()).then_some(rest);
        Some(taken)
    }

    /// Decodes pages until so many rows are ready, or the file ends.
    pub(super) fn fill(&mut self, metadata: &FileMetadata, n_rows: usize) -> PolarsResult<()> {
        while self.n_ready() < n_rows {
            let Some(page) = self.next_page(metadata)? else { return Ok(()) };
            match &mut self.ready {
                Some(ready) => drop(ready.append(&page)?),
                None => self.ready = Some(page),
            }
        }
        Ok(())
    }

    /// The rows of the next page.
    fn next_page(&mut self, metadata: &FileMetadata) -> PolarsResult<Option<Series>> {
        loop {
            if let Some(chunk) = self.chunk.as_mut().filter(|chunk| chunk.n_left > 0) {
                return chunk.next_page(&self.source, &self.field).map(Some);
            }
            let Some(group) = metadata.row_groups.get(self.group_idx) else { return Ok(None) };
            self.group_idx += 1;
            let mut columns = group.columns_under_root_iter(&self.field.name).into_iter().flatten();
            let Some(column) = columns.next() else {
                return Err(damaged("a row group lacks a column"));
            };
            self.chunk = Some(Chunk::new(column, &self.source)?);
        }
    }
}

impl Chunk {
    fn new(metadata: &ColumnChunkMetadata, source: &Source) -> PolarsResult<Self> {
        let range = metadata.byte_range();
        let n_left = usize::try_from(metadata.num_values()).unwrap_or_default();
        let mut chunk = Self {
            metadata: metadata.into(),
            buffer: Buffer::new(),
            n_used: 0,
            next: range.start,
            end: range.end,
            dictionary: Vec::new(),
            n_left,
        };
        if n_left > 0 {
            // Without a dictionary, nothing is used.
            let page = chunk.raw_page(source, |pages| pages.read_dict().map(|_| 0))?;
            chunk.dictionary = page.0;
        }
        Ok(chunk)
    }

    fn next_page(&mut self, source: &Source, field: &ArrowField) -> PolarsResult<Series> {
        let (page, n_rows) = self.raw_page(source, |pages| match pages.next().transpose()? {
            Some(CompressedPage::Data(page)) => Ok(page.num_values()),
            _ => Ok(0),
        })?;
        self.n_left = self
            .n_left
            .checked_sub(n_rows)
            .ok_or_else(|| damaged("a page has more values than its column"))?;
        if page.is_empty() {
            return Err(damaged("a column has more or fewer values than there are rows"));
        }
        let bytes = [self.dictionary.as_slice(), page.as_slice()].concat();
        let pages = self.pages(Cursor::new(Buffer::from(bytes)), n_rows as i64);
        let pages = vec![BasicDecompressor::new(pages, Vec::new())];
        let kind = &self.metadata.descriptor.primitive_type;
        let (arrays, _) = column_iter_to_arrays(pages, vec![kind], field.clone(), None)?;
        let series = Series::try_from((field, arrays))?;
        if series.len() != n_rows {
            return Err(damaged("a page has more or fewer values than it says"));
        }
        // Categories of different pages need not be comparable.
        match series.dtype() {
            DataType::Categorical(..) | DataType::Enum(..) => series.cast(&DataType::String),
            _ => Ok(series),
        }
    }

    /// The bytes of the next page, as it is in the file, and what `read` says about it. Reads on until it is
    /// complete.
    fn raw_page(
        &mut self,
        source: &Source,
        read: impl Fn(&mut PageReader) -> Result<usize, polars_parquet::read::ParquetError>,
    ) -> PolarsResult<(Vec<u8>, usize)> {
        loop {
            let mut cursor = Cursor::new(self.buffer.clone());
            cursor.set_position(self.n_used as u64);
            let mut pages = self.pages(cursor, i64::MAX);
            let result =
                if self.n_used < self.buffer.len() { Some(read(&mut pages)) } else { None };
            let n_unread = self.end - self.next;
            match result {
                Some(Ok(n_rows)) => {
                    let start = self.n_used;
                    self.n_used = pages.into_inner().0.position() as usize;
                    return Ok((self.buffer[start..self.n_used].to_vec(), n_rows));
                }
                Some(Err(error)) if n_unread == 0 => return Err(error.into()),
                None if n_unread == 0 => return Ok((Vec::new(), 0)),
                // The page may be incomplete.
                Some(Err(_)) | None => {}
            }
            let kept = &self.buffer[self.n_used..];
            let n_more =
                kept.len().max(READ_BYTES).min(usize::try_from(n_unread).unwrap_or(usize::MAX));
            let more = source.bytes(self.next, n_more)?;
            self.next += more.len() as u64;
            self.buffer = Buffer::from([kept, more.as_slice()].concat());
            self.n_used = 0;
        }
    }

    fn pages(&self, bytes: Cursor<Buffer<u8>>, n_values: i64) -> PageReader {
        let metadata = PageMetaData { num_values: n_values, ..self.metadata.clone() };
        PageReader::new_with_page_meta(bytes, metadata, Vec::new(), usize::MAX)
    }
}

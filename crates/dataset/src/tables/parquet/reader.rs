//! Reads a Parquet file a chunk at a time.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use polars::prelude::{ArrowField, Column, DataFrame, DataType, IntoColumn as _, PolarsResult};
use polars_parquet::parquet::read::read_metadata;
use polars_parquet::read::{FileMetadata, infer_schema};

use super::pages::ColumnPages;
use super::{as_texts, check_metadata, damaged, guarded, is_plain};
use crate::error::{Error, Result};
use crate::tables::chunk::Sizes;
use crate::tables::format::Format;
use crate::tables::notes::{Note, ReadNotes};
use crate::tables::source::Source;
use crate::tables::table::{Cells, Table};
use crate::tables::text_file::head;
use crate::tables::unpack::{Compression, spooled};

/// The rows that are decoded at first.
const FIRST_ROWS: usize = 64;

/// A Parquet file, before its rows are read.
#[derive(Clone, Debug)]
pub(crate) struct Parquet {
    path: PathBuf,
    /// Not compressed as a whole.
    source: Source,
    metadata: Arc<FileMetadata>,
    /// The columns that are read.
    fields: Vec<ArrowField>,
    left_out: Vec<String>,
}

impl Parquet {
    /// Reads the metadata of a file, and unpacks it to a temporary file if it is compressed as a whole.
    ///
    /// # Errors
    /// `Empty`, `WrongContent`, `NoRows`, `Malformed`; `Read`, `Unpack`.
    pub(in crate::tables) fn of(
        path: &Path,
        source: &Source,
        compression: Compression,
        notes: &mut ReadNotes,
    ) -> Result<Self> {
        compression.note(path, notes);
        let source = spooled(path, source, compression)?;
        let head = head(path, &source, Compression::None)?;
        if head.is_empty() {
            return Err(Error::Empty { path: path.to_owned() });
        }
        if let Some(found) = Format::Parquet.complaint(&head) {
            let expected = Format::Parquet;
            return Err(Error::WrongContent { path: path.to_owned(), expected, found });
        }
        let n_bytes =
            source.len().map_err(|source| Error::Read { path: path.to_owned(), source })?;
        let (metadata, schema) = guarded(path, || {
            let metadata = read_metadata(&mut source.reader())?;
            let schema = infer_schema(&metadata)?;
            check_metadata(&metadata, &schema, n_bytes)?;
            Ok((metadata, schema))
        })?;
        if metadata.num_rows == 0 {
            return Err(Error::NoRows { path: path.to_owned() });
        }
        let (kept, left_out): (Vec<_>, Vec<_>) =
            schema.iter_values().cloned().partition(|field| is_plain(&field.dtype));
        let left_out = left_out.iter().map(|field| field.name.to_string()).collect();
        let metadata = Arc::new(metadata);
        let mut plan = Self { path: path.to_owned(), source, metadata, fields: kept, left_out };
        plan.leave_out_bytes()?;
        if !plan.left_out.is_empty() {
            notes.add(Note::LeftOut { columns: plan.left_out.clone() });
        }
        Ok(plan)
    }

    /// Leaves out columns of bytes that are not all UTF-8.
    fn leave_out_bytes(&mut self) -> Result<()> {
        let mut kept = Vec::new();
        for field in std::mem::take(&mut self.fields) {
            if self.is_text(&field)? {
                kept.push(field);
            } else {
                self.left_out.push(field.name.to_string());
            }
        }
        self.fields = kept;
        Ok(())
    }

    fn is_text(&self, field: &ArrowField) -> Result<bool> {
        let mut pages = ColumnPages::new(&self.source, field.clone());
        guarded(&self.path, || {
            // The type of the first page decides whether these are bytes.
            loop {
                pages.fill(&self.metadata, 1)?;
                let n_rows = pages.n_ready();
                let Some(rows) = pages.take(n_rows) else { return Ok(true) };
                if !rows.dtype().is_binary() {
                    return Ok(true);
                }
                if as_texts(&rows.into_column()).is_none() {
                    return Ok(false);
                }
            }
        })
    }
}

/// Reads a Parquet file from its first row on.
pub(crate) struct Reader {
    plan: Arc<Parquet>,
    columns: Vec<ColumnPages>,
    /// The rows read so far.
    n_rows: usize,
}

impl Reader {
    pub(in crate::tables) fn new(plan: &Arc<Parquet>) -> Self {
        let column = |field: &ArrowField| ColumnPages::new(&plan.source, field.clone());
        let columns = plan.fields.iter().map(column).collect();
        Self { plan: Arc::clone(plan), columns, n_rows: 0 }
    }

    /// The next rows; `None` at the end.
    ///
    /// # Errors
    /// `Malformed`, `Read`.
    pub(in crate::tables) fn next_chunk(&mut self, sizes: &Sizes) -> Result<Option<Table>> {
        let Self { plan, columns, n_rows } = self;
        let n_left = plan.metadata.num_rows - *n_rows;
        let wanted = sizes.rows.min(n_left);
        if wanted == 0 {
            return Ok(None);
        }
        let frame = guarded(&plan.path, || {
            let n_taken = fill(columns, &plan.metadata, wanted, sizes.bytes)?;
            let taken = columns.iter_mut().filter_map(|column| column.take(n_taken));
            let taken = taken.map(|series| plain(series.into_column()));
            let mut frame = DataFrame::new(n_taken, taken.collect::<PolarsResult<Vec<Column>>>()?)?;
            frame.rechunk_mut();
            Ok(frame)
        })?;
        let first_row = *n_rows;
        *n_rows += frame.height();
        let left_out = plan.left_out.clone();
        let (lines, bad) = (Vec::new(), Vec::new());
        Ok(Some(Table { frame, cells: Cells::Typed, left_out, lines, first_row, bad }))
    }
}

/// Bytes that are UTF-8 as strings.
fn plain(column: Column) -> PolarsResult<Column> {
    if !column.dtype().is_binary() {
        return Ok(column);
    }
    as_texts(&column).ok_or_else(|| damaged("a column of texts holds other bytes"))
}

/// Makes rows ready: `wanted` ones, or fewer if these have so many bytes. The number of rows.
fn fill(
    columns: &mut [ColumnPages],
    metadata: &FileMetadata,
    wanted: usize,
    n_bytes: usize,
) -> PolarsResult<usize> {
    // Rows may be long, so that many at once might not fit in memory.
    let mut n_rows = wanted.min(FIRST_ROWS);
    loop {
        for column in columns.iter_mut() {
            column.fill(metadata, n_rows)?;
            if column.n_ready() < n_rows {
                return Err(damaged("a column has fewer values than there are rows"));
            }
        }
        match rows_within(columns, n_rows, n_bytes)? {
            Some(n_rows) => return Ok(n_rows),
            None if n_rows == wanted => return Ok(wanted),
            None => n_rows = wanted.min(2 * n_rows),
        }
    }
}

/// The number of rows with which the columns have so many bytes; `None` if those of all `n_rows` have fewer.
fn rows_within(
    columns: &[ColumnPages],
    n_rows: usize,
    n_bytes: usize,
) -> PolarsResult<Option<usize>> {
    let mut lengths = vec![0usize; n_rows];
    for series in columns.iter().filter_map(|column| column.ready.as_ref()) {
        match series.dtype() {
            DataType::String => {
                for (length, cell) in lengths.iter_mut().zip(series.str()?.iter()) {
                    *length += cell.map_or(0, str::len).max(Sizes::CELL);
                }
            }
            DataType::Binary => {
                for (length, cell) in lengths.iter_mut().zip(series.binary()?.iter()) {
                    *length += cell.map_or(0, <[u8]>::len).max(Sizes::CELL);
                }
            }
            other => lengths.iter_mut().for_each(|length| *length += width(other)),
        }
    }
    let mut n_seen = 0usize;
    let last = lengths.iter().position(|length| {
        n_seen = n_seen.saturating_add(*length);
        n_seen >= n_bytes
    });
    Ok(last.map(|last| last + 1))
}

/// The bytes of a cell of fixed width.
fn width(dtype: &DataType) -> usize {
    match dtype {
        DataType::Null | DataType::Boolean | DataType::Int8 | DataType::UInt8 => 1,
        DataType::Int16 | DataType::UInt16 => 2,
        DataType::Int32 | DataType::UInt32 | DataType::Float32 | DataType::Date => 4,
        DataType::Int64
        | DataType::UInt64
        | DataType::Float64
        | DataType::Datetime(..)
        | DataType::Duration(_)
        | DataType::Time => 8,
        _ => Sizes::CELL,
    }
}

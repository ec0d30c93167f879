//! Writes Parquet with types that every reader supports.
//!
//! Polars marks its strings as Arrow's `string_view`, which pyarrow before 16 cannot open and later
//! versions cannot filter. The column bytes are the same for all kinds of strings; only the Arrow schema
//! in the footer distinguishes them, so this module writes a schema without views. Categories become
//! strings, and a column without a type becomes a column of null strings. Pages are compressed with
//! Snappy, which old builds of Spark can also read.

use std::io::Write;

use polars::io::parquet::write::BatchedWriter;
use polars::prelude::{
    CompatLevel, DataFrame, DataType, KeyValueMetadata, ParquetCompression, ParquetWriter,
    PolarsResult, Schema, SchemaExt as _,
};
use polars_parquet::write::{KeyValue, schema_to_metadata_key};

use super::{OutColumn, json_text};
use crate::tables::Cells;

/// A table with the types in which it is written.
///
/// A JSON column gets a type if all its values share one: 64-bit integers, booleans, floats that keep
/// every digit, or strings. Otherwise it becomes strings with the JSON text of each value.
pub(super) fn typed(columns: &[OutColumn]) -> PolarsResult<DataFrame> {
    let typed = |OutColumn { column, cells, kind }: &OutColumn| match cells {
        Cells::Text => Ok(column.clone()),
        Cells::Json => json_text::to_typed(column, *kind),
        Cells::Typed => match column.dtype() {
            DataType::Null | DataType::Categorical(..) | DataType::Enum(..) => {
                column.cast(&DataType::String)
            }
            _ => Ok(column.clone()),
        },
    };
    DataFrame::new_infer_height(columns.iter().map(typed).collect::<PolarsResult<_>>()?)
}

/// Writes a table, as one file.
pub(super) fn write(frame: &mut DataFrame, sink: &mut dyn Write) -> PolarsResult<()> {
    writer(&frame.schema().clone(), sink, &[]).finish(frame).map(drop)
}

/// Writes tables of one schema one after another into one file.
pub(crate) struct Groups<W: Write>(Option<BatchedWriter<W>>);

impl<W: Write> Groups<W> {
    /// Begins a file of tables like this one.
    pub(crate) fn new(frame: &DataFrame, sink: W) -> PolarsResult<Self> {
        Self::with_metadata(frame, sink, &[])
    }

    /// The same, with keys and values beside the schema.
    pub(crate) fn with_metadata(
        frame: &DataFrame,
        sink: W,
        metadata: &[(&str, &str)],
    ) -> PolarsResult<Self> {
        let schema = frame.schema().clone();
        Ok(Self(Some(writer(&schema, sink, metadata).batched(&schema)?)))
    }

    /// Adds a table as a row group.
    pub(crate) fn add(&mut self, frame: DataFrame) -> PolarsResult<()> {
        let Some(writer) = &mut self.0 else { return Ok(()) };
        let mut frame = frame;
        frame.rechunk_mut();
        writer.write_batch(&frame)
    }

    /// Ends the file.
    pub(crate) fn finish(&mut self) -> PolarsResult<()> {
        self.0.take().map_or(Ok(0), |writer| writer.finish()).map(drop)
    }
}

fn writer<W: Write>(schema: &Schema, sink: W, metadata: &[(&str, &str)]) -> ParquetWriter<W> {
    let mut keys = vec![schema_to_metadata_key(&schema.to_arrow(CompatLevel::oldest()))];
    keys.extend(
        metadata
            .iter()
            .map(|&(key, value)| KeyValue { key: key.to_owned(), value: Some(value.to_owned()) }),
    );
    ParquetWriter::new(sink)
        .with_compression(ParquetCompression::Snappy)
        .with_key_value_metadata(Some(KeyValueMetadata::Static(keys)))
}

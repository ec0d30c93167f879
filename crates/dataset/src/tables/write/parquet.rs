//! Writes Parquet with types that every reader supports.
//!
//! Polars marks its strings as Arrow's `string_view`, which pyarrow before 16 cannot open and later
//! versions cannot filter. The column bytes are the same for all kinds of strings; only the Arrow schema
//! in the footer distinguishes them, so this module writes a schema without views. Categories become
//! strings, and a column without a type becomes a column of null strings. Pages are compressed with
//! Snappy, which old builds of Spark can also read.

use std::io::Write;

use polars::prelude::{
    CompatLevel, DataFrame, DataType, KeyValueMetadata, ParquetCompression, ParquetWriter,
    PolarsResult, SchemaExt as _,
};
use polars_parquet::write::schema_to_metadata_key;

use super::{Change, OutColumn, json_text};
use crate::tables::Cells;

/// A JSON column gets a type if all its values share one: 64-bit integers, booleans, floats that keep
/// every digit, or strings. Otherwise it becomes strings with the JSON text of each value.
pub(super) fn write(columns: &[OutColumn], sink: &mut dyn Write) -> PolarsResult<Vec<Change>> {
    let mut changes = Vec::new();
    let mut plain = Vec::with_capacity(columns.len());
    for OutColumn { column, cells } in columns {
        plain.push(match cells {
            Cells::Text => column.clone(),
            Cells::Json => {
                let (typed, as_json) = json_text::to_typed(column)?;
                if as_json {
                    changes.push(Change::AsJsonText { column: column.name().to_string() });
                }
                typed
            }
            Cells::Typed => match column.dtype() {
                DataType::Null | DataType::Categorical(..) | DataType::Enum(..) => {
                    column.cast(&DataType::String)?
                }
                _ => column.clone(),
            },
        });
    }
    let mut frame = DataFrame::new_infer_height(plain)?;
    let schema = schema_to_metadata_key(&frame.schema().to_arrow(CompatLevel::oldest()));
    ParquetWriter::new(sink)
        .with_compression(ParquetCompression::Snappy)
        .with_key_value_metadata(Some(KeyValueMetadata::Static(vec![schema])))
        .finish(&mut frame)?;
    Ok(changes)
}

//! Texts from Arrow: arrays, streams of arrays, record batches and tables.

use arrow_array::cast::AsArray as _;
use arrow_array::ffi_stream::ArrayStreamReader;
use arrow_array::{Array as _, ArrayReader as _, ArrayRef};
use arrow_buffer::NullBuffer;
use arrow_schema::{DataType, Fields};
use pyo3::prelude::*;

use super::capsules::{import_array, import_stream};
use crate::error::{Error, Result};

/// A source of texts, chunk by chunk.
pub(crate) struct TextChunks {
    source: Source,
    /// Which column of a table has the texts; `None` if the chunks are texts themselves.
    column: Option<usize>,
}

enum Source {
    Stream(Box<ArrayStreamReader>),
    Array(Option<ArrayRef>),
}

/// Some of the texts.
pub(crate) struct Chunk {
    texts: ArrayRef,
    /// Which rows of the table are there. One that is null has no text, whatever its column says.
    rows: Option<NullBuffer>,
}

impl TextChunks {
    /// Opens an object with `__arrow_c_stream__` or `__arrow_c_array__`.
    ///
    /// # Errors
    /// If it does not consist of texts, or has several columns and none is chosen.
    pub(crate) fn open(producer: &Bound<'_, PyAny>, column: Option<&str>) -> Result<Self> {
        let (source, data_type) = if producer.hasattr("__arrow_c_stream__")? {
            let stream = import_stream(producer)?;
            let data_type = stream.field().data_type().clone();
            (Source::Stream(Box::new(stream)), data_type)
        } else {
            let array = import_array(producer)?;
            let data_type = array.data_type().clone();
            (Source::Array(Some(array)), data_type)
        };
        let column = match &data_type {
            DataType::Struct(fields) => Some(choose(fields, column)?),
            _ if column.is_some() => return Err(Error::NoColumns),
            _ => None,
        };
        let (name, of_texts) = match (&data_type, column) {
            (DataType::Struct(fields), Some(index)) => {
                let field = &fields[index];
                (Some(field.name().clone()), field.data_type())
            }
            _ => (None, &data_type),
        };
        if !is_text(of_texts) {
            return Err(Error::ColumnType { name, data_type: of_texts.to_string() });
        }
        Ok(Self { source, column })
    }

    /// The next chunk, if there is one. Must not be called with Python's lock held: a producer may wait for another
    /// thread that wants it.
    pub(crate) fn next(&mut self) -> Result<Option<Chunk>> {
        let next = match &mut self.source {
            Source::Stream(stream) => stream.next().transpose()?,
            Source::Array(array) => array.take(),
        };
        let Some(array) = next else { return Ok(None) };
        // Offsets and UTF-8 are not taken on trust.
        array.to_data().validate_full()?;
        Ok(Some(match self.column {
            None => Chunk { texts: array, rows: None },
            Some(column) => {
                let rows = array.as_struct();
                Chunk { texts: rows.column(column).clone(), rows: rows.nulls().cloned() }
            }
        }))
    }
}

impl Chunk {
    /// Number of its texts, nulls included.
    pub(crate) fn len(&self) -> usize {
        self.texts.len()
    }

    /// Its texts; `None` for nulls.
    pub(crate) fn texts(&self) -> Vec<Option<&str>> {
        let mut texts = strings(&self.texts);
        if let Some(rows) = &self.rows {
            for (text, is_there) in texts.iter_mut().zip(rows) {
                *text = text.filter(|_| is_there);
            }
        }
        texts
    }
}

/// Which field has the texts.
fn choose(fields: &Fields, column: Option<&str>) -> Result<usize> {
    let names = || fields.iter().map(|field| field.name().clone()).collect();
    let Some(wanted) = column else {
        return if fields.len() == 1 { Ok(0) } else { Err(Error::WhichColumn { names: names() }) };
    };
    let mut found = (0..fields.len()).filter(|&index| fields[index].name() == wanted);
    match (found.next(), found.next()) {
        (Some(index), None) => Ok(index),
        (Some(_), Some(_)) => Err(Error::RepeatedColumn { name: wanted.to_string() }),
        (None, _) => Err(Error::NoColumn { name: wanted.to_string(), names: names() }),
    }
}

fn is_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null => true,
        DataType::Dictionary(keys, values) => {
            keys.is_dictionary_key_type()
                && matches!(
                    values.as_ref(),
                    DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View
                )
        }
        _ => false,
    }
}

/// The strings of an array that [`is_text`].
fn strings(array: &ArrayRef) -> Vec<Option<&str>> {
    match array.data_type() {
        DataType::Utf8 => array.as_string::<i32>().iter().collect(),
        DataType::LargeUtf8 => array.as_string::<i64>().iter().collect(),
        DataType::Utf8View => array.as_string_view().iter().collect(),
        DataType::Dictionary(..) => {
            let dictionary = array.as_any_dictionary();
            let values = strings(dictionary.values());
            if values.is_empty() {
                return vec![None; array.len()];
            }
            let keys = dictionary.normalized_keys().into_iter().enumerate();
            keys.map(|(row, key)| if array.is_null(row) { None } else { values[key] }).collect()
        }
        // What is left is a column of nulls.
        _ => vec![None; array.len()],
    }
}

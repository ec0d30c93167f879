//! Texts from Arrow: arrays, streams of arrays, record batches and tables.

use arrow_array::cast::AsArray as _;
use arrow_array::ffi_stream::ArrayStreamReader;
use arrow_array::{Array as _, ArrayReader as _, ArrayRef, make_array};
use arrow_buffer::NullBuffer;
use arrow_data::ArrayData;
use arrow_schema::{ArrowError, DataType, Fields};
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
    /// Of bytes, since those of a null may be no UTF-8.
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
        match place_of_texts(&data_type, column) {
            Ok(column) => Ok(Self { source, column }),
            Err(error) => {
                producer.py().detach(|| drop(source));
                Err(error)
            }
        }
    }

    /// The next chunk, if there is one. Must not be called with Python's lock held: a producer may wait for another
    /// thread that wants it.
    pub(crate) fn next(&mut self) -> Result<Option<Chunk>> {
        let next = match &mut self.source {
            Source::Stream(stream) => stream.next().transpose()?,
            Source::Array(array) => array.take(),
        };
        let Some(array) = next else { return Ok(None) };
        Ok(Some(match self.column {
            None => Chunk { texts: as_bytes(&array)?, rows: None },
            Some(column) => {
                // The lengths of all columns; of their contents, only those of the texts are read.
                array.to_data().validate()?;
                let rows = array.as_struct();
                Chunk { texts: as_bytes(rows.column(column))?, rows: rows.nulls().cloned() }
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
    ///
    /// # Errors
    /// If a text is no UTF-8.
    pub(crate) fn texts(&self) -> Result<Vec<Option<&str>>> {
        let mut texts = bytes(&self.texts);
        if let Some(rows) = &self.rows {
            for (text, is_there) in texts.iter_mut().zip(rows) {
                *text = text.filter(|_| is_there);
            }
        }
        let texts = texts.into_iter().enumerate();
        texts.map(|(row, text)| text.map(|bytes| utf8(row, bytes)).transpose()).collect()
    }
}

/// Which column of arrays of this type has the texts; `None` if they are texts themselves.
fn place_of_texts(data_type: &DataType, column: Option<&str>) -> Result<Option<usize>> {
    let (place, name, of_texts) = match data_type {
        DataType::Struct(fields) => {
            let place = choose(fields, column)?;
            (Some(place), Some(fields[place].name().clone()), fields[place].data_type())
        }
        _ if column.is_some() => return Err(Error::NoColumns),
        _ => (None, None, data_type),
    };
    if !is_text(of_texts) {
        return Err(Error::ColumnType { name, data_type: of_texts.to_string() });
    }
    Ok(place)
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

/// An array that [`is_text`] as one of bytes. Its offsets, views, keys and nulls are not taken on trust.
fn as_bytes(array: &ArrayRef) -> Result<ArrayRef> {
    Ok(make_array(of_bytes(array.to_data())?))
}

fn of_bytes(data: ArrayData) -> Result<ArrayData> {
    let data_type = bytes_type(data.data_type());
    let values = data.child_data().to_vec();
    let values = values.into_iter().map(of_bytes).collect::<Result<_>>()?;
    // This checks all of it.
    Ok(data.into_builder().data_type(data_type).child_data(values).build()?)
}

fn bytes_type(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Utf8 => DataType::Binary,
        DataType::LargeUtf8 => DataType::LargeBinary,
        DataType::Utf8View => DataType::BinaryView,
        DataType::Dictionary(keys, values) => {
            DataType::Dictionary(keys.clone(), Box::new(bytes_type(values)))
        }
        other => other.clone(),
    }
}

/// The bytes in an array that [`as_bytes`] has made.
fn bytes(array: &ArrayRef) -> Vec<Option<&[u8]>> {
    match array.data_type() {
        DataType::Binary => array.as_binary::<i32>().iter().collect(),
        DataType::LargeBinary => array.as_binary::<i64>().iter().collect(),
        DataType::BinaryView => array.as_binary_view().iter().collect(),
        DataType::Dictionary(..) => {
            let dictionary = array.as_any_dictionary();
            let values = bytes(dictionary.values());
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

fn utf8(row: usize, bytes: &[u8]) -> Result<&str> {
    let invalid = |error| format!("the text in row {row} of a batch is no UTF-8: {error}");
    Ok(std::str::from_utf8(bytes)
        .map_err(|error| ArrowError::InvalidArgumentError(invalid(error)))?)
}

//! Moves Arrow's C structures out of Python capsules and into new ones.
//!
//! A producer's method `__arrow_c_stream__` or `__arrow_c_array__` returns capsules with pointers to structures. The
//! consumer moves the structures out and leaves released ones, which the capsules' destructors then ignore.

use std::ffi::CStr;
use std::ptr::NonNull;

use arrow_array::RecordBatchReader;
use arrow_array::ffi::{FFI_ArrowArray, FFI_ArrowSchema};
use arrow_array::ffi_stream::{ArrayStreamReader, FFI_ArrowArrayStream};
use arrow_array::{ArrayRef, make_array};
use arrow_data::ArrayData;
use arrow_schema::{ArrowError, DataType, Schema};
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyTuple};

use crate::error::{Error, Result};

const SCHEMA: &CStr = c"arrow_schema";
const ARRAY: &CStr = c"arrow_array";
const STREAM: &CStr = c"arrow_array_stream";

/// Opens the stream of an object with `__arrow_c_stream__`.
pub(super) fn import_stream(producer: &Bound<'_, PyAny>) -> Result<ArrayStreamReader> {
    let capsule = producer.call_method0("__arrow_c_stream__")?;
    let pointer = pointer(&capsule, STREAM)?.cast();
    // SAFETY: By Arrow's capsule interface, a capsule of this name points to an initialised stream, which is valid
    // while the capsule lives; nobody else uses it.
    let stream = unsafe { FFI_ArrowArrayStream::from_raw(pointer.as_ptr()) };
    // The producer may wait for another thread that wants Python's lock.
    Ok(producer.py().detach(|| ArrayStreamReader::try_new(stream))?)
}

/// Takes the array of an object with `__arrow_c_array__`.
pub(super) fn import_array(producer: &Bound<'_, PyAny>) -> Result<ArrayRef> {
    let capsules = producer.call_method0("__arrow_c_array__")?;
    let (schema, array): (Bound<'_, PyAny>, Bound<'_, PyAny>) = capsules.extract()?;
    let (schema, array) = (pointer(&schema, SCHEMA)?.cast(), pointer(&array, ARRAY)?.cast());
    // SAFETY: By Arrow's capsule interface, capsules of these names point to an initialised schema and array that
    // belong together and are valid while the capsules live; nobody else uses them.
    let (schema, array) = unsafe {
        (FFI_ArrowSchema::from_raw(schema.as_ptr()), FFI_ArrowArray::from_raw(array.as_ptr()))
    };
    if schema.release().is_none() || array.is_released() {
        let reason = "its array was taken before".to_string();
        return Err(ArrowError::CDataInterface(reason).into());
    }
    // SAFETY: They were not released, so they are as the producer made them.
    let data = unsafe { arrow_array::ffi::from_ffi(array, &schema) }?;
    Ok(make_array(data))
}

/// A new stream of record batches.
pub(crate) fn stream_capsule<'py>(
    py: Python<'py>,
    batches: impl RecordBatchReader + Send + 'static,
) -> Result<Bound<'py, PyCapsule>> {
    let stream = FFI_ArrowArrayStream::new(Box::new(batches));
    Ok(PyCapsule::new_with_value(py, stream, STREAM)?)
}

/// A schema.
pub(crate) fn schema_capsule<'py>(
    py: Python<'py>,
    schema: &Schema,
) -> Result<Bound<'py, PyCapsule>> {
    Ok(PyCapsule::new_with_value(py, FFI_ArrowSchema::try_from(schema)?, SCHEMA)?)
}

/// The type of an array.
pub(crate) fn type_capsule<'py>(
    py: Python<'py>,
    data_type: &DataType,
) -> Result<Bound<'py, PyCapsule>> {
    Ok(PyCapsule::new_with_value(py, FFI_ArrowSchema::try_from(data_type)?, SCHEMA)?)
}

/// An array with its type, as `__arrow_c_array__` returns them.
pub(crate) fn array_capsules<'py>(
    py: Python<'py>,
    array: &ArrayData,
) -> Result<Bound<'py, PyTuple>> {
    let (array, schema) = arrow_array::ffi::to_ffi(array)?;
    let schema = PyCapsule::new_with_value(py, schema, SCHEMA)?;
    let array = PyCapsule::new_with_value(py, array, ARRAY)?;
    Ok((schema, array).into_pyobject(py)?)
}

/// The pointer in a capsule of this name.
fn pointer(capsule: &Bound<'_, PyAny>, name: &'static CStr) -> Result<NonNull<std::ffi::c_void>> {
    let capsule = capsule.cast::<PyCapsule>().map_err(|error| Error::Python(error.into()))?;
    Ok(capsule.pointer_checked(Some(name))?)
}

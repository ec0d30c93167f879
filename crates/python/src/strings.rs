//! Texts from Python's own strings.

use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::types::{PyBytes, PyList, PyString};

use crate::arrow::TextChunks;
use crate::compute::{guarded, without_lock};
use crate::error::{Error, Result};

/// Strings for which there is room at first: what an iterable says about its length may be wrong.
const ROOM: usize = 65_536;

/// The strings of an iterable, not copied; `None` for `None`, if that is allowed.
///
/// # Errors
/// [`Error::Item`] or [`Error::Surrogate`], with the number of the item, from 0.
pub(crate) fn take(
    items: &Bound<'_, PyAny>,
    none_allowed: bool,
) -> Result<Vec<Option<PyBackedStr>>> {
    guarded(|| take_all(items, none_allowed))
}

fn take_all(items: &Bound<'_, PyAny>, none_allowed: bool) -> Result<Vec<Option<PyBackedStr>>> {
    let mut strings = Vec::with_capacity(items.len().unwrap_or(0).min(ROOM));
    for (number, item) in items.try_iter()?.enumerate() {
        let item = item?;
        strings.push(match item.cast::<PyString>() {
            Ok(text) => {
                let text = PyBackedStr::try_from(text.clone());
                Some(text.map_err(|source| Error::Surrogate { number, source })?)
            }
            Err(_) if none_allowed && item.is_none() => None,
            Err(_) => {
                let is_bytes = item.is_instance_of::<PyBytes>();
                let found = match item.is_none() {
                    true => "None".to_string(),
                    false => item.get_type().name()?.to_string(),
                };
                return Err(Error::Item { number, found, is_bytes });
            }
        });
        // A long list is read without a word: let Ctrl-C through.
        if number % 65_536 == 65_535 {
            items.py().check_signals()?;
        }
    }
    Ok(strings)
}

/// The texts of an object with `__arrow_c_stream__` or `__arrow_c_array__` as a list, with ``None`` for nulls.
#[pyfunction]
#[pyo3(signature = (texts, column = None))]
pub(crate) fn arrow_strings<'py>(
    texts: &Bound<'py, PyAny>,
    column: Option<&str>,
) -> Result<Bound<'py, PyList>> {
    let py = texts.py();
    let mut chunks = guarded(|| TextChunks::open(texts, column))?;
    let list = PyList::empty(py);
    let filled = fill(&list, &mut chunks);
    py.detach(|| drop(chunks));
    filled.map(|()| list)
}

fn fill(list: &Bound<'_, PyList>, chunks: &mut TextChunks) -> Result<()> {
    let py = list.py();
    while let Some(chunk) = py.detach(|| guarded(|| chunks.next()))? {
        for text in guarded(|| chunk.texts())? {
            list.append(text)?;
        }
        py.check_signals()?;
    }
    Ok(())
}

/// Panics, for tests of what becomes of that.
#[pyfunction]
#[pyo3(name = "_raise_panic")]
#[expect(clippy::panic, reason = "tests call it to see the exception")]
pub(crate) fn raise_panic(py: Python<'_>) -> Result<()> {
    without_lock(py, || panic!("a test asked for it"))
}

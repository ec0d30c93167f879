//! `sentiment_rnn._native`: what the Python package `sentiment_rnn` does not do in Python.
//!
//! The package's Python files know lists, NumPy, pandas and polars. This module knows strings, Arrow and models. It
//! computes without Python's lock, hears Ctrl-C meanwhile, and turns every failure, panics included, into a Python
//! exception.

mod answers;
mod arrow;
mod compute;
mod error;
mod model;
mod process;
mod progress;
mod strings;
mod training;

use pyo3::prelude::*;

/// The native part of `sentiment_rnn`; use the package instead.
#[pymodule]
mod _native {
    #[pymodule_export]
    use super::answers::{Answers, Labels};
    #[pymodule_export]
    use super::error::{InternalError, ModelVersionError};
    #[pymodule_export]
    use super::model::Model;
    #[pymodule_export]
    use super::process::threads_started;
    #[pymodule_export]
    use super::strings::{arrow_strings, raise_panic};
    #[pymodule_export]
    use super::training::{Trained, train};

    use super::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}

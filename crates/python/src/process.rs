//! The process that computes: its threads, and that they do not survive a fork.
//!
//! The pools of threads start with the first computation and are the whole process's. A child that `fork` makes
//! inherits their state but not their threads, and would wait for them for ever. So the first computation leaves the
//! process's id, and a computation in another process is refused.

use std::sync::atomic::{AtomicU32, Ordering};

use pyo3::prelude::*;

use crate::error::{Error, Result};

/// The process that has computed; 0 if none has.
static COMPUTES: AtomicU32 = AtomicU32::new(0);

/// Says that this process computes: to be called right before its first use of the threads.
///
/// # Errors
/// [`Error::Forked`] if its parent already has.
pub(crate) fn claim() -> Result<()> {
    let this = std::process::id();
    match COMPUTES.compare_exchange(0, this, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => Ok(()),
        Err(first) if first == this => Ok(()),
        Err(parent) => Err(Error::Forked { parent, this }),
    }
}

/// Whether this process, or the one that it was forked from, has started the threads that compute.
#[pyfunction]
pub(crate) fn threads_started() -> bool {
    COMPUTES.load(Ordering::Acquire) != 0
}

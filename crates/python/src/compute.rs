//! How Python's calls compute: without its lock, listening to Ctrl-C, and never with a panic.

use std::any::Any;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use pyo3::marker::Ungil;
use pyo3::prelude::*;

use crate::error::{Error, Result};

/// Time between two looks for Ctrl-C: short for a person, long for a computation.
const INTERVAL: Duration = Duration::from_millis(50);

/// Runs a computation without Python's lock.
///
/// # Errors
/// Its own; [`Error::Internal`] if it panics.
pub(crate) fn without_lock<T: Ungil + Send>(
    py: Python<'_>,
    compute: impl FnOnce() -> Result<T> + Ungil + Send,
) -> Result<T> {
    py.detach(|| guarded(compute))
}

/// Runs something whose panics become [`Error::Internal`].
pub(crate) fn guarded<T>(run: impl FnOnce() -> Result<T>) -> Result<T> {
    // Nothing that a panic left half done is used again: results are dropped, and models do not change.
    catch_unwind(AssertUnwindSafe(run))
        .unwrap_or_else(|panic| Err(Error::Internal { reason: reason(panic.as_ref()) }))
}

/// Looks whether Ctrl-C was pressed, now and then, from a computation without Python's lock.
pub(crate) struct Interrupts {
    next_look: Instant,
    raised: Option<PyErr>,
}

impl Interrupts {
    pub(crate) fn new() -> Self {
        Self { next_look: Instant::now() + INTERVAL, raised: None }
    }

    /// Whether to go on. Only Python's main thread hears signals; others always go on.
    pub(crate) fn look(&mut self) -> ControlFlow<()> {
        if self.raised.is_some() {
            return ControlFlow::Break(());
        }
        if Instant::now() < self.next_look {
            return ControlFlow::Continue(());
        }
        let result = Python::attach(|py| py.check_signals());
        self.next_look = Instant::now() + INTERVAL;
        match result {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                self.raised = Some(error);
                ControlFlow::Break(())
            }
        }
    }

    /// Looks, too.
    ///
    /// # Errors
    /// What the signal's handler raised.
    pub(crate) fn check(&mut self) -> Result<()> {
        match self.look() {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => self.take().map_or(Ok(()), |raised| Err(raised.into())),
        }
    }

    /// What the signal's handler raised, usually `KeyboardInterrupt`.
    pub(crate) fn take(&mut self) -> Option<PyErr> {
        self.raised.take()
    }
}

fn reason(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_string());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no reason given".to_string())
}

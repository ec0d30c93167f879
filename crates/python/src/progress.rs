//! The events of a training, told to a Python function, and Ctrl-C meanwhile.

use std::ops::ControlFlow;

use pyo3::exceptions::PyKeyboardInterrupt;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use trainer::{Event, Observer};

use crate::compute::Interrupts;

/// Tells a training's events to a Python function.
///
/// The first Ctrl-C ends the training and keeps its model, as in the program `sentiment`. A second one, and whatever
/// else the function or a signal's handler raises, ends it at its next step and is raised.
pub(crate) struct Progress {
    on_event: Option<Py<PyAny>>,
    interrupts: Interrupts,
    must_stop: bool,
    raised: Option<PyErr>,
}

impl Progress {
    pub(crate) fn new(on_event: Option<Py<PyAny>>) -> Self {
        Self { on_event, interrupts: Interrupts::new(), must_stop: false, raised: None }
    }

    /// What was raised and must go on to the caller.
    pub(crate) fn take_raised(&mut self) -> Option<PyErr> {
        self.raised.take()
    }

    fn look(&mut self) {
        if self.interrupts.look() == ControlFlow::Continue(()) {
            return;
        }
        if let Some(raised) = self.interrupts.take() {
            self.stop(raised);
        }
    }

    /// Ends the training because of what was raised.
    fn stop(&mut self, raised: PyErr) {
        let is_first_press = !self.must_stop
            && Python::attach(|py| raised.is_instance_of::<PyKeyboardInterrupt>(py));
        self.must_stop = true;
        if !is_first_press {
            self.raised.get_or_insert(raised);
        }
    }

    /// Calls the function with the name of an event and what is known about it, as JSON.
    fn tell(&mut self, name: &str, data: &serde_json::Value) {
        let Some(on_event) = self.on_event.as_ref().filter(|_| self.raised.is_none()) else {
            return;
        };
        let result = Python::attach(|py| -> PyResult<()> {
            let kwargs = PyDict::new(py);
            kwargs.set_item("name", name)?;
            kwargs.set_item("data", data.to_string())?;
            on_event.call(py, (), Some(&kwargs)).map(drop)
        });
        // Ctrl-C may be pressed while the function runs.
        if let Err(raised) = result {
            self.stop(raised);
        }
    }
}

impl Observer for Progress {
    fn on_event(&mut self, event: Event<'_>) {
        use serde_json::json;
        self.look();
        match event {
            Event::LinearPathStart { n_ngrams } => {
                self.tell("linear_path_start", &json!({ "n_ngrams": n_ngrams }));
            }
            Event::LinearPathFitted { metrics } => {
                self.tell("linear_path_fitted", &json!({ "metrics": metrics }));
            }
            Event::PretrainingStart { epoch, n_rows } => {
                self.tell("pretraining_start", &json!({ "epoch": epoch, "n_texts": n_rows }));
            }
            Event::Pretrained { record } => {
                self.tell("pretrained", &json!({ "record": record }));
            }
            Event::EpochStart { epoch, n_rows } => {
                self.tell("epoch_start", &json!({ "epoch": epoch, "n_texts": n_rows }));
            }
            Event::ValidationStart { n_rows } => {
                self.tell("validation_start", &json!({ "n_texts": n_rows }));
            }
            Event::Validated { record } => self.tell("validated", &json!({ "record": record })),
            Event::RefitStart { epoch, n_rows, n_epochs } => {
                let data = json!({ "epoch": epoch, "n_texts": n_rows, "n_epochs": n_epochs });
                self.tell("refit_start", &data);
            }
            Event::Refitted { record } => self.tell("refitted", &json!({ "record": record })),
            Event::Diverged { reason } => self.tell("diverged", &json!({ "reason": reason })),
            Event::Interrupted => self.tell("interrupted", &json!({})),
            Event::TestStart { n_rows } => {
                self.tell("test_start", &json!({ "n_texts": n_rows }));
            }
            _ => {}
        }
    }

    fn should_stop(&self) -> bool {
        self.must_stop
    }
}

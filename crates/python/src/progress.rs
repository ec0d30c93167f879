//! The events of a training, told to a Python function, and Ctrl-C meanwhile.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::exceptions::PyKeyboardInterrupt;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use trainer::{Control, Event, Observer, Stamp, Stop};

use crate::compute::Interrupts;

/// Tells a training's events to a Python function.
///
/// The first Ctrl-C ends the training and keeps its model ([`Pressed`]). A second one, and whatever else the function
/// or a signal's handler raises, is raised: the observer fails with it, so nothing is validated, saved or tested after
/// it.
pub(crate) struct Progress {
    on_event: Option<Py<PyAny>>,
    interrupts: Interrupts,
    /// The first Ctrl-C.
    pressed: Option<PyErr>,
    is_pressed: Arc<AtomicBool>,
    raised: Option<PyErr>,
}

impl Progress {
    pub(crate) fn new(on_event: Option<Py<PyAny>>) -> Self {
        let is_pressed = Arc::new(AtomicBool::new(false));
        Self { on_event, interrupts: Interrupts::new(), pressed: None, is_pressed, raised: None }
    }

    /// What stops the training after the first Ctrl-C.
    pub(crate) fn pressed(&self) -> Pressed {
        Pressed(Arc::clone(&self.is_pressed))
    }

    /// What was raised and must go on to the caller: also the first Ctrl-C, unless the training `was_stopped` by it.
    /// After the last step nothing asks whether to stop.
    pub(crate) fn into_raised(self, was_stopped: bool) -> Option<PyErr> {
        self.raised.or(self.pressed.filter(|_| !was_stopped))
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
        let is_first_press = self.pressed.is_none()
            && Python::attach(|py| raised.is_instance_of::<PyKeyboardInterrupt>(py));
        if is_first_press {
            self.is_pressed.store(true, Ordering::Relaxed);
        }
        let place = if is_first_press { &mut self.pressed } else { &mut self.raised };
        place.get_or_insert(raised);
    }

    /// Calls the function with the name of an event and what is known about it, as JSON.
    fn tell(&mut self, name: &str, data: &serde_json::Value) {
        let Some(on_event) = &self.on_event else { return };
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

    /// Tells an event.
    fn hear(&mut self, event: &Event) {
        use serde_json::json;
        match event {
            Event::LinearPathStart { n_ngrams } => {
                self.tell("linear_path_start", &json!({ "n_ngrams": n_ngrams }));
            }
            Event::LinearPathFitted { metrics } => {
                self.tell("linear_path_fitted", &json!({ "metrics": metrics }));
            }
            Event::TeacherStart { n_models } => {
                self.tell("teacher_start", &json!({ "n_models": n_models }));
            }
            Event::PretrainingStart { epoch, n_rows, .. } => {
                self.tell("pretraining_start", &json!({ "epoch": epoch, "n_texts": n_rows }));
            }
            Event::Pretrained { record } => {
                self.tell("pretrained", &json!({ "record": record }));
            }
            Event::EpochStart { epoch, n_rows, .. } => {
                self.tell("epoch_start", &json!({ "epoch": epoch, "n_texts": n_rows }));
            }
            Event::ValidationStart { n_rows } => {
                self.tell("validation_start", &json!({ "n_texts": n_rows }));
            }
            Event::Validated { record } => self.tell("validated", &json!({ "record": record })),
            Event::RefitStart { epoch, n_rows, n_epochs, .. } => {
                let data = json!({ "epoch": epoch, "n_texts": n_rows, "n_epochs": n_epochs });
                self.tell("refit_start", &data);
            }
            Event::Refitted { record } => self.tell("refitted", &json!({ "record": record })),
            Event::Diverged { reason } => self.tell("diverged", &json!({ "reason": reason })),
            Event::Stopped { .. } => self.tell("interrupted", &json!({})),
            Event::TestStart { n_rows } => {
                self.tell("test_start", &json!({ "n_texts": n_rows }));
            }
            _ => {}
        }
    }
}

impl Observer for Progress {
    fn on(&mut self, _: &Stamp, event: &Event) -> trainer::Result<()> {
        self.look();
        if self.raised.is_none() {
            self.hear(event);
        }
        match &self.raised {
            // The exception itself is raised by whoever runs the training.
            Some(raised) => Err(trainer::Error::Observer { reason: raised.to_string() }),
            None => Ok(()),
        }
    }
}

/// Stops a training after the first Ctrl-C.
pub(crate) struct Pressed(Arc<AtomicBool>);

impl Control for Pressed {
    fn stop(&self) -> Option<Stop> {
        self.0.load(Ordering::Relaxed).then_some(Stop::Interrupt)
    }
}

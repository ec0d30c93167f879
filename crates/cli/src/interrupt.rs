//! Ctrl-C, and the system's requests to end (SIGTERM, SIGHUP): the first ends the training or the predictions in good
//! order, the second the program.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context as _;
use trainer::{Control, Stop};

/// The exit code by which shells report a program ended by Ctrl-C.
pub(crate) const EXIT_CODE: u8 = 130;

/// Whether the program is asked to end.
#[derive(Debug, Clone)]
pub(crate) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Starts listening.
    pub(crate) fn listen() -> anyhow::Result<Self> {
        let pressed = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&pressed);
        ctrlc::set_handler(move || {
            if flag.swap(true, Ordering::SeqCst) {
                std::process::exit(EXIT_CODE.into());
            }
        })
        .context("cannot listen for Ctrl-C")?;
        Ok(Self(pressed))
    }

    pub(crate) fn is_pressed(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

impl Control for Interrupt {
    fn stop(&self) -> Option<Stop> {
        self.is_pressed().then_some(Stop::Interrupt)
    }
}

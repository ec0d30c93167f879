//! Ctrl-C, and a scheduler's request to end (SIGTERM): the first ends the training or the predictions in good order,
//! the second the program.
//!
//! SIGHUP is left alone, so that a program started with `nohup` outlives its terminal.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context as _;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
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
        for signal in [SIGINT, SIGTERM] {
            // Handlers are called in the order in which they are registered: the first signal finds the flag down.
            flag::register_conditional_shutdown(signal, EXIT_CODE.into(), Arc::clone(&pressed))
                .and_then(|_| flag::register(signal, Arc::clone(&pressed)))
                .context("cannot listen for Ctrl-C and SIGTERM")?;
        }
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

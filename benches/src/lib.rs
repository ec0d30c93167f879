//! Prepared passes of recurrent layers, ours and candle-nn's, and ways to measure them.
//!
//! The criterion benchmark (`benches/recurrent.rs`) and the program `layer-times` run the same
//! passes: [`PassConfig`] describes a pass, [`Pass`] runs it. [`Answering`] and [`Training`] are for several
//! threads at once, in the program `concurrent-callers`. Nothing here is meant for other crates.
//!
//! Letters in shapes: B batch, T steps, I input size, H hidden size, L layers, D directions,
//! G gates.

mod build;
mod callers;
mod candle_stack;
mod concurrent;
mod config;
mod lengths;
mod memory;
mod network;
#[cfg(feature = "pipeline")]
mod notebook;
mod pass;
mod program;
#[cfg(feature = "pipeline")]
mod reviews;
mod serve;
mod spread;

pub use build::build;
pub use callers::{Call, calls_per_second};
pub use concurrent::{Answering, MixedRates, Training, mixed_rates};
pub use config::{Cell, Implementation, Instructions, Lengths, Loss, Mode, PassConfig, Place};
pub use memory::{KeptMemory, MemoryError, MemoryReport, measure_memory};
pub use network::{Gradients, Network, Outputs, Stream};
#[cfg(feature = "pipeline")]
pub use notebook::{
    Notebook, NotebookCell, NotebookConfig, NotebookRecipe, PaddingKind, Precision, Work, export,
};
pub use pass::Pass;
pub use program::{exit_code, time};
#[cfg(feature = "pipeline")]
pub use reviews::write_csv;
pub use serve::{Prepared, Ready, Timed, serve};
pub use spread::Spread;

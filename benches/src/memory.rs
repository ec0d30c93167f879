//! Measures the memory of a training pass against the minimum that it needs.

use std::{fmt, fs, io};

use anyhow::{Context as _, Result, ensure};
use candle_core::{Device, Var};

use crate::build::build;
use crate::config::{Cell, Mode, PassConfig, Place};
use crate::network::Gradients;
use crate::pass::{normal, train};

/// Bytes of one number, f32.
const NUMBER: usize = 4;

/// Why the process could not read its peak memory.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MemoryError {
    /// Only Linux reports a process's peak memory in a file.
    #[error("cannot measure peak memory: /proc/self/status exists only on Linux")]
    Unsupported,
    /// The file exists but cannot be read.
    #[error("cannot read /proc/self/status")]
    Read(#[source] io::Error),
    /// The file lacks a line, or the line is not a number of kB.
    #[error("/proc/self/status has no {field} in kB")]
    Field {
        /// Name of the line.
        field: &'static str,
    },
}

/// The minimum that a training pass must hold at once, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeptMemory {
    /// Data that backward needs for every token, layer and direction.
    pub saved: usize,
    /// Outputs of every layer.
    pub outputs: usize,
    /// The input and its gradient.
    pub input: usize,
    /// The gradient of one layer's outputs.
    pub output_gradient: usize,
}

impl KeptMemory {
    /// Data that a training pass must keep. With N real tokens, B·T steps, L layers and D
    /// directions, in numbers:
    ///
    /// | what | how much |
    /// |---|---|
    /// | gates after their non-linearities (the RNN's single gate duplicates its output) | N·L·D·G·H |
    /// | LSTM: cell states | N·L·D·H |
    /// | GRU: the recurrent side of the new gate | N·L·D·H |
    /// | outputs | B·T·L·D·H |
    /// | input and its gradient | 2·B·T·I |
    /// | gradient of one layer's outputs | B·T·D·H |
    ///
    /// Not counted: weights, their gradients and packed copies, which do not grow with the batch, and
    /// the working memory of a chunk of steps.
    pub fn of(config: &PassConfig) -> Self {
        let gates_and_more = match config.cell {
            Cell::Lstm => 4 + 1,
            Cell::Gru => 3 + 1,
            Cell::GruResetBefore => 3,
            Cell::Rnn => 1,
        };
        let outputs_of_a_step = config.recurrent().output_size();
        let steps = config.batch * config.steps;
        Self {
            saved: NUMBER * config.n_tokens() * config.layers * outputs_of_a_step * gates_and_more,
            outputs: NUMBER * steps * config.layers * outputs_of_a_step,
            input: NUMBER * 2 * steps * config.input,
            output_gradient: NUMBER * steps * outputs_of_a_step,
        }
    }

    /// The sum of all parts.
    pub fn total(&self) -> usize {
        self.saved + self.outputs + self.input + self.output_gradient
    }
}

/// A training pass's memory, in bytes.
#[derive(Debug, Clone, Copy)]
pub struct MemoryReport {
    /// Peak resident memory above that of the warmed-up process without the pass and its input.
    pub peak_growth: usize,
    /// The formula's result.
    pub kept: KeptMemory,
}

impl fmt::Display for MemoryReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = |bytes: usize| bytes as f64 / f64::from(1 << 20);
        let total = self.kept.total();
        write!(
            f,
            "peak growth {:.1} MiB, {:.2} times the {:.1} MiB that must be kept\n\
             kept: saved for backward {:.1}, outputs {:.1}, input and its gradient {:.1}, gradient \
             of one layer's outputs {:.1} MiB",
            mib(self.peak_growth),
            self.peak_growth as f64 / total as f64,
            mib(total),
            mib(self.kept.saved),
            mib(self.kept.outputs),
            mib(self.kept.input),
            mib(self.kept.output_gradient),
        )
    }
}

/// Runs one training pass and measures by how much it raised the process's peak. Call it once in a
/// fresh process: a peak never falls.
///
/// # Errors
/// If the mode is not training, the peak cannot be read ([`MemoryError`]), or the pass fails.
pub fn measure_memory(config: &PassConfig) -> Result<MemoryReport> {
    ensure!(config.mode == Mode::Training, "memory can be measured only with --mode training");
    ensure!(config.device == Place::Cpu, "memory can be measured only with --device cpu");
    let network = build(config, Gradients::Wanted, &Device::Cpu)?;
    // Starts the threads and allocates what does not grow with the batch: weights and their gradients.
    let one_token = Var::from_tensor(&normal((1, 1, config.input), &Device::Cpu)?)?;
    train(&*network, &one_token, None, config.loss).context("the warm-up failed")?;
    let before = status_bytes("VmRSS:")?;
    let earlier_peak = status_bytes("VmHWM:")?;

    let x = Var::from_tensor(&normal((config.batch, config.steps, config.input), &Device::Cpu)?)?;
    train(&*network, &x, config.lengths().as_deref(), config.loss)?;
    let peak = status_bytes("VmHWM:")?;
    ensure!(
        peak > earlier_peak,
        "the pass used less memory than the warm-up; use a larger --batch or --steps"
    );
    Ok(MemoryReport { peak_growth: peak.saturating_sub(before), kept: KeptMemory::of(config) })
}

/// The value of a line of /proc/self/status, converted from kB to bytes.
fn status_bytes(field: &'static str) -> Result<usize, MemoryError> {
    if !cfg!(target_os = "linux") {
        return Err(MemoryError::Unsupported);
    }
    let status = fs::read_to_string("/proc/self/status").map_err(MemoryError::Read)?;
    parse_status(&status, field).ok_or(MemoryError::Field { field })
}

fn parse_status(status: &str, field: &str) -> Option<usize> {
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    let kilobytes: usize = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Lengths;

    #[test]
    fn a_status_line_is_read_in_bytes() {
        let status = "VmPeak:\t  900 kB\nVmHWM:\t  12 kB\nThreads:\t3\n";
        assert_eq!(parse_status(status, "VmHWM:"), Some(12 * 1024));
        assert_eq!(parse_status(status, "Threads:"), None);
        assert_eq!(parse_status(status, "VmRSS:"), None);
    }

    #[test]
    fn padding_costs_outputs_but_no_gates() {
        let full = PassConfig { batch: 5, steps: 10, input: 3, hidden: 2, ..PassConfig::default() };
        let mixed = PassConfig { lengths: Lengths::Mixed, ..full.clone() };
        let (of_full, of_mixed) = (KeptMemory::of(&full), KeptMemory::of(&mixed));
        // 50 and 32 tokens, 2 layers, 4 gates and a cell state of 2 numbers, 4 bytes each.
        assert_eq!((of_full.saved, of_mixed.saved), (50 * 2 * 5 * 2 * 4, 32 * 2 * 5 * 2 * 4));
        assert_eq!(of_full.outputs, of_mixed.outputs);
        assert_eq!(of_full.outputs, 50 * 2 * 2 * 4);
        assert_eq!(of_full.input, 2 * 50 * 3 * 4);
        assert_eq!(of_full.output_gradient, 50 * 2 * 4);
    }
}

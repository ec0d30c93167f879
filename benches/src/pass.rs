//! A prepared pass: weights, input and lengths already exist, and only running it is timed.

use std::hint::black_box;
use std::time::Instant;

use anyhow::Result;
use candle_core::{DType, Device, Tensor, Var};
use recurrent::SeededRng;

use crate::build::build;
use crate::config::{Loss, Mode, PassConfig};
use crate::network::{Gradients, Network, Stream};
use crate::serve::Timed;

/// A pass that can be run repeatedly.
pub struct Pass {
    kind: Kind,
    n_steps: usize,
    device: Device,
}

enum Kind {
    Training { network: Box<dyn Network>, x: Var, lengths: Option<Vec<usize>>, loss: Loss },
    Forward { network: Box<dyn Network>, x: Tensor, lengths: Option<Vec<usize>> },
    Step { stream: Stream, x: Tensor },
}

impl Pass {
    /// Builds the network and draws a random input.
    ///
    /// # Errors
    /// If the implementation does not support the configuration.
    pub fn new(config: &PassConfig) -> Result<Self> {
        let (lengths, device) = (config.lengths(), config.device()?);
        let shape = (config.batch, config.steps, config.input);
        let kind = match config.mode {
            Mode::Training => Kind::Training {
                network: build(config, Gradients::Wanted, &device)?,
                x: Var::from_tensor(&normal(shape, &device)?)?,
                lengths,
                loss: config.loss,
            },
            Mode::Forward => Kind::Forward {
                network: build(config, Gradients::Unwanted, &device)?,
                x: normal(shape, &device)?,
                lengths,
            },
            Mode::Step => Kind::Step {
                stream: build(config, Gradients::Unwanted, &device)?.into_stream(config.batch)?,
                x: normal((config.batch, config.input), &device)?,
            },
        };
        Ok(Self { kind, n_steps: config.steps, device })
    }
}

impl Timed for Pass {
    /// Runs the pass once; in mode step, `steps` steps. Frees everything that it allocates before
    /// returning.
    ///
    /// # Errors
    /// If candle fails.
    fn run(&mut self) -> Result<()> {
        match &mut self.kind {
            Kind::Training { network, x, lengths, loss } => {
                train(&**network, x, lengths.as_deref(), *loss)?;
            }
            Kind::Forward { network, x, lengths } => {
                black_box(network.run(x, lengths.as_deref())?);
            }
            Kind::Step { stream, x } => {
                for _ in 0..self.n_steps {
                    black_box(stream(x)?);
                }
            }
        }
        // So far the GPU work is only queued; wait for it.
        self.device.synchronize()?;
        Ok(())
    }

    /// Runs the pass once and returns its time in seconds; in mode step, per step.
    ///
    /// # Errors
    /// As [`Pass::run`].
    fn time_s(&mut self) -> Result<f64> {
        let started = Instant::now();
        self.run()?;
        let elapsed_s = started.elapsed().as_secs_f64();
        Ok(match self.kind {
            Kind::Step { .. } => elapsed_s / self.n_steps as f64,
            _ => elapsed_s,
        })
    }
}

/// Forward, and backward from the sum of the loss's outputs. If rows end early, their last outputs are
/// the final states.
pub(crate) fn train(
    network: &dyn Network,
    x: &Var,
    lengths: Option<&[usize]>,
    loss: Loss,
) -> Result<()> {
    let result = network.run(x, lengths)?;
    let outputs = match (loss, lengths) {
        (Loss::All, _) => result.outputs,
        (Loss::Last, Some(_)) => result.last,
        (Loss::Last, None) => result.outputs.narrow(1, x.dim(1)? - 1, 1)?,
    };
    // Candle sums all numbers of a tensor on one of a GPU's many processors: the rows are summed first.
    let sum = if x.device().is_cpu() { outputs.sum_all()? } else { outputs.sum(2)?.sum_all()? };
    black_box(sum.backward()?);
    Ok(())
}

/// Standard normal numbers.
pub(crate) fn normal(shape: impl Into<candle_core::Shape>, device: &Device) -> Result<Tensor> {
    Ok(SeededRng::new(1).standard_normal(shape, DType::F32, device)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Cell, Implementation, Instructions, Lengths};

    fn small() -> PassConfig {
        PassConfig { batch: 3, steps: 4, input: 5, hidden: 6, ..PassConfig::default() }
    }

    #[test]
    fn every_combination_runs_or_says_why_not() {
        let mut faults = Vec::new();
        for cell in [Cell::Lstm, Cell::Gru, Cell::Rnn] {
            for mode in [Mode::Training, Mode::Forward, Mode::Step] {
                for lengths in [Lengths::Full, Lengths::Mixed] {
                    for backend in
                        [Implementation::Fused, Implementation::Reference, Implementation::CandleNn]
                    {
                        let config = PassConfig { cell, mode, lengths, backend, ..small() };
                        let possible = backend != Implementation::CandleNn
                            || (cell != Cell::Rnn && lengths == Lengths::Full);
                        let result = Pass::new(&config).and_then(|mut pass| pass.time_s());
                        if result.is_ok() != possible {
                            faults.push(format!("{config:?}: {result:?}"));
                        }
                    }
                }
            }
        }
        assert!(faults.is_empty(), "{}", faults.join("\n"));
    }

    #[test]
    fn an_instruction_set_without_fused_kernels_is_refused() {
        let config = PassConfig {
            backend: Implementation::Reference,
            instructions: Instructions::Portable,
            ..small()
        };
        assert!(Pass::new(&config).is_err());
    }
}

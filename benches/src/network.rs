//! Networks to be timed: whatever their layers, they run sequences and streams.

use anyhow::{Result, bail, ensure};
use candle_core::{DType, Device, Tensor, Var};
use candle_nn::VarBuilder;
use recurrent::{Gru, Lstm, Nonlinearity, RecurrentConfig, Rnn, RunOptions, SeededRng};

use crate::candle_stack;
use crate::config::{Cell, Implementation, Lengths, PassConfig, Place};

/// What a network makes of a batch.
#[derive(Debug)]
pub struct Outputs {
    /// The top layer's outputs, `[B, T, D·H]`.
    pub outputs: Tensor,
    /// The top layer's hidden state after each row's last real step, `[D, B, H]`.
    pub last: Tensor,
}

/// One step of a stream: `[B, I]` to `[B, H]`. The state stays inside from call to call.
pub type Stream = Box<dyn FnMut(&Tensor) -> Result<Tensor>>;

/// A stack of recurrent layers.
pub trait Network {
    /// Runs a batch from a zero state: `x [B, T, I]`, and the real steps of each row.
    ///
    /// # Errors
    /// If the input does not fit or the network cannot do lengths.
    fn run(&self, x: &Tensor, lengths: Option<&[usize]>) -> Result<Outputs>;

    /// Starts a stream of `batch` rows from a zero state.
    ///
    /// # Errors
    /// If the device fails.
    fn into_stream(self: Box<Self>, batch: usize) -> Result<Stream>;
}

/// Builds the network of a configuration with random weights. They are variables if `gradients`
/// are to reach them, and plain tensors if not, so that nothing is kept for a backward pass.
///
/// # Errors
/// If the implementation does not have what the configuration asks for.
pub fn build(
    config: &PassConfig,
    gradients: Gradients,
    device: &Device,
) -> Result<Box<dyn Network>> {
    ensure!(
        config.device == Place::Cpu || config.instructions == crate::Instructions::Auto,
        "--instructions are a CPU's: leave it out with --device cuda"
    );
    ensure!(
        config.backend == Implementation::Fused || config.instructions == crate::Instructions::Auto,
        "--instructions chooses among the fused kernels: leave it out, or use --backend fused"
    );
    if config.backend == Implementation::CandleNn {
        ensure!(!config.bidirectional, "candle-nn is stacked in one direction only here");
        ensure!(config.lengths == Lengths::Full, "candle-nn knows no lengths: use --lengths full");
        return match config.cell {
            Cell::Lstm => candle_stack::lstm(config, gradients, device),
            Cell::Gru => candle_stack::gru(config, gradients, device),
            Cell::Rnn => bail!("candle-nn has no plain RNN: use --cell lstm or gru"),
        };
    }
    let (layers, backend) = (config.recurrent(), config.backend());
    let vb = weights(config.cell, &layers, gradients, device)?;
    Ok(match config.cell {
        Cell::Lstm => Box::new(Lstm::new(&layers, vb)?.with_backend(backend)),
        Cell::Gru => Box::new(Gru::new(&layers, vb)?.with_backend(backend)),
        Cell::Rnn => Box::new(Rnn::new(&layers, Nonlinearity::Tanh, vb)?.with_backend(backend)),
    })
}

/// Whether gradients are to reach the weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gradients {
    /// They are.
    Wanted,
    /// They are not.
    Unwanted,
}

/// Random weights under PyTorch's names.
pub(crate) fn weights(
    cell: Cell,
    layers: &RecurrentConfig,
    gradients: Gradients,
    device: &Device,
) -> Result<VarBuilder<'static>> {
    let mut rng = SeededRng::new(0);
    let initial = match cell {
        Cell::Lstm => Lstm::initial_weights(layers, &mut rng, DType::F32, device)?,
        Cell::Gru => Gru::initial_weights(layers, &mut rng, DType::F32, device)?,
        Cell::Rnn => Rnn::initial_weights(layers, &mut rng, DType::F32, device)?,
    };
    let weights = initial.into_iter().map(|(name, tensor)| {
        let tensor = match gradients {
            Gradients::Wanted => Var::from_tensor(&tensor)?.into_inner(),
            Gradients::Unwanted => tensor,
        };
        Ok((name, tensor))
    });
    Ok(VarBuilder::from_tensors(weights.collect::<Result<_>>()?, DType::F32, device))
}

/// The top layer's part of a state `[L·D, B, H]`.
fn top_layer(state: &Tensor, config: &RecurrentConfig) -> Result<Tensor> {
    let directions = config.num_directions();
    Ok(state.narrow(0, (config.num_layers - 1) * directions, directions)?)
}

/// Our layers differ in their states only.
macro_rules! network {
    ($layer:ident, |$state:ident| $hidden:expr) => {
        impl Network for $layer {
            fn run(&self, x: &Tensor, lengths: Option<&[usize]>) -> Result<Outputs> {
                let options = RunOptions { lengths, ..RunOptions::default() };
                let (outputs, $state) = self.forward_with(x, options)?;
                Ok(Outputs { outputs, last: top_layer($hidden, self.config())? })
            }

            fn into_stream(self: Box<Self>, batch: usize) -> Result<Stream> {
                let mut state = self.init_state(batch)?;
                Ok(Box::new(move |x| {
                    let (output, new_state) = self.step(x, &state)?;
                    state = new_state;
                    Ok(output)
                }))
            }
        }
    };
}

network!(Lstm, |state| &state.h);
network!(Gru, |state| &state);
network!(Rnn, |state| &state);

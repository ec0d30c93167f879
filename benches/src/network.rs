//! A common interface for the networks to time: they run sequences and streams.

use anyhow::Result;
use candle_core::{DType, Device, Tensor, Var};
use candle_nn::VarBuilder;
use recurrent::{
    Cell, Initialization, Recurrent, RecurrentConfig, RunOptions, SeededRng, State as _,
};

/// Results of a network for a batch.
#[derive(Debug)]
pub struct Outputs {
    /// The top layer's outputs, `[B, T, D·H]`.
    pub outputs: Tensor,
    /// The top layer's hidden state after each row's last real step, `[D, B, H]`.
    pub last: Tensor,
}

/// One step of a stream: `[B, I]` to `[B, H]`. It keeps its state from call to call.
pub type Stream = Box<dyn FnMut(&Tensor) -> Result<Tensor>>;

/// A stack of recurrent layers. Threads may share it.
pub trait Network: Send + Sync {
    /// Runs a batch from a zero state: `x [B, T, I]`, and the real steps of each row.
    ///
    /// # Errors
    /// If the input does not fit or the network does not support lengths.
    fn run(&self, x: &Tensor, lengths: Option<&[usize]>) -> Result<Outputs>;

    /// Starts a stream of `batch` rows from a zero state.
    ///
    /// # Errors
    /// If the device fails.
    fn into_stream(self: Box<Self>, batch: usize) -> Result<Stream>;
}

/// Whether the weights need gradients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gradients {
    /// They do.
    Wanted,
    /// They do not.
    Unwanted,
}

/// Random weights under PyTorch's names.
pub(crate) fn weights(
    cell: Cell,
    layers: &RecurrentConfig,
    gradients: Gradients,
    device: &Device,
) -> Result<VarBuilder<'static>> {
    let (how, mut rng) = (Initialization::default(), SeededRng::new(0));
    let initial = cell.initial_weights(layers, &how, &mut rng, DType::F32, device)?;
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

impl Network for Recurrent {
    fn run(&self, x: &Tensor, lengths: Option<&[usize]>) -> Result<Outputs> {
        let mut options = RunOptions::new();
        options.lengths = lengths;
        let (outputs, state) = self.forward_with(x, options)?;
        Ok(Outputs { outputs, last: top_layer(state.h(), self.config())? })
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

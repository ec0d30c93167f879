//! The long short-term memory.

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;

use crate::backend::Backend;
use crate::cell::Cell;
use crate::config::RecurrentConfig;
use crate::error::Result;
use crate::initialization::{self, Initialization};
use crate::random::SeededRng;
use crate::stack::{self, RepeatedInput, RunOptions, Stack, StackOutput};

/// The state of an [`Lstm`].
#[derive(Debug, Clone)]
pub struct LstmState {
    /// Hidden state `(num_layers * directions, batch, hidden)`; with a projection its last size is
    /// `proj_size`.
    pub h: Tensor,
    /// Cell state `(num_layers * directions, batch, hidden)`.
    pub c: Tensor,
}

/// Long short-term memory (Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al.
/// 2000), as in [torch.nn.LSTM](https://docs.pytorch.org/docs/stable/generated/torch.nn.LSTM.html):
///
/// ```text
/// i = σ(W_ii x + b_ii + W_hi h + b_hi)        c' = f ⊙ c + i ⊙ g
/// f = σ(W_if x + b_if + W_hf h + b_hf)        h' = o ⊙ tanh(c')
/// g = tanh(W_ig x + b_ig + W_hg h + b_hg)
/// o = σ(W_io x + b_io + W_ho h + b_ho)
/// ```
///
/// With [`RecurrentConfig::proj_size`] P above 0 each step ends with a projection,
/// `h' = W_hr (o ⊙ tanh(c'))` (Sak et al. 2014, [Long short-term memory based recurrent neural
/// network architectures](https://arxiv.org/abs/1402.1128)): `h`, outputs and the next layer's
/// inputs are P wide for each direction, and `W_hh` is `[4·H, P]`. No fused kernel has it: such a
/// layer runs in candle's own operations, also under [`Backend::Auto`].
#[derive(Debug, Clone)]
pub struct Lstm {
    stack: Stack,
}

impl Lstm {
    /// Takes `weight_ih_l0 [4·H, I]`, `weight_hh_l0 [4·H, H]`, `bias_ih_l0 [4·H]`,
    /// `bias_hh_l0 [4·H]`, the same `_l1`, ... and `_reverse`, from `vb`; gates are stacked in the
    /// order i, f, g, o. With a projection `weight_hh_l0` is `[4·H, P]`, and
    /// `weight_hr_l0 [P, H]` comes last.
    ///
    /// # Errors
    /// If the configuration is out of range or `vb` lacks a tensor of the right shape.
    pub fn new(config: &RecurrentConfig, vb: VarBuilder) -> Result<Self> {
        Ok(Self { stack: Stack::new(Cell::Lstm, config, &vb)? })
    }

    /// Name and shape of every parameter that a layer of this configuration has.
    pub fn parameter_shapes(config: &RecurrentConfig) -> Vec<(String, Vec<usize>)> {
        stack::parameter_shapes(Cell::Lstm, config)
    }

    /// Draws every parameter from U(±1/√H), by name.
    ///
    /// # Errors
    /// If the configuration is out of range or the device fails.
    pub fn initial_weights(
        config: &RecurrentConfig,
        rng: &mut SeededRng,
        dtype: DType,
        device: &Device,
    ) -> Result<Vec<(String, Tensor)>> {
        Self::initial_weights_with(config, &Initialization::default(), rng, dtype, device)
    }

    /// Draws every parameter as `initialization` says, by name.
    ///
    /// # Errors
    /// If the configuration is out of range, it asks for a forget bias without having biases, or
    /// the device fails.
    pub fn initial_weights_with(
        config: &RecurrentConfig,
        initialization: &Initialization,
        rng: &mut SeededRng,
        dtype: DType,
        device: &Device,
    ) -> Result<Vec<(String, Tensor)>> {
        initialization::initial_weights(Cell::Lstm, config, initialization, rng, dtype, device)
    }

    /// The same layer on another implementation.
    pub fn with_backend(mut self, backend: Backend) -> Self {
        self.stack.set_backend(backend);
        self
    }

    /// The layer's configuration.
    pub fn config(&self) -> &RecurrentConfig {
        self.stack.config()
    }

    /// Zeros of the state's shapes, on the weights' device.
    ///
    /// # Errors
    /// If the device fails.
    pub fn init_state(&self, batch: usize) -> Result<LstmState> {
        let states = self.stack.zero_states(batch)?;
        Ok(LstmState { h: states[0].clone(), c: states[1].clone() })
    }

    /// Runs all steps of every row from a zero state: `x (batch, steps, input)` gives outputs
    /// `(batch, steps, output_size)`, see [`RecurrentConfig::output_size`], and the state after the
    /// last step.
    ///
    /// # Errors
    /// As [`Lstm::forward_with`].
    pub fn forward(&self, x: &Tensor) -> Result<(Tensor, LstmState)> {
        self.forward_with(x, RunOptions::default())
    }

    /// Runs a sequence with an initial state, lengths and dropout.
    ///
    /// # Errors
    /// If the input's or state's shape, dtype or device does not fit, the batch is empty, or a
    /// length is larger than the number of steps.
    pub fn forward_with(
        &self,
        x: &Tensor,
        options: RunOptions<'_, LstmState>,
    ) -> Result<(Tensor, LstmState)> {
        let RunOptions { state, lengths, dropout } = options;
        let states = state.map(|state| [&state.h, &state.c]);
        let output =
            self.stack.run(x, states.as_ref().map(|states| &states[..]), lengths, dropout)?;
        Ok(split(output))
    }

    /// [`forward_with`](Lstm::forward_with) on an input in which vectors repeat.
    ///
    /// # Errors
    /// As [`Lstm::forward_with`]; also if an index has no vector.
    pub fn forward_repeated(
        &self,
        input: RepeatedInput<'_>,
        options: RunOptions<'_, LstmState>,
    ) -> Result<(Tensor, LstmState)> {
        let RunOptions { state, lengths, dropout } = options;
        let states = state.map(|state| [&state.h, &state.c]);
        let states = states.as_ref().map(|states| &states[..]);
        Ok(split(self.stack.run_repeated(input, states, lengths, dropout)?))
    }

    /// Runs one step of a stream: `x (batch, input)` gives the output `(batch, output_size)` and
    /// the new state.
    ///
    /// # Errors
    /// As [`Lstm::forward_with`]; also if the layer is bidirectional.
    pub fn step(&self, x: &Tensor, state: &LstmState) -> Result<(Tensor, LstmState)> {
        Ok(split(self.stack.step(x, &[&state.h, &state.c])?))
    }
}

fn split(output: StackOutput) -> (Tensor, LstmState) {
    let StackOutput { outputs, states } = output;
    (outputs, LstmState { h: states[0].clone(), c: states[1].clone() })
}

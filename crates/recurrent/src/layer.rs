//! The one layer type behind [`Rnn`](crate::Rnn), [`Lstm`](crate::Lstm), [`Gru`](crate::Gru) and
//! [`Recurrent`](crate::Recurrent).

use std::fmt;
use std::marker::PhantomData;

use candle_core::{DType, Device, Tensor};

use crate::backend::Backend;
use crate::cell::Cell;
use crate::config::RecurrentConfig;
use crate::error::Result;
use crate::initialization::Initialization;
use crate::options::{Input, RepeatedInput, RunOptions};
use crate::pooling::Pooling;
use crate::random::SeededRng;
use crate::run::{StackOutput, Wanted};
use crate::stack::{Stack, StackOptions};
use crate::state::State;

/// What distinguishes the types of layers: the type of their state.
pub trait CellType: sealed::CellType + fmt::Debug + Clone {
    /// The state of such a layer.
    type State: State;
}

/// Cell types whose layers all have the same parameters.
pub trait FixedCell: CellType {
    /// A cell of this type.
    const CELL: Cell;
}

pub(crate) mod sealed {
    /// Keeps other crates from implementing the cell types.
    pub trait CellType {}
}

/// Recurrent layers: a stack of them, in one or two directions.
///
/// On the CPU in f32 and f64 all of them are one fused operation with its own backward pass; on an NVIDIA GPU
/// (feature `cuda`) cuDNN runs them; see [`Backend`].
///
/// **Gradients** are those of the pass that was run: the backward pass reads the weights as they were in the
/// forward pass, whatever variables hold by then. (Inputs and initial states must not change in between.)
/// They have no derivative themselves; only [`Backend::Reference`] has second derivatives.
///
/// **Weights** are packed anew in each pass, since variables may have changed, and tensors may share their
/// storage with one. A [frozen](Self::freeze) layer has copies of its own, packed once: for answering, and
/// above all for streams.
///
/// Layers may be used from any number of threads at the same time; passes then share the threads that are
/// allowed ([`set_num_threads`](crate::set_num_threads)), and a pass's result does not depend on how many it
/// got.
#[derive(Debug, Clone)]
pub struct Layer<C> {
    stack: Stack,
    cell: PhantomData<C>,
}

impl<C: FixedCell> Layer<C> {
    /// Name and shape of every parameter of a layer with this configuration.
    pub fn parameter_shapes(config: &RecurrentConfig) -> Vec<(String, Vec<usize>)> {
        C::CELL.parameter_shapes(config)
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

    /// Draws every parameter according to `initialization`, by name.
    ///
    /// # Errors
    /// If the configuration is out of range, `initialization` sets a forget bias for a layer
    /// that has none, or the device fails.
    pub fn initial_weights_with(
        config: &RecurrentConfig,
        initialization: &Initialization,
        rng: &mut SeededRng,
        dtype: DType,
        device: &Device,
    ) -> Result<Vec<(String, Tensor)>> {
        C::CELL.initial_weights(config, initialization, rng, dtype, device)
    }
}

impl<C: CellType> Layer<C> {
    pub(crate) fn of(stack: Stack) -> Self {
        Self { stack, cell: PhantomData }
    }

    /// The same layer with another implementation.
    #[must_use]
    pub fn with_backend(mut self, backend: Backend) -> Self {
        self.stack.set_backend(backend);
        self
    }

    /// The same layer with copies of its weights as they are now, which its first pass packs once and for all:
    /// for answering rather than training. Later changes of variables do not reach it, and its
    /// weights get no gradients; inputs and states do.
    ///
    /// # Errors
    /// If the device fails.
    pub fn freeze(&self) -> Result<Self> {
        Ok(Self::of(self.stack.freeze()?))
    }

    /// Whether the layer is frozen.
    pub fn is_frozen(&self) -> bool {
        self.stack.is_frozen()
    }

    /// The layer's configuration.
    pub fn config(&self) -> &RecurrentConfig {
        self.stack.config()
    }

    /// The layer's cell.
    pub fn cell(&self) -> Cell {
        self.stack.cell()
    }

    /// A state of zeros on the weights' device; each of its tensors is
    /// `(num_layers * directions, batch, hidden)`, with a projection `h` has `proj_size` in
    /// place of `hidden`.
    ///
    /// # Errors
    /// If the device fails.
    pub fn init_state(&self, batch: usize) -> Result<C::State> {
        C::State::from_tensors(self.stack.zero_states(batch)?)
    }

    /// Runs all steps of every row from a zero state: takes `x (batch, steps, input)`,
    /// returns outputs `(batch, steps, output_size)`, see [`RecurrentConfig::output_size`], and
    /// the state after the last step. With [`batch_first`](RecurrentConfig::batch_first) off, steps come
    /// first in both. An input without a batch, `(steps, input)`, gives outputs and a state without one.
    ///
    /// # Errors
    /// As `forward_with`.
    pub fn forward(&self, x: &Tensor) -> Result<(Tensor, C::State)> {
        self.forward_with(x, RunOptions::new())
    }

    /// Runs a sequence with an initial state, lengths and dropout.
    ///
    /// # Errors
    /// If the input's or state's shape, dtype or device does not fit, the batch is empty,
    /// or a length is larger than the number of steps.
    pub fn forward_with(
        &self,
        x: &Tensor,
        options: RunOptions<'_, C::State>,
    ) -> Result<(Tensor, C::State)> {
        Self::parted(self.stack.run(x, Self::stack_options(options))?)
    }

    /// `forward_with` for an input with repeated vectors.
    ///
    /// # Errors
    /// As `forward_with`; also if an index is out of range.
    pub fn forward_repeated(
        &self,
        input: RepeatedInput<'_>,
        options: RunOptions<'_, C::State>,
    ) -> Result<(Tensor, C::State)> {
        Self::parted(self.stack.run_repeated(input, Self::stack_options(options))?)
    }

    /// Runs a sequence as `forward_with` does, and returns the outputs of every layer, the first layer's first,
    /// each without dropout; and the state.
    ///
    /// # Errors
    /// As `forward_with`.
    pub fn forward_layers<'a>(
        &self,
        input: impl Into<Input<'a>>,
        options: RunOptions<'_, C::State>,
    ) -> Result<(Vec<Tensor>, C::State)> {
        let options = StackOptions { wanted: Wanted::AllLayers, ..Self::stack_options(options) };
        let StackOutput { outputs, states, mut between } = match input.into() {
            Input::Steps(x) => self.stack.run(x, options)?,
            Input::Repeated(input) => self.stack.run_repeated(input, options)?,
        };
        between.push(outputs);
        Ok((between, C::State::from_tensors(states)?))
    }

    /// Runs a sequence as `forward_with` does, and pools the outputs over the real steps: returns
    /// `(batch, parts * output_size)`, without the batch if the input has none, and the state. On the CPU
    /// neither the outputs nor a gradient of their size become tensors.
    ///
    /// # Errors
    /// As `forward_with`; also if `pooling` wants nothing.
    pub fn forward_pooled<'a>(
        &self,
        input: impl Into<Input<'a>>,
        pooling: Pooling,
        options: RunOptions<'_, C::State>,
    ) -> Result<(Tensor, C::State)> {
        let wanted = Wanted::Pooled(pooling);
        let options = StackOptions { wanted, ..Self::stack_options(options) };
        Self::parted(match input.into() {
            Input::Steps(x) => self.stack.run(x, options)?,
            Input::Repeated(input) => self.stack.run_repeated(input, options)?,
        })
    }

    /// Runs one step of a stream: takes `x (batch, input)`, returns the output
    /// `(batch, output_size)` and the new state. [Freeze](Self::freeze) the layer first if its weights do not
    /// change from step to step.
    ///
    /// # Errors
    /// As `forward_with`; also if the layer is bidirectional.
    pub fn step(&self, x: &Tensor, state: &C::State) -> Result<(Tensor, C::State)> {
        let options = Self::stack_options(RunOptions::new().state(state));
        Self::parted(self.stack.step(x, options)?)
    }

    fn stack_options(options: RunOptions<'_, C::State>) -> StackOptions<'_> {
        let RunOptions { state, lengths, dropout, record } = options;
        let states = state.map(|state| state.tensors().into_iter().cloned().collect());
        StackOptions { states, lengths, dropout, record, wanted: Wanted::Outputs }
    }

    fn parted(output: StackOutput) -> Result<(Tensor, C::State)> {
        Ok((output.outputs, C::State::from_tensors(output.states)?))
    }
}

/// Candle's interface: one step at a time, and the states of all steps.
impl<C: CellType> candle_nn::RNN for Layer<C> {
    type State = C::State;

    fn zero_state(&self, batch: usize) -> candle_core::Result<C::State> {
        Ok(self.init_state(batch)?)
    }

    fn step(&self, input: &Tensor, state: &C::State) -> candle_core::Result<C::State> {
        Ok(Layer::step(self, input, state)?.1)
    }

    /// The top layer's h of each state, `(batch, steps, h)`.
    fn states_to_tensor(&self, states: &[C::State]) -> candle_core::Result<Tensor> {
        let tops = states.iter().map(|state| {
            let h = state.h();
            h.get(h.dim(0)? - 1)
        });
        Tensor::stack(&tops.collect::<candle_core::Result<Vec<_>>>()?, 1)
    }
}

//! Layers on layers, in one or two directions, with dropout between them: what all three public
//! layers are.

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;

use crate::backend::Backend;
use crate::cell::Cell;
use crate::config::RecurrentConfig;
use crate::error::{Error, Result};
use crate::layer::{LayerPass, LayerWeights, Parameter, parameters};
use crate::lengths::Lengths;
use crate::random::SeededRng;

/// How to run a sequence through a layer. The default runs all steps of every row from a zero
/// state, without dropout.
#[derive(Debug)]
pub struct RunOptions<'a, S> {
    /// State before the first step; zeros if absent.
    pub state: Option<&'a S>,
    /// Real steps of each row; all of them if absent. Outputs past a row's length are zero, its
    /// final state is that after its last real step, and the backward direction starts there
    /// (what `pack_padded_sequence` does in PyTorch, without sorting).
    pub lengths: Option<&'a [usize]>,
    /// Set in training: where dropout between layers takes its masks from.
    pub dropout: Option<&'a mut SeededRng>,
}

impl<S> Default for RunOptions<'_, S> {
    fn default() -> Self {
        Self { state: None, lengths: None, dropout: None }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Stack {
    cell: Cell,
    config: RecurrentConfig,
    /// `[layer][direction]`
    weights: Vec<Vec<LayerWeights>>,
    backend: Backend,
    dtype: DType,
    device: Device,
}

/// Outputs in the input's order of dimensions, and each state `(L·D, B, H)`, a projected `h`
/// `(L·D, B, P)`.
pub(crate) struct StackOutput {
    pub(crate) outputs: Tensor,
    pub(crate) states: Vec<Tensor>,
}

impl Stack {
    pub(crate) fn new(cell: Cell, config: &RecurrentConfig, vb: &VarBuilder) -> Result<Self> {
        config.check(cell)?;
        let directions = &[false, true][..config.num_directions()];
        let weights = (0..config.num_layers)
            .map(|layer| {
                directions
                    .iter()
                    .map(|&reverse| LayerWeights::new(cell, config, layer, reverse, vb))
                    .collect()
            })
            .collect::<Result<_>>()?;
        Ok(Self {
            cell,
            config: config.clone(),
            weights,
            backend: Backend::Auto,
            dtype: vb.dtype(),
            device: vb.device().clone(),
        })
    }

    pub(crate) fn config(&self) -> &RecurrentConfig {
        &self.config
    }

    pub(crate) fn set_backend(&mut self, backend: Backend) {
        self.backend = backend;
    }

    pub(crate) fn zero_states(&self, batch: usize) -> Result<Vec<Tensor>> {
        let layers = self.config.num_layers * self.config.num_directions();
        let zeros = |size| Tensor::zeros((layers, batch, size), self.dtype, &self.device);
        let sizes = self.cell.state_sizes(&self.config);
        Ok(sizes.into_iter().map(zeros).collect::<candle_core::Result<_>>()?)
    }

    /// `states`: each of its own size, `(L·D, B, H or P)`, in the cell's order.
    pub(crate) fn run(
        &self,
        x: &Tensor,
        states: Option<&[&Tensor]>,
        lengths: Option<&[usize]>,
        mut dropout: Option<&mut SeededRng>,
    ) -> Result<StackOutput> {
        let mut x = self.batch_first(x)?;
        let (batch, steps, _) = x.dims3()?;
        let lengths = Lengths::check(lengths, batch, steps)?;
        let initial = match states {
            Some(states) => self.check_states(states, batch)?,
            None => self.zero_states(batch)?,
        };
        if steps == 0 {
            let shape = (batch, 0, self.config.output_size());
            let outputs = Tensor::zeros(shape, self.dtype, &self.device)?;
            return Ok(StackOutput { outputs: self.caller_order(outputs)?, states: initial });
        }
        let mut final_states = Vec::with_capacity(self.weights.len() * 2);
        for (layer, directions) in self.weights.iter().enumerate() {
            let mut outputs = Vec::with_capacity(directions.len());
            for (direction, weights) in directions.iter().enumerate() {
                let index = layer * directions.len() + direction;
                let hidden = self.config.hidden_size;
                let state = initial
                    .iter()
                    .map(|state| state.get(index)?.pad_with_zeros(1, 0, hidden - state.dim(2)?))
                    .collect::<candle_core::Result<Vec<_>>>()?;
                let pass = LayerPass {
                    cell: self.cell,
                    weights,
                    x: &x,
                    state: &Tensor::stack(&state, 0)?,
                    lengths: &lengths,
                    reverse: direction == 1,
                };
                let (output, final_state) = pass.run(self.backend)?;
                outputs.push(output);
                final_states.push(final_state);
            }
            x = if outputs.len() == 1 { outputs.swap_remove(0) } else { Tensor::cat(&outputs, 2)? };
            let is_last = layer + 1 == self.weights.len();
            if let (false, Some(rng)) = (is_last, dropout.as_deref_mut()) {
                x = rng.dropout(&x, self.config.dropout)?;
            }
        }
        // `[L·D, states, B, H]`, then one tensor per state.
        let all = Tensor::stack(&final_states, 0)?;
        let sizes = self.cell.state_sizes(&self.config);
        let states = (0..)
            .zip(sizes)
            .map(|(state, size)| all.narrow(1, state, 1)?.squeeze(1)?.narrow(2, 0, size))
            .collect::<candle_core::Result<_>>()?;
        Ok(StackOutput { outputs: self.caller_order(x)?, states })
    }

    /// One step of a stream: `x [B, I]`.
    pub(crate) fn step(&self, x: &Tensor, states: &[&Tensor]) -> Result<StackOutput> {
        if self.config.bidirectional {
            return Err(Error::BidirectionalStep);
        }
        let time = if self.config.batch_first { 1 } else { 0 };
        if x.rank() != 2 {
            return Err(self.input_shape_error("(batch, {})", x));
        }
        let output = self.run(&x.unsqueeze(time)?, Some(states), None, None)?;
        Ok(StackOutput { outputs: output.outputs.squeeze(time)?, states: output.states })
    }

    /// Checks the input and brings it to `[B, T, I]`.
    fn batch_first(&self, x: &Tensor) -> Result<Tensor> {
        let expected =
            if self.config.batch_first { "(batch, steps, {})" } else { "(steps, batch, {})" };
        match x.dims() {
            [_, _, input] if *input == self.config.input_size => {}
            _ => return Err(self.input_shape_error(expected, x)),
        }
        self.check_placement("the input", x)?;
        let x = if self.config.batch_first { x.clone() } else { x.transpose(0, 1)? };
        if x.dim(0)? == 0 {
            return Err(Error::EmptyBatch);
        }
        Ok(x)
    }

    fn input_shape_error(&self, expected: &str, x: &Tensor) -> Error {
        let expected = expected.replace("{}", &self.config.input_size.to_string());
        Error::Shape { tensor: "the input", expected, got: x.dims().to_vec() }
    }

    fn caller_order(&self, outputs: Tensor) -> Result<Tensor> {
        Ok(if self.config.batch_first { outputs } else { outputs.transpose(0, 1)? })
    }

    fn check_states(&self, states: &[&Tensor], batch: usize) -> Result<Vec<Tensor>> {
        let layers = self.config.num_layers * self.config.num_directions();
        let sizes = self.cell.state_sizes(&self.config);
        for (state, size) in states.iter().zip(sizes) {
            let expected = [layers, batch, size];
            if state.dims() != expected {
                return Err(Error::Shape {
                    tensor: "the initial state",
                    expected: format!("{expected:?}, (layers * directions, batch, features)"),
                    got: state.dims().to_vec(),
                });
            }
            self.check_placement("the initial state", state)?;
        }
        Ok(states.iter().map(|&state| state.clone()).collect())
    }

    fn check_placement(&self, tensor: &'static str, x: &Tensor) -> Result<()> {
        if x.dtype() == self.dtype && x.device().same_device(&self.device) {
            return Ok(());
        }
        let describe = |dtype: DType, device: &Device| format!("{dtype:?} on {device:?}");
        Err(Error::Placement {
            tensor,
            expected: describe(self.dtype, &self.device),
            got: describe(x.dtype(), x.device()),
        })
    }
}

/// Every parameter of a layer stack, in PyTorch's order.
pub(crate) fn all_parameters(
    cell: Cell,
    config: &RecurrentConfig,
) -> impl Iterator<Item = Parameter> {
    let directions = &[false, true][..config.num_directions()];
    (0..config.num_layers)
        .flat_map(|layer| directions.iter().map(move |&reverse| (layer, reverse)))
        .flat_map(move |(layer, reverse)| parameters(cell, config, layer, reverse))
}

/// Name and shape of every parameter of a layer stack, in PyTorch's order.
pub(crate) fn parameter_shapes(cell: Cell, config: &RecurrentConfig) -> Vec<(String, Vec<usize>)> {
    all_parameters(cell, config).map(|parameter| (parameter.name, parameter.shape)).collect()
}

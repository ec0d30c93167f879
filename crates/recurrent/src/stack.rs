//! A stack of layers in one or two directions, with dropout between them: the basis of all three
//! public layers.

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;

use crate::backend::{Backend, Implementation};
use crate::cell::Cell;
use crate::config::RecurrentConfig;
use crate::cudnn;
use crate::error::{Error, Result};
use crate::fused;
use crate::lengths::Lengths;
use crate::random::SeededRng;
use crate::reference;
use crate::run::{PackedOnce, Run, StackOutput};
use crate::weights::{LayerWeights, Parameter, parameters};

/// How to run a sequence through a layer. The default runs all steps of every row from a zero
/// state, without dropout.
#[derive(Debug)]
pub struct RunOptions<'a, S> {
    /// State before the first step; zeros if absent.
    pub state: Option<&'a S>,
    /// Real steps of each row; all of them if absent. Outputs past a row's length are zero, its
    /// final state is the one after its last real step, and the backward direction starts there
    /// (like `pack_padded_sequence` in PyTorch, without sorting).
    pub lengths: Option<&'a [usize]>,
    /// Set in training: generator of the masks for dropout between layers and for weight-drop.
    pub dropout: Option<&'a mut SeededRng>,
}

impl<S> Default for RunOptions<'_, S> {
    fn default() -> Self {
        Self { state: None, lengths: None, dropout: None }
    }
}

/// An input in which vectors repeat, like word vectors in a text: step t of batch row b is
/// `vectors[indexes[b·T + t]]`.
///
/// On the CPU, if no gradient is needed, the first layer computes its input product once per vector
/// rather than once per step; elsewhere the steps are written out first.
#[derive(Debug, Clone, Copy)]
pub struct RepeatedInput<'a> {
    /// The distinct vectors, `[N, I]`.
    pub vectors: &'a Tensor,
    /// `[B·T]`, row by row, each below N.
    pub indexes: &'a [u32],
    /// B, the rows of the batch.
    pub batch: usize,
}

/// Most distinct vectors per hundred steps for which precomputing their products pays off; above
/// that, writing and reading the products costs what it saves.
const DISTINCT_PERCENT: usize = 75;

#[derive(Debug, Clone)]
pub(crate) struct Stack {
    cell: Cell,
    config: RecurrentConfig,
    /// `[layer][direction]`
    weights: Vec<Vec<LayerWeights>>,
    packed: PackedOnce,
    backend: Backend,
    dtype: DType,
    device: Device,
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
            packed: PackedOnce::default(),
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
        self.packed = PackedOnce::default();
    }

    pub(crate) fn zero_states(&self, batch: usize) -> Result<Vec<Tensor>> {
        let layers = self.config.num_layers * self.config.num_directions();
        let zeros = |size| Tensor::zeros((layers, batch, size), self.dtype, &self.device);
        let sizes = self.config.state_sizes(self.cell);
        Ok(sizes.into_iter().map(zeros).collect::<candle_core::Result<_>>()?)
    }

    /// `states`: each `(L·D, B, H or P)`, in the cell's order.
    pub(crate) fn run(
        &self,
        x: &Tensor,
        states: Option<&[&Tensor]>,
        lengths: Option<&[usize]>,
        mut dropout: Option<&mut SeededRng>,
    ) -> Result<StackOutput> {
        let rate = self.config.weight_dropout;
        if let Some(rng) = dropout.as_deref_mut().filter(|_| rate > 0.0) {
            return self.with_weight_dropout(rate, rng)?.run(x, states, lengths, dropout);
        }
        let x = self.batch_first(x)?;
        let (batch, steps, _) = x.dims3()?;
        let lengths = &Lengths::check(lengths, batch, steps)?;
        let initial = states.map(|states| self.check_states(states, batch)).transpose()?;
        let zeros_if_absent = || initial.clone().map_or_else(|| self.zero_states(batch), Ok);
        if steps == 0 {
            let shape = (batch, 0, self.config.output_size());
            let outputs = Tensor::zeros(shape, self.dtype, &self.device)?;
            let states = zeros_if_absent()?;
            return Ok(StackOutput { outputs: self.caller_order(outputs)?, states });
        }
        let run = self.checked_run(&x, None, (batch, steps), lengths);
        let output = match self.backend.implementation(&run)? {
            Implementation::Cpu(set) => fused::run(&run, initial.as_deref(), dropout, set)?,
            Implementation::Cudnn => cudnn::run(&run, initial.as_deref(), dropout)?,
            Implementation::Reference => reference::run(&run, &zeros_if_absent()?, dropout)?,
        };
        Ok(StackOutput { outputs: self.caller_order(output.outputs)?, states: output.states })
    }

    /// This stack with weight-drop applied, for one training pass.
    fn with_weight_dropout(&self, rate: f64, rng: &mut SeededRng) -> Result<Self> {
        let mut direction = |weights: &LayerWeights| weights.with_weight_dropout(rate, rng);
        let weights = self
            .weights
            .iter()
            .map(|layer| layer.iter().map(&mut direction).collect())
            .collect::<Result<_>>()?;
        let config = RecurrentConfig { weight_dropout: 0.0, ..self.config.clone() };
        Ok(Self { weights, config, packed: PackedOnce::default(), ..self.clone() })
    }

    fn checked_run<'a>(
        &'a self,
        x: &'a Tensor,
        indexes: Option<&'a [u32]>,
        (batch, steps): (usize, usize),
        lengths: &'a Lengths,
    ) -> Run<'a> {
        let Self { cell, config, weights, packed, .. } = self;
        Run { cell: *cell, config, weights, packed, batch, steps, x, indexes, lengths }
    }

    /// [`run`](Self::run) for an input with repeated vectors.
    pub(crate) fn run_repeated(
        &self,
        input: RepeatedInput<'_>,
        states: Option<&[&Tensor]>,
        lengths: Option<&[usize]>,
        dropout: Option<&mut SeededRng>,
    ) -> Result<StackOutput> {
        let RepeatedInput { vectors, indexes, batch } = input;
        let (n_vectors, steps) = self.check_repeated(&input)?;
        // Nothing is kept for weights that change from pass to pass.
        let drops_weights = dropout.is_some() && self.config.weight_dropout > 0.0;
        if steps > 0 && !drops_weights && 100 * n_vectors <= DISTINCT_PERCENT * indexes.len() {
            let checked = &Lengths::check(lengths, batch, steps)?;
            let initial = states.map(|states| self.check_states(states, batch)).transpose()?;
            let run = self.checked_run(vectors, Some(indexes), (batch, steps), checked);
            let initial = initial.as_deref();
            if let Implementation::Cpu(set) = self.backend.implementation(&run)?
                && !fused::needs_backward(&run, initial)
            {
                let StackOutput { outputs, states } = fused::run(&run, initial, dropout, set)?;
                return Ok(StackOutput { outputs: self.caller_order(outputs)?, states });
            }
        }
        let indexes = Tensor::new(indexes, vectors.device())?;
        let x = vectors.index_select(&indexes, 0)?.reshape((batch, steps, vectors.dim(1)?))?;
        self.run(&self.caller_order(x)?, states, lengths, dropout)
    }

    /// Checks an input with repeated vectors; returns N and T.
    fn check_repeated(&self, input: &RepeatedInput<'_>) -> Result<(usize, usize)> {
        let &RepeatedInput { vectors, indexes, batch } = input;
        let n_vectors = match vectors.dims() {
            [n_vectors, input] if *input == self.config.input_size => *n_vectors,
            _ => return Err(self.input_shape_error("(vectors, {})", vectors)),
        };
        self.check_placement("the input", vectors)?;
        if batch == 0 {
            return Err(Error::EmptyBatch);
        }
        if let Some(&index) = indexes.iter().find(|&&index| index as usize >= n_vectors) {
            return Err(Error::Index { index, n_vectors });
        }
        if !indexes.len().is_multiple_of(batch) {
            return Err(Error::Shape {
                tensor: "the list of indexes",
                expected: format!("batch times steps, a multiple of {batch}"),
                got: vec![indexes.len()],
            });
        }
        Ok((n_vectors, indexes.len() / batch))
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

    /// Checks the input and transposes it to `[B, T, I]` if needed.
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
        let sizes = self.config.state_sizes(self.cell);
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

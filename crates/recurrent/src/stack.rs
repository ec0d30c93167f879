//! A stack of layers in one or two directions, with dropout between them: what is behind
//! [`Layer`](crate::Layer), whatever its cell.

use std::sync::Arc;

use candle_core::{DType, Device, Shape, Tensor};
use candle_nn::VarBuilder;

use crate::backend::{Backend, Implementation};
use crate::cell::Cell;
use crate::config::RecurrentConfig;
use crate::cudnn;
use crate::dropout::{DropoutMasks, dropout};
use crate::error::{Error, Result};
use crate::frozen::Frozen;
use crate::fused;
use crate::lengths::Lengths;
use crate::machine::InstructionSet;
use crate::options::RepeatedInput;
use crate::pooling::pool_checked;
use crate::reference;
use crate::run::{Run, StackOutput, Wanted};
use crate::settings;
use crate::weights::LayerWeights;

/// Most distinct vectors per hundred steps for which precomputing their products pays off; above
/// that, writing and reading the products costs what it saves.
const DISTINCT_PERCENT: usize = 75;

/// How to run a stack: [`RunOptions`](crate::RunOptions) with a state's tensors, each `(L·D, B, h or H)`, in
/// the cell's order.
pub(crate) struct StackOptions<'a> {
    pub(crate) states: Option<Vec<Tensor>>,
    pub(crate) lengths: Option<&'a [usize]>,
    pub(crate) dropout: Option<&'a mut dyn DropoutMasks>,
    pub(crate) record: bool,
    pub(crate) wanted: Wanted,
}

#[derive(Debug, Clone)]
pub(crate) struct Stack {
    cell: Cell,
    config: RecurrentConfig,
    /// `[layer][direction]`
    weights: Vec<Vec<LayerWeights>>,
    /// The weights once more, packed, if they are this stack's own, so that nothing can change them.
    frozen: Option<Arc<Frozen>>,
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
            frozen: None,
            backend: Backend::Auto,
            dtype: vb.dtype(),
            device: vb.device().clone(),
        })
    }

    pub(crate) fn config(&self) -> &RecurrentConfig {
        &self.config
    }

    pub(crate) fn cell(&self) -> Cell {
        self.cell
    }

    pub(crate) fn is_frozen(&self) -> bool {
        self.frozen.is_some()
    }

    pub(crate) fn set_backend(&mut self, backend: Backend) {
        self.backend = backend;
        // The packed form depends on the instruction set.
        self.frozen = self.frozen.take().map(|_| Arc::default());
    }

    /// This stack with weights of its own.
    pub(crate) fn freeze(&self) -> Result<Self> {
        if self.is_frozen() {
            return Ok(self.clone());
        }
        let weights = self.map_weights(|weights| weights.map(|tensor| tensor.detach().copy()))?;
        Ok(Self { weights, frozen: Some(Arc::default()), ..self.clone() })
    }

    fn map_weights(
        &self,
        mut f: impl FnMut(&LayerWeights) -> Result<LayerWeights>,
    ) -> Result<Vec<Vec<LayerWeights>>> {
        self.weights.iter().map(|layer| layer.iter().map(&mut f).collect()).collect()
    }

    pub(crate) fn zero_states(&self, batch: usize) -> Result<Vec<Tensor>> {
        let layers = self.config.num_layers * self.config.num_directions();
        let zeros = |size| Tensor::zeros((layers, batch, size), self.dtype, &self.device);
        let sizes = self.config.state_sizes(self.cell);
        Ok(sizes.into_iter().map(zeros).collect::<candle_core::Result<_>>()?)
    }

    /// Takes an input with a batch, or without one.
    pub(crate) fn run(&self, x: &Tensor, options: StackOptions<'_>) -> Result<StackOutput> {
        if x.rank() != 2 {
            return self.run_batch(x, options);
        }
        let batch = usize::from(!self.config.batch_first);
        let is_pooled = matches!(options.wanted, Wanted::Pooled(_));
        let states = options.states.map(|states| {
            states.iter().map(|state| state.unsqueeze(1)).collect::<candle_core::Result<_>>()
        });
        let states = states.transpose()?;
        let output = self.run_batch(&x.unsqueeze(batch)?, StackOptions { states, ..options })?;
        let batch = if is_pooled { 0 } else { batch };
        let each = |tensors: Vec<Tensor>, dimension: usize| {
            let squeezed = tensors.iter().map(|tensor| tensor.squeeze(dimension));
            squeezed.collect::<candle_core::Result<_>>()
        };
        Ok(StackOutput {
            outputs: output.outputs.squeeze(batch)?,
            states: each(output.states, 1)?,
            between: each(output.between, batch)?,
        })
    }

    fn run_batch(&self, x: &Tensor, options: StackOptions<'_>) -> Result<StackOutput> {
        let StackOptions { states, lengths, mut dropout, record, wanted } = options;
        check_wanted(wanted)?;
        let rate = self.config.weight_dropout;
        if let Some(masks) = dropout.as_deref_mut().filter(|_| rate > 0.0) {
            let options = StackOptions { states, lengths, dropout: None, record, wanted };
            let dropped = self.with_weight_dropout(rate, masks)?;
            return dropped.run_batch(x, StackOptions { dropout, ..options });
        }
        let x = self.batch_first(x)?;
        let (batch, steps, _) = x.dims3()?;
        self.check_sizes(batch, steps)?;
        let lengths = &Lengths::check(lengths, batch, steps)?;
        let initial = states.map(|states| self.check_states(states, batch)).transpose()?;
        let zeros_if_absent = || initial.clone().map_or_else(|| self.zero_states(batch), Ok);
        if steps == 0 {
            let width = self.config.output_size();
            let zeros = |shape: Shape| Tensor::zeros(shape, self.dtype, &self.device);
            let no_steps = self.caller_order(zeros((batch, 0, width).into())?)?;
            let (outputs, n_between) = match wanted {
                Wanted::Pooled(pooling) => (zeros((batch, pooling.n_parts() * width).into())?, 0),
                Wanted::Outputs => (no_steps.clone(), 0),
                Wanted::AllLayers => (no_steps.clone(), self.config.num_layers - 1),
            };
            let between = vec![no_steps; n_between];
            let output = StackOutput { outputs, states: zeros_if_absent()?, between };
            return Ok(if record { output } else { output.detach() });
        }
        let has_state = initial.is_some();
        let run = self.checked_run(&x, None, (batch, steps), lengths, (has_state, record));
        let given = initial.as_deref().unwrap_or_default();
        let output = match self.backend.implementation(&run)? {
            Implementation::Cpu(set) => {
                let output = fused::run(&run, given, dropout, wanted, set)?;
                return self.in_caller_order(output, wanted);
            }
            Implementation::Cudnn(plan) => cudnn::run(&run, given, dropout, wanted, plan)?,
            Implementation::Reference => reference::run(&run, &zeros_if_absent()?, dropout)?,
        };
        let output = match wanted {
            Wanted::Pooled(pooling) => {
                let outputs = pool_checked(&output.outputs, lengths, pooling)?;
                StackOutput { outputs, ..output }
            }
            Wanted::Outputs | Wanted::AllLayers => output,
        };
        let output = if record { output } else { output.detach() };
        self.in_caller_order(output, wanted)
    }

    /// This stack with weight-drop applied, for one training pass.
    fn with_weight_dropout(&self, rate: f64, masks: &mut dyn DropoutMasks) -> Result<Self> {
        let weights = self.map_weights(|weights| {
            Ok(LayerWeights {
                recurrent: dropout(masks, &weights.recurrent, rate)?,
                ..weights.clone()
            })
        })?;
        let config = RecurrentConfig { weight_dropout: 0.0, ..self.config.clone() };
        Ok(Self { weights, config, frozen: None, ..self.clone() })
    }

    fn checked_run<'a>(
        &'a self,
        x: &'a Tensor,
        indexes: Option<&'a [u32]>,
        (batch, steps): (usize, usize),
        lengths: &'a Lengths,
        (has_state, record): (bool, bool),
    ) -> Run<'a> {
        let Self { cell, config, weights, .. } = self;
        let (cell, frozen) = (*cell, self.frozen.as_deref());
        Run { cell, config, weights, frozen, batch, steps, x, indexes, lengths, has_state, record }
    }

    /// [`run`](Self::run) for an input with repeated vectors.
    pub(crate) fn run_repeated(
        &self,
        input: RepeatedInput<'_>,
        options: StackOptions<'_>,
    ) -> Result<StackOutput> {
        let RepeatedInput { vectors, indexes, batch } = input;
        let (n_vectors, steps) = self.check_repeated(&input)?;
        let is_worthwhile = steps > 0 && 100 * n_vectors <= DISTINCT_PERCENT * indexes.len();
        if is_worthwhile && let Some(set) = self.fused_set(vectors)? {
            let StackOptions { states, lengths, mut dropout, record, wanted } = options;
            check_wanted(wanted)?;
            let rate = self.config.weight_dropout;
            let dropped;
            let stack = match dropout.as_deref_mut().filter(|_| rate > 0.0) {
                Some(masks) => {
                    dropped = self.with_weight_dropout(rate, masks)?;
                    &dropped
                }
                None => self,
            };
            let checked = &Lengths::check(lengths, batch, steps)?;
            let initial = states.map(|states| self.check_states(states, batch)).transpose()?;
            let (sizes, flags) = ((batch, steps), (initial.is_some(), record));
            let run = stack.checked_run(vectors, Some(indexes), sizes, checked, flags);
            let given = initial.as_deref().unwrap_or_default();
            let output = fused::run(&run, given, dropout, wanted, set)?;
            return self.in_caller_order(output, wanted);
        }
        let indexes = Tensor::new(indexes, vectors.device())?;
        let x = vectors.index_select(&indexes, 0)?.reshape((batch, steps, vectors.dim(1)?))?;
        self.run_batch(&self.caller_order(x)?, options)
    }

    /// The instruction set of the fused CPU kernels, if they will run on an input like this.
    fn fused_set(&self, x: &Tensor) -> Result<Option<InstructionSet>> {
        let lengths = Lengths::check(None, 1, 1)?;
        let run = self.checked_run(x, None, (1, 1), &lengths, (false, false));
        Ok(match self.backend.implementation(&run)? {
            Implementation::Cpu(set) => Some(set),
            Implementation::Cudnn(_) | Implementation::Reference => None,
        })
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
                expected: format!("a multiple of the batch's {batch} rows"),
                got: vec![indexes.len()],
            });
        }
        let steps = indexes.len() / batch;
        self.check_sizes(batch, steps)?;
        Ok((n_vectors, steps))
    }

    /// One step of a stream.
    pub(crate) fn step(&self, x: &Tensor, options: StackOptions<'_>) -> Result<StackOutput> {
        if self.config.bidirectional {
            return Err(Error::BidirectionalStep);
        }
        let time = usize::from(self.config.batch_first);
        if x.rank() != 2 {
            return Err(self.input_shape_error("(batch, {})", x));
        }
        let output = self.run_batch(&x.unsqueeze(time)?, options)?;
        Ok(StackOutput { outputs: output.outputs.squeeze(time)?, ..output })
    }

    /// Checks that the numbers of a pass can be addressed: an input may be a view that repeats a few numbers.
    fn check_sizes(&self, batch: usize, steps: usize) -> Result<()> {
        let RecurrentConfig { input_size, hidden_size, .. } = self.config;
        // The largest of all buffers: a step's gates, padded, in numbers of 8 bytes.
        let widest =
            input_size.saturating_add(hidden_size).saturating_add(64).saturating_mul(8 * 8);
        let bytes = batch.checked_mul(steps).and_then(|places| places.checked_mul(widest));
        match bytes.filter(|&bytes| bytes <= isize::MAX as usize) {
            Some(_) => Ok(()),
            None => Err(Error::TooLarge { batch, steps }),
        }
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

    fn in_caller_order(&self, output: StackOutput, wanted: Wanted) -> Result<StackOutput> {
        if let Wanted::Pooled(_) = wanted {
            return Ok(output);
        }
        let StackOutput { outputs, states, between } = output;
        let between = between.into_iter().map(|outputs| self.caller_order(outputs));
        let between = between.collect::<Result<_>>()?;
        Ok(StackOutput { outputs: self.caller_order(outputs)?, states, between })
    }

    fn caller_order(&self, outputs: Tensor) -> Result<Tensor> {
        Ok(if self.config.batch_first { outputs } else { outputs.transpose(0, 1)? })
    }

    fn check_states(&self, states: Vec<Tensor>, batch: usize) -> Result<Vec<Tensor>> {
        let layers = self.config.num_layers * self.config.num_directions();
        let sizes = self.config.state_sizes(self.cell);
        if states.len() != sizes.len() {
            return Err(Error::StateCount { got: states.len(), expected: sizes.len() });
        }
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
        Ok(states)
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

fn check_wanted(wanted: Wanted) -> Result<()> {
    let is_fine = !matches!(wanted, Wanted::Pooled(pooling) if pooling.n_parts() == 0);
    Ok(settings::check("pooling", is_fine, "max, mean or both", "neither")?)
}

//! The fused kernels as one operation on candle tensors.

use candle_core::{DType, Device, Result, Shape, Storage, Tensor};

use crate::autograd::{Backward, record};
use crate::kernels::{
    BackwardTensors, Element, InstructionSet, LayerDropout, PackedWeights, Problem, Saved, Steps,
    Weights,
};
use crate::numbers::numbers_of;
use crate::random::{SeededRng, dropout_scale};
use crate::run::{PackedOnce, Run, StackOutput};
use crate::weights::LayerWeights;

/// Why fused kernels cannot run a network on these tensors; `None` if they can.
pub(crate) fn obstacle(run: &Run<'_>) -> Option<&'static str> {
    if run.config.proj_size > 0 {
        return Some("no fused kernel supports projections (proj_size)");
    }
    let fits =
        matches!(run.x.device(), Device::Cpu) && matches!(run.x.dtype(), DType::F32 | DType::F64);
    (!fits).then_some("the tensors are not f32 or f64 on the CPU")
}

/// Whether a run may need a gradient.
pub(crate) fn needs_backward(run: &Run<'_>, initial: Option<&[Tensor]>) -> bool {
    let weights = run.weights.iter().flatten().flat_map(LayerWeights::tensors);
    let mut inputs = std::iter::once(run.x).chain(weights).chain(initial.unwrap_or_default());
    inputs.any(Tensor::track_op)
}

pub(crate) fn run(
    run: &Run<'_>,
    initial: Option<&[Tensor]>,
    dropout: Option<&mut SeededRng>,
    instructions: InstructionSet,
) -> Result<StackOutput> {
    match run.x.dtype() {
        DType::F64 => run_as::<f64>(run, initial, dropout, instructions),
        _ => run_as::<f32>(run, initial, dropout, instructions),
    }
}

fn run_as<E: KeptWeights>(
    run: &Run<'_>,
    initial: Option<&[Tensor]>,
    dropout: Option<&mut SeededRng>,
    instructions: InstructionSet,
) -> Result<StackOutput> {
    let (batch, steps) = (run.batch, run.steps);
    let config = run.config;
    let problem = Problem {
        cell: run.cell,
        num_layers: config.num_layers,
        num_directions: config.num_directions(),
        input_size: config.input_size,
        hidden_size: config.hidden_size,
        batch,
        steps,
        lengths: run.lengths.by_row.clone(),
        instructions,
    };
    let dropout = match dropout {
        Some(rng) if config.dropout > 0.0 => LayerDropout {
            kept: (1..config.num_layers)
                .map(|_| rng.kept(batch * steps * config.output_size(), config.dropout))
                .collect(),
            scale: dropout_scale(config.dropout),
        },
        _ => LayerDropout::default(),
    };
    let operands = Operands::new(run, initial)?;
    let inputs = operands.inputs(run, initial);
    let weights_are_fixed = !operands.weights.iter().any(Tensor::track_op);
    let needs_backward = needs_backward(run, initial);

    let forward = operands.with_numbers::<E, _>(|x, weights, states| {
        let packed =
            weights_are_fixed.then(|| E::packed_once(run.packed, &problem, weights)).flatten();
        let x = match run.indexes {
            Some(indexes) => Steps::Repeated { vectors: x, indexes },
            None => Steps::Each(x),
        };
        problem.forward(x, weights, packed, states, dropout, needs_backward)
    })?;
    let output_shape = Shape::from((batch, steps, config.output_size()));
    let layers = config.num_layers * config.num_directions();
    let state_shape = Shape::from((layers, batch, config.hidden_size));
    let saved = forward.saved;
    let results: Vec<(Vec<E>, Shape)> = std::iter::once((forward.outputs, output_shape))
        .chain(forward.final_states.into_iter().map(|state| (state, state_shape.clone())))
        .collect();
    let mut tensors = match saved {
        None => results
            .into_iter()
            .map(|(numbers, shape)| Tensor::from_vec(numbers, shape, &Device::Cpu))
            .collect::<Result<Vec<_>>>()?,
        Some(saved) => {
            let wants_dx = run.x.track_op();
            let storages = results
                .into_iter()
                .map(|(numbers, shape)| (Storage::Cpu(E::to_cpu_storage_owned(numbers)), shape))
                .collect();
            record(&inputs, storages, FusedBackward { problem, operands, saved, wants_dx })?
        }
    };
    let states = tensors.split_off(1);
    Ok(StackOutput { outputs: tensors.swap_remove(0), states })
}

/// Number types whose packed weights are kept between passes.
trait KeptWeights: Element {
    fn packed_once<'a>(
        kept: &'a PackedOnce,
        problem: &Problem,
        weights: &[Weights<'_, Self>],
    ) -> Option<&'a PackedWeights<Self>>;
}

impl KeptWeights for f32 {
    fn packed_once<'a>(
        kept: &'a PackedOnce,
        problem: &Problem,
        weights: &[Weights<'_, f32>],
    ) -> Option<&'a PackedWeights<f32>> {
        let pack = || (problem.instructions, problem.pack(weights));
        let (instructions, packed) = kept.0.get_or_init(pack);
        // The layout depends on the width of a vector.
        (*instructions == problem.instructions).then_some(packed)
    }
}

impl KeptWeights for f64 {
    /// f64 is for gradient checks, which change the weights.
    fn packed_once<'a>(
        _: &'a PackedOnce,
        _: &Problem,
        _: &[Weights<'_, f64>],
    ) -> Option<&'a PackedWeights<f64>> {
        None
    }
}

/// The tensors that both passes read, contiguous.
struct Operands {
    x: Tensor,
    /// By layer and direction: W_ih, W_hh and, where there are biases, b_ih and b_hh.
    weights: Vec<Tensor>,
    has_biases: bool,
    /// In the cell's order; empty for zeros.
    initial: Vec<Tensor>,
}

impl Operands {
    fn new(run: &Run<'_>, initial: Option<&[Tensor]>) -> Result<Self> {
        // Kept for the backward pass, so without their graph. Variables stay variables, so that
        // `weights` shows whether they can change.
        let plain = |tensor: &Tensor| -> Result<Tensor> {
            let tensor = tensor.contiguous()?;
            Ok(if tensor.is_variable() { tensor } else { tensor.detach() })
        };
        let weights = run.weights.iter().flatten().flat_map(LayerWeights::tensors);
        Ok(Self {
            x: plain(run.x)?,
            weights: weights.map(Tensor::contiguous).collect::<Result<_>>()?,
            has_biases: run.config.bias,
            initial: initial.unwrap_or_default().iter().map(plain).collect::<Result<_>>()?,
        })
    }

    /// The tensors that receive gradients: the input, every weight, every initial state.
    fn inputs<'a>(&self, run: &Run<'a>, initial: Option<&'a [Tensor]>) -> Vec<&'a Tensor> {
        let weights = run.weights.iter().flatten().flat_map(LayerWeights::tensors);
        std::iter::once(run.x).chain(weights).chain(initial.unwrap_or_default()).collect()
    }

    /// Calls `job` with the data of the input, the weights and the initial states.
    fn with_numbers<E: Element, R>(
        &self,
        job: impl FnOnce(&[E], &[Weights<'_, E>], [Option<&[E]>; 2]) -> R,
    ) -> Result<R> {
        let x = self.x.storage_and_layout();
        let weights: Vec<_> = self.weights.iter().map(Tensor::storage_and_layout).collect();
        let weights = weights.iter().map(numbers_of).collect::<Result<Vec<_>>>()?;
        let weights: Vec<Weights<'_, E>> = weights
            .chunks_exact(if self.has_biases { 4 } else { 2 })
            .map(|tensors| Weights {
                input: tensors[0],
                recurrent: tensors[1],
                biases: self.has_biases.then(|| (tensors[2], tensors[3])),
            })
            .collect();
        let initial: Vec<_> = self.initial.iter().map(Tensor::storage_and_layout).collect();
        let mut states = [None; 2];
        for (state, numbers) in states.iter_mut().zip(&initial) {
            *state = Some(numbers_of(numbers)?);
        }
        Ok(job(numbers_of(&x)?, &weights, states))
    }
}

struct FusedBackward<E> {
    problem: Problem,
    operands: Operands,
    saved: Saved<E>,
    wants_dx: bool,
}

impl<E: Element> Backward for FusedBackward<E> {
    fn backward(
        &self,
        outputs: &[Tensor],
        d_outputs: &[Option<Tensor>],
    ) -> Result<Vec<Option<Tensor>>> {
        let outputs = outputs[0].storage_and_layout();
        let gradients: Vec<_> = d_outputs
            .iter()
            .map(|gradient| gradient.as_ref().map(Tensor::storage_and_layout))
            .collect();
        let mut d_results = [None; 3];
        for (to, numbers) in d_results.iter_mut().zip(&gradients) {
            *to = numbers.as_ref().map(numbers_of::<E>).transpose()?;
        }
        let outputs = numbers_of::<E>(&outputs)?;
        let gradients = self.operands.with_numbers::<E, _>(|x, weights, initial| {
            let tensors = BackwardTensors {
                x,
                weights,
                initial,
                outputs,
                d_outputs: d_results[0],
                d_final: [d_results[1], d_results[2]],
            };
            self.problem.backward(&self.saved, &tensors, self.wants_dx)
        })?;
        let tensor =
            |numbers: Vec<E>, like: &Tensor| Tensor::from_vec(numbers, like.shape(), &Device::Cpu);
        let mut inputs = vec![gradients.x.map(|dx| tensor(dx, &self.operands.x)).transpose()?];
        for (numbers, like) in gradients.weights.into_iter().flatten().zip(&self.operands.weights) {
            inputs.push(Some(tensor(numbers, like)?));
        }
        for (numbers, like) in gradients.initial.into_iter().zip(&self.operands.initial) {
            inputs.push(Some(tensor(numbers, like)?));
        }
        Ok(inputs)
    }
}

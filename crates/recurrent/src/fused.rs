//! The fused CPU passes as one operation on candle tensors.

use candle_core::{DType, Device, Result, Shape, Storage, Tensor};

use crate::algebra::Weights;
use crate::autograd::{Backward, Numbers, record};
use crate::dropout::{DropoutMasks, dropout_scale, mask};
use crate::frozen::Frozenable;
use crate::machine::{Element, InstructionSet, Source};
use crate::numbers::numbers_of;
use crate::pooling::Pooling;
use crate::recurrence::{
    Argmax, BackwardTensors, ForwardTensors, LayerDropout, OutputGradient, PooledGradient, Problem,
    SavedPass, Steps,
};
use crate::run::{Run, StackOutput, Wanted};
use crate::weights::LayerWeights;

/// Why fused kernels cannot run a network on these tensors; `None` if they can.
pub(crate) fn obstacle(run: &Run<'_>) -> Option<&'static str> {
    let fits =
        matches!(run.x.device(), Device::Cpu) && matches!(run.x.dtype(), DType::F32 | DType::F64);
    (!fits).then_some("the tensors are not f32 or f64 on the CPU")
}

pub(crate) fn run(
    run: &Run<'_>,
    initial: &[Tensor],
    dropout: Option<&mut dyn DropoutMasks>,
    result: Wanted,
    instructions: InstructionSet,
) -> Result<StackOutput> {
    match run.x.dtype() {
        DType::F64 => run_as::<f64>(run, initial, dropout, result, instructions),
        _ => run_as::<f32>(run, initial, dropout, result, instructions),
    }
}

fn problem(run: &Run<'_>, instructions: InstructionSet) -> Problem {
    let config = run.config;
    Problem {
        cell: run.cell,
        num_layers: config.num_layers,
        num_directions: config.num_directions(),
        input_size: config.input_size,
        hidden_size: config.hidden_size,
        h_size: config.h_size(),
        batch: run.batch,
        steps: run.steps,
        lengths: run.lengths.by_row.clone(),
        instructions,
    }
}

fn run_as<E: Frozenable>(
    run: &Run<'_>,
    initial: &[Tensor],
    dropout: Option<&mut dyn DropoutMasks>,
    result: Wanted,
    instructions: InstructionSet,
) -> Result<StackOutput> {
    let (config, problem) = (run.config, problem(run, instructions));
    let (batch, steps) = (run.batch, run.steps);
    let dropout = match dropout {
        Some(masks) if config.dropout > 0.0 => LayerDropout {
            kept: (1..config.num_layers)
                .map(|_| mask(masks, batch * steps * config.output_size(), config.dropout))
                .collect::<crate::Result<_>>()?,
            scale: dropout_scale(config.dropout),
        },
        _ => LayerDropout::default(),
    };
    let wants_dx = run.needs_backward(initial).then(|| run.x.track_op());
    let operands = Operands::new(run, initial)?;
    let forward = operands.with_numbers::<E, _>(|x, initial| {
        with_weights(&contiguous_weights(run)?, run, |weights| {
            let pack = || problem.pack(weights);
            let packed = run.frozen.and_then(|own| E::packed_once(own, instructions, pack));
            let tensors = ForwardTensors { x, weights, packed, initial };
            problem.forward(&tensors, dropout, wants_dx, result == Wanted::AllLayers)
        })
    })??;

    let steps_shape = Shape::from((batch, steps, config.output_size()));
    let (outputs, output_shape, pooled) = match result {
        Wanted::Outputs | Wanted::AllLayers => (forward.outputs, steps_shape.clone(), None),
        Wanted::Pooled(pooling) => {
            let (vectors, argmax) = problem.pool(&forward.outputs, pooling);
            let shape = Shape::from((batch, pooling.n_parts() * config.output_size()));
            (vectors, shape, Some(Pooled { pooling, argmax, outputs: forward.outputs }))
        }
    };
    let layers = config.num_layers * config.num_directions();
    let state_shapes =
        config.state_sizes(run.cell).into_iter().map(|size| Shape::from((layers, batch, size)));
    let results = std::iter::once((outputs, output_shape))
        .chain(forward.final_states.into_iter().zip(state_shapes))
        .chain(forward.between.into_iter().map(|numbers| (numbers, steps_shape.clone())));
    let mut tensors = match forward.saved {
        None => results
            .map(|(numbers, shape)| Tensor::from_vec(numbers, shape, &Device::Cpu))
            .collect::<Result<Vec<_>>>()?,
        Some(saved) => {
            let results = results.map(|(numbers, shape)| plain(numbers, shape)).collect();
            let inputs: Vec<&Tensor> = run.inputs(initial).collect();
            let shapes = inputs.iter().map(|input| input.shape().clone()).collect();
            let is_wanted = inputs.iter().map(|input| input.track_op()).collect();
            let has_biases = config.bias;
            let backward =
                FusedBackward { problem, operands, saved, pooled, has_biases, shapes, is_wanted };
            record(&inputs, results, backward)?
        }
    };
    let mut states = tensors.split_off(1);
    let between = states.split_off(run.cell.n_states());
    Ok(StackOutput { outputs: tensors.swap_remove(0), states, between })
}

fn plain<E: Element>(numbers: Vec<E>, shape: Shape) -> Numbers {
    (Storage::Cpu(E::to_cpu_storage_owned(numbers)), shape)
}

/// All weights, contiguous, by layer and direction.
fn contiguous_weights(run: &Run<'_>) -> Result<Vec<Tensor>> {
    let weights = run.weights.iter().flatten().flat_map(LayerWeights::tensors);
    weights.map(Tensor::contiguous).collect()
}

/// Calls `job` with the numbers of the weights, by layer and direction.
fn with_weights<E: Element, R>(
    weights: &[Tensor],
    run: &Run<'_>,
    job: impl FnOnce(&[Weights<'_, E>]) -> R,
) -> Result<R> {
    let (has_biases, is_projected) = (run.config.bias, run.config.proj_size > 0);
    let weights: Vec<_> = weights.iter().map(Tensor::storage_and_layout).collect();
    let numbers = weights.iter().map(numbers_of).collect::<Result<Vec<&[E]>>>()?;
    let n_tensors = 2 + if has_biases { 2 } else { 0 } + usize::from(is_projected);
    let weights: Vec<Weights<'_, E>> = numbers
        .chunks_exact(n_tensors)
        .map(|tensors| Weights {
            input: tensors[0],
            recurrent: tensors[1],
            biases: has_biases.then(|| (tensors[2], tensors[3])),
            projection: is_projected.then(|| tensors[n_tensors - 1]),
        })
        .collect();
    Ok(job(&weights))
}

/// The tensors that both passes read, contiguous and without a graph. Weights are not among them: the
/// backward pass reads the forward pass's copy of them, so it does not matter if they have changed since.
struct Operands {
    x: Tensor,
    indexes: Option<Vec<u32>>,
    /// In the cell's order; empty for zeros.
    initial: Vec<Tensor>,
}

impl Operands {
    fn new(run: &Run<'_>, initial: &[Tensor]) -> Result<Self> {
        let plain = |tensor: &Tensor| Ok(tensor.contiguous()?.detach());
        Ok(Self {
            x: plain(run.x)?,
            indexes: run.indexes.map(<[u32]>::to_vec),
            initial: initial.iter().map(plain).collect::<Result<_>>()?,
        })
    }

    /// Calls `job` with the numbers of the input and the initial states.
    fn with_numbers<E: Element, R>(
        &self,
        job: impl FnOnce(Steps<'_, E>, [Option<&[E]>; 2]) -> R,
    ) -> Result<R> {
        let x = self.x.storage_and_layout();
        let initial: Vec<_> = self.initial.iter().map(Tensor::storage_and_layout).collect();
        let mut states = [None; 2];
        for (state, numbers) in states.iter_mut().zip(&initial) {
            *state = Some(numbers_of(numbers)?);
        }
        let x = match &self.indexes {
            Some(indexes) => Steps::Repeated { vectors: numbers_of(&x)?, indexes },
            None => Steps::Each(numbers_of(&x)?),
        };
        Ok(job(x, states))
    }
}

/// What the gradient of pooled outputs depends on.
struct Pooled<E> {
    pooling: Pooling,
    argmax: Argmax,
    /// `[B, T, D·h]`
    outputs: Vec<E>,
}

struct FusedBackward<E> {
    problem: Problem,
    operands: Operands,
    saved: SavedPass<E>,
    pooled: Option<Pooled<E>>,
    has_biases: bool,
    /// Of the input, the weights and the initial states.
    shapes: Vec<Shape>,
    /// Which of them need gradients.
    is_wanted: Vec<bool>,
}

impl<E> FusedBackward<E> {
    /// Whether any weight's gradient is wanted.
    fn wants_weights(&self) -> bool {
        let n_states = self.operands.initial.len();
        self.is_wanted[1..self.is_wanted.len() - n_states].contains(&true)
    }
}

impl<E: Element> Backward for FusedBackward<E> {
    fn backward(
        &self,
        outputs: &[Tensor],
        d_outputs: &[Option<Tensor>],
    ) -> Result<Vec<Option<Numbers>>> {
        let outputs = outputs[0].storage_and_layout();
        let gradients: Vec<_> = d_outputs
            .iter()
            .map(|gradient| gradient.as_ref().map(Tensor::storage_and_layout))
            .collect();
        let n_states = self.problem.cell.n_states();
        let numbers = |index: usize| {
            let gradient = gradients.get(index).and_then(Option::as_ref);
            gradient.map(numbers_of::<E>).transpose()
        };
        let d_result = numbers(0)?;
        let d_final = [numbers(1)?, if n_states > 1 { numbers(2)? } else { None }];
        let d_between = (1 + n_states..gradients.len()).map(numbers).collect::<Result<Vec<_>>>()?;
        let outputs = numbers_of::<E>(&outputs)?;
        let of_pooled = self.pooled.as_ref().zip(d_result).map(|(pooled, d_pooled)| {
            (pooled, self.problem.pooled_gradients(d_pooled, pooled.pooling))
        });
        let (outputs, d_outputs) = match (&self.pooled, &of_pooled) {
            (None, _) => (outputs, d_result.map(|d| OutputGradient::Steps(Source::new(d)))),
            (Some(pooled), None) => (&pooled.outputs[..], None),
            (Some(pooled), Some((_, [max, mean]))) => {
                let Pooling { max: has_max, mean: has_mean } = pooled.pooling;
                let gradient = PooledGradient {
                    max: has_max.then_some((&max[..], &pooled.argmax[..])),
                    mean: has_mean.then_some(&mean[..]),
                };
                (&pooled.outputs[..], Some(OutputGradient::Pooled(gradient)))
            }
        };
        let gradients = self.operands.with_numbers::<E, _>(|x, initial| {
            let tensors = BackwardTensors {
                x,
                has_biases: self.has_biases,
                initial,
                outputs,
                d_outputs,
                wants_weights: self.wants_weights(),
                d_between: &d_between,
                d_final,
            };
            self.problem.backward(&self.saved, &tensors, self.is_wanted[0])
        })??;
        let weights = gradients.weights.into_iter().flatten().map(Some);
        let all = std::iter::once(gradients.x)
            .chain(weights)
            .chain(gradients.initial.into_iter().map(Some));
        Ok(all
            .zip(&self.shapes)
            .zip(&self.is_wanted)
            .map(|((numbers, shape), &is_wanted)| {
                numbers.filter(|_| is_wanted).map(|numbers| plain(numbers, shape.clone()))
            })
            .collect())
    }
}

//! The passes as operations in candle's autograd.

use candle_core::{D, DType, Device, Error, Result, Storage, Tensor};

use super::library::{int, is_unsupported};
use super::network::{Network, math_type};
use super::pass::{Problem, Saved};
use super::plan::{CudnnAlgorithm, CudnnLengths, CudnnPlan, PlanShape, SMALL_H_TRAINING};
use super::refused;
use super::storage::tensor;
use crate::autograd::{Backward, Numbers, record};
use crate::dropout::{DropoutMasks, dropout};
use crate::run::{Run, StackOutput, Wanted};
use crate::weights::LayerWeights;

/// Runs a network; [`super::obstacle`] must be `None` for its tensors. `plan`: the best if absent.
pub(crate) fn run(
    run: &Run<'_>,
    initial: &[Tensor],
    masks: Option<&mut dyn DropoutMasks>,
    result: Wanted,
    plan: Option<CudnnPlan>,
) -> Result<StackOutput> {
    let is_small = run.config.hidden_size <= SMALL_H_TRAINING;
    if run.x.dtype() == DType::F32 && super::is_bf16_on_cuda() && !is_small {
        return in_bf16(run, initial, masks, result, plan);
    }
    let has_dropout = masks.is_some() && run.config.dropout > 0.0;
    let may_hold = plan.is_none_or(|plan| plan.lengths == CudnnLengths::Held);
    let is_held = !run.lengths.all_full && may_hold && PlanShape::of(run).can_hold();
    let is_apart = has_dropout || result == Wanted::AllLayers || is_held;
    if run.config.num_layers > 1 && is_apart {
        layer_by_layer(run, initial, masks, plan)
    } else {
        layers(run, run.weights, run.x, initial, plan)
    }
}

/// The same in bf16; what goes in and what comes out is f32.
fn in_bf16(
    run: &Run<'_>,
    initial: &[Tensor],
    masks: Option<&mut dyn DropoutMasks>,
    result: Wanted,
    plan: Option<CudnnPlan>,
) -> Result<StackOutput> {
    let narrow = |tensor: &Tensor| tensor.to_dtype(DType::BF16);
    let of_layer = |layer: &Vec<LayerWeights>| {
        layer.iter().map(|weights| weights.map(narrow)).collect::<crate::Result<Vec<_>>>()
    };
    let weights = run.weights.iter().map(of_layer).collect::<crate::Result<Vec<_>>>();
    let (x, weights) = (narrow(run.x)?, weights.map_err(Error::wrap)?);
    let initial = initial.iter().map(narrow).collect::<Result<Vec<_>>>()?;
    let narrow_run = Run { x: &x, weights: &weights, frozen: None, ..*run };
    let StackOutput { outputs, states, between } =
        self::run(&narrow_run, &initial, masks, result, plan)?;
    let wide = |tensors: Vec<Tensor>| {
        tensors.iter().map(|tensor| tensor.to_dtype(DType::F32)).collect::<Result<Vec<_>>>()
    };
    Ok(StackOutput {
        outputs: outputs.to_dtype(DType::F32)?,
        states: wide(states)?,
        between: wide(between)?,
    })
}

/// One call per layer, with our own dropout in between: its masks are the same on every device. Returns the
/// outputs of all layers.
fn layer_by_layer(
    run: &Run<'_>,
    initial: &[Tensor],
    mut masks: Option<&mut dyn DropoutMasks>,
    plan: Option<CudnnPlan>,
) -> Result<StackOutput> {
    let directions = run.config.num_directions();
    let mut x = run.x.clone();
    // By layer, then by state tensor.
    let mut states = Vec::new();
    let mut between = Vec::new();
    for (layer, weights) in run.weights.chunks(1).enumerate() {
        if layer > 0 {
            between.push(x.clone());
            if let Some(masks) = masks.as_deref_mut() {
                x = dropout(masks, &x, run.config.dropout)?;
            }
        }
        let of_layer = |state: &Tensor| state.narrow(0, layer * directions, directions);
        let initial: Vec<Tensor> = initial.iter().map(of_layer).collect::<Result<_>>()?;
        let output = layers(run, weights, &x, &initial, plan)?;
        x = output.outputs;
        states.push(output.states);
    }
    let of_state = |state: usize| {
        Tensor::cat(&states.iter().map(|of_layer| &of_layer[state]).collect::<Vec<_>>(), 0)
    };
    let states = (0..run.cell.n_states()).map(of_state).collect::<Result<_>>()?;
    Ok(StackOutput { outputs: x, states, between })
}

/// Runs some layers in one call, given the input of the first.
fn layers(
    run: &Run<'_>,
    weights: &[Vec<LayerWeights>],
    x: &Tensor,
    initial: &[Tensor],
    plan: Option<CudnnPlan>,
) -> Result<StackOutput> {
    let Device::Cuda(device) = x.device() else {
        candle_core::bail!("the cuDNN passes run only on a CUDA device");
    };
    let num_layers = weights.len();
    let weights: Vec<&Tensor> = weights.iter().flatten().flat_map(LayerWeights::tensors).collect();
    let inputs: Vec<&Tensor> =
        std::iter::once(x).chain(weights.iter().copied()).chain(initial).collect();
    let wanted: Vec<bool> = inputs.iter().map(|input| input.track_op()).collect();
    let needs_backward = run.record && wanted.contains(&true);
    let plain = |tensor: &Tensor| Ok(tensor.contiguous()?.detach());

    let shape = PlanShape { is_training: needs_backward, ..PlanShape::of(run) };
    let given = plan;
    let plan = given.unwrap_or_else(|| refused::best_plan_but(device.id(), shape));
    let mut problem = Problem {
        network: Network {
            cell: run.cell,
            dtype: x.dtype(),
            input_size: x.dim(D::Minus1)?,
            hidden_size: run.config.hidden_size,
            h_size: run.config.h_size(),
            num_layers,
            num_directions: run.config.num_directions(),
            bias: run.config.bias,
            math: math_type(x.dtype()),
            plan,
        },
        device: device.clone(),
        x: plain(x)?,
        lengths: run.lengths.by_row.iter().map(|&length| int(length)).collect::<Result<_>>()?,
        weights: weights.iter().map(|weight| plain(weight)).collect::<Result<_>>()?,
        initial: initial.iter().map(plain).collect::<Result<_>>()?,
    };
    let forward = match problem.forward(needs_backward) {
        Err(error)
            if given.is_none()
                && plan.algorithm != CudnnAlgorithm::Standard
                && is_unsupported(&error) =>
        {
            refused::remember(device.id(), shape);
            problem.network.plan.algorithm = CudnnAlgorithm::Standard;
            problem.forward(needs_backward)?
        }
        forward => forward?,
    };
    let mut tensors = match forward.saved {
        None => forward.results.into_iter().map(tensor).collect(),
        Some(saved) => {
            let results = forward
                .results
                .into_iter()
                .map(|(storage, shape)| (Storage::Cuda(storage), shape))
                .collect();
            record(&inputs, results, CudnnBackward { problem, saved, wanted })?
        }
    };
    let states = tensors.split_off(1);
    Ok(StackOutput { outputs: tensors.swap_remove(0), states, between: Vec::new() })
}

struct CudnnBackward {
    problem: Problem,
    saved: Saved,
    /// Which inputs need gradients.
    wanted: Vec<bool>,
}

impl Backward for CudnnBackward {
    fn backward(
        &self,
        outputs: &[Tensor],
        d_outputs: &[Option<Tensor>],
    ) -> Result<Vec<Option<Numbers>>> {
        let gradients = self.problem.backward(&self.saved, &outputs[0], d_outputs)?;
        Ok(std::iter::once(gradients.x)
            .chain(gradients.weights)
            .chain(gradients.initial)
            .zip(&self.wanted)
            .map(|((storage, shape), &wanted)| wanted.then_some((Storage::Cuda(storage), shape)))
            .collect())
    }
}

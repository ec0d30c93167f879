//! The fused pass as one operation of candle's autograd.
//!
//! A custom operation takes at most three tensors and gives one: the weights travel as one flat
//! tensor, states are stacked, and outputs and final states come back end to end. Slicing and
//! joining them are candle's own operations, so gradients reach every part.

use std::sync::OnceLock;

use candle_core::{CpuStorage, CustomOp3, DType, Layout, Shape, Storage, Tensor};

use super::{LayerPass, LayerResult, LayerWeights};
use crate::error::Result;
use crate::kernels::{Element, InstructionSet, Pass, Problem, Saved};

pub(super) fn run(pass: &LayerPass<'_>, instructions: InstructionSet) -> LayerResult {
    match pass.x.dtype() {
        DType::F64 => run_as::<f64>(pass, instructions),
        _ => run_as::<f32>(pass, instructions),
    }
}

fn run_as<E: Element>(pass: &LayerPass<'_>, instructions: InstructionSet) -> LayerResult {
    let input = pass.x.dims3()?;
    let (batch, steps, _) = input;
    let (n_states, _, hidden) = pass.state.dims3()?;
    let weights = flatten(pass.weights)?;
    let (x, state) = (pass.x.contiguous()?, pass.state.contiguous()?);
    let op = FusedLayer::<E> {
        problem: Problem {
            cell: pass.cell,
            input,
            hidden,
            lengths: pass.lengths.by_row.clone(),
            reverse: pass.reverse,
            instructions,
        },
        has_backward: x.track_op() || weights.track_op() || state.track_op(),
        wants_dx: x.track_op(),
        saved: OnceLock::new(),
    };
    let result = if op.has_backward {
        x.apply_op3(&weights, &state, op)?
    } else {
        x.apply_op3_no_bwd(&weights, &state, &op)?
    };
    let n_outputs = batch * steps * hidden;
    let outputs = result.narrow(0, 0, n_outputs)?.reshape((batch, steps, hidden))?;
    let final_state = result
        .narrow(0, n_outputs, n_states * batch * hidden)?
        .reshape((n_states, batch, hidden))?;
    Ok((outputs, final_state))
}

fn flatten(weights: &LayerWeights) -> Result<Tensor> {
    let mut parts = vec![weights.input.flatten_all()?, weights.recurrent.flatten_all()?];
    if let Some((input_bias, recurrent_bias)) = &weights.biases {
        parts.extend([input_bias.clone(), recurrent_bias.clone()]);
    }
    Ok(Tensor::cat(&parts, 0)?)
}

struct FusedLayer<E> {
    problem: Problem,
    /// Whether any input asks for a gradient, so that the pass must keep what `bwd` needs.
    has_backward: bool,
    wants_dx: bool,
    /// Set by the forward pass if `has_backward`.
    saved: OnceLock<Saved<E>>,
}

impl<E: Element> CustomOp3 for FusedLayer<E> {
    fn name(&self) -> &'static str {
        "fused-recurrent-layer"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weights: &CpuStorage,
        weights_layout: &Layout,
        state: &CpuStorage,
        state_layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let x = slice::<E>(x, x_layout)?;
        let weights = slice::<E>(weights, weights_layout)?;
        let state = slice::<E>(state, state_layout)?;
        let pass = Pass::new::<E>(&self.problem);
        let (result, saved) = pass.forward(x, weights, state, self.has_backward);
        if let Some(saved) = saved {
            // An operation runs forward once.
            let _ = self.saved.set(saved);
        }
        let shape = Shape::from(result.len());
        Ok((E::to_cpu_storage_owned(result), shape))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weights: &Tensor,
        state: &Tensor,
        result: &Tensor,
        d_result: &Tensor,
    ) -> candle_core::Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let Some(saved) = self.saved.get() else {
            candle_core::bail!("{}: nothing was saved for the backward pass", self.name());
        };
        let d_result = d_result.contiguous()?;
        let gradients = with_slices(
            [x, weights, state, result, &d_result],
            |[x, weights, state, result, d_result]| {
                saved.backward(x, weights, state, result, d_result, self.wants_dx)
            },
        )?;
        let device = x.device();
        let d_x = gradients.x.map(|dx| Tensor::from_vec(dx, x.shape(), device)).transpose()?;
        let d_weights = Tensor::from_vec(gradients.weights, weights.shape(), device)?;
        let d_state = Tensor::from_vec(gradients.state, state.shape(), device)?;
        Ok((d_x, Some(d_weights), Some(d_state)))
    }
}

/// The numbers of a contiguous CPU tensor.
fn slice<'a, E: Element>(storage: &'a CpuStorage, layout: &Layout) -> candle_core::Result<&'a [E]> {
    let Some((start, end)) = layout.contiguous_offsets() else {
        candle_core::bail!("fused-recurrent-layer needs contiguous tensors, got {layout:?}");
    };
    Ok(&E::cpu_storage_as_slice(storage)?[start..end])
}

/// Calls `use_slices` with the numbers of contiguous CPU tensors.
fn with_slices<E: Element, const N: usize, R>(
    tensors: [&Tensor; N],
    use_slices: impl FnOnce([&[E]; N]) -> R,
) -> candle_core::Result<R> {
    let storages = tensors.map(Tensor::storage_and_layout);
    let mut slices: [&[E]; N] = [&[]; N];
    for (to, (storage, layout)) in slices.iter_mut().zip(&storages) {
        let Storage::Cpu(storage) = &**storage else {
            candle_core::bail!("fused-recurrent-layer runs on the CPU only");
        };
        *to = slice(storage, layout)?;
    }
    Ok(use_slices(slices))
}

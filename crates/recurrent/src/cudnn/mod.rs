//! The passes on an NVIDIA GPU: cuDNN's recurrent networks as one operation on candle tensors.
//!
//! cuDNN's networks are PyTorch's (PyTorch itself runs them there): the same gates in the same
//! order, two biases, the reset gate after the product. This module copies weights into cuDNN's
//! layout and gradients back, describes sizes and lengths, and hooks the two passes into candle's
//! autograd. Nothing is copied to the host in between.
//!
//! Source: <https://docs.nvidia.com/deeplearning/cudnn/latest/api/cudnn-adv-library.html>

#[cfg(feature = "cuda")]
mod held;
#[cfg(feature = "cuda")]
mod library;
#[cfg(feature = "cuda")]
mod network;
#[cfg(feature = "cuda")]
mod operation;
#[cfg(feature = "cuda")]
mod pass;
mod plan;
#[cfg(feature = "cuda")]
mod refused;
#[cfg(feature = "cuda")]
mod storage;
#[cfg(feature = "cuda")]
mod weight_space;

#[cfg(not(feature = "cuda"))]
mod disabled;

use candle_core::{DType, Device};

#[cfg(not(feature = "cuda"))]
pub(crate) use disabled::run;
#[cfg(feature = "cuda")]
pub(crate) use operation::run;

use crate::cell::Cell;
use crate::run::Run;

pub use plan::{CudnnAlgorithm, CudnnLayout, CudnnLengths, CudnnPlan};
use plan::PlanShape;

/// Why cuDNN cannot run a network on these tensors; `None` if it can. `plan`: the best if absent.
pub(crate) fn obstacle(run: &Run<'_>, plan: Option<CudnnPlan>) -> Option<&'static str> {
    let can_hold = PlanShape::of(run).can_hold();
    let lengths = plan.map(|plan| plan.lengths);
    let is_held = can_hold && lengths != Some(CudnnLengths::Told);
    let has_dtype = matches!(run.x.dtype(), DType::F32 | DType::F64 | DType::F16 | DType::BF16);
    if !matches!(run.x.device(), Device::Cuda(_)) {
        Some("the tensors are not on a CUDA device")
    } else if cfg!(not(feature = "cuda")) {
        Some("the crate was built without the feature `cuda`")
    } else if !has_dtype {
        Some("the tensors are not f64, f32, f16 or bf16")
    } else if run.cell == Cell::GruResetBefore {
        Some("cuDNN has no GRU whose reset gate acts before the product")
    } else if run.lengths.by_row.contains(&0) && !is_held {
        Some("cuDNN does not support rows of length 0")
    } else if lengths == Some(CudnnLengths::Held) && !can_hold && !run.lengths.all_full {
        Some("only an LSTM or a GRU can hold its state: without a projection, and in two directions without a given state")
    } else {
        None
    }
}

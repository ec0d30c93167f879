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
mod replay;
#[cfg(feature = "cuda")]
mod storage;
#[cfg(feature = "cuda")]
mod weight_space;

#[cfg(not(feature = "cuda"))]
mod disabled;

use std::sync::atomic::{AtomicBool, Ordering};

use candle_core::{DType, Device};

#[cfg(not(feature = "cuda"))]
pub(crate) use disabled::run;
#[cfg(feature = "cuda")]
pub(crate) use operation::run;
#[cfg(feature = "cuda")]
pub use replay::n_replayed;

use crate::cell::Cell;
use crate::run::Run;

use plan::PlanShape;
pub use plan::{CudnnAlgorithm, CudnnLayout, CudnnLengths, CudnnPlan};

/// Whether f32 layers compute in bf16 on a CUDA device.
static IN_BF16: AtomicBool = AtomicBool::new(false);

/// Lets the f32 layers of this process that have more than 128 hidden units compute in bf16 on CUDA devices: inputs,
/// weights and states are rounded, products are summed in f32, and outputs, states and gradients come back as f32. Off
/// by default. It changes nothing on other devices, and nothing about layers of other dtypes. Smaller layers stay in
/// f32, for which cuDNN has kernels that are several times as fast as its bf16 ones.
///
/// f32 products may be rounded less, to TF32, with candle's `candle_core::cuda::set_gemm_reduced_precision_f32`.
pub fn set_bf16_on_cuda(is_on: bool) {
    IN_BF16.store(is_on, Ordering::Relaxed);
}

/// Whether [`set_bf16_on_cuda`] is on.
pub fn is_bf16_on_cuda() -> bool {
    IN_BF16.load(Ordering::Relaxed)
}

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
        Some(
            "only an LSTM or a GRU can hold its state: without a projection, and in two directions without a given state",
        )
    } else {
        None
    }
}

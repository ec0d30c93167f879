//! The passes on an NVIDIA GPU: cuDNN's recurrent networks as one operation on candle's tensors.
//!
//! cuDNN takes the same network as PyTorch (it is what PyTorch runs there): the same gates in the
//! same order, two biases, the reset gate after the product. What is left to do here is to bring
//! the weights into its own arrangement and gradients back, to describe sizes and lengths, and to
//! hang the two passes into candle's autograd. Nothing comes back to the host in between.
//!
//! Source: <https://docs.nvidia.com/deeplearning/cudnn/latest/api/cudnn-adv-library.html>

#[cfg(feature = "cuda")]
mod library;
#[cfg(feature = "cuda")]
mod network;
#[cfg(feature = "cuda")]
mod operation;
#[cfg(feature = "cuda")]
mod pass;
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

use crate::stack::Run;

/// Why cuDNN cannot run a network on these tensors, if so.
pub(crate) fn obstacle(run: &Run<'_>) -> Option<&'static str> {
    let has_dtype = matches!(run.x.dtype(), DType::F32 | DType::F64 | DType::F16 | DType::BF16);
    if !matches!(run.x.device(), Device::Cuda(_)) {
        Some("the tensors are not on a CUDA device")
    } else if cfg!(not(feature = "cuda")) {
        Some("the crate was built without its feature `cuda`")
    } else if !has_dtype {
        Some("the tensors are not f64, f32, f16 or bf16")
    } else if run.lengths.by_row.contains(&0) {
        Some("cuDNN knows no rows of length 0")
    } else {
        None
    }
}

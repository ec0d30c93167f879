//! One layer in one direction: its weights, and the two implementations of its pass.

mod fused;
mod reference;
mod weights;

pub(crate) use weights::{LayerWeights, initial_bound, parameters};

use candle_core::{DType, Device, Tensor};

use crate::backend::Backend;
use crate::cell::Cell;
use crate::error::{Error, Result};
use crate::kernels::InstructionSet;
use crate::lengths::Lengths;

/// One pass of one layer in one direction.
pub(crate) struct LayerPass<'a> {
    pub(crate) cell: Cell,
    pub(crate) weights: &'a LayerWeights,
    /// `[B, T, I]`
    pub(crate) x: &'a Tensor,
    /// `[states, B, H]`
    pub(crate) state: &'a Tensor,
    pub(crate) lengths: &'a Lengths,
    pub(crate) reverse: bool,
}

/// Outputs `[B, T, H]`, zero past each row's length, and final states `[states, B, H]`.
pub(crate) type LayerResult = Result<(Tensor, Tensor)>;

impl LayerPass<'_> {
    pub(crate) fn run(&self, backend: Backend) -> LayerResult {
        let has_kernels = matches!(self.x.device(), Device::Cpu)
            && matches!(self.x.dtype(), DType::F32 | DType::F64);
        match backend {
            Backend::Auto if has_kernels => fused::run(self, InstructionSet::best()),
            Backend::Auto | Backend::Reference => reference::run(self),
            Backend::Fused(set) => {
                let reason = if !has_kernels {
                    "the tensors are not f32 or f64 on the CPU"
                } else if !set.is_available() {
                    "this CPU lacks the instruction set"
                } else {
                    return fused::run(self, set);
                };
                Err(Error::Backend { backend: backend.to_string(), reason: reason.to_string() })
            }
        }
    }
}

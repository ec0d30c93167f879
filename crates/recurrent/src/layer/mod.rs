//! One layer in one direction: its weights, and the two implementations of its pass.

mod fused;
mod reference;
mod weights;

pub(crate) use weights::{LayerWeights, Parameter, Role, initial_bound, parameters};

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
    /// `[states, B, H]`; a projected `h`, which is narrower, is filled up with zeros.
    pub(crate) state: &'a Tensor,
    pub(crate) lengths: &'a Lengths,
    pub(crate) reverse: bool,
}

/// Outputs `[B, T, H]`, or `[B, T, P]` with a projection, zero past each row's length, and final
/// states `[states, B, H]`, filled up as the initial states are.
pub(crate) type LayerResult = Result<(Tensor, Tensor)>;

impl LayerPass<'_> {
    pub(crate) fn run(&self, backend: Backend) -> LayerResult {
        let fits_kernels = matches!(self.x.device(), Device::Cpu)
            && matches!(self.x.dtype(), DType::F32 | DType::F64);
        let is_projected = self.weights.projection.is_some();
        match backend {
            Backend::Auto if fits_kernels && !is_projected => {
                fused::run(self, InstructionSet::best())
            }
            Backend::Auto | Backend::Reference => reference::run(self),
            Backend::Fused(set) => {
                let reason = if is_projected {
                    "no kernel has a projection (proj_size)"
                } else if !fits_kernels {
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

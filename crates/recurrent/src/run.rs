//! One run of a stack: what every implementation reads, and what it returns.

use std::sync::{Arc, OnceLock};

use candle_core::Tensor;

use crate::cell::Cell;
use crate::config::RecurrentConfig;
use crate::kernels::{InstructionSet, PackedWeights};
use crate::lengths::Lengths;
use crate::weights::LayerWeights;

/// One validated run of a stack.
pub(crate) struct Run<'a> {
    pub(crate) cell: Cell,
    pub(crate) config: &'a RecurrentConfig,
    /// `[layer][direction]`
    pub(crate) weights: &'a [Vec<LayerWeights>],
    pub(crate) packed: &'a PackedOnce,
    pub(crate) batch: usize,
    pub(crate) steps: usize,
    /// `[B, T, I]`, or the distinct vectors `[N, I]` if there are indexes.
    pub(crate) x: &'a Tensor,
    /// `[B·T]`; only for fused kernels on the CPU without a gradient.
    pub(crate) indexes: Option<&'a [u32]>,
    pub(crate) lengths: &'a Lengths,
}

/// Outputs in the input's order of dimensions, and each state `(L·D, B, H)` (a projected `h`:
/// `(L·D, B, P)`).
pub(crate) struct StackOutput {
    pub(crate) outputs: Tensor,
    pub(crate) states: Vec<Tensor>,
}

/// Packed weights of a network whose weights cannot change, packed by its first pass.
#[derive(Clone, Default)]
pub(crate) struct PackedOnce(pub(crate) Arc<OnceLock<(InstructionSet, PackedWeights<f32>)>>);

impl std::fmt::Debug for PackedOnce {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PackedOnce").field("packed", &self.0.get().is_some()).finish()
    }
}

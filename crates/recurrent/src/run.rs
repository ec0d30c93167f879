//! One run of a stack: what every implementation reads, and what it returns.

use candle_core::Tensor;

use crate::cell::Cell;
use crate::config::RecurrentConfig;
use crate::frozen::Frozen;
use crate::lengths::Lengths;
use crate::pooling::Pooling;
use crate::weights::LayerWeights;

/// One validated run of a stack.
pub(crate) struct Run<'a> {
    pub(crate) cell: Cell,
    pub(crate) config: &'a RecurrentConfig,
    /// `[layer][direction]`
    pub(crate) weights: &'a [Vec<LayerWeights>],
    /// The same weights, packed, if they can never change.
    pub(crate) frozen: Option<&'a Frozen>,
    pub(crate) batch: usize,
    pub(crate) steps: usize,
    /// `[B, T, I]`, or the distinct vectors `[N, I]` if there are indexes.
    pub(crate) x: &'a Tensor,
    /// `[B·T]`; only for fused kernels on the CPU.
    pub(crate) indexes: Option<&'a [u32]>,
    pub(crate) lengths: &'a Lengths,
    /// Whether the state before the first step is given.
    pub(crate) has_state: bool,
    /// Whether a backward pass may follow.
    pub(crate) record: bool,
}

/// Outputs in the input's order of dimensions, and each state `(L·D, B, H)` (a projected `h`:
/// `(L·D, B, P)`).
pub(crate) struct StackOutput {
    pub(crate) outputs: Tensor,
    pub(crate) states: Vec<Tensor>,
    /// Outputs of every layer but the last, if they were wanted; else empty.
    pub(crate) between: Vec<Tensor>,
}

/// What a run is to return besides the states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// The last layer's outputs.
    Outputs,
    /// The outputs of all layers.
    AllLayers,
    /// The last layer's outputs, pooled: `(B, parts · output size)`.
    Pooled(Pooling),
}

impl StackOutput {
    /// The same without a graph.
    pub(crate) fn detach(self) -> Self {
        let detached = |tensors: Vec<Tensor>| tensors.iter().map(Tensor::detach).collect();
        let outputs = self.outputs.detach();
        Self { outputs, states: detached(self.states), between: detached(self.between) }
    }
}

impl Run<'_> {
    /// The tensors that receive gradients: the input, every weight, every initial state.
    pub(crate) fn inputs<'a>(&'a self, initial: &'a [Tensor]) -> impl Iterator<Item = &'a Tensor> {
        let weights = self.weights.iter().flatten().flat_map(LayerWeights::tensors);
        std::iter::once(self.x).chain(weights).chain(initial)
    }

    /// Whether the run may need a gradient.
    pub(crate) fn needs_backward(&self, initial: &[Tensor]) -> bool {
        self.record && self.inputs(initial).any(Tensor::track_op)
    }
}

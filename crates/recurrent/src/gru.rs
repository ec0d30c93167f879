//! The gated recurrent unit.

use candle_core::Tensor;
use candle_nn::VarBuilder;

use crate::cell::Cell;
use crate::config::RecurrentConfig;
use crate::error::Result;
use crate::layer::{CellType, FixedCell, Layer, sealed};
use crate::stack::Stack;

/// The cell type of a [`Gru`].
#[derive(Debug, Clone)]
pub struct GruCell;

/// Gated recurrent unit (Cho et al. 2014, in the variant whose reset gate acts after the recurrent
/// product), as in [torch.nn.GRU](https://docs.pytorch.org/docs/stable/generated/torch.nn.GRU.html):
///
/// ```text
/// r = σ(W_ir x + b_ir + W_hr h + b_hr)
/// z = σ(W_iz x + b_iz + W_hz h + b_hz)
/// n = tanh(W_in x + b_in + r ⊙ (W_hn h + b_hn))
/// h' = (1 - z) ⊙ n + z ⊙ h
/// ```
///
/// [`Gru::reset_before`] makes the original, whose new gate is `n = tanh(W_in x + b_in + W_hn (r ⊙ h) + b_hn)`.
///
/// Its state is one tensor `(num_layers * directions, batch, hidden)`.
pub type Gru = Layer<GruCell>;

impl Gru {
    /// Takes `weight_ih_l0 [3·H, I]`, `weight_hh_l0 [3·H, H]`, `bias_ih_l0 [3·H]`,
    /// `bias_hh_l0 [3·H]`, and likewise `_l1`, ... and `_reverse`, from `vb`; gates are stacked in the
    /// order r, z, n.
    ///
    /// # Errors
    /// If the configuration is out of range or `vb` lacks a tensor of the right shape.
    pub fn new(config: &RecurrentConfig, vb: VarBuilder) -> Result<Self> {
        Ok(Self::of(Stack::new(Cell::Gru, config, &vb)?))
    }

    /// A GRU whose reset gate acts before the recurrent product (Cho et al. 2014, [Learning phrase
    /// representations using RNN encoder-decoder](https://arxiv.org/abs/1406.1078)); Keras has it with
    /// `reset_after=False`, ONNX with `linear_before_reset=0`. Parameters as for [`Gru::new`].
    ///
    /// # Errors
    /// As [`Gru::new`].
    pub fn reset_before(config: &RecurrentConfig, vb: VarBuilder) -> Result<Self> {
        Ok(Self::of(Stack::new(Cell::GruResetBefore, config, &vb)?))
    }
}

impl CellType for GruCell {
    type State = Tensor;
}

impl FixedCell for GruCell {
    const CELL: Cell = Cell::Gru;
}

impl sealed::CellType for GruCell {}

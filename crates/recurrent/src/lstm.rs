//! The long short-term memory.

use candle_nn::VarBuilder;

use crate::cell::Cell;
use crate::config::RecurrentConfig;
use crate::error::Result;
use crate::layer::{CellType, FixedCell, Layer, sealed};
use crate::stack::Stack;
use crate::state::LstmState;

/// The cell type of an [`Lstm`].
#[derive(Debug, Clone)]
pub struct LstmCell;

/// Long short-term memory (Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al.
/// 2000), as in [torch.nn.LSTM](https://docs.pytorch.org/docs/stable/generated/torch.nn.LSTM.html):
///
/// ```text
/// i = σ(W_ii x + b_ii + W_hi h + b_hi)        c' = f ⊙ c + i ⊙ g
/// f = σ(W_if x + b_if + W_hf h + b_hf)        h' = o ⊙ tanh(c')
/// g = tanh(W_ig x + b_ig + W_hg h + b_hg)
/// o = σ(W_io x + b_io + W_ho h + b_ho)
/// ```
///
/// With [`RecurrentConfig::proj_size`] P above 0 each step ends with a projection,
/// `h' = W_hr (o ⊙ tanh(c'))` (Sak et al. 2014, [Long short-term memory based recurrent neural
/// network architectures](https://arxiv.org/abs/1402.1128)): `h`, outputs and the next layer's
/// inputs have P features per direction, and `W_hh` is `[4·H, P]`.
pub type Lstm = Layer<LstmCell>;

impl Lstm {
    /// Takes `weight_ih_l0 [4·H, I]`, `weight_hh_l0 [4·H, H]`, `bias_ih_l0 [4·H]`,
    /// `bias_hh_l0 [4·H]`, and likewise `_l1`, ... and `_reverse`, from `vb`; gates are stacked in
    /// the order i, f, g, o. With a projection `weight_hh_l0` is `[4·H, P]`, and
    /// `weight_hr_l0 [P, H]` comes last.
    ///
    /// # Errors
    /// If the configuration is out of range or `vb` lacks a tensor of the right shape.
    pub fn new(config: &RecurrentConfig, vb: VarBuilder) -> Result<Self> {
        Ok(Self::of(Stack::new(Cell::Lstm, config, &vb)?))
    }
}

impl CellType for LstmCell {
    type State = LstmState;
}

impl FixedCell for LstmCell {
    const CELL: Cell = Cell::Lstm;
}

impl sealed::CellType for LstmCell {}

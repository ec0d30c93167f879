//! The long short-term memory.

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;

use crate::backend::Backend;
use crate::cell::Cell;
use crate::config::RecurrentConfig;
use crate::error::Result;
use crate::initialization::{self, Initialization};
use crate::layer::recurrent_layer;
use crate::random::SeededRng;
use crate::run::StackOutput;
use crate::stack::{self, RepeatedInput, RunOptions, Stack};

/// The state of an [`Lstm`].
#[derive(Debug, Clone)]
pub struct LstmState {
    /// Hidden state `(num_layers * directions, batch, hidden)`; with a projection its last dimension
    /// is `proj_size`.
    pub h: Tensor,
    /// Cell state `(num_layers * directions, batch, hidden)`.
    pub c: Tensor,
}

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
/// inputs have P features per direction, and `W_hh` is `[4·H, P]`. No fused CPU kernel supports it:
/// on the CPU such a layer runs in candle's own operations, even under [`Backend::Auto`].
#[derive(Debug, Clone)]
pub struct Lstm {
    stack: Stack,
}

impl Lstm {
    /// Takes `weight_ih_l0 [4·H, I]`, `weight_hh_l0 [4·H, H]`, `bias_ih_l0 [4·H]`,
    /// `bias_hh_l0 [4·H]`, and likewise `_l1`, ... and `_reverse`, from `vb`; gates are stacked in
    /// the order i, f, g, o. With a projection `weight_hh_l0` is `[4·H, P]`, and
    /// `weight_hr_l0 [P, H]` comes last.
    ///
    /// # Errors
    /// If the configuration is out of range or `vb` lacks a tensor of the right shape.
    pub fn new(config: &RecurrentConfig, vb: VarBuilder) -> Result<Self> {
        Ok(Self { stack: Stack::new(Cell::Lstm, config, &vb)? })
    }
}

recurrent_layer!(
    Lstm,
    Cell::Lstm,
    LstmState,
    tensors: |state| vec![&state.h, &state.c],
    state: |tensors| LstmState { h: tensors[0].clone(), c: tensors[1].clone() }
);

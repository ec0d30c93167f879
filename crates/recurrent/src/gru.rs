//! The gated recurrent unit.

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
/// Its state is one tensor `(num_layers * directions, batch, hidden)`.
#[derive(Debug, Clone)]
pub struct Gru {
    stack: Stack,
}

impl Gru {
    /// Takes `weight_ih_l0 [3·H, I]`, `weight_hh_l0 [3·H, H]`, `bias_ih_l0 [3·H]`,
    /// `bias_hh_l0 [3·H]`, and likewise `_l1`, ... and `_reverse`, from `vb`; gates are stacked in the
    /// order r, z, n.
    ///
    /// # Errors
    /// If the configuration is out of range or `vb` lacks a tensor of the right shape.
    pub fn new(config: &RecurrentConfig, vb: VarBuilder) -> Result<Self> {
        Ok(Self { stack: Stack::new(Cell::Gru, config, &vb)? })
    }
}

recurrent_layer!(
    Gru,
    Cell::Gru,
    Tensor,
    tensors: |state| vec![state],
    state: |mut tensors| tensors.swap_remove(0)
);

//! The plain (Elman) recurrent network.

use candle_core::Tensor;
use candle_nn::VarBuilder;

use crate::cell::Cell;
use crate::config::RecurrentConfig;
use crate::error::Result;
use crate::layer::{CellType, FixedCell, Layer, sealed};
use crate::stack::Stack;

/// The activation function of an [`Rnn`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Nonlinearity {
    /// Hyperbolic tangent.
    #[default]
    Tanh,
    /// max(x, 0).
    Relu,
}

/// The cell type of an [`Rnn`].
#[derive(Debug, Clone)]
pub struct RnnCell;

/// Plain recurrent network (Elman 1990), as in
/// [torch.nn.RNN](https://docs.pytorch.org/docs/stable/generated/torch.nn.RNN.html):
/// `h' = tanh(W_ih x + b_ih + W_hh h + b_hh)`, or relu in place of tanh.
///
/// Its state is one tensor `(num_layers * directions, batch, hidden)`.
pub type Rnn = Layer<RnnCell>;

impl Rnn {
    /// Takes `weight_ih_l0 [H, I]`, `weight_hh_l0 [H, H]`, `bias_ih_l0 [H]`, `bias_hh_l0 [H]`, and
    /// likewise `_l1`, ... and `_reverse`, from `vb`.
    ///
    /// # Errors
    /// If the configuration is out of range or `vb` lacks a tensor of the right shape.
    pub fn new(
        config: &RecurrentConfig,
        nonlinearity: Nonlinearity,
        vb: VarBuilder,
    ) -> Result<Self> {
        let cell = match nonlinearity {
            Nonlinearity::Tanh => Cell::RnnTanh,
            Nonlinearity::Relu => Cell::RnnRelu,
        };
        Ok(Self::of(Stack::new(cell, config, &vb)?))
    }
}

impl CellType for RnnCell {
    type State = Tensor;
}

impl FixedCell for RnnCell {
    const CELL: Cell = Cell::RnnTanh;
}

impl sealed::CellType for RnnCell {}

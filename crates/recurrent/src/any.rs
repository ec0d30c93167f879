//! Layers whose cell is a matter of configuration.

use candle_nn::VarBuilder;

use crate::cell::Cell;
use crate::config::RecurrentConfig;
use crate::error::Result;
use crate::layer::{CellType, Layer, sealed};
use crate::stack::Stack;
use crate::state::AnyState;

/// The cell type of a [`Recurrent`].
#[derive(Debug, Clone)]
pub struct AnyCell;

/// Layers with any cell: for programs in which the cell is a matter of configuration.
pub type Recurrent = Layer<AnyCell>;

impl Recurrent {
    /// Takes the parameters of the cell's own layer type from `vb`.
    ///
    /// # Errors
    /// If the configuration is out of range or `vb` lacks a tensor of the right shape.
    pub fn new(cell: Cell, config: &RecurrentConfig, vb: VarBuilder) -> Result<Self> {
        Ok(Self::of(Stack::new(cell, config, &vb)?))
    }
}

impl CellType for AnyCell {
    type State = AnyState;
}

impl sealed::CellType for AnyCell {}

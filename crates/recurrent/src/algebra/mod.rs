//! Products of matrices, and the layouts that they read: panels of gates and blocks of columns.

mod columns;
mod gates;
mod geometry;
mod product;
mod transpose;

pub(crate) use columns::{ColumnBlocks, ColumnLayout};
pub(crate) use gates::{ForwardWeights, Weights, gate_row, unpack_panel};
pub(crate) use geometry::{Geometry, Sizes, spread_stride};
pub(crate) use product::{Left, MAX_VECTORS, PanelProduct};

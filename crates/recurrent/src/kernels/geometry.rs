//! The sizes of one problem and the layout of its panels.
//!
//! Letters: B batch rows, T steps, I input size, H hidden size, G gates.
//!
//! Hidden units are split into panels. A panel holds `vectors_per_gate` vectors of units and, for
//! each, one vector per gate: `[units 0..L of gate 0][units 0..L of gate 1]...`, then the next
//! vector of units. The last panel is padded with units whose weights are zero.

use std::ops::Range;

use super::isa::InstructionSet;
use crate::cell::Cell;

/// Vectors in the widest panel that the matrix product supports.
pub(crate) const MAX_VECTORS: usize = 4;

#[derive(Debug, Clone)]
pub(crate) struct Geometry {
    pub(crate) cell: Cell,
    pub(crate) batch: usize,
    pub(crate) steps: usize,
    pub(crate) input: usize,
    pub(crate) hidden: usize,
    pub(crate) instructions: InstructionSet,
    /// Numbers in one vector.
    pub(crate) lanes: usize,
    /// Vectors of hidden units in one panel.
    pub(crate) vectors_per_gate: usize,
    /// Number of panels for all hidden units.
    pub(crate) n_panels: usize,
}

impl Geometry {
    pub(crate) fn new(
        cell: Cell,
        (batch, steps, input): (usize, usize, usize),
        hidden: usize,
        instructions: InstructionSet,
        lanes: usize,
    ) -> Self {
        let unit_vectors = hidden.div_ceil(lanes);
        let vectors_per_gate = (MAX_VECTORS / cell.n_gates()).min(unit_vectors).max(1);
        let n_panels = unit_vectors.div_ceil(vectors_per_gate);
        Self { cell, batch, steps, input, hidden, instructions, lanes, vectors_per_gate, n_panels }
    }

    /// Numbers in one row of a panel: all gates of its units.
    pub(crate) fn panel_width(&self) -> usize {
        self.cell.n_gates() * self.panel_units()
    }

    /// Hidden units of one panel.
    pub(crate) fn panel_units(&self) -> usize {
        self.vectors_per_gate * self.lanes
    }

    /// Hidden units of all panels: H rounded up.
    pub(crate) fn padded_hidden(&self) -> usize {
        self.n_panels * self.panel_units()
    }

    /// Gate values of all panels: G·H rounded up.
    pub(crate) fn padded_gates(&self) -> usize {
        self.n_panels * self.panel_width()
    }

    /// The hidden units of some panels, without the last panel's padding.
    pub(crate) fn units(&self, panels: &Range<usize>) -> Range<usize> {
        let unit = |panel| self.hidden.min(panel * self.panel_units());
        unit(panels.start)..unit(panels.end)
    }

    /// Distance between rows of a gathered input.
    pub(crate) fn input_stride(&self) -> usize {
        spread_stride(self.input)
    }

    /// Rows of the stacked weight (PyTorch's order: gate by gate) in vector `vector` of panel
    /// `panel`; fewer than a vector's lanes if the panel is padded.
    pub(crate) fn weight_rows(&self, panel: usize, vector: usize) -> Range<usize> {
        let (unit_vector, gate) = (vector / self.cell.n_gates(), vector % self.cell.n_gates());
        let unit = panel * self.panel_units() + unit_vector * self.lanes;
        let row = |unit: usize| gate * self.hidden + unit.min(self.hidden);
        row(unit)..row(unit + self.lanes)
    }

    /// Vectors in one row of a panel.
    pub(crate) fn panel_vectors(&self) -> usize {
        self.cell.n_gates() * self.vectors_per_gate
    }

    /// Multiply-adds of one forward pass.
    pub(crate) fn work(&self) -> usize {
        self.batch * self.steps * self.cell.n_gates() * self.hidden * (self.input + self.hidden)
    }
}

/// Row stride for rows of `len` numbers: an odd number of whole cache lines of f32. Rows a power
/// of two apart would compete for the same few cache sets.
pub(crate) fn spread_stride(len: usize) -> usize {
    (len.div_ceil(16) | 1) * 16
}

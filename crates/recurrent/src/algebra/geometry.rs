//! The sizes of one problem and the layout of its panels.
//!
//! Letters: B batch rows, T steps, I input size, H hidden size, P size of h, G gates.
//!
//! Hidden units are split into panels. A panel holds `vectors_per_gate` vectors of units and, for
//! each, one vector per gate: `[units 0..L of gate 0][units 0..L of gate 1]...`, then the next
//! vector of units. The last panel is padded with units whose weights are zero.

use std::ops::Range;

use super::columns::ColumnLayout;
use super::product::MAX_VECTORS;
use crate::cell::Cell;
use crate::machine::{Element, InstructionSet};

#[derive(Debug, Clone)]
pub(crate) struct Geometry {
    pub(crate) cell: Cell,
    pub(crate) steps: usize,
    pub(crate) input: usize,
    pub(crate) hidden: usize,
    /// P, the size of h: H without a projection.
    pub(crate) h_size: usize,
    pub(crate) instructions: InstructionSet,
    /// Numbers in one vector.
    pub(crate) lanes: usize,
    /// Vectors of hidden units in one panel.
    pub(crate) vectors_per_gate: usize,
    /// Number of panels for all hidden units.
    pub(crate) n_panels: usize,
}

/// The sizes from which a [`Geometry`] follows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    pub(crate) steps: usize,
    pub(crate) input: usize,
    pub(crate) hidden: usize,
    pub(crate) h_size: usize,
}

impl Geometry {
    pub(crate) fn new<E: Element>(cell: Cell, sizes: Sizes, instructions: InstructionSet) -> Self {
        let Sizes { steps, input, hidden, h_size } = sizes;
        let lanes = E::lanes(instructions);
        let unit_vectors = hidden.div_ceil(lanes);
        let vectors_per_gate = (MAX_VECTORS / cell.n_gates()).min(unit_vectors).max(1);
        let n_panels = unit_vectors.div_ceil(vectors_per_gate);
        Self { cell, steps, input, hidden, h_size, instructions, lanes, vectors_per_gate, n_panels }
    }

    /// Whether h is a projection of the cell's output.
    pub(crate) fn is_projected(&self) -> bool {
        self.h_size != self.hidden
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

    /// Distance between rows of h: all units of all panels, or P rounded up to whole vectors.
    pub(crate) fn padded_h(&self) -> usize {
        if self.is_projected() {
            self.h_size.next_multiple_of(self.lanes)
        } else {
            self.padded_hidden()
        }
    }

    /// Some columns of a weight `[G·H, n]` whose rows are some vectors of all gate panels.
    pub(crate) fn gate_columns(
        &self,
        columns: Range<usize>,
        vectors: &Range<usize>,
    ) -> ColumnLayout {
        let depth = self.n_panels * vectors.len() * self.lanes;
        ColumnLayout { depth, columns, lanes: self.lanes }
    }

    /// The columns of W_hrᵀ and of the gradient of a projected h.
    pub(crate) fn h_columns(&self) -> ColumnLayout {
        ColumnLayout { depth: self.hidden, columns: 0..self.h_size, lanes: self.lanes }
    }

    /// Units of the last panel that exist only because panels are whole.
    pub(crate) fn padding_units(&self) -> usize {
        self.padded_hidden() - self.hidden
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

    /// Zeroes the numbers of padding units in a row of some gates of a panel. Their weights are zero, but
    /// zero times an infinite number is NaN, and so would be every sum that includes it.
    #[inline(always)]
    pub(crate) fn zero_padding<E: Copy + Default>(&self, panel: usize, row: &mut [E]) {
        if panel + 1 < self.n_panels || self.padding_units() == 0 {
            return;
        }
        let n_gates = row.len() / self.panel_units();
        for unit in self.panel_units() - self.padding_units()..self.panel_units() {
            let (vector, lane) = (unit / self.lanes, unit % self.lanes);
            for gate in 0..n_gates {
                row[(vector * n_gates + gate) * self.lanes + lane] = E::default();
            }
        }
    }

    /// Rows of the stacked weight (PyTorch's order: gate by gate) in vector `vector` of panel
    /// `panel`; fewer than a vector's lanes if the panel is padded.
    pub(crate) fn weight_rows(&self, panel: usize, vector: usize) -> Range<usize> {
        let (unit_vector, gate) = (vector / self.cell.n_gates(), vector % self.cell.n_gates());
        let unit = panel * self.panel_units() + unit_vector * self.lanes;
        let row = |unit: usize| gate * self.hidden + unit.min(self.hidden);
        row(unit)..row(unit + self.lanes)
    }

    /// The vectors of a panel whose recurrent weights are packed together, `[part][h][vectors]`: all of
    /// them, unless the GRU's new gate reads something else than the others.
    pub(crate) fn recurrent_parts(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let n_vectors = self.panel_vectors();
        let n_first = match self.cell {
            Cell::GruResetBefore => 2 * self.vectors_per_gate,
            _ => n_vectors,
        };
        [0..n_first, n_first..n_vectors].into_iter().filter(|part| !part.is_empty())
    }

    /// Vectors in one row of a panel.
    pub(crate) fn panel_vectors(&self) -> usize {
        self.cell.n_gates() * self.vectors_per_gate
    }
}

/// Row stride for rows of `len` numbers: an odd number of whole cache lines of f32. Rows a power
/// of two apart would compete for the same few cache sets.
pub(crate) fn spread_stride(len: usize) -> usize {
    (len.div_ceil(16) | 1) * 16
}

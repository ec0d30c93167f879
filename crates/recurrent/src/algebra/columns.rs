//! Blocks of a weight's columns, for products `d_gates · W` and `m · W_hrᵀ`.

use std::ops::Range;

use super::product::MAX_VECTORS;
use super::transpose::Transpose;
use crate::machine::{Buffer, Element, InstructionSet, Number, Shared};

/// Some columns of a matrix whose rows are the inner dimension of a product: blocks of up to four vectors
/// of columns, each `[depth][vectors]`.
pub(crate) struct ColumnBlocks<E> {
    packed: Buffer<E>,
    layout: ColumnLayout,
}

/// The sizes of [`ColumnBlocks`].
#[derive(Debug, Clone)]
pub(crate) struct ColumnLayout {
    /// Rows of the matrix, padded.
    pub(crate) depth: usize,
    /// The packed columns.
    pub(crate) columns: Range<usize>,
    /// Numbers in one vector.
    pub(crate) lanes: usize,
}

impl ColumnLayout {
    fn n_vectors(&self) -> usize {
        self.columns.len().div_ceil(self.lanes)
    }

    /// Number of blocks.
    pub(crate) fn n_blocks(&self) -> usize {
        self.n_vectors().div_ceil(MAX_VECTORS)
    }

    /// Numbers in one row of all blocks: the columns, padded.
    pub(crate) fn padded_columns(&self) -> usize {
        self.n_vectors() * self.lanes
    }

    /// Numbers of all blocks.
    pub(crate) fn len(&self) -> usize {
        self.depth * self.padded_columns()
    }

    /// A block's first column, counted from the first packed one, and its width.
    pub(crate) fn block(&self, block: usize) -> (usize, usize) {
        let first = block * MAX_VECTORS;
        (first * self.lanes, MAX_VECTORS.min(self.n_vectors() - first) * self.lanes)
    }

    /// Packs one block. `row_of` gives the matrix row for each number of the depth; `None` for padding.
    /// The matrix has `n_columns` columns.
    ///
    /// # Safety
    /// Nothing else may read or write the block while this runs.
    pub(crate) unsafe fn pack<E: Number>(
        &self,
        block: usize,
        (matrix, n_columns): (&[E], usize),
        row_of: impl Fn(usize) -> Option<usize>,
        packed: Shared<'_, E>,
    ) {
        let (first, width) = self.block(block);
        let start = first * self.depth;
        // SAFETY: the caller vouches for it.
        let to = unsafe { packed.write(start..start + self.depth * width) };
        let from_column = self.columns.start + first;
        let n_real = width.min(self.columns.end - from_column);
        for (k, to) in to.chunks_exact_mut(width).enumerate() {
            let n_real = match row_of(k) {
                Some(row) => {
                    let from = &matrix[row * n_columns + from_column..][..n_real];
                    to[..n_real].copy_from_slice(from);
                    n_real
                }
                None => 0,
            };
            to[n_real..].fill(E::default());
        }
    }
}

impl<E: Element> ColumnBlocks<E> {
    /// The blocks of a matrix's transpose: its rows, `[columns, depth]`, become columns.
    pub(crate) fn of_rows(matrix: &[E], set: InstructionSet, layout: ColumnLayout) -> Self {
        let mut blocks = Self::new(layout);
        blocks.packed.fill(E::default());
        for block in 0..blocks.layout.n_blocks() {
            let (first, width) = blocks.layout.block(block);
            let depth = blocks.layout.depth;
            let job = Transpose {
                from: &matrix[first * depth..],
                from_stride: depth,
                n_rows: width.min(blocks.layout.columns.len() - first),
                n_columns: depth,
                to: &mut blocks.packed[first * depth..],
                to_stride: width,
            };
            E::dispatch(set, job);
        }
        blocks
    }
}

impl ColumnLayout {
    /// Writes blocks of columns, `[block][depth][vectors]`, to the rows of a matrix `[columns, depth]`.
    pub(crate) fn unpack_to_rows<E: Element>(
        &self,
        blocks: &[E],
        set: InstructionSet,
        matrix: &mut [E],
    ) {
        for block in 0..self.n_blocks() {
            let (first, width) = self.block(block);
            let job = Transpose {
                from: &blocks[first * self.depth..],
                from_stride: width,
                n_rows: self.depth,
                n_columns: width.min(self.columns.len() - first),
                to: &mut matrix[first * self.depth..],
                to_stride: self.depth,
            };
            E::dispatch(set, job);
        }
    }
}

impl<E: Number> ColumnBlocks<E> {
    /// Room for the blocks, to be packed one by one.
    pub(crate) fn new(layout: ColumnLayout) -> Self {
        Self { packed: Buffer::scratch(layout.len()), layout }
    }

    /// The layout, and the room in which the blocks are to be packed.
    pub(crate) fn unpacked(&mut self) -> (&ColumnLayout, Shared<'_, E>) {
        (&self.layout, Shared::new(&mut self.packed))
    }

    pub(crate) fn layout(&self) -> &ColumnLayout {
        &self.layout
    }

    /// Each block with its first column, counted from the first packed one.
    pub(crate) fn blocks(&self) -> impl Iterator<Item = (usize, &[E])> {
        (0..self.layout.n_blocks()).map(|block| {
            let (first, width) = self.layout.block(block);
            let depth = self.layout.depth;
            (first, &self.packed[first * depth..][..depth * width])
        })
    }
}

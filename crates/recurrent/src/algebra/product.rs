//! The matrix product that all passes use: `C += A · P` or `C = row + A · P`, where P is a packed
//! panel.
//!
//! A panel is `depth × width` numbers, row after row, and `width` is one to four vectors. For each
//! k, a register tile of R rows by `width` columns multiplies R numbers of A with one panel row:
//! `R · vectors` fused multiply-adds for `R + vectors` loads.

use crate::machine::{Isa, Job, Number, Shared, Source, Vector};

/// Vectors in the widest panel that the product supports.
pub(crate) const MAX_VECTORS: usize = 4;

/// The layout of A. Its columns are grouped in segments of `segment` columns each: element (row r,
/// column k) is `data[r * row_stride + k / segment * segment_stride + k % segment *
/// depth_stride]`.
#[derive(Clone, Copy)]
pub(crate) struct Left<'a, E> {
    data: Source<'a, E>,
    row_stride: usize,
    depth_stride: usize,
    segment: usize,
    segment_stride: usize,
}

impl<'a, E> Left<'a, E> {
    /// Rows at `row_stride` and columns at `depth_stride`.
    #[inline(always)]
    pub(crate) fn new(data: &'a [E], row_stride: usize, depth_stride: usize) -> Self {
        let data = Source::new(data);
        Self { data, row_stride, depth_stride, segment: usize::MAX, segment_stride: 0 }
    }

    /// Rows at a stride, whose first `segment` numbers are the first columns; the next `segment` columns
    /// start `segment_stride` after them, and so on.
    ///
    /// # Safety
    /// While the product runs, nothing may write to the elements of its rows and columns.
    #[inline(always)]
    pub(crate) unsafe fn segments(
        data: Shared<'a, E>,
        first: usize,
        (segment, row_stride): (usize, usize),
        segment_stride: usize,
    ) -> Self {
        let data = data.source(first);
        Self { data, row_stride, depth_stride: 1, segment, segment_stride }
    }
}

/// `c[r, :] = start[r, :] + Σ_k a[r, k] · panel[k, :]` for `n_rows` rows; `c`'s row stride is
/// `c_stride`.
pub(crate) struct PanelProduct<'a, E> {
    pub(crate) c: &'a mut [E],
    pub(crate) c_stride: usize,
    /// Initial value of each sum: one row for all (a bias), or the contents of `c`.
    pub(crate) start: Option<&'a [E]>,
    pub(crate) a: Left<'a, E>,
    pub(crate) n_rows: usize,
    pub(crate) panel: &'a [E],
    pub(crate) depth: usize,
}

impl<E: Number> Job<E> for PanelProduct<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector<Elem = E>>(self, isa: Isa<V>) {
        if self.n_rows == 0 || self.depth == 0 {
            return;
        }
        let n_vectors = self.panel.len() / self.depth / V::LANES;
        assert!((1..=MAX_VECTORS).contains(&n_vectors), "a panel has {n_vectors} vectors");
        match n_vectors {
            1 => self.rows::<V, 1>(isa),
            2 => self.rows::<V, 2>(isa),
            3 => self.rows::<V, 3>(isa),
            _ => self.rows::<V, 4>(isa),
        }
    }
}

/// The end of the last of `n_rows` rows of `len` numbers at `stride`; `None` on overflow.
fn extent(n_rows: usize, stride: usize, len: usize) -> Option<usize> {
    (n_rows - 1).checked_mul(stride)?.checked_add(len)
}

impl<E: Number> PanelProduct<'_, E> {
    #[inline(always)]
    fn rows<V: Vector<Elem = E>, const N: usize>(self, isa: Isa<V>) {
        let width = N * V::LANES;
        let Self { c, c_stride, start, a, n_rows, panel, depth } = self;
        // These checks make the pointer arithmetic in `tile` sound.
        assert!(panel.len() == depth * width);
        let segment = a.segment.min(depth);
        let n_segments = depth / segment;
        assert!(depth == n_segments * segment);
        assert!(start.is_none_or(|row| row.len() == width));
        assert!(extent(n_rows, c_stride, width).is_some_and(|end| end <= c.len()));
        let a_end = extent(segment, a.depth_stride, 1)
            .and_then(|end| extent(n_segments, a.segment_stride, end))
            .and_then(|end| extent(n_rows, a.row_stride, end));
        assert!(a_end.is_some_and(|end| end <= a.data.len()));

        let block = (V::PANEL_BLOCK_BYTES / (width * size_of::<E>())).max(1);
        // As many tiles as the largest tile needs, all of nearly the same height.
        let n_tiles = n_rows.div_ceil(V::TILE_ROWS[N - 1]);
        // A block is part of one segment, or several whole segments.
        let blocks = (0..n_segments).step_by((block / segment).max(1)).flat_map(|first| {
            let n = (block / segment).clamp(1, n_segments - first);
            (0..segment).step_by(block).map(move |k| (first, n, k, block.min(segment - k)))
        });
        for (first_segment, n_segments, k, n_k) in blocks {
            let is_first = first_segment == 0 && k == 0;
            for tile_idx in 0..n_tiles {
                let row = tile_idx * n_rows / n_tiles;
                let height = (tile_idx + 1) * n_rows / n_tiles - row;
                // SAFETY: `row + height <= n_rows`, `first_segment + n_segments` is within the
                // segments and `k + n_k <= segment`, so with the checks above every access of the
                // tile lies inside its slice.
                unsafe {
                    let c = c.as_mut_ptr().add(row * c_stride);
                    let offset = first_segment * a.segment_stride + k * a.depth_stride;
                    let (start, start_stride) = match start {
                        Some(row) if is_first => (row.as_ptr(), 0),
                        _ => (c.cast_const(), c_stride),
                    };
                    let tile = Tile {
                        c,
                        c_stride,
                        start,
                        start_stride,
                        a: a.data.as_ptr().add(row * a.row_stride + offset),
                        row_stride: a.row_stride,
                        depth_stride: a.depth_stride,
                        segment_stride: a.segment_stride,
                        panel: panel.as_ptr().add((first_segment * segment + k) * width),
                        n_segments,
                        n_k,
                    };
                    match height {
                        1 => tile.run::<V, 1, N>(isa),
                        2 => tile.run::<V, 2, N>(isa),
                        3 => tile.run::<V, 3, N>(isa),
                        4 => tile.run::<V, 4, N>(isa),
                        5 => tile.run::<V, 5, N>(isa),
                        6 => tile.run::<V, 6, N>(isa),
                        7 => tile.run::<V, 7, N>(isa),
                        _ => tile.run::<V, 8, N>(isa),
                    }
                }
            }
        }
    }
}

/// One register tile: R rows by N vectors.
struct Tile<E> {
    c: *mut E,
    c_stride: usize,
    start: *const E,
    start_stride: usize,
    a: *const E,
    row_stride: usize,
    depth_stride: usize,
    segment_stride: usize,
    panel: *const E,
    n_segments: usize,
    /// Columns of each segment.
    n_k: usize,
}

impl<E: Number> Tile<E> {
    /// # Safety
    /// `c` and `start` are valid for R rows of N vectors, `a` for R rows of `n_segments` segments
    /// of `n_k` numbers (all at their strides), `panel` for `n_segments · n_k` rows of N vectors.
    #[inline(always)]
    #[allow(clippy::needless_range_loop)] // See the first comment of the body.
    unsafe fn run<V: Vector<Elem = E>, const R: usize, const N: usize>(self, isa: Isa<V>) {
        // Tiles taller than the vector allows are never used; this check keeps them from being
        // compiled.
        if R > V::TILE_ROWS[N - 1] {
            return;
        }
        let Self { c, c_stride, start, start_stride, row_stride, depth_stride, .. } = self;
        // Plain counted loops over arrays: the compiler unrolls them and keeps every number in a
        // register. Iterators over the same arrays made it go through the stack.
        // SAFETY: the caller vouches for all addresses.
        unsafe {
            let mut sums = [[isa.splat(E::default()); N]; R];
            for r in 0..R {
                for n in 0..N {
                    sums[r][n] = V::load(start.add(r * start_stride + n * V::LANES));
                }
            }
            let mut panel = self.panel;
            for segment in 0..self.n_segments {
                let a = self.a.add(segment * self.segment_stride);
                // Every third row has its own pointer and the others an offset from it: few pointers
                // to advance, and offsets of one and two strides are free in x86 addressing.
                let mut a_every_third =
                    [a, a.wrapping_add(3 * row_stride), a.wrapping_add(6 * row_stride)];
                for _ in 0..self.n_k {
                    // The shorter side is held in registers, the longer is loaded one at a time:
                    // 16 registers hold the tile, the shorter side and one more.
                    if R < N {
                        let mut left = [isa.splat(E::default()); R];
                        for r in 0..R {
                            left[r] = isa.splat(*a_every_third[r / 3].add(r % 3 * row_stride));
                        }
                        for n in 0..N {
                            let right = V::load(panel.add(n * V::LANES));
                            for r in 0..R {
                                sums[r][n] = left[r].mul_add(right, sums[r][n]);
                            }
                        }
                    } else {
                        let mut right = [isa.splat(E::default()); N];
                        for n in 0..N {
                            right[n] = V::load(panel.add(n * V::LANES));
                        }
                        for r in 0..R {
                            let left = isa.splat(*a_every_third[r / 3].add(r % 3 * row_stride));
                            for n in 0..N {
                                sums[r][n] = left.mul_add(right[n], sums[r][n]);
                            }
                        }
                    }
                    panel = panel.add(N * V::LANES);
                    // The last step may leave the slice, which is fine for a pointer that is not
                    // dereferenced.
                    a_every_third = a_every_third.map(|a| a.wrapping_add(depth_stride));
                }
            }
            for r in 0..R {
                for n in 0..N {
                    sums[r][n].store(c.add(r * c_stride + n * V::LANES));
                }
            }
        }
    }
}

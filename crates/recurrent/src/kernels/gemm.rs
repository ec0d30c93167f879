//! The one matrix product under all passes: `C += A · P` or `C = row + A · P`, where P is a packed
//! panel.
//!
//! A panel is `depth × width` numbers, row after row, and `width` is one to four vectors. For each
//! k, a register tile of R rows by `width` columns multiplies R numbers of A with one panel row:
//! `R · vectors` fused multiply-adds for `R + vectors` loads.

use super::geometry::MAX_VECTORS;
use super::vector::{Isa, Job, Number, Vector};

/// Where A's element (row r, column k) stands: `data[r * row_stride + k * depth_stride]`.
#[derive(Clone, Copy)]
pub(crate) struct Left<'a, E> {
    pub(crate) data: &'a [E],
    pub(crate) row_stride: usize,
    pub(crate) depth_stride: usize,
}

/// `c[r, :] = start[r, :] + Σ_k a[r, k] · panel[k, :]` for `n_rows` rows; `c`'s rows are `c_stride`
/// apart.
pub(crate) struct PanelProduct<'a, E> {
    pub(crate) c: &'a mut [E],
    pub(crate) c_stride: usize,
    /// What every sum starts from: one row for all (a bias), or what stands in `c`.
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
        assert!((1..=MAX_VECTORS).contains(&n_vectors), "a panel of {n_vectors} vectors");
        match n_vectors {
            1 => self.rows::<V, 1>(isa),
            2 => self.rows::<V, 2>(isa),
            3 => self.rows::<V, 3>(isa),
            _ => self.rows::<V, 4>(isa),
        }
    }
}

/// The end of the last of `n_rows` stretches that are `stride` apart; `None` if no memory is so
/// large.
fn extent(n_rows: usize, stride: usize, len: usize) -> Option<usize> {
    (n_rows - 1).checked_mul(stride)?.checked_add(len)
}

impl<E: Number> PanelProduct<'_, E> {
    #[inline(always)]
    fn rows<V: Vector<Elem = E>, const N: usize>(self, isa: Isa<V>) {
        let width = N * V::LANES;
        let Self { c, c_stride, start, a, n_rows, panel, depth } = self;
        // These checks are what makes the pointer arithmetic in `tile` sound.
        assert!(panel.len() == depth * width);
        assert!(start.is_none_or(|row| row.len() == width));
        assert!(extent(n_rows, c_stride, width).is_some_and(|end| end <= c.len()));
        let row_end = extent(depth, a.depth_stride, 1);
        let a_end = row_end.and_then(|row_end| extent(n_rows, a.row_stride, row_end));
        assert!(a_end.is_some_and(|end| end <= a.data.len()));

        let block = (V::PANEL_BLOCK_BYTES / (width * size_of::<E>())).max(1);
        // As many tiles as the largest tile needs, all of nearly the same height.
        let n_tiles = n_rows.div_ceil(V::TILE_ROWS[N - 1]);
        for k in (0..depth).step_by(block) {
            let n_k = block.min(depth - k);
            for tile_idx in 0..n_tiles {
                let row = tile_idx * n_rows / n_tiles;
                let height = (tile_idx + 1) * n_rows / n_tiles - row;
                // SAFETY: `row + height <= n_rows` and `k + n_k <= depth`, so with the checks
                // above every access of the tile lies inside its slice.
                unsafe {
                    let c = c.as_mut_ptr().add(row * c_stride);
                    let a_at = a.data.as_ptr().add(row * a.row_stride + k * a.depth_stride);
                    let panel = panel.as_ptr().add(k * width);
                    let (start, start_stride) = match start {
                        Some(row) if k == 0 => (row.as_ptr(), 0),
                        _ => (c.cast_const(), c_stride),
                    };
                    let from = (start, start_stride);
                    let (rs, ks) = (a.row_stride, a.depth_stride);
                    match height {
                        1 => tile::<V, 1, N>(isa, c, c_stride, from, a_at, rs, ks, panel, n_k),
                        2 => tile::<V, 2, N>(isa, c, c_stride, from, a_at, rs, ks, panel, n_k),
                        3 => tile::<V, 3, N>(isa, c, c_stride, from, a_at, rs, ks, panel, n_k),
                        4 => tile::<V, 4, N>(isa, c, c_stride, from, a_at, rs, ks, panel, n_k),
                        5 => tile::<V, 5, N>(isa, c, c_stride, from, a_at, rs, ks, panel, n_k),
                        6 => tile::<V, 6, N>(isa, c, c_stride, from, a_at, rs, ks, panel, n_k),
                        7 => tile::<V, 7, N>(isa, c, c_stride, from, a_at, rs, ks, panel, n_k),
                        _ => tile::<V, 8, N>(isa, c, c_stride, from, a_at, rs, ks, panel, n_k),
                    }
                }
            }
        }
    }
}

/// One register tile: R rows by N vectors.
///
/// # Safety
/// `c` and `start` are valid for R rows of N vectors, `a` for R rows of `n_k` numbers (both at their strides),
/// `panel` for `n_k` rows of N vectors.
#[inline(always)]
#[allow(clippy::too_many_arguments)] // All are plain addresses of one inner loop.
#[allow(clippy::needless_range_loop)] // See the first comment of the body.
unsafe fn tile<V: Vector, const R: usize, const N: usize>(
    isa: Isa<V>,
    c: *mut V::Elem,
    c_stride: usize,
    (start, start_stride): (*const V::Elem, usize),
    a: *const V::Elem,
    row_stride: usize,
    depth_stride: usize,
    panel: *const V::Elem,
    n_k: usize,
) {
    // Tiles higher than the vector allows are never asked for; saying so here keeps them from
    // being compiled.
    if R > V::TILE_ROWS[N - 1] {
        return;
    }
    // Plain counted loops over arrays: the compiler unrolls them and keeps every number in a
    // register. Iterators over the same arrays made it go through the stack.
    // SAFETY: the caller vouches for all addresses.
    unsafe {
        let mut sums = [[isa.splat(V::Elem::default()); N]; R];
        for r in 0..R {
            for n in 0..N {
                sums[r][n] = V::load(start.add(r * start_stride + n * V::LANES));
            }
        }
        // Every third row has a pointer of its own and the others an offset from it: few pointers
        // to move on, and offsets of one and two strides are free in x86's addressing.
        let mut a_every_third = [a, a.wrapping_add(3 * row_stride), a.wrapping_add(6 * row_stride)];
        let mut panel = panel;
        for _ in 0..n_k {
            // The shorter side is held in registers, the longer is fetched one at a time: with 16
            // registers there is room for the tile, the shorter side and one more.
            if R < N {
                let mut left = [isa.splat(V::Elem::default()); R];
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
                let mut right = [isa.splat(V::Elem::default()); N];
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
            // The last step may leave the slice, where a pointer may go that is not followed.
            a_every_third = a_every_third.map(|a| a.wrapping_add(depth_stride));
        }
        for r in 0..R {
            for n in 0..N {
                sums[r][n].store(c.add(r * c_stride + n * V::LANES));
            }
        }
    }
}

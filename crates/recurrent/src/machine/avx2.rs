//! AVX2+FMA vectors of f32 and f64.

use std::arch::x86_64::*;

use super::vector::{
    F32Vector, Isa, Job, Vector, each_number, sigmoid_f32, tanh_f32, transpose_one_by_one,
};

/// An intrinsic that only computes with registers.
macro_rules! registers {
    ($intrinsic:expr => $($register:expr),*) => {
        // SAFETY: a vector of this file exists only on a CPU that has its instructions, and each caller
        // holds one.
        unsafe { $intrinsic($($register),*) }
    };
}

/// Eight f32 lanes; needs AVX2 and FMA (16 registers).
#[derive(Clone, Copy)]
pub(crate) struct Avx2F32(__m256);

impl Vector for Avx2F32 {
    type Elem = f32;
    const LANES: usize = 8;
    // Four rows of three vectors would fill all 16 registers; the compiler then spills to memory, at
    // half the speed.
    const TILE_ROWS: [usize; 4] = [8, 6, 3, 3];
    // Half of a 32 KiB first-level cache: the second level is hardly fast enough for such short tiles.
    const PANEL_BLOCK_BYTES: usize = 16 << 10;

    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        // SAFETY: the caller vouches for the instruction set.
        Self(unsafe { _mm256_set1_ps(x) })
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller vouches for the instruction set and the memory.
        Self(unsafe { _mm256_loadu_ps(from) })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: as in `load`.
        unsafe { _mm256_storeu_ps(to, self.0) }
    }

    #[inline(always)]
    unsafe fn transpose(from: *const f32, from_stride: usize, to: *mut f32, to_stride: usize) {
        // SAFETY: the caller vouches for the instruction set and the memory.
        unsafe {
            let mut rows = [_mm256_loadu_ps(from); 8];
            for (row, numbers) in rows.iter_mut().enumerate().skip(1) {
                *numbers = _mm256_loadu_ps(from.add(row * from_stride));
            }
            for (column, numbers) in columns_of(rows).into_iter().enumerate() {
                _mm256_storeu_ps(to.add(column * to_stride), numbers);
            }
        }
    }

    #[inline(always)]
    fn prefetch(at: *const f32) {
        // SAFETY: a hint that reads and writes nothing; any address is allowed.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) }
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Self(registers!(_mm256_add_ps => self.0, other.0))
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        Self(registers!(_mm256_sub_ps => self.0, other.0))
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        Self(registers!(_mm256_mul_ps => self.0, other.0))
    }

    #[inline(always)]
    fn mul_add(self, factor: Self, addend: Self) -> Self {
        Self(registers!(_mm256_fmadd_ps => self.0, factor.0, addend.0))
    }

    #[inline(always)]
    fn sigmoid(self) -> Self {
        sigmoid_f32(self)
    }

    #[inline(always)]
    fn tanh(self) -> Self {
        tanh_f32(self)
    }

    #[inline(always)]
    fn relu(self) -> Self {
        // The instruction returns its second operand if either is NaN.
        let zeros = registers!(_mm256_setzero_ps =>);
        Self(registers!(_mm256_max_ps => zeros, self.0))
    }

    #[inline(always)]
    fn where_positive(self, x: Self) -> Self {
        let zeros = registers!(_mm256_setzero_ps =>);
        let is_positive = registers!(_mm256_cmp_ps::<_CMP_GT_OQ> => x.0, zeros);
        Self(registers!(_mm256_and_ps => self.0, is_positive))
    }

    #[inline]
    unsafe fn call<J: Job<f32>>(job: J) -> J::Output {
        #[target_feature(enable = "avx2,fma")]
        fn with_features<J: Job<f32>>(job: J) -> J::Output {
            // SAFETY: this function runs only where its target features exist.
            job.run::<Avx2F32>(unsafe { Isa::assume() })
        }
        // SAFETY: the caller vouches for the instruction set.
        unsafe { with_features(job) }
    }
}

impl F32Vector for Avx2F32 {
    #[inline(always)]
    fn constant(self, x: f32) -> Self {
        Self(registers!(_mm256_set1_ps => x))
    }

    #[inline(always)]
    fn div(self, other: Self) -> Self {
        Self(registers!(_mm256_div_ps => self.0, other.0))
    }

    #[inline(always)]
    fn clamp(self, low: f32, high: f32) -> Self {
        // The instructions return their second operand if either is NaN.
        let at_least_low = registers!(_mm256_max_ps => self.constant(low).0, self.0);
        Self(registers!(_mm256_min_ps => self.constant(high).0, at_least_low))
    }

    #[inline(always)]
    fn exp2_of_shifted(self) -> Self {
        let bits = registers!(_mm256_castps_si256 => self.0);
        let bias = registers!(_mm256_set1_epi32 => 127);
        let exponent = registers!(_mm256_add_epi32 => bits, bias);
        let bits = registers!(_mm256_slli_epi32::<23> => exponent);
        Self(registers!(_mm256_castsi256_ps => bits))
    }
}

/// Four f64 lanes.
#[derive(Clone, Copy)]
pub(crate) struct Avx2F64(__m256d);

impl Vector for Avx2F64 {
    type Elem = f64;
    const LANES: usize = 4;
    const TILE_ROWS: [usize; 4] = [8, 6, 3, 3];
    const PANEL_BLOCK_BYTES: usize = 16 << 10;

    #[inline(always)]
    unsafe fn splat(x: f64) -> Self {
        // SAFETY: the caller vouches for the instruction set.
        Self(unsafe { _mm256_set1_pd(x) })
    }

    #[inline(always)]
    unsafe fn load(from: *const f64) -> Self {
        // SAFETY: the caller vouches for the instruction set and the memory.
        Self(unsafe { _mm256_loadu_pd(from) })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f64) {
        // SAFETY: as in `load`.
        unsafe { _mm256_storeu_pd(to, self.0) }
    }

    #[inline(always)]
    unsafe fn transpose(from: *const f64, from_stride: usize, to: *mut f64, to_stride: usize) {
        // SAFETY: the caller vouches for the memory.
        unsafe { transpose_one_by_one::<f64, 4>(from, from_stride, to, to_stride) }
    }

    #[inline(always)]
    fn prefetch(at: *const f64) {
        // SAFETY: a hint that reads and writes nothing; any address is allowed.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) }
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Self(registers!(_mm256_add_pd => self.0, other.0))
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        Self(registers!(_mm256_sub_pd => self.0, other.0))
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        Self(registers!(_mm256_mul_pd => self.0, other.0))
    }

    #[inline(always)]
    fn mul_add(self, factor: Self, addend: Self) -> Self {
        Self(registers!(_mm256_fmadd_pd => self.0, factor.0, addend.0))
    }

    #[inline(always)]
    fn sigmoid(self) -> Self {
        each_number(self, |x: f64| 1.0 / (1.0 + (-x).exp()))
    }

    #[inline(always)]
    fn tanh(self) -> Self {
        each_number(self, f64::tanh)
    }

    #[inline(always)]
    fn relu(self) -> Self {
        // The instruction returns its second operand if either is NaN.
        let zeros = registers!(_mm256_setzero_pd =>);
        Self(registers!(_mm256_max_pd => zeros, self.0))
    }

    #[inline(always)]
    fn where_positive(self, x: Self) -> Self {
        let zeros = registers!(_mm256_setzero_pd =>);
        let is_positive = registers!(_mm256_cmp_pd::<_CMP_GT_OQ> => x.0, zeros);
        Self(registers!(_mm256_and_pd => self.0, is_positive))
    }

    #[inline]
    unsafe fn call<J: Job<f64>>(job: J) -> J::Output {
        #[target_feature(enable = "avx2,fma")]
        fn with_features<J: Job<f64>>(job: J) -> J::Output {
            // SAFETY: this function runs only where its target features exist.
            job.run::<Avx2F64>(unsafe { Isa::assume() })
        }
        // SAFETY: the caller vouches for the instruction set.
        unsafe { with_features(job) }
    }
}

/// The columns of eight rows: pairs of rows are interleaved, then pairs of pairs, so that each
/// half of a register holds four rows of one column; the halves are joined last.
#[inline(always)]
#[allow(clippy::needless_range_loop)] // Counted loops over arrays stay in registers.
unsafe fn columns_of(rows: [__m256; 8]) -> [__m256; 8] {
    // SAFETY: the caller vouches for the instruction set.
    unsafe {
        let mut columns = rows;
        for quad in [0, 4] {
            let four = quads([rows[quad], rows[quad + 1], rows[quad + 2], rows[quad + 3]]);
            columns[quad..quad + 4].copy_from_slice(&four);
        }
        let of_four = columns;
        for column in 0..4 {
            let (low, high) = (of_four[column], of_four[4 + column]);
            columns[column] = _mm256_permute2f128_ps::<0x20>(low, high);
            columns[4 + column] = _mm256_permute2f128_ps::<0x31>(low, high);
        }
        columns
    }
}

/// For four rows: half h of register j holds column 4 h + j of all four.
#[inline(always)]
unsafe fn quads([a, b, c, d]: [__m256; 4]) -> [__m256; 4] {
    // SAFETY: the caller vouches for the instruction set.
    unsafe {
        let low_ab = _mm256_castps_pd(_mm256_unpacklo_ps(a, b));
        let low_cd = _mm256_castps_pd(_mm256_unpacklo_ps(c, d));
        let high_ab = _mm256_castps_pd(_mm256_unpackhi_ps(a, b));
        let high_cd = _mm256_castps_pd(_mm256_unpackhi_ps(c, d));
        [
            _mm256_castpd_ps(_mm256_unpacklo_pd(low_ab, low_cd)),
            _mm256_castpd_ps(_mm256_unpackhi_pd(low_ab, low_cd)),
            _mm256_castpd_ps(_mm256_unpacklo_pd(high_ab, high_cd)),
            _mm256_castpd_ps(_mm256_unpackhi_pd(high_ab, high_cd)),
        ]
    }
}

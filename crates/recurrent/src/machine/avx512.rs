//! AVX-512 vectors of f32 and f64.

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

/// Sixteen f32 lanes; needs AVX-512F (32 registers).
#[derive(Clone, Copy)]
pub(crate) struct Avx512F32(__m512);

impl Vector for Avx512F32 {
    type Elem = f32;
    const LANES: usize = 16;
    const TILE_ROWS: [usize; 4] = [8, 8, 8, 6];
    // The second-level cache delivers a panel row while the previous one is multiplied; larger
    // blocks store and load the sums less often (saves 1 % to 2 % of a pass).
    const PANEL_BLOCK_BYTES: usize = 256 << 10;

    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        // SAFETY: the caller vouches for the instruction set.
        Self(unsafe { _mm512_set1_ps(x) })
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller vouches for the instruction set and the memory.
        Self(unsafe { _mm512_loadu_ps(from) })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: as in `load`.
        unsafe { _mm512_storeu_ps(to, self.0) }
    }

    #[inline(always)]
    unsafe fn transpose(from: *const f32, from_stride: usize, to: *mut f32, to_stride: usize) {
        // SAFETY: the caller vouches for the instruction set and the memory.
        unsafe {
            let mut rows = [_mm512_loadu_ps(from); 16];
            for (row, numbers) in rows.iter_mut().enumerate().skip(1) {
                *numbers = _mm512_loadu_ps(from.add(row * from_stride));
            }
            for (column, numbers) in columns_of(rows).into_iter().enumerate() {
                _mm512_storeu_ps(to.add(column * to_stride), numbers);
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
        Self(registers!(_mm512_add_ps => self.0, other.0))
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        Self(registers!(_mm512_sub_ps => self.0, other.0))
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        Self(registers!(_mm512_mul_ps => self.0, other.0))
    }

    #[inline(always)]
    fn mul_add(self, factor: Self, addend: Self) -> Self {
        Self(registers!(_mm512_fmadd_ps => self.0, factor.0, addend.0))
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
        let zeros = registers!(_mm512_setzero_ps =>);
        Self(registers!(_mm512_max_ps => zeros, self.0))
    }

    #[inline(always)]
    fn where_positive(self, x: Self) -> Self {
        let zeros = registers!(_mm512_setzero_ps =>);
        let is_positive = registers!(_mm512_cmp_ps_mask::<_CMP_GT_OQ> => x.0, zeros);
        Self(registers!(_mm512_maskz_mov_ps => is_positive, self.0))
    }

    #[inline]
    unsafe fn call<J: Job<f32>>(job: J) -> J::Output {
        #[target_feature(enable = "avx512f,avx2,fma")]
        fn with_features<J: Job<f32>>(job: J) -> J::Output {
            // SAFETY: this function runs only where its target features exist.
            job.run::<Avx512F32>(unsafe { Isa::assume() })
        }
        // SAFETY: the caller vouches for the instruction set.
        unsafe { with_features(job) }
    }
}

impl F32Vector for Avx512F32 {
    #[inline(always)]
    fn constant(self, x: f32) -> Self {
        Self(registers!(_mm512_set1_ps => x))
    }

    #[inline(always)]
    fn div(self, other: Self) -> Self {
        Self(registers!(divide => self.0, other.0))
    }

    #[inline(always)]
    fn clamp(self, low: f32, high: f32) -> Self {
        // The instructions return their second operand if either is NaN.
        let at_least_low = registers!(_mm512_max_ps => self.constant(low).0, self.0);
        Self(registers!(_mm512_min_ps => self.constant(high).0, at_least_low))
    }

    #[inline(always)]
    fn exp2_of_shifted(self) -> Self {
        let bits = registers!(_mm512_castps_si512 => self.0);
        let bias = registers!(_mm512_set1_epi32 => 127);
        let exponent = registers!(_mm512_add_epi32 => bits, bias);
        let bits = registers!(_mm512_slli_epi32::<23> => exponent);
        Self(registers!(_mm512_castsi512_ps => bits))
    }
}

/// Eight f64 lanes.
#[derive(Clone, Copy)]
pub(crate) struct Avx512F64(__m512d);

impl Vector for Avx512F64 {
    type Elem = f64;
    const LANES: usize = 8;
    const TILE_ROWS: [usize; 4] = [8, 8, 8, 6];
    const PANEL_BLOCK_BYTES: usize = 256 << 10;

    #[inline(always)]
    unsafe fn splat(x: f64) -> Self {
        // SAFETY: the caller vouches for the instruction set.
        Self(unsafe { _mm512_set1_pd(x) })
    }

    #[inline(always)]
    unsafe fn load(from: *const f64) -> Self {
        // SAFETY: the caller vouches for the instruction set and the memory.
        Self(unsafe { _mm512_loadu_pd(from) })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f64) {
        // SAFETY: as in `load`.
        unsafe { _mm512_storeu_pd(to, self.0) }
    }

    #[inline(always)]
    unsafe fn transpose(from: *const f64, from_stride: usize, to: *mut f64, to_stride: usize) {
        // SAFETY: the caller vouches for the memory.
        unsafe { transpose_one_by_one::<f64, 8>(from, from_stride, to, to_stride) }
    }

    #[inline(always)]
    fn prefetch(at: *const f64) {
        // SAFETY: a hint that reads and writes nothing; any address is allowed.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) }
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Self(registers!(_mm512_add_pd => self.0, other.0))
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        Self(registers!(_mm512_sub_pd => self.0, other.0))
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        Self(registers!(_mm512_mul_pd => self.0, other.0))
    }

    #[inline(always)]
    fn mul_add(self, factor: Self, addend: Self) -> Self {
        Self(registers!(_mm512_fmadd_pd => self.0, factor.0, addend.0))
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
        let zeros = registers!(_mm512_setzero_pd =>);
        Self(registers!(_mm512_max_pd => zeros, self.0))
    }

    #[inline(always)]
    fn where_positive(self, x: Self) -> Self {
        let zeros = registers!(_mm512_setzero_pd =>);
        let is_positive = registers!(_mm512_cmp_pd_mask::<_CMP_GT_OQ> => x.0, zeros);
        Self(registers!(_mm512_maskz_mov_pd => is_positive, self.0))
    }

    #[inline]
    unsafe fn call<J: Job<f64>>(job: J) -> J::Output {
        #[target_feature(enable = "avx512f,avx2,fma")]
        fn with_features<J: Job<f64>>(job: J) -> J::Output {
            // SAFETY: this function runs only where its target features exist.
            job.run::<Avx512F64>(unsafe { Isa::assume() })
        }
        // SAFETY: the caller vouches for the instruction set.
        unsafe { with_features(job) }
    }
}

/// The columns of sixteen rows: pairs of rows are interleaved, then pairs of pairs, so that each quarter
/// of a register holds four rows of one column; the quarters are joined last.
#[inline(always)]
#[allow(clippy::needless_range_loop)] // Counted loops over arrays stay in registers.
unsafe fn columns_of(rows: [__m512; 16]) -> [__m512; 16] {
    // SAFETY: the caller vouches for the instruction set.
    unsafe {
        let mut of_four = rows;
        for quad in [0, 4, 8, 12] {
            let four = quads([rows[quad], rows[quad + 1], rows[quad + 2], rows[quad + 3]]);
            of_four[quad..quad + 4].copy_from_slice(&four);
        }
        let mut columns = rows;
        for column in 0..4 {
            let (a, b) = (of_four[column], of_four[4 + column]);
            let (c, d) = (of_four[8 + column], of_four[12 + column]);
            // Quarters 0 and 2 of each, then 1 and 3.
            let even = (_mm512_shuffle_f32x4::<0x88>(a, b), _mm512_shuffle_f32x4::<0x88>(c, d));
            let odd = (_mm512_shuffle_f32x4::<0xdd>(a, b), _mm512_shuffle_f32x4::<0xdd>(c, d));
            columns[column] = _mm512_shuffle_f32x4::<0x88>(even.0, even.1);
            columns[4 + column] = _mm512_shuffle_f32x4::<0x88>(odd.0, odd.1);
            columns[8 + column] = _mm512_shuffle_f32x4::<0xdd>(even.0, even.1);
            columns[12 + column] = _mm512_shuffle_f32x4::<0xdd>(odd.0, odd.1);
        }
        columns
    }
}

/// For four rows: quarter q of register j holds column 4 q + j of all four.
#[inline(always)]
unsafe fn quads([a, b, c, d]: [__m512; 4]) -> [__m512; 4] {
    // SAFETY: the caller vouches for the instruction set.
    unsafe {
        let low_ab = _mm512_castps_pd(_mm512_unpacklo_ps(a, b));
        let low_cd = _mm512_castps_pd(_mm512_unpacklo_ps(c, d));
        let high_ab = _mm512_castps_pd(_mm512_unpackhi_ps(a, b));
        let high_cd = _mm512_castps_pd(_mm512_unpackhi_ps(c, d));
        [
            _mm512_castpd_ps(_mm512_unpacklo_pd(low_ab, low_cd)),
            _mm512_castpd_ps(_mm512_unpackhi_pd(low_ab, low_cd)),
            _mm512_castpd_ps(_mm512_unpacklo_pd(high_ab, high_cd)),
            _mm512_castpd_ps(_mm512_unpackhi_pd(high_ab, high_cd)),
        ]
    }
}

/// a / b from an estimate of 1 / b (14 bits), doubled in precision by one Newton step: less than
/// half the time of a division, accurate to one or two units in the last place.
#[inline(always)]
unsafe fn divide(a: __m512, b: __m512) -> __m512 {
    // SAFETY: the caller vouches for the instruction set.
    unsafe {
        let estimate = _mm512_rcp14_ps(b);
        let error = _mm512_fnmadd_ps(b, estimate, _mm512_set1_ps(1.0));
        _mm512_mul_ps(a, _mm512_fmadd_ps(estimate, error, estimate))
    }
}

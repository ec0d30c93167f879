//! AVX2+FMA and AVX-512 vectors of f32.

use std::arch::x86_64::*;

use super::vector::{F32Vector, Isa, Job, Vector, sigmoid_f32, tanh_f32};

/// Eight f32 lanes; needs AVX2 and FMA (16 registers).
#[derive(Clone, Copy)]
pub(crate) struct Avx2(__m256);

/// Sixteen f32 lanes; needs AVX-512F (32 registers).
#[derive(Clone, Copy)]
pub(crate) struct Avx512(__m512);

/// Implements both traits for the two instruction sets, whose intrinsics differ only in prefix.
macro_rules! f32_vector {
    ($name:ident, $lanes:literal, $tile_rows:expr, $panel_block_bytes:expr, $features:literal,
     $set1:ident, $load:ident, $store:ident, $add:ident, $sub:ident, $mul:ident, $div:expr,
     $fma:ident, $max:ident, $min:ident, $to_int:ident, $to_float:ident, $set1_int:ident,
     $add_int:ident, $shift:ident, $where_positive:expr, $transpose:ident) => {
        impl Vector for $name {
            type Elem = f32;
            const LANES: usize = $lanes;
            const TILE_ROWS: [usize; 4] = $tile_rows;
            const PANEL_BLOCK_BYTES: usize = $panel_block_bytes;

            #[inline(always)]
            unsafe fn splat(x: f32) -> Self {
                // SAFETY: the caller vouches for the instruction set.
                Self(unsafe { $set1(x) })
            }

            #[inline(always)]
            unsafe fn load(from: *const f32) -> Self {
                // SAFETY: the caller vouches for the instruction set and the memory.
                Self(unsafe { $load(from) })
            }

            #[inline(always)]
            unsafe fn store(self, to: *mut f32) {
                // SAFETY: `self` exists, so the CPU has the instructions; the caller vouches for
                // the memory.
                unsafe { $store(to, self.0) }
            }

            #[inline(always)]
            unsafe fn transpose(
                from: *const f32,
                from_stride: usize,
                to: *mut f32,
                to_stride: usize,
            ) {
                // SAFETY: the caller vouches for the instruction set and the memory.
                unsafe {
                    let mut rows = [$load(from); $lanes];
                    for (row, numbers) in rows.iter_mut().enumerate().skip(1) {
                        *numbers = $load(from.add(row * from_stride));
                    }
                    for (column, numbers) in $transpose(rows).into_iter().enumerate() {
                        $store(to.add(column * to_stride), numbers);
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
                // SAFETY: `self` exists, so the CPU has the instructions.
                Self(unsafe { $add(self.0, other.0) })
            }

            #[inline(always)]
            fn sub(self, other: Self) -> Self {
                // SAFETY: as in `add`.
                Self(unsafe { $sub(self.0, other.0) })
            }

            #[inline(always)]
            fn mul(self, other: Self) -> Self {
                // SAFETY: as in `add`.
                Self(unsafe { $mul(self.0, other.0) })
            }

            #[inline(always)]
            fn mul_add(self, factor: Self, addend: Self) -> Self {
                // SAFETY: as in `add`.
                Self(unsafe { $fma(self.0, factor.0, addend.0) })
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
                // SAFETY: as in `add`.
                Self(unsafe { $max($set1(0.0), self.0) })
            }

            #[inline(always)]
            fn where_positive(self, x: Self) -> Self {
                // SAFETY: as in `add`.
                Self(unsafe { $where_positive(self.0, x.0) })
            }

            #[inline]
            unsafe fn call<J: Job<f32>>(job: J) -> J::Output {
                #[target_feature(enable = $features)]
                fn with_features<J: Job<f32>>(job: J) -> J::Output {
                    // SAFETY: this function runs only where its target features exist.
                    job.run::<$name>(unsafe { Isa::assume() })
                }
                // SAFETY: the caller vouches for the instruction set.
                unsafe { with_features(job) }
            }
        }

        impl F32Vector for $name {
            #[inline(always)]
            fn constant(self, x: f32) -> Self {
                // SAFETY: `self` exists, so the CPU has the instructions.
                Self(unsafe { $set1(x) })
            }

            #[inline(always)]
            fn div(self, other: Self) -> Self {
                // SAFETY: as in `constant`.
                Self(unsafe { $div(self.0, other.0) })
            }

            #[inline(always)]
            fn clamp(self, low: f32, high: f32) -> Self {
                // The instructions return their second operand if either is NaN.
                // SAFETY: as in `constant`.
                Self(unsafe { $min($set1(high), $max($set1(low), self.0)) })
            }

            #[inline(always)]
            fn exp2_of_shifted(self) -> Self {
                // SAFETY: as in `constant`.
                Self(unsafe { $to_float($shift::<23>($add_int($to_int(self.0), $set1_int(127)))) })
            }
        }
    };
}

f32_vector!(
    Avx2,
    8,
    // Four rows of three vectors would fill all 16 registers; the compiler then spills to memory, at
    // half the speed.
    [8, 6, 3, 3],
    // Half of a 32 KiB first-level cache: the second level is hardly fast enough for such short tiles.
    16 << 10,
    "avx2,fma",
    _mm256_set1_ps,
    _mm256_loadu_ps,
    _mm256_storeu_ps,
    _mm256_add_ps,
    _mm256_sub_ps,
    _mm256_mul_ps,
    _mm256_div_ps,
    _mm256_fmadd_ps,
    _mm256_max_ps,
    _mm256_min_ps,
    _mm256_castps_si256,
    _mm256_castsi256_ps,
    _mm256_set1_epi32,
    _mm256_add_epi32,
    _mm256_slli_epi32,
    |value, x| _mm256_and_ps(value, _mm256_cmp_ps::<_CMP_GT_OQ>(x, _mm256_setzero_ps())),
    transpose_avx2
);

f32_vector!(
    Avx512,
    16,
    [8, 8, 8, 6],
    // The second-level cache delivers a panel row while the previous one is multiplied; larger
    // blocks store and load the sums less often (saves 1 % to 2 % of a pass).
    256 << 10,
    "avx512f,avx2,fma",
    _mm512_set1_ps,
    _mm512_loadu_ps,
    _mm512_storeu_ps,
    _mm512_add_ps,
    _mm512_sub_ps,
    _mm512_mul_ps,
    divide_avx512,
    _mm512_fmadd_ps,
    _mm512_max_ps,
    _mm512_min_ps,
    _mm512_castps_si512,
    _mm512_castsi512_ps,
    _mm512_set1_epi32,
    _mm512_add_epi32,
    _mm512_slli_epi32,
    |value, x| _mm512_maskz_mov_ps(_mm512_cmp_ps_mask::<_CMP_GT_OQ>(x, _mm512_setzero_ps()), value),
    transpose_avx512
);

/// The columns of eight rows: pairs of rows are interleaved, then pairs of pairs, so that each
/// half of a register holds four rows of one column; the halves are joined last.
#[inline(always)]
#[allow(clippy::needless_range_loop)] // Counted loops over arrays stay in registers.
unsafe fn transpose_avx2(rows: [__m256; 8]) -> [__m256; 8] {
    // SAFETY: the caller vouches for the instruction set.
    unsafe {
        let mut columns = rows;
        for quad in [0, 4] {
            let four = quads_avx2([rows[quad], rows[quad + 1], rows[quad + 2], rows[quad + 3]]);
            columns[quad..quad + 4].copy_from_slice(&four);
        }
        let quads = columns;
        for column in 0..4 {
            let (low, high) = (quads[column], quads[4 + column]);
            columns[column] = _mm256_permute2f128_ps::<0x20>(low, high);
            columns[4 + column] = _mm256_permute2f128_ps::<0x31>(low, high);
        }
        columns
    }
}

/// For four rows: half h of register j holds column 4 h + j of all four.
#[inline(always)]
unsafe fn quads_avx2([a, b, c, d]: [__m256; 4]) -> [__m256; 4] {
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

/// Like [`transpose_avx2`], with quarters of a register instead of halves.
#[inline(always)]
#[allow(clippy::needless_range_loop)] // Counted loops over arrays stay in registers.
unsafe fn transpose_avx512(rows: [__m512; 16]) -> [__m512; 16] {
    // SAFETY: the caller vouches for the instruction set.
    unsafe {
        let mut quads = rows;
        for quad in [0, 4, 8, 12] {
            let four = quads_avx512([rows[quad], rows[quad + 1], rows[quad + 2], rows[quad + 3]]);
            quads[quad..quad + 4].copy_from_slice(&four);
        }
        let mut columns = rows;
        for column in 0..4 {
            let (a, b) = (quads[column], quads[4 + column]);
            let (c, d) = (quads[8 + column], quads[12 + column]);
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

/// Like [`quads_avx2`], with quarters of a register instead of halves.
#[inline(always)]
unsafe fn quads_avx512([a, b, c, d]: [__m512; 4]) -> [__m512; 4] {
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
unsafe fn divide_avx512(a: __m512, b: __m512) -> __m512 {
    // SAFETY: the caller vouches for the instruction set.
    unsafe {
        let estimate = _mm512_rcp14_ps(b);
        let error = _mm512_fnmadd_ps(b, estimate, _mm512_set1_ps(1.0));
        _mm512_mul_ps(a, _mm512_fmadd_ps(estimate, error, estimate))
    }
}

//! AVX2+FMA and AVX-512 vectors of f32.

use std::arch::x86_64::*;

use super::vector::{F32Vector, Isa, Job, Vector, sigmoid_f32, tanh_f32};

/// Eight f32 lanes; needs AVX2 and FMA (16 registers).
#[derive(Clone, Copy)]
pub(crate) struct Avx2(__m256);

/// Sixteen f32 lanes; needs AVX-512F (32 registers).
#[derive(Clone, Copy)]
pub(crate) struct Avx512(__m512);

/// Implements both traits from the two instruction sets' intrinsics, which differ in prefix only.
macro_rules! f32_vector {
    ($name:ident, $lanes:literal, $tile_rows:expr, $features:literal,
     $set1:ident, $load:ident, $store:ident, $add:ident, $sub:ident, $mul:ident, $div:ident,
     $fma:ident, $max:ident, $min:ident, $to_int:ident, $to_float:ident, $set1_int:ident,
     $add_int:ident, $shift:ident, $where_positive:expr) => {
        impl Vector for $name {
            type Elem = f32;
            const LANES: usize = $lanes;
            const TILE_ROWS: [usize; 4] = $tile_rows;

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
                // The instruction returns its second operand when one is a NaN.
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
                // The instructions return their second operand when one is a NaN.
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
    [8, 6, 4, 3],
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
    |value, x| _mm256_and_ps(value, _mm256_cmp_ps::<_CMP_GT_OQ>(x, _mm256_setzero_ps()))
);

f32_vector!(
    Avx512,
    16,
    [8, 8, 8, 6],
    "avx512f,avx2,fma",
    _mm512_set1_ps,
    _mm512_loadu_ps,
    _mm512_storeu_ps,
    _mm512_add_ps,
    _mm512_sub_ps,
    _mm512_mul_ps,
    _mm512_div_ps,
    _mm512_fmadd_ps,
    _mm512_max_ps,
    _mm512_min_ps,
    _mm512_castps_si512,
    _mm512_castsi512_ps,
    _mm512_set1_epi32,
    _mm512_add_epi32,
    _mm512_slli_epi32,
    |value, x| _mm512_maskz_mov_ps(_mm512_cmp_ps_mask::<_CMP_GT_OQ>(x, _mm512_setzero_ps()), value)
);

//! Vectors as plain arrays, for every CPU and for f64; the compiler turns them into the target's
//! baseline instructions (SSE2 on x86-64, NEON on 64-bit Arm).

use super::vector::{
    F32Vector, Isa, Job, Vector, each_number, sigmoid_f32, tanh_f32, transpose_one_by_one,
};

/// Eight f32 lanes.
#[derive(Clone, Copy)]
pub(crate) struct PortableF32([f32; 8]);

/// Four f64 lanes.
#[derive(Clone, Copy)]
pub(crate) struct PortableF64([f64; 4]);

/// Whether a fused multiply-add is one instruction; elsewhere it would be a slow library call.
const FUSES: bool = cfg!(any(target_arch = "aarch64", target_feature = "fma"));

macro_rules! portable_vector {
    ($name:ident, $elem:ident, $lanes:literal, $sigmoid:expr, $tanh:expr) => {
        impl Vector for $name {
            type Elem = $elem;
            const LANES: usize = $lanes;
            const TILE_ROWS: [usize; 4] = [4, 3, 2, 2];
            // Half of a 32 KiB first-level cache.
            const PANEL_BLOCK_BYTES: usize = 16 << 10;

            #[inline(always)]
            unsafe fn splat(x: $elem) -> Self {
                Self([x; $lanes])
            }

            #[inline(always)]
            unsafe fn load(from: *const $elem) -> Self {
                // SAFETY: the caller vouches for the memory.
                Self(unsafe { from.cast::<[$elem; $lanes]>().read_unaligned() })
            }

            #[inline(always)]
            unsafe fn store(self, to: *mut $elem) {
                // SAFETY: the caller vouches for the memory.
                unsafe { to.cast::<[$elem; $lanes]>().write_unaligned(self.0) }
            }

            #[inline(always)]
            unsafe fn transpose(
                from: *const $elem,
                from_stride: usize,
                to: *mut $elem,
                to_stride: usize,
            ) {
                // SAFETY: the caller vouches for the memory.
                unsafe { transpose_one_by_one::<$elem, $lanes>(from, from_stride, to, to_stride) }
            }

            #[inline(always)]
            fn prefetch(_: *const $elem) {}

            #[inline(always)]
            fn add(self, other: Self) -> Self {
                Self(std::array::from_fn(|lane| self.0[lane] + other.0[lane]))
            }

            #[inline(always)]
            fn sub(self, other: Self) -> Self {
                Self(std::array::from_fn(|lane| self.0[lane] - other.0[lane]))
            }

            #[inline(always)]
            fn mul(self, other: Self) -> Self {
                Self(std::array::from_fn(|lane| self.0[lane] * other.0[lane]))
            }

            #[inline(always)]
            fn mul_add(self, factor: Self, addend: Self) -> Self {
                Self(std::array::from_fn(|lane| {
                    if FUSES {
                        self.0[lane].mul_add(factor.0[lane], addend.0[lane])
                    } else {
                        self.0[lane] * factor.0[lane] + addend.0[lane]
                    }
                }))
            }

            #[inline(always)]
            fn sigmoid(self) -> Self {
                $sigmoid(self)
            }

            #[inline(always)]
            fn tanh(self) -> Self {
                $tanh(self)
            }

            #[inline(always)]
            fn relu(self) -> Self {
                // Written so that NaN, which is not below 0, is kept.
                Self(self.0.map(|x| if x < 0.0 { 0.0 } else { x }))
            }

            #[inline(always)]
            fn where_positive(self, x: Self) -> Self {
                Self(std::array::from_fn(|lane| if x.0[lane] > 0.0 { self.0[lane] } else { 0.0 }))
            }

            #[inline]
            unsafe fn call<J: Job<$elem>>(job: J) -> J::Output {
                // SAFETY: every CPU can run this vector.
                job.run::<Self>(unsafe { Isa::assume() })
            }
        }
    };
}

portable_vector!(PortableF32, f32, 8, sigmoid_f32, tanh_f32);
portable_vector!(PortableF64, f64, 4, |x| each_number(x, |x: f64| 1.0 / (1.0 + (-x).exp())), |x| {
    each_number(x, f64::tanh)
});

impl F32Vector for PortableF32 {
    #[inline(always)]
    fn constant(self, x: f32) -> Self {
        Self([x; 8])
    }

    #[inline(always)]
    fn div(self, other: Self) -> Self {
        Self(std::array::from_fn(|lane| self.0[lane] / other.0[lane]))
    }

    #[inline(always)]
    fn clamp(self, low: f32, high: f32) -> Self {
        Self(self.0.map(|x| {
            let x = if x < low { low } else { x };
            if x > high { high } else { x }
        }))
    }

    #[inline(always)]
    fn exp2_of_shifted(self) -> Self {
        Self(self.0.map(|x| f32::from_bits(x.to_bits().wrapping_add(127) << 23)))
    }
}

//! The instruction sets, the choice of one for this CPU, and the only place that dispatches.

use std::fmt;

use candle_core::WithDType;

use super::portable::{PortableF32, PortableF64};
use super::vector::{Job, Number, Vector};
#[cfg(target_arch = "x86_64")]
use super::{
    avx2::{Avx2F32, Avx2F64},
    avx512::{Avx512F32, Avx512F64},
};

/// An instruction set for which the fused CPU kernels are compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum InstructionSet {
    /// What every CPU of the target has: SSE2 on x86-64, NEON on 64-bit Arm.
    Portable,
    /// AVX2 with fused multiply-add.
    Avx2,
    /// AVX-512F.
    Avx512,
}

impl InstructionSet {
    /// All of them, fastest last.
    pub const ALL: [InstructionSet; 3] =
        [InstructionSet::Portable, InstructionSet::Avx2, InstructionSet::Avx512];

    /// Whether this CPU supports it.
    pub fn is_available(self) -> bool {
        match self {
            InstructionSet::Portable => true,
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx2 => {
                std::arch::is_x86_feature_detected!("avx2")
                    && std::arch::is_x86_feature_detected!("fma")
            }
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512 => {
                std::arch::is_x86_feature_detected!("avx512f") && Self::Avx2.is_available()
            }
            #[cfg(not(target_arch = "x86_64"))]
            InstructionSet::Avx2 | InstructionSet::Avx512 => false,
        }
    }

    /// The fastest that this CPU supports.
    pub fn best() -> Self {
        let available = Self::ALL.into_iter().rev().find(|set| set.is_available());
        available.unwrap_or(InstructionSet::Portable)
    }
}

impl fmt::Display for InstructionSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            InstructionSet::Portable => "portable",
            InstructionSet::Avx2 => "avx2",
            InstructionSet::Avx512 => "avx512",
        })
    }
}

/// A number type that fused kernels exist for.
pub(crate) trait Element: Number + WithDType {
    /// Runs `job` on `set`, or on the best available set below it.
    fn dispatch<J: Job<Self>>(set: InstructionSet, job: J) -> J::Output;

    /// Lanes of the vector type that [`Element::dispatch`] uses for `set`.
    fn lanes(set: InstructionSet) -> usize;
}

/// Implements [`Element`] for a number type, given its vectors.
macro_rules! element {
    ($elem:ident, $portable:ident, $avx2:ident, $avx512:ident) => {
        impl Element for $elem {
            fn dispatch<J: Job<$elem>>(set: InstructionSet, job: J) -> J::Output {
                match set {
                    #[cfg(target_arch = "x86_64")]
                    // SAFETY: the guard has just asked the CPU.
                    InstructionSet::Avx512 if set.is_available() => unsafe { $avx512::call(job) },
                    #[cfg(target_arch = "x86_64")]
                    // SAFETY: the guard has just asked the CPU.
                    InstructionSet::Avx2 if set.is_available() => unsafe { $avx2::call(job) },
                    // SAFETY: every CPU has it.
                    _ => unsafe { $portable::call(job) },
                }
            }

            fn lanes(set: InstructionSet) -> usize {
                match set {
                    #[cfg(target_arch = "x86_64")]
                    InstructionSet::Avx512 if set.is_available() => $avx512::LANES,
                    #[cfg(target_arch = "x86_64")]
                    InstructionSet::Avx2 if set.is_available() => $avx2::LANES,
                    _ => $portable::LANES,
                }
            }
        }
    };
}

element!(f32, PortableF32, Avx2F32, Avx512F32);
element!(f64, PortableF64, Avx2F64, Avx512F64);

#[cfg(test)]
mod tests {
    use super::super::vector::Isa;
    use super::*;

    /// Applies one function to every number of a slice whose length is a multiple of 16.
    struct Map<'a> {
        values: &'a mut [f32],
        tanh: bool,
    }

    impl Job<f32> for Map<'_> {
        type Output = ();

        #[inline(always)]
        fn run<V: Vector<Elem = f32>>(self, isa: Isa<V>) {
            for at in (0..self.values.len()).step_by(V::LANES) {
                let x = isa.load(self.values, at);
                isa.store(if self.tanh { x.tanh() } else { x.sigmoid() }, self.values, at);
            }
        }
    }

    /// Distance in units in the last place of `exact`; results below the normal range count by
    /// their absolute distance.
    fn ulps(got: f32, exact: f64) -> f64 {
        let magnitude = (exact.abs() as f32).max(f32::MIN_POSITIVE);
        let ulp = f64::from(f32::from_bits(magnitude.to_bits() + 1)) - f64::from(magnitude);
        (f64::from(got) - exact).abs() / ulp
    }

    fn inputs() -> Vec<f32> {
        let mut inputs: Vec<f32> = (-40_000..40_000).map(|i| i as f32 * 2.2e-3).collect();
        for exponent in -40..7 {
            let x = 2f32.powi(exponent);
            inputs.extend([x, -x, x * 1.337, -x * 1.337]);
        }
        inputs.resize(inputs.len().next_multiple_of(16), 0.0);
        inputs
    }

    #[test]
    fn non_linearities_are_within_their_stated_error_on_every_instruction_set() {
        let inputs = inputs();
        for set in InstructionSet::ALL.into_iter().filter(|set| set.is_available()) {
            for (tanh, bound) in [(false, 3.0), (true, 4.0)] {
                let mut values = inputs.clone();
                f32::dispatch(set, Map { values: &mut values, tanh });
                for (&x, &got) in inputs.iter().zip(&values) {
                    let x64 = f64::from(x);
                    let exact = if tanh { x64.tanh() } else { 1.0 / (1.0 + (-x64).exp()) };
                    // Past the clamp the result is the clamp's, which is below 2e-38.
                    if !tanh && x < -87.0 {
                        assert!(got < 2e-38, "{set}: sigmoid({x}) = {got}");
                        continue;
                    }
                    let error = ulps(got, exact);
                    assert!(error <= bound, "{set}: f({x}) = {got}, exact {exact}: {error} ulp");
                }
            }
        }
    }

    #[test]
    fn non_linearities_keep_nan_and_saturate_at_infinity() {
        for set in InstructionSet::ALL.into_iter().filter(|set| set.is_available()) {
            for (tanh, at_minus_infinity) in [(false, 0.0), (true, -1.0)] {
                let mut values = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY].repeat(16);
                f32::dispatch(set, Map { values: &mut values, tanh });
                assert!(values[0].is_nan(), "{set}");
                assert_eq!(values[1], 1.0, "{set}");
                assert!((values[2] - at_minus_infinity).abs() < 1e-37, "{set}: {}", values[2]);
            }
        }
    }
}

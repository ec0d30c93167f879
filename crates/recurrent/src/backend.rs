//! Which implementation runs a layer.

use std::fmt;

use crate::kernels::InstructionSet;

/// Which implementation runs a layer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Backend {
    /// Fused kernels where there are some (CPU, f32 and f64, no projection) on the best instruction
    /// set, else the reference.
    #[default]
    Auto,
    /// Candle's own tensor operations, step by step: slow, plain, and the same on every device.
    Reference,
    /// Fused CPU kernels on this instruction set; an error if the CPU lacks it or no kernel fits.
    Fused(InstructionSet),
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Backend::Auto => f.write_str("automatic"),
            Backend::Reference => f.write_str("reference"),
            Backend::Fused(set) => write!(f, "fused {set}"),
        }
    }
}

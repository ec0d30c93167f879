//! Which implementation runs a layer.

use std::fmt;

use crate::error::{Error, Result};
use crate::fused;
use crate::kernels::InstructionSet;
use crate::stack::Run;

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

impl Backend {
    /// The instruction set of the fused kernels that are to run, or `None` for the reference.
    pub(crate) fn instructions(self, run: &Run<'_>) -> Result<Option<InstructionSet>> {
        let obstacle = fused::obstacle(run);
        match self {
            Backend::Reference => Ok(None),
            Backend::Auto => Ok(obstacle.is_none().then(InstructionSet::best)),
            Backend::Fused(set) => {
                let lacking = (!set.is_available()).then_some("this CPU lacks the instruction set");
                match obstacle.or(lacking) {
                    None => Ok(Some(set)),
                    Some(reason) => Err(Error::Backend {
                        backend: self.to_string(),
                        reason: reason.to_string(),
                    }),
                }
            }
        }
    }
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

//! Which implementation runs a layer.

use std::fmt;

use crate::cudnn::{self, CudnnPlan};
use crate::error::{Error, Result};
use crate::fused;
use crate::machine::InstructionSet;
use crate::run::Run;

/// Which implementation runs a layer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Backend {
    /// Fused kernels where available: on the CPU (f32 and f64) those for the best instruction set, on a CUDA device cuDNN's (with the feature `cuda`); else the reference.
    #[default]
    Auto,
    /// Candle's own tensor operations, step by step: slow, simple, and the same on every device.
    Reference,
    /// Fused CPU kernels for this instruction set; an error if the CPU lacks it or no kernel fits.
    Fused(InstructionSet),
    /// cuDNN on a CUDA device; an error elsewhere, without the feature `cuda`, or for a GRU whose reset gate acts before
    /// the product. Also if a row has length 0, unless the cell is an LSTM without a projection and without a given
    /// state, or a GRU that is not both bidirectional and given a state.
    Cudnn,
    /// The same in a certain way; an error if cuDNN does not support it.
    CudnnPlan(CudnnPlan),
}

/// The implementation that a backend selects for one run.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Implementation {
    Reference,
    Cpu(InstructionSet),
    Cudnn(Option<CudnnPlan>),
}

impl Backend {
    /// Selects the implementation.
    pub(crate) fn implementation(self, run: &Run<'_>) -> Result<Implementation> {
        let refuse = |reason: &str| {
            Err(Error::Backend { backend: self.to_string(), reason: reason.to_string() })
        };
        match self {
            Backend::Reference => Ok(Implementation::Reference),
            Backend::Auto if fused::obstacle(run).is_none() => {
                Ok(Implementation::Cpu(InstructionSet::best()))
            }
            Backend::Auto if cudnn::obstacle(run, None).is_none() => {
                Ok(Implementation::Cudnn(None))
            }
            Backend::Auto => Ok(Implementation::Reference),
            Backend::Fused(set) => match fused::obstacle(run) {
                Some(reason) => refuse(reason),
                None if !set.is_available() => refuse("this CPU lacks the instruction set"),
                None => Ok(Implementation::Cpu(set)),
            },
            Backend::Cudnn => Self::cudnn(run, None, refuse),
            Backend::CudnnPlan(plan) => Self::cudnn(run, Some(plan), refuse),
        }
    }
}

impl Backend {
    fn cudnn(
        run: &Run<'_>,
        plan: Option<CudnnPlan>,
        refuse: impl Fn(&str) -> Result<Implementation>,
    ) -> Result<Implementation> {
        match cudnn::obstacle(run, plan) {
            Some(reason) => refuse(reason),
            None => Ok(Implementation::Cudnn(plan)),
        }
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Backend::Auto => f.write_str("automatic"),
            Backend::Reference => f.write_str("reference"),
            Backend::Fused(set) => write!(f, "fused {set}"),
            Backend::Cudnn => f.write_str("cuDNN"),
            Backend::CudnnPlan(CudnnPlan { algorithm, lengths, layout }) => {
                write!(f, "cuDNN ({algorithm:?}, {lengths:?}, {layout:?})")
            }
        }
    }
}

//! Stands in for the passes if the crate is built without the feature `cuda`.

use candle_core::{Result, Tensor};

use super::CudnnPlan;
use crate::dropout::DropoutMasks;
use crate::run::{Run, StackOutput, Wanted};

/// Never called: [`super::obstacle`] is checked first.
pub(crate) fn run(
    _: &Run<'_>,
    _: &[Tensor],
    _: Option<&mut dyn DropoutMasks>,
    _: Wanted,
    _: Option<CudnnPlan>,
) -> Result<StackOutput> {
    candle_core::bail!("`recurrent` was built without the feature `cuda`")
}

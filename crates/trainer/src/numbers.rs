//! Direct access to the numbers of CPU tensors, for the parts of a step that visit every parameter.

use std::sync::{Mutex, PoisonError};

use candle_core::{CpuStorage, DType, InplaceOp1, Layout, Tensor};
use recurrent::numbers_of;

use crate::error::Result;
use crate::scalar::is_here;

/// Numbers per task. Fixed, so that sums do not depend on the thread count.
pub(crate) const TASK_LEN: usize = 1 << 16;

/// Whether [`with_f32`] and [`with_f32_mut`] reach a tensor's numbers, once it is contiguous.
pub(crate) fn is_f32_on_cpu(tensor: &Tensor) -> bool {
    is_here(tensor.device()) && tensor.dtype() == DType::F32
}

/// Calls `use_numbers` with the numbers of a contiguous f32 CPU tensor; `None` for any other.
pub(crate) fn with_f32<R>(
    tensor: &Tensor,
    use_numbers: impl FnOnce(&[f32]) -> R,
) -> Result<Option<R>> {
    if !is_f32_on_cpu(tensor) || !tensor.is_contiguous() {
        return Ok(None);
    }
    let storage = tensor.storage_and_layout();
    Ok(Some(use_numbers(numbers_of(&storage)?)))
}

/// Calls `change_numbers` with the numbers of a contiguous f32 CPU tensor, to change them in place.
///
/// # Errors
/// If the tensor is of another kind.
pub(crate) fn with_f32_mut(
    tensor: &Tensor,
    change_numbers: impl FnOnce(&mut [f32]) -> Result<()>,
) -> Result<()> {
    let change = Change { function: Mutex::new(Some(change_numbers)), result: Mutex::new(Ok(())) };
    tensor.inplace_op1(&change)?;
    change.result.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// A function as a candle operation. Candle passes operations by shared reference, hence the locks.
struct Change<F> {
    function: Mutex<Option<F>>,
    result: Mutex<Result<()>>,
}

impl<F: FnOnce(&mut [f32]) -> Result<()>> InplaceOp1 for Change<F> {
    fn name(&self) -> &'static str {
        "change-numbers"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> candle_core::Result<()> {
        let (CpuStorage::F32(numbers), Some((start, end))) = (storage, layout.contiguous_offsets())
        else {
            candle_core::bail!("{} requires contiguous f32 tensors", self.name());
        };
        let function = self.function.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(function) = function {
            let result = function(&mut numbers[start..end]);
            *self.result.lock().unwrap_or_else(PoisonError::into_inner) = result;
        }
        Ok(())
    }
}

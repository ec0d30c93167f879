//! Direct access to the numbers of CPU tensors, for the parts of a step that go over every
//! parameter.

use std::sync::{Mutex, PoisonError};

use candle_core::{CpuStorage, DType, InplaceOp1, Layout, Storage, Tensor, WithDType};

use crate::error::Result;

/// Numbers that one task works through. Fixed, so that sums do not depend on the thread count.
pub(crate) const TASK_LEN: usize = 1 << 16;

/// Whether [`with_f32`] and [`with_f32_mut`] reach a tensor's numbers, once it is contiguous.
pub(crate) fn is_f32_on_cpu(tensor: &Tensor) -> bool {
    tensor.device().is_cpu() && tensor.dtype() == DType::F32
}

/// Calls `use_numbers` with the numbers of a contiguous f32 CPU tensor; `None` for any other.
pub(crate) fn with_f32<R>(
    tensor: &Tensor,
    use_numbers: impl FnOnce(&[f32]) -> R,
) -> Result<Option<R>> {
    let (storage, layout) = tensor.storage_and_layout();
    Ok(match &*storage {
        Storage::Cpu(storage @ CpuStorage::F32(_)) => slice(storage, layout)?.map(use_numbers),
        _ => None,
    })
}

/// Calls `change_numbers` with the numbers of a contiguous f32 CPU tensor, to change them in place.
///
/// # Errors
/// If the tensor is another one.
pub(crate) fn with_f32_mut(
    tensor: &Tensor,
    change_numbers: impl FnOnce(&mut [f32]) -> Result<()>,
) -> Result<()> {
    let change = Change { function: Mutex::new(Some(change_numbers)), result: Mutex::new(Ok(())) };
    tensor.inplace_op1(&change)?;
    change.result.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// The numbers of contiguous storage.
fn slice<'a>(storage: &'a CpuStorage, layout: &Layout) -> candle_core::Result<Option<&'a [f32]>> {
    let numbers = f32::cpu_storage_as_slice(storage)?;
    Ok(layout.contiguous_offsets().map(|(start, end)| &numbers[start..end]))
}

/// A function as one of candle's operations, which it hands out by shared reference: hence the locks.
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
            candle_core::bail!("{} takes contiguous f32 tensors", self.name());
        };
        let function = self.function.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(function) = function {
            let result = function(&mut numbers[start..end]);
            *self.result.lock().unwrap_or_else(PoisonError::into_inner) = result;
        }
        Ok(())
    }
}

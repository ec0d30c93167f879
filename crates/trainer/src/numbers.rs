//! Direct access to the numbers of CPU tensors, for the parts of a step that go over every
//! parameter.

use candle_core::{CpuStorage, Layout, Storage, Tensor, WithDType};

use crate::error::Result;

/// Numbers that one task works through. Fixed, so that sums do not depend on the thread count.
pub(crate) const TASK_LEN: usize = 1 << 16;

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

/// The numbers of contiguous storage.
pub(crate) fn slice<'a>(
    storage: &'a CpuStorage,
    layout: &Layout,
) -> candle_core::Result<Option<&'a [f32]>> {
    let numbers = f32::cpu_storage_as_slice(storage)?;
    Ok(layout.contiguous_offsets().map(|(start, end)| &numbers[start..end]))
}

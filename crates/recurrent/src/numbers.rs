//! Direct access to the numbers of contiguous tensors on the CPU.

use std::ops::Deref;

use candle_core::{CpuStorage, Layout, Result, Storage, WithDType};

/// The numbers of contiguous storage, as candle's custom operations receive it.
///
/// # Errors
/// If the dtype is not T's, or the layout is not contiguous.
pub fn contiguous<'a, T: WithDType>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [T]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&T::cpu_storage_as_slice(storage)?[start..end]),
        None => candle_core::bail!("expected a contiguous tensor, got {layout:?}"),
    }
}

/// The numbers of a contiguous tensor on the CPU, from what
/// [`Tensor::storage_and_layout`](candle_core::Tensor::storage_and_layout) returns.
///
/// ```
/// use candle_core::{Device, Tensor};
///
/// # fn main() -> candle_core::Result<()> {
/// let tensor = Tensor::new(&[[1f32, 2.0], [3.0, 4.0]], &Device::Cpu)?;
/// assert_eq!(recurrent::numbers_of::<f32>(&tensor.storage_and_layout())?, [1.0, 2.0, 3.0, 4.0]);
/// assert!(recurrent::numbers_of::<f32>(&tensor.t()?.storage_and_layout()).is_err());
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// As [`contiguous`]; also if the tensor is on another device.
pub fn numbers_of<'a, T: WithDType>(
    (storage, layout): &'a (impl Deref<Target = Storage>, &Layout),
) -> Result<&'a [T]> {
    match &**storage {
        Storage::Cpu(storage) => contiguous(storage, layout),
        _ => candle_core::bail!("expected a tensor on the CPU"),
    }
}

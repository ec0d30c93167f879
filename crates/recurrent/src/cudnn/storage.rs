//! GPU memory: addresses of tensor data, and allocation of new tensors.

use std::ops::Deref;

use candle_core::backend::{BackendDevice, BackendStorage};
use candle_core::cuda_backend::CudaStorageSlice;
use candle_core::cuda_backend::cudarc::driver::{
    CudaSlice, CudaStream, DevicePtr, DevicePtrMut, SyncOnDrop,
};
use candle_core::op::BackpropOp;
use candle_core::{CudaDevice, CudaStorage, DType, Layout, Result, Shape, Storage, Tensor};

/// A device address.
pub(super) type Address = u64;

/// Device memory that a call reads or writes; the address is valid while this lives.
pub(super) struct Place<'a> {
    pub(super) address: Address,
    /// Signals other streams when the call is done with the memory.
    _guard: SyncOnDrop<'a>,
}

impl<'a> Place<'a> {
    /// For reading.
    pub(super) fn of_slice<T>(numbers: &'a CudaSlice<T>, stream: &'a CudaStream) -> Self {
        let (address, _guard) = numbers.device_ptr(stream);
        Self { address, _guard }
    }

    /// For writing.
    pub(super) fn of_slice_mut<T>(numbers: &'a mut CudaSlice<T>, stream: &'a CudaStream) -> Self {
        let (address, _guard) = numbers.device_ptr_mut(stream);
        Self { address, _guard }
    }

    /// For writing.
    pub(super) fn of_storage_mut(
        storage: &'a mut CudaStorage,
        stream: &'a CudaStream,
    ) -> Result<Self> {
        let dtype = storage.dtype();
        match &mut storage.slice {
            CudaStorageSlice::F32(numbers) => Ok(Self::of_slice_mut(numbers, stream)),
            CudaStorageSlice::F64(numbers) => Ok(Self::of_slice_mut(numbers, stream)),
            CudaStorageSlice::F16(numbers) => Ok(Self::of_slice_mut(numbers, stream)),
            CudaStorageSlice::BF16(numbers) => Ok(Self::of_slice_mut(numbers, stream)),
            _ => candle_core::bail!("no cuDNN pass returns {dtype:?}"),
        }
    }

    /// For reading: a contiguous tensor, from the result of [`Tensor::storage_and_layout`].
    pub(super) fn of_tensor(
        (storage, layout): &'a (impl Deref<Target = Storage>, &Layout),
        stream: &'a CudaStream,
    ) -> Result<Self> {
        let Storage::Cuda(storage) = &**storage else {
            candle_core::bail!("the cuDNN passes run only on a CUDA device");
        };
        let Some((start, _)) = layout.contiguous_offsets() else {
            candle_core::bail!("the cuDNN passes need contiguous tensors, got {layout:?}");
        };
        let mut place = match &storage.slice {
            CudaStorageSlice::F32(numbers) => Self::of_slice(numbers, stream),
            CudaStorageSlice::F64(numbers) => Self::of_slice(numbers, stream),
            CudaStorageSlice::F16(numbers) => Self::of_slice(numbers, stream),
            CudaStorageSlice::BF16(numbers) => Self::of_slice(numbers, stream),
            _ => candle_core::bail!("no cuDNN pass accepts {:?}", storage.dtype()),
        };
        place.address += (start * storage.dtype().size_in_bytes()) as Address;
        Ok(place)
    }
}

/// An uninitialised tensor for a call to fill.
pub(super) fn uninitialised(
    device: &CudaDevice,
    shape: impl Into<Shape>,
    dtype: DType,
) -> Result<(CudaStorage, Shape)> {
    let shape = shape.into();
    // SAFETY: the caller passes it to a call that writes every number before anything reads it.
    let storage = unsafe { device.alloc_uninit(&shape, dtype) }?;
    Ok((storage, shape))
}

/// Uninitialised bytes for a call to fill; never empty, since cuDNN needs an address.
pub(super) fn uninitialised_bytes(device: &CudaDevice, len: usize) -> Result<CudaSlice<u8>> {
    // SAFETY: as above.
    unsafe { device.alloc::<u8>(len.max(1)) }
}

/// A tensor without a graph.
pub(super) fn tensor((storage, shape): (CudaStorage, Shape)) -> Tensor {
    Tensor::from_storage(Storage::Cuda(storage), shape, BackpropOp::none(), false)
}

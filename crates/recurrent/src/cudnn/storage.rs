//! Memory on the GPU: addresses of tensors' numbers, and room for new ones.

use std::ops::Deref;

use candle_core::backend::{BackendDevice, BackendStorage};
use candle_core::cuda_backend::CudaStorageSlice;
use candle_core::cuda_backend::cudarc::driver::{
    CudaSlice, CudaStream, DevicePtr, DevicePtrMut, SyncOnDrop,
};
use candle_core::op::BackpropOp;
use candle_core::{CudaDevice, CudaStorage, DType, Layout, Result, Shape, Storage, Tensor};

/// A byte's address on the device.
pub(super) type Address = u64;

/// Numbers on the device that a call reads or writes: the address is good while this lives.
pub(super) struct Place<'a> {
    pub(super) address: Address,
    /// Tells other streams when the call is done with them.
    _guard: SyncOnDrop<'a>,
}

impl<'a> Place<'a> {
    /// To read.
    pub(super) fn of_slice<T>(numbers: &'a CudaSlice<T>, stream: &'a CudaStream) -> Self {
        let (address, _guard) = numbers.device_ptr(stream);
        Self { address, _guard }
    }

    /// To write.
    pub(super) fn of_slice_mut<T>(numbers: &'a mut CudaSlice<T>, stream: &'a CudaStream) -> Self {
        let (address, _guard) = numbers.device_ptr_mut(stream);
        Self { address, _guard }
    }

    /// To write.
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
            _ => candle_core::bail!("no cuDNN pass gives {dtype:?}"),
        }
    }

    /// To read: a contiguous tensor, from what [`Tensor::storage_and_layout`] gives.
    pub(super) fn of_tensor(
        (storage, layout): &'a (impl Deref<Target = Storage>, &Layout),
        stream: &'a CudaStream,
    ) -> Result<Self> {
        let Storage::Cuda(storage) = &**storage else {
            candle_core::bail!("the cuDNN passes run on a CUDA device only");
        };
        let Some((start, _)) = layout.contiguous_offsets() else {
            candle_core::bail!("the cuDNN passes need contiguous tensors, got {layout:?}");
        };
        let mut place = match &storage.slice {
            CudaStorageSlice::F32(numbers) => Self::of_slice(numbers, stream),
            CudaStorageSlice::F64(numbers) => Self::of_slice(numbers, stream),
            CudaStorageSlice::F16(numbers) => Self::of_slice(numbers, stream),
            CudaStorageSlice::BF16(numbers) => Self::of_slice(numbers, stream),
            _ => candle_core::bail!("no cuDNN pass takes {:?}", storage.dtype()),
        };
        place.address += (start * storage.dtype().size_in_bytes()) as Address;
        Ok(place)
    }
}

/// Room for a tensor that a call is about to fill.
pub(super) fn uninitialised(
    device: &CudaDevice,
    shape: impl Into<Shape>,
    dtype: DType,
) -> Result<(CudaStorage, Shape)> {
    let shape = shape.into();
    // SAFETY: the caller hands it to a call that writes every number, before anybody reads.
    let storage = unsafe { device.alloc_uninit(&shape, dtype) }?;
    Ok((storage, shape))
}

/// Room for bytes that a call is about to fill; never empty, since cuDNN asks for an address.
pub(super) fn uninitialised_bytes(device: &CudaDevice, len: usize) -> Result<CudaSlice<u8>> {
    // SAFETY: as above.
    unsafe { device.alloc::<u8>(len.max(1)) }
}

/// A tensor without a graph.
pub(super) fn tensor((storage, shape): (CudaStorage, Shape)) -> Tensor {
    Tensor::from_storage(Storage::Cuda(storage), shape, BackpropOp::none(), false)
}

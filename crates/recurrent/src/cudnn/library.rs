//! cuDNN's handle and descriptors, freed on drop.

use std::cell::RefCell;
use std::ffi::{c_int, c_void};
use std::rc::Rc;
use std::sync::Arc;

use candle_core::cuda_backend::DeviceId;
use candle_core::cuda_backend::cudarc::cudnn::{result, sys};
use candle_core::cuda_backend::cudarc::driver::CudaStream;
use candle_core::{CudaDevice, DType, Error, Result};

use super::plan::CudnnLayout;

/// A call that cuDNN has refused.
#[derive(Debug, thiserror::Error)]
#[error("{call}: {status:?}")]
pub(super) struct Refusal {
    call: &'static str,
    status: sys::cudnnStatus_t,
}

/// Converts a status to a result whose error names the call.
pub(super) fn check(status: sys::cudnnStatus_t, call: &'static str) -> Result<()> {
    if status == sys::cudnnStatus_t::CUDNN_STATUS_SUCCESS {
        return Ok(());
    }
    Err(Error::Cuda(Box::new(Refusal { call, status })))
}

/// Whether an error says that cuDNN does not support what it was asked for: not that it failed.
pub(super) fn is_unsupported(error: &Error) -> bool {
    match error {
        Error::Cuda(error) => error.downcast_ref::<Refusal>().is_some_and(|refusal| {
            // Its codes for bad parameters are 2000 to 2999, for what it does not support 3000 to 3999.
            (2000..4000).contains(&(refusal.status as i64))
        }),
        Error::WithBacktrace { inner, .. } => is_unsupported(inner),
        _ => false,
    }
}

/// A cuDNN handle for a device's stream. cuDNN requires one per thread.
pub(super) struct Handle {
    pub(super) raw: sys::cudnnHandle_t,
    pub(super) stream: Arc<CudaStream>,
}

thread_local! {
    /// Cached, since creating a handle takes longer than many passes.
    static HANDLES: RefCell<Vec<(DeviceId, Rc<Handle>)>> = const { RefCell::new(Vec::new()) };
}

impl Handle {
    /// This thread's handle for a device; makes the device's context current.
    pub(super) fn of(device: &CudaDevice) -> Result<Rc<Self>> {
        let stream = device.cuda_stream();
        stream.context().bind_to_thread().map_err(Error::wrap)?;
        HANDLES.with_borrow_mut(|handles| {
            if let Some((_, handle)) = handles.iter().find(|(id, _)| *id == device.id()) {
                return Ok(Rc::clone(handle));
            }
            let raw = result::create_handle()
                .map_err(|error| Error::Cuda(format!("cudnnCreate: {error:?}").into()))?;
            let handle = Rc::new(Self { raw, stream });
            // SAFETY: the handle is new, and it keeps its stream alive.
            let status = unsafe { sys::cudnnSetStream(raw, handle.stream.cu_stream().cast()) };
            check(status, "cudnnSetStream")?;
            handles.push((device.id(), Rc::clone(&handle)));
            Ok(handle)
        })
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // Nothing can be done about a failure.
        // SAFETY: the handle was created, and nothing else holds it.
        let _ = unsafe { sys::cudnnDestroy(self.raw) };
    }
}

/// One of cuDNN's descriptors.
pub(super) struct Descriptor<T: Copy> {
    pub(super) raw: T,
    destroy: unsafe fn(T) -> sys::cudnnStatus_t,
}

impl<T: Copy> Descriptor<T> {
    fn new(
        mut raw: T,
        create: unsafe fn(*mut T) -> sys::cudnnStatus_t,
        destroy: unsafe fn(T) -> sys::cudnnStatus_t,
    ) -> Result<Self> {
        // SAFETY: a place for one descriptor.
        check(unsafe { create(&mut raw) }, "create a cuDNN descriptor")?;
        Ok(Self { raw, destroy })
    }
}

impl<T: Copy> Drop for Descriptor<T> {
    fn drop(&mut self) {
        // SAFETY: `new` created it, and it is not used after this.
        let _ = unsafe { (self.destroy)(self.raw) };
    }
}

pub(super) type TensorDescriptor = Descriptor<sys::cudnnTensorDescriptor_t>;
pub(super) type DataDescriptor = Descriptor<sys::cudnnRNNDataDescriptor_t>;
pub(super) type NetworkDescriptor = Descriptor<sys::cudnnRNNDescriptor_t>;
pub(super) type DropoutDescriptor = Descriptor<sys::cudnnDropoutDescriptor_t>;

pub(super) fn empty_tensor_descriptor() -> Result<TensorDescriptor> {
    Descriptor::new(
        std::ptr::null_mut(),
        sys::cudnnCreateTensorDescriptor,
        sys::cudnnDestroyTensorDescriptor,
    )
}

pub(super) fn empty_network_descriptor() -> Result<NetworkDescriptor> {
    Descriptor::new(
        std::ptr::null_mut(),
        sys::cudnnCreateRNNDescriptor,
        sys::cudnnDestroyRNNDescriptor,
    )
}

/// A contiguous tensor of rank 3.
pub(super) fn tensor_descriptor(dtype: DType, dims: [usize; 3]) -> Result<TensorDescriptor> {
    let descriptor = empty_tensor_descriptor()?;
    let [_, middle, last] = dims;
    let strides = [int(middle * last)?, int(last)?, 1];
    let dims = [int(dims[0])?, int(middle)?, int(last)?];
    // SAFETY: both arrays have the stated length.
    let status = unsafe {
        sys::cudnnSetTensorNdDescriptor(
            descriptor.raw,
            data_type(dtype)?,
            3,
            dims.as_ptr(),
            strides.as_ptr(),
        )
    };
    check(status, "cudnnSetTensorNdDescriptor")?;
    Ok(descriptor)
}

/// A padded batch `[B, T, width]`, or `[T, B, width]`, with a length for each row; cuDNN writes zeros past each
/// length.
pub(super) fn data_descriptor(
    dtype: DType,
    layout: CudnnLayout,
    (steps, width): (usize, usize),
    lengths: &[c_int],
) -> Result<DataDescriptor> {
    let descriptor = Descriptor::new(
        std::ptr::null_mut(),
        sys::cudnnCreateRNNDataDescriptor,
        sys::cudnnDestroyRNNDataDescriptor,
    )?;
    // Zero is all bits zero in every dtype, and none is wider.
    let mut padding = 0u64;
    // SAFETY: there is one length per row, and the padding value is read during the call.
    let status = unsafe {
        sys::cudnnSetRNNDataDescriptor(
            descriptor.raw,
            data_type(dtype)?,
            match layout {
                CudnnLayout::BatchMajor => {
                    sys::cudnnRNNDataLayout_t::CUDNN_RNN_DATA_LAYOUT_BATCH_MAJOR_UNPACKED
                }
                CudnnLayout::TimeMajor => {
                    sys::cudnnRNNDataLayout_t::CUDNN_RNN_DATA_LAYOUT_SEQ_MAJOR_UNPACKED
                }
            },
            int(steps)?,
            int(lengths.len())?,
            int(width)?,
            lengths.as_ptr(),
            (&raw mut padding).cast::<c_void>(),
        )
    };
    check(status, "cudnnSetRNNDataDescriptor")?;
    Ok(descriptor)
}

/// No dropout: we apply our own between calls, with the same masks as on other devices.
pub(super) fn no_dropout(handle: &Handle) -> Result<DropoutDescriptor> {
    let descriptor = Descriptor::new(
        std::ptr::null_mut(),
        sys::cudnnCreateDropoutDescriptor,
        sys::cudnnDestroyDropoutDescriptor,
    )?;
    // SAFETY: without dropout there is no random state.
    let status = unsafe {
        sys::cudnnSetDropoutDescriptor(descriptor.raw, handle.raw, 0.0, std::ptr::null_mut(), 0, 0)
    };
    check(status, "cudnnSetDropoutDescriptor")?;
    Ok(descriptor)
}

pub(super) fn data_type(dtype: DType) -> Result<sys::cudnnDataType_t> {
    match dtype {
        DType::F32 => Ok(sys::cudnnDataType_t::CUDNN_DATA_FLOAT),
        DType::F64 => Ok(sys::cudnnDataType_t::CUDNN_DATA_DOUBLE),
        DType::F16 => Ok(sys::cudnnDataType_t::CUDNN_DATA_HALF),
        DType::BF16 => Ok(sys::cudnnDataType_t::CUDNN_DATA_BFLOAT16),
        _ => candle_core::bail!("cuDNN's recurrent networks do not support {dtype:?}"),
    }
}

/// Converts a size to cuDNN's integer type.
pub(super) fn int(size: usize) -> Result<c_int> {
    c_int::try_from(size).map_err(|_| Error::msg(format!("size {size} is too large for cuDNN")))
}

//! What crates with CUDA kernels of their own need: the kernels are compiled when they are first called.

use std::ops::Deref;
use std::sync::OnceLock;

pub use crate::cudnn::n_replayed;
use candle_core::backend::BackendDevice as _;
use candle_core::cuda_backend::CudaDType;
use candle_core::cuda_backend::cudarc::driver::{
    CudaFunction, CudaStream, DevicePtr as _, LaunchConfig, SyncOnDrop, result, sys,
};
use candle_core::cuda_backend::cudarc::nvrtc::compile_ptx;
use candle_core::{CudaDevice, DeviceLocation, Error, Layout, Result, Storage};

/// CUDA C++ code whose functions are `extern "C"`, compiled once per process by NVRTC.
#[derive(Debug)]
pub struct CudaKernels {
    name: &'static str,
    code: &'static str,
    /// As text: candle loads it once per device.
    ptx: OnceLock<std::result::Result<String, String>>,
}

impl CudaKernels {
    /// Code under a name that no other code has.
    pub const fn new(name: &'static str, code: &'static str) -> Self {
        Self { name, code, ptx: OnceLock::new() }
    }

    /// One of the functions, on a device.
    ///
    /// # Errors
    /// If the code does not compile, has no such function, or the device fails.
    pub fn function(&self, device: &CudaDevice, function: &str) -> Result<CudaFunction> {
        let compile = || match compile_ptx(self.code) {
            Ok(ptx) => Ok(ptx.to_src()),
            Err(error) => Err(format!("cannot compile the CUDA kernels {}: {error}", self.name)),
        };
        let ptx = self.ptx.get_or_init(compile).as_ref();
        let ptx = ptx.map_err(|error| Error::Cuda(error.clone().into()))?;
        Ok(device.get_or_load_custom_func(function, self.name, ptx)?.into_cuda_function())
    }
}

/// A launch of blocks of `threads` threads, at least one for each of `n` items.
///
/// # Errors
/// If there are too many.
pub fn launch_for(n: usize, threads: u32) -> Result<LaunchConfig> {
    let blocks = u32::try_from(n.div_ceil(threads as usize).max(1));
    let blocks = blocks.ok().filter(|&blocks| i32::try_from(blocks).is_ok());
    let blocks = blocks.ok_or_else(|| Error::msg(format!("{n} numbers are too many for a GPU")))?;
    Ok(LaunchConfig { grid_dim: (blocks, 1, 1), block_dim: (threads, 1, 1), shared_mem_bytes: 0 })
}

/// Where a tensor's numbers are on a CUDA device; valid while this lives. A kernel may write there if nothing else uses the
/// tensor at that time: CUDA keeps the order of what one thread queues, but nobody keeps that of several threads.
#[derive(Debug)]
pub struct Numbers<'a> {
    /// The first number's address.
    pub address: u64,
    /// For devices whose streams candle keeps in order.
    _guard: SyncOnDrop<'a>,
}

/// The numbers of a contiguous tensor, from the result of
/// [`Tensor::storage_and_layout`](candle_core::Tensor::storage_and_layout).
///
/// # Errors
/// If it is not contiguous, of another type, or not on a CUDA device.
pub fn numbers_on_device<'a, T: CudaDType + 'a>(
    (storage, layout): &'a (impl Deref<Target = Storage>, &Layout),
    stream: &'a CudaStream,
) -> Result<Numbers<'a>> {
    let Storage::Cuda(storage) = &**storage else {
        candle_core::bail!("expected a tensor on a CUDA device");
    };
    let Some((start, _)) = layout.contiguous_offsets() else {
        candle_core::bail!("expected a contiguous tensor, got {layout:?}");
    };
    let (address, _guard) = storage.as_cuda_slice::<T>()?.device_ptr(stream);
    let address = address + (start * std::mem::size_of::<T>()) as u64;
    Ok(Numbers { address, _guard })
}

/// Lets a device keep the memory that this process frees, for its next tensors. Otherwise all of it goes back to the
/// driver whenever the host waits for the device, and is asked for again.
///
/// # Errors
/// If the driver refuses.
pub fn keep_freed_memory(device: &CudaDevice) -> Result<()> {
    let DeviceLocation::Cuda { gpu_id } = device.location() else { return Ok(()) };
    let ordinal = i32::try_from(gpu_id).map_err(Error::wrap)?;
    let device = result::device::get(ordinal).map_err(Error::wrap)?;
    let mut pool = std::ptr::null_mut();
    let mut threshold = u64::MAX;
    let attribute = sys::CUmemPool_attribute::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD;
    // SAFETY: the pool's place and the threshold's live through the calls.
    unsafe {
        sys::cuDeviceGetDefaultMemPool(&mut pool, device).result().map_err(Error::wrap)?;
        sys::cuMemPoolSetAttribute(pool, attribute, (&raw mut threshold).cast())
            .result()
            .map_err(Error::wrap)
    }
}

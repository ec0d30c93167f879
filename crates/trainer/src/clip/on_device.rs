//! The norm of gradients on a CUDA device. Candle adds up all numbers of a tensor on a small part of it, and takes
//! several operations for each.

use candle_core::backend::BackendDevice as _;
use candle_core::cuda_backend::CudaStorageSlice;
use candle_core::cuda_backend::cudarc::driver::{
    CudaSlice, DevicePtrMut as _, LaunchConfig, PushKernelArg as _,
};
use candle_core::op::BackpropOp;
use candle_core::{CudaDevice, CudaStorage, DType, Device, Error, Result, Storage, Tensor};
use recurrent::cuda::{CudaKernels, launch_for, numbers_on_device};

static KERNELS: CudaKernels = CudaKernels::new("trainer-norm", include_str!("squared_norm.cu"));

/// Threads of a block, as in the kernels.
const THREADS: u32 = 256;
/// Blocks that share a tensor, at most.
const MAX_BLOCKS: u32 = 256;

/// The norm of gradients that are all f32 on one CUDA device, `[]`, f32; none of others.
pub(super) fn norm(gradients: &[&Tensor]) -> Result<Option<Tensor>> {
    let Some(Device::Cuda(device)) = gradients.first().map(|gradient| gradient.device()) else {
        return Ok(None);
    };
    let is_ours = |gradient: &&Tensor| match gradient.device() {
        Device::Cuda(own) => gradient.dtype() == DType::F32 && own.same_device(device),
        _ => false,
    };
    if !gradients.iter().all(is_ours) {
        return Ok(None);
    }
    let gradients = gradients.iter().filter(|gradient| gradient.elem_count() > 0);
    let gradients: Vec<(&Tensor, LaunchConfig)> = gradients
        .map(|gradient| Ok((*gradient, blocks_for(gradient.elem_count())?)))
        .collect::<Result<_>>()?;
    let n_sums: usize = gradients.iter().map(|(_, config)| config.grid_dim.0 as usize).sum();

    let stream = device.cuda_stream();
    // SAFETY: each block writes its sum.
    let mut sums = unsafe { device.alloc::<f64>(n_sums.max(1)) }?;
    // SAFETY: the second kernel writes it.
    let mut norm = unsafe { device.alloc::<f32>(1) }?;
    {
        let (sums_at, _sums) = sums.device_ptr_mut(&stream);
        let sum_squares = KERNELS.function(device, "sum_squares")?;
        let mut place = sums_at;
        for (gradient, config) in gradients {
            let gradient = gradient.contiguous()?;
            let numbers = gradient.storage_and_layout();
            let numbers = numbers_on_device::<f32>(&numbers, &stream)?;
            let n = gradient.elem_count() as u64;
            let mut launch = stream.launch_builder(&sum_squares);
            launch.arg(&numbers.address).arg(&n).arg(&place);
            // SAFETY: there are `n` numbers, and each block has a sum of its own.
            unsafe { launch.launch(config) }.map_err(Error::wrap)?;
            place += u64::from(config.grid_dim.0) * size_of::<f64>() as u64;
        }
        let (norm_at, _norm) = norm.device_ptr_mut(&stream);
        let norm_of_sums = KERNELS.function(device, "norm_of_sums")?;
        let n = n_sums as u64;
        let mut launch = stream.launch_builder(&norm_of_sums);
        launch.arg(&sums_at).arg(&n).arg(&norm_at);
        // SAFETY: there are `n` sums, and the stream keeps the order.
        unsafe { launch.launch(launch_for(1, THREADS)?) }.map_err(Error::wrap)?;
    }
    Ok(Some(scalar(norm, device)))
}

/// [`clip_factor`](super::clip_factor) of a norm `[]`, f32, on a CUDA device; none of others.
pub(super) fn clip_scale(norm: &Tensor, max_norm: f64) -> Result<Option<Tensor>> {
    let Device::Cuda(device) = norm.device() else { return Ok(None) };
    if norm.dtype() != DType::F32 || norm.rank() > 0 {
        return Ok(None);
    }
    let stream = device.cuda_stream();
    // SAFETY: the kernel writes it.
    let mut scale = unsafe { device.alloc::<f32>(1) }?;
    {
        let number = norm.storage_and_layout();
        let number = numbers_on_device::<f32>(&number, &stream)?;
        let (scale_at, _scale) = scale.device_ptr_mut(&stream);
        let kernel = KERNELS.function(device, "clip_scale")?;
        let mut launch = stream.launch_builder(&kernel);
        launch.arg(&number.address).arg(&max_norm).arg(&scale_at);
        // SAFETY: one number is read, one is written.
        unsafe { launch.launch(launch_for(1, 1)?) }.map_err(Error::wrap)?;
    }
    Ok(Some(scalar(scale, device)))
}

/// Blocks for `n` numbers; each thread has several if there are many.
fn blocks_for(n: usize) -> Result<LaunchConfig> {
    let LaunchConfig { grid_dim: (blocks, ..), block_dim, .. } = launch_for(n, THREADS)?;
    let grid_dim = (blocks.min(MAX_BLOCKS), 1, 1);
    Ok(LaunchConfig { grid_dim, block_dim, shared_mem_bytes: 0 })
}

/// A tensor `[]` without a graph.
fn scalar(number: CudaSlice<f32>, device: &CudaDevice) -> Tensor {
    let slice = CudaStorageSlice::F32(number);
    let storage = Storage::Cuda(CudaStorage { slice, device: device.clone() });
    Tensor::from_storage(storage, (), BackpropOp::none(), false)
}

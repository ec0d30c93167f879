//! Pooling on a CUDA device: a kernel for the forward pass, and one for the backward pass. In candle's operations both
//! write masks and copies as large as the outputs of all steps.

use std::sync::{Arc, OnceLock};

use candle_core::backend::BackendStorage as _;
use candle_core::cuda_backend::CudaStorageSlice;
use candle_core::cuda_backend::cudarc::driver::{
    CudaSlice, DevicePtr as _, DevicePtrMut as _, LaunchConfig, PushKernelArg as _,
};
use candle_core::{
    CpuStorage, CudaDevice, CudaStorage, CustomOp1, DType, Device, Error, Layout, Result, Shape,
    Tensor,
};

use crate::cuda::CudaKernels;
use crate::lengths::Lengths;
use crate::pooling::Pooling;

static KERNELS: CudaKernels = CudaKernels::new("recurrent-pooling", include_str!("pooling.cu"));

/// Features and lanes of a block, as in the kernels.
const BLOCK: (u32, u32, u32) = (32, 16, 1);

/// Pools outputs `[B, T, F]` if they are f32 on a CUDA device, as the CPU's kernels do.
pub(crate) fn pool(
    outputs: &Tensor,
    lengths: &Lengths,
    pooling: Pooling,
) -> Result<Option<Tensor>> {
    let Device::Cuda(device) = outputs.device() else { return Ok(None) };
    let is_f32 = outputs.dtype() == DType::F32;
    if !is_f32 || outputs.elem_count() == 0 || pooling.n_parts() == 0 {
        return Ok(None);
    }
    let (batch, steps, width) = outputs.dims3()?;
    let uploaded = if lengths.all_full {
        None
    } else {
        let lengths = lengths.by_row.iter().map(|&length| int(length));
        Some(device.clone_htod(&lengths.collect::<Result<Vec<_>>>()?)?)
    };
    let argmax = OnceLock::new();
    let pooled = Pooled { pooling, batch, steps, width, lengths: uploaded, argmax };
    Ok(Some(outputs.contiguous()?.apply_op1(Forward(Arc::new(pooled)))?))
}

/// One call.
struct Pooled {
    pooling: Pooling,
    batch: usize,
    steps: usize,
    width: usize,
    /// Real steps of each row, `[B]`; all of them if absent.
    lengths: Option<CudaSlice<i32>>,
    /// The steps of the maxima, `[B, F]`, from the forward pass; never set without max.
    argmax: OnceLock<CudaSlice<i32>>,
}

impl Pooled {
    /// Runs a kernel from f32 numbers to `n` others; `argmax`: an address.
    fn run(
        &self,
        kernel: &str,
        (from, layout): (&CudaStorage, &Layout),
        argmax: u64,
        n: usize,
    ) -> Result<CudaStorage> {
        let device = from.device().clone();
        let CudaStorageSlice::F32(from) = &from.slice else {
            candle_core::bail!("this form of pooling is for f32");
        };
        let Some((start, end)) = layout.contiguous_offsets() else {
            candle_core::bail!("pooling needs a contiguous tensor, got {layout:?}");
        };
        // SAFETY: the kernel writes all of it.
        let mut to = unsafe { device.alloc::<f32>(n) }?;
        let stream = device.cuda_stream();
        let kernel = KERNELS.function(&device, kernel)?;
        {
            let from = from.slice(start..end);
            let ((from, _from), (to, _to)) = (from.device_ptr(&stream), to.device_ptr_mut(&stream));
            let lengths = self.lengths.as_ref().map(|lengths| lengths.device_ptr(&stream));
            let lengths = lengths.as_ref().map_or(0, |(lengths, _)| *lengths);
            let [has_max, has_mean] = [self.pooling.max, self.pooling.mean].map(i32::from);
            let (steps, width) = (int(self.steps)?, int(self.width)?);
            let [rows, groups] =
                [self.batch, self.width.div_ceil(BLOCK.0 as usize)].map(u32::try_from);
            let grid_dim = (rows.map_err(Error::wrap)?, groups.map_err(Error::wrap)?, 1);
            let config = LaunchConfig { grid_dim, block_dim: BLOCK, shared_mem_bytes: 0 };
            let mut launch = stream.launch_builder(&kernel);
            launch.arg(&from).arg(&to).arg(&argmax).arg(&lengths).arg(&steps).arg(&width);
            launch.arg(&has_max).arg(&has_mean);
            // SAFETY: the places have the sizes that the kernel is told; no length exceeds the steps.
            unsafe { launch.launch(config) }.map_err(Error::wrap)?;
        }
        Ok(CudaStorage { slice: CudaStorageSlice::F32(to), device })
    }

    /// Uninitialised steps of maxima.
    fn new_argmax(&self, device: &CudaDevice) -> Result<Option<CudaSlice<i32>>> {
        // SAFETY: the forward pass writes all of them.
        let new = || unsafe { device.alloc::<i32>(self.batch * self.width) };
        self.pooling.max.then(new).transpose()
    }
}

/// `[B, T, F]` to `[B, parts·F]`.
struct Forward(Arc<Pooled>);

impl CustomOp1 for Forward {
    fn name(&self) -> &'static str {
        "pooling"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        candle_core::bail!("this form of pooling is for CUDA devices")
    }

    fn cuda_fwd(&self, outputs: &CudaStorage, layout: &Layout) -> Result<(CudaStorage, Shape)> {
        let (pooled, device) = (&*self.0, outputs.device());
        let (stream, mut argmax) = (device.cuda_stream(), pooled.new_argmax(device)?);
        let n_features = pooled.pooling.n_parts() * pooled.width;
        let result = {
            let place = argmax.as_mut().map(|argmax| argmax.device_ptr_mut(&stream));
            let address = place.as_ref().map_or(0, |(address, _)| *address);
            pooled.run("pool", (outputs, layout), address, pooled.batch * n_features)?
        };
        if let Some(argmax) = argmax
            && pooled.argmax.set(argmax).is_err()
        {
            candle_core::bail!("each pooling has one forward pass");
        }
        Ok((result, Shape::from((pooled.batch, n_features))))
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(gradient.contiguous()?.apply_op1(Backward(self.0.clone()))?))
    }
}

/// The gradient `[B, parts·F]` to that of the outputs, `[B, T, F]`. It has no gradient itself.
struct Backward(Arc<Pooled>);

impl CustomOp1 for Backward {
    fn name(&self) -> &'static str {
        "pooling-gradient"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        candle_core::bail!("this form of pooling is for CUDA devices")
    }

    fn cuda_fwd(&self, gradient: &CudaStorage, layout: &Layout) -> Result<(CudaStorage, Shape)> {
        let (pooled, stream) = (&*self.0, gradient.device().cuda_stream());
        let argmax = pooled.argmax.get().map(|argmax| argmax.device_ptr(&stream));
        let address = argmax.as_ref().map_or(0, |(address, _)| *address);
        if pooled.pooling.max && address == 0 {
            candle_core::bail!("the gradient of a pooling needs its forward pass");
        }
        let Pooled { batch, steps, width, .. } = *pooled;
        let d_outputs =
            pooled.run("pool_gradient", (gradient, layout), address, batch * steps * width)?;
        Ok((d_outputs, Shape::from((batch, steps, width))))
    }
}

fn int(n: usize) -> Result<i32> {
    i32::try_from(n).map_err(Error::wrap)
}

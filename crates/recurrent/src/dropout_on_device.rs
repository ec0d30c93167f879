//! Dropout on a CUDA device, whose masks the device draws itself: the same as on the CPU.

use candle_core::backend::BackendStorage;
use candle_core::cuda_backend::CudaStorageSlice;
use candle_core::cuda_backend::cudarc::driver::{
    DevicePtr as _, DevicePtrMut as _, PushKernelArg as _,
};
use candle_core::{CpuStorage, CudaStorage, CustomOp1, Error, Layout, Result, Shape, Tensor};

use crate::cuda::{CudaKernels, launch_for};
use crate::dropout::ChaCha8Position;

static KERNELS: CudaKernels = CudaKernels::new("recurrent-dropout", include_str!("dropout.cu"));

/// Threads of a block, and words of each thread.
const THREADS: u32 = 128;
const WORDS: usize = 16;

/// Multiplication of f32 numbers on a CUDA device by a mask.
#[derive(Debug, Clone)]
pub(crate) struct MaskedOnDevice {
    pub(crate) position: ChaCha8Position,
    /// Draws without their lowest 8 bits that are below this are dropped.
    pub(crate) least: u32,
    pub(crate) scale: f64,
}

impl CustomOp1 for MaskedOnDevice {
    fn name(&self) -> &'static str {
        "dropout"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        candle_core::bail!("this form of dropout is for CUDA devices")
    }

    fn cuda_fwd(&self, x: &CudaStorage, layout: &Layout) -> Result<(CudaStorage, Shape)> {
        let (device, n) = (x.device().clone(), layout.shape().elem_count());
        let CudaStorageSlice::F32(x) = &x.slice else {
            candle_core::bail!("this form of dropout is for f32");
        };
        let Some((start, end)) = layout.contiguous_offsets() else {
            candle_core::bail!("dropout needs a contiguous tensor, got {layout:?}");
        };
        // SAFETY: the kernel writes all of it.
        let mut masked = unsafe { device.alloc::<f32>(n) }?;
        let stream = device.cuda_stream();
        let kernel = KERNELS.function(&device, "chacha8_dropout")?;
        {
            let x = x.slice(start..end);
            let ((from, _from), (to, _to)) =
                (x.device_ptr(&stream), masked.device_ptr_mut(&stream));
            let ChaCha8Position { key, word } = &self.position;
            let (n_numbers, scale) = (n as u64, self.scale as f32);
            let mut launch = stream.launch_builder(&kernel);
            launch.arg(&from).arg(&to).arg(&n_numbers).arg(word).arg(&self.least).arg(&scale);
            for part in key {
                launch.arg(part);
            }
            // The draws may begin in the middle of a block.
            let config = launch_for(n.div_ceil(WORDS) + 1, THREADS)?;
            // SAFETY: both places have `n` numbers.
            unsafe { launch.launch(config) }.map_err(Error::wrap)?;
        }
        let masked = CudaStorage { slice: CudaStorageSlice::F32(masked), device };
        Ok((masked, layout.shape().clone()))
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        // The same again, and linear: so are its derivatives.
        Ok(Some(gradient.contiguous()?.apply_op1(self.clone())?))
    }
}

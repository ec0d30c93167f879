//! Sums of vectors by row on a CUDA device. Candle's `index_add` there adds the vectors one after the other.

use candle_core::backend::BackendStorage;
use candle_core::cuda_backend::CudaStorageSlice;
use candle_core::cuda_backend::cudarc::driver::{
    CudaSlice, DevicePtr as _, DevicePtrMut as _, LaunchConfig, PushKernelArg as _,
};
use candle_core::{CpuStorage, CudaStorage, CustomOp3, Error, Layout, Result, Shape, Tensor};
use recurrent::cuda::CudaKernels;

static KERNELS: CudaKernels = CudaKernels::new("model-row-sums", include_str!("row_sums.cu"));

/// Columns and lanes of a block, as in the kernel.
const BLOCK: (u32, u32, u32) = (32, 8, 1);

/// Sums vectors `[tokens, width]`, f32 on a CUDA device: row r is the sum of those that
/// `order[starts[r]..starts[r + 1]]` names. `order`: `[tokens]`, `starts`: `[rows + 1]`, u32.
pub(crate) fn sum_in_order(vectors: &Tensor, order: &Tensor, starts: &Tensor) -> Result<Tensor> {
    vectors.contiguous()?.apply_op3_no_bwd(order, starts, &RowSums)
}

struct RowSums;

impl CustomOp3 for RowSums {
    fn name(&self) -> &'static str {
        "sum-by-row"
    }

    fn cpu_fwd(
        &self,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        candle_core::bail!("this sum is for CUDA devices")
    }

    fn cuda_fwd(
        &self,
        vectors: &CudaStorage,
        layout: &Layout,
        order: &CudaStorage,
        order_layout: &Layout,
        starts: &CudaStorage,
        starts_layout: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        let (device, (_, width)) = (vectors.device().clone(), layout.shape().dims2()?);
        let n_rows = starts_layout.shape().elem_count().saturating_sub(1);
        let CudaStorageSlice::F32(vectors) = &vectors.slice else {
            candle_core::bail!("this sum is for f32");
        };
        let (order, starts) = (numbers(order)?, numbers(starts)?);
        // SAFETY: the kernel writes all of it.
        let mut sums = unsafe { device.alloc::<f32>((n_rows * width).max(1)) }?;
        if n_rows * width > 0 {
            let stream = device.cuda_stream();
            let kernel = KERNELS.function(&device, "sum_by_row")?;
            let vectors = vectors.slice(range(layout)?);
            let (order, starts) =
                (order.slice(range(order_layout)?), starts.slice(range(starts_layout)?));
            let (vectors, _vectors) = vectors.device_ptr(&stream);
            let (order, _order) = order.device_ptr(&stream);
            let (starts, _starts) = starts.device_ptr(&stream);
            let (to, _to) = sums.device_ptr_mut(&stream);
            let width = i32::try_from(width).map_err(Error::wrap)?;
            let rows = u32::try_from(n_rows).map_err(Error::wrap)?;
            let columns = (width as u32).div_ceil(BLOCK.0);
            let config = LaunchConfig {
                grid_dim: (rows, columns, 1),
                block_dim: BLOCK,
                shared_mem_bytes: 0,
            };
            let mut launch = stream.launch_builder(&kernel);
            launch.arg(&vectors).arg(&order).arg(&starts).arg(&to).arg(&width);
            // SAFETY: order and starts were made for these vectors, so they stay within them.
            unsafe { launch.launch(config) }.map_err(Error::wrap)?;
        }
        let sums = CudaStorage { slice: CudaStorageSlice::F32(sums), device };
        Ok((sums, Shape::from((n_rows, width))))
    }
}

fn numbers(storage: &CudaStorage) -> Result<&CudaSlice<u32>> {
    match &storage.slice {
        CudaStorageSlice::U32(numbers) => Ok(numbers),
        _ => candle_core::bail!("the order of a sum must be u32"),
    }
}

fn range(layout: &Layout) -> Result<std::ops::Range<usize>> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(start..end),
        None => candle_core::bail!("a sum needs contiguous tensors, got {layout:?}"),
    }
}

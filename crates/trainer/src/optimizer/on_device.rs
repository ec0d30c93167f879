//! Adam's step on a CUDA device, in place and in one pass over the numbers. In candle's operations, a step reads and
//! writes all of them a dozen times, and adds a table's row gradients up one after the other.

use candle_core::cuda_backend::cudarc::driver::{
    CudaSlice, DevicePtr as _, LaunchArgs, LaunchConfig, PushKernelArg as _,
};
use candle_core::{CudaDevice, DType, Device, Error, Result, Tensor};
use recurrent::cuda::{CudaKernels, launch_for, numbers_on_device};

use super::rule::{Adam, Factors};
use crate::scalar::Scalar;

static KERNELS: CudaKernels = CudaKernels::new("trainer-adam", include_str!("adam.cu"));

const THREADS: u32 = 256;
/// Threads of a block that has one row.
const ROW_THREADS: u32 = 128;

/// The gradient of a step.
pub(super) enum Gradient<'a> {
    /// Of every number.
    Whole(&'a Tensor),
    /// Of some rows of a table; no other row moves. Values `[rows, width]`, and rows, u32.
    Rows(&'a Tensor, &'a Tensor),
    /// Of some rows of a table, all of whose rows move.
    Table(&'a Tensor, &'a Tensor),
}

/// Takes Adam's step if everything is f32 on a CUDA device; returns whether it has.
pub(super) fn step(
    (theta, m, v): (&Tensor, &Tensor, Option<&Tensor>),
    gradient: &Gradient<'_>,
    factors: Factors,
    scale: &Scalar,
) -> Result<bool> {
    let (Device::Cuda(device), Factors::Adam { step_size, v_correction, keep }, Some(v)) =
        (theta.device(), factors, v)
    else {
        return Ok(false);
    };
    let (Gradient::Whole(values) | Gradient::Rows(values, _) | Gradient::Table(values, _)) =
        gradient;
    let is_f32 = [theta, m, v, values].iter().all(|tensor| tensor.dtype() == DType::F32);
    if !is_f32 || theta.elem_count() == 0 || values.elem_count() == 0 {
        return Ok(false);
    }
    let values = values.contiguous()?;
    let scale_there = match scale {
        Scalar::Number(_) => None,
        Scalar::OnDevice(scale) => Some(scale.to_dtype(DType::F32)?.contiguous()?),
    };
    let adam = Adam::new(step_size, v_correction, keep).numbers();
    let scale = scale.number().unwrap_or(1.0) as f32;

    let stream = device.cuda_stream();
    let parameter = [theta, m, v].map(Tensor::storage_and_layout);
    let [theta_at, m_at, v_at] =
        parameter.each_ref().map(|numbers| numbers_on_device::<f32>(numbers, &stream));
    let (theta_at, m_at, v_at) = (theta_at?, m_at?, v_at?);
    let of_values = values.storage_and_layout();
    let values_at = numbers_on_device::<f32>(&of_values, &stream)?;
    let of_scale = scale_there.as_ref().map(Tensor::storage_and_layout);
    let scale_at =
        of_scale.as_ref().map(|scale| numbers_on_device::<f32>(scale, &stream)).transpose()?;
    let scale_at = scale_at.as_ref().map_or(0, |scale| scale.address);
    let run = |launch: &mut LaunchArgs<'_>, config: LaunchConfig| -> Result<()> {
        // SAFETY: the tensors have the sizes that the kernel is told; nothing else uses the parameter and its
        // moments, and the stream keeps the order.
        unsafe { launch.launch(config) }.map(drop).map_err(Error::wrap)
    };
    match gradient {
        Gradient::Whole(_) => {
            let kernel = KERNELS.function(device, "adam_whole")?;
            let n = theta.elem_count() as u64;
            let mut launch = stream.launch_builder(&kernel);
            launch
                .arg(&theta_at.address)
                .arg(&m_at.address)
                .arg(&v_at.address)
                .arg(&values_at.address)
                .arg(&n);
            launch.arg(&scale_at).arg(&scale);
            for number in &adam {
                launch.arg(number);
            }
            run(&mut launch, launch_for(theta.elem_count(), THREADS)?)?;
        }
        Gradient::Rows(_, rows) => {
            let (n_rows, width) = values.dims2()?;
            let rows = rows.contiguous()?;
            let of_rows = rows.storage_and_layout();
            let rows_at = numbers_on_device::<u32>(&of_rows, &stream)?;
            let kernel = KERNELS.function(device, "adam_rows")?;
            let width = width as u32;
            let mut launch = stream.launch_builder(&kernel);
            launch
                .arg(&theta_at.address)
                .arg(&m_at.address)
                .arg(&v_at.address)
                .arg(&values_at.address);
            launch.arg(&rows_at.address).arg(&width).arg(&scale_at).arg(&scale);
            for number in &adam {
                launch.arg(number);
            }
            run(&mut launch, a_block_for_each(n_rows))?;
        }
        Gradient::Table(_, rows) => {
            let (n_rows, width) = theta.dims2()?;
            let slots = slots(device, rows, n_rows)?;
            let (slots_at, _slots) = slots.device_ptr(&stream);
            let kernel = KERNELS.function(device, "adam_table")?;
            let width = width as u32;
            let mut launch = stream.launch_builder(&kernel);
            launch
                .arg(&theta_at.address)
                .arg(&m_at.address)
                .arg(&v_at.address)
                .arg(&values_at.address);
            launch.arg(&slots_at).arg(&width).arg(&scale_at).arg(&scale);
            for number in &adam {
                launch.arg(number);
            }
            run(&mut launch, a_block_for_each(n_rows))?;
        }
    }
    Ok(true)
}

/// The place of each of `n_rows` rows among `rows`, all ones for those that are not there.
fn slots(device: &CudaDevice, rows: &Tensor, n_rows: usize) -> Result<CudaSlice<u32>> {
    let stream = device.cuda_stream();
    let rows = rows.contiguous()?;
    // SAFETY: all of it is set below.
    let slots = unsafe { device.alloc::<u32>(n_rows) }?;
    let of_rows = rows.storage_and_layout();
    {
        let rows_at = numbers_on_device::<u32>(&of_rows, &stream)?;
        let (slots_at, _slots) = slots.device_ptr(&stream);
        let fill = KERNELS.function(device, "fill_slots")?;
        let n = n_rows as u32;
        let mut launch = stream.launch_builder(&fill);
        launch.arg(&slots_at).arg(&n);
        // SAFETY: there are `n` slots.
        unsafe { launch.launch(launch_for(n_rows, THREADS)?) }.map_err(Error::wrap)?;
        let enter = KERNELS.function(device, "enter_rows")?;
        let n = rows.elem_count() as u32;
        let mut launch = stream.launch_builder(&enter);
        launch.arg(&rows_at.address).arg(&slots_at).arg(&n);
        // SAFETY: the optimiser has checked that the rows are in the table.
        unsafe { launch.launch(launch_for(rows.elem_count(), THREADS)?) }.map_err(Error::wrap)?;
    }
    Ok(slots)
}

fn a_block_for_each(n: usize) -> LaunchConfig {
    let block_dim = (ROW_THREADS, 1, 1);
    LaunchConfig { grid_dim: (n as u32, 1, 1), block_dim, shared_mem_bytes: 0 }
}

//! Batches in the form in which cuDNN is given them: perhaps time-major, perhaps with rows whose state is held past
//! their ends ([`CudnnLengths::Held`]).

use std::ffi::c_int;

use candle_core::cuda_backend::cudarc::driver::{CudaSlice, LaunchConfig, PushKernelArg};
use candle_core::{CudaDevice, CudaStorage, DType, Error, Result, Shape, Tensor};

use super::library::int;
use super::plan::{CudnnLayout, CudnnLengths, CudnnPlan};
use super::storage::{Address, Place, tensor, uninitialised};
use crate::cell::Cell;
use crate::cuda::CudaKernels;

static KERNELS: CudaKernels = CudaKernels::new("recurrent-held", include_str!("held.cu"));

/// Columns by which the input is widened: one for the mark, the others so that rows stay aligned.
const ALIGNMENT: usize = 4;

/// Threads of a block: a warp for each of eight places.
const BLOCK: (u32, u32, u32) = (32, 8, 1);

/// Lengths of a batch's rows on the device.
pub(super) struct OnDevice {
    /// As cuDNN is told them.
    pub(super) told: CudaSlice<c_int>,
    /// Real steps, if they are others.
    real: Option<CudaSlice<c_int>>,
}

/// A batch's form.
pub(super) struct Form<'a> {
    device: &'a CudaDevice,
    plan: CudnnPlan,
    cell: Cell,
    hidden_size: usize,
    batch: usize,
    steps: usize,
    dtype: DType,
    lengths: &'a [c_int],
    /// Real steps of each row, on the device; only if some rows end early and their state is held.
    held: Option<&'a CudaSlice<c_int>>,
}

/// Where numbers are moved, and how.
struct Move {
    widths: [usize; 2],
    are_time_major: [bool; 2],
    /// Whether numbers past the ends become 0.
    clears: bool,
    /// Whether the number after the others is 1 past the ends.
    marks: bool,
}

impl OnDevice {
    /// `lengths`: real steps of each row, at most `steps`.
    pub(super) fn new(
        device: &CudaDevice,
        plan: CudnnPlan,
        steps: usize,
        lengths: &[c_int],
    ) -> Result<Self> {
        let full = int(steps)?;
        let ends_early = lengths.iter().any(|&length| length < full);
        if !ends_early || plan.lengths != CudnnLengths::Held {
            return Ok(Self { told: device.clone_htod(lengths)?, real: None });
        }
        let told = device.clone_htod(&vec![full; lengths.len()])?;
        Ok(Self { told, real: Some(device.clone_htod(lengths)?) })
    }
}

impl<'a> Form<'a> {
    /// `lengths`: real steps of each row, here and on the device.
    pub(super) fn new(
        device: &'a CudaDevice,
        plan: CudnnPlan,
        (cell, hidden_size, dtype): (Cell, usize, DType),
        steps: usize,
        (lengths, there): (&'a [c_int], &'a OnDevice),
    ) -> Self {
        let (batch, held) = (lengths.len(), there.real.as_ref());
        Self { device, plan, cell, hidden_size, batch, steps, dtype, lengths, held }
    }

    /// Whether some rows' states are held past their ends.
    pub(super) fn is_held(&self) -> bool {
        self.held.is_some()
    }

    /// Whether the forward direction's last h is not cuDNN's: an LSTM holds c, but past the end h is made of c and
    /// the padding's output gate.
    fn takes_last(&self) -> bool {
        self.is_held() && self.cell == Cell::Lstm
    }

    fn is_time_major(&self) -> bool {
        self.plan.layout == CudnnLayout::TimeMajor
    }

    /// cuDNN's input size for ours.
    pub(super) fn width(&self, input_size: usize) -> usize {
        if self.is_held() { (input_size / ALIGNMENT + 1) * ALIGNMENT } else { input_size }
    }

    /// The lengths that cuDNN is told.
    pub(super) fn told(&self) -> Result<Vec<c_int>> {
        if self.is_held() {
            Ok(vec![int(self.steps)?; self.batch])
        } else {
            Ok(self.lengths.to_vec())
        }
    }

    /// The input `[B, T, I]` for cuDNN.
    pub(super) fn input(&self, x: &Tensor) -> Result<Tensor> {
        let width = x.dim(2)?;
        let is_held = self.is_held();
        self.entering(x, [width, self.width(width)], (is_held, is_held))
    }

    /// Outputs `[B, T, F]` of a forward pass for the backward pass.
    pub(super) fn outputs(&self, outputs: &Tensor) -> Result<Tensor> {
        let width = outputs.dim(2)?;
        self.entering(outputs, [width; 2], (false, false))
    }

    /// Gradients `[B, T, F]` of outputs for cuDNN; `d_last`: `[D, B, H]`, of the last h, if anything depends on it.
    /// Returns what is left of `d_last` for cuDNN, too.
    pub(super) fn d_outputs(
        &self,
        d_outputs: &Tensor,
        d_last: Option<&Tensor>,
    ) -> Result<(Tensor, Option<Tensor>)> {
        let width = d_outputs.dim(2)?;
        let d_outputs = self.entering(d_outputs, [width; 2], (self.is_held(), false))?;
        let Some(d_last) = d_last.filter(|_| self.takes_last()) else {
            return Ok((d_outputs, d_last.cloned()));
        };
        // `entering` has made a tensor of its own: the layers' states are only held together with it.
        self.add_last(d_last, &d_outputs, width)?;
        let directions = d_last.dim(0)?;
        let none = d_last.narrow(0, 0, 1)?.zeros_like()?;
        let left = match directions {
            1 => None,
            _ => Some(Tensor::cat(&[&none, &d_last.narrow(0, 1, directions - 1)?], 0)?),
        };
        Ok((d_outputs, left))
    }

    /// Undoes [`input`](Self::input) for its gradient; returns `[B, T, I]`.
    pub(super) fn d_input(
        &self,
        d_input: (CudaStorage, Shape),
        input_size: usize,
    ) -> Result<(CudaStorage, Shape)> {
        self.leaving(d_input, [self.width(input_size), input_size], false)
    }

    /// cuDNN's outputs as ours, `[B, T, F]`: zero past each row's end.
    pub(super) fn finished(
        &self,
        outputs: (CudaStorage, Shape),
        width: usize,
    ) -> Result<(CudaStorage, Shape)> {
        self.leaving(outputs, [width; 2], self.is_held())
    }

    fn entering(
        &self,
        x: &Tensor,
        widths: [usize; 2],
        (clears, marks): (bool, bool),
    ) -> Result<Tensor> {
        if !clears && !marks && !self.is_time_major() {
            return Ok(x.clone());
        }
        let to = Move { widths, are_time_major: [false, self.is_time_major()], clears, marks };
        Ok(tensor(self.moved(x, (self.batch, self.steps), &to)?))
    }

    fn leaving(
        &self,
        x: (CudaStorage, Shape),
        widths: [usize; 2],
        clears: bool,
    ) -> Result<(CudaStorage, Shape)> {
        if !clears && widths[0] == widths[1] && !self.is_time_major() {
            return Ok(x);
        }
        let to =
            Move { widths, are_time_major: [self.is_time_major(), false], clears, marks: false };
        self.moved(&tensor(x), (self.batch, self.steps), &to)
    }

    /// Moves the places of a tensor to a new one, `[rows, steps, width]`; with `clears` or `marks` those of the batch.
    fn moved(
        &self,
        from: &Tensor,
        (n_rows, n_steps): (usize, usize),
        to: &Move,
    ) -> Result<(CudaStorage, Shape)> {
        let [from_width, to_width] = to.widths;
        let shape = (n_rows, n_steps, to_width);
        let mut target = uninitialised(self.device, shape, self.dtype)?;
        {
            let stream = self.device.cuda_stream();
            let from = from.storage_and_layout();
            let from = Place::of_tensor(&from, &stream)?;
            let place = Place::of_storage_mut(&mut target.0, &stream)?;
            let lengths = self.held.filter(|_| to.clears || to.marks);
            let lengths = lengths.map(|lengths| Place::of_slice(lengths, &stream));
            let lengths: Address = lengths.as_ref().map_or(0, |lengths| lengths.address);
            let name = format!("lay_u{}", 8 * self.dtype.size_in_bytes());
            let kernel = KERNELS.function(self.device, &name)?;
            let [from_major, to_major] = to.are_time_major.map(c_int::from);
            let sizes = [n_rows, n_steps, from_width, to_width].map(int);
            let [rows, steps, from_width, to_width] = all(sizes)?;
            let mark = if to.marks { bits(self.dtype, 1.0)? } else { 0 };
            let clears = c_int::from(to.clears);
            let mut launch = stream.launch_builder(&kernel);
            launch.arg(&from.address).arg(&place.address).arg(&lengths);
            launch.arg(&rows).arg(&steps).arg(&from_width).arg(&to_width);
            launch.arg(&from_major).arg(&to_major).arg(&clears).arg(&mark);
            // SAFETY: the places have the sizes that the kernel is told, and live until it is queued.
            unsafe { launch.launch(places(n_rows * n_steps)?) }.map_err(Error::wrap)?;
        }
        Ok(target)
    }

    /// The weights that cuDNN is given: `weights` in PyTorch's order, with `n_tensors` tensors a direction.
    pub(super) fn weights(&self, weights: &[Tensor], n_tensors: usize) -> Result<Vec<Tensor>> {
        let widened = |(i, weight): (usize, &Tensor)| match i % n_tensors {
            0 if self.is_held() => self.marked_weights(weight),
            _ => Ok(weight.clone()),
        };
        weights.iter().enumerate().map(widened).collect()
    }

    fn marked_weights(&self, weights: &Tensor) -> Result<Tensor> {
        let (rows, input_size) = weights.dims2()?;
        let width = self.width(input_size);
        let mut target = uninitialised(self.device, (rows, width), self.dtype)?;
        {
            let stream = self.device.cuda_stream();
            let from = weights.storage_and_layout();
            let from = Place::of_tensor(&from, &stream)?;
            let place = Place::of_storage_mut(&mut target.0, &stream)?;
            let name = format!("mark_weights_u{}", 8 * self.dtype.size_in_bytes());
            let kernel = KERNELS.function(self.device, &name)?;
            let sizes = [self.cell.n_gates(), self.hidden_size, input_size, width].map(int);
            let [gates, hidden, from_width, to_width] = all(sizes)?;
            // LSTM: i, f, g, o; GRU: r, z, n.
            let [opened, closed]: [c_int; 2] =
                if self.cell == Cell::Lstm { [1, 0] } else { [1, -1] };
            let far = if self.dtype == DType::F16 { 6e4 } else { 1e30 };
            let (high, low) = (bits(self.dtype, far)?, bits(self.dtype, -far)?);
            let mut launch = stream.launch_builder(&kernel);
            launch.arg(&from.address).arg(&place.address);
            launch.arg(&gates).arg(&hidden).arg(&from_width).arg(&to_width);
            launch.arg(&opened).arg(&closed).arg(&high).arg(&low);
            // SAFETY: as above.
            unsafe { launch.launch(places(rows)?) }.map_err(Error::wrap)?;
        }
        Ok(tensor(target))
    }

    /// Undoes [`weights`](Self::weights) for the gradient of one of them, of shape `like`.
    pub(super) fn d_weight(
        &self,
        gradient: (CudaStorage, Shape),
        like: &Shape,
    ) -> Result<(CudaStorage, Shape)> {
        if gradient.1 == *like {
            return Ok(gradient);
        }
        let (rows, input_size) = like.dims2()?;
        let narrowed = Move {
            widths: [gradient.1.dims2()?.1, input_size],
            are_time_major: [false; 2],
            clears: false,
            marks: false,
        };
        let (storage, _) = self.moved(&tensor(gradient), (1, rows), &narrowed)?;
        Ok((storage, like.clone()))
    }

    /// Puts the forward direction's last h, of our `outputs [B, T, F]`, into cuDNN's `[D, B, H]`.
    pub(super) fn take_last(
        &self,
        outputs: &mut (CudaStorage, Shape),
        last: &mut (CudaStorage, Shape),
        width: usize,
    ) -> Result<()> {
        let Some(lengths) = self.held.filter(|_| self.takes_last()) else {
            return Ok(());
        };
        let stream = self.device.cuda_stream();
        let outputs = Place::of_storage_mut(&mut outputs.0, &stream)?;
        let last = Place::of_storage_mut(&mut last.0, &stream)?;
        let lengths = Place::of_slice(lengths, &stream);
        let name = format!("take_last_u{}", 8 * self.dtype.size_in_bytes());
        let kernel = KERNELS.function(self.device, &name)?;
        let [rows, steps, width, hidden] =
            all([self.batch, self.steps, width, self.hidden_size].map(int))?;
        let mut launch = stream.launch_builder(&kernel);
        launch.arg(&outputs.address).arg(&last.address).arg(&lengths.address);
        launch.arg(&rows).arg(&steps).arg(&width).arg(&hidden);
        // SAFETY: as above; no length is beyond the steps.
        unsafe { launch.launch(places(self.batch)?) }.map_err(Error::wrap)?;
        Ok(())
    }

    /// Adds the gradient of the forward direction's last h to cuDNN's output gradients, which nothing else uses.
    fn add_last(&self, d_last: &Tensor, d_outputs: &Tensor, width: usize) -> Result<()> {
        let Some(lengths) = self.held else { return Ok(()) };
        let stream = self.device.cuda_stream();
        let (d_last, d_outputs) = (d_last.storage_and_layout(), d_outputs.storage_and_layout());
        let last = Place::of_tensor(&d_last, &stream)?;
        let outputs = Place::of_tensor(&d_outputs, &stream)?;
        let lengths = Place::of_slice(lengths, &stream);
        let name = format!("add_last_{}", self.dtype.as_str());
        let kernel = KERNELS.function(self.device, &name)?;
        let [rows, steps, width, hidden] =
            all([self.batch, self.steps, width, self.hidden_size].map(int))?;
        let is_time_major = c_int::from(self.is_time_major());
        let mut launch = stream.launch_builder(&kernel);
        launch.arg(&last.address).arg(&outputs.address).arg(&lengths.address);
        launch.arg(&rows).arg(&steps).arg(&width).arg(&hidden).arg(&is_time_major);
        // SAFETY: as above.
        unsafe { launch.launch(places(self.batch)?) }.map_err(Error::wrap)?;
        Ok(())
    }
}

/// A launch with a warp for each of `n` places.
fn places(n: usize) -> Result<LaunchConfig> {
    let blocks = int(n.div_ceil(BLOCK.1 as usize).max(1))?;
    Ok(LaunchConfig { grid_dim: (blocks as u32, 1, 1), block_dim: BLOCK, shared_mem_bytes: 0 })
}

fn all<const N: usize>(sizes: [Result<c_int>; N]) -> Result<[c_int; N]> {
    let mut numbers = [0; N];
    for (number, size) in numbers.iter_mut().zip(sizes) {
        *number = size?;
    }
    Ok(numbers)
}

/// A number's bits in a dtype.
fn bits(dtype: DType, number: f32) -> Result<u64> {
    Ok(match dtype {
        DType::F64 => f64::from(number).to_bits(),
        DType::F32 => u64::from(number.to_bits()),
        DType::BF16 => u64::from(number.to_bits() >> 16),
        DType::F16 if number == 1.0 => 0x3c00,
        // 60,000 and -60,000.
        DType::F16 if number > 0.0 => 0x7b53,
        DType::F16 => 0xfb53,
        _ => candle_core::bail!("cuDNN's recurrent networks do not support {dtype:?}"),
    })
}

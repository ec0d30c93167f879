//! A number of a training step: here, or still on another device.
//!
//! This is where the CPU and other devices part. On the CPU a number costs nothing to read, and is read at once.
//! Another device works through a queue: to read a number is to wait until the queue is empty, and then the device has
//! nothing to do until the next step is queued. So a step reads nothing there; what it makes of its numbers (a norm, a
//! factor) is made on the device, and losses and norms are read together, every few steps.
//!
//! The host is then ahead of the device: it takes the ids of the next batch apart and uploads them while the device
//! computes. An upload is queued with the work of the steps, on the one stream that candle uses in a thread. It comes from
//! ordinary memory, which CUDA copies to a buffer of its own first, and it waits while earlier uploads are still queued
//! there. So the host never is far ahead, but it never needs a result: a GPU that had much to do was busy all the time.

use candle_core::{DType, Device, Tensor};

use crate::error::Result;

/// A number of a training step.
#[derive(Debug, Clone)]
pub enum Scalar {
    /// A number that is here.
    Number(f64),
    /// One that is still on a device, `[]`, f32, without a graph.
    OnDevice(Tensor),
}

impl From<f64> for Scalar {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl Scalar {
    /// The number in a tensor `[]`, without its graph: read at once where that costs nothing.
    pub(crate) fn of(tensor: &Tensor) -> Result<Self> {
        let tensor = tensor.detach().to_dtype(DType::F32)?;
        if is_here(tensor.device()) {
            return Ok(Self::Number(f64::from(tensor.to_scalar::<f32>()?)));
        }
        Ok(Self::OnDevice(tensor))
    }

    /// The number, if it is here.
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::OnDevice(_) => None,
        }
    }

    /// Reads the number: of one on a device, this waits for all that is queued there.
    ///
    /// # Errors
    /// If the device fails.
    pub fn read(&self) -> Result<f64> {
        Ok(read(std::slice::from_ref(self))?[0])
    }

    /// The number times a factor.
    pub(crate) fn times(self, factor: f64) -> Result<Self> {
        Ok(match self {
            Self::Number(number) => Self::Number(number * factor),
            Self::OnDevice(tensor) => Self::OnDevice((tensor * factor)?),
        })
    }

    /// Whether the number is here and infinite or not a number. One on a device shows that when it is read.
    pub(crate) fn is_known_not_finite(&self) -> bool {
        self.number().is_some_and(|number| !number.is_finite())
    }
}

/// Reads numbers of one device, all at once.
///
/// # Errors
/// If the device fails.
pub(crate) fn read(scalars: &[Scalar]) -> Result<Vec<f64>> {
    let waiting: Vec<&Tensor> = scalars
        .iter()
        .filter_map(|scalar| match scalar {
            Scalar::Number(_) => None,
            Scalar::OnDevice(tensor) => Some(tensor),
        })
        .collect();
    let read: Vec<f32> = match &*waiting {
        [] => Vec::new(),
        tensors => {
            #[cfg(test)]
            pretended::count_read();
            Tensor::stack(tensors, 0)?.to_vec1()?
        }
    };
    let mut read = read.into_iter();
    // There are as many as are waiting.
    let number = |scalar: &Scalar| {
        scalar.number().unwrap_or_else(|| read.next().map_or(f64::NAN, f64::from))
    };
    Ok(scalars.iter().map(number).collect())
}

/// Whether numbers on this device are in reach of the host.
pub(crate) fn is_here(device: &Device) -> bool {
    #[cfg(test)]
    if pretended::is_other_device() {
        return false;
    }
    device.is_cpu()
}

/// For tests: the CPU as another device, whose reads are counted.
#[cfg(test)]
pub(crate) mod pretended {
    use std::cell::Cell;

    thread_local! {
        static IS_OTHER_DEVICE: Cell<bool> = const { Cell::new(false) };
        static N_READS: Cell<usize> = const { Cell::new(0) };
    }

    pub(super) fn is_other_device() -> bool {
        IS_OTHER_DEVICE.get()
    }

    pub(super) fn count_read() {
        N_READS.set(N_READS.get() + 1);
    }

    /// Reads of this thread so far.
    pub(crate) fn n_reads() -> usize {
        N_READS.get()
    }

    /// Calls `run` with the CPU treated as another device on this thread.
    pub(crate) fn on_another_device<R>(run: impl FnOnce() -> R) -> R {
        IS_OTHER_DEVICE.set(true);
        let result = run();
        IS_OTHER_DEVICE.set(false);
        result
    }
}

//! States of layers: what a layer keeps from step to step and from call to call.

use std::fmt;

use candle_core::{Device, Tensor};

use crate::error::{Error, Result};

/// The state of a layer: one or two tensors, each `(num_layers * directions, batch, features)`; without the
/// batch for an input without one.
pub trait State: Clone + fmt::Debug + Sized {
    /// The tensors, `h` first.
    fn tensors(&self) -> Vec<&Tensor>;

    /// The state made of these tensors, in the same order.
    ///
    /// # Errors
    /// [`Error::StateCount`] if there are more or fewer than such a state has.
    fn from_tensors(tensors: Vec<Tensor>) -> Result<Self>;

    /// `h`, the hidden state.
    fn h(&self) -> &Tensor;

    /// The same numbers, detached from the computation that led to them: for training that carries its state
    /// from batch to batch.
    ///
    /// # Errors
    /// As [`from_tensors`](Self::from_tensors), for a state that was put together wrongly.
    fn detach(&self) -> Result<Self> {
        Self::from_tensors(self.tensors().into_iter().map(Tensor::detach).collect())
    }

    /// The states of some rows of the batch, in this order; a row may occur several times.
    ///
    /// # Errors
    /// If a row does not exist or the device fails.
    fn index_select(&self, rows: &[u32]) -> Result<Self> {
        self.batch()?;
        let rows = Tensor::new(rows, self.h().device())?;
        let selected = self.tensors().into_iter().map(|tensor| tensor.index_select(&rows, 1));
        Self::from_tensors(selected.collect::<candle_core::Result<_>>()?)
    }

    /// The same state on another device.
    ///
    /// # Errors
    /// If a device fails.
    fn to_device(&self, device: &Device) -> Result<Self> {
        let moved = self.tensors().into_iter().map(|tensor| tensor.to_device(device));
        Self::from_tensors(moved.collect::<candle_core::Result<_>>()?)
    }

    /// Rows of the batch.
    ///
    /// # Errors
    /// If the state has no batch.
    fn batch(&self) -> Result<usize> {
        let (_, batch, _) = self.h().dims3()?;
        Ok(batch)
    }
}

/// As many tensors as expected.
fn exactly<const N: usize>(tensors: Vec<Tensor>) -> Result<[Tensor; N]> {
    let wrong = |tensors: Vec<Tensor>| Error::StateCount { got: tensors.len(), expected: N };
    tensors.try_into().map_err(wrong)
}

/// `h` alone.
impl State for Tensor {
    fn tensors(&self) -> Vec<&Tensor> {
        vec![self]
    }

    fn from_tensors(tensors: Vec<Tensor>) -> Result<Self> {
        exactly(tensors).map(|[h]| h)
    }

    fn h(&self) -> &Tensor {
        self
    }
}

/// The state of an [`Lstm`](crate::Lstm).
#[derive(Debug, Clone)]
pub struct LstmState {
    /// Hidden state `(num_layers * directions, batch, hidden)`; with a projection its last dimension
    /// is `proj_size`.
    pub h: Tensor,
    /// Cell state `(num_layers * directions, batch, hidden)`.
    pub c: Tensor,
}

impl State for LstmState {
    fn tensors(&self) -> Vec<&Tensor> {
        vec![&self.h, &self.c]
    }

    fn from_tensors(tensors: Vec<Tensor>) -> Result<Self> {
        exactly(tensors).map(|[h, c]| Self { h, c })
    }

    fn h(&self) -> &Tensor {
        &self.h
    }
}

/// The state of a [`Recurrent`](crate::Recurrent), whatever its cell.
#[derive(Debug, Clone)]
pub struct AnyState {
    /// Hidden state `(num_layers * directions, batch, hidden)`; with a projection its last dimension
    /// is `proj_size`.
    pub h: Tensor,
    /// Cell state `(num_layers * directions, batch, hidden)`; LSTM only.
    pub c: Option<Tensor>,
}

impl State for AnyState {
    fn tensors(&self) -> Vec<&Tensor> {
        std::iter::once(&self.h).chain(&self.c).collect()
    }

    fn from_tensors(tensors: Vec<Tensor>) -> Result<Self> {
        if tensors.len() == 1 {
            return exactly(tensors).map(|[h]| Self { h, c: None });
        }
        exactly(tensors).map(|[h, c]| Self { h, c: Some(c) })
    }

    fn h(&self) -> &Tensor {
        &self.h
    }
}

//! A state that was read from a file: its parts are taken out one by one, and none may be left.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor, Var};
use safetensors::tensor::Dtype;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::{Error, Result};

/// The contents of a checked file.
pub(crate) struct Restored {
    pub(super) path: PathBuf,
    pub(super) bytes: Vec<u8>,
    pub(super) places: BTreeMap<String, Place>,
    pub(super) facts: BTreeMap<String, Value>,
}

/// Where a tensor is.
pub(super) struct Place {
    pub(super) dtype: Dtype,
    pub(super) shape: Vec<usize>,
    /// In `bytes`.
    pub(super) range: Range<usize>,
}

impl Restored {
    /// Takes a tensor that must have the shape and dtype of `like`, onto its device.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] if there is none, or another; if the device fails.
    pub(crate) fn tensor_like(&mut self, name: &str, like: &Tensor) -> Result<Tensor> {
        let tensor = self.tensor(name, like.device())?;
        if tensor.dims() != like.dims() || tensor.dtype() != like.dtype() {
            let (got, expected) = (tensor.dims(), like.dims());
            return Err(self.unfit(format!("{name} has shape {got:?}, expected {expected:?}")));
        }
        Ok(tensor)
    }

    /// Takes a tensor of any shape.
    ///
    /// # Errors
    /// As [`tensor_like`](Self::tensor_like).
    pub(crate) fn tensor(&mut self, name: &str, device: &Device) -> Result<Tensor> {
        let place = self.take(name)?;
        let (shape, bytes) = (place.shape, &self.bytes[place.range]);
        let tensor = match place.dtype {
            Dtype::F32 => Tensor::from_vec(collect::<f32>(bytes), shape, device),
            Dtype::F64 => Tensor::from_vec(collect::<f64>(bytes), shape, device),
            other => return Err(self.unfit(format!("{name} has dtype {other}, expected F32"))),
        };
        Ok(tensor?)
    }

    /// Sets a variable to the tensor of this name.
    ///
    /// # Errors
    /// As [`tensor_like`](Self::tensor_like).
    pub(crate) fn set(&mut self, name: &str, variable: &Var) -> Result<()> {
        let tensor = self.tensor_like(name, variable.as_tensor())?;
        Ok(variable.set(&tensor)?)
    }

    /// Takes numbers in this shape.
    ///
    /// # Errors
    /// As [`tensor_like`](Self::tensor_like).
    pub(crate) fn numbers(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        let place = self.take_as(name, Dtype::F32)?;
        if place.shape != shape {
            let got = place.shape;
            return Err(self.unfit(format!("{name} has shape {got:?}, expected {shape:?}")));
        }
        Ok(collect(&self.bytes[place.range]))
    }

    /// Takes a list of integers.
    ///
    /// # Errors
    /// As [`tensor_like`](Self::tensor_like).
    pub(crate) fn integers(&mut self, name: &str) -> Result<Vec<u64>> {
        let place = self.take_as(name, Dtype::I64)?;
        Ok(collect(&self.bytes[place.range]))
    }

    /// Takes a list of numbers of double precision.
    ///
    /// # Errors
    /// As [`tensor_like`](Self::tensor_like).
    pub(crate) fn doubles(&mut self, name: &str) -> Result<Vec<f64>> {
        let place = self.take_as(name, Dtype::F64)?;
        Ok(collect(&self.bytes[place.range]))
    }

    /// Takes a fact.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] if there is none, or one of another kind.
    pub(crate) fn fact<T: DeserializeOwned>(&mut self, name: &str) -> Result<T> {
        let fact = self.peek(name)?;
        self.facts.remove(name);
        Ok(fact)
    }

    /// Looks at a fact without taking it.
    ///
    /// # Errors
    /// As [`fact`](Self::fact).
    pub(crate) fn peek<T: DeserializeOwned>(&self, name: &str) -> Result<T> {
        let fact = self.facts.get(name).cloned();
        let fact = fact.ok_or_else(|| self.unfit(format!("it lacks {name}")))?;
        serde_json::from_value(fact)
            .map_err(|error| self.unfit(format!("its {name} cannot be read: {error}")))
    }

    /// The file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether there is a tensor or a fact of this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.places.contains_key(name) || self.facts.contains_key(name)
    }

    /// The names of the tensors that begin with `prefix`, without it.
    pub(crate) fn names(&self, prefix: &str) -> Vec<String> {
        self.places.keys().filter_map(|name| name.strip_prefix(prefix)).map(String::from).collect()
    }

    /// Fails if anything has not been taken.
    ///
    /// # Errors
    /// [`Error::Checkpoint`].
    pub(crate) fn finish(self) -> Result<()> {
        match self.places.keys().chain(self.facts.keys()).next() {
            Some(name) => {
                Err(self.unfit(format!("it holds {name}, which has no place in this training")))
            }
            None => Ok(()),
        }
    }

    /// An error about the file.
    pub(crate) fn unfit(&self, reason: String) -> Error {
        Error::Checkpoint { path: self.path.clone(), reason }
    }

    fn take(&mut self, name: &str) -> Result<Place> {
        self.places.remove(name).ok_or_else(|| self.unfit(format!("it lacks {name}")))
    }

    fn take_as(&mut self, name: &str, dtype: Dtype) -> Result<Place> {
        let place = self.take(name)?;
        if place.dtype != dtype {
            let got = place.dtype;
            return Err(self.unfit(format!("{name} has dtype {got}, expected {dtype}")));
        }
        Ok(place)
    }
}

/// Copies numbers out of bytes, which need not be aligned.
fn collect<T: bytemuck::Pod>(bytes: &[u8]) -> Vec<T> {
    bytemuck::pod_collect_to_vec(bytes)
}

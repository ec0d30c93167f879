//! The parts that a state is saved in: named tensors and named facts, lent by their owners.

use std::borrow::Cow;
use std::collections::BTreeMap;

use candle_core::{CpuStorage, DType, Device, Storage, Tensor};
use safetensors::tensor::Dtype;
use serde::Serialize;
use serde_json::Value;

use crate::error::{Error, Result};

/// A state on its way to a file. Tensors on the CPU and slices are lent, not copied.
#[derive(Default)]
pub(crate) struct Snapshot<'a> {
    pub(super) pieces: BTreeMap<String, Piece<'a>>,
    pub(super) facts: BTreeMap<String, Value>,
}

/// One list of numbers with its shape.
pub(super) struct Piece<'a> {
    pub(super) dtype: Dtype,
    pub(super) shape: Vec<usize>,
    numbers: Numbers<'a>,
}

enum Numbers<'a> {
    Tensor(Tensor),
    Bytes(Cow<'a, [u8]>),
}

impl<'a> Snapshot<'a> {
    /// Adds a tensor, f32 or f64, as it is now: of one on the CPU, the numbers are read when the file is written.
    ///
    /// # Errors
    /// If it has another dtype or its device fails.
    pub(crate) fn tensor(&mut self, name: impl Into<String>, tensor: &Tensor) -> Result<()> {
        let tensor = tensor.detach().to_device(&Device::Cpu)?.contiguous()?;
        let dtype = match tensor.dtype() {
            DType::F32 => Dtype::F32,
            DType::F64 => Dtype::F64,
            _ => return Err(Error::other_dtype()),
        };
        let (shape, numbers) = (tensor.dims().to_vec(), Numbers::Tensor(tensor));
        self.pieces.insert(name.into(), Piece { dtype, shape, numbers });
        Ok(())
    }

    /// Adds numbers in a tensor's shape.
    pub(crate) fn numbers(&mut self, name: impl Into<String>, numbers: &'a [f32], shape: &[usize]) {
        let bytes = Cow::Borrowed(bytemuck::cast_slice(numbers));
        self.bytes(name, (Dtype::F32, shape), bytes);
    }

    /// Adds a list of integers below 2⁶³: candle does not read the type of larger ones.
    pub(crate) fn integers(&mut self, name: impl Into<String>, integers: &'a [u64]) {
        let bytes = Cow::Borrowed(bytemuck::cast_slice(integers));
        self.bytes(name, (Dtype::I64, &[integers.len()]), bytes);
    }

    /// Adds a list of numbers of double precision.
    pub(crate) fn doubles(&mut self, name: impl Into<String>, numbers: &[f64]) {
        let bytes = Cow::Owned(bytemuck::cast_slice(numbers).to_vec());
        self.bytes(name, (Dtype::F64, &[numbers.len()]), bytes);
    }

    fn bytes(&mut self, name: impl Into<String>, form: (Dtype, &[usize]), bytes: Cow<'a, [u8]>) {
        let (dtype, shape) = (form.0, form.1.to_vec());
        self.pieces.insert(name.into(), Piece { dtype, shape, numbers: Numbers::Bytes(bytes) });
    }

    /// Adds anything that JSON can hold. Its numbers must be finite: JSON has no others and they become null, which
    /// is an error only when the state is read again. Numbers that may be infinite or not a number are
    /// [doubles](Self::doubles).
    ///
    /// # Errors
    /// [`Error::Unsaveable`] if JSON cannot hold it.
    pub(crate) fn fact(&mut self, name: impl Into<String>, fact: &impl Serialize) -> Result<()> {
        let name = name.into();
        let fact = serde_json::to_value(fact)
            .map_err(|error| Error::Unsaveable { what: name.clone(), reason: error.to_string() })?;
        self.facts.insert(name, fact);
        Ok(())
    }
}

impl Piece<'_> {
    /// Calls `use_bytes` with the numbers in the machine's order, and returns what it returns.
    pub(super) fn with_bytes<R>(&self, use_bytes: impl FnOnce(&[u8]) -> R) -> R {
        let tensor = match &self.numbers {
            Numbers::Bytes(bytes) => return use_bytes(bytes),
            Numbers::Tensor(tensor) => tensor,
        };
        let (storage, layout) = tensor.storage_and_layout();
        let (start, len) = (layout.start_offset(), layout.shape().elem_count());
        match &*storage {
            Storage::Cpu(CpuStorage::F32(numbers)) => {
                use_bytes(bytemuck::cast_slice(&numbers[start..start + len]))
            }
            Storage::Cpu(CpuStorage::F64(numbers)) => {
                use_bytes(bytemuck::cast_slice(&numbers[start..start + len]))
            }
            // `tensor` took no others.
            _ => use_bytes(&[]),
        }
    }

    /// Length in bytes.
    pub(super) fn len(&self) -> usize {
        self.shape.iter().product::<usize>() * self.dtype.bitsize() / 8
    }
}

//! The weights file: written without copying.

use std::borrow::Cow;
use std::ops::Deref;
use std::path::Path;

use candle_core::{CpuStorage, DType, Device, Layout, Storage, Tensor};
use model::Weights;
use safetensors::tensor::{Dtype, View, serialize_to_file};

use crate::folder::{Identifier, ModelId};

/// All weights as f32 on the CPU, copied only where necessary.
pub(crate) struct Export(Vec<(String, Tensor)>);

impl Export {
    pub(crate) fn of(weights: &Weights) -> candle_core::Result<Self> {
        let on_cpu =
            |tensor: &Tensor| tensor.to_dtype(DType::F32)?.to_device(&Device::Cpu)?.contiguous();
        let tensors = weights.iter().map(|(name, tensor)| Ok((name.clone(), on_cpu(tensor)?)));
        Ok(Self(tensors.collect::<candle_core::Result<_>>()?))
    }

    /// Adds every weight to a model's id.
    pub(crate) fn identify(&self, identifier: &mut Identifier) {
        for (name, tensor) in &self.0 {
            identifier.tensor(name, &lent(tensor));
        }
    }

    /// Writes the weights of a model without copying them. Returns the reason if it fails.
    pub(crate) fn write(&self, id: ModelId, path: &Path) -> std::result::Result<(), String> {
        let views = self.0.iter().map(|(name, tensor)| (name, lent(tensor)));
        serialize_to_file(views, Some(id.metadata()), path).map_err(|error| error.to_string())
    }
}

fn lent(tensor: &Tensor) -> Lent<'_, impl Deref<Target = Storage>> {
    let (storage, layout) = tensor.storage_and_layout();
    Lent { storage, layout }
}

/// A contiguous f32 tensor on the CPU.
struct Lent<'a, G> {
    /// Keeps the values from being changed meanwhile.
    storage: G,
    layout: &'a Layout,
}

impl<G: Deref<Target = Storage>> View for Lent<'_, G> {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        self.layout.dims()
    }

    fn data(&self) -> Cow<'_, [u8]> {
        let numbers = match &*self.storage {
            Storage::Cpu(CpuStorage::F32(numbers)) => numbers.as_slice(),
            // `Export::of` has moved every tensor to the CPU.
            _ => &[],
        };
        let start = self.layout.start_offset();
        let numbers = &numbers[start..start + self.layout.shape().elem_count()];
        Cow::Borrowed(bytemuck::cast_slice(numbers))
    }

    fn data_len(&self) -> usize {
        self.layout.shape().elem_count() * DType::F32.size_in_bytes()
    }
}

//! The weights file: written from where the numbers are, read by mapping it into memory.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use candle_core::safetensors::MmapedSafetensors;
use candle_core::{CpuStorage, DType, Device, Layout, Storage, Tensor};
use candle_nn::{VarBuilder, VarMap};
use safetensors::tensor::{Dtype, View, serialize_to_file};

use crate::config::ModelConfig;
use crate::embedding::{Embedding, MappedTable};
use crate::error::{Error, Result};
use crate::network::SentimentRnn;
use crate::parameters;
use crate::vocabularies::Vocabularies;

/// A weights file, mapped into memory and checked.
pub(crate) struct Weights {
    path: PathBuf,
    file: MmapedSafetensors,
}

impl Weights {
    pub(crate) fn open(
        path: &Path,
        config: &ModelConfig,
        vocabularies: &Vocabularies,
    ) -> Result<Self> {
        // SAFETY: the mapped bytes must not change while they are read. A model folder is replaced
        // whole, by renaming, and its old files live on for whoever has them open; nobody writes into
        // one in place.
        let file = unsafe { MmapedSafetensors::new(path) }.map_err(|error| Error::Damaged {
            path: path.to_path_buf(),
            expected: "safetensors",
            reason: format!("{error}; the file may be cut short, copy it again"),
        })?;
        let mismatch = |reason| Error::Mismatch { path: path.to_path_buf(), reason };
        let tensors = file.tensors();
        let shapes = parameters::shapes(config, vocabularies)?;
        for (name, shape) in &shapes {
            match tensors.iter().find(|(other, _)| other == name) {
                None => return Err(mismatch(format!("it lacks {name}"))),
                Some((_, tensor)) if tensor.shape() != shape => {
                    let got = tensor.shape();
                    return Err(mismatch(format!("{name} has shape {got:?}, expected {shape:?}")));
                }
                Some(_) => {}
            }
        }
        if let Some((name, _)) = tensors.iter().find(|(name, _)| !shapes.contains_key(name)) {
            return Err(mismatch(format!("it holds {name}, which this network does not have")));
        }
        drop(tensors);
        Ok(Self { path: path.to_path_buf(), file })
    }

    /// The network; on the CPU, the embedding's table stays in the file.
    pub(crate) fn network(
        self,
        config: &ModelConfig,
        vocabularies: Vocabularies,
        device: &Device,
    ) -> Result<SentimentRnn> {
        let mut loaded = HashMap::new();
        let is_f32 = DType::try_from(self.file.get(parameters::TABLE)?.dtype())? == DType::F32;
        let stays = device.is_cpu() && is_f32 && cfg!(target_endian = "little");
        for (name, _) in self.file.tensors() {
            if stays && name == parameters::TABLE {
                continue;
            }
            let tensor = self.file.load(&name, device).map_err(|error| Error::Damaged {
                path: self.path.clone(),
                expected: "safetensors",
                reason: error.to_string(),
            })?;
            loaded.insert(name, tensor.to_dtype(DType::F32)?);
        }
        let table = loaded.remove(parameters::TABLE);
        let embedding = match table {
            Some(table) => Embedding::Loaded(table),
            None => Embedding::Mapped(Arc::new(MappedTable::new(
                self.file,
                parameters::TABLE,
                config.embedding_dim,
            ))),
        };
        let vb = VarBuilder::from_tensors(loaded, DType::F32, device);
        SentimentRnn::with_embedding(config, vocabularies, embedding, vb)
    }
}

/// Writes all variables as f32, without copying them. Gives the reason if it fails.
pub(crate) fn write(variables: &VarMap, path: &Path) -> std::result::Result<(), String> {
    let on_cpu =
        |tensor: Tensor| tensor.to_dtype(DType::F32)?.to_device(&Device::Cpu)?.contiguous();
    let tensors = parameters::sorted(variables)
        .into_iter()
        .map(|(name, var)| Ok((name, on_cpu(var.as_detached_tensor())?)))
        .collect::<candle_core::Result<Vec<_>>>()
        .map_err(|error| error.to_string())?;
    let views = tensors.iter().map(|(name, tensor)| {
        let (storage, layout) = tensor.storage_and_layout();
        (name, Lent { storage, layout })
    });
    serialize_to_file(views, None, path).map_err(|error| error.to_string())
}

/// A contiguous f32 tensor on the CPU.
struct Lent<'a, G> {
    /// Keeps the numbers from being changed meanwhile.
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
            // `write` has brought every tensor here.
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

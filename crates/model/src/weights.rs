//! The weights file: written without copying, read by memory-mapping.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use candle_core::safetensors::Load as _;
use candle_core::{CpuStorage, DType, Device, Layout, Storage, Tensor};
use candle_nn::{VarBuilder, VarMap};
use safetensors::tensor::{Dtype, View, serialize_to_file};

use crate::config::ModelConfig;
use crate::embedding::{Embedding, MappedTable};
use crate::error::{Error, Result};
use crate::folder::{Identifier, ModelId};
use crate::mapped::MappedFile;
use crate::network::RecurrentClassifier;
use crate::parameters;
use crate::regularization::Regularization;
use crate::vocabularies::Vocabularies;

/// A weights file, memory-mapped and checked.
pub(crate) struct Weights {
    path: PathBuf,
    file: MappedFile,
}

impl Weights {
    pub(crate) fn open(path: &Path) -> Result<Self> {
        Ok(Self { path: path.to_path_buf(), file: MappedFile::open(path)? })
    }

    /// The id of the model that the file belongs to, if recorded.
    pub(crate) fn id(&self) -> Option<ModelId> {
        self.file.id()
    }

    /// Whether the file holds the tensors of these shapes and no others.
    fn check(&self, shapes: &BTreeMap<String, Vec<usize>>) -> Result<()> {
        let mismatch = |reason| Error::Mismatch { path: self.path.clone(), reason };
        let stored: HashMap<&str, &[usize]> = self.file.shapes().collect();
        for (name, shape) in shapes {
            match stored.get(name.as_str()) {
                None => return Err(mismatch(format!("it lacks {name}"))),
                Some(got) if got != shape => {
                    return Err(mismatch(format!("{name} has shape {got:?}, expected {shape:?}")));
                }
                Some(_) => {}
            }
        }
        match stored.keys().find(|name| !shapes.contains_key(**name)) {
            Some(name) => {
                Err(mismatch(format!("it holds {name}, which this network does not have")))
            }
            None => Ok(()),
        }
    }

    /// The network; on the CPU, the embedding's table stays in the file.
    ///
    /// `zeros`: tensors that the file's older format lacks; the network gets zeros for them.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if the file's tensors are not those of the network.
    pub(crate) fn network(
        self,
        config: &ModelConfig,
        vocabularies: Vocabularies,
        zeros: &[&str],
        device: &Device,
    ) -> Result<RecurrentClassifier> {
        let (zeros, shapes) = parameters::shapes(config, &vocabularies)?
            .into_iter()
            .partition::<BTreeMap<_, _>, _>(|(name, _)| zeros.contains(&name.as_str()));
        self.check(&shapes)?;
        let mut loaded = HashMap::new();
        for (name, shape) in zeros {
            loaded.insert(name, Tensor::zeros(shape, DType::F32, device)?);
        }
        let is_f32 = self.file.get(parameters::TABLE)?.dtype() == Dtype::F32;
        let stays = device.is_cpu() && is_f32 && cfg!(target_endian = "little");
        for (name, _) in self.file.shapes() {
            if stays && name == parameters::TABLE {
                continue;
            }
            let load = |name| self.file.get(name)?.load(device)?.to_dtype(DType::F32);
            let tensor = load(name).map_err(|error| Error::Damaged {
                path: self.path.clone(),
                expected: "safetensors",
                reason: error.to_string(),
            })?;
            loaded.insert(name.to_string(), tensor);
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
        let none = Regularization::NONE;
        RecurrentClassifier::with_embedding(config, &none, vocabularies, embedding, vb)?.freeze()
    }
}

/// All variables as f32 on the CPU, copied only where necessary.
pub(crate) struct Export(Vec<(String, Tensor)>);

impl Export {
    pub(crate) fn of(variables: &VarMap) -> candle_core::Result<Self> {
        let on_cpu =
            |tensor: Tensor| tensor.to_dtype(DType::F32)?.to_device(&Device::Cpu)?.contiguous();
        let tensors = parameters::sorted(variables)
            .into_iter()
            .map(|(name, var)| Ok((name, on_cpu(var.as_detached_tensor())?)));
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

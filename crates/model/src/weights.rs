//! A network from stored weights.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use candle_core::safetensors::Load as _;
use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use safetensors::tensor::Dtype;

use crate::config::ModelConfig;
use crate::embedding::{Embedding, StoredTable};
use crate::error::{Error, Result};
use crate::network::RecurrentClassifier;
use crate::parameters::{self, Weights};
use crate::regularization::Regularization;
use crate::stored::StoredTensors;
use crate::vocabularies::Vocabularies;

impl RecurrentClassifier {
    /// The network with these weights, frozen, for answering; on the CPU, the embedding's table stays where the
    /// weights are stored, and only the rows of a text's words are read.
    ///
    /// `zeros`: names of tensors that an older format lacks; the network gets zeros for them.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if the tensors are not those of the network; [`Error::Unreadable`].
    pub fn from_stored(
        stored: StoredTensors,
        config: &ModelConfig,
        vocabularies: Vocabularies,
        zeros: &[&str],
        device: &Device,
    ) -> Result<Self> {
        let zeros = checked(&stored, (config, &vocabularies), zeros)?;
        let mut loaded = HashMap::new();
        for (name, shape) in zeros {
            loaded.insert(name, Tensor::zeros(shape, DType::F32, device)?);
        }
        let is_f32 = stored.get(parameters::TABLE)?.dtype() == Dtype::F32;
        let stays = device.is_cpu() && is_f32 && cfg!(target_endian = "little");
        for (name, _) in stored.shapes() {
            if stays && name == parameters::TABLE {
                continue;
            }
            // A device that fails is no fault of the file.
            let tensor = read(&stored, name)?.to_device(device)?;
            loaded.insert(name.to_string(), tensor);
        }
        let table = loaded.remove(parameters::TABLE);
        let embedding = match table {
            Some(table) => Embedding::Loaded(table),
            None => Embedding::Stored(Arc::new(StoredTable::new(
                stored,
                parameters::TABLE,
                config.embedding_dim,
            ))),
        };
        let vb = VarBuilder::from_tensors(loaded, DType::F32, device);
        let none = Regularization::NONE;
        Self::with_embedding(config, &none, vocabularies, embedding, vb)?.freeze()
    }

    /// Copies of all weights of such a network, f32 on the CPU: for a training that starts from them.
    ///
    /// # Errors
    /// As [`from_stored`](Self::from_stored).
    pub fn stored_weights(
        stored: &StoredTensors,
        config: &ModelConfig,
        vocabularies: &Vocabularies,
        zeros: &[&str],
    ) -> Result<Weights> {
        let mut weights = Weights::new();
        for (name, shape) in checked(stored, (config, vocabularies), zeros)? {
            weights.insert(name, Tensor::zeros(shape, DType::F32, &Device::Cpu)?);
        }
        for (name, _) in stored.shapes() {
            weights.insert(name.to_string(), read(stored, name)?);
        }
        Ok(weights)
    }
}

/// Checks that the stored tensors are those of a network; names and shapes of those that may be absent.
fn checked(
    stored: &StoredTensors,
    (config, vocabularies): (&ModelConfig, &Vocabularies),
    zeros: &[&str],
) -> Result<BTreeMap<String, Vec<usize>>> {
    let (zeros, shapes) = parameters::shapes(config, vocabularies)?
        .into_iter()
        .partition::<BTreeMap<_, _>, _>(|(name, _)| zeros.contains(&name.as_str()));
    check(stored, &shapes)?;
    Ok(zeros)
}

/// A stored tensor, f32 on the CPU.
fn read(stored: &StoredTensors, name: &str) -> Result<Tensor> {
    let load = || stored.get(name)?.load(&Device::Cpu)?.to_dtype(DType::F32);
    load().map_err(|error| Error::Unreadable { reason: recurrent::error_in_words(&error) })
}

/// Checks that there are the tensors of these shapes and no others.
fn check(stored: &StoredTensors, shapes: &BTreeMap<String, Vec<usize>>) -> Result<()> {
    let mismatch = |reason| Error::Mismatch { reason };
    let got: HashMap<&str, &[usize]> = stored.shapes().collect();
    for (name, shape) in shapes {
        match got.get(name.as_str()) {
            None => return Err(mismatch(format!("it lacks {name}"))),
            Some(got) if got != shape => {
                return Err(mismatch(format!("{name} has shape {got:?}, expected {shape:?}")));
            }
            Some(_) => {}
        }
    }
    match got.keys().find(|name| !shapes.contains_key(**name)) {
        Some(name) => Err(mismatch(format!("it holds {name}, which this network does not have"))),
        None => Ok(()),
    }
}

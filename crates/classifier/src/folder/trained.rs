//! A trained model as another training starts from it.

use std::path::Path;

use candle_core::Device;
use model::{RecurrentClassifier, Weights};

use super::files::WEIGHTS_FILE;
use super::identity::{ModelId, check_id};
use super::load::{Records, SAFETENSORS, in_file, patiently, read, read_config, tensors_of};
use super::seen::SeenTexts;
use crate::classifier::Classifier;
use crate::error::Result;
use crate::source::ModelFiles;

/// A trained model, its records, and copies of its weights: nothing of it is read from the folder later, which may be
/// replaced or removed.
#[derive(Debug, Clone)]
pub struct TrainedModel {
    /// The model, on the CPU.
    pub classifier: Classifier,
    /// What the folder holds besides.
    pub records: Records,
    /// All weights by name, f32 on the CPU, with shares, temperatures and shifts folded in.
    pub weights: Weights,
}

impl TrainedModel {
    /// Reads a model folder, even while it is being replaced.
    ///
    /// # Errors
    /// As [`Classifier::open`].
    pub fn load(folder: &Path) -> Result<Self> {
        patiently(folder, || {
            let files = ModelFiles::from(folder);
            let (classifier, metrics) = read(&files, &Device::Cpu)?;
            let (id, network) = (classifier.id(), classifier.network());
            let path = files.path(WEIGHTS_FILE);
            let stored = tensors_of(files.bytes(WEIGHTS_FILE)?, &path)?;
            check_id(&path, ModelId::in_metadata(stored.metadata()), id)?;
            let zeros = read_config(folder)?.absent_tensors();
            let (config, vocabularies) = (network.config(), network.vocabularies());
            let weights = RecurrentClassifier::stored_weights(&stored, config, vocabularies, zeros)
                .map_err(|error| in_file(error, &path, SAFETENSORS))?;
            let seen = SeenTexts::read(folder, id)?;
            Ok(Self { classifier, records: Records { id, metrics, seen }, weights })
        })
    }
}

//! The digests of the texts that a model has seen.

use std::borrow::Cow;
use std::io;
use std::path::Path;

use safetensors::tensor::{Dtype, View, serialize_to_file};

use super::files::SEEN_TEXTS_FILE;
use super::identity::{ModelId, check_id};
use super::load::tensors_of;
use crate::error::{Error, Result};
use crate::mapped::map;

/// The tensors' names.
const TRAIN: &str = "train";
const VALIDATION: &str = "validation";

const DIGEST_BYTES: usize = size_of::<u64>();

/// 64-bit digests (of `text_preprocessing`) of the texts that a model was trained on and selected with,
/// so that an evaluation can separate seen texts from unseen ones.
///
/// They are stored in a separate file, `seen_texts.safetensors`: the tensors `train` and `validation`,
/// u64, each ascending. A digest does not reveal its text, but anyone who has a text can find out
/// whether it was among them. If that is a problem, delete the file: the model works without it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SeenTexts {
    /// Digests of the texts that the model was trained on.
    pub train: Vec<u64>,
    /// Digests of the texts that the model was selected with.
    pub validation: Vec<u64>,
}

impl SeenTexts {
    /// Whether it is unknown what the model has seen. Empty digests are not written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.train.is_empty() && self.validation.is_empty()
    }

    /// Reads the digests of a folder whose model has this id.
    pub(super) fn read(folder: &Path, expected: Option<ModelId>) -> Result<Option<Self>> {
        let path = folder.join(SEEN_TEXTS_FILE);
        let bytes = match map(&path) {
            Err(source) if source.kind() == io::ErrorKind::NotFound => return Ok(None),
            bytes => {
                bytes.map_err(|source| Error::Io { action: "read", path: path.clone(), source })?
            }
        };
        let file = tensors_of(bytes, &path)?;
        check_id(&path, ModelId::in_metadata(file.metadata()), expected)?;
        let damaged = |reason: String| Error::Damaged {
            path: path.clone(),
            expected: "the digests of the texts that a model has seen",
            reason,
        };
        let digests = |name: &str| {
            let tensor = file.get(name).map_err(|error| damaged(error.to_string()))?;
            if tensor.dtype() != Dtype::U64 || tensor.shape().len() != 1 {
                let (dtype, shape) = (tensor.dtype(), tensor.shape());
                return Err(damaged(format!(
                    "{name} is {dtype:?} {shape:?}, expected a one-dimensional U64 tensor"
                )));
            }
            let (bytes, _) = tensor.data().as_chunks::<DIGEST_BYTES>();
            let digests: Vec<u64> = bytes.iter().map(|bytes| u64::from_le_bytes(*bytes)).collect();
            if !digests.is_sorted() {
                return Err(damaged(format!("{name} is not ascending")));
            }
            Ok(digests)
        };
        Ok(Some(Self { train: digests(TRAIN)?, validation: digests(VALIDATION)? }))
    }

    /// Writes the digests of a model, sorted. Returns the reason if it fails.
    pub(super) fn write(&self, id: ModelId, path: &Path) -> std::result::Result<(), String> {
        let tensors =
            [(TRAIN, Digests::of(&self.train)), (VALIDATION, Digests::of(&self.validation))];
        serialize_to_file(tensors, Some(id.metadata()), path).map_err(|error| error.to_string())
    }
}

/// Sorted digests as stored in the file.
struct Digests {
    bytes: Vec<u8>,
    shape: [usize; 1],
}

impl Digests {
    fn of(digests: &[u64]) -> Self {
        let mut sorted = digests.to_vec();
        sorted.sort_unstable();
        let bytes = sorted.into_iter().flat_map(u64::to_le_bytes).collect();
        Self { bytes, shape: [digests.len()] }
    }
}

impl View for Digests {
    fn dtype(&self) -> Dtype {
        Dtype::U64
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.bytes)
    }

    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}

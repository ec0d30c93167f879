//! The digests of the texts that a model has seen.

use std::borrow::Cow;
use std::io;
use std::path::Path;

use safetensors::tensor::{Dtype, View, serialize_to_file};

use super::files::SEEN_TEXTS_FILE;
use super::identity::ModelId;
use crate::error::{Error, Result};
use crate::mapped::MappedFile;

/// The tensors' names.
const TRAIN: &str = "train";
const VALIDATION: &str = "validation";

const DIGEST_BYTES: usize = size_of::<u64>();

/// 64-bit digests (of `text_preprocessing`) of the texts that a model learned from and was chosen by, so that whoever
/// measures it can tell seen texts from unseen ones.
///
/// They stand in a file of their own, `seen_texts.safetensors`: the tensors `train` and `validation`, u64, each
/// ascending. A digest does not give its text away, but whoever has a text can tell whether it was among
/// them. If that must not be, delete the file: the model works without it, and nobody can tell any more.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SeenTexts {
    /// Of the texts that were learned from.
    pub train: Vec<u64>,
    /// Of the texts that the model was chosen by.
    pub validation: Vec<u64>,
}

impl SeenTexts {
    /// Whether nothing is known of what the model has seen. Such digests are not written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.train.is_empty() && self.validation.is_empty()
    }

    /// Reads the digests of a model folder. `None`: the file is not there; it was deleted on purpose, or the
    /// model is older than it.
    ///
    /// To be sure that they are those of a model that was loaded before, see
    /// [`load_with_records`](super::load_with_records).
    ///
    /// # Errors
    /// [`Error::Damaged`] if the file cannot be read; [`Error::Mixed`] if it is another model's.
    pub fn load(folder: &Path) -> Result<Option<Self>> {
        super::load::patiently(folder, || {
            let config = super::load::read_config(folder)?;
            Self::read(folder, config.model_id)
        })
    }

    /// Reads the digests of a folder whose model has this id.
    pub(super) fn read(folder: &Path, expected: Option<ModelId>) -> Result<Option<Self>> {
        let path = folder.join(SEEN_TEXTS_FILE);
        let file = match MappedFile::open(&path) {
            Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                return Ok(None);
            }
            file => file?,
        };
        super::load::check_id(&path, file.id(), expected)?;
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
                    "{name} is {dtype:?} {shape:?}, expected a list of U64"
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

    /// Writes the digests of a model, sorted. Gives the reason if it fails.
    pub(super) fn write(&self, id: ModelId, path: &Path) -> std::result::Result<(), String> {
        let tensors =
            [(TRAIN, Digests::of(&self.train)), (VALIDATION, Digests::of(&self.validation))];
        serialize_to_file(tensors, Some(id.metadata()), path).map_err(|error| error.to_string())
    }
}

/// Sorted digests as they stand in the file.
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

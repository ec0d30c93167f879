//! Which model a file belongs to: an id stored in every file of a model folder.
//!
//! The id is a digest of the model's configuration, task, thresholds, tokenizer, n-grams and weights. So
//! equal training runs write equal bytes, and files with the same id belong together. It is computed when a
//! model is saved; loading only compares ids, without reading the weights.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;

use safetensors::tensor::View;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use xxhash_rust::xxh3::{Xxh3Default, xxh3_64};

use crate::error::Error;

/// The name of the id in `config.json`, `metrics.json` and the metadata of safetensors files.
pub const MODEL_ID: &str = "model_id";

/// The id of a model: 64 bits, written as 16 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ModelId(u64);

impl fmt::Display for ModelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl ModelId {
    fn parse(text: &str) -> Option<Self> {
        let is_id = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_id.then(|| u64::from_str_radix(text, 16).ok().map(Self)).flatten()
    }

    /// The metadata of a safetensors file of this model. One entry, because the order of several would
    /// not be fixed.
    pub(crate) fn metadata(self) -> HashMap<String, String> {
        HashMap::from([(MODEL_ID.to_string(), self.to_string())])
    }

    /// The id in the metadata of a safetensors file.
    pub(crate) fn in_metadata(metadata: Option<&HashMap<String, String>>) -> Option<Self> {
        metadata?.get(MODEL_ID).and_then(|text| Self::parse(text))
    }
}

impl Serialize for ModelId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ModelId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| {
            serde::de::Error::custom(format!("{text:?} is not an id of 16 hexadecimal digits"))
        })
    }
}

/// Computes a model's id from its parts.
pub(crate) struct Identifier(Xxh3Default);

impl Identifier {
    pub(crate) fn new() -> Self {
        Self(Xxh3Default::new())
    }

    /// Adds a part and its name, with their lengths, so that no byte can move from one part to the
    /// next.
    pub(crate) fn part(&mut self, name: &str, bytes: &[u8]) {
        for bytes in [name.as_bytes(), bytes] {
            self.0.update(&(bytes.len() as u64).to_le_bytes());
            self.0.update(bytes);
        }
    }

    /// Adds a tensor.
    pub(crate) fn tensor(&mut self, name: &str, tensor: &impl View) {
        let shape: Vec<u8> =
            tensor.shape().iter().flat_map(|&size| (size as u64).to_le_bytes()).collect();
        self.part(name, &shape);
        self.part("", &tensor.data());
    }

    pub(crate) fn id(&self) -> ModelId {
        ModelId(self.0.digest())
    }
}

/// The digest of a file that has no place for an id, as text.
pub(super) fn file_digest(contents: &[u8]) -> String {
    format!("{:016x}", xxh3_64(contents))
}

/// Fails if a file belongs to a different model than the configuration beside it. Models of format 2
/// have no ids.
pub(super) fn check_id(
    path: &Path,
    got: Option<ModelId>,
    expected: Option<ModelId>,
) -> Result<(), Error> {
    match expected {
        Some(expected) if got != Some(expected) => {
            let got = got.map_or_else(
                || {
                    "missing (a file that this program did not write needs it in its metadata)"
                        .to_string()
                },
                |id| id.to_string(),
            );
            Err(mixed(path, MODEL_ID, got, expected.to_string()))
        }
        _ => Ok(()),
    }
}

pub(super) fn mixed(path: &Path, key: &'static str, got: String, expected: String) -> Error {
    Error::Mixed { path: path.to_path_buf(), key, got, expected }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_written_and_read_as_16_digits() {
        let id = ModelId(0xf00);
        assert_eq!(id.to_string(), "0000000000000f00");
        assert_eq!(ModelId::parse("0000000000000f00"), Some(id));
        assert_eq!(ModelId::in_metadata(Some(&id.metadata())), Some(id));
        for text in ["", "f00", "+000000000000f00", "0000000000000f00 ", "g000000000000f00"] {
            assert_eq!(ModelId::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn every_part_counts_and_so_does_where_it_ends() {
        let id = |parts: &[(&str, &str)]| {
            let mut identifier = Identifier::new();
            parts.iter().for_each(|(name, bytes)| identifier.part(name, bytes.as_bytes()));
            identifier.id()
        };
        let whole = id(&[("a", "xy"), ("b", "z")]);
        assert_eq!(whole, id(&[("a", "xy"), ("b", "z")]));
        for other in [
            &[("a", "x"), ("b", "yz")][..],
            &[("ax", "y"), ("b", "z")],
            &[("b", "z"), ("a", "xy")],
            &[("a", "xy")],
        ] {
            assert_ne!(whole, id(other), "{other:?}");
        }
    }
}

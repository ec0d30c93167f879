//! A store's header: that of safetensors, of a fixed length, so that it can be written last.

use std::path::Path;

use safetensors::{Dtype, SafeTensors};
use serde::Serialize;
use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::origin::Origin;

/// Bytes before the first vector, the header's length among them.
pub(crate) const HEADER_BYTES: usize = 4096;
const LENGTH_BYTES: usize = 8;
const FORMAT: &str = "sentiment word vectors 1";

const VECTORS: &str = "vectors";
const ENDS: &str = "ends";
const WORDS: &str = "words";

/// How much of each a store holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sizes {
    pub(crate) n_words: usize,
    pub(crate) n_features: usize,
    /// Bytes of all words.
    pub(crate) n_bytes: usize,
}

/// What the header says.
#[derive(Debug)]
pub(crate) struct Header {
    pub(crate) sizes: Sizes,
    pub(crate) origin: Origin,
    /// SHA-256 of everything after the header.
    pub(crate) contents_sha256: String,
}

#[derive(Serialize)]
struct Metadata<'a> {
    format: &'static str,
    #[serde(flatten)]
    origin: &'a Origin,
    contents_sha256: &'a str,
}

impl Sizes {
    /// Bytes of the vectors.
    pub(crate) fn vector_bytes(self) -> usize {
        self.n_words * self.n_features * size_of::<f32>()
    }

    /// Whether all bytes can be counted. A damaged file may have any sizes.
    fn fit(self) -> bool {
        let bytes = |sizes: &[usize]| {
            sizes.iter().try_fold(1usize, |product, size| product.checked_mul(*size))
        };
        let vectors = bytes(&[self.n_words, self.n_features, size_of::<f32>()]);
        let ends = bytes(&[self.n_words, size_of::<u32>()]);
        let all = vectors.zip(ends).and_then(|(vectors, ends)| vectors.checked_add(ends));
        all.and_then(|all| all.checked_add(self.n_bytes)).is_some()
    }

    /// Bytes of the ends of words.
    pub(crate) fn end_bytes(self) -> usize {
        self.n_words * size_of::<u32>()
    }

    /// The tensors, in order: name, type, shape and bytes.
    fn tensors(self) -> [(&'static str, Dtype, Vec<usize>, usize); 3] {
        let Self { n_words, n_features, n_bytes } = self;
        [
            (VECTORS, Dtype::F32, vec![n_words, n_features], self.vector_bytes()),
            (ENDS, Dtype::U32, vec![n_words], self.end_bytes()),
            (WORDS, Dtype::U8, vec![n_bytes], n_bytes),
        ]
    }
}

/// Whether a file that begins so is a safetensors file, of a store or of something else.
pub(crate) fn is_safetensors(head: &[u8], n_bytes: u64) -> bool {
    let Some((length, rest)) = head.split_first_chunk::<LENGTH_BYTES>() else { return false };
    u64::from_le_bytes(*length) < n_bytes && rest.first() == Some(&b'{')
}

impl Header {
    /// The header as bytes.
    ///
    /// # Errors
    /// [`Error::LongOrigin`].
    pub(crate) fn to_bytes(&self, path: &Path) -> Result<Vec<u8>> {
        let failed = |source: serde_json::Error| Error::Write {
            path: path.to_path_buf(),
            source: source.into(),
        };
        let Self { sizes, origin, contents_sha256 } = self;
        let metadata = Metadata { format: FORMAT, origin, contents_sha256 };
        let mut all = serde_json::Map::new();
        all.insert("__metadata__".into(), serde_json::to_value(metadata).map_err(failed)?);
        let mut from = 0;
        for (name, dtype, shape, n_bytes) in sizes.tensors() {
            let dtype = serde_json::to_value(dtype).map_err(failed)?;
            let offsets = [from, from + n_bytes];
            all.insert(
                name.into(),
                json!({ "dtype": dtype, "shape": shape, "data_offsets": offsets }),
            );
            from += n_bytes;
        }
        let text = Value::Object(all).to_string();
        let room = HEADER_BYTES - LENGTH_BYTES;
        if text.len() > room {
            let n_bytes = text.len() - room;
            return Err(Error::LongOrigin { path: path.to_path_buf(), n_bytes });
        }
        let mut bytes = (room as u64).to_le_bytes().to_vec();
        bytes.extend_from_slice(text.as_bytes());
        bytes.resize(HEADER_BYTES, b' ');
        Ok(bytes)
    }

    /// Reads the header of a whole file.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub(crate) fn parse(bytes: &[u8]) -> std::result::Result<Self, String> {
        let (n_header, found) =
            SafeTensors::read_metadata(bytes).map_err(|error| error.to_string())?;
        let metadata = found.metadata().as_ref();
        let of = |key: &str| metadata.and_then(|metadata| metadata.get(key));
        match of("format") {
            Some(format) if format == FORMAT => {}
            Some(format) => {
                return Err(format!("its format is {format:?}, and this program reads {FORMAT:?}"));
            }
            None => return Err("it is a safetensors file of something else".into()),
        }
        let shape = |name: &str| found.info(name).map(|info| info.shape.clone());
        let (Some(vectors), Some(words)) = (shape(VECTORS), shape(WORDS)) else {
            return Err("a tensor is missing".into());
        };
        let (&[n_words, n_features], &[n_bytes]) = (&*vectors, &*words) else {
            return Err("a tensor has another shape".into());
        };
        let sizes = Sizes { n_words, n_features, n_bytes };
        if n_header + LENGTH_BYTES != HEADER_BYTES || n_words == 0 || n_features == 0 {
            return Err("its header is not as it is written".into());
        }
        if !sizes.fit() {
            return Err("it has more words than memory could hold".into());
        }
        let mut from = 0;
        for (name, dtype, shape, n_bytes) in sizes.tensors() {
            let is_as_written = found.info(name).is_some_and(|info| {
                info.dtype == dtype
                    && info.shape == shape
                    && info.data_offsets == (from, from + n_bytes)
            });
            if !is_as_written {
                return Err(format!("the tensor {name} is not as it is written"));
            }
            from += n_bytes;
        }
        let said = |key: &str| of(key).cloned();
        Ok(Self {
            sizes,
            origin: Origin {
                name: said("name").unwrap_or_default(),
                version: said("version"),
                licence: said("licence"),
                origin: said("origin"),
                source_sha256: said("source_sha256").unwrap_or_default(),
            },
            contents_sha256: said("contents_sha256").unwrap_or_default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file with a header of these shapes and places, and nothing after it.
    fn file(vectors: [u64; 2], ends: u64) -> Vec<u8> {
        let tensor = |dtype: &str, shape: &[u64]| json!({ "dtype": dtype, "shape": shape, "data_offsets": [0, 0] });
        let text = json!({
            "__metadata__": { "format": FORMAT },
            VECTORS: tensor("F32", &vectors),
            ENDS: tensor("U32", &[ends]),
            WORDS: tensor("U8", &[0]),
        })
        .to_string();
        let room = HEADER_BYTES - LENGTH_BYTES;
        let mut bytes = (room as u64).to_le_bytes().to_vec();
        bytes.extend_from_slice(text.as_bytes());
        bytes.resize(HEADER_BYTES, b' ');
        bytes
    }

    #[test]
    fn sizes_that_no_file_has_are_an_error_and_no_overflow() {
        for (vectors, ends) in
            [([1 << 62, 0], 0), ([1 << 63, 0], 0), ([0, 1 << 62], 0), ([0, 0], 0)]
        {
            let error = Header::parse(&file(vectors, ends)).unwrap_err();
            assert_eq!(error, "its header is not as it is written", "{vectors:?}");
        }
        let sizes = |n_words, n_features, n_bytes| Sizes { n_words, n_features, n_bytes };
        assert!(sizes(3, 2, 9).fit());
        for large in [
            sizes(1 << 62, 1, 0),
            sizes(1 << 40, 1 << 40, 0),
            sizes(1, usize::MAX / 4, 0),
            sizes(1, 1, usize::MAX),
        ] {
            assert!(!large.fit(), "{large:?}");
        }
    }
}

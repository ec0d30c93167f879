//! Tensors in the bytes of a safetensors file, mapped or in memory; they are read in place.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::Arc;

use safetensors::tensor::{TensorInfo, TensorView};
use safetensors::{SafeTensorError, SafeTensors};

/// Bytes that are shared, not copied: a mapped file, or a buffer.
#[derive(Clone)]
pub struct Bytes(Arc<dyn AsRef<[u8]> + Send + Sync>);

impl Bytes {
    /// Shares what holds the bytes.
    pub fn new(holder: impl AsRef<[u8]> + Send + Sync + 'static) -> Self {
        Self(Arc::new(holder))
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        (*self.0).as_ref()
    }
}

impl std::fmt::Debug for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bytes").field("len", &self.len()).finish_non_exhaustive()
    }
}

/// The tensors of a safetensors file, whose header has been read and checked.
#[derive(Debug)]
pub struct StoredTensors {
    bytes: Bytes,
    tensors: HashMap<String, TensorInfo>,
    metadata: Option<HashMap<String, String>>,
    /// Offset of the first tensor.
    start: usize,
}

/// Bytes before the header: its length.
const LENGTH_BYTES: usize = 8;

impl StoredTensors {
    /// Reads the header.
    ///
    /// # Errors
    /// If the bytes are not those of a safetensors file, or not all of them.
    pub fn parse(bytes: Bytes) -> Result<Self, SafeTensorError> {
        let (header_bytes, header) = SafeTensors::read_metadata(&bytes)?;
        let metadata = header.metadata().clone();
        let tensors =
            header.tensors().into_iter().map(|(name, info)| (name, info.clone())).collect();
        Ok(Self { bytes, tensors, metadata, start: LENGTH_BYTES + header_bytes })
    }

    /// The header's metadata, if it has any.
    pub fn metadata(&self) -> Option<&HashMap<String, String>> {
        self.metadata.as_ref()
    }

    /// Every tensor's name and shape.
    pub(crate) fn shapes(&self) -> impl Iterator<Item = (&str, &[usize])> {
        self.tensors.iter().map(|(name, info)| (name.as_str(), info.shape.as_slice()))
    }

    /// A tensor by its name.
    ///
    /// # Errors
    /// If there is none of this name.
    pub fn get(&self, name: &str) -> candle_core::Result<TensorView<'_>> {
        let info = self
            .tensors
            .get(name)
            .ok_or_else(|| candle_core::Error::CannotFindTensor { path: name.to_string() }.bt())?;
        let (from, to) = info.data_offsets;
        // The header was checked against the number of bytes.
        let bytes = &self.bytes[self.start + from..self.start + to];
        Ok(TensorView::new(info.dtype, info.shape.clone(), bytes)?)
    }
}

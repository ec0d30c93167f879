//! A memory-mapped safetensors file: tensors are read in place, and the header of the same bytes
//! identifies the model that the file belongs to.

use std::collections::HashMap;
use std::fs::File;
use std::path::Path;

use memmap2::Mmap;
use safetensors::SafeTensors;
use safetensors::tensor::{TensorInfo, TensorView};

use crate::error::{Error, Result};
use crate::folder::ModelId;

/// A mapped file whose header has been read and checked.
pub(crate) struct MappedFile {
    map: Mmap,
    tensors: HashMap<String, TensorInfo>,
    /// Offset of the first tensor.
    start: usize,
    id: Option<ModelId>,
}

/// Bytes before the header: its length.
const LENGTH_BYTES: usize = 8;

impl MappedFile {
    /// Maps a file.
    ///
    /// # Errors
    /// [`Error::Damaged`] if it is not a safetensors file; [`Error::Io`] if it cannot be opened.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let io = |source| Error::Io { action: "read", path: path.to_path_buf(), source };
        let file = File::open(path).map_err(io)?;
        // SAFETY: the mapped bytes must not change while they are read. A model folder is replaced as a
        // whole, by renaming, and its old files stay valid for readers that have them open; nothing
        // writes to them in place.
        let map = unsafe { Mmap::map(&file) }.map_err(io)?;
        let (header_bytes, header) =
            SafeTensors::read_metadata(&map).map_err(|error| Error::Damaged {
                path: path.to_path_buf(),
                expected: "safetensors",
                reason: format!("{error}; the file may be truncated: copy it again"),
            })?;
        let id = ModelId::in_metadata(header.metadata().as_ref());
        let tensors =
            header.tensors().into_iter().map(|(name, info)| (name, info.clone())).collect();
        Ok(Self { map, tensors, start: LENGTH_BYTES + header_bytes, id })
    }

    /// The id of the model that the file belongs to, if recorded.
    pub(crate) fn id(&self) -> Option<ModelId> {
        self.id
    }

    /// Every tensor's name and shape.
    pub(crate) fn shapes(&self) -> impl Iterator<Item = (&str, &[usize])> {
        self.tensors.iter().map(|(name, info)| (name.as_str(), info.shape.as_slice()))
    }

    /// A tensor by its name.
    pub(crate) fn get(&self, name: &str) -> candle_core::Result<TensorView<'_>> {
        let info = self
            .tensors
            .get(name)
            .ok_or_else(|| candle_core::Error::CannotFindTensor { path: name.to_string() }.bt())?;
        let (from, to) = info.data_offsets;
        // The header was checked against the file's length.
        let bytes = &self.map[self.start + from..self.start + to];
        Ok(TensorView::new(info.dtype, info.shape.clone(), bytes)?)
    }
}

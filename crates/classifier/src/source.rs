//! Where the files of a model are: in a folder, or in memory.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::Bytes;

use crate::error::{Error, Result};
use crate::mapped::map;

/// The files of a model: a folder that holds them, or their contents by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelFiles {
    /// A folder. Weights are mapped, not read, so that they are shared with other processes.
    Folder(PathBuf),
    /// Contents by file name, as [`folder::read_files`](crate::folder::read_files) reads them: `config.json`, `tokenizer.json`,
    /// `model.safetensors` and, with a linear path, `ngrams.safetensors`.
    Memory(BTreeMap<String, Arc<[u8]>>),
}

impl ModelFiles {
    /// The name of a file in messages.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        match self {
            Self::Folder(folder) => folder.join(name),
            Self::Memory(_) => name.into(),
        }
    }

    /// The contents of a file, read or, if they are tensors, mapped.
    ///
    /// # Errors
    /// [`Error::Io`]; that it does not exist is an error, too.
    pub(crate) fn bytes(&self, name: &str) -> Result<Bytes> {
        let read = match self {
            Self::Folder(folder) if name.ends_with(".safetensors") => map(&folder.join(name)),
            Self::Folder(folder) => fs::read(folder.join(name)).map(Bytes::new),
            Self::Memory(files) => match files.get(name) {
                Some(bytes) => Ok(Bytes::new(Arc::clone(bytes))),
                None => Err(io::ErrorKind::NotFound.into()),
            },
        };
        read.map_err(|source| Error::Io { action: "read", path: self.path(name), source })
    }
}

impl From<PathBuf> for ModelFiles {
    fn from(folder: PathBuf) -> Self {
        Self::Folder(folder)
    }
}

impl From<&Path> for ModelFiles {
    fn from(folder: &Path) -> Self {
        Self::Folder(folder.to_path_buf())
    }
}

impl From<&PathBuf> for ModelFiles {
    fn from(folder: &PathBuf) -> Self {
        Self::Folder(folder.clone())
    }
}

impl From<&str> for ModelFiles {
    fn from(folder: &str) -> Self {
        Self::Folder(folder.into())
    }
}

impl From<BTreeMap<String, Arc<[u8]>>> for ModelFiles {
    fn from(files: BTreeMap<String, Arc<[u8]>>) -> Self {
        Self::Memory(files)
    }
}

//! Writes files whole, into a folder that one process fetches into at a time. A download that can be resumed
//! grows in a `.part` file; all other files are staged.

use std::fs::{self, File, TryLockError};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use polars::error::PolarsError;
use polars::prelude::{DataFrame, ParquetWriter};
use whole_file::Staged;

use super::checksum::HashingWriter;
use super::error::{FetchError, io_error};

/// A locked folder: no other process fetches into it while this value lives.
#[derive(Debug)]
pub(super) struct LockedFolder {
    // The system releases the lock with the handle, even if the process is killed.
    _lock: Option<File>,
}

impl LockedFolder {
    /// Creates the folder if it is missing, and locks it.
    pub(super) fn new(folder: &Path) -> Result<Self, FetchError> {
        fs::create_dir_all(folder).map_err(io_error("create the folder", folder))?;
        // Never removed: otherwise two processes could lock two files of the same name.
        let path = folder.join(".fetch.lock");
        let file = File::create(&path).map_err(io_error("write", &path))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _lock: Some(file) }),
            Err(TryLockError::WouldBlock) => Err(FetchError::Busy { folder: folder.to_owned() }),
            // Some network file systems have no locks; then the user must run only one process.
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {
                Ok(Self { _lock: None })
            }
            Err(TryLockError::Error(error)) => Err(io_error("lock", &path)(error)),
        }
    }
}

/// A Parquet file that is complete but not yet under its name; removed unless it is [kept](Self::keep).
#[derive(Debug)]
pub(super) struct StagedTable {
    path: PathBuf,
    staged: Staged,
    pub(super) n_bytes: u64,
    pub(super) sha256: String,
}

impl StagedTable {
    /// Encodes a table that will be at `path`.
    pub(super) fn write(path: &Path, frame: &mut DataFrame) -> Result<Self, FetchError> {
        let failed = || io_error("write", path);
        let mut staged = Staged::beside(path).map_err(failed())?;
        let mut writer = HashingWriter::new(BufWriter::new(staged.file()));
        ParquetWriter::new(&mut writer).finish(frame).map_err(|error| match io_cause(&error) {
            Some(cause) => failed()(cause),
            None => FetchError::Parquet { path: path.to_owned(), source: error },
        })?;
        let (mut writer, n_bytes, sha256) = writer.finish();
        // A full disk may be noticed only here.
        writer.flush().map_err(failed())?;
        drop(writer);
        Ok(Self { path: path.to_owned(), staged, n_bytes, sha256 })
    }

    /// Gives the file its name, replacing any existing file.
    pub(super) fn keep(self) -> Result<(), FetchError> {
        self.staged.replace(&self.path).map_err(io_error("write", &self.path))
    }
}

/// Writes a small file completely or not at all.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> Result<(), FetchError> {
    whole_file::write(path, bytes).map_err(io_error("write", path))
}

/// `imdb.parquet` → `imdb.parquet.part`.
pub(super) fn part_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    name.into()
}

/// The system's error inside a polars error, if any: a full disk is not the encoder's fault.
fn io_cause(error: &PolarsError) -> Option<io::Error> {
    match error {
        // `io::Error` cannot be cloned; kind and text are what the message needs.
        PolarsError::IO { error, .. } => Some(match error.raw_os_error() {
            Some(code) => io::Error::from_raw_os_error(code),
            None => io::Error::new(error.kind(), error.to_string()),
        }),
        PolarsError::Context { error, .. } => io_cause(error),
        _ => None,
    }
}

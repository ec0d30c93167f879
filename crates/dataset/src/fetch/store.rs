//! Writing: always to a `.part` file in the same folder first, renamed when it is whole.

use std::fs::{self, File, TryLockError};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use polars::error::PolarsError;
use polars::prelude::{DataFrame, ParquetWriter};

use super::checksum::HashingWriter;
use super::error::{FetchError, io_error};

/// A folder that no other process fetches into while this value lives.
#[derive(Debug)]
pub(super) struct LockedFolder {
    // The system frees the lock with the handle, even if the process is killed.
    _lock: Option<File>,
}

impl LockedFolder {
    /// Makes the folder where it is missing, and locks it.
    pub(super) fn new(folder: &Path) -> Result<Self, FetchError> {
        fs::create_dir_all(folder).map_err(io_error("make the folder", folder))?;
        // Left there: removing it would let two processes lock two files of one name.
        let path = folder.join(".fetch.lock");
        let file = File::create(&path).map_err(io_error("write", &path))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _lock: Some(file) }),
            Err(TryLockError::WouldBlock) => Err(FetchError::Busy { folder: folder.to_owned() }),
            // Some network file systems have no locks; one process alone is then up to the user.
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {
                Ok(Self { _lock: None })
            }
            Err(TryLockError::Error(error)) => Err(io_error("lock", &path)(error)),
        }
    }
}

/// A Parquet file under its `.part` name; removed unless it is [kept](Self::keep).
#[derive(Debug)]
pub(super) struct PartFile {
    path: PathBuf,
    pub(super) n_bytes: u64,
    pub(super) sha256: String,
    kept: bool,
}

impl PartFile {
    /// Encodes a table to `PATH.part`.
    pub(super) fn write(path: &Path, frame: &mut DataFrame) -> Result<Self, FetchError> {
        let part_path = part_of(path);
        let mut part =
            Self { path: path.to_owned(), n_bytes: 0, sha256: String::new(), kept: false };
        let file = File::create(&part_path).map_err(io_error("write", &part_path))?;
        let mut writer = HashingWriter::new(BufWriter::new(file));
        ParquetWriter::new(&mut writer).finish(frame).map_err(|error| match io_cause(&error) {
            Some(cause) => io_error("write", &part_path)(cause),
            None => FetchError::Parquet { path: path.to_owned(), source: error },
        })?;
        let (writer, n_bytes, sha256) = writer.finish();
        // `into_inner` flushes; a full disk may show only here.
        let file = writer
            .into_inner()
            .map_err(|error| io_error("write", &part_path)(error.into_error()))?;
        file.sync_all().map_err(io_error("write", &part_path))?;
        part.n_bytes = n_bytes;
        part.sha256 = sha256;
        Ok(part)
    }

    /// Gives the file its name, in place of whatever had it.
    pub(super) fn keep(mut self) -> Result<(), FetchError> {
        fs::rename(part_of(&self.path), &self.path).map_err(io_error("write", &self.path))?;
        self.kept = true;
        Ok(())
    }
}

impl Drop for PartFile {
    fn drop(&mut self) {
        if !self.kept {
            // Nothing to do about a failure: the next run writes over it.
            let _ = fs::remove_file(part_of(&self.path));
        }
    }
}

/// Writes a small file as a whole or not at all.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> Result<(), FetchError> {
    let part_path = part_of(path);
    let written = File::create(&part_path).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.map_err(io_error("write", &part_path))?;
    fs::rename(&part_path, path).map_err(io_error("write", path))
}

/// `imdb.parquet` → `imdb.parquet.part`.
pub(super) fn part_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    name.into()
}

/// The system's error below a polars error, if it is one: a full disk is no fault of the encoder.
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

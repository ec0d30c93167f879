//! The bytes of an input, which can be read any number of times: a file, a spooled pipe, or memory.
//!
//! A file is opened for each pass, so that a table of many files does not keep them all open. If it is not the
//! same file by then, or was written to, that is an error.
//! Files are read through buffers and not mapped, because mapped pages count as memory of the process.

use std::fs::{self, File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use sha2::{Digest as _, Sha256};

use crate::digest::{add_all, hex};

/// Bytes that can be read again and again.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// A regular file, and its state when it was first seen.
    Path(Arc<(PathBuf, State)>),
    /// A temporary file without a name, to which a pipe was spooled.
    File(Arc<File>),
    /// Bytes in memory.
    Memory(Arc<Vec<u8>>),
}

/// What changes if somebody writes to a file or replaces it: its length, the time of its last change, and on Unix
/// its device and number there. `None` if there is no file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct State(Option<(u64, Option<SystemTime>, (u64, u64))>);

impl State {
    fn of(metadata: &Metadata) -> Self {
        #[cfg(unix)]
        let identity = {
            use std::os::unix::fs::MetadataExt as _;
            (metadata.dev(), metadata.ino())
        };
        #[cfg(not(unix))]
        let identity = (0, 0);
        Self(Some((metadata.len(), metadata.modified().ok(), identity)))
    }
}

impl Source {
    /// A regular file.
    pub(crate) fn of_path(path: &Path) -> io::Result<Self> {
        let state = State::of(&fs::metadata(path)?);
        Ok(Self::Path(Arc::new((path.to_owned(), state))))
    }

    /// Spools a pipe to a temporary file without a name, in the system's folder for such files
    /// (`TMPDIR` on Unix).
    pub(crate) fn spooled(mut pipe: impl Read) -> io::Result<Self> {
        let mut file = tempfile::tempfile()?;
        io::copy(&mut pipe, &mut file)?;
        Ok(Self::File(Arc::new(file)))
    }

    /// A reader that begins at the first byte.
    pub(crate) fn reader(&self) -> SourceReader {
        SourceReader { source: self.clone(), opened: None, position: 0, hasher: None }
    }

    /// The number of bytes.
    pub(crate) fn len(&self) -> io::Result<u64> {
        match self {
            Self::Path(path) => Ok(fs::metadata(&path.0)?.len()),
            Self::File(file) => Ok(file.metadata()?.len()),
            Self::Memory(bytes) => Ok(bytes.len() as u64),
        }
    }

    /// Bytes from `start`, exactly `n_bytes`.
    pub(crate) fn bytes(&self, start: u64, n_bytes: usize) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let reader = SourceReader { position: start, ..self.reader() };
        reader.take(n_bytes as u64).read_to_end(&mut bytes)?;
        if bytes.len() < n_bytes {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(bytes)
    }

    /// The state of the file now.
    pub(crate) fn state(&self) -> State {
        let metadata = match self {
            Self::Path(path) => fs::metadata(&path.0),
            Self::File(file) => file.metadata(),
            Self::Memory(_) => return State(None),
        };
        metadata.map_or(State(None), |metadata| State::of(&metadata))
    }

    /// The SHA-256 of all bytes, as 64 hexadecimal digits.
    pub(crate) fn digest(&self) -> io::Result<String> {
        let mut hasher = Sha256::new();
        add_all(&mut hasher, &mut self.reader())?;
        Ok(hex(hasher))
    }

    /// The file that bytes are read from, unless they are in memory.
    ///
    /// # Errors
    /// [`HasChanged`] if it is not the one that was first seen.
    fn opened(&self) -> io::Result<Option<Arc<File>>> {
        match self {
            Self::Path(path) => {
                let (path, state) = &**path;
                let file = File::open(path)?;
                if State::of(&file.metadata()?) != *state {
                    return Err(io::Error::other(HasChanged));
                }
                Ok(Some(Arc::new(file)))
            }
            Self::File(file) => Ok(Some(Arc::clone(file))),
            Self::Memory(_) => Ok(None),
        }
    }
}

#[cfg(unix)]
fn read_file_at(file: &File, position: u64, buffer: &mut [u8]) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, position)
}

#[cfg(windows)]
fn read_file_at(file: &File, position: u64, buffer: &mut [u8]) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, position)
}

/// Reads a source from its beginning, or from where it was opened.
#[derive(Debug)]
pub(crate) struct SourceReader {
    source: Source,
    /// Since the first byte was read.
    opened: Option<Arc<File>>,
    position: u64,
    /// Of the bytes so far, and the digest that all of them should have.
    hasher: Option<(Sha256, String)>,
}

/// The bytes are no longer those of an earlier pass; inside an `io::Error`.
#[derive(Debug, thiserror::Error)]
#[error("the file has changed while it was read")]
pub(crate) struct HasChanged;

impl SourceReader {
    /// Fails with [`HasChanged`] at the end if the bytes have another SHA-256 than this one.
    pub(crate) fn expecting(mut self, digest: &str) -> Self {
        self.hasher = Some((Sha256::new(), digest.to_owned()));
        self
    }
}

impl Seek for SourceReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let wanted = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
            SeekFrom::End(by) => self.source.len()?.checked_add_signed(by),
        };
        self.position = wanted.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}

impl Read for SourceReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.opened.is_none() {
            self.opened = self.source.opened()?;
        }
        let n_bytes = match (&self.opened, &self.source) {
            (Some(file), _) => read_file_at(file, self.position, buffer)?,
            (None, Source::Memory(bytes)) => {
                let start = usize::try_from(self.position).unwrap_or(usize::MAX).min(bytes.len());
                (&bytes[start..]).read(buffer)?
            }
            (None, _) => 0,
        };
        self.position += n_bytes as u64;
        if n_bytes > 0 {
            if let Some((hasher, _)) = &mut self.hasher {
                hasher.update(&buffer[..n_bytes]);
            }
        } else if !buffer.is_empty()
            && let Some((hasher, digest)) = self.hasher.take()
            && hex(hasher) != digest
        {
            return Err(io::Error::other(HasChanged));
        }
        Ok(n_bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_source_is_read_as_often_as_one_likes_and_notices_changes() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"text\na\n").unwrap();
        let source = Source::of_path(file.path()).unwrap();
        let (digest, state) = (source.digest().unwrap(), source.state());
        for _ in 0..2 {
            let mut text = String::new();
            source.reader().expecting(&digest).read_to_string(&mut text).unwrap();
            assert_eq!(text, "text\na\n");
        }
        assert_eq!(source.bytes(5, 1).unwrap(), b"a");
        assert!(source.bytes(5, 3).is_err());
        assert_eq!(source.state(), state);
        file.write_all(b"b\n").unwrap();
        assert_ne!(source.state(), state);
        let has_changed = |source: &Source| {
            let read = source.reader().expecting(&digest).read_to_end(&mut Vec::new());
            read.unwrap_err().get_ref().is_some_and(|error| error.is::<HasChanged>())
        };
        assert!(has_changed(&source));
        // Other bytes also count if nothing else tells.
        assert!(has_changed(&Source::of_path(file.path()).unwrap()));
    }
}

//! Where a table is written: a file, following links, or a stream, which is written directly.

use std::fs::{self, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Component, Path, PathBuf};

use whole_file::{Staged, folder_of};

use crate::error::{Error, Result};

/// The number of links that Linux follows.
const MAX_LINKS: usize = 40;
/// Bytes encoded before the system is asked to write them.
const BUFFER_BYTES: usize = 1 << 18;

/// What to do if the output file already exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// Keep it and write nothing.
    Refuse,
    /// Replace it once the new one is complete.
    Replace,
}

/// Where a table is written.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Destination {
    /// A regular file, which may not exist yet.
    File {
        /// The file itself, at the end of all links.
        target: PathBuf,
    },
    /// A pipe, a terminal or another device: it has no contents to protect and is not renamed.
    Stream(Stream),
}

/// A destination that takes bytes as they are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    /// Our standard output. It is not opened by name: if the shell appends it to a file, opening it
    /// again would start at the beginning of that file.
    Stdout,
    /// Our standard error.
    Stderr,
    /// A named pipe or a device.
    Named(PathBuf),
}

impl Destination {
    /// Finds where `path` leads; `-` is standard output.
    ///
    /// # Errors
    /// `IsFolder`, `NoFolder`; `Write` if links lead in a circle.
    pub(crate) fn find(path: &Path) -> Result<Self> {
        let failed = |source| Error::Write { path: path.to_owned(), source };
        let mut target = path.to_owned();
        for _ in 0..=MAX_LINKS {
            if let Some(stream) = Stream::by_name(&target) {
                return Ok(Self::Stream(stream));
            }
            match fs::symlink_metadata(&target) {
                Ok(metadata) if metadata.is_symlink() => {
                    let next = fs::read_link(&target).map_err(failed)?;
                    // A relative link starts at the link's folder; an absolute one replaces the path.
                    target = folder_of(&target).join(next);
                }
                Ok(metadata) if metadata.is_dir() => {
                    return Err(Error::IsFolder { path: path.to_owned() });
                }
                Ok(metadata) if metadata.is_file() => return Ok(Self::File { target }),
                Ok(_) => return Ok(Self::Stream(Stream::Named(target))),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    let folder = folder_of(&target);
                    if !folder.is_dir() {
                        return Err(Error::NoFolder {
                            path: path.to_owned(),
                            folder: folder.to_owned(),
                        });
                    }
                    // `new/` or `new/..` would name a folder.
                    return match target.components().next_back() {
                        Some(Component::Normal(_)) => Ok(Self::File { target }),
                        _ => Err(Error::IsFolder { path: path.to_owned() }),
                    };
                }
                Err(error) => return Err(failed(error)),
            }
        }
        Err(failed(io::Error::other("too many links")))
    }

    /// Checks that nothing there would be lost.
    ///
    /// # Errors
    /// `Exists` if there is something that must not be replaced.
    pub(crate) fn check(&self, path: &Path, existing: Existing) -> Result<()> {
        let taken = match self {
            Self::File { target } => fs::symlink_metadata(target).is_ok(),
            Self::Stream(Stream::Named(target)) => is_disk(target),
            Self::Stream(_) => false,
        };
        if taken && existing == Existing::Refuse {
            return Err(Error::Exists { path: path.to_owned() });
        }
        Ok(())
    }

    /// Checks that a file can be created there, by creating one next to it.
    ///
    /// # Errors
    /// `Write`.
    pub(crate) fn probe(&self, path: &Path) -> Result<()> {
        match self {
            Self::File { target } => Staged::beside(target)
                .map(drop)
                .map_err(|source| Error::Write { path: path.to_owned(), source }),
            Self::Stream(_) => Ok(()),
        }
    }

    /// Writes the output of `encode`. A file appears under its name when it is complete and on disk,
    /// with the permissions and, if allowed, the owner of the file that it replaces.
    ///
    /// # Errors
    /// `Exists` if there is a file by now; `Write`; the errors of `encode`.
    pub(crate) fn write<T>(
        &self,
        path: &Path,
        existing: Existing,
        encode: impl FnOnce(&mut dyn Write) -> Result<T>,
    ) -> Result<T> {
        let failed = |source| Error::Write { path: path.to_owned(), source };
        self.check(path, existing)?;
        let target = match self {
            Self::File { target } => target,
            Self::Stream(Stream::Stdout) => return through(io::stdout().lock(), failed, encode),
            Self::Stream(Stream::Stderr) => return through(io::stderr().lock(), failed, encode),
            Self::Stream(Stream::Named(target)) => {
                let file = OpenOptions::new().append(true).open(target).map_err(failed)?;
                return through(file, failed, encode);
            }
        };
        let mut staged = Staged::beside(target).map_err(failed)?;
        let done = through(staged.file(), failed, encode)?;
        match existing {
            Existing::Replace => staged.replace(target),
            Existing::Refuse => staged.appear_as(target),
        }
        .map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => Error::Exists { path: path.to_owned() },
            _ => failed(source),
        })?;
        Ok(done)
    }
}

/// Encodes through a buffer, and also reports errors in writing the last bytes.
fn through<T>(
    sink: impl Write,
    failed: impl Fn(io::Error) -> Error,
    encode: impl FnOnce(&mut dyn Write) -> Result<T>,
) -> Result<T> {
    let mut buffered = BufWriter::with_capacity(BUFFER_BYTES, sink);
    let done = encode(&mut buffered)?;
    buffered.flush().map_err(failed)?;
    Ok(done)
}

impl Stream {
    fn by_name(path: &Path) -> Option<Self> {
        match path.to_str()? {
            "-" => Some(Self::Stdout),
            "/dev/stdout" | "/dev/fd/1" | "/proc/self/fd/1" => Some(Self::Stdout),
            "/dev/stderr" | "/dev/fd/2" | "/proc/self/fd/2" => Some(Self::Stderr),
            // Other descriptors lead to files without a name (`>(command)`).
            name if name.starts_with("/dev/fd/") || name.starts_with("/proc/self/fd/") => {
                Some(Self::Named(path.to_owned()))
            }
            _ => None,
        }
    }
}

/// Whether two paths lead to the same file; false if either leads nowhere.
pub(crate) fn same_file(a: &Path, b: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let identity = |path| {
            let metadata = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
            Some((metadata.dev(), metadata.ino()))
        };
        matches!((identity(a), identity(b)), (Some(a), Some(b)) if a == b)
    }
    #[cfg(not(unix))]
    {
        matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
    }
}

/// Whether a path is a disk, a device that stores data.
fn is_disk(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        fs::metadata(path).is_ok_and(|metadata| metadata.file_type().is_block_device())
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        false
    }
}

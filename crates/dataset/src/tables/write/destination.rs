//! Where a table goes: a file, with links followed, or a stream that is written straight through.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Component, Path, PathBuf};

use crate::error::{Error, Result};
use crate::predictions::Existing;

use super::temporary::Temporary;

/// As many links as Linux follows.
const MAX_LINKS: usize = 40;
/// How much is encoded before the system is asked to write it.
const BUFFER_BYTES: usize = 1 << 18;

/// Where a table goes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Destination {
    /// A regular file, or one that is still to be made.
    File {
        /// The file itself, at the end of all links.
        target: PathBuf,
    },
    /// A pipe, a terminal or another device: nothing to keep, nothing to rename.
    Stream(Stream),
}

/// Something that takes bytes as they come.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    /// Our standard output. It is not opened by its name: if the shell sent it to the end of a
    /// file, a second opening would start at that file's beginning.
    Stdout,
    /// Our standard error output.
    Stderr,
    /// A named pipe or a device.
    Named(PathBuf),
}

impl Destination {
    /// Looks where `path` leads; `-` is standard output.
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
                    // A relative link starts where the link is; an absolute one replaces all of it.
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
                    // `new/` or `new/..` would make a folder's name of it.
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

    /// Whether something stands there that would be lost.
    ///
    /// # Errors
    /// `Exists`, unless it may be replaced.
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

    /// Whether a file can be made there, found out by making one beside it.
    ///
    /// # Errors
    /// `Write`.
    pub(crate) fn probe(&self, path: &Path) -> Result<()> {
        match self {
            Self::File { target } => Temporary::beside(target)
                .map(drop)
                .map_err(|source| Error::Write { path: path.to_owned(), source }),
            Self::Stream(_) => Ok(()),
        }
    }

    /// Writes there what `encode` gives. A file appears under its name when it is complete and on
    /// disk, with the permissions and, where we may, the owner of the one that it replaces.
    ///
    /// # Errors
    /// `Exists` if there is a file now, whenever it came; `Write`, and what `encode` says.
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
        let mut temporary = Temporary::beside(target).map_err(failed)?;
        let done = through(temporary.file(), failed, encode)?;
        match existing {
            Existing::Replace => temporary.replace(target),
            Existing::Refuse => temporary.appear_as(target),
        }
        .map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => Error::Exists { path: path.to_owned() },
            _ => failed(source),
        })?;
        Ok(done)
    }
}

/// Encodes through a buffer, and tells what the last bytes met, too.
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
            // Other descriptors lead to files that have no name of their own (`>(command)`).
            name if name.starts_with("/dev/fd/") || name.starts_with("/proc/self/fd/") => {
                Some(Self::Named(path.to_owned()))
            }
            _ => None,
        }
    }
}

/// The folder that a path stands in, `.` for a bare name.
pub(super) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Whether two paths lead to one file, by whatever names; no if either leads nowhere.
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

/// Whether a device holds data that stays: a disk.
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

/// Puts the new name of a file on disk, too: a rename is an entry in its folder.
///
/// The file is whole already, and some file systems cannot do this: they are not asked twice.
pub(super) fn sync_folder(folder: &Path) {
    if cfg!(unix)
        && let Ok(folder) = File::open(folder)
    {
        let _ = folder.sync_all();
    }
}

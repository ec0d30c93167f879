//! Errors while fetching; `advice.rs` says what to do about each.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::catalogue::Counts;
use super::figures::size;

/// Why files could not be fetched. `Display` states the facts, [`FetchError::advice`] the remedy.
///
/// Whatever the error, no Parquet file has been replaced by an unchecked one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// There is no Python to run pip with.
    #[error("cannot run {}", python.display())]
    NoPython {
        /// Program that was tried.
        python: PathBuf,
        /// Why the system did not run it.
        source: io::Error,
    },

    /// Python was found, but pip was not.
    #[error("{} has no pip", python.display())]
    NoPip {
        /// Program that was run.
        python: PathBuf,
    },

    /// pip ran and failed.
    #[error("pip could not download {title}; its last lines of output:\n{stderr_tail}")]
    PipFailed {
        /// Package and version.
        title: String,
        /// Last lines that pip wrote to its standard error.
        stderr_tail: String,
    },

    /// pip reported success, but there is no wheel.
    #[error("pip reported success but saved no wheel of {title}")]
    NoWheel {
        /// Package and version.
        title: String,
    },

    /// There is no npm.
    #[error("cannot run {}", npm.display())]
    NoNpm {
        /// Program that was tried.
        npm: PathBuf,
        /// Why the system did not run it.
        source: io::Error,
    },

    /// npm ran and failed.
    #[error("npm could not download {title}; its last lines of output:\n{stderr_tail}")]
    NpmFailed {
        /// Package and version.
        title: String,
        /// Last lines that npm wrote to its standard error.
        stderr_tail: String,
    },

    /// npm reported success, but there is no tarball.
    #[error("npm reported success but saved no tarball of {title}")]
    NoTarball {
        /// Package and version.
        title: String,
    },

    /// A tarball does not have the pinned checksum.
    #[error(
        "{}: SHA-512 is {got}, expected {expected}; {}",
        path.display(), if *removed { "the download was removed" } else { "the file was not changed" }
    )]
    WrongIntegrity {
        /// File checked.
        path: PathBuf,
        /// Pinned SHA-512.
        expected: String,
        /// SHA-512 found.
        got: String,
        /// Whether the file was our download, which is now removed.
        removed: bool,
    },

    /// Word vectors could not be read or written.
    #[error(transparent)]
    Vectors(#[from] word_vectors::Error),

    /// No connection could be made, after all attempts.
    #[error("cannot reach {url}")]
    Unreachable {
        /// Requested address.
        url: String,
        /// The network's error.
        source: Box<dyn Error + Send + Sync>,
    },

    /// No data arrived for too long, after all attempts.
    #[error(
        "{url} sent nothing for {:.1} s; {}", waited.as_secs_f64(), kept(*n_bytes, part)
    )]
    TimedOut {
        /// Requested address.
        url: String,
        /// How long we waited.
        waited: Duration,
        /// Bytes on disk, from which the next call resumes.
        n_bytes: u64,
        /// File that contains them, if there are any.
        part: PathBuf,
    },

    /// The connection was lost, after all attempts.
    #[error("the download of {url} was interrupted; {}", kept(*n_bytes, part))]
    Interrupted {
        /// Requested address.
        url: String,
        /// Bytes on disk, from which the next call resumes.
        n_bytes: u64,
        /// File that contains them.
        part: PathBuf,
        /// The network's error.
        source: Box<dyn Error + Send + Sync>,
    },

    /// The server answered with something other than the file.
    #[error("{url} answered with HTTP status {status}")]
    Status {
        /// Requested address.
        url: String,
        /// The status code, such as 404.
        status: u16,
    },

    /// The server sent another range than the one requested.
    #[error("{url} sent the wrong range: expected bytes from {expected}, got \"{got}\"")]
    WrongRange {
        /// Requested address.
        url: String,
        /// First byte requested.
        expected: u64,
        /// The answer's `Content-Range`.
        got: String,
    },

    /// The server sent more bytes than the file has; the download was removed.
    #[error("{url} sent more than the expected {expected} bytes")]
    TooLong {
        /// Requested address.
        url: String,
        /// Bytes that the file has.
        expected: u64,
    },

    /// A wheel or an archive does not have the pinned checksum.
    #[error(
        "{}: SHA-256 is {got}, expected {expected}; {}",
        path.display(), if *removed { "the download was removed" } else { "the file was not changed" }
    )]
    WrongChecksum {
        /// File checked.
        path: PathBuf,
        /// Pinned SHA-256.
        expected: String,
        /// SHA-256 found.
        got: String,
        /// Whether the file was our download, which is now removed.
        removed: bool,
    },

    /// The file to read from does not exist, or is a folder.
    #[error("{}: no such file", path.display())]
    NoFile {
        /// Requested path.
        path: PathBuf,
    },

    /// The file to read from is neither a zip nor a gzip file.
    #[error("{}: neither a wheel (zip) nor a .tar.gz archive", path.display())]
    UnknownFormat {
        /// Requested path.
        path: PathBuf,
    },

    /// The contents of a wheel or an archive are damaged.
    #[error("{}: not a readable {format}", path.display())]
    Damaged {
        /// File read.
        path: PathBuf,
        /// "zip file", "gzipped tar archive", "CSV table".
        format: &'static str,
        /// The decoder's error.
        source: Box<dyn Error + Send + Sync>,
    },

    /// Something is missing from a wheel or an archive.
    #[error("{}: {member} is missing", path.display())]
    MissingMember {
        /// File read.
        path: PathBuf,
        /// What was looked for: a member, a folder or a column.
        member: String,
    },

    /// A member of an archive, or a wheel's table, is implausibly large.
    #[error("{}: {member} is larger than {}", path.display(), size(*limit))]
    MemberTooLarge {
        /// File read.
        path: PathBuf,
        /// The member.
        member: String,
        /// The most bytes that are read.
        limit: u64,
    },

    /// A row or a review has no text, invalid UTF-8 or an unknown label.
    #[error("{}, {place}: {problem}", path.display())]
    BadRow {
        /// File read.
        path: PathBuf,
        /// Row (the first below the header is 1) or member.
        place: String,
        /// What is wrong with it.
        problem: String,
    },

    /// A source does not have the expected rows.
    #[error("{}: {file} would have {got}, expected {expected}", path.display())]
    WrongCounts {
        /// File read.
        path: PathBuf,
        /// File to be created.
        file: String,
        /// Rows that it must have.
        expected: Counts,
        /// Rows found.
        got: Counts,
    },

    /// Another process is fetching into the same folder.
    #[error("another process is fetching into {}", folder.display())]
    Busy {
        /// Requested folder.
        folder: PathBuf,
    },

    /// Reading or writing failed.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// "write", "open" and so on.
        action: &'static str,
        /// File or folder.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },

    /// Parquet could not be encoded.
    #[error("cannot write {} as Parquet", path.display())]
    Parquet {
        /// File to be created.
        path: PathBuf,
        /// The error from polars.
        source: polars::error::PolarsError,
    },
}

/// A closure for `map_err`.
pub(super) fn io_error<'a>(
    action: &'static str,
    path: &'a Path,
) -> impl Fn(io::Error) -> FetchError + 'a {
    move |source| FetchError::Io { action, path: path.to_owned(), source }
}

fn kept(n_bytes: u64, part: &Path) -> String {
    match n_bytes {
        0 => "nothing was downloaded".into(),
        n => format!("{} were downloaded and are kept in {}", size(n), part.display()),
    }
}

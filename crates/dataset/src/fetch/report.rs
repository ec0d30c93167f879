//! What [`fetch`](super::fetch) did, file by file.

use std::fmt;
use std::path::PathBuf;

use super::catalogue::Counts;
use super::figures::size;

/// The files of a source, all of them present and checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchReport {
    /// One entry a file, in the catalogue's order.
    pub files: Vec<FileReport>,
    /// The downloaded archive, which is kept so that nothing need be downloaded twice.
    pub kept_archive: Option<PathBuf>,
}

impl FetchReport {
    /// Whether everything was there before, so that nothing was written.
    pub fn is_unchanged(&self) -> bool {
        self.files.iter().all(|file| file.outcome == Outcome::AlreadyThere)
    }
}

/// One file; its `Display` is a line for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileReport {
    /// Where it lies.
    pub path: PathBuf,
    /// Its rows.
    pub counts: Counts,
    /// Its size.
    pub n_bytes: u64,
    /// SHA-256 of its bytes.
    pub sha256: String,
    /// What was done.
    pub outcome: Outcome,
}

impl fmt::Display for FileReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Why it was made anew was told when it was noticed.
        let done = match self.outcome {
            Outcome::AlreadyThere => "already there",
            Outcome::Made => "made",
            Outcome::Remade(_) => "made anew",
        };
        write!(f, "{}: {}, {}, {done}", self.path.display(), self.counts, size(self.n_bytes))
    }
}

/// What was done about a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing: its bytes are those that were recorded when it was made.
    AlreadyThere,
    /// It was missing and was made.
    Made,
    /// It was there and was replaced.
    Remade(Fault),
}

/// Why a file that is there does not do.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Its size is not the recorded one: half written, or altered.
    Size {
        /// Recorded size in bytes.
        expected: u64,
        /// Size in bytes.
        got: u64,
    },
    /// Its size is the recorded one, its SHA-256 is not: altered.
    Checksum {
        /// Recorded SHA-256.
        expected: String,
        /// SHA-256 of the file.
        got: String,
    },
    /// The manifest beside it says nothing about it, or is lost.
    Unrecorded,
    /// It was made from another source than the one that is asked for.
    OtherSource {
        /// The source that it was made from.
        recorded: String,
    },
    /// It was made with other rows than the catalogue asks for now.
    Counts {
        /// Rows asked for.
        expected: Counts,
        /// Recorded rows.
        got: Counts,
    },
    /// None; the caller wants it replaced.
    Forced,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Size { expected, got } => {
                write!(f, "it was altered or half written: {got} bytes, {expected} were recorded")
            }
            Self::Checksum { expected, got } => {
                write!(f, "it was altered: its SHA-256 is {got}, {expected} was recorded")
            }
            Self::Unrecorded => write!(f, "manifest.json says nothing about it"),
            Self::OtherSource { recorded } => write!(f, "it came from {recorded}"),
            Self::Counts { expected, got } => {
                write!(f, "it has {got}, {expected} are expected")
            }
            Self::Forced => write!(f, "as asked"),
        }
    }
}

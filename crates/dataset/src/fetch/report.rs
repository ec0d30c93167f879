//! Reports what [`fetch`](super::fetch) did, file by file.

use std::fmt;
use std::path::PathBuf;

use super::catalogue::Counts;
use super::figures::size;

/// The files of a source, all present and checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchReport {
    /// One entry per file, in catalogue order.
    pub files: Vec<FileReport>,
    /// The downloaded archive, kept to avoid a second download.
    pub kept_archive: Option<PathBuf>,
}

impl FetchReport {
    /// Whether all files already existed, so that nothing was written.
    pub fn is_unchanged(&self) -> bool {
        self.files.iter().all(|file| file.outcome == Outcome::AlreadyThere)
    }
}

/// One file; `Display` gives a line for the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileReport {
    /// Its path.
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
        // The reason for recreating it was reported earlier.
        let done = match self.outcome {
            Outcome::AlreadyThere => "already there",
            Outcome::Made => "created",
            Outcome::Remade(_) => "recreated",
        };
        write!(f, "{}: {}, {}, {done}", self.path.display(), self.counts, size(self.n_bytes))
    }
}

/// What was done with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing: its bytes match the manifest.
    AlreadyThere,
    /// It was missing and was created.
    Made,
    /// It existed and was replaced.
    Remade(Fault),
}

/// Why an existing file must be replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Its size is not the recorded one: it is incomplete or altered.
    Size {
        /// Recorded size in bytes.
        expected: u64,
        /// Size in bytes.
        got: u64,
    },
    /// Its size is the recorded one, but its SHA-256 is not: it was altered.
    Checksum {
        /// Recorded SHA-256.
        expected: String,
        /// SHA-256 of the file.
        got: String,
    },
    /// The manifest has no entry for it, or is missing.
    Unrecorded,
    /// It was created from another source than the requested one.
    OtherSource {
        /// The source that it was created from.
        recorded: String,
    },
    /// Its row counts differ from those in the catalogue.
    Counts {
        /// Rows in the catalogue.
        expected: Counts,
        /// Recorded rows.
        got: Counts,
    },
    /// No fault; the caller wants it replaced.
    Forced,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Size { expected, got } => {
                write!(f, "it was altered or is incomplete: got {got} bytes, expected {expected}")
            }
            Self::Checksum { expected, got } => {
                write!(f, "it was altered: its SHA-256 is {got}, expected {expected}")
            }
            Self::Unrecorded => write!(f, "manifest.json has no entry for it"),
            Self::OtherSource { recorded } => write!(f, "it came from {recorded}"),
            Self::Counts { expected, got } => {
                write!(f, "it has {got}, expected {expected}")
            }
            Self::Forced => write!(f, "as requested"),
        }
    }
}

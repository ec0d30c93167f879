//! Every format becomes the same store, number by number, and what is damaged is named with its place.
#![allow(clippy::unwrap_used, reason = "a test that cannot make its files has failed")]

use std::fs;
use std::io::{Cursor, Write as _};
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use word_vectors::{
    ConvertRequest, Converted, Error, Origin, Result, Store, StoreWriter, WordsRead, convert,
    read_words,
};

const WORDS: [&str; 4] = ["the", "café", ". . .", "good"];
const VECTORS: [[f32; 3]; 4] =
    [[0.1, -2.5e-3, 3.0], [0.25, 1e-7, -0.0], [16_777_216.0, 0.3, -0.333_333_34], [1.0, 2.0, 4.0]];

/// A folder for a file and the store made of it.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, contents: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, contents).unwrap();
        path
    }

    fn store(&self) -> PathBuf {
        self.0.path().join("new/store.safetensors")
    }

    fn convert(&self, from: &Path, member: Option<&str>) -> Result<Converted> {
        let origin = Origin { name: "made".into(), ..Origin::default() };
        let to = self.store();
        convert(&ConvertRequest { from, member, to: &to, origin }, &mut |_, _| {})
    }
}

fn glove() -> String {
    let line = |(word, vector): (&&str, &[f32; 3])| {
        let numbers: Vec<String> = vector.iter().map(|number| number.to_string()).collect();
        format!("{word} {}\n", numbers.join(" "))
    };
    WORDS.iter().zip(&VECTORS).map(line).collect()
}

fn binary() -> Vec<u8> {
    let mut bytes = b"4 3\n".to_vec();
    // A space ends a word here.
    for (word, vector) in WORDS.iter().zip(&VECTORS) {
        bytes.extend(word.replace(' ', "_").bytes());
        bytes.push(b' ');
        bytes.extend(vector.iter().flat_map(|number| number.to_le_bytes()));
        bytes.push(b'\n');
    }
    bytes
}

fn json() -> String {
    let entry = |(word, vector): (&&str, &[f32; 3])| {
        let numbers: Vec<String> = vector.iter().map(|number| number.to_string()).collect();
        format!("\"{word}\":[{},9.5,0]", numbers.join(","))
    };
    let entries: Vec<String> = WORDS.iter().zip(&VECTORS).map(entry).collect();
    format!(
        "{{\"precision\":8,\"size\":4,\"dimensions\":3,\"words\":[\"the\"],\"vectors\":{{{}}}}}",
        entries.join(",")
    )
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zipped(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in members {
        zip.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn assert_whole(store: &Path, case: &str) {
    let store = Store::open(store).unwrap();
    store.verify().unwrap();
    assert_eq!((store.n_words(), store.n_features()), (4, 3), "{case}");
    for (place, (word, vector)) in WORDS.iter().zip(&VECTORS).enumerate() {
        assert_eq!(store.word(place).replace('_', " "), *word, "{case}");
        let bits = |numbers: &[f32]| numbers.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(store.vector(place)), bits(vector), "{case}: {word}");
    }
}

#[test]
fn every_format_becomes_the_same_store() {
    let place = Place::new();
    let text = glove();
    let with_header = format!("4 3\n{text}");
    // fastText ends its lines with a space.
    let vec = format!("4 3\n{}", text.replace('\n', " \n"));
    let tabs = text.replace(" . .", "~").replace(' ', "\t").replace('~', " . .");
    for (case, contents, format) in [
        ("GloVe", text.clone().into_bytes(), "text"),
        ("word2vec's text", with_header.clone().into_bytes(), "text"),
        ("fastText", vec.into_bytes(), "text"),
        ("tabs", tabs.into_bytes(), "text"),
        ("line breaks of Windows", text.replace('\n', "\r\n").into_bytes(), "text"),
        ("without the last line break", text.trim_end().into(), "text"),
        ("binary", binary(), "word2vec's binary format"),
        ("JSON", json().into_bytes(), "JSON"),
        ("gzip", gzipped(with_header.as_bytes()), "text"),
        ("gzip of a binary", gzipped(&binary()), "word2vec's binary format"),
        ("zstd", zstd::encode_all(text.as_bytes(), 1).unwrap(), "text"),
        ("zip", zipped(&[("vectors.txt", text.as_bytes())]), "text"),
    ] {
        let path = place.file("vectors", contents);
        let converted = place.convert(&path, None).unwrap();
        assert_eq!((converted.format, converted.n_words), (format, 4), "{case}");
        assert_eq!(converted.notes.to_string(), "", "{case}");
        assert_whole(&place.store(), case);
    }
}

#[test]
fn a_file_of_a_zip_file_is_chosen_by_its_name() {
    let place = Place::new();
    let zip = zipped(&[("a.txt", b"other 1 2\n"), ("b.txt", glove().as_bytes())]);
    let path = place.file("glove.zip", zip);
    place.convert(&path, Some("b.txt")).unwrap();
    assert_whole(&place.store(), "b.txt");
    let error = place.convert(&path, None).unwrap_err().to_string();
    assert!(error.contains("2 files (a.txt, b.txt)") && error.contains("--member"), "{error}");
    let error = place.convert(&path, Some("c.txt")).unwrap_err().to_string();
    assert!(error.contains("no file c.txt; it has a.txt, b.txt"), "{error}");
    let error = place.convert(&place.file("a", "a 1\n"), Some("b")).unwrap_err().to_string();
    assert!(error.contains("not a zip file"), "{error}");
}

#[test]
fn a_store_says_what_it_was_made_of() {
    let place = Place::new();
    let path = place.file("vectors.txt", "abc 1 2\n");
    place.convert(&path, None).unwrap();
    let store = Store::open(&place.store()).unwrap();
    // sha256sum of the line.
    let expected = "1d516ff57388a94bf241fc3c049e6a595b8aeb8ea669cf8c586d2285b080fba9";
    assert_eq!(store.origin().name, "made");
    assert_eq!(store.origin().source_sha256, expected);
    let again = place.file("again.txt", "abc 1 2\n");
    place.convert(&again, None).unwrap();
    assert_eq!(Store::open(&place.store()).unwrap().origin(), store.origin());
}

#[test]
fn what_is_left_out_is_counted_with_its_lines() {
    let place = Place::new();
    let path = place.file("v", b"good 1 2\n\nbad 3 4\ngood 5 6\n\xff\xfe 7 8\nbad 9 9\n");
    let converted = place.convert(&path, None).unwrap();
    assert_eq!(
        converted.notes.to_string(),
        "left out 2 words that had occurred before: lines 4, 6\nleft out 1 word not in UTF-8: line 5"
    );
    let store = Store::open(&place.store()).unwrap();
    assert_eq!(store.words().collect::<Vec<_>>(), ["good", "bad"]);
    assert_eq!(store.vector(0), [1.0, 2.0]);
}

#[test]
fn words_are_handed_over_in_the_order_of_the_file_and_as_often_as_they_occur() {
    let place = Place::new();
    for contents in [glove().into_bytes(), json().into_bytes(), gzipped(glove().as_bytes())] {
        let mut found = Vec::new();
        let read = read_words(&place.file("v", contents), &mut |word, vector| {
            found.push((word.to_string(), vector.to_vec()));
        });
        assert_eq!(read.unwrap(), WordsRead { n_words: 4, n_features: 3 });
        let expected = WORDS.iter().zip(VECTORS).map(|(word, of)| ((*word).into(), of.to_vec()));
        assert_eq!(found, expected.collect::<Vec<_>>());
    }
    let mut found = Vec::new();
    let path = place.file("v", b"2 1\ngood 1\n\xff\xfe 7\ngood 5\n");
    let read = read_words(&path, &mut |word, vector| found.push((word.to_string(), vector[0])));
    assert_eq!(read.unwrap(), WordsRead { n_words: 2, n_features: 1 });
    assert_eq!(found, [("good".to_string(), 1.0), ("good".to_string(), 5.0)]);
    assert!(!place.store().exists());
}

#[test]
fn damaged_files_are_errors_with_their_places_and_leave_no_store() {
    let place = Place::new();
    let cut = |bytes: &[u8], n: usize| bytes[..bytes.len() - n].to_vec();
    let mut nan = binary();
    let at = nan.len() - 5;
    nan[at..at + 4].copy_from_slice(&f32::NAN.to_le_bytes());
    for (contents, expected) in [
        (b"".to_vec(), "has no word vectors"),
        (b"\n\n".to_vec(), "has no word vectors"),
        (b"4 3\n".to_vec(), "announces 4 words and ends after 0"),
        (b"a 1 2\nb 1\n".to_vec(), "line 2 of"),
        (b"a 1 2\nb 1\n".to_vec(), "a word and 1 number, not 2"),
        (b"a 1 2\nb 1 2 3\n".to_vec(), "line 2 of"),
        (b"a 1 2\nb 1 2 3\n".to_vec(), "more than a word and 2 numbers"),
        (b"a 1 2\nb 1 x\n".to_vec(), "\"x\" is not a finite number"),
        (b"a 1 2\nb nan 1\n".to_vec(), "\"nan\" is not a finite number"),
        (b"a 1 2\nb 1e39 1\n".to_vec(), "\"1e39\" is not a finite number"),
        (b"a 1 2\n 1 2\n".to_vec(), "it has no word"),
        (b"word\n".to_vec(), "a word and 0 numbers, not 1"),
        (b"3 2\na 1 2\nb 1 2\n".to_vec(), "announces 3 words and ends after 2"),
        (cut(&binary(), 9), "announces 4 words and ends after 3"),
        ([binary(), b"more".to_vec()].concat(), "goes on after the last word"),
        (nan, "word 4 of"),
        (json().replace("\"size\":4", "\"size\":5").into_bytes(), "announces 5 words"),
        (json().replace("[1,2,4,9.5,0]", "[1,2]").into_bytes(), "\"good\" has 2 numbers"),
        (json().replace("[1,2,4,", "[1,2,1e60,").into_bytes(), "is not the JSON"),
        (cut(json().as_bytes(), 3), "is not the JSON"),
        (b"{\"size\":1}".to_vec(), "is not the JSON"),
        (cut(&gzipped(glove().as_bytes()), 12), "is not a whole gzip file"),
        (cut(&zipped(&[("a", b"a 1\n")]), 12), "is not a whole zip file"),
    ] {
        let path = place.file("v", &contents);
        let error = place.convert(&path, None).unwrap_err().to_string();
        let shown = String::from_utf8_lossy(&contents);
        assert!(error.contains(expected), "{shown}: {error}");
        assert!(!place.store().exists(), "{shown}");
        // Reading without a store has the same rules.
        assert_eq!(read_words(&path, &mut |_, _| {}).unwrap_err().to_string(), error);
    }
    let error = place.convert(Path::new("no"), None).unwrap_err();
    assert!(matches!(error, Error::Read { .. }), "{error}");
    let error = place.convert(place.0.path(), None).unwrap_err();
    assert!(matches!(error, Error::NotAFile { .. }), "{error}");
    let error = read_words(place.0.path(), &mut |_, _| {}).unwrap_err();
    assert!(matches!(error, Error::NotAFile { .. }), "{error}");
    let folder = place.store().parent().unwrap().to_path_buf();
    assert_eq!(fs::read_dir(folder).map_or(0, Iterator::count), 0);
}

#[test]
fn an_older_store_stays_if_the_new_one_fails() {
    let place = Place::new();
    place.convert(&place.file("v", glove()), None).unwrap();
    place.convert(&place.file("v", "a 1 2\nb x 2\n"), None).unwrap_err();
    assert_whole(&place.store(), "after a failure");
}

#[test]
fn a_damaged_store_is_an_error() {
    let place = Place::new();
    place.convert(&place.file("v", glove()), None).unwrap();
    let whole = fs::read(place.store()).unwrap();
    assert!(Store::is_at(&place.store()).unwrap());
    let with = |at: usize, byte: u8| {
        let mut bytes = whole.clone();
        bytes[at] = byte;
        bytes
    };
    let ends = 4096 + 4 * 3 * 4;
    let version = whole.windows(9).position(|bytes| bytes == b"vectors 1").unwrap() + 8;
    for (bytes, expected) in [
        (whole[..whole.len() - 1].to_vec(), "not a whole store"),
        (whole[..100].to_vec(), "not a whole store"),
        (with(version, b'9'), "this program reads"),
        (with(ends, 200), "has no end"),
        (with(ends + 12, 16), "do not end where they should"),
        (with(whole.len() - 1, 0xff), "not in UTF-8"),
        (with(0, 0), "not a whole store"),
    ] {
        let error = Store::open(&place.file("damaged", bytes)).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    let flipped = Store::open(&place.file("damaged", with(4100, 1))).unwrap();
    let error = flipped.verify().unwrap_err().to_string();
    assert!(error.contains("SHA-256"), "{error}");
    assert!(!Store::is_at(&place.file("v", glove())).unwrap());
    assert!(!Store::is_at(&place.file("v", binary())).unwrap());
    assert!(!Store::is_at(&place.file("v", "")).unwrap());
}

#[test]
fn a_writer_refuses_what_is_no_vector() {
    let place = Place::new();
    let mut writer = StoreWriter::create(&place.store()).unwrap();
    let empty = StoreWriter::create(&place.store()).unwrap().finish(Origin::default());
    assert!(matches!(empty, Err(Error::NoWords { .. })));
    assert!(writer.add("a", &[1.0, 2.0]).unwrap());
    assert!(!writer.add("a", &[3.0, 4.0]).unwrap());
    for (vector, expected) in
        [(&[1.0][..], "has 1 number; expected 2"), (&[1.0, f32::NAN], "has the number NaN")]
    {
        let error = writer.add("b", vector).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    let origin = Origin { name: "x".repeat(5000), ..Origin::default() };
    let error = writer.finish(origin).unwrap_err();
    assert!(matches!(error, Error::LongOrigin { .. }), "{error}");
    assert!(!place.store().exists());
}

#[test]
fn the_nearest_words_have_the_largest_cosines() {
    let place = Place::new();
    let mut writer = StoreWriter::create(&place.store()).unwrap();
    for (word, vector) in [
        ("good", [1.0, 0.0]),
        ("bad", [-1.0, 0.0]),
        ("great", [3.0, 4.0]),
        ("fine", [10.0, 1.0]),
        ("none", [0.0, 0.0]),
    ] {
        writer.add(word, &vector).unwrap();
    }
    writer.finish(Origin::default()).unwrap();
    let store = Store::open(&place.store()).unwrap();
    let near = store.nearest("good", 10).unwrap();
    assert_eq!(near.iter().map(|near| near.word).collect::<Vec<_>>(), ["fine", "great", "bad"]);
    assert!((near[1].cosine - 0.6).abs() < 1e-12, "{near:?}");
    assert_eq!(store.nearest("good", 1).unwrap().len(), 1);
    assert_eq!(store.nearest("none", 3).unwrap(), []);
    let error = store.nearest("worse", 1).unwrap_err().to_string();
    assert!(error.contains("no word \"worse\""), "{error}");
}

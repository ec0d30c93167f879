//! Files of every kind: absent, empty, compressed, misnamed, pipes.

use std::fs;
use std::io::Write as _;

use dataset::{DataFile, Error, Format, ReadOptions};
use polars::prelude::*;

use super::parquet::parquet;
use super::{check, file, message, notes, read, read_as, refusal, without};

#[test]
fn a_file_that_is_not_there_or_not_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let error = read(&folder.path().join("reviews.csv")).unwrap_err();
    assert_eq!(without(folder.path(), &error), "reviews.csv does not exist");

    let inner = folder.path().join("reviews.csv");
    fs::create_dir(&inner).unwrap();
    let error = read(&inner).unwrap_err();
    let expected = "reviews.csv is a folder without folders of classes in it";
    assert_eq!(without(folder.path(), &error), expected);
}

#[test]
fn a_file_with_nothing_in_it() {
    for name in ["reviews.csv", "reviews.tsv", "reviews.jsonl", "reviews.parquet"] {
        assert_eq!(message(name, ""), format!("{name} is empty"));
    }
    for blank in ["\n\n", " ", "\u{feff}", "\u{feff}\r\n", "\t\n \n"] {
        for name in ["reviews.csv", "reviews.jsonl"] {
            assert_eq!(message(name, blank), format!("{name} is empty"), "{blank:?}");
        }
    }
    for header in ["text,label\n", "text,label", "text,label\n\n\n", "\"text\",\"label\"\r\n"] {
        assert_eq!(message("reviews.csv", header), "reviews.csv has columns but no rows");
    }
    let no_rows = df!("text" => Vec::<String>::new(), "label" => Vec::<i64>::new()).unwrap();
    assert_eq!(
        message("reviews.parquet", parquet(no_rows)),
        "reviews.parquet has columns but no rows"
    );
}

#[test]
fn a_file_of_an_unknown_format() {
    let known = "known extensions are .csv, .tsv, .jsonl, .ndjson, .json-lines, .parquet";
    for (name, advice) in [
        ("reviews.xlsx", "Save the sheet as CSV"),
        ("reviews.zip", "Unpack the archive first"),
        ("reviews.txt", "fastText format"),
        ("reviews", "--format csv, tsv, jsonl, parquet or fasttext"),
        ("reviews.tsv.bak", "--format"),
        ("reviews.gz", "--format"),
    ] {
        let refusal = refusal(name, "PK", &ReadOptions::default());
        let expected = format!("cannot tell the format of {name} from its name; {known}\n");
        assert!(refusal.starts_with(&expected), "{refusal}");
        assert!(refusal.contains(advice) && refusal.contains("Supported formats: "), "{refusal}");
    }
}

#[test]
fn a_format_can_be_named() {
    let (_folder, path) = file("reviews.data", "text\tlabel\ngood\t1\n");
    let options = ReadOptions { format: Some(Format::Tsv), ..ReadOptions::default() };
    assert_eq!(read_as(&path, &options).unwrap().targets().of_row(0), [1]);
}

#[test]
fn a_file_that_is_not_what_its_name_says() {
    let garbage: Vec<u8> =
        (0..5000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    for (name, expected) in [
        ("reviews.csv", "reviews.csv is not CSV: it holds binary data"),
        ("reviews.tsv", "reviews.tsv is not TSV: it holds binary data"),
        ("reviews.jsonl", "reviews.jsonl is not JSON lines: it holds binary data"),
        ("reviews.parquet", "reviews.parquet is not Parquet: it lacks the Parquet signature"),
    ] {
        assert_eq!(message(name, &garbage), expected);
    }
    let frame = df!("text" => ["a"], "label" => [1i64]).unwrap();
    assert_eq!(
        message("reviews.csv", parquet(frame)),
        "reviews.csv is not CSV: it looks like Parquet"
    );
    for (name, content, expected) in [
        ("a.csv", "__label__pos good\n__label__neg bad\n", "fastText"),
        ("a.csv", "<!doctype html><html>", "a web page"),
        ("a.csv", "{\"text\": \"a\", \"label\": 1}\n", "looks like JSON"),
        ("a.tsv", "[{\"text\": \"a\"}]", "looks like JSON"),
        ("a.csv", "PK\u{3}\u{4}", "a zip archive or a spreadsheet"),
        ("a.parquet", "text,label\n", "lacks the Parquet signature"),
        ("a.csv", "BZh91AY&SY", "bzip2"),
    ] {
        let refusal = refusal(name, content, &ReadOptions::default());
        assert!(refusal.contains(expected), "{refusal}");
        assert!(refusal.contains("Supported formats: "), "{refusal}");
    }
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    writer.write_all(content).unwrap();
    writer.finish().unwrap()
}

#[test]
fn compressed_files_are_read_as_they_are() {
    let csv = b"text,label\ngood,1\nbad,0\n";
    let zst = zstd::encode_all(&csv[..], 1).unwrap();
    let json = b"{\"text\": \"good\", \"label\": 1}\n{\"text\": \"bad\", \"label\": 0}\n";
    // Two consecutive members are one file, as made by `cat a.gz b.gz`.
    let members = [gzip(b"text,label\ngood,"), gzip(b"1\nbad,0\n")].concat();
    let frames = [
        zstd::encode_all(&b"text,label\ngood,"[..], 1).unwrap(),
        zstd::encode_all(&b"1\nbad,0\n"[..], 1).unwrap(),
    ]
    .concat();
    let skippable = [&[0x50, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 9, 9], &zst[..]].concat();
    let frame = df!("text" => ["good", "bad"], "label" => [1i64, 0]).unwrap();
    for (name, content) in [
        ("a.csv.gz", gzip(csv)),
        ("a.csv.gz", members),
        ("a.csv.zst", zst.clone()),
        ("a.csv.zst", frames),
        ("a.csv.zst", skippable),
        ("a.jsonl.gz", gzip(json)),
        ("a.ndjson.zst", zstd::encode_all(&json[..], 1).unwrap()),
        ("a.parquet.gz", gzip(&parquet(frame))),
        ("a.csv", gzip(csv)),
        ("a.csv.gz", csv.to_vec()),
    ] {
        check(name, content, &["good", "bad"], &[1, 0]);
    }
    assert_eq!(notes("a.csv.gz", gzip(csv)), Vec::<String>::new());
    assert_eq!(notes("a.csv", &zst), ["unpacked it with zstd"]);
    assert!(message("a.csv.gz", gzip(&gzip(csv))).contains("compressed twice"));
}

#[test]
fn compressed_files_that_are_cut_off_are_refused() {
    let text: String = (0..2000).map(|row| format!("text {row},{}\n", row % 2)).collect();
    let csv = format!("text,label\n{text}");
    for (name, whole) in [
        ("a.csv.gz", gzip(csv.as_bytes())),
        ("a.csv.zst", zstd::encode_all(csv.as_bytes(), 1).unwrap()),
    ] {
        for n_bytes in [5, 20, whole.len() / 2, whole.len() - 1] {
            let message = message(name, &whole[..n_bytes]);
            assert!(message.starts_with(&format!("cannot unpack {name}")), "{n_bytes}: {message}");
        }
    }
    // gzip has a checksum of its own.
    let mut damaged = gzip(csv.as_bytes());
    let middle = damaged.len() / 2;
    damaged[middle] ^= 0xff;
    assert!(!message("a.csv.gz", damaged).starts_with("READ"));
}

#[cfg(target_os = "linux")]
#[test]
fn pipes_are_read_once_under_a_named_format() {
    use std::os::fd::AsRawFd as _;

    let (reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all("\u{feff}text,label\ngood,1\n".as_bytes()).unwrap();
    drop(writer);
    let pipe = DataFile::open(format!("/dev/fd/{}", reader.as_raw_fd())).unwrap();
    let choice = dataset::ColumnChoice::default();
    let labels = dataset::LabelOptions::default();
    let error =
        dataset::LabelledTexts::read(&pipe, &choice, &labels, &ReadOptions::default()).unwrap_err();
    assert!(matches!(error, Error::UnknownExtension { .. }), "{error}");
    let options = ReadOptions { format: Some(Format::Csv), ..ReadOptions::default() };
    for _ in 0..2 {
        let table = dataset::LabelledTexts::read(&pipe, &choice, &labels, &options).unwrap();
        assert_eq!(table.texts().collect::<Vec<_>>(), ["good"]);
    }
}

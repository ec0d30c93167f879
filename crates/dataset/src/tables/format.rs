//! File formats: which one a file name implies, and whether the first bytes agree.

use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// The supported input, for advice on unsupported files.
pub(crate) const READ: &str = "Supported formats: CSV and TSV with a header line, JSON lines (one \
     object per line) or one JSON array of objects, Parquet, and lines in fastText's format; text formats \
     may be compressed with gzip or zstd. A folder with a folder of .txt files for each class is read, too.";

/// A format in which tables are read and written, given by the file extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// `.csv`: comma-separated, with a header.
    Csv,
    /// `.tsv`: tab-separated, with a header.
    Tsv,
    /// `.jsonl`, `.ndjson`, `.json-lines`: one JSON object per line.
    JsonLines,
    /// Lines such as `__label__positive some text`, in files with any other extension. It is only read.
    FastText,
    /// `.parquet`.
    Parquet,
}

impl Format {
    /// Every known extension; case is ignored.
    pub const EXTENSIONS: [&'static str; 6] =
        [".csv", ".tsv", ".jsonl", ".ndjson", ".json-lines", ".parquet"];

    /// The byte between columns, for the formats that have one.
    pub(crate) fn separator(self) -> Option<u8> {
        match self {
            Self::Csv => Some(b','),
            Self::Tsv => Some(b'\t'),
            Self::JsonLines | Self::FastText | Self::Parquet => None,
        }
    }

    /// What is wrong with the first bytes of a file of this format, if anything.
    ///
    /// Parsers accept or misreport many such files: a spreadsheet named `.csv` reads as one odd column.
    pub(super) fn complaint(self, head: &[u8]) -> Option<&'static str> {
        const PARQUET: &[u8] = b"PAR1";
        let known = KINDS.iter().find(|(signature, _)| head.starts_with(signature));
        if let Some((_, found)) = known {
            return Some(found);
        }
        if head.starts_with(b"BZh") && head.get(4..7) == Some(b"1AY") {
            return Some("it is compressed with bzip2; unpack it first, or use gzip or zstd");
        }
        match (self, head.starts_with(PARQUET)) {
            (Self::Parquet, true) => return None,
            (Self::Parquet, false) => return Some("it lacks the Parquet signature"),
            (_, true) => return Some("it looks like Parquet"),
            (_, false) => {}
        }
        let head = head.strip_prefix("\u{feff}".as_bytes()).unwrap_or(head).trim_ascii_start();
        let begins = |with: &str| {
            head.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with.as_bytes()))
        };
        if self != Self::FastText && begins("__label__") {
            return Some("it looks like fastText format; read it with --format fasttext");
        }
        if begins("<!doctype") || begins("<html") || begins("<?xml") {
            return Some("it looks like a web page or XML; download the file itself");
        }
        if begins("version https://git-lfs") {
            return Some("it is a Git LFS pointer; fetch the file itself with `git lfs pull`");
        }
        if !matches!(self, Self::JsonLines | Self::FastText) && (begins("{\"") || begins("[{")) {
            return Some("it looks like JSON; read it with --format jsonl");
        }
        None
    }
}

/// First bytes of files that are not tables, and what they mean.
const KINDS: [(&[u8], &str); 5] = [
    (
        b"PK\x03\x04",
        "it looks like a zip archive or a spreadsheet; unpack it, or save the sheet as CSV",
    ),
    (b"\xd0\xcf\x11\xe0", "it looks like an old Excel or Word file; save it as CSV"),
    (b"\x1f\x8b", "it is compressed twice; unpack it once first"),
    (b"\x28\xb5\x2f\xfd", "it is compressed twice; unpack it once first"),
    (b"\xfd7zXZ", "it is compressed with xz; unpack it first, or use gzip or zstd"),
];

/// What to do about a file name that implies no known format.
pub(crate) fn advice(path: &Path) -> String {
    let first = match extension(path).as_deref() {
        Some("xlsx" | "xls" | "xlsm" | "ods") => "Save the sheet as CSV (UTF-8).",
        Some("zip" | "7z" | "rar" | "tar" | "tgz" | "bz2" | "xz") => "Unpack the archive first.",
        Some("txt" | "train" | "valid" | "test") => {
            "If it is a table, name its format with --format csv or --format tsv. A file whose first line is \
             like \"__label__pos some text\" is read as fastText format."
        }
        Some("gz" | "zst") => {
            "Give a compressed table a name such as reviews.csv.gz, or use --format. Parquet is compressed \
             inside: write it as .parquet."
        }
        _ => "Name the format with --format csv, tsv, jsonl, parquet or fasttext.",
    };
    format!("{first} {READ}")
}

/// The extension of a file name in lower case.
pub(super) fn extension(path: &Path) -> Option<String> {
    path.extension().and_then(|ending| ending.to_str()).map(str::to_ascii_lowercase)
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Csv => "CSV",
            Self::Tsv => "TSV",
            Self::JsonLines => "JSON lines",
            Self::FastText => "fastText format",
            Self::Parquet => "Parquet",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_extension_is_known_in_any_case() {
        for extension in Format::EXTENSIONS {
            for name in [format!("x{extension}"), format!("x{}", extension.to_uppercase())] {
                assert!(Format::of(Path::new(&name)).is_ok(), "{name}");
            }
        }
    }

    #[test]
    fn formats_have_names() {
        assert_eq!("jsonl".parse::<Format>().unwrap(), Format::JsonLines);
        let message = Format::named("xlsx").unwrap_err().to_string();
        assert_eq!("fasttext".parse::<Format>().unwrap(), Format::FastText);
        let expected = "there is no format \"xlsx\"; expected csv, tsv, jsonl, parquet or fasttext";
        assert_eq!(message, expected);
    }

    #[test]
    fn an_unknown_extension_lists_the_known_ones() {
        for name in ["reviews.xlsx", "reviews"] {
            let message = Format::of(Path::new(name)).unwrap_err().to_string();
            assert_eq!(
                message,
                format!(
                    "cannot tell the format of {name} from its name; known extensions are .csv, \
                     .tsv, .jsonl, .ndjson, .json-lines, .parquet"
                )
            );
        }
    }

    #[test]
    fn names_of_inputs_may_have_two_endings() {
        for (name, expected) in [
            ("a.csv.gz", Format::Csv),
            ("a.TSV.ZST", Format::Tsv),
            ("a.json", Format::JsonLines),
            ("a.json.gz", Format::JsonLines),
            ("a.tab", Format::Tsv),
            ("a.parquet", Format::Parquet),
        ] {
            assert_eq!(Format::of_input(Path::new(name)).unwrap(), expected, "{name}");
        }
        for name in ["a.gz", "a.txt", "a.tsv.bak", "-", "/dev/fd/63", "a.xlsx", ".csv"] {
            assert!(Format::of_input(Path::new(name)).is_err(), "{name}");
        }
    }

    #[test]
    fn first_bytes_that_break_the_promise_are_noticed() {
        assert_eq!(Format::Csv.complaint(b"text,label\n"), None);
        assert_eq!(Format::Csv.complaint("\u{feff}text,label\n".as_bytes()), None);
        assert_eq!(Format::Parquet.complaint(b"PAR1\0\0"), None);
        assert_eq!(Format::JsonLines.complaint(b"[{\"text\": \"a\"}]"), None);
        assert_eq!(Format::FastText.complaint(b"__label__pos what a film"), None);
        for (format, head) in [
            (Format::Parquet, &b"text,label\n"[..]),
            (Format::Csv, b"PAR1\0\0"),
            (Format::JsonLines, &[0x1f, 0x8b, 8]),
            (Format::Csv, b"PK\x03\x04"),
            (Format::Csv, b"BZh91AY"),
            (Format::Tsv, b"__label__pos what a film"),
            (Format::Csv, b"\xef\xbb\xbf__label__pos what a film"),
            (Format::Csv, b"\n<!DOCTYPE html>"),
            (Format::Csv, b"{\"text\": 1}"),
            (Format::Csv, b"version https://git-lfs.github.com/spec/v1\n"),
        ] {
            assert!(format.complaint(head).is_some(), "{format} {head:?}");
        }
    }
}

//! File formats: which one a name promises, and whether the first bytes keep the promise.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::unpack;
use crate::error::{Error, Result};

/// What is read, for those who bring something else.
pub(crate) const READ: &str = "What can be read: CSV and TSV with a header line, JSON lines (one object a \
     line) or one JSON array of objects, and Parquet; text formats also packed with gzip or zstd.";

/// A format that tables are read from and written to, told by the extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// `.csv`: comma-separated, with a header.
    Csv,
    /// `.tsv`: tab-separated, with a header.
    Tsv,
    /// `.jsonl`, `.ndjson`, `.json-lines`: one JSON object a line.
    JsonLines,
    /// `.parquet`.
    Parquet,
}

impl Format {
    /// Every extension that we know, in any case.
    pub const EXTENSIONS: [&'static str; 6] =
        [".csv", ".tsv", ".jsonl", ".ndjson", ".json-lines", ".parquet"];

    /// The format that a file to be read promises: as [`Format::of`], and `.json` for JSON lines or an
    /// array, `.tab` for TSV, each also before `.gz` or `.zst`.
    ///
    /// # Errors
    /// `UnknownExtension`.
    pub fn of_input(path: &Path) -> Result<Self> {
        let unknown = || Error::UnknownExtension { path: path.to_owned() };
        let mut inner = path.to_owned();
        if extension(path).is_some_and(|ending| unpack::ENDINGS.contains(&ending.as_str())) {
            inner.set_extension("");
        }
        match extension(&inner).as_deref() {
            Some("json") => Ok(Self::JsonLines),
            Some("tab") => Ok(Self::Tsv),
            _ => Self::of(&inner).map_err(|_| unknown()),
        }
    }

    /// The format that a name promises.
    ///
    /// # Errors
    /// `UnknownExtension`, whose message lists the known ones.
    pub fn of(path: &Path) -> Result<Self> {
        match extension(path).as_deref() {
            Some("csv") => Ok(Self::Csv),
            Some("tsv") => Ok(Self::Tsv),
            Some("jsonl" | "ndjson" | "json-lines") => Ok(Self::JsonLines),
            Some("parquet") => Ok(Self::Parquet),
            _ => Err(Error::UnknownExtension { path: path.to_owned() }),
        }
    }

    /// A format by its name: `csv`, `tsv`, `jsonl` (or `json`, `ndjson`), `parquet`.
    ///
    /// # Errors
    /// `UnknownFormat`.
    pub fn named(name: &str) -> Result<Self> {
        match name {
            "csv" => Ok(Self::Csv),
            "tsv" => Ok(Self::Tsv),
            "jsonl" | "json" | "ndjson" => Ok(Self::JsonLines),
            "parquet" => Ok(Self::Parquet),
            _ => Err(Error::UnknownFormat { name: name.to_owned() }),
        }
    }

    /// The byte between columns, for the formats that have one.
    pub(crate) fn separator(self) -> Option<u8> {
        match self {
            Self::Csv => Some(b','),
            Self::Tsv => Some(b'\t'),
            Self::JsonLines | Self::Parquet => None,
        }
    }

    /// What is wrong with the first bytes of a file of this format, if anything is.
    ///
    /// Parsers accept or misreport many such files: a spreadsheet in a `.csv` is one strange column.
    pub(super) fn complaint(self, head: &[u8]) -> Option<&'static str> {
        const PARQUET: &[u8] = b"PAR1";
        let known = KINDS.iter().find(|(signature, _)| head.starts_with(signature));
        if let Some((_, found)) = known {
            return Some(found);
        }
        if head.starts_with(b"BZh") && head.get(4..7) == Some(b"1AY") {
            return Some("it is packed with bzip2; unpack it first, or pack it with gzip or zstd");
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
        if begins("__label__") {
            return Some(
                "it looks like fastText's format; make a table of it with a column of labels and one of \
                 texts",
            );
        }
        if begins("<!doctype") || begins("<html") || begins("<?xml") {
            return Some("it looks like a web page or XML; download the file itself");
        }
        if begins("version https://git-lfs") {
            return Some("it is a pointer of Git LFS; fetch the file itself with `git lfs pull`");
        }
        if self != Self::JsonLines && (begins("{\"") || begins("[{")) {
            return Some("it looks like JSON; name it so with --format jsonl");
        }
        None
    }
}

/// First bytes of files that are no tables, and what they mean.
const KINDS: [(&[u8], &str); 5] = [
    (
        b"PK\x03\x04",
        "it looks like a zip archive or a spreadsheet; unpack it, or save the sheet as CSV",
    ),
    (b"\xd0\xcf\x11\xe0", "it looks like an old Excel or Word file; save it as CSV"),
    (b"\x1f\x8b", "it is packed twice; unpack it first"),
    (b"\x28\xb5\x2f\xfd", "it is packed twice; unpack it first"),
    (b"\xfd7zXZ", "it is packed with xz; unpack it first, or pack it with gzip or zstd"),
];

/// What to do about a name that promises no known format.
pub(crate) fn advice(path: &Path) -> String {
    let first = match extension(path).as_deref() {
        Some("xlsx" | "xls" | "xlsm" | "ods") => "Save the sheet as CSV (UTF-8).",
        Some("zip" | "7z" | "rar" | "tar" | "tgz" | "bz2" | "xz") => "Unpack the archive first.",
        Some("txt" | "train" | "valid" | "test") => {
            "If it is a table, name its format with --format csv or --format tsv. Lines such as \
             \"__label__pos some text\" are fastText's: make a table of them with a column of labels and \
             one of texts."
        }
        Some("gz" | "zst") => {
            "A packed table is read by a name such as reviews.csv.gz, or with --format; answers are written \
             as .csv, .tsv, .jsonl or .parquet, and not packed."
        }
        _ => "Name the format with --format csv, tsv, jsonl or parquet.",
    };
    format!("{first} {READ}")
}

/// The ending of a file name in lower case.
fn extension(path: &Path) -> Option<String> {
    path.extension().and_then(|ending| ending.to_str()).map(str::to_ascii_lowercase)
}

impl FromStr for Format {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Self::named(name)
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Csv => "CSV",
            Self::Tsv => "TSV",
            Self::JsonLines => "JSON lines",
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
        assert_eq!(message, "there is no format \"xlsx\"; expected csv, tsv, jsonl or parquet");
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

//! File formats: which one a name promises, and whether the first bytes keep the promise.

use std::fmt;
use std::path::Path;

use crate::error::{Error, Result};

/// A format that tables are read from and written to, told by the extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

    /// The format that a file name promises.
    ///
    /// # Errors
    /// `UnknownExtension`, whose message lists the known ones.
    pub fn of(path: &Path) -> Result<Self> {
        let extension = path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase);
        match extension.as_deref() {
            Some("csv") => Ok(Self::Csv),
            Some("tsv") => Ok(Self::Tsv),
            Some("jsonl" | "ndjson" | "json-lines") => Ok(Self::JsonLines),
            Some("parquet") => Ok(Self::Parquet),
            _ => Err(Error::UnknownExtension { path: path.to_owned() }),
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
    /// Parsers accept or misreport many such files: a gzipped CSV is one strange column.
    pub(crate) fn complaint(self, head: &[u8]) -> Option<&'static str> {
        const PARQUET: &[u8] = b"PAR1";
        if self == Self::Parquet {
            return (!head.starts_with(PARQUET)).then_some("it lacks the Parquet signature");
        }
        if head.starts_with(PARQUET) {
            Some("it looks like Parquet")
        } else if head.starts_with(&[0x1f, 0x8b]) || head.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
            Some("it is compressed; unpack it first")
        } else if head.starts_with(b"PK\x03\x04") {
            Some("it looks like a zip archive or a spreadsheet")
        } else if head.starts_with(&[0xff, 0xfe]) || head.starts_with(&[0xfe, 0xff]) {
            Some("it looks like UTF-16; save it as UTF-8")
        } else if head.contains(&0) {
            Some("it holds binary data")
        } else {
            None
        }
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
    fn first_bytes_that_break_the_promise_are_noticed() {
        assert_eq!(Format::Csv.complaint(b"text,label\n"), None);
        assert_eq!(Format::Csv.complaint("\u{feff}text,label\n".as_bytes()), None);
        assert_eq!(Format::Parquet.complaint(b"PAR1\0\0"), None);
        assert!(Format::Parquet.complaint(b"text,label\n").is_some());
        assert!(Format::Csv.complaint(b"PAR1\0\0").is_some());
        assert!(Format::JsonLines.complaint(&[0x1f, 0x8b, 8]).is_some());
        assert!(Format::Tsv.complaint(b"a\tb\0").is_some());
        assert!(Format::Csv.complaint(&[0xff, 0xfe, b't', 0]).is_some());
        assert!(Format::Csv.complaint(b"PK\x03\x04").is_some());
    }
}

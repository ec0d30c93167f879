//! How answers are laid out: in which format, compressed or not, in one file or in parts.

use std::fmt;
use std::io::{self, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::tables::Format;
use crate::tables::write::Existing;

/// Whether the output is one file or a folder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// One file.
    #[default]
    File,
    /// A folder of parts, each a table of its own, and `_manifest.json`, whose name others skip.
    Folder,
}

/// How to write answers.
#[derive(Clone, Debug)]
pub struct OutputOptions {
    /// What to do if the output exists, or if parts of another run do.
    pub existing: Existing,
    /// One file, or a folder of parts.
    pub layout: Layout,
    /// What decides the answers besides the table, such as the model's id and settings. A run goes on with
    /// the parts of an earlier one only if theirs is equal.
    pub identity: serde_json::Value,
    /// The format, uncompressed; by default that of the name, or of the input where the output is a stream
    /// whose name has none.
    pub format: Option<Format>,
    /// Forget the parts of an earlier run.
    pub restart: bool,
}

impl Default for OutputOptions {
    fn default() -> Self {
        Self {
            existing: Existing::Refuse,
            layout: Layout::File,
            identity: serde_json::Value::Null,
            format: None,
            restart: false,
        }
    }
}

/// A format, and how it is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kind {
    pub(super) format: Format,
    pub(super) packing: Packing,
}

/// How a text format is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Packing {
    None,
    Gzip,
    Zstd,
}

impl Kind {
    /// What a file name implies: a format, and for text formats also `.gz` or `.zst` after it.
    ///
    /// # Errors
    /// `UnknownExtension`.
    pub(super) fn of(path: &Path) -> Result<Self> {
        let ending = path.extension().and_then(|ending| ending.to_str()).map(str::to_lowercase);
        let packing = match ending.as_deref() {
            Some("gz") => Packing::Gzip,
            Some("zst" | "zstd") => Packing::Zstd,
            _ => return Ok(Self::plain(Format::of(path)?)),
        };
        match Format::of(&path.with_extension("")) {
            // Parquet is compressed inside.
            Ok(Format::Parquet) | Err(_) => Err(Error::UnknownExtension { path: path.to_owned() }),
            Ok(format) => Ok(Self { format, packing }),
        }
    }

    pub(super) fn plain(format: Format) -> Self {
        Self { format, packing: Packing::None }
    }

    /// The extension of a part, without the leading dot.
    pub(super) fn extension(self) -> String {
        let format = match self.format {
            Format::Csv => "csv",
            Format::Tsv => "tsv",
            Format::JsonLines => "jsonl",
            Format::FastText => "txt",
            Format::Parquet => "parquet",
        };
        let packing = match self.packing {
            Packing::None => "",
            Packing::Gzip => ".gz",
            Packing::Zstd => ".zst",
        };
        format!("{format}{packing}")
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.format)?;
        match self.packing {
            Packing::None => Ok(()),
            Packing::Gzip => f.write_str(" compressed with gzip"),
            Packing::Zstd => f.write_str(" compressed with zstd"),
        }
    }
}

impl Packing {
    /// Compresses some bytes. The compressed bytes of several, one after another, are those of all.
    pub(super) fn packed(self, bytes: Vec<u8>) -> io::Result<Vec<u8>> {
        match self {
            Self::None => Ok(bytes),
            Self::Gzip => {
                let level = flate2::Compression::default();
                let mut writer = flate2::write::GzEncoder::new(Vec::new(), level);
                writer.write_all(&bytes)?;
                writer.finish()
            }
            Self::Zstd => zstd::encode_all(&*bytes, 0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_format_and_compression() {
        for (name, format, packing) in [
            ("a.csv", Format::Csv, Packing::None),
            ("a.csv.gz", Format::Csv, Packing::Gzip),
            ("a.b.TSV.GZ", Format::Tsv, Packing::Gzip),
            ("a.jsonl.zst", Format::JsonLines, Packing::Zstd),
            ("a.parquet", Format::Parquet, Packing::None),
        ] {
            assert_eq!(Kind::of(Path::new(name)).unwrap(), Kind { format, packing }, "{name}");
        }
        for name in ["a.gz", "a.parquet.gz", "a.txt.gz", "a"] {
            assert!(Kind::of(Path::new(name)).is_err(), "{name}");
        }
    }
}

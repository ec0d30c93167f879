//! Formats by name: of a file, or as a user writes it.

use std::path::Path;
use std::str::FromStr;

use super::format::{Format, extension};
use super::unpack;
use crate::error::{Error, Result};

impl Format {
    /// The format of an input file: as [`Format::of`], plus `.json` for JSON lines or an array and
    /// `.tab` for TSV, each also before `.gz` or `.zst`.
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

    /// The format that a file name implies.
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

    /// A format by its name: `csv`, `tsv`, `jsonl` (or `json`, `ndjson`), `parquet`, `fasttext`.
    ///
    /// # Errors
    /// `UnknownFormat`.
    pub fn named(name: &str) -> Result<Self> {
        match name {
            "csv" => Ok(Self::Csv),
            "tsv" => Ok(Self::Tsv),
            "jsonl" | "json" | "ndjson" => Ok(Self::JsonLines),
            "parquet" => Ok(Self::Parquet),
            "fasttext" => Ok(Self::FastText),
            _ => Err(Error::UnknownFormat { name: name.to_owned() }),
        }
    }
}

impl FromStr for Format {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Self::named(name)
    }
}

//! How a file is read: what was found out about it before its rows are.

use std::path::Path;
use std::sync::Arc;

use super::chunk::{BadRows, Sizes};
use super::delimited::{self, Delimited};
use super::fasttext::{self, FastText};
use super::file::DataFile;
use super::format::Format;
use super::json_lines::{self, Json};
use super::notes::ReadNotes;
use super::options::ReadOptions;
use super::parquet::{self, Parquet};
use super::source::Source;
use super::table::Table;
use super::text_file::{self, TextFile};
use super::unpack::Compression;
use crate::error::Result;

/// A file whose rows can be read any number of times.
#[derive(Clone, Debug)]
pub(crate) enum Plan {
    Delimited(Arc<Delimited>),
    Json(Arc<Json>),
    FastText(Arc<FastText>),
    Parquet(Arc<Parquet>),
}

impl Plan {
    /// Finds out how a file is written.
    ///
    /// With a digest, later passes over a text file fail if the bytes have another.
    ///
    /// # Errors
    /// What is wrong with the file as a whole, or with its header.
    pub(crate) fn of(
        file: &DataFile,
        source: &Source,
        options: &ReadOptions,
        bad_rows: BadRows,
        (digest, sizes): (Option<&str>, &Sizes),
        notes: &mut ReadNotes,
    ) -> Result<Self> {
        let path = &file.name();
        let format = file.format(options)?;
        file.tell(notes);
        let compression = compression(path, source)?;
        if format == Format::Parquet {
            let plan = Parquet::of(path, source, compression, notes)?;
            return Ok(Self::Parquet(Arc::new(plan)));
        }
        let kind = (format, compression);
        let digest = (digest, sizes.block);
        let file = TextFile::look_through(path, source, kind, options, digest, notes)?;
        Ok(match format {
            Format::JsonLines => Self::Json(Arc::new(Json { file, names: Vec::new() })),
            Format::FastText => Self::FastText(Arc::new(FastText { file })),
            _ => Self::Delimited(Arc::new(Delimited::of(file, format, options, bad_rows, notes)?)),
        })
    }

    /// The same with the columns of JSON, so that all chunks have all of them, in this order.
    pub(crate) fn with_names(self, names: Vec<String>) -> Self {
        match self {
            Self::Json(plan) => Self::Json(Arc::new(Json { file: plan.file.clone(), names })),
            other => other,
        }
    }

    /// Begins to read; a `survey` also checks what needs the whole file.
    ///
    /// # Errors
    /// `Read`, `Unpack`.
    pub(crate) fn reader(&self, bad_rows: BadRows, is_survey: bool) -> Result<Reader> {
        Ok(match self {
            Self::Delimited(plan) => {
                Reader::Delimited(Box::new(delimited::Reader::new(plan, bad_rows, is_survey)?))
            }
            Self::Json(plan) => Reader::Json(Box::new(json_lines::Reader::new(plan, bad_rows)?)),
            Self::FastText(plan) => {
                Reader::FastText(Box::new(fasttext::Reader::new(plan, bad_rows)?))
            }
            Self::Parquet(plan) => Reader::Parquet(Box::new(parquet::Reader::new(plan))),
        })
    }
}

/// Reads the rows of a file.
pub(crate) enum Reader {
    Delimited(Box<delimited::Reader>),
    Json(Box<json_lines::Reader>),
    FastText(Box<fasttext::Reader>),
    Parquet(Box<parquet::Reader>),
}

impl Reader {
    /// The next rows; `None` at the end.
    ///
    /// # Errors
    /// The `Fault`s of rows, with row and line; `Read`, `Unpack`, `Changed`.
    pub(crate) fn next_chunk(&mut self, sizes: &Sizes) -> Result<Option<Table>> {
        match self {
            Self::Delimited(reader) => reader.next_chunk(sizes),
            Self::Json(reader) => reader.next_chunk(sizes),
            Self::FastText(reader) => reader.next_chunk(sizes),
            Self::Parquet(reader) => reader.next_chunk(sizes),
        }
    }

    /// The columns of JSON so far; those of other formats are known before.
    pub(crate) fn names(&self) -> Vec<String> {
        match self {
            Self::Json(reader) => reader.names().to_vec(),
            Self::Delimited(_) | Self::FastText(_) | Self::Parquet(_) => Vec::new(),
        }
    }

    /// Ends a survey, after the last chunk.
    ///
    /// # Errors
    /// `NoRows`; what only the whole file shows.
    pub(crate) fn finish(self, notes: &mut ReadNotes) -> Result<()> {
        match self {
            Self::Delimited(reader) => reader.finish(notes),
            Self::Json(reader) => reader.finish(notes),
            Self::FastText(reader) => reader.finish(notes),
            // Without rows, there is no plan.
            Self::Parquet(_) => Ok(()),
        }
    }
}

/// How the first bytes of a source are compressed.
///
/// # Errors
/// `Read`.
pub(super) fn compression(path: &Path, source: &Source) -> Result<Compression> {
    Ok(Compression::of(&text_file::head(path, source, Compression::None)?))
}

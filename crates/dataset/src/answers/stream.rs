//! Answers that are written through to standard output, a pipe or a device, chunk by chunk.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::layout::Kind;
use crate::error::{Error, Result};
use crate::tables::Format;
use crate::tables::write::{Encoded, Groups, OutColumn, Stream, failed, header, typed};

/// An output that takes bytes as they are written.
pub(super) struct Through {
    path: PathBuf,
    kind: Kind,
    sink: Option<Box<dyn Write + Send>>,
    /// Of Parquet, once there are columns.
    groups: Option<Groups<Box<dyn Write + Send>>>,
    /// The line of names, until it is written.
    names: Option<Vec<String>>,
}

impl Through {
    /// Opens a stream.
    ///
    /// # Errors
    /// `Write`.
    pub(super) fn open(
        path: &Path,
        stream: &Stream,
        kind: Kind,
        names: Vec<String>,
    ) -> Result<Self> {
        let sink: Box<dyn Write + Send> = match stream {
            Stream::Stdout => Box::new(io::stdout()),
            Stream::Stderr => Box::new(io::stderr()),
            Stream::Named(target) => {
                let file = OpenOptions::new().append(true).open(target);
                let file = file.map_err(|source| Error::Write { path: path.to_owned(), source });
                Box::new(file?)
            }
        };
        let path = path.to_owned();
        Ok(Self { path, kind, sink: Some(sink), groups: None, names: Some(names) })
    }

    /// Writes a chunk of a text format; `has_quotes` if any field of the table may be quoted, which the names of a
    /// tab-separated table then say.
    ///
    /// # Errors
    /// `Write`.
    pub(super) fn add(&mut self, bytes: Vec<u8>, has_quotes: bool) -> Result<()> {
        let failed = |source| Error::Write { path: self.path.clone(), source };
        let Some(sink) = &mut self.sink else { return Ok(()) };
        let mut whole = match self.names.take() {
            Some(names) => header(names.iter().map(String::as_str), self.kind.format, has_quotes),
            None => Vec::new(),
        };
        whole.extend_from_slice(&bytes);
        let whole = self.kind.packing.packed(whole).map_err(failed)?;
        sink.write_all(&whole).and_then(|()| sink.flush()).map_err(failed)
    }

    /// Writes a chunk as a row group of Parquet.
    ///
    /// # Errors
    /// `Write`, `Encode`.
    pub(super) fn add_group(&mut self, columns: &[OutColumn]) -> Result<Encoded> {
        let mut add = || {
            let frame = typed(columns)?;
            if let Some(sink) = self.sink.take() {
                self.groups = Some(Groups::new(&frame, sink)?);
            }
            self.groups.as_mut().map_or(Ok(()), |groups| groups.add(frame))
        };
        add().map_err(|error| failed(&self.path, Format::Parquet, error))?;
        Ok(Encoded::default())
    }

    /// Ends the stream.
    ///
    /// # Errors
    /// `Write`.
    pub(super) fn finish(mut self) -> Result<()> {
        let result = self.groups.as_mut().map_or(Ok(()), Groups::finish);
        result.map_err(|error| failed(&self.path, Format::Parquet, error))
    }
}

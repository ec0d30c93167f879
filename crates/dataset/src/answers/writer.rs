//! Writes answers chunk by chunk.

use std::path::{Path, PathBuf};

use super::Written;
use super::check::{check_target, find};
use super::columns::{AnswerName, AnswerValues, Answers};
use super::layout::{Kind, OutputOptions};
use super::manifest::Run;
use super::parts::Parts;
use super::stream::Through;
use crate::chunked::{ChunkedTable, TextChunk};
use crate::error::{Error, Result};
use crate::tables::Format;
use crate::tables::write::{Change, Destination, encode, failed};

/// Writes a table with more columns, chunk by chunk.
///
/// A file is written in parts, in a folder `FILE.parts` beside it. Each part is on disk when
/// [`AnswerWriter::write`] returns, unless it is the whole table, and a run that was killed goes on after the last:
/// [`AnswerWriter::next_row`] says with which row. The bytes of the output do not depend on that. Standard
/// output, pipes and devices are written through. Dropping a writer keeps the parts. If a run was killed when its
/// output was there and its parts still were, `next_row` is the number of rows, and [`AnswerWriter::finish`] only
/// removes the parts.
#[derive(Debug)]
pub struct AnswerWriter {
    table: ChunkedTable,
    path: PathBuf,
    kind: Kind,
    answers: Answers,
    pub(super) sink: Sink,
    n_rows: usize,
    changes: Vec<Change>,
}

pub(super) enum Sink {
    Parts(Box<Parts>),
    Through(Box<Through>),
}

impl AnswerWriter {
    /// Begins an output, or goes on with it.
    ///
    /// The extension determines the format; a pipe or device without one gets the input format. A file
    /// appears under its name when it is complete. Links are followed: the target is written, and the link
    /// stays. A file that replaces another takes over its permissions.
    ///
    /// # Errors
    /// `AnswerTwice` if two columns should have one name; `Exists`, `ColumnsLost`, `UnknownExtension`,
    /// `NoFolder`, `IsFolder`; `OutputInUse` if another process writes it; `OtherRun` and `OldParts` if parts beside
    /// it are of another run or version, unless they may be replaced; `NotParts` if something there is not ours;
    /// `Write` if the system refuses.
    pub fn create(
        table: &ChunkedTable,
        path: impl AsRef<Path>,
        answers: &[AnswerName],
        options: OutputOptions,
    ) -> Result<Self> {
        let path = path.as_ref();
        let OutputOptions { existing, layout, identity, format, restart } = options;
        let answers = Answers::of(table, answers)?;
        let destination = find(path, layout)?;
        let kind = match (format, Kind::of(path), &destination) {
            (Some(format), ..) => Kind::plain(format),
            (None, Ok(kind), _) => kind,
            (None, Err(_), Destination::Stream(_)) => Kind::plain(table.format_read()),
            (None, Err(error), Destination::File { .. }) => return Err(error),
        };
        table.check_not_lost(path)?;
        let columns: Vec<String> = table.columns().iter().chain(&answers.names).cloned().collect();
        let sink = match destination {
            Destination::Stream(stream) => {
                Destination::Stream(stream.clone()).check(path, existing)?;
                Sink::Through(Box::new(Through::open(path, &stream, kind, columns)?))
            }
            Destination::File { target } => {
                check_target(path, &target, existing, layout)?;
                let input = table.digest().to_owned();
                let n_rows = table.n_rows();
                let run = Run { input, identity, n_rows, columns, kind, layout };
                Sink::Parts(Box::new(Parts::of(path, target, run, (existing, restart))?))
            }
        };
        let mut changes = Vec::new();
        let n_rows = match &sink {
            Sink::Through(_) => 0,
            Sink::Parts(parts) => {
                let of_parts = parts.manifest.parts.iter().flat_map(|part| &part.changes);
                of_parts.for_each(|change| change.clone().join(&mut changes));
                parts.manifest.n_rows()
            }
        };
        let (table, path) = (table.clone(), path.to_owned());
        Ok(Self { table, path, kind, answers, sink, n_rows, changes })
    }

    /// The rows that are written: go on with
    /// [`table.chunks_from(next_row)`](ChunkedTable::chunks_from).
    pub fn next_row(&self) -> usize {
        self.n_rows
    }

    /// The names of the new columns: the wanted ones, or all of them with the same number if the table
    /// already has one of them. The last is that of the column of errors, if bad rows are kept.
    pub fn names(&self) -> &[String] {
        &self.answers.names
    }

    /// Writes the next chunk, with the answers to its texts in the order of the declared columns. Rows
    /// without text get empty cells there.
    ///
    /// # Errors
    /// `LengthMismatch`, `AnswerKinds`; `OutOfOrder` if the chunk does not begin with the next row; `Write`
    /// if the system refuses, `Encode` if the format cannot hold the table.
    pub fn write(&mut self, chunk: &TextChunk, answers: &[AnswerValues<'_>]) -> Result<()> {
        if chunk.first_row() != self.n_rows {
            return Err(Error::OutOfOrder { expected: self.n_rows, got: chunk.first_row() });
        }
        let format = self.kind.format;
        let source = (&self.table, format);
        let (columns, mut changes) = self.answers.columns(source, chunk, answers)?;
        let mut bytes = Vec::new();
        let encode = |bytes: &mut Vec<u8>| {
            encode(&columns, format, bytes).map_err(|error| failed(&self.path, format, error))
        };
        match &mut self.sink {
            Sink::Through(through) => {
                let encoded = if format == Format::Parquet {
                    through.add_group(&columns)?
                } else {
                    let encoded = encode(&mut bytes)?;
                    // A field of a later chunk may be quoted.
                    let is_whole = chunk.n_rows() == self.table.n_rows();
                    through.add(bytes, encoded.has_quotes || !is_whole)?;
                    encoded
                };
                changes.extend(encoded.changes);
            }
            Sink::Parts(parts) => {
                let mut encoded = encode(&mut bytes)?;
                changes.append(&mut encoded.changes);
                encoded.changes.clone_from(&changes);
                parts.add(bytes, chunk.n_rows(), encoded)?;
            }
        }
        changes.into_iter().for_each(|change| change.join(&mut self.changes));
        self.n_rows += chunk.n_rows();
        Ok(())
    }

    /// Completes the output: joins the parts into the file, or renames the folder of parts.
    ///
    /// # Errors
    /// `RowsMissing` if not all rows are written; `Exists`, `Write`, `Encode`.
    pub fn finish(self) -> Result<Written> {
        let expected = self.table.n_rows();
        if self.n_rows != expected {
            return Err(Error::RowsMissing { expected, got: self.n_rows });
        }
        match self.sink {
            Sink::Through(through) => through.finish()?,
            Sink::Parts(parts) => parts.finish()?,
        }
        let mut changes = self.changes;
        if self.kind.format == Format::Parquet {
            changes.extend(self.table.json_texts());
        }
        Ok(Written { names: self.answers.names, changes })
    }
}

impl std::fmt::Debug for Sink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Parts(_) => "Parts",
            Self::Through(_) => "Through",
        })
    }
}

//! Reads lines in fastText's format into two columns, a chunk at a time.

use std::ops::Range;
use std::path::PathBuf;

use polars::prelude::{Column, DataFrame, IntoColumn as _, StringChunkedBuilder};

use super::line::Line;
use super::{FastText, SEPARATOR};
use crate::error::{Error, Result};
use crate::tables::chunk::{BadRow, BadRows, Sizes};
use crate::tables::fault::{Fault, Place};
use crate::tables::format::Format;
use crate::tables::notes::{Note, ReadNotes};
use crate::tables::parquet::malformed;
use crate::tables::table::{Cells, Table};
use crate::tables::window::Window;

/// The longest line that is read, in bytes: so much may be in memory at a time.
const LONGEST: usize = 1 << 26;
/// The characters of a long line that a message shows.
const SHOWN: usize = 48;

/// Reads a file in fastText's format from its first line on.
pub(crate) struct Reader {
    path: PathBuf,
    window: Window,
    /// The byte of the window's text after the last line, and the number of lines before it.
    position: usize,
    n_lines: usize,
    line_end: u8,
    bad_rows: BadRows,
    /// The rows read so far, and those without a label.
    n_rows: usize,
    n_unlabelled: usize,
    /// Whether a row has several labels.
    has_several: bool,
}

impl Reader {
    /// Begins to read.
    ///
    /// # Errors
    /// `Read`, `Unpack`.
    pub(in crate::tables) fn new(plan: &FastText, bad_rows: BadRows) -> Result<Self> {
        Ok(Self {
            path: plan.file.path.clone(),
            window: plan.file.window()?,
            position: 0,
            n_lines: 0,
            line_end: plan.file.line_end,
            bad_rows,
            n_rows: 0,
            n_unlabelled: 0,
            has_several: false,
        })
    }

    /// The next rows; `None` at the end.
    ///
    /// # Errors
    /// `Fault::UnnamedLabel`, `LateLabel` and `LongRow` with row and line; `Read`, `Unpack`, `Changed`.
    pub(in crate::tables) fn next_chunk(&mut self, sizes: &Sizes) -> Result<Option<Table>> {
        let mut chunk = Chunk { first_row: self.n_rows, ..Chunk::default() };
        while chunk.lines.len() < sizes.rows
            && chunk.n_bytes < sizes.bytes
            && let Some(range) = self.next_line()?
        {
            let place = self.place();
            match Line::of(&self.window.text()[range]) {
                Ok(line) => {
                    self.n_unlabelled += usize::from(line.labels.is_empty());
                    self.has_several |= line.labels.len() > 1;
                    chunk.add(&line);
                }
                Err(fault) if self.bad_rows == BadRows::Stop => {
                    return Err(Error::at(&self.path, place, fault));
                }
                Err(fault) => {
                    chunk.bad.push(BadRow::of(chunk.lines.len(), place, &fault));
                    chunk.add(&Line { labels: Vec::new(), text: "" });
                }
            }
            chunk.lines.push(self.n_lines);
            self.n_rows += 1;
        }
        if chunk.lines.is_empty() { Ok(None) } else { self.finish_chunk(chunk).map(Some) }
    }

    /// Where the next row is, on the line that was read last.
    fn place(&self) -> Place {
        Place::row(self.n_rows + 1, Some(self.n_lines))
    }

    /// The next line that is not blank, in the window's text; `None` at the end.
    fn next_line(&mut self) -> Result<Option<Range<usize>>> {
        let mut n_searched = 0;
        loop {
            let rest = &self.window.text().as_bytes()[self.position..];
            let end = memchr::memchr(self.line_end, &rest[n_searched..]).map(|at| n_searched + at);
            n_searched = rest.len();
            if end.is_none() && !self.window.is_last() {
                if n_searched > LONGEST {
                    return Err(self.too_long());
                }
                self.window.go_on(self.position)?;
                self.position = 0;
                continue;
            }
            if rest.is_empty() {
                return Ok(None);
            }
            let line = &rest[..end.unwrap_or(rest.len())];
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let range = self.position..self.position + line.len();
            let is_blank = line.trim_ascii_start().is_empty();
            self.position += end.map_or(rest.len(), |at| at + 1);
            self.n_lines += 1;
            n_searched = 0;
            if !is_blank {
                return Ok(Some(range));
            }
        }
    }

    fn too_long(&self) -> Error {
        let start = self.window.text()[self.position..].chars().take(SHOWN).collect();
        let place = Place::row(self.n_rows + 1, Some(self.n_lines + 1));
        Error::at(&self.path, place, Fault::LongLine { mib: LONGEST >> 20, start })
    }

    fn finish_chunk(&self, chunk: Chunk) -> Result<Table> {
        let Chunk { first_row, texts, labels, lines, bad, .. } = chunk;
        let column = |name: &str, cells: StringChunkedBuilder| -> Column {
            cells.finish().with_name(name.into()).into_column()
        };
        let columns = vec![column("text", texts), column("label", labels)];
        let frame = DataFrame::new(lines.len(), columns)
            .map_err(|error| malformed(&self.path, Format::FastText, &error))?;
        Ok(Table { frame, cells: Cells::Text, left_out: Vec::new(), lines, first_row, bad })
    }

    /// Ends a survey, after the last chunk.
    ///
    /// # Errors
    /// `NoRows`.
    pub(in crate::tables) fn finish(self, notes: &mut ReadNotes) -> Result<()> {
        if self.n_rows == 0 {
            return Err(Error::NoRows { path: self.path });
        }
        // Where every row has exactly one label, such a line is an error.
        if self.has_several && self.n_unlabelled > 0 {
            notes.add(Note::Unlabelled { n_rows: self.n_unlabelled });
        }
        Ok(())
    }
}

/// Rows being read.
struct Chunk {
    first_row: usize,
    texts: StringChunkedBuilder,
    labels: StringChunkedBuilder,
    /// The line of each row.
    lines: Vec<usize>,
    bad: Vec<BadRow>,
    n_bytes: usize,
}

impl Default for Chunk {
    fn default() -> Self {
        let cells = || StringChunkedBuilder::new("".into(), 0);
        let (texts, labels) = (cells(), cells());
        Self { first_row: 0, texts, labels, lines: Vec::new(), bad: Vec::new(), n_bytes: 0 }
    }
}

impl Chunk {
    fn add(&mut self, line: &Line<'_>) {
        let labels = line.labels.join(&SEPARATOR.to_string());
        for (cells, cell) in [(&mut self.texts, line.text), (&mut self.labels, &labels)] {
            if cell.is_empty() {
                cells.append_null();
            } else {
                cells.append_value(cell);
            }
            self.n_bytes += cell.len().max(Sizes::CELL);
        }
    }
}

//! Watches the rows of a text table for quoted fields that may be a mistake, while they are read.

use super::excerpt;
use super::rows::Rows;
use super::scanner::{Field, Row};
use super::swallowed::{Guess, Kind, N_REFERENCE, Shape, is_guilty};
use crate::error::Result;
use crate::tables::fault::Fault;
use crate::tables::notes::Note;

/// A quoted text with at least this many line breaks gets a note.
const LONG_TEXT: usize = 200;

/// What was seen of the rows so far.
pub(super) struct Watch {
    shape: Shape,
    /// Of rows that are not suspect, until there are enough.
    reference: Vec<Guess>,
    n_reference: usize,
    kinds: Option<Vec<Kind>>,
    /// Whether a row was suspect before the kinds of the columns were known.
    is_early: bool,
    guilty: Option<Guilty>,
    longest: Option<(usize, Row)>,
}

/// A row that is several.
pub(super) struct Guilty {
    /// Its index among the data rows.
    pub(super) row_idx: usize,
    pub(super) line: usize,
    pub(super) fault: Fault,
}

impl Watch {
    pub(super) fn new(shape: Shape) -> Self {
        Self {
            shape,
            reference: vec![Guess::default(); shape.n_columns],
            n_reference: 0,
            kinds: None,
            is_early: false,
            guilty: None,
            longest: None,
        }
    }

    /// Adds a row whose cells are all empty.
    pub(super) fn add_blank(&mut self) {
        self.refer(std::iter::repeat(""));
    }

    /// Adds a row; `value` gives the values of its cells.
    pub(super) fn add<'a>(
        &mut self,
        text: &str,
        (row_idx, row): (usize, &Row),
        fields: &[Field],
        values: impl Iterator<Item = &'a str>,
    ) {
        let suspect = self.shape.suspect(text.as_bytes(), row, fields);
        if row.n_breaks > 0 && self.longest.is_none_or(|(_, it)| row.n_breaks > it.n_breaks) {
            self.longest = Some((row_idx, *row));
        }
        match (suspect, &self.kinds) {
            (None, _) => self.refer(values),
            (Some(_), None) => self.is_early = true,
            (Some(column), Some(kinds)) => {
                if self.guilty.is_none() {
                    self.guilty = guilty(text, (row_idx, row), column, kinds, &self.shape);
                }
            }
        }
    }

    /// Whether more values are wanted.
    pub(super) fn wants_values(&self) -> bool {
        self.kinds.is_none()
    }

    fn refer<'a>(&mut self, values: impl Iterator<Item = &'a str>) {
        if self.kinds.is_some() {
            return;
        }
        for (guess, value) in self.reference.iter_mut().zip(values) {
            guess.add(value);
        }
        self.n_reference += 1;
        if self.n_reference == N_REFERENCE {
            self.settle();
        }
    }

    fn settle(&mut self) {
        let guesses = std::mem::take(&mut self.reference);
        self.kinds = Some(guesses.into_iter().map(Guess::kind).collect());
    }

    /// The first row that is several, if there is one. `again` gives the data rows, for another pass over
    /// those that came before the kinds of the columns were known.
    ///
    /// # Errors
    /// `Read`, `Unpack`.
    pub(super) fn guilty(mut self, again: impl FnOnce() -> Result<Rows>) -> Result<Option<Guilty>> {
        if !self.is_early {
            return Ok(self.guilty);
        }
        if self.kinds.is_none() {
            self.settle();
        }
        let kinds = self.kinds.unwrap_or_default();
        let (mut rows, mut fields, mut row_idx) = (again()?, Vec::new(), 0);
        while let Some(Ok(row)) = rows.next_row(&mut fields)? {
            let is_whole = fields.len() == self.shape.n_columns;
            let suspect = self.shape.suspect(rows.text().as_bytes(), &row, &fields);
            if let Some(column) = suspect.filter(|_| is_whole) {
                let found = guilty(rows.text(), (row_idx, &row), column, &kinds, &self.shape);
                if found.is_some() {
                    return Ok(found);
                }
            }
            row_idx += 1;
        }
        Ok(None)
    }

    /// A note about the longest quoted text.
    pub(super) fn note(&self) -> Option<Note> {
        let (row_idx, row) = self.longest.filter(|(_, row)| row.n_breaks >= LONG_TEXT)?;
        Some(Note::LongQuotation { row: row_idx + 1, line: row.line, n_lines: row.n_breaks + 1 })
    }
}

fn guilty(
    text: &str,
    (row_idx, row): (usize, &Row),
    column: usize,
    kinds: &[Kind],
    shape: &Shape,
) -> Option<Guilty> {
    let is_guilty = is_guilty(&text[row.start..row.end], column, kinds, shape);
    is_guilty.then(|| Guilty {
        row_idx,
        line: row.line,
        fault: Fault::Swallowed { n_lines: row.n_breaks, start: excerpt(text, row.start, row.end) },
    })
}

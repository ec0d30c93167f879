//! Reads the rows of a text table from a window that moves over the file.

use super::Window;
use super::limits::LONGEST_ROW;
use super::scanner::{Failure, FailureKind, Field, Marks, Row, Scanner};
use crate::error::Result;

/// A message shows no more bytes than these after the place of which it speaks.
const LOOK_AHEAD: usize = 256;

/// Reads rows one by one; their positions are in [`Rows::text`] until the next is read.
pub(super) struct Rows {
    window: Window,
    /// The byte of the window's text at which the next row begins, and its line.
    next: (usize, usize),
    marks: Marks,
}

impl Rows {
    /// Reads rows from a byte of the window's text and its line.
    pub(super) fn new(window: Window, next: (usize, usize), marks: Marks) -> Self {
        Self { window, next, marks }
    }

    /// The text in memory.
    pub(super) fn text(&self) -> &str {
        self.window.text()
    }

    /// The bytes that have a meaning.
    pub(super) fn marks(&self) -> Marks {
        self.marks
    }

    /// Reads the next row into `fields`; `None` at the end of the file. After a failure, the file cannot be
    /// read further.
    ///
    /// # Errors
    /// `Read`, `Unpack`, `Changed`.
    pub(super) fn next_row(
        &mut self,
        fields: &mut Vec<Field>,
    ) -> Result<Option<Result<Row, Failure>>> {
        loop {
            let (text, is_last) = (self.window.text(), self.window.is_last());
            let mut scanner = Scanner::new(text.as_bytes(), self.next, self.marks, is_last);
            let row = scanner.next_row(fields);
            let (start, line) = self.next;
            let (end, is_cut) = match &row {
                None => return Ok(None),
                Some(Ok(row)) => (row.end, false),
                Some(Err(failure)) => (failure.at, failure.kind == FailureKind::Cut),
            };
            let n_bytes = end - start;
            if n_bytes > LONGEST_ROW {
                let failure = Failure { kind: FailureKind::TooLong, line, start, at: end };
                return Ok(Some(Err(failure)));
            }
            if is_last || !(is_cut || end + LOOK_AHEAD > text.len()) {
                if let Some(Ok(_)) = row {
                    self.next = scanner.position();
                }
                return Ok(row);
            }
            self.window.go_on(start)?;
            self.next = (0, line);
        }
    }

    /// Makes the last row read the next one again.
    pub(super) fn again(&mut self, row: &Row) {
        self.next = (row.start, row.line);
    }
}

//! Where the rows of a text table begin.

use super::dialect::Dialect;
use super::rows::Rows;
use super::scanner::Marks;
use crate::error::Result;
use crate::tables::text_file::TextFile;

/// Where a table begins in a file.
pub(super) struct Start<'a> {
    pub(super) file: &'a TextFile,
    pub(super) dialect: Dialect,
}

impl Start<'_> {
    pub(super) fn marks(&self, has_quotes: bool) -> Marks {
        let separator = self.dialect.separator.byte();
        Marks { separator, has_quotes, line_end: self.file.line_end }
    }

    /// The rows from the header on.
    pub(super) fn rows(&self, has_quotes: bool) -> Result<Rows> {
        let Dialect { start, line, .. } = self.dialect;
        let mut window = self.file.window()?;
        while window.text().len() < start && !window.is_last() {
            window.go_on(0)?;
        }
        let start = start.min(window.text().len());
        Ok(Rows::new(window, (start, line), self.marks(has_quotes)))
    }
}

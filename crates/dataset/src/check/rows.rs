//! The rows of a checked table: their texts and tokens, and which have any.

use super::finding::{Finding, Found, Severity};
use super::table::CheckedTable;
use super::tokens::TextTokens;
use crate::labelled::LabelledTexts;
use crate::wording::is_invisible;

/// At most this many rows or pairs of rows are named.
pub(super) const N_NAMED: usize = 5;

/// The texts of a table with their tokens.
pub(super) struct Rows<'a> {
    pub(super) checked: &'a CheckedTable,
    pub(super) table: &'a LabelledTexts,
    pub(super) tokens: &'a TextTokens,
    pub(super) texts: Vec<&'a str>,
    /// Rows whose text says something, ascending.
    pub(super) with_text: Vec<u32>,
}

impl<'a> Rows<'a> {
    pub(super) fn of(checked: &'a CheckedTable, tokens: &'a TextTokens) -> Self {
        let table = checked.labelled();
        let texts: Vec<&str> = table.texts().collect();
        let has_text =
            |&row: &u32| !tokens.ids[row as usize].is_empty() && !is_blank(texts[row as usize]);
        let with_text = (0..).take(texts.len()).filter(has_text).collect();
        Self { checked, table, tokens, texts, with_text }
    }

    /// Texts that are missing, or hold nothing but spaces, control characters or markup.
    pub(super) fn empty(&self) -> Option<Finding> {
        let mut with_text = self.with_text.iter().peekable();
        let is_empty = |row: &u32| with_text.next_if_eq(&row).is_none();
        let blank: Vec<u32> = (0..).take(self.texts.len()).filter(is_empty).collect();
        let n_missing = self.checked.without_text.len();
        let stops = self.checked.stops_at_missing && n_missing > 0;
        let mut rows: Vec<usize> = blank.iter().map(|&row| self.table.file_row(row)).collect();
        rows.extend(&self.checked.without_text);
        rows.sort_unstable();
        // With rows without a text as empty texts, they are in both.
        rows.dedup();
        let n_blank = rows.len() - n_missing;
        let found = Found::EmptyTexts { n_missing, n_blank, stops };
        (!rows.is_empty()).then(|| Finding::of(Severity::Warning, found).in_rows(rows))
    }

    /// The fraction of all texts that say something.
    pub(super) fn share(&self, n: usize) -> f64 {
        n as f64 / self.with_text.len().max(1) as f64
    }

    /// A finding about some rows of the table, ascending.
    pub(super) fn finding(&self, severity: Severity, found: Found, rows: &[u32]) -> Finding {
        Finding::of(severity, found).in_rows(rows.iter().map(|&row| self.table.file_row(row)))
    }
}

/// Whether a text shows nothing.
fn is_blank(text: &str) -> bool {
    text.chars().all(|c| c.is_whitespace() || c.is_control() || is_invisible(c))
}

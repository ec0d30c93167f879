//! The errors of text tables, with an excerpt of the place.

use std::path::Path;

use super::limits::LONGEST_ROW;
use super::rows::Rows;
use super::scanner::{Failure, FailureKind, Row};
use crate::error::Error;
use crate::tables::fault::{Fault, Place, QuoteCause};
use crate::tables::separator::Separator;

/// Bytes that a message shows before and after a quotation mark.
const SHOWN: usize = 24;

/// The error for a row that the scanner rejected; row `None` is the header.
pub(super) fn failed(path: &Path, rows: &Rows, row: Option<usize>, failure: Failure) -> Error {
    let Failure { kind, line, start, at } = failure;
    let text = rows.text();
    let place = Place { row, line: Some(line) };
    let field = &text.as_bytes()[start..at];
    let cause = if field.windows(2).any(|pair| pair == b"\\\"")
        || (field.last() == Some(&b'\\') && kind == FailureKind::ClosedInside)
    {
        QuoteCause::Backslash
    } else {
        QuoteCause::Unknown
    };
    let fault = match kind {
        FailureKind::Unclosed => Fault::Unclosed { start: excerpt(text, start, at), cause },
        FailureKind::ClosedInside => {
            let n_lines = memchr::memchr_iter(rows.marks().line_end, field).count();
            let before = text.floor_char_boundary(at.saturating_sub(SHOWN).max(start));
            let after = text.floor_char_boundary((at + SHOWN).min(text.len()));
            Fault::ClosedInside { n_lines, end: text[before..after].to_owned(), cause }
        }
        FailureKind::LoneReturn => Fault::LoneReturn { start: text[start..at].to_owned() },
        FailureKind::TooLong | FailureKind::Cut => {
            let mib = LONGEST_ROW >> 20;
            Fault::LongRow { mib, start: excerpt(text, start, at) }
        }
    };
    Error::at(path, place, fault)
}

/// The fault of a row with too few or too many fields.
pub(super) fn wrong_count(
    text: &str,
    row: &Row,
    (expected, got): (usize, usize),
    separator: Separator,
) -> Fault {
    let content = &text[row.start..row.end];
    let spaced = format!("{} \"", char::from(separator.byte()));
    let cause = if content.contains("\\\"") {
        QuoteCause::Backslash
    } else if content.contains(&spaced) {
        QuoteCause::SpaceBefore
    } else {
        QuoteCause::Unknown
    };
    let start = excerpt(text, row.start, row.end);
    Fault::FieldCount { expected, got, start, separator, at_end: !row.is_closed, cause }
}

/// The beginning of the text in a byte range.
pub(super) fn excerpt(text: &str, start: usize, end: usize) -> String {
    text[start..end].chars().take(2 * SHOWN).collect()
}

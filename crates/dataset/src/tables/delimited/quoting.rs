//! Decides what quotation marks mean in a tab-separated table.
//!
//! There are two kinds of such tables. Programs that write CSV (Python's `csv`, pandas, polars, Excel)
//! quote fields that contain tabs, line breaks or quotation marks, and double the quotation marks
//! inside. All others quote nothing, and a text may begin with a quotation mark. A table mistaken for
//! the other kind is silently misread, so the whole file decides:
//!
//! 1. No field begins with a quotation mark: both readings are the same.
//! 2. A column name is in quotation marks: they quote.
//! 3. Every row has the right number of fields under only one reading: that one. Quoting also requires
//!    every quotation mark of the file to be in a field that begins with one.
//! 4. Both readings fit. If quoted fields join lines, and all such lines look like rows of this table
//!    (`swallowed`), the quotation marks are literal. If none do, they quote if a quoted field contains
//!    a doubled quotation mark, which nobody types by hand. If no lines are joined, they also quote if
//!    a quoted field contains a tab or is empty, or if exactly the quoted fields contain commas, as
//!    Excel writes them. Otherwise the file is rejected, and the user must decide.
//!
//! If neither reading fits, errors are about the reading that gets further. Where bad rows are kept, neither need
//! fit: then the one under which fewer rows and quotation marks are out of place is right, and if both have
//! as many, the user must decide.

use std::cmp::Ordering;

use super::messages::excerpt;
use super::scanner::{Form, Marks};
use super::start::Start;
use super::swallowed::{Guess, N_REFERENCE, Shape, is_guilty};
use crate::error::Result;
use crate::tables::chunk::BadRows;
use crate::tables::options::Header;

/// How to read a tab-separated table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// No field begins with a quotation mark.
    Same,
    /// RFC 4180.
    Quoted,
    /// Quotation marks are ordinary characters: the number of fields that begin with one, and the
    /// first's line.
    Literal { n_fields: usize, line: usize },
    /// Undecided: how the first field begins that begins with a quotation mark, and its row and line.
    Ambiguous { start: String, row: usize, line: usize },
}

/// Decides what quotation marks mean.
///
/// # Errors
/// `Read`, `Unpack`.
pub(super) fn reading(start: &Start<'_>, header: Header, bad_rows: BadRows) -> Result<Reading> {
    let literal = Survey::of(start, false, bad_rows)?;
    let Some((begins, row, line)) = literal.first_quote.clone() else { return Ok(Reading::Same) };
    if header == Header::Present && literal.names_are_quoted {
        return Ok(Reading::Quoted);
    }
    let quoted = Survey::of(start, true, bad_rows)?;
    let as_it_stands = Reading::Literal { n_fields: literal.n_quotes, line };
    let ambiguous = Reading::Ambiguous { start: begins, row, line };
    let is_written = quoted.fits && quoted.n_stray == 0;
    Ok(match (is_written, literal.fits) {
        (true, false) => Reading::Quoted,
        (false, true) => as_it_stands,
        (false, false) if bad_rows == BadRows::Keep => match quoted.is_nearer_than(&literal) {
            Some(true) => Reading::Quoted,
            Some(false) => as_it_stands,
            None => ambiguous,
        },
        (false, false) if quoted.n_rows > literal.n_rows => Reading::Quoted,
        (false, false) => as_it_stands,
        (true, true) if quoted.joins_lines => match joins_rows(start, quoted.n_columns)? {
            Some(true) => as_it_stands,
            Some(false) if quoted.n_doubled > 0 => Reading::Quoted,
            _ => ambiguous,
        },
        (true, true) if quoted.needs_quotes => Reading::Quoted,
        (true, true) => ambiguous,
    })
}

/// Whether the quoted fields that join lines join rows; `None` if some do and others do not.
fn joins_rows(start: &Start<'_>, n_columns: usize) -> Result<Option<bool>> {
    let Marks { separator, line_end, .. } = start.marks(true);
    let shape = Shape { separator, line_end, n_columns };
    let (mut fields, mut n_reference) = (Vec::new(), 0);
    let mut columns = vec![Guess::default(); n_columns];
    let mut rows = start.rows(true)?;
    while n_reference < N_REFERENCE
        && let Some(Ok(row)) = rows.next_row(&mut fields)?
    {
        if row.n_breaks == 0 && row.line > start.dialect.line && fields.len() == n_columns {
            n_reference += 1;
            for (column, field) in columns.iter_mut().zip(&fields) {
                column.add(&rows.text()[field.start..field.end]);
            }
        }
    }
    let kinds: Vec<_> = columns.into_iter().map(Guess::kind).collect();
    let (mut n_rows, mut n_joined) = (0, 0);
    let mut rows = start.rows(true)?;
    while let Some(Ok(row)) = rows.next_row(&mut fields)? {
        if row.n_breaks > 0 {
            n_joined += 1;
            let suspect = shape.suspect(rows.text().as_bytes(), &row, &fields);
            let is_guilty = suspect.is_some_and(|column| {
                is_guilty(&rows.text()[row.start..row.end], column, &kinds, &shape)
            });
            n_rows += usize::from(is_guilty);
        }
    }
    Ok(match n_rows {
        0 => Some(false),
        n_rows if n_rows == n_joined => Some(true),
        _ => None,
    })
}

/// The findings of one reading of the whole file.
#[derive(Default)]
struct Survey {
    n_columns: usize,
    /// The number of rows before the first that does not fit.
    n_rows: usize,
    /// Every row has as many fields as the first.
    fits: bool,
    /// The rows that do not have as many; only the first is counted unless bad rows are kept.
    n_misfits: usize,
    /// The file cannot be read to its end.
    is_broken: bool,
    /// The number of fields that contain a quotation mark but do not begin with one.
    n_stray: usize,
    /// A quoted field contains a line break.
    joins_lines: bool,
    /// The number of quoted fields that contain a doubled quotation mark.
    n_doubled: usize,
    /// The quoted fields contain what only quoted fields can.
    needs_quotes: bool,
    /// In the literal reading: a column name is in quotation marks.
    names_are_quoted: bool,
    /// The number of fields that begin with a quotation mark.
    n_quotes: usize,
    /// The first field that begins with a quotation mark: how it begins, data row and line.
    first_quote: Option<(String, usize, usize)>,
}

impl Survey {
    fn of(start: &Start<'_>, has_quotes: bool, bad_rows: BadRows) -> Result<Self> {
        let mut rows = start.rows(has_quotes)?;
        let (mut found, mut fields) = (Self { fits: true, ..Self::default() }, Vec::new());
        let (mut commas_in_all, mut comma_outside) = (true, false);
        while let Some(row) = rows.next_row(&mut fields)? {
            let Ok(row) = row else {
                (found.fits, found.is_broken) = (false, true);
                break;
            };
            let (text, bytes) = (rows.text(), rows.text().as_bytes());
            // Blank lines are ignored or are rows without values.
            let is_blank = fields.len() == 1 && text[row.start..row.end].trim().is_empty();
            if found.n_rows == 0 {
                found.n_columns = fields.len();
            } else if fields.len() != found.n_columns && !is_blank {
                found.fits = false;
                found.n_misfits += 1;
            }
            for field in &fields {
                let inner = &bytes[field.start..field.end];
                let begins = field.form != Form::Bare || inner.first() == Some(&b'"');
                found.n_quotes += usize::from(begins);
                if begins && found.first_quote.is_none() {
                    let start = field.start - usize::from(field.form != Form::Bare);
                    let begins = excerpt(text, start, text.len());
                    found.first_quote = Some((begins, found.n_rows, row.line));
                }
                match field.form {
                    Form::Bare => {
                        let ends = inner.len() > 1 && inner.last() == Some(&b'"');
                        found.names_are_quoted |= found.n_rows == 0 && begins && ends;
                        if has_quotes {
                            found.n_stray += usize::from(memchr::memchr(b'"', inner).is_some());
                            comma_outside |= memchr::memchr(b',', inner).is_some();
                        }
                    }
                    Form::Doubled => found.n_doubled += 1,
                    Form::Quoted => {
                        let has_tab = memchr::memchr(b'\t', inner).is_some();
                        found.needs_quotes |= inner.is_empty() || has_tab;
                        commas_in_all &= memchr::memchr(b',', inner).is_some();
                    }
                }
            }
            found.joins_lines |= row.n_breaks > 0;
            // The literal reading must go on at least to its first quotation mark.
            let is_enough = has_quotes || found.first_quote.is_some();
            if !found.fits && is_enough && bad_rows == BadRows::Stop {
                break;
            }
            found.n_rows += 1;
        }
        found.needs_quotes |= found.n_doubled > 0 || (commas_in_all && !comma_outside);
        Ok(found)
    }

    /// Whether this quoted reading has fewer rows and quotation marks out of place than the literal one; `None` if
    /// that does not tell.
    fn is_nearer_than(&self, literal: &Self) -> Option<bool> {
        match (self.is_broken, literal.is_broken) {
            (false, true) => Some(true),
            // Both end with an error, which is that of the reading that gets further.
            (true, true) => Some(self.n_rows > literal.n_rows),
            // What was read looked like neither or like both.
            (true, false) => (self.n_doubled == 0 && !self.joins_lines).then_some(false),
            (false, false) => {
                let out_of_place = self.n_misfits + self.n_stray;
                // Nobody doubles them by hand.
                match out_of_place.cmp(&(literal.n_misfits + self.n_doubled)) {
                    Ordering::Less => Some(true),
                    Ordering::Greater => Some(false),
                    Ordering::Equal => None,
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::delimited::dialect::Dialect;
    use crate::tables::delimited::text_file;
    use crate::tables::separator::Separator;

    fn reading(text: &str, header: Header) -> Reading {
        reading_with(text, header, BadRows::Stop)
    }

    fn reading_with(text: &str, header: Header, bad_rows: BadRows) -> Reading {
        let dialect = Dialect { start: 0, line: 1, separator: Separator::TAB };
        let of = |block| {
            let file = text_file(text, block);
            super::reading(&Start { file: &file, dialect }, header, bad_rows).unwrap()
        };
        assert_eq!(of(1), of(1 << 20), "{text:?}");
        of(7)
    }

    #[test]
    fn the_whole_file_decides() {
        use Reading::{Quoted, Same};
        let literal = |n_fields| Reading::Literal { n_fields, line: 2 };
        let cases = [
            ("text\tlabel\na \"b\" c\t1\n", Same),
            // As programs write it.
            ("text\tlabel\n\"a\tb\"\t1\nc\t0\n", Quoted),
            ("text\tlabel\n\"a\nb\"\t1\nc\t0\n", Quoted),
            ("text\tlabel\n\"a \"\"b\"\"\"\t1\nc\t0\n", Quoted),
            ("text\tlabel\n\"\"\t1\nc\t0\n", Quoted),
            ("\"text\"\t\"label\"\n\"a\"\t\"1\"\n", Quoted),
            ("text\tlabel\n\"a\tb\nc\t\"\"d\"\"\"\t1\nc\t0\n", Quoted),
            ("\"text\"\tlabel\nhe said \"a\"\t1\n", Quoted),
            ("text\tlabel\n\"a, b\"\t1\nc\t0\n", Quoted),
            // As people write it.
            ("text\tlabel\n\"a\" he said\t1\nc\t0\n", literal(1)),
            (
                "text\tlabel\n\" he began\t1\nplain\t0\nhe ended \"\t0\na\t1\nb\t1\nc\t0\nd\t0\n",
                literal(1),
            ),
            ("text\tlabel\n\" he began\t1\nplain\t0\n", literal(1)),
            ("text\tlabel\n\"a\"\t1\nhe said \"b\"\t0\n", literal(1)),
            ("text\tlabel\n\"a, b\"\t1\nc \"d\"\t0\n", literal(1)),
            // Neither fits; the literal reading knows of both rows.
            ("text\tlabel\n\" he began\t1\nplain\t0\nbroken\n", literal(1)),
        ];
        for (text, expected) in cases {
            assert_eq!(reading(text, Header::Present), expected, "{text:?}");
        }
        let headless = "\"a\"\t1\nhe said \"b\"\t0\n";
        assert!(matches!(reading(headless, Header::Absent), Reading::Literal { .. }));
        for text in [
            "text\tlabel\nc\t0\n\"a\"\t1\n",
            "text\tlabel\nb, c\t0\n\"a, b\"\t1\n",
            "text\nx\n\"a\nb\"\n",
            "text\tlabel\nc\t0\n\"\t\n\"\t\n",
        ] {
            let found = reading(text, Header::Present);
            assert!(
                matches!(found, Reading::Ambiguous { line: 3, row: 2, .. }),
                "{text:?} {found:?}"
            );
        }
    }

    #[test]
    fn a_bad_row_that_is_kept_does_not_change_what_quotation_marks_mean() {
        use Reading::Quoted;
        let keep = |text: &str| reading_with(text, Header::Present, BadRows::Keep);
        let (first, last) = ("bad\n", "bad\n");
        // Tables that are read one way or the other without the bad row.
        let written = "\"a\tb\"\t1\n\"c \"\"d\"\"\"\t0\n\"e\tf\"\t1\ng\t0\n";
        let typed = "\"a\"\t1\nhe said \"b\"\t0\nc \"d\"\t0\n\"e\" she said\t1\n";
        let stray = "\"a\"\t1\nhe said \"b\"\t0\nc \"d\"\t0\n";
        for (before, after) in [("", ""), (first, ""), ("", last), (first, last)] {
            let whole = |rows: &str| format!("text\tlabel\n{before}{rows}{after}");
            assert_eq!(keep(&whole(written)), Quoted, "{before:?} {after:?}");
            for rows in [typed, stray] {
                let found = keep(&whole(rows));
                assert!(matches!(found, Reading::Literal { .. }), "{rows:?} {found:?}");
            }
        }
        for text in [
            "text\tlabel\nbad\n\"a\"\t1\n",
            // The quoted reading comes to an end, after what only it explains.
            "text\tlabel\nbad\n\"a \"\"b\"\"\"\t1\n\"c\" d\t0\n",
        ] {
            let found = keep(text);
            assert!(matches!(found, Reading::Ambiguous { line: 3, .. }), "{text:?} {found:?}");
        }
    }
}

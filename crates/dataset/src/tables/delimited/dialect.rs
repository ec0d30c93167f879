//! Finds where a text table begins and what separates its columns.
//!
//! Only the first rows decide, so the result does not depend on the length of the file.

use std::cell::Cell;
use std::path::Path;

use super::Window;
use super::limits::LONGEST_ROW;
use super::scanner::{FailureKind, Marks, Scanner};
use crate::columns::{TEXT, is_guess};
use crate::error::{Error, Result};
use crate::tables::fault::{Fault, Place};
use crate::tables::format::Format;
use crate::tables::notes::{Note, ReadNotes};
use crate::tables::options::{Header, ReadOptions};
use crate::tables::separator::Separator;

/// The number of rows on which a separator is tried.
const N_SAMPLED: usize = 100;

/// Where a table begins, and what separates its columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Dialect {
    /// The first byte of the header, or of the first row if there is none.
    pub(super) start: usize,
    /// Its line, from 1.
    pub(super) line: usize,
    pub(super) separator: Separator,
}

impl Dialect {
    /// Examines the beginning of a text table, of which as much is read as decides.
    ///
    /// # Errors
    /// `Fault::AmbiguousSeparator`; the errors of reading.
    pub(super) fn of(
        path: &Path,
        (window, line_end): (&mut Window, u8),
        format: Format,
        options: &ReadOptions,
        notes: &mut ReadNotes,
    ) -> Result<Self> {
        loop {
            let mut found = notes.clone();
            let (text, is_last) = (window.text(), window.is_last());
            let head = Head { text, line_end, is_last, is_short: Cell::new(false) };
            let result = Self::of_head(path, &head, format, options, &mut found);
            if !head.is_short.get() || head.text.len() > LONGEST_ROW {
                *notes = found;
                return result;
            }
            window.go_on(0)?;
        }
    }

    fn of_head(
        path: &Path,
        head: &Head<'_>,
        format: Format,
        options: &ReadOptions,
        notes: &mut ReadNotes,
    ) -> Result<Self> {
        let promised = if format == Format::Tsv { Separator::TAB } else { Separator::COMMA };
        let mut lines = Lines { head, position: 0, line: 1 };
        let mut separator = options.separator;
        if let Some(said) = lines.peek().and_then(separator_line) {
            lines.skip();
            notes.add(Note::SeparatorLine { by: said });
            separator = separator.or(Some(said));
        }
        if options.header == Header::Present {
            skip_preamble(&mut lines, separator, notes);
        } else {
            skip_blank(&mut lines, notes);
        }
        let (start, line) = (lines.position, lines.line);
        let separator = match separator {
            Some(separator) => separator,
            None => {
                let found = find_separator(path, head, (start, line), promised)?;
                if found != promised {
                    notes.add(Note::Separated { by: found, format });
                }
                found
            }
        };
        Ok(Self { start, line, separator })
    }
}

/// The separator named by a line `sep=;`, which Excel writes and reads.
fn separator_line(line: &str) -> Option<Separator> {
    let line = line.trim_matches('"');
    let said =
        line.get(..4).filter(|start| start.eq_ignore_ascii_case("sep=")).map(|_| &line[4..])?;
    match said.as_bytes() {
        &[byte] => Separator::of_byte(byte),
        _ => None,
    }
}

/// Skips blank lines and comments before the header.
///
/// A line that begins with `#` is the header itself (`#,text,label`) if it has as many separators as the
/// line below. In a table with one column, it is a comment if the line below is a known column name.
fn skip_preamble(lines: &mut Lines<'_>, separator: Option<Separator>, notes: &mut ReadNotes) {
    skip_blank(lines, notes);
    let mut ahead = lines.clone();
    let (mut n_comments, mut last_comment) = (0, None);
    while let Some(line) = ahead.peek().filter(|line| line.starts_with('#')) {
        n_comments += 1;
        last_comment = Some((line, ahead.clone()));
        ahead.skip();
        while ahead.peek().is_some_and(is_blank) {
            ahead.skip();
        }
    }
    let (Some((comment, at_comment)), Some(below)) = (last_comment, ahead.peek()) else { return };
    let candidates = separator.as_ref().map_or(&Separator::USUAL[..], std::slice::from_ref);
    let count =
        |line: &str, by: &Separator| memchr::memchr_iter(by.byte(), line.as_bytes()).count();
    let most =
        candidates.iter().max_by_key(|by| count(below, by)).filter(|by| count(below, by) > 0);
    let is_header = match most {
        Some(by) => count(comment, by) == count(below, by),
        None => !is_guess(&TEXT, below.trim_matches('"')),
    };
    if is_header {
        n_comments -= 1;
        *lines = at_comment;
    } else {
        *lines = ahead;
    }
    if n_comments > 0 {
        notes.add(Note::Comments { n_lines: n_comments });
    }
}

fn skip_blank(lines: &mut Lines<'_>, notes: &mut ReadNotes) {
    let mut n_lines = 0;
    while lines.peek().is_some_and(is_blank) {
        lines.skip();
        n_lines += 1;
    }
    if n_lines > 0 {
        notes.add(Note::BlankBefore { n_lines });
    }
}

fn is_blank(line: &str) -> bool {
    line.trim().is_empty()
}

/// The separator that splits the header and the first rows into the same number of fields, at least two.
///
/// The format's usual separator is tried first. If none works, the table has one column or rows that do
/// not fit: then the usual one is kept if the header has it, so that the bad row can be named.
fn find_separator(
    path: &Path,
    head: &Head<'_>,
    (start, line): (usize, usize),
    promised: Separator,
) -> Result<Separator> {
    let tried = |by: Separator| {
        let as_quoted = try_separator(head, (start, line), by, true);
        // In a tab-separated table, quotation marks may be literal.
        if by == Separator::TAB && !as_quoted.fits {
            let literally = try_separator(head, (start, line), by, false);
            return if literally.fits { literally } else { as_quoted };
        }
        as_quoted
    };
    let at_promised = tried(promised);
    if at_promised.fits {
        return Ok(promised);
    }
    let mut others: Vec<(Separator, Trial)> = Separator::USUAL
        .into_iter()
        .filter(|&by| by != promised)
        .map(|by| (by, tried(by)))
        .filter(|(_, trial)| trial.n_columns > 1)
        .collect();
    let any_fits = others.iter().any(|(_, trial)| trial.fits);
    if !any_fits && at_promised.n_columns > 1 {
        return Ok(promised);
    }
    others.retain(|(_, trial)| trial.fits == any_fits);
    others.sort_by_key(|(_, trial)| std::cmp::Reverse(trial.n_columns));
    match others[..] {
        [] => Ok(promised),
        [(one, first), (other, second), ..] if first.n_columns == second.n_columns => {
            Err(Error::at(path, Place::line(line), Fault::AmbiguousSeparator { one, other }))
        }
        [(found, _), ..] => Ok(found),
    }
}

/// The result of trying a separator on the first rows.
#[derive(Clone, Copy)]
struct Trial {
    n_columns: usize,
    /// There is more than one column, and every row has that many fields.
    fits: bool,
}

fn try_separator(head: &Head<'_>, start: (usize, usize), by: Separator, has_quotes: bool) -> Trial {
    let marks = Marks { separator: by.byte(), has_quotes, line_end: head.line_end };
    let mut scanner = Scanner::new(head.text.as_bytes(), start, marks, head.is_last);
    let mut fields = Vec::new();
    let mut trial = Trial { n_columns: 0, fits: true };
    for row_idx in 0..=N_SAMPLED {
        match scanner.next_row(&mut fields) {
            None => break,
            Some(Err(failure)) => {
                head.is_short.set(head.is_short.get() || failure.kind == FailureKind::Cut);
                trial.fits = false;
            }
            Some(Ok(row)) if is_blank(&head.text[row.start..row.end]) => continue,
            Some(Ok(_)) if row_idx == 0 => trial.n_columns = fields.len(),
            Some(Ok(_)) => trial.fits &= fields.len() == trial.n_columns,
        }
        if !trial.fits {
            break;
        }
    }
    trial.fits &= trial.n_columns > 1;
    trial
}

/// The beginning of a text.
struct Head<'a> {
    text: &'a str,
    line_end: u8,
    /// Whether it is the whole file.
    is_last: bool,
    /// Set if something would be decided by where it ends.
    is_short: Cell<bool>,
}

/// The first lines of a text.
#[derive(Clone)]
struct Lines<'a> {
    head: &'a Head<'a>,
    position: usize,
    line: usize,
}

impl<'a> Lines<'a> {
    /// The next line without its end.
    fn peek(&self) -> Option<&'a str> {
        let rest = &self.head.text[self.position..];
        let end = self.end(rest.as_bytes()).unwrap_or(rest.len());
        (!rest.is_empty()).then(|| rest[..end].trim_end_matches('\r'))
    }

    fn skip(&mut self) {
        let rest = &self.head.text.as_bytes()[self.position..];
        self.position += self.end(rest).map_or(rest.len(), |end| end + 1);
        self.line += 1;
    }

    fn end(&self, rest: &[u8]) -> Option<usize> {
        let end = memchr::memchr(self.head.line_end, rest);
        if end.is_none() && !self.head.is_last {
            self.head.is_short.set(true);
        }
        end
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::delimited::text_file;

    /// The same for every size of the part that is in memory.
    fn of(text: &str, format: Format, notes: &mut ReadNotes) -> Result<Dialect> {
        let of = |block, notes: &mut ReadNotes| {
            let file = text_file(text, block);
            let mut window = file.window().unwrap();
            let (path, options) = (Path::new("x"), ReadOptions::default());
            Dialect::of(path, (&mut window, file.line_end), format, &options, notes)
        };
        let small = of(1, &mut ReadNotes::default());
        let result = of(1 << 20, notes);
        assert_eq!(small.ok(), result.as_ref().ok().copied(), "{text:?}");
        result
    }

    fn dialect(text: &str, format: Format) -> (usize, Separator, Vec<String>) {
        let mut notes = ReadNotes::default();
        let dialect = of(text, format, &mut notes).unwrap();
        let notes = notes.iter().map(ToString::to_string).collect();
        (dialect.line, dialect.separator, notes)
    }

    #[test]
    fn the_separator_is_found_in_the_first_rows() {
        use Separator as S;
        let cases = [
            ("text,label\na,1\n", Format::Csv, S::COMMA),
            ("text\na;b,c\n", Format::Csv, S::COMMA),
            ("text;label\na, b;1\nc;0\n", Format::Csv, S::SEMICOLON),
            ("\"text\";\"label\"\n\"a; b, c\";1\n", Format::Csv, S::SEMICOLON),
            ("\"text, long\";label\n\"a, b\";1\n", Format::Csv, S::SEMICOLON),
            ("text\tlabel\na, b\t1\n", Format::Csv, S::TAB),
            ("text\tlabel\n\"a\" is, b\t1\n", Format::Csv, S::TAB),
            ("text|label|id\na, b|1|2\n", Format::Csv, S::PIPE),
            ("text,label\n\"a\tb\",1\n", Format::Tsv, S::COMMA),
            ("text\tlabel\na,b\t1\n", Format::Tsv, S::TAB),
            // Rows that do not fit are reported later; the header decides.
            ("label,text\n1,a, b\n", Format::Csv, S::COMMA),
            ("label;text\n1;a; b\n", Format::Csv, S::SEMICOLON),
            ("id;a,b\n1;2,3\n4;5;6,7\n", Format::Csv, S::COMMA),
        ];
        for (text, format, expected) in cases {
            let (line, found, notes) = dialect(text, format);
            assert_eq!((line, found), (1, expected), "{text:?}");
            let promised = if format == Format::Tsv { S::TAB } else { S::COMMA };
            assert_eq!(notes.is_empty(), expected == promised, "{text:?}");
        }
    }

    #[test]
    fn two_separators_that_fit_are_not_chosen_between() {
        let mut notes = ReadNotes::default();
        let text = "a;b|c\n1;2|3\n";
        let error = of(text, Format::Csv, &mut notes).unwrap_err();
        assert!(error.to_string().contains("semicolons or by vertical bars"), "{error}");
    }

    #[test]
    fn lines_before_the_header_are_passed_over_and_told() {
        let cases = [
            ("text,label\n", 1, 0),
            ("\n \r\ntext,label\n", 3, 1),
            ("# of Monday\ntext,label\n", 2, 1),
            ("# a, b and c\n#\n\ntext,label\n", 4, 1),
            ("#,text,label\n1,a,0\n", 1, 0),
            ("# of Monday\n#,text,label\n1,a,0\n", 2, 1),
            ("#id\ttext\tlabel\n1\ta\t0\n", 1, 0),
            ("# of Monday\ntext\nfine\n", 2, 1),
            ("#text\nfine\n", 1, 0),
            ("sep=;\n\ntext;label\n", 3, 2),
            ("\"sep=;\"\r\ntext;label\r\n", 2, 1),
        ];
        for (text, line, n_notes) in cases {
            let format = if text.contains('\t') { Format::Tsv } else { Format::Csv };
            let (found, _, notes) = dialect(text, format);
            assert_eq!((found, notes.len()), (line, n_notes), "{text:?} {notes:?}");
        }
        assert_eq!(dialect("sep=\t\na\tb\n", Format::Csv).1, Separator::TAB);
    }
}

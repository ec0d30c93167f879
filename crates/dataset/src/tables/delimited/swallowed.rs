//! Finds quoted fields that are well formed but a mistake: a stray quotation mark joins all rows up to
//! the next one.
//!
//! The lines of a quoted field, read without regard to quotation marks, distinguish a text with line
//! breaks from joined rows. A field is suspect if the first and last line of its row have as many
//! separators as a row. It is guilty if these two lines also fit the table's other narrow columns (few
//! distinct values, or only numbers) and at least half of the lines between them have as many
//! separators. The first line of a real text rarely fits, because it does not end in a comma and a
//! label. In a table without narrow columns, there must be many lines, and each must look like a row. A
//! field with doubled quotation marks was written by a program that quotes correctly, and is not
//! suspect.

use std::collections::HashSet;

use memchr::{memchr, memchr_iter, memmem, memrchr};

use super::scanner::{Field, Form, Row};

/// More lines than this are enough if no column is narrow.
const MANY_LINES: usize = 10;
/// The most rows in which narrow columns are looked for, and the fewest that are enough.
pub(super) const N_REFERENCE: usize = 1000;
const MIN_REFERENCE: usize = 3;
/// The most distinct values of a narrow column, and the most bytes of each.
const FEW_VALUES: usize = 20;
const SHORT_VALUE: usize = 40;

/// The line structure of a table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) separator: u8,
    pub(super) line_end: u8,
    pub(super) n_columns: usize,
}

impl Shape {
    /// If a row may be several, because it has several lines and the first and last look like rows: the
    /// column of its first quoted field with a line break.
    pub(super) fn suspect(&self, bytes: &[u8], row: &Row, fields: &[Field]) -> Option<usize> {
        if row.n_breaks == 0 || self.n_columns < 2 {
            return None;
        }
        let lines = &bytes[row.start..row.end];
        let first = memchr(self.line_end, lines).map(|end| &lines[..end]);
        let last = memrchr(self.line_end, lines).map(|end| &lines[end + 1..]);
        if ![first, last].into_iter().flatten().all(|line| self.is_row(line)) {
            return None;
        }
        let is_broken =
            |field: &Field| memchr(self.line_end, &bytes[field.start..field.end]).is_some();
        let column = fields.iter().position(is_broken)?;
        let is_written =
            fields.iter().any(|field| is_broken(field) && self.is_written(bytes, field));
        (!is_written).then_some(column)
    }

    /// Whether a field has doubled quotation marks that are not an empty field of a joined row.
    fn is_written(&self, bytes: &[u8], field: &Field) -> bool {
        let is_border = |byte: &u8| [self.separator, b'\n', b'\r'].contains(byte);
        field.form == Form::Doubled
            && memmem::find_iter(&bytes[field.start..field.end], b"\"\"").any(|at| {
                let before = bytes[..field.start + at].last();
                let after = bytes.get(field.start + at + 2);
                !(before.is_some_and(is_border) && after.is_some_and(is_border))
            })
    }

    fn is_row(&self, line: &[u8]) -> bool {
        memchr_iter(self.separator, line).count() + 1 == self.n_columns
    }
}

/// Whether the lines of a suspect are rows of a table with such columns.
pub(super) fn is_guilty(row: &str, column: usize, kinds: &[Kind], shape: &Shape) -> bool {
    let lines: Vec<&str> =
        row.split(char::from(shape.line_end)).map(|line| line.trim_end_matches('\r')).collect();
    let n_rows = lines.iter().filter(|line| shape.is_row(line.as_bytes())).count();
    let others = || kinds.iter().enumerate().filter(|(idx, _)| *idx != column);
    if others().all(|(_, kind)| matches!(kind, Kind::Wide)) {
        return lines.len() > MANY_LINES && n_rows == lines.len();
    }
    let fits = |line: &&str| {
        let fields: Vec<&str> = line.split(char::from(shape.separator)).collect();
        others().all(|(idx, kind)| {
            fields.get(idx).is_some_and(|field| kind.holds(field.trim().trim_matches('"')))
        })
    };
    // The first and last lines are always rows.
    2 * (n_rows - 2) >= lines.len() - 2
        && lines.first().is_some_and(fits)
        && lines.last().is_some_and(fits)
}

/// What a column holds.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    /// Few short values, including the empty one if it occurs.
    Few(HashSet<String>),
    /// Only numbers, and empty cells if they occur.
    Numbers { or_nothing: bool },
    /// Anything.
    Wide,
}

/// What some of the values of a column say about its kind.
#[derive(Clone, Debug, Default)]
pub(super) struct Guess {
    n_values: usize,
    n_empty: usize,
    few: HashSet<String>,
    /// There are many values, or long ones.
    is_many: bool,
    /// Some value is no number.
    is_words: bool,
}

impl Guess {
    /// Adds the next value.
    pub(super) fn add(&mut self, value: &str) {
        let value = value.trim();
        self.n_values += 1;
        self.n_empty += usize::from(value.is_empty());
        self.is_words = self.is_words || !(value.is_empty() || is_number(value));
        if !self.is_many && !self.few.contains(value) {
            self.is_many = value.len() > SHORT_VALUE || self.few.len() == FEW_VALUES;
            if !self.is_many {
                self.few.insert(value.to_owned());
            }
        }
    }

    /// The kind.
    pub(super) fn kind(self) -> Kind {
        let Self { n_values, n_empty, few, is_many, is_words } = self;
        if n_values < MIN_REFERENCE || n_empty == n_values {
            return Kind::Wide;
        }
        // A column with nearly as many values as rows does not have few.
        match (is_words, !is_many && 2 * few.len() <= n_values) {
            (_, true) => Kind::Few(few),
            (false, false) => Kind::Numbers { or_nothing: n_empty > 0 },
            (true, false) => Kind::Wide,
        }
    }
}

impl Kind {
    fn holds(&self, value: &str) -> bool {
        match self {
            Self::Few(values) => values.contains(value),
            Self::Numbers { or_nothing } if value.is_empty() => *or_nothing,
            Self::Numbers { .. } => is_number(value),
            Self::Wide => true,
        }
    }
}

fn is_number(value: &str) -> bool {
    value.parse::<f64>().is_ok()
}

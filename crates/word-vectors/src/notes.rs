//! What a reader left out, counted, with the first places.

use std::fmt;

use serde::Serialize;

/// Places that are named of each kind.
const N_NAMED: usize = 5;

/// How often something occurred, and where first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Counted {
    /// How often.
    pub n: usize,
    /// The first lines of a text, or words of other formats, from 1.
    pub first: Vec<usize>,
}

/// Words that a reader left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Notes {
    /// Words that had occurred before; the first vector of each counts.
    pub repeated: Counted,
    /// Words that are not UTF-8, which no text contains.
    pub not_utf8: Counted,
    /// Whether places are lines or words.
    pub(crate) unit: Unit,
}

/// What the places of a format are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Unit {
    #[default]
    Line,
    Word,
}

impl Counted {
    pub(crate) fn add(&mut self, place: usize) {
        self.n += 1;
        if self.first.len() < N_NAMED {
            self.first.push(place);
        }
    }

    /// `lines 3, 8 and 4 more`.
    fn places(&self, unit: Unit) -> String {
        let unit = match (unit, self.n) {
            (Unit::Line, 1) => "line",
            (Unit::Line, _) => "lines",
            (Unit::Word, 1) => "word",
            (Unit::Word, _) => "words",
        };
        let named: Vec<String> = self.first.iter().map(ToString::to_string).collect();
        let more = match self.n - self.first.len() {
            0 => String::new(),
            n => format!(" and {n} more"),
        };
        format!("{unit} {}{more}", named.join(", "))
    }
}

impl Unit {
    /// `line 5`.
    pub(crate) fn place(self, number: usize) -> String {
        match self {
            Self::Line => format!("line {number}"),
            Self::Word => format!("word {number}"),
        }
    }
}

impl fmt::Display for Notes {
    /// A sentence on each kind, on lines of their own; empty if nothing was left out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = Vec::new();
        let words = |n| if n == 1 { "1 word".to_string() } else { format!("{n} words") };
        if self.repeated.n > 0 {
            let Counted { n, .. } = self.repeated;
            let places = self.repeated.places(self.unit);
            lines.push(format!("left out {} that had occurred before: {places}", words(n)));
        }
        if self.not_utf8.n > 0 {
            let Counted { n, .. } = self.not_utf8;
            let places = self.not_utf8.places(self.unit);
            lines.push(format!("left out {} not in UTF-8: {places}", words(n)));
        }
        f.write_str(&lines.join("\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_count_and_name_the_first_places() {
        let mut notes = Notes::default();
        assert_eq!(notes.to_string(), "");
        (11..=17).for_each(|line| notes.repeated.add(line));
        notes.not_utf8.add(3);
        assert_eq!(
            notes.to_string(),
            "left out 7 words that had occurred before: lines 11, 12, 13, 14, 15 and 2 more\n\
             left out 1 word not in UTF-8: line 3"
        );
    }
}

//! Formats values and names for messages: quoted, shortened, on one line and visible.

use std::fmt;

/// ` (did you mean "text"?)`, or nothing.
pub(crate) struct DidYouMean<'a>(pub(crate) &'a Option<String>);

impl fmt::Display for DidYouMean<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(word) => write!(f, " (did you mean \"{word}\"?)"),
            None => Ok(()),
        }
    }
}

/// `"a", "b" and 3 more`: the wrong file can have many long column names.
pub(crate) struct QuotedList<'a>(pub(crate) &'a [String]);

impl fmt::Display for QuotedList<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 12;
        for (idx, name) in self.0.iter().take(SHOWN).enumerate() {
            let comma = if idx == 0 { "" } else { ", " };
            write!(f, "{comma}\"{}\"", shortened(name))?;
        }
        match self.0.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            n_more => write!(f, " and {n_more} more"),
        }
    }
}

/// `rows 3 and 17, rows 5 and 9`.
pub(crate) struct RowPairs<'a>(pub(crate) &'a [[usize; 2]]);

impl fmt::Display for RowPairs<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (idx, [first, other]) in self.0.iter().enumerate() {
            let comma = if idx == 0 { "" } else { ", " };
            write!(f, "{comma}rows {first} and {other}")?;
        }
        Ok(())
    }
}

/// The first 40 characters of a value for a message, on one line and all visible.
pub(crate) fn shortened(value: &str) -> String {
    const SHOWN: usize = 40;
    let mut short = String::new();
    for c in value.chars().take(SHOWN) {
        match c {
            c if c.is_control() => short.push(' '),
            c if is_invisible(c) => short.extend(c.escape_unicode()),
            c => short.push(c),
        }
    }
    if value.chars().nth(SHOWN).is_some() {
        short.push('…');
    }
    short
}

/// Whether a character has no width or looks like an ordinary space: byte order marks, zero-width spaces
/// and joiners, direction marks, soft hyphens, no-break spaces.
pub(crate) fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{a0}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202f}' | '\u{2060}'..='\u{2064}' | '\u{feff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lists_and_long_names_are_cut() {
        let names: Vec<String> = (0..14).map(|i| format!("c{i}")).collect();
        let shown = QuotedList(&names).to_string();
        assert!(shown.starts_with("\"c0\", \"c1\""), "{shown}");
        assert!(shown.ends_with("\"c11\" and 2 more"), "{shown}");

        assert_eq!(shortened("two\nlines"), "two lines");
        assert_eq!(shortened("te\u{200b}xt"), "te\\u{200b}xt");
        assert_eq!(shortened(&"é".repeat(41)), format!("{}…", "é".repeat(40)));
        assert_eq!(shortened(&"é".repeat(40)), "é".repeat(40));
    }
}

//! One line in fastText's format: labels, then the text.

use std::collections::HashSet;

use crate::tables::fault::Fault;

/// With which every label begins.
const PREFIX: &str = "__label__";

/// Whether the first bytes of a file are those of fastText's format: its first line that is not blank begins with a
/// label.
pub(in crate::tables) fn is_fasttext(head: &[u8]) -> bool {
    let head = head.strip_prefix("\u{feff}".as_bytes()).unwrap_or(head);
    head.trim_ascii_start().starts_with(PREFIX.as_bytes())
}

/// A line taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line<'a> {
    /// The names of its labels, each once, in the order of the line.
    pub(super) labels: Vec<&'a str>,
    /// What follows them; empty if there is nothing but spaces.
    pub(super) text: &'a str,
}

impl<'a> Line<'a> {
    /// Takes a line apart, which has no line break at its end.
    ///
    /// # Errors
    /// `Fault::UnnamedLabel`; `Fault::LateLabel`, because it would otherwise become a word of the text that gives
    /// the label away.
    pub(super) fn of(line: &'a str) -> Result<Self, Fault> {
        let (mut labels, mut seen) = (Vec::new(), HashSet::new());
        let mut rest = line.trim_start_matches(is_space);
        loop {
            let end = rest.find(is_space).unwrap_or(rest.len());
            let Some(label) = rest[..end].strip_prefix(PREFIX) else { break };
            if label.is_empty() {
                return Err(Fault::UnnamedLabel);
            }
            if seen.insert(label) {
                labels.push(label);
            }
            rest = rest[end..].trim_start_matches(is_space);
        }
        match rest.split(is_space).find(|word| word.starts_with(PREFIX)) {
            Some(label) => Err(Fault::LateLabel { label: label.to_owned() }),
            None => Ok(Self { labels, text: rest }),
        }
    }
}

/// Whether fastText divides words here, apart from line breaks.
fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\u{b}' | '\u{c}')
}

//! The first line of a text table: the column names, if it has any.

use std::collections::HashMap;
use std::path::Path;

use super::scanner::{Field, value};
use crate::columns;
use crate::error::{Error, Result};
use crate::label_words::parse_label;
use crate::tables::fault::{Fault, Place};

/// A name with at least this many words looks like a text.
const MANY_WORDS: usize = 5;

/// The column names, each of which must be unique.
///
/// # Errors
/// `Fault::NoHeader` or `Fault::DuplicateColumn` if two are equal.
pub(super) fn names(path: &Path, text: &str, fields: &[Field], line: usize) -> Result<Vec<String>> {
    let mut scratch = String::new();
    let names: Vec<String> =
        fields.iter().map(|&field| value(text, field, &mut scratch).to_owned()).collect();
    let mut seen = HashMap::new();
    for (idx, name) in names.iter().enumerate() {
        let Some(first) = seen.insert(name.as_str(), idx) else { continue };
        let fault = if looks_like_data(&names) {
            Fault::NoHeader { names: names.clone() }
        } else {
            Fault::DuplicateColumn { name: name.clone(), first: first + 1, second: idx + 1 }
        };
        return Err(Error::at(path, Place::line(line), fault));
    }
    Ok(names)
}

/// Whether column names look like a row: none of them is a usual name, and at least one is a number, a
/// label, or as long as a text.
pub(crate) fn looks_like_data(names: &[String]) -> bool {
    let is_data = |name: &String| {
        let name = name.trim();
        // Short words such as `y` and `no` can be names or labels.
        (name.len() > 2 && parse_label(name).is_some())
            || name.parse::<f64>().is_ok()
            || name.split_whitespace().count() >= MANY_WORDS
    };
    names.iter().any(is_data) && !names.iter().any(|name| columns::is_usual(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_told_from_names() {
        let looks = |names: &[&str]| {
            looks_like_data(&names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>())
        };
        assert!(looks(&["1", "what a film"]));
        assert!(looks(&["4", "1467810369", "Mon Apr 06", "NO_QUERY", "someone", "so tired"]));
        assert!(looks(&["the best film that I saw this year", "good"]));
        assert!(looks(&["fine", "positive"]));
        assert!(!looks(&["id", "comment text"]));
        assert!(!looks(&["text", "0", "1"]));
        assert!(!looks(&["Review", "Rating out of 5 stars given"]));
    }
}

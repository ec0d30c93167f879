//! Explains what is wrong with JSON.

use serde::de::{Deserialize as _, IgnoredAny};

use crate::tables::fault::Fault;
use crate::tables::format::Format;

/// With more columns it is not a table, but a dictionary written as one object.
pub(super) const MAX_COLUMNS: usize = 10_000;

/// Why an object is not a row.
pub(super) enum RowError {
    NotObject,
    RepeatedKey(String),
    TooManyKeys,
    Json(serde_json::Error),
}

/// The fault for a bad row; `explain` describes invalid JSON, and says whether a value is at fault.
pub(super) fn fault(
    error: RowError,
    explain: impl FnOnce(&serde_json::Error) -> (String, bool),
) -> Fault {
    let (detail, is_value) = match error {
        RowError::RepeatedKey(key) => return Fault::RepeatedKey { key },
        RowError::NotObject => ("expected an object, which begins with {".to_owned(), false),
        RowError::TooManyKeys => {
            let detail = format!(
                "the objects have more than {MAX_COLUMNS} different keys; is each object one row?"
            );
            (detail, false)
        }
        RowError::Json(error) => explain(&error),
    };
    Fault::Json { format: Format::JsonLines, detail, is_value }
}

/// What is wrong with a line that is not a JSON object, and whether a value is at fault; `rest` begins
/// with the line, and goes to the end of the file if it `is_last`.
pub(super) fn explained(
    error: &serde_json::Error,
    line: &str,
    (rest, is_last): (&str, bool),
) -> (String, bool) {
    if error.is_eof() {
        let mut deserializer = serde_json::Deserializer::from_str(rest);
        let detail = match IgnoredAny::deserialize(&mut deserializer) {
            Ok(_) => "the object continues on the next line; each object must be on one line",
            Err(error) if error.is_eof() && is_last => {
                "the object is not closed, and the file ends there"
            }
            Err(_) => "the object is not closed on its line",
        };
        return (detail.to_owned(), false);
    }
    let at = line.floor_char_boundary(error.column().saturating_sub(1));
    let is_after = error.to_string().starts_with("trailing characters");
    match line[at..].bytes().next() {
        Some(b'{') if is_after => ("several objects are on one line".to_owned(), false),
        Some(b',') if is_after => {
            ("a comma follows the object, as in an array without brackets".to_owned(), false)
        }
        _ => (plain(error), !is_after),
    }
}

/// A parser's message, reworded where we can.
pub(super) fn plain(error: &serde_json::Error) -> String {
    plain_at(error, error.column())
}

/// The same for a parser that began elsewhere in the line.
pub(super) fn plain_at(error: &serde_json::Error, column: usize) -> String {
    let message = error.to_string();
    let (what, column) = match message.split_once(" at line ") {
        Some((what, _)) => (what, column),
        None => (message.as_str(), 0),
    };
    let what = match what {
        "lone leading surrogate in hex escape" | "unexpected end of hex escape" => {
            "a string contains only half of a surrogate pair (\\ud800 to \\udfff)"
        }
        "expected value" => "expected a value; NaN and Infinity are not valid JSON",
        "recursion limit exceeded" => "lists and objects are nested too deeply",
        "control character (\\u0000-\\u001F) found while parsing a string" => {
            "a string contains a tab or another control character, which JSON requires to be escaped"
        }
        other => other,
    };
    if column > 0 { format!("{what} (at byte {column})") } else { what.to_owned() }
}

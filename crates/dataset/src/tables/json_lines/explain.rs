//! What is wrong with JSON, in words.

use serde::de::{Deserialize as _, IgnoredAny};

use super::{MAX_COLUMNS, RowError};
use crate::tables::fault::Fault;
use crate::tables::format::Format;

/// An error of a row for the user; `explain` has the words for what is no JSON, and whether it is a value.
pub(super) fn fault(
    error: RowError,
    explain: impl FnOnce(&serde_json::Error) -> (String, bool),
) -> Fault {
    let (detail, is_value) = match error {
        RowError::RepeatedKey(key) => return Fault::RepeatedKey { key },
        RowError::NotObject => ("expected an object, which begins with {".to_owned(), false),
        RowError::TooManyKeys => {
            let detail = format!(
                "the objects have more than {MAX_COLUMNS} different keys; is each a row of its own?"
            );
            (detail, false)
        }
        RowError::Json(error) => explain(&error),
    };
    Fault::Json { format: Format::JsonLines, detail, is_value }
}

/// What is wrong with a line that is no JSON object, and whether it is a value; `rest` begins with the line.
pub(super) fn explained(error: &serde_json::Error, line: &str, rest: &str) -> (String, bool) {
    if error.is_eof() {
        let mut deserializer = serde_json::Deserializer::from_str(rest);
        let detail = match IgnoredAny::deserialize(&mut deserializer) {
            Ok(_) => "the object goes on below; each must stand on one line",
            Err(error) if error.is_eof() => "the object is not closed, and the file ends there",
            Err(_) => "the object is not closed on its line",
        };
        return (detail.to_owned(), false);
    }
    let at = line.floor_char_boundary(error.column().saturating_sub(1));
    let is_after = error.to_string().starts_with("trailing characters");
    match line[at..].bytes().next() {
        Some(b'{') if is_after => ("several objects stand on one line".to_owned(), false),
        Some(b',') if is_after => {
            ("a comma follows the object, as in an array without brackets".to_owned(), false)
        }
        _ => (plain(error), !is_after),
    }
}

/// A parser's message in our words, or in its own.
pub(super) fn plain(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let (what, column) = match message.split_once(" at line ") {
        Some((what, _)) => (what, error.column()),
        None => (message.as_str(), 0),
    };
    let what = match what {
        "lone leading surrogate in hex escape" | "unexpected end of hex escape" => {
            "half of a surrogate pair (\\ud800 to \\udfff) stands alone in a string"
        }
        "expected value" => "expected a value; NaN and Infinity are none in JSON",
        "recursion limit exceeded" => "lists and objects are nested too deeply",
        "control character (\\u0000-\\u001F) found while parsing a string" => {
            "a tab or another control character stands in a string; JSON writes it as an escape"
        }
        other => other,
    };
    if column > 0 { format!("{what} (at byte {column})") } else { what.to_owned() }
}

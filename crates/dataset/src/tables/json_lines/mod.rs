//! Reads JSON lines (one object per line), and files that are one array of objects.
//!
//! `serde_json` reads them, because polars' reader changes numbers to fit a column and panics on some
//! files. A cell keeps the JSON text of its value, so that digits and types are written back unchanged.
//! Invalid JSON (NaN, a trailing comma), ambiguous JSON (a repeated key) and half of a surrogate pair
//! are rejected. Lists and objects in cells are kept as they are, and checked like the rest.

mod check;
mod explain;

use std::collections::HashMap;
use std::fmt;
use std::path::Path;

use polars::prelude::{Column, DataFrame, IntoColumn as _, StringChunkedBuilder};
use serde::Deserializer as _;
use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use self::check::check;
use self::explain::{MAX_COLUMNS, RowError, explained, fault, plain};
use super::fault::{Fault, Place};
use super::format::Format;
use super::notes::{Note, ReadNotes};
use super::parquet::malformed;
use super::table::{Cells, Table};
use crate::error::{Error, Result};

/// Reads JSON lines, or one array of objects.
///
/// # Errors
/// `NoRows`; `Fault::Json` and `Fault::RepeatedKey` with row and line.
pub(super) fn read(path: &Path, text: &str, notes: &mut ReadNotes) -> Result<Table> {
    let mut rows = Rows::default();
    // If lines end with CR alone, splitting at LF would give a single line.
    let is_old = memchr::memchr(b'\n', text.as_bytes()).is_none();
    let line_end = if is_old { '\r' } else { '\n' };
    let result = if text.trim_start().starts_with('[') {
        notes.add(Note::Array);
        rows.add_array(text, line_end)
    } else {
        rows.add_lines(text, line_end)
    };
    result.map_err(|(line, fault)| {
        Error::at(path, Place::row(rows.lines.len() + 1, Some(line)), fault)
    })?;
    rows.finish(path)
}

/// The rows read so far.
#[derive(Default)]
struct Rows {
    columns: Vec<Cell>,
    index: HashMap<String, usize>,
    /// The line of each row.
    lines: Vec<usize>,
}

/// A column being read; rows without its key are filled with nulls before the next value.
struct Cell {
    name: String,
    values: StringChunkedBuilder,
    n_values: usize,
}

impl Rows {
    fn add_lines(&mut self, text: &str, line_end: char) -> Result<(), (usize, Fault)> {
        let mut start = 0;
        for (idx, content) in text.split(line_end).enumerate() {
            if !content.trim_matches([' ', '\t', '\r']).is_empty() {
                self.add(content, idx + 1).map_err(|error| {
                    (idx + 1, fault(error, |error| explained(error, content, &text[start..])))
                })?;
            }
            start += content.len() + line_end.len_utf8();
        }
        Ok(())
    }

    fn add_array(&mut self, text: &str, line_end: char) -> Result<(), (usize, Fault)> {
        let (mut seen, mut line) = (0, 1);
        let mut line_of = |at: usize| {
            line +=
                text.as_bytes()[seen..at].iter().filter(|&&byte| byte == line_end as u8).count();
            seen = at;
            line
        };
        let mut failure = None;
        let mut on_element = |json: &RawValue| {
            let line = line_of(json.get().as_ptr().addr() - text.as_ptr().addr());
            self.add(json.get(), line).map_err(|error| failure = Some((line, error)))
        };
        let mut json = serde_json::Deserializer::from_str(text);
        let result = json.deserialize_seq(Elements(&mut on_element)).and_then(|()| json.end());
        if let Some((line, error)) = failure {
            return Err((line, fault(error, |error| (plain(error), true))));
        }
        result.map_err(|error| {
            let line = if line_end == '\r' { 1 } else { error.line() };
            let detail = if error.is_eof() {
                "the array is not closed, and the file ends there".to_owned()
            } else {
                format!("in an array of objects: {}", plain(&error))
            };
            (line, Fault::Json { format: Format::JsonLines, detail, is_value: false })
        })
    }

    /// Adds one object.
    fn add(&mut self, json: &str, line: usize) -> Result<(), RowError> {
        if !json.trim_start().starts_with('{') {
            return Err(RowError::NotObject);
        }
        let mut cause = None;
        let mut deserializer = serde_json::Deserializer::from_str(json);
        let row = Row { rows: self, cause: &mut cause };
        let result = deserializer.deserialize_map(row).and_then(|()| deserializer.end());
        match (cause, result) {
            (Some(cause), _) => Err(cause),
            (None, Err(error)) => Err(RowError::Json(error)),
            (None, Ok(())) => {
                self.lines.push(line);
                Ok(())
            }
        }
    }

    fn finish(self, path: &Path) -> Result<Table> {
        let n_rows = self.lines.len();
        if n_rows == 0 {
            return Err(Error::NoRows { path: path.to_owned() });
        }
        let columns: Vec<Column> = self
            .columns
            .into_iter()
            .map(|mut column| {
                column.fill_up_to(n_rows);
                column.values.finish().into_column()
            })
            .collect();
        let frame = DataFrame::new(n_rows, columns)
            .map_err(|error| malformed(path, Format::JsonLines, &error))?;
        Ok(Table { frame, cells: Cells::Json, left_out: Vec::new(), lines: self.lines })
    }
}

impl Cell {
    fn fill_up_to(&mut self, n_values: usize) {
        for _ in self.n_values..n_values {
            self.values.append_null();
        }
        self.n_values = self.n_values.max(n_values);
    }
}

/// Adds the members of one object to the columns.
struct Row<'r> {
    rows: &'r mut Rows,
    cause: &'r mut Option<RowError>,
}

impl<'de> Visitor<'de> for Row<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { rows, cause } = self;
        let row_idx = rows.lines.len();
        for position in 0.. {
            let Some(column_idx) = map.next_key_seed(Key { rows, position })? else { break };
            if column_idx >= MAX_COLUMNS {
                *cause = Some(RowError::TooManyKeys);
                return Err(de::Error::custom("too many keys"));
            }
            let column = &mut rows.columns[column_idx];
            if column.n_values > row_idx {
                *cause = Some(RowError::RepeatedKey(column.name.clone()));
                return Err(de::Error::custom("repeated key"));
            }
            let json = map.next_value::<&RawValue>()?.get();
            check(json).map_err(|error| {
                *cause = Some(error);
                de::Error::custom("wrong value")
            })?;
            column.fill_up_to(row_idx);
            column.values.append_value(json);
            column.n_values += 1;
        }
        Ok(())
    }
}

/// Finds or creates the column of a key.
struct Key<'r> {
    rows: &'r mut Rows,
    /// Most objects have their keys in the order of the first object.
    position: usize,
}

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = usize;

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<usize, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: de::Error>(self, key: &str) -> Result<usize, E> {
        let Self { rows, position } = self;
        if rows.columns.get(position).is_some_and(|column| column.name == key) {
            return Ok(position);
        }
        if let Some(&column_idx) = rows.index.get(key) {
            return Ok(column_idx);
        }
        let column_idx = rows.columns.len();
        rows.index.insert(key.to_owned(), column_idx);
        let values = StringChunkedBuilder::new(key.into(), 0);
        rows.columns.push(Cell { name: key.to_owned(), values, n_values: 0 });
        Ok(column_idx)
    }
}

/// Passes each element of an array to a function.
struct Elements<'f>(&'f mut dyn FnMut(&RawValue) -> Result<(), ()>);

impl<'de> Visitor<'de> for Elements<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        while let Some(json) = elements.next_element::<&RawValue>()? {
            (self.0)(json).map_err(|()| de::Error::custom("wrong element"))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> Result<Table> {
        read(Path::new("x.jsonl"), text, &mut ReadNotes::default())
    }

    #[test]
    fn cells_keep_the_text_of_their_values() {
        let text = "{\"a\": 1.50, \"b\": \"x\\u00e9\"}\n\r\n {\"b\": [1, {\"c\": null}], \"a\": -0.0e+1 }\r\n\
                    {\"d\": 123456789012345678901234567890}";
        let table = table(text).unwrap();
        assert_eq!(table.names(), ["a", "b", "d"]);
        assert_eq!(table.lines, [1, 3, 4]);
        let column = |name: &str| -> Vec<Option<String>> {
            let column = table.frame.column(name).unwrap().str().unwrap();
            column.iter().map(|value| value.map(str::to_owned)).collect()
        };
        assert_eq!(column("a"), [Some("1.50".to_owned()), Some("-0.0e+1".to_owned()), None]);
        let nested = "[1, {\"c\": null}]".to_owned();
        assert_eq!(column("b"), [Some("\"x\\u00e9\"".to_owned()), Some(nested), None]);
        assert_eq!(column("d"), [None, None, Some("123456789012345678901234567890".to_owned())]);
    }

    #[test]
    fn arrays_are_read_with_the_lines_of_their_objects() {
        let one = table("{\"a\": 1}\n{\"a\": 2}\n").unwrap();
        for text in ["[{\"a\": 1}, {\"a\": 2}]", " [\n\n{\"a\": 1},\n{\"a\":\n2}\n]\n"] {
            let array = table(text).unwrap();
            assert!(array.frame.equals_missing(&one.frame), "{text}");
        }
        assert_eq!(table("[\n\n{\"a\": 1},\n{\"a\":\n2}\n]\n").unwrap().lines, [3, 4]);
    }

    #[test]
    fn what_is_no_table_is_refused_with_its_place() {
        let deep = format!("{{\"a\": {}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        let cases = [
            ("{\"a\": 1, \"b\": 2, \"a\": 3}", ", row 1 (line 1): the key \"a\" occurs twice"),
            ("{\"a\": {\"b\": 1, \"\\u0062\": 2}}", "the key \"b\" occurs twice"),
            (
                "\n{\"a\": 1}{\"a\": 2}",
                ", row 1 (line 2): not readable as JSON lines: several objects",
            ),
            ("{\"a\": 1},\n{\"a\": 2}", "a comma follows the object"),
            ("{\n  \"a\": 1\n}\n", "the object continues on the next line"),
            (
                "{\"a\": 1}\n{\"a\": ",
                ", row 2 (line 2): not readable as JSON lines: the object is not closed, and",
            ),
            ("{\"a\": \n{\"a\": 1}\n{\"a\": 2}\n", "the object is not closed on its line"),
            ("{\"a\": NaN}", "NaN and Infinity are not valid JSON"),
            ("{\"a\": -Infinity}", "(at byte"),
            ("{\"a\": \"\\ud83d x\"}", "half of a surrogate pair"),
            ("{\"a\": \"\\udc00\"}", "half of a surrogate pair"),
            ("{\"a\": [\"\\ud83d\"]}", "half of a surrogate pair"),
            ("{\"\\ud83d\": 1}", "half of a surrogate pair"),
            ("{\"a\": \"x\ty\"}", "control character"),
            ("{\"a\": 01}", "(at byte"),
            ("{\"a\": 1,}", "trailing comma"),
            ("{'a': 1}", "(at byte"),
            ("1\n", "expected an object"),
            (
                "{\"a\": 1}\n[{\"a\": 2}]\n",
                ", row 2 (line 2): not readable as JSON lines: expected an object",
            ),
            ("[{\"a\": 1},\n", "the array is not closed"),
            (
                "[{\"a\": 1},\n2]",
                ", row 2 (line 2): not readable as JSON lines: expected an object",
            ),
            ("[{\"a\": 1},\n{\"a\": 2, \"a\": 3}]", ", row 2 (line 2): the key \"a\""),
            ("[{\"a\": 1}]\n{\"a\": 2}", "trailing characters"),
            ("[{\"a\": 1},]", "trailing comma"),
            (&deep, "nested too deeply"),
        ];
        for (text, expected) in cases {
            let shown = &text[..text.len().min(60)];
            match table(text) {
                Ok(table) => panic!("{shown:?} was read: {:?}", table.frame),
                Err(error) => {
                    let message = error.to_string();
                    assert!(message.contains(expected), "{shown:?}: {message}");
                }
            }
        }
        assert!(matches!(table("[]"), Err(Error::NoRows { .. })));
    }

    #[test]
    fn lines_may_end_with_carriage_returns() {
        let table = table("{\"a\": 1}\r{\"a\": 2}\r").unwrap();
        assert_eq!((table.frame.height(), table.lines), (2, vec![1, 2]));
    }
}

//! Reads JSON lines (one object per line), and files that are one array of objects.
//!
//! `serde_json` reads them, because polars' reader changes numbers to fit a column and panics on some
//! files. A cell keeps the JSON text of its value, so that digits and types are written back unchanged.
//! Invalid JSON (NaN, a trailing comma), ambiguous JSON (a repeated key) and half of a surrogate pair
//! are rejected. Lists and objects in cells are kept as they are, and checked like the rest.

mod check;
mod elements;
mod explain;
mod reader;

use super::text_file::TextFile;

pub(super) use self::reader::Reader;

/// A file of JSON objects.
#[derive(Clone, Debug)]
pub(crate) struct Json {
    pub(super) file: TextFile,
    /// The columns known before the file is read again: all, once it was surveyed.
    pub(super) names: Vec<String>,
}

#[cfg(test)]
mod tests {
    use crate::error::{Error, Result};
    use crate::tables::chunk::Sizes;
    use crate::tables::table::Table;
    use crate::tables::{self, DataFile, ReadNotes, ReadOptions};

    fn read(text: &str, block: usize) -> Result<Table> {
        let file = DataFile::from_bytes("x.jsonl", text);
        let sizes = Sizes { block, ..Sizes::WHOLE };
        tables::read_sized(&file, &ReadOptions::default(), &sizes, &mut ReadNotes::default())
    }

    /// The same for every size of the part that is in memory.
    fn table(text: &str) -> Result<Table> {
        let result = read(text, Sizes::WHOLE.block);
        match (&result, read(text, 3)) {
            (Ok(table), Ok(small)) => assert!(table.frame.equals_missing(&small.frame), "{text}"),
            (Err(error), Err(small)) => assert_eq!(error.to_string(), small.to_string()),
            (result, small) => panic!("{text}: {result:?} {small:?}"),
        }
        result
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

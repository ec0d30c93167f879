//! JSON lines and arrays.

use dataset::{ColumnChoice, DataFile, Missing, ReadOptions};

use super::{TextTable, all_refused, check, file, message, notes, read, read_as, text_table};

#[test]
fn json_lines_under_each_of_their_names() {
    let json = "{\"text\": \"good\\nreally\", \"label\": 1, \"tags\": [\"a\"]}\n\n\
                {\"label\": 0, \"text\": \"bad\"}\n";
    for name in ["a.jsonl", "a.ndjson", "a.json-lines", "a.JSONL", "a.json"] {
        check(name, json, &["good\nreally", "bad"], &[1, 0]);
    }
    for array in [
        "[{\"text\": \"good\\nreally\", \"label\": 1}, {\"text\": \"bad\", \"label\": 0}]",
        "\u{feff}[\r\n{\"text\": \"good\\nreally\",\r\n\"label\": true},\r\n{\"text\": \"bad\", \"label\": \"neg\"}\r\n]\r\n",
    ] {
        for name in ["a.json", "a.jsonl"] {
            check(name, array, &["good\nreally", "bad"], &[1, 0]);
            assert_eq!(notes(name, array), ["read it as one JSON array of objects"]);
        }
    }
}

#[test]
fn labels_may_change_their_type_anywhere() {
    let mut json = "{\"text\": \"good\", \"label\": 1}\n".repeat(2000);
    for label in ["0.0", "\"negative\"", "false", "\"0\""] {
        json += &format!("{{\"text\": \"bad\", \"label\": {label}}}\n");
    }
    let (_folder, path) = file("reviews.jsonl", &json);
    assert_eq!(read(&path).unwrap().targets().one_of().unwrap()[1999..], [1, 0, 0, 0, 0]);
}

#[test]
fn texts_are_strings_or_the_digits_of_numbers() {
    check(
        "a.jsonl",
        "{\"text\": 5, \"label\": 0}\n{\"text\": 1.50, \"label\": 1}\n\
         {\"text\": 12345678901234567890123, \"label\": 0}\n{\"text\": \"\\ud83d\\ude00 \\u0000\", \"label\": 1}\n",
        &["5", "1.50", "12345678901234567890123", "😀 \0"],
        &[0, 1, 0, 1],
    );
    let with = |value: &str| {
        format!("{{\"text\": \"a\", \"label\": 1}}\n\n{{\"text\": {value}, \"label\": 1}}\n")
    };
    for (value, found) in
        [("true", "true or false"), ("[\"a\"]", "a list"), ("{\"en\": \"a\"}", "an object")]
    {
        assert_eq!(
            message("a.jsonl", with(value)),
            format!(
                "a.jsonl, row 2 (line 3): column \"text\" holds {found} where a text is expected: {value}"
            )
        );
    }
}

#[test]
fn null_and_an_absent_key_are_no_text() {
    let json = "{\"text\": \"a\", \"label\": 1}\n{\"label\": 0}\n{\"text\": null, \"label\": 0}\n\
                {\"text\": \"\", \"label\": 0}\n";
    assert_eq!(message("a.jsonl", json), "a.jsonl, row 2 (line 2): column \"text\" has no value");
    let (_folder, path) = file("a.jsonl", json);
    let with =
        |missing| read_as(&path, &ReadOptions { missing, ..ReadOptions::default() }).unwrap();
    assert_eq!(with(Missing::Skip).texts().collect::<Vec<_>>(), ["a", ""]);
    assert_eq!(with(Missing::Empty).texts().collect::<Vec<_>>(), ["a", "", "", ""]);
    let no_label = "{\"text\": \"a\", \"label\": 1}\n{\"text\": \"b\"}\n";
    assert_eq!(
        message("a.jsonl", no_label),
        "a.jsonl, row 2 (line 2): column \"label\" has no value"
    );
}

#[test]
fn other_json_is_named_and_never_read_in_part() {
    let good = "{\"text\": \"a\", \"label\": 1}";
    let cases = [
        (
            format!("{good}\n{{\"text\": \"b\", \"label\": 0, \"label\": 1}}\n"),
            vec!["row 2 (line 2)", "\"label\" occurs twice"],
        ),
        (
            format!("{good}\n\n{good}{good}\n"),
            vec!["row 2 (line 3)", "several objects are on one line", "one whole object"],
        ),
        (format!("{good},\n{good},\n"), vec!["row 1 (line 1)", "a comma follows the object"]),
        (
            "{\n  \"text\": \"a\",\n  \"label\": 1\n}\n".to_owned(),
            vec!["row 1 (line 1)", "the object continues on the next line", "jq"],
        ),
        (format!("{good}\n{{\"text\": \"b\", \"label\": NaN}}\n"), vec!["row 2 (line 2)", "NaN"]),
        (
            format!("{good}\n{{\"text\": \"b\", \"score\": -Infinity, \"label\": 1}}\n"),
            vec!["row 2 (line 2)"],
        ),
        (
            format!("{good}\n{{\"text\": \"b \\ud83d\", \"label\": 1}}\n"),
            vec!["row 2 (line 2)", "surrogate"],
        ),
        (
            format!("{good}\n{{\"text\": \"b\", \"other\": \"\\ud83d\", \"label\": 1}}\n"),
            vec!["row 2", "surrogate"],
        ),
        (format!("{good}\n[1, 2]\n"), vec!["row 2 (line 2)", "expected an object"]),
        (format!("{good}\n\n{{\"text\": \"b\", \n"), vec!["row 2 (line 3)", "the file ends there"]),
        (format!("[{good},\n{good}"), vec!["the array is not closed"]),
        (format!("[{good},\n5]"), vec!["row 2 (line 2)", "expected an object"]),
        (
            format!("{good}\n{{\"text\": \"tab\there\", \"label\": 1}}\n"),
            vec!["row 2", "control character"],
        ),
    ];
    let cases: Vec<(&str, &str, &[&str])> =
        cases.iter().map(|(content, parts)| ("a.jsonl", content.as_str(), &parts[..])).collect();
    all_refused(&cases);
}

#[test]
fn other_columns_come_as_the_text_of_their_values() {
    let json = "{\"text\": \"a\", \"tags\": [1,  2.50], \"by\": {\"name\": \"x\"}, \"id\": 007e}\n";
    assert!(message("input.jsonl", json).contains("not readable as JSON lines"));
    let json = json.replace("007e", "7.0e0");
    let (_folder, path) = file("input.jsonl", &json);
    let table = text_table(&path).unwrap();
    assert!(table.left_out_columns().is_empty());
    for (name, expected) in
        [("text", "\"a\""), ("tags", "[1,  2.50]"), ("by", "{\"name\": \"x\"}"), ("id", "7.0e0")]
    {
        let column = table.frame().column(name).unwrap().str().unwrap().clone();
        assert_eq!(column.get(0), Some(expected));
    }
    let choice = ColumnChoice { text: Some("id".to_owned()), ..ColumnChoice::default() };
    let file = DataFile::open(&path).unwrap();
    let ids = TextTable::read(&file, &choice, &ReadOptions::default()).unwrap();
    assert_eq!(ids.texts().collect::<Vec<_>>(), ["7.0e0"]);
}

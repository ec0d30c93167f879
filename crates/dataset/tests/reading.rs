//! Files as users have them, good and bad, and what the crate says about each.
#![allow(clippy::unwrap_used, reason = "a test that cannot make its file has failed")]

use std::fs;
use std::path::{Path, PathBuf};

use dataset::{ColumnChoice, Error, LabelledTexts, Result, TextTable};
use polars::prelude::*;
use tempfile::TempDir;

/// A folder with one file in it.
fn file(name: &str, content: impl AsRef<[u8]>) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, content).unwrap();
    (folder, path)
}

fn read(path: &Path) -> Result<LabelledTexts> {
    LabelledTexts::read(path, &ColumnChoice::default())
}

/// The message about a file, with the folder taken out.
fn message(name: &str, content: impl AsRef<[u8]>) -> String {
    let (folder, path) = file(name, content);
    without(folder.path(), &read(&path).unwrap_err())
}

fn without(folder: &Path, error: &Error) -> String {
    error.to_string().replace(&format!("{}/", folder.display()), "")
}

fn check(name: &str, content: impl AsRef<[u8]>, texts: &[&str], labels: &[u8]) {
    let (_folder, path) = file(name, content);
    let table = read(&path).unwrap();
    assert_eq!(table.texts().collect::<Vec<_>>(), texts, "{name}");
    assert_eq!(table.labels(), labels, "{name}");
}

fn parquet(mut frame: DataFrame) -> Vec<u8> {
    let mut bytes = Vec::new();
    ParquetWriter::new(&mut bytes).finish(&mut frame).unwrap();
    bytes
}

#[test]
fn csv_with_quotes_line_breaks_and_other_columns() {
    let csv = "id,Review,Sentiment\n1,\"good, \"\"very\"\"\ngood\",positive\n2,bad, NEG\n";
    check("reviews.csv", csv, &["good, \"very\"\ngood", "bad"], &[1, 0]);
}

#[test]
fn csv_from_windows_with_a_byte_order_mark() {
    check("reviews.csv", "\u{feff}text,label\r\ngood,1\r\nbad,0\r\n", &["good", "bad"], &[1, 0]);
    check("reviews.csv", "label,text\r\n1,good\r\n0,bad", &["good", "bad"], &[1, 0]);
}

#[test]
fn blank_lines_at_the_end_are_no_rows_and_others_are_incomplete_ones() {
    check("reviews.csv", "text,label\ngood,1\nbad,0\n\n\n", &["good", "bad"], &[1, 0]);
    check("reviews.csv", "text,label\r\ngood,1\r\nbad,0\r\n\r\n", &["good", "bad"], &[1, 0]);
    check("reviews.jsonl", "{\"text\": \"good\", \"label\": 1}\n\n\n", &["good"], &[1]);
    assert_eq!(message("reviews.csv", "text,label\n\n\n"), "reviews.csv has columns but no rows");
    assert_eq!(
        message("reviews.csv", "text,label\ngood,1\n\nbad,0\n"),
        "reviews.csv, row 2: column \"text\" has no value"
    );
    assert_eq!(
        message("reviews.csv", "id,text,label\n1,good,1\n2,,\n"),
        "reviews.csv, row 2: column \"text\" has no value"
    );
}

#[test]
fn csv_without_a_last_line_break_and_with_other_letters() {
    check(
        "reviews.CSV",
        "text,label\nsehr schön,true\n最低,false",
        &["sehr schön", "最低"],
        &[1, 0],
    );
}

#[test]
fn a_quoted_empty_text_is_a_text() {
    check("reviews.csv", "text,label\n\"\",1\nbad,0\n", &["", "bad"], &[1, 0]);
}

#[test]
fn tsv_keeps_commas_in_texts() {
    check(
        "reviews.tsv",
        "text\tlabel\ngood, really\t1\nbad\t0\n",
        &["good, really", "bad"],
        &[1, 0],
    );
}

#[test]
fn json_lines_under_each_of_their_names() {
    let json = "{\"text\": \"good\\nreally\", \"label\": 1, \"tags\": [\"a\"]}\n\n\
                {\"label\": 0, \"text\": \"bad\"}\n";
    for name in ["reviews.jsonl", "reviews.ndjson", "reviews.json-lines"] {
        check(name, json, &["good\nreally", "bad"], &[1, 0]);
    }
    let booleans = "{\"text\": \"good\", \"label\": true}\n{\"text\": \"bad\", \"label\": false}";
    check("reviews.jsonl", booleans, &["good", "bad"], &[1, 0]);
}

#[test]
fn json_whose_types_change_late_is_read_or_refused_but_never_nulled() {
    let mut json = "{\"text\": \"good\", \"label\": 1}\n".repeat(200);
    json += "{\"text\": \"bad\", \"label\": 0.0}\n";
    let (_folder, path) = file("reviews.jsonl", &json);
    let table = read(&path).unwrap();
    assert_eq!((table.len(), table.labels()[200]), (201, 0));

    json += "{\"text\": \"bad\", \"label\": \"negative\"}\n";
    let (_folder, path) = file("reviews.jsonl", &json);
    if let Ok(table) = read(&path) {
        assert_eq!(table.labels()[199..], [1, 0, 0]);
    }
}

#[test]
fn parquet_with_labels_of_every_type() {
    let texts = Column::new("text".into(), ["good", "bad"]);
    let labels = [
        Column::new("label".into(), [1i64, 0]),
        Column::new("label".into(), [1i32, 0]),
        Column::new("label".into(), [1i16, 0]),
        Column::new("label".into(), [1i8, 0]),
        Column::new("label".into(), [1u64, 0]),
        Column::new("label".into(), [1u32, 0]),
        Column::new("label".into(), [1u16, 0]),
        Column::new("label".into(), [1u8, 0]),
        Column::new("label".into(), [1f32, 0.0]),
        Column::new("label".into(), [1f64, 0.0]),
        Column::new("label".into(), [true, false]),
        Column::new("label".into(), ["pos", "neg"]),
        Column::new("label".into(), ["pos", "neg"])
            .cast(&DataType::from_categories(Categories::global()))
            .unwrap(),
    ];
    for label in labels {
        let dtype = label.dtype().clone();
        let frame = DataFrame::new_infer_height(vec![texts.clone(), label]).unwrap();
        let (_folder, path) = file("reviews.parquet", parquet(frame));
        let table = read(&path).unwrap();
        assert_eq!(table.texts().collect::<Vec<_>>(), ["good", "bad"], "{dtype:?}");
        assert_eq!(table.labels(), [1, 0], "{dtype:?}");
    }
}

#[test]
fn parquet_texts_may_be_categories_but_not_numbers() {
    let frame = |text: Column| {
        parquet(
            DataFrame::new_infer_height(vec![text, Column::new("y".into(), [1i64, 0])]).unwrap(),
        )
    };
    let texts = Column::new("text".into(), ["good", "bad"]);
    let categories = texts.cast(&DataType::from_categories(Categories::global())).unwrap();
    check("reviews.parquet", frame(categories), &["good", "bad"], &[1, 0]);
    assert_eq!(
        message("reviews.parquet", frame(Column::new("text".into(), [1i64, 2]))),
        "reviews.parquet: column \"text\" holds i64; a text column holds strings"
    );
}

#[test]
fn many_rows_keep_their_order() {
    let mut csv = String::from("text,label\n");
    for row in 0..20_000 {
        csv += &format!("\"text number {row},\n\",{}\n", row % 2);
    }
    let (_folder, path) = file("reviews.csv", csv);
    let table = read(&path).unwrap();
    assert_eq!(table.len(), 20_000);
    for (row, text) in table.texts().enumerate() {
        assert_eq!(text, format!("text number {row},\n"));
        assert_eq!(usize::from(table.labels()[row]), row % 2);
    }
}

#[test]
fn columns_can_be_named_and_guesses_are_told() {
    let (_folder, path) = file("reviews.csv", "text,body,label\na,b,1\nc,d,0\n");
    let choice = ColumnChoice { text: Some("body".to_owned()), label: None };
    let table = LabelledTexts::read(&path, &choice).unwrap();
    assert_eq!(table.texts().collect::<Vec<_>>(), ["b", "d"]);
    let columns = table.columns();
    assert_eq!((columns.text.name.as_str(), columns.text.guessed), ("body", false));
    assert_eq!((columns.label.name.as_str(), columns.label.guessed), ("label", true));
}

#[test]
fn a_wrong_label_is_named_with_its_row() {
    let mut csv = String::from("text,label\n");
    for _ in 0..811 {
        csv += "\"two\nlines\",1\n";
    }
    csv += "x,postive\n";
    assert_eq!(
        message("reviews.csv", csv),
        "reviews.csv, row 812: unknown label \"postive\"; expected negative or positive (did you \
         mean \"positive\"?)"
    );
    assert_eq!(
        message("reviews.csv", "text,label\na,1\nb,5\n"),
        "reviews.csv, row 2: unknown label \"5\"; expected 0 or 1"
    );
    assert_eq!(
        message(
            "reviews.jsonl",
            "{\"text\": \"a\", \"label\": 1}\n{\"text\": \"b\", \"label\": 2}\n"
        ),
        "reviews.jsonl, row 2: unknown label \"2\"; expected 0 or 1"
    );
}

#[test]
fn a_missing_text_or_label_is_named_with_its_row() {
    assert_eq!(
        message("reviews.csv", "text,label\na,1\n,0\n"),
        "reviews.csv, row 2: column \"text\" has no value"
    );
    assert_eq!(
        message("reviews.csv", "text,label\na,1\nb,\n"),
        "reviews.csv, row 2: column \"label\" has no value"
    );
    assert_eq!(
        message("reviews.csv", "text,label\na,1\nb\n"),
        "reviews.csv, row 2: column \"label\" has no value"
    );
    assert_eq!(
        message("reviews.jsonl", "{\"text\": \"a\", \"label\": 1}\n{\"label\": 1}\n"),
        "reviews.jsonl, row 2: column \"text\" has no value"
    );
    assert_eq!(
        message("reviews.jsonl", "{\"text\": null, \"label\": 1}\n"),
        "reviews.jsonl, row 1: column \"text\" has no value"
    );
}

#[test]
fn a_file_that_is_not_there_or_not_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let error = read(&folder.path().join("reviews.csv")).unwrap_err();
    assert_eq!(without(folder.path(), &error), "reviews.csv does not exist");

    let inner = folder.path().join("reviews.csv");
    fs::create_dir(&inner).unwrap();
    let error = read(&inner).unwrap_err();
    assert_eq!(without(folder.path(), &error), "reviews.csv is a folder, not a file");
}

#[test]
fn a_file_with_nothing_in_it() {
    for name in ["reviews.csv", "reviews.tsv", "reviews.jsonl", "reviews.parquet"] {
        assert_eq!(message(name, ""), format!("{name} is empty"));
    }
    assert_eq!(message("reviews.csv", "\n\n"), "reviews.csv is empty");
    assert_eq!(message("reviews.csv", "text,label\n"), "reviews.csv has columns but no rows");
    assert_eq!(message("reviews.csv", "text,label"), "reviews.csv has columns but no rows");
    let no_rows = df!("text" => Vec::<String>::new(), "label" => Vec::<i64>::new()).unwrap();
    assert_eq!(
        message("reviews.parquet", parquet(no_rows)),
        "reviews.parquet has columns but no rows"
    );
}

#[test]
fn a_file_of_an_unknown_format() {
    assert_eq!(
        message("reviews.xlsx", "PK"),
        "cannot tell the format of reviews.xlsx from its name; known extensions are .csv, .tsv, \
         .jsonl, .ndjson, .json-lines, .parquet"
    );
}

#[test]
fn a_file_that_is_not_what_its_name_says() {
    let garbage: Vec<u8> =
        (0..5000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    assert_eq!(message("reviews.csv", &garbage), "reviews.csv is not CSV: it holds binary data");
    assert_eq!(message("reviews.tsv", &garbage), "reviews.tsv is not TSV: it holds binary data");
    assert_eq!(
        message("reviews.jsonl", &garbage),
        "reviews.jsonl is not JSON lines: it holds binary data"
    );
    assert_eq!(
        message("reviews.parquet", &garbage),
        "reviews.parquet is not Parquet: it lacks the Parquet signature"
    );
    let frame = df!("text" => ["a"], "label" => [1i64]).unwrap();
    assert_eq!(
        message("reviews.csv", parquet(frame)),
        "reviews.csv is not CSV: it looks like Parquet"
    );
}

#[test]
fn a_damaged_parquet_file_never_panics() {
    let texts: Vec<String> = (0..500).map(|row| format!("text {row}")).collect();
    let labels: Vec<i64> = (0..500).map(|row| row % 2).collect();
    let good = parquet(df!("text" => texts, "label" => labels).unwrap());

    let cut = message("reviews.parquet", &good[..good.len() / 2]);
    assert!(cut.starts_with("reviews.parquet is not readable as Parquet: "), "{cut}");

    // Every byte of the footer and some of the pages; a damaged file may still be readable.
    let step = (good.len() / 400).max(1);
    for position in (4..good.len()).step_by(step) {
        let mut bad = good.clone();
        bad[position] ^= 0xff;
        let (_folder, path) = file("reviews.parquet", bad);
        if let Err(error) = read(&path) {
            assert!(error.to_string().contains("reviews.parquet"), "{error}");
        }
    }
}

#[test]
fn columns_that_cannot_be_guessed_are_listed() {
    assert_eq!(
        message("reviews.csv", "reveiw,label\na,1\n"),
        "reviews.csv has no text column that can be guessed; its columns are \"reveiw\", \
         \"label\" (did you mean \"reveiw\"?)"
    );
    assert_eq!(
        message("reviews.jsonl", "{\"text\": \"a\", \"stars\": 5}\n"),
        "reviews.jsonl has no label column that can be guessed; its columns are \"text\", \
         \"stars\""
    );
}

#[test]
fn invalid_utf_8_is_named_with_its_line() {
    assert_eq!(
        message("reviews.csv", b"text,label\ngood,1\nna\xefve,0\n"),
        "reviews.csv, line 3: not valid UTF-8"
    );
    assert_eq!(
        message("reviews.tsv", b"te\xffxt\tlabel\ngood\t1\n"),
        "reviews.tsv, line 1: not valid UTF-8"
    );
    assert_eq!(
        message(
            "reviews.jsonl",
            b"{\"text\": \"a\", \"label\": 1}\n{\"text\": \"\xff\", \"label\": 1}\n"
        ),
        "reviews.jsonl, line 2: not valid UTF-8"
    );
}

#[test]
fn text_that_breaks_the_format() {
    let ragged = message("reviews.csv", "text,label\na,1\nb,c,0\n");
    assert!(ragged.starts_with("reviews.csv is not readable as CSV: "), "{ragged}");
    assert!(!ragged.contains('\n') && !ragged.contains("truncate_ragged_lines"), "{ragged}");

    let json = message("reviews.jsonl", "{\"text\": \"a\", \"label\": 1}\n\n{\"text\": \"b\", \n");
    assert!(json.starts_with("reviews.jsonl, line 3 is not readable as JSON lines: "), "{json}");
    let array = message("reviews.jsonl", "{\"text\": \"a\", \"label\": 1}\n[1, 2]\n");
    assert!(array.starts_with("reviews.jsonl, line 2 is not readable as JSON lines: "), "{array}");
}

#[test]
fn texts_without_labels_keep_their_other_columns() {
    let (_folder, path) = file("input.csv", "id,Comment\n007,good\n008,\"\"\n");
    let table = TextTable::read(&path, None).unwrap();
    assert_eq!(table.texts().collect::<Vec<_>>(), ["good", ""]);
    assert_eq!(table.text_column().name, "Comment");
    assert!(table.text_column().guessed);
    let ids = table.frame().column("id").unwrap().str().unwrap().clone();
    assert_eq!(ids.get(0), Some("007"));

    let error = TextTable::read(&path, Some("coment")).unwrap_err().to_string();
    assert!(error.ends_with("(did you mean \"Comment\"?)"), "{error}");
}

#[test]
fn columns_that_no_output_could_hold_are_left_out_and_told() {
    let json = "{\"text\": \"a\", \"tags\": [1], \"by\": {\"name\": \"x\"}, \"id\": 7}\n";
    let (_folder, path) = file("input.jsonl", json);
    let table = TextTable::read(&path, None).unwrap();
    let mut left_out = table.left_out_columns().to_vec();
    left_out.sort();
    assert_eq!(left_out, ["by", "tags"]);
    assert!(table.frame().column("id").is_ok());
}

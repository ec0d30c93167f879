//! Result tables, in every format, read back; and what happens when they cannot be written.
#![allow(clippy::unwrap_used, reason = "a test that cannot make its file has failed")]

use std::fs;
use std::path::Path;

use dataset::{PredictionColumns, Predictions, TextTable};
use tempfile::TempDir;

const PREDICTIONS: Predictions<'static> =
    Predictions { labels: &[1, 0], probabilities: &[0.75, 0.125] };

/// A folder with `input.csv`, and the table read from it.
fn table(csv: &str) -> (TempDir, TextTable) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("input.csv");
    fs::write(&path, csv).unwrap();
    let table = TextTable::read(path, None).unwrap();
    (folder, table)
}

fn message(table: &TextTable, path: &Path, predictions: &Predictions<'_>) -> String {
    let message = table.write_predictions(path, predictions).unwrap_err().to_string();
    let folder = path.parent().unwrap().display().to_string();
    message.replace(&folder, "FOLDER")
}

#[test]
fn text_formats_hold_the_input_and_two_columns() {
    let (folder, table) = table("id,text\n007,\"good, \"\"very\"\"\"\n8,bad\n");
    let cases = [
        (
            "out.csv",
            "id,text,label,probability\n007,\"good, \"\"very\"\"\",positive,0.75\n\
             8,bad,negative,0.125\n",
        ),
        (
            "out.tsv",
            "id\ttext\tlabel\tprobability\n007\t\"good, \"\"very\"\"\"\tpositive\t0.75\n\
             8\tbad\tnegative\t0.125\n",
        ),
        (
            "out.jsonl",
            "{\"id\":\"007\",\"text\":\"good, \\\"very\\\"\",\"label\":\"positive\",\
             \"probability\":0.75}\n{\"id\":\"8\",\"text\":\"bad\",\"label\":\"negative\",\
             \"probability\":0.125}\n",
        ),
    ];
    for (name, expected) in cases {
        let path = folder.path().join(name);
        table.write_predictions(&path, &PREDICTIONS).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), expected, "{name}");
    }
}

#[test]
fn every_format_reads_back_as_it_was() {
    let (folder, table) = table("id,text\n1,\"two\nlines\"\n2,\"\"\n");
    for name in ["out.csv", "out.tsv", "out.jsonl", "out.parquet"] {
        let path = folder.path().join(name);
        table.write_predictions(&path, &PREDICTIONS).unwrap();
        let again = TextTable::read(&path, None).unwrap();
        assert_eq!(again.texts().collect::<Vec<_>>(), ["two\nlines", ""], "{name}");
        let labels = again.frame().column("label").unwrap().str().unwrap().clone();
        assert_eq!(labels.iter().flatten().collect::<Vec<_>>(), ["positive", "negative"], "{name}");
    }
}

#[test]
fn columns_of_the_input_are_never_replaced() {
    let (folder, table) = table("text,label,predicted_label\na,0,x\nb,1,y\n");
    let path = folder.path().join("out.csv");
    let names = table.write_predictions(&path, &PREDICTIONS).unwrap();
    let expected = PredictionColumns {
        label: "predicted_predicted_label".to_owned(),
        probability: "probability".to_owned(),
    };
    assert_eq!(names, expected);
    let written = fs::read_to_string(&path).unwrap();
    assert!(written.contains("\na,0,x,positive,0.75\n"), "{written}");
}

#[test]
fn an_older_file_is_replaced_and_no_temporary_file_stays() {
    let (folder, table) = table("text\na\nb\n");
    let path = folder.path().join("out.csv");
    fs::write(&path, "old and much longer than what will be written\n".repeat(99)).unwrap();
    table.write_predictions(&path, &PREDICTIONS).unwrap();
    assert!(fs::read_to_string(&path).unwrap().starts_with("text,label,probability\n"));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[cfg(unix)]
#[test]
fn the_file_has_the_permissions_of_any_new_file() {
    use std::os::unix::fs::PermissionsExt;
    let (folder, table) = table("text\na\nb\n");
    let path = folder.path().join("out.csv");
    table.write_predictions(&path, &PREDICTIONS).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode(&path), mode(&folder.path().join("input.csv")));
}

#[test]
fn what_cannot_be_written_is_said() {
    let (folder, table) = table("text\na\nb\n");
    let missing = folder.path().join("missing");
    assert_eq!(
        message(&table, &missing.join("out.csv"), &PREDICTIONS),
        "cannot write FOLDER/out.csv: folder FOLDER does not exist"
    );
    let path = folder.path().join("out.csv");
    fs::create_dir(&path).unwrap();
    assert_eq!(message(&table, &path, &PREDICTIONS), "FOLDER/out.csv is a folder, not a file");
    assert!(
        message(&table, &folder.path().join("out.txt"), &PREDICTIONS)
            .starts_with("cannot tell the format of FOLDER/out.txt")
    );
}

#[cfg(unix)]
#[test]
fn a_folder_without_permission_is_named_with_its_cause() {
    use std::error::Error;
    use std::os::unix::fs::PermissionsExt;
    let (folder, table) = table("text\na\nb\n");
    let locked = folder.path().join("locked");
    fs::create_dir(&locked).unwrap();
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o555)).unwrap();
    if fs::write(locked.join("probe"), "").is_ok() {
        return; // The superuser may write anywhere.
    }
    let error = table.write_predictions(locked.join("out.csv"), &PREDICTIONS).unwrap_err();
    assert!(error.to_string().starts_with("cannot write "), "{error}");
    assert!(error.source().is_some());
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn predictions_must_fit_the_table() {
    let (folder, table) = table("text\na\nb\n");
    let path = folder.path().join("out.csv");
    let short = Predictions { labels: &[1], ..PREDICTIONS };
    assert_eq!(message(&table, &path, &short), "expected 2 labels, one per row, got 1");
    let short = Predictions { probabilities: &[0.5], ..PREDICTIONS };
    assert_eq!(message(&table, &path, &short), "expected 2 probabilities, one per row, got 1");
    let wrong = Predictions { labels: &[0, 9], ..PREDICTIONS };
    assert_eq!(message(&table, &path, &wrong), "row 2: label 9 is neither 0 nor 1");
    assert!(!path.exists());
}

#[test]
fn columns_of_every_type_that_is_read_can_be_written_in_every_format() {
    use polars::prelude::*;
    let folder = tempfile::tempdir().unwrap();
    let number = |dtype: &DataType| Column::new("n".into(), [1i64, 0]).cast(dtype).unwrap();
    let words = Column::new("c".into(), ["x", "y"]);
    let mut columns = vec![
        Column::new("text".into(), ["a", "b"]),
        words.cast(&DataType::from_categories(Categories::global())).unwrap(),
        Column::full_null("nothing".into(), 2, &DataType::Null),
    ];
    let types = [
        DataType::Boolean,
        DataType::Int8,
        DataType::UInt16,
        DataType::UInt64,
        DataType::Float32,
        DataType::Date,
        DataType::Datetime(TimeUnit::Nanoseconds, None),
        DataType::Datetime(TimeUnit::Milliseconds, None),
    ];
    for (idx, dtype) in types.iter().enumerate() {
        columns.push(number(dtype).with_name(format!("n{idx}").into()));
    }
    let mut frame = DataFrame::new_infer_height(columns).unwrap();
    let path = folder.path().join("input.parquet");
    ParquetWriter::new(fs::File::create(&path).unwrap()).finish(&mut frame).unwrap();

    let table = TextTable::read(&path, None).unwrap();
    assert!(table.left_out_columns().is_empty(), "{:?}", table.left_out_columns());
    assert_eq!(table.frame().width(), 3 + types.len());
    for name in ["out.csv", "out.tsv", "out.jsonl", "out.parquet"] {
        let path = folder.path().join(name);
        table.write_predictions(&path, &PREDICTIONS).unwrap();
        assert_eq!(TextTable::read(&path, None).unwrap().len(), 2, "{name}");
    }
}

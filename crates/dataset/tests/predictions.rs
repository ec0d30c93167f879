//! Prediction tables: where they are written, what they replace, and what they look like.
//!
//! `round_trip.rs` tests that cells come back unchanged.
#![allow(clippy::unwrap_used, reason = "a test that cannot make its file has failed")]

#[path = "common/whole.rs"]
mod whole;

use std::fs;
use std::path::Path;

use self::whole::{AnswerColumn, TextTable};
use dataset::{
    AnswerValues, Change, ColumnChoice, DataFile, Existing, Layout, ReadOptions, Result, Written,
    check_output,
};
use tempfile::TempDir;

/// A label and a probability for each of two texts.
fn answer(table: &TextTable, path: impl AsRef<Path>, existing: Existing) -> Result<Written> {
    let words = ["positive", "negative"].map(|word| Some(word.to_owned()));
    let answers = [
        column("predicted_label", AnswerValues::Words(&words)),
        column("probability", AnswerValues::Numbers(&[0.75, 0.125])),
    ];
    table.write_answers(path, &answers, existing)
}

fn column<'a>(name: &str, values: AnswerValues<'a>) -> AnswerColumn<'a> {
    AnswerColumn { name: name.to_owned(), values }
}

fn read(path: &Path) -> TextTable {
    let file = DataFile::open(path).unwrap();
    TextTable::read(&file, &ColumnChoice::default(), &ReadOptions::default()).unwrap()
}

/// A folder with one input file, and the table read from it.
fn table_of(name: &str, content: &str) -> (TempDir, TextTable) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, content).unwrap();
    let table = read(&path);
    (folder, table)
}

fn table(csv: &str) -> (TempDir, TextTable) {
    table_of("input.csv", csv)
}

fn written(table: &TextTable, path: &Path) -> String {
    answer(table, path, Existing::Refuse).unwrap();
    fs::read_to_string(path).unwrap()
}

fn message(table: &TextTable, path: &Path) -> String {
    let error = answer(table, path, Existing::Replace).unwrap_err();
    let folder = path.parent().unwrap().display().to_string();
    error.to_string().replace(&folder, "FOLDER")
}

fn names_in(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn text_formats_hold_the_input_and_two_columns() {
    let (folder, table) = table("id,text\n007,\"good, \"\"very\"\"\"\n8,bad\n");
    let cases = [
        (
            "out.csv",
            "id,text,predicted_label,probability\n007,\"good, \"\"very\"\"\",positive,0.75\n\
             8,bad,negative,0.125\n",
        ),
        (
            "out.tsv",
            "\"id\"\t\"text\"\t\"predicted_label\"\t\"probability\"\n\
             007\t\"good, \"\"very\"\"\"\tpositive\t0.75\n8\tbad\tnegative\t0.125\n",
        ),
        (
            "out.jsonl",
            "{\"id\":\"007\",\"text\":\"good, \\\"very\\\"\",\"predicted_label\":\"positive\",\
             \"probability\":0.75}\n{\"id\":\"8\",\"text\":\"bad\",\"predicted_label\":\"negative\",\
             \"probability\":0.125}\n",
        ),
    ];
    for (name, expected) in cases {
        assert_eq!(written(&table, &folder.path().join(name)), expected, "{name}");
    }
}

#[test]
fn columns_of_the_input_are_never_replaced() {
    let cases = [
        ("text,label", "predicted_label", "probability"),
        ("text,predicted_label", "predicted_label_2", "probability_2"),
        ("text,Probability", "predicted_label_2", "probability_2"),
        ("text,predicted_label_2", "predicted_label", "probability"),
        ("text,probability,predicted_label_2", "predicted_label_3", "probability_3"),
    ];
    for (header, label, probability) in cases {
        let rest = ",x".repeat(header.matches(',').count());
        let (folder, table) = table(&format!("{header}\na{rest}\nb{rest}\n"));
        let path = folder.path().join("out.csv");
        let names = answer(&table, &path, Existing::Refuse).unwrap();
        let expected =
            Written { names: vec![label.to_owned(), probability.to_owned()], changes: Vec::new() };
        assert_eq!(names, expected, "{header}");
        let written = fs::read_to_string(&path).unwrap();
        assert_eq!(written.lines().next(), Some(&*format!("{header},{label},{probability}")));
        assert!(written.contains(&format!("\na{rest},positive,0.75\n")), "{written}");
    }
}

#[test]
fn answers_of_every_type_are_written_under_names_with_one_number() {
    let (folder, table) = table("text,TOP_2\na,x\nb,y\n");
    let words = [Some("sport|money".to_owned()), None];
    let answers = [
        column("predicted_labels", AnswerValues::Words(&words)),
        column("top_2", AnswerValues::Numbers(&[0.5, 1e-9])),
        column("n_labels", AnswerValues::Counts(&[2, 0])),
    ];
    for (name, expected) in [
        (
            "out.csv",
            "text,TOP_2,predicted_labels_2,top_2_2,n_labels_2\n\
             a,x,sport|money,0.5,2\nb,y,,1e-9,0\n",
        ),
        (
            "out.jsonl",
            "{\"text\":\"a\",\"TOP_2\":\"x\",\"predicted_labels_2\":\"sport|money\",\
             \"top_2_2\":0.5,\"n_labels_2\":2}\n{\"text\":\"b\",\"TOP_2\":\"y\",\
             \"predicted_labels_2\":null,\"top_2_2\":1e-9,\"n_labels_2\":0}\n",
        ),
    ] {
        let path = folder.path().join(name);
        let written = table.write_answers(&path, &answers, Existing::Refuse).unwrap();
        assert_eq!(written.names, ["predicted_labels_2", "top_2_2", "n_labels_2"]);
        assert_eq!(fs::read_to_string(&path).unwrap(), expected);
    }
}

#[test]
fn an_older_file_stays_unless_it_may_be_replaced() {
    let (folder, table) = table("text\na\nb\n");
    let path = folder.path().join("out.csv");
    fs::write(&path, "a diary\n").unwrap();
    let expected = format!(
        "{} already exists; choose another name, or replace it with --force",
        path.display()
    );
    let refusals = [
        check_output(&path, Existing::Refuse, Layout::File).unwrap_err(),
        table.check_output(&path, Existing::Refuse).unwrap_err(),
        answer(&table, &path, Existing::Refuse).unwrap_err(),
    ];
    for error in refusals {
        assert_eq!(error.to_string(), expected);
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), "a diary\n");

    check_output(&path, Existing::Replace, Layout::File).unwrap();
    answer(&table, &path, Existing::Replace).unwrap();
    assert!(fs::read_to_string(&path).unwrap().starts_with("text,predicted_label,"));
    assert_eq!(names_in(folder.path()), ["input.csv", "out.csv"]);
}

#[test]
fn the_input_is_replaced_only_if_nothing_of_it_is_lost() {
    let (folder, table) = table("text\na\nb\n");
    let input = folder.path().join("input.csv");
    assert!(table.check_output(&input, Existing::Refuse).is_err());
    table.check_output(&input, Existing::Replace).unwrap();
    answer(&table, &input, Existing::Replace).unwrap();
    assert!(fs::read_to_string(&input).unwrap().contains("\na,positive,0.75\n"));
}

/// A Parquet table with a column that cannot be written back.
fn parquet_with_a_list(path: &Path) -> TextTable {
    use polars::prelude::*;
    let texts = Column::new("text".into(), ["a", "b"]);
    let lists = Series::new(
        "tags".into(),
        [Series::new("".into(), ["x", "y"]), Series::new("".into(), ["z"])],
    );
    let mut frame = DataFrame::new_infer_height(vec![texts, lists.into_column()]).unwrap();
    ParquetWriter::new(fs::File::create(path).unwrap()).finish(&mut frame).unwrap();
    let table = read(path);
    assert_eq!(table.left_out_columns(), ["tags"]);
    table
}

#[cfg(unix)]
#[test]
fn the_input_is_known_by_all_its_names() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("input.parquet");
    let table = parquet_with_a_list(&input);
    let before = fs::read(&input).unwrap();
    let link = folder.path().join("link.parquet");
    std::os::unix::fs::symlink("input.parquet", &link).unwrap();
    let second = folder.path().join("second.parquet");
    fs::hard_link(&input, &second).unwrap();
    fs::create_dir(folder.path().join("deep")).unwrap();
    let roundabout = folder.path().join("deep/../input.parquet");
    for path in [&input, &link, &second, &roundabout] {
        let expected = format!(
            "{} is the input file, and its columns \"tags\" cannot be written back and would be lost; \
             choose another output file",
            path.display()
        );
        let error = table.check_output(path, Existing::Replace).unwrap_err();
        assert_eq!(error.to_string(), expected);
        let error = answer(&table, path, Existing::Replace).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
    assert_eq!(fs::read(&input).unwrap(), before);
    let elsewhere = folder.path().join("other.parquet");
    answer(&table, elsewhere, Existing::Refuse).unwrap();
}

#[cfg(unix)]
#[test]
fn links_are_followed_and_stay() {
    use std::os::unix::fs::symlink;
    let (folder, table) = table("text\na\nb\n");
    let target = folder.path().join("target.csv");
    fs::create_dir(folder.path().join("links")).unwrap();
    let (first, second) =
        (folder.path().join("links/first.csv"), folder.path().join("links/second.csv"));
    symlink("second.csv", &first).unwrap();
    symlink("../target.csv", &second).unwrap();

    // The target does not exist yet.
    assert!(written(&table, &first).starts_with("text,predicted_label,"));
    assert!(target.symlink_metadata().unwrap().is_file());
    // Now it does.
    assert!(answer(&table, &first, Existing::Refuse).is_err());
    fs::write(&target, "old").unwrap();
    answer(&table, &first, Existing::Replace).unwrap();
    assert!(fs::read_to_string(&target).unwrap().starts_with("text,predicted_label,"));
    for link in [&first, &second] {
        assert!(link.symlink_metadata().unwrap().is_symlink());
    }
    assert_eq!(names_in(&folder.path().join("links")), ["first.csv", "second.csv"]);

    let circle = folder.path().join("circle.csv");
    symlink("circle.csv", &circle).unwrap();
    assert_eq!(message(&table, &circle), "cannot write FOLDER/circle.csv");
}

#[cfg(unix)]
#[test]
fn permissions_stay_and_new_files_have_those_of_any_new_file() {
    use std::os::unix::fs::PermissionsExt;
    let (folder, table) = table("text\na\nb\n");
    let path = folder.path().join("out.csv");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
    answer(&table, &path, Existing::Refuse).unwrap();
    assert_eq!(mode(&path), mode(&folder.path().join("input.csv")));
    for bits in [0o600, 0o640, 0o777, 0o444] {
        fs::set_permissions(&path, fs::Permissions::from_mode(bits)).unwrap();
        answer(&table, &path, Existing::Replace).unwrap();
        assert_eq!(mode(&path) & 0o7777, bits);
    }
}

#[cfg(unix)]
#[test]
fn pipes_are_written_straight_through_in_the_format_that_was_read() {
    let (folder, table) = table_of("input.tsv", "id\ttext\n1\ta\n2\tb\n");
    for (name, expected) in [
        ("pipe", "id\ttext\tpredicted_label\tprobability\n1\ta\tpositive\t0.75\n"),
        ("pipe.csv", "id,text,predicted_label,probability\n1,a,positive,0.75\n"),
    ] {
        let pipe = folder.path().join(name);
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        check_output(&pipe, Existing::Refuse, Layout::File).unwrap();
        let reader = {
            let pipe = pipe.clone();
            std::thread::spawn(move || fs::read_to_string(pipe).unwrap())
        };
        answer(&table, &pipe, Existing::Refuse).unwrap();
        let got = reader.join().unwrap();
        assert!(got.starts_with(expected), "{name}: {got}");
        assert!(!pipe.symlink_metadata().unwrap().is_file());
    }
    answer(&table, "/dev/null", Existing::Refuse).unwrap();
    assert_eq!(names_in(folder.path()), ["input.tsv", "pipe", "pipe.csv"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_said_and_nothing_stays() {
    use std::error::Error;
    let (folder, table) = table("text\na\nb\n");
    let error = answer(&table, "/dev/full", Existing::Refuse).unwrap_err();
    assert_eq!(error.to_string(), "cannot write /dev/full");
    assert!(error.source().unwrap().to_string().contains("No space left"), "{error:?}");
    assert_eq!(names_in(folder.path()), ["input.csv"]);
}

#[test]
fn what_a_killed_program_left_is_removed_and_what_another_writes_is_not() {
    let (folder, table) = table("text\na\nb\n");
    let left = folder.path().join(".sentiment-abcdef.unfinished");
    let held = folder.path().join(".sentiment-fedcba.unfinished");
    let other = folder.path().join(".sentiment-notes");
    for path in [&left, &held, &other] {
        fs::write(path, "half").unwrap();
    }
    let lock = fs::File::open(&held).unwrap();
    lock.lock().unwrap();
    answer(&table, folder.path().join("out.csv"), Existing::Refuse).unwrap();
    assert_eq!(
        names_in(folder.path()),
        [".sentiment-fedcba.unfinished", ".sentiment-notes", "input.csv", "out.csv"]
    );
}

#[test]
fn what_cannot_be_written_is_said() {
    let (folder, table) = table("text\na\nb\n");
    let missing = folder.path().join("missing");
    for error in [
        check_output(missing.join("out.csv"), Existing::Refuse, Layout::File).unwrap_err(),
        answer(&table, missing.join("out.csv"), Existing::Refuse).unwrap_err(),
    ] {
        assert_eq!(
            error.to_string(),
            format!(
                "cannot write {}: folder {} does not exist",
                missing.join("out.csv").display(),
                missing.display()
            )
        );
    }
    let path = folder.path().join("out.csv");
    fs::create_dir(&path).unwrap();
    assert_eq!(message(&table, &path), "FOLDER/out.csv is a folder, not a file");
    for name in ["out.xlsx", "out"] {
        let path = folder.path().join(name);
        assert!(message(&table, &path).starts_with("cannot tell the format of FOLDER/out"));
        assert!(check_output(&path, Existing::Refuse, Layout::File).is_err());
    }
}

#[cfg(unix)]
#[test]
fn a_folder_without_permission_is_named_with_its_cause_before_there_is_a_table() {
    use std::error::Error;
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let mut locked = folder.path().join("locked");
    fs::create_dir(&locked).unwrap();
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o555)).unwrap();
    if fs::write(locked.join("probe"), "").is_ok() {
        // Even the superuser cannot write here.
        locked = "/proc".into();
    }
    let error = check_output(locked.join("out.csv"), Existing::Refuse, Layout::File).unwrap_err();
    assert!(error.to_string().starts_with("cannot write "), "{error}");
    assert!(error.source().is_some());
    let _ = fs::set_permissions(&locked, fs::Permissions::from_mode(0o755));
}

#[test]
fn predictions_must_fit_the_table() {
    let (folder, table) = table("text\na\nb\n");
    let path = folder.path().join("out.csv");
    let refused = |answers: &[AnswerColumn<'_>]| {
        table.write_answers(&path, answers, Existing::Replace).unwrap_err().to_string()
    };
    let expected = "expected 2 answers, one per row, got 1";
    assert_eq!(refused(&[column("a", AnswerValues::Words(&[None]))]), expected);
    assert_eq!(refused(&[column("a", AnswerValues::Numbers(&[0.5]))]), expected);
    assert_eq!(refused(&[column("a", AnswerValues::Counts(&[7]))]), expected);
    let counts = || AnswerValues::Counts(&[7, 8]);
    assert_eq!(
        refused(&[column("a", counts()), column("A", counts())]),
        "two columns of answers would be called \"A\""
    );
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
        Column::new("big".into(), [u64::MAX, 0]),
        Column::new("day".into(), [i32::MAX, 19_782]).cast(&DataType::Date).unwrap(),
    ];
    let types = [
        DataType::Boolean,
        DataType::Int8,
        DataType::UInt16,
        DataType::Float32,
        DataType::Float64,
        DataType::Datetime(TimeUnit::Nanoseconds, None),
        DataType::Datetime(TimeUnit::Milliseconds, None),
    ];
    for (idx, dtype) in types.iter().enumerate() {
        columns.push(number(dtype).with_name(format!("n{idx}").into()));
    }
    let mut frame = DataFrame::new_infer_height(columns).unwrap();
    let path = folder.path().join("input.parquet");
    ParquetWriter::new(fs::File::create(&path).unwrap()).finish(&mut frame).unwrap();

    let table = read(&path);
    assert!(table.left_out_columns().is_empty(), "{:?}", table.left_out_columns());
    assert_eq!(
        written(&table, &folder.path().join("out.csv")),
        "text,c,nothing,big,day,n0,n1,n2,n3,n4,n5,n6,predicted_label,probability\n\
         a,x,,18446744073709551615,+5881580-07-11,true,1,1,1.0,1.0,\
         1970-01-01T00:00:00.000000001,1970-01-01T00:00:00.001,positive,0.75\n\
         b,y,,0,2024-02-29,false,0,0,0.0,0.0,\
         1970-01-01T00:00:00.000000000,1970-01-01T00:00:00.000,negative,0.125\n"
    );
    assert_eq!(
        written(&table, &folder.path().join("out.jsonl")).lines().next().unwrap(),
        "{\"text\":\"a\",\"c\":\"x\",\"nothing\":null,\"big\":18446744073709551615,\
         \"day\":\"+5881580-07-11\",\"n0\":true,\"n1\":1,\"n2\":1,\"n3\":1.0,\"n4\":1.0,\
         \"n5\":\"1970-01-01T00:00:00.000000001\",\"n6\":\"1970-01-01T00:00:00.001\",\
         \"predicted_label\":\"positive\",\"probability\":0.75}"
    );
    for name in ["out.tsv", "out.parquet"] {
        let path = folder.path().join(name);
        answer(&table, &path, Existing::Refuse).unwrap();
        assert_eq!(read(&path).len(), 2, "{name}");
    }
}

#[test]
fn what_json_cannot_hold_becomes_null_and_is_counted() {
    use polars::prelude::*;
    let folder = tempfile::tempdir().unwrap();
    let mut frame = DataFrame::new_infer_height(vec![
        Column::new("text".into(), ["a", "b"]),
        Column::new("x".into(), [f64::NAN, f64::NEG_INFINITY]),
    ])
    .unwrap();
    let path = folder.path().join("input.parquet");
    ParquetWriter::new(fs::File::create(&path).unwrap()).finish(&mut frame).unwrap();
    let table = read(&path);
    let path = folder.path().join("out.jsonl");
    let columns = answer(&table, &path, Existing::Refuse).unwrap();
    assert_eq!(columns.changes, [Change::NotFinite { column: "x".to_owned(), n_cells: 2 }]);
    assert_eq!(
        columns.changes[0].to_string(),
        "column \"x\": 2 NaN or infinite values became null, because JSON cannot represent them"
    );
    assert!(fs::read_to_string(&path).unwrap().contains("\"x\":null"));

    let columns = answer(&table, folder.path().join("out.csv"), Existing::Refuse).unwrap();
    assert!(columns.changes.is_empty());
}

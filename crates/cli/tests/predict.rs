//! `sentiment predict`: texts from the command line, from standard input and from tables.
#![allow(clippy::unwrap_used, reason = "a test that cannot read its files has failed")]

mod common;

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;

use common::Workplace;
use serde_json::Value;

/// The parsed lines of `--json`.
fn answers(stdout: &str) -> Vec<Value> {
    stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn good_texts_are_positive_and_bad_ones_negative() {
    let place = Workplace::with_model();
    let outcome = place
        .run(&[
            "predict",
            "--model",
            "model",
            "a good film",
            "an awful plot",
            "great, really GREAT!",
        ])
        .succeeded();
    let lines: Vec<&str> = outcome.stdout.lines().collect();
    assert_eq!(lines.len(), 3, "{}", outcome.stdout);
    for (line, label, text) in [
        (lines[0], "positive", "a good film"),
        (lines[1], "negative", "an awful plot"),
        (lines[2], "positive", "great, really GREAT!"),
    ] {
        let [got, probability, got_text] = line.splitn(3, "  ").collect::<Vec<_>>()[..] else {
            panic!("not a label, a probability and a text: {line:?}");
        };
        assert_eq!((got, got_text), (label, text));
        let probability: f64 = probability.parse().unwrap();
        let is_sure = if label == "positive" { probability > 0.9 } else { probability < 0.1 };
        assert!(is_sure, "{line}");
    }
}

#[test]
fn arguments_lines_and_tables_get_the_same_answers() {
    let place = Workplace::with_model();
    let texts = ["a good film", "bad, bad \"music\"", "", "🎬🍿", "sehr schön 最低"];
    let args = ["predict", "--model", "model", "--json"];
    let from_args = answers(&place.run(&[&args[..], &texts].concat()).succeeded().stdout);
    assert_eq!(from_args.len(), texts.len());
    for (answer, text) in from_args.iter().zip(texts) {
        assert_eq!(answer["text"], text);
        let probability = answer["probability"].as_f64().unwrap();
        assert!((0.0..=1.0).contains(&probability), "{answer}");
        let label = if probability >= 0.5 { "positive" } else { "negative" };
        assert_eq!(answer["label"], label);
    }

    let input = texts.join("\n") + "\n";
    let from_lines = answers(&place.run_with_input(&args, input.as_bytes()).succeeded().stdout);
    assert_same(&from_lines, &from_args);
    let windows = texts.join("\r\n");
    let from_lines = answers(&place.run_with_input(&args, windows.as_bytes()).succeeded().stdout);
    assert_same(&from_lines, &from_args);

    let rows: Vec<String> =
        texts.iter().map(|text| serde_json::json!({"id": 7, "text": text}).to_string()).collect();
    place.write("in.jsonl", rows.join("\n"));
    let outcome = place
        .run(&["predict", "--model", "model", "--input", "in.jsonl", "--output", "out.jsonl"])
        .succeeded();
    assert_eq!(outcome.stdout, "");
    assert!(outcome.stderr.contains("out.jsonl: 5 texts"), "{}", outcome.stderr);
    let from_table = answers(&place.read("out.jsonl"));
    assert_same_answers(&from_table, &from_args, "predicted_label");
    assert_eq!(from_table[3]["id"], 7, "other columns stay");
}

/// [`assert_same_answers`] where both name the predicted label `label`.
#[track_caller]
fn assert_same(got: &[Value], expected: &[Value]) {
    assert_same_answers(got, expected, "label");
}

/// Checks that texts and labels are equal and that batching changed no probability. `label`: the name of
/// the predicted label in `got`.
#[track_caller]
fn assert_same_answers(got: &[Value], expected: &[Value], label: &str) {
    /// For f32 sums in another order.
    const TOLERANCE: f64 = 1e-5;
    assert_eq!(got.len(), expected.len());
    for (got, expected) in got.iter().zip(expected) {
        assert_eq!((&got["text"], &got[label]), (&expected["text"], &expected["label"]));
        let probability = |answer: &Value| answer["probability"].as_f64().unwrap();
        assert!((probability(got) - probability(expected)).abs() < TOLERANCE, "{got} {expected}");
    }
}

#[test]
fn each_line_is_answered_before_the_next_is_read() {
    let place = Workplace::with_model();
    let mut child = place
        .command(&["predict", "--model", "model"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut answers = BufReader::new(child.stdout.take().unwrap()).lines();
    // Standard input stays open, so an answer that waits for its end would never come.
    for (text, label) in [("a great cast", "positive"), ("an awful seat", "negative")] {
        writeln!(input, "{text}").unwrap();
        let answer = answers.next().unwrap().unwrap();
        assert!(answer.starts_with(label) && answer.ends_with(text), "{answer}");
    }
    drop(input);
    assert!(answers.next().is_none());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn nothing_on_standard_input_is_nothing_to_answer() {
    let place = Workplace::with_model();
    let outcome = place.run(&["predict", "--model", "model"]).succeeded();
    assert_eq!((outcome.stdout.as_str(), outcome.stderr.as_str()), ("", ""));
}

#[cfg(unix)]
#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let place = Workplace::with_model();
    let mut child = place
        .command(&["predict", "--model", "model"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    // The program may end before everything is written.
    let _ = child.stdin.take().unwrap().write_all(b"a good film\na bad film\n");
    let outcome = common::Outcome::from(child.wait_with_output().unwrap()).succeeded();
    assert_eq!(outcome.stderr, "");
}

#[test]
fn a_csv_keeps_its_columns_and_gets_answers() {
    let place = Workplace::with_model();
    place.write("in.csv", "id,review\n1,\"good, \"\"very\"\" good\"\n2,🎬\n3,\"bad\nplot\"\n");
    let args = ["predict", "--model", "model", "--input", "in.csv", "--output", "out.csv"];
    let outcome = place.run(&args).succeeded();
    assert!(outcome.stderr.contains("using column \"review\" as the text"), "{}", outcome.stderr);
    let table = place.read("out.csv");
    assert!(table.starts_with("id,review,predicted_label,probability\n"), "{table}");
    assert!(table.contains("1,\"good, \"\"very\"\" good\",positive,0."), "{table}");
    assert!(table.contains("\n2,🎬,"), "{table}");
    assert!(table.contains("3,\"bad\nplot\",negative,0."), "{table}");
    assert_eq!(place.names("."), ["in.csv", "model", "out.csv", "reviews.csv", "runs"]);
}

#[test]
fn a_table_that_has_labels_keeps_them_beside_the_predicted_ones() {
    let place = Workplace::with_model();
    place.write("in.csv", "text,label\na good film,negative\na bad film,positive\n");
    let args = ["predict", "--model", "model", "--input", "in.csv", "--output", "out.tsv"];
    place.run(&args).succeeded();
    let table = place.read("out.tsv");
    assert!(table.starts_with("text\tlabel\tpredicted_label\tprobability\n"), "{table}");
    assert!(table.contains("a good film\tnegative\tpositive\t0."), "{table}");
    assert!(table.contains("a bad film\tpositive\tnegative\t0."), "{table}");
}

#[test]
fn a_table_needs_a_place_to_go_and_texts_do_not_mix_with_it() {
    let place = Workplace::with_model();
    let predict = ["predict", "--model", "model", "--input", "reviews.csv"];
    place.run(&predict).failed(2, &["--output <FILE>"]);
    let both = [&predict[..], &["--output", "out.csv", "a good film"]].concat();
    place.run(&both).failed(2, &["cannot be used with", "--input <FILE>"]);
}

#[test]
fn bad_tables_and_places_are_refused_without_a_file_left_behind() {
    let place = Workplace::with_model();
    place.write("notext.csv", "id,stars\n1,5\n");
    place.write("typo.csv", "reveiw\ngood\n");
    for (input, output, parts) in [
        ("none.csv", "out.csv", &["none.csv does not exist"][..]),
        ("notext.csv", "out.csv", &["cannot guess the text column", "\"id\", \"stars\""]),
        ("typo.csv", "out.csv", &["did you mean \"reveiw\"?"]),
        ("reviews.csv", "out.xlsx", &["cannot tell the format of out.xlsx", ".parquet"]),
        ("reviews.csv", "away/out.csv", &["cannot write away/out.csv: folder away does not exist"]),
    ] {
        let args = ["predict", "--model", "model", "--input", input, "--output", output];
        place.run(&args).failed(1, parts);
    }
    assert_eq!(place.names("."), ["model", "notext.csv", "reviews.csv", "runs", "typo.csv"]);
}

#[test]
fn standard_input_that_is_not_utf_8_is_said_to_be_so() {
    let place = Workplace::with_model();
    let outcome =
        place.run_with_input(&["predict", "--model", "model"], b"a good film\n\xff\xfe\n");
    assert_eq!(outcome.code, Some(1));
    assert!(outcome.stdout.starts_with("positive  "), "the line before is answered");
    assert_eq!(outcome.stdout.lines().count(), 1);
    let expected = "error: cannot read line 2 of standard input as UTF-8 text";
    assert!(outcome.stderr.starts_with(expected), "{}", outcome.stderr);
}

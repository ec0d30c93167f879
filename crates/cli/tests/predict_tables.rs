//! `sentiment predict` over tables: several files, columns, bad rows, parts, and runs that go on.
#![allow(clippy::unwrap_used, reason = "a test that cannot read its files has failed")]

mod common;

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use common::{Outcome, Workplace, reviews};
use serde_json::Value;

const PREDICT: [&str; 3] = ["predict", "--model", "model"];

fn predict(place: &Workplace, args: &[&str]) -> Outcome {
    place.run(&[&PREDICT[..], args].concat())
}

#[test]
fn several_files_and_a_pattern_are_one_table() {
    let place = Workplace::with_model();
    place.write("a-1.csv", "id,text\n1,a good film\n2,a bad film\n");
    place.write("a-2.csv", "id,text\n3,an awful plot\n");
    place.write("other.csv", "id,text,stars\n4,a great cast,5\n");
    let files = ["--input", "a-1.csv", "a-2.csv", "--output", "files.csv"];
    predict(&place, &files).succeeded();
    let pattern = predict(&place, &["--input", "a-*.csv", "--output", "pattern.csv"]).succeeded();
    assert!(pattern.stderr.contains("pattern.csv: 3 texts"), "{}", pattern.stderr);
    let table = place.read("files.csv");
    assert_eq!(table, place.read("pattern.csv"));
    let labels: Vec<&str> =
        table.lines().skip(1).filter_map(|line| line.split(',').nth(2)).collect();
    assert_eq!(labels, ["positive", "negative", "negative"]);

    let none = ["--input", "b-*.csv", "--output", "out.csv"];
    predict(&place, &none).failed(1, &["--input b-*.csv: no file matches this pattern"]);
    let different = ["--input", "a-1.csv", "other.csv", "--output", "out.csv"];
    predict(&place, &different).failed(1, &["other.csv", "stars"]);
    let both = ["--input", "a-1.csv", "-", "--output", "out.csv"];
    predict(&place, &both).failed(1, &["standard input (-) cannot be combined"]);
}

#[test]
fn the_columns_that_are_asked_for_are_added_in_that_order() {
    let place = Workplace::with_model();
    let long = "film ".repeat(20);
    place.write("in.csv", format!("text\na good film\n{long}\n"));
    let args = ["--input", "in.csv", "--output", "out.jsonl", "--columns"];
    predict(&place, &[&args[..], &["cut,tokens,probabilities,predicted_label"]].concat())
        .succeeded();
    let rows: Vec<Value> =
        place.read("out.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let keys: Vec<&String> = rows[0].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["text", "cut", "tokens", "probabilities", "predicted_label"]);
    assert_eq!((&rows[0]["cut"], &rows[0]["tokens"]), (&false.into(), &3.into()));
    assert_eq!((&rows[1]["cut"], &rows[1]["tokens"]), (&true.into(), &20.into()));
    let of_classes: Vec<f64> =
        rows[0]["probabilities"].as_array().unwrap().iter().map(|p| p.as_f64().unwrap()).collect();
    assert!(of_classes.len() == 2 && (of_classes[0] + of_classes[1] - 1.0).abs() < 1e-6);
    assert_eq!(rows[0]["predicted_label"], "positive");
    predict(&place, &[&args[..], &["tokns"]].concat()).failed(2, &["tokens"]);
}

#[test]
fn bad_rows_stop_the_run_or_stay_with_the_reason() {
    let place = Workplace::with_model();
    place.write("in.csv", "text,n\na good film,1\nbad,2,3\n,4\nan awful plot,5\n");
    let args = ["--input", "in.csv", "--output", "out.csv"];
    predict(&place, &args).failed(1, &["in.csv, row 2 (line 3): expected 2 fields"]);
    assert_eq!(place.names("."), ["in.csv", "model", "reviews.csv", "runs"]);
    let kept = predict(&place, &[&args[..], &["--bad-rows", "keep"]].concat()).succeeded();
    assert!(kept.stderr.contains("out.csv: 2 rows could not be read"), "{}", kept.stderr);
    let table = place.read("out.csv");
    let rows: Vec<&str> = table.lines().collect();
    assert_eq!(rows[0], "text,n,predicted_label,probability,error");
    assert!(rows[1].starts_with("a good film,1,positive,0.") && rows[1].ends_with(','), "{table}");
    assert!(rows[2].starts_with(",,,,") && rows[2].contains("row 2 (line 3)"), "{table}");
    assert!(rows[3].starts_with(",4,,,") && rows[3].contains("has no value"), "{table}");
    assert!(rows[4].starts_with("an awful plot,5,negative,0."), "{table}");
}

#[test]
fn a_folder_of_parts_stays_if_asked_for() {
    let place = Workplace::with_model();
    let args = ["--input", "reviews.csv", "--output", "out.parquet", "--parts"];
    predict(&place, &args).succeeded();
    assert_eq!(place.names("out.parquet"), ["_manifest.json", "part-00000.parquet"]);
    let manifest: Value = serde_json::from_str(&place.read("out.parquet/_manifest.json")).unwrap();
    assert_eq!(manifest["complete"], true, "{manifest}");
    predict(&place, &args).failed(1, &["out.parquet", "already exists"]);
}

/// So many that the first of its parts is on disk long before the last is answered.
const N_ROWS: usize = 300_000;

/// A table of many parts.
fn large(place: &Workplace) {
    place.write("large.csv", reviews(N_ROWS));
}

const LARGE: [&str; 4] = ["--input", "large.csv", "--output", "out.csv"];

/// Runs until the second part is there, so that the manifest knows the first, and ends the program by a signal; returns
/// whether it was still running.
#[cfg(unix)]
fn ended_after_parts(place: &Workplace, signal: &str) -> bool {
    let mut child = place.command(&[&PREDICT[..], &LARGE].concat()).spawn().unwrap();
    let part = place.path("out.csv.parts/part-00001.csv");
    let started = Instant::now();
    while !part.exists() && started.elapsed() < Duration::from_secs(60) {
        thread::sleep(Duration::from_millis(1));
    }
    let is_running = child.try_wait().unwrap().is_none();
    if is_running {
        let pid = child.id().to_string();
        assert!(
            std::process::Command::new("kill").args([signal, &pid]).status().unwrap().success()
        );
    }
    child.wait().unwrap();
    is_running && !place.path("out.csv").exists()
}

#[cfg(unix)]
#[test]
fn a_killed_run_goes_on_where_it_stopped_and_ends_with_the_same_bytes() {
    let place = Workplace::with_model();
    large(&place);
    let undisturbed = [&LARGE[..3], &["undisturbed.csv"]].concat();
    predict(&place, &undisturbed).succeeded();
    for signal in ["-KILL", "-INT"] {
        assert!(ended_after_parts(&place, signal), "the run was too fast to be ended by {signal}");
        let rest = predict(&place, &LARGE).succeeded();
        assert!(rest.stderr.contains("out.csv: going on after row "), "{}", rest.stderr);
        assert!(rest.stderr.contains("out.csv: 300000 texts"), "{}", rest.stderr);
        assert!(place.bytes("out.csv") == place.bytes("undisturbed.csv"), "{signal}");
        fs::remove_file(place.path("out.csv")).unwrap();
    }
    assert_eq!(place.names("."), ["large.csv", "model", "reviews.csv", "runs", "undisturbed.csv"]);
}

#[cfg(unix)]
#[test]
fn parts_of_another_run_are_refused_unless_forced() {
    let place = Workplace::with_model();
    large(&place);
    assert!(ended_after_parts(&place, "-KILL"), "the run was too fast to be killed");
    let other = [&LARGE[..], &["--abstain", "0.9"]].concat();
    predict(&place, &other).failed(1, &["out.csv.parts", "abstain", "--force"]);
    let forced = predict(&place, &[&other[..], &["--force"]].concat()).succeeded();
    assert!(!forced.stderr.contains("going on"), "{}", forced.stderr);
    assert!(forced.stderr.contains("out.csv: 300000 texts"), "{}", forced.stderr);
}

#[test]
fn lines_that_wait_are_answered_in_order() {
    let place = Workplace::with_model();
    let lines: Vec<String> = (0..5000)
        .map(|i| format!("{i} {}", if i % 3 == 0 { "a good film" } else { "an awful plot" }))
        .collect();
    let input = lines.join("\n") + "\n";
    let outcome = place.run_with_input(&PREDICT, input.as_bytes()).succeeded();
    let answers: Vec<&str> = outcome.stdout.lines().collect();
    assert_eq!(answers.len(), lines.len());
    for (i, (answer, line)) in answers.iter().zip(&lines).enumerate() {
        let label = if i % 3 == 0 { "positive  " } else { "negative  " };
        assert!(answer.starts_with(label) && answer.ends_with(line), "{answer}");
    }
}

#[test]
fn texts_unlike_the_training_texts_are_remarked_on() {
    let place = Workplace::with_model();
    let foreign: String = (0..40).map(|i| format!("{i},это хороший фильм\n")).collect();
    place.write("in.csv", format!("id,text\n{foreign}"));
    let outcome = predict(&place, &["--input", "in.csv", "--output", "out.csv"]).succeeded();
    let said = "note: these texts differ from those that the model learned from: ";
    assert!(outcome.stderr.contains(said), "{}", outcome.stderr);
    assert!(
        outcome.stderr.contains("letters of the script Cyrillic (there 0 %)"),
        "{}",
        outcome.stderr
    );
    let args = ["--input", "reviews.csv", "--output", "same.csv"];
    let same = predict(&place, &args).succeeded();
    assert!(!same.stderr.contains(said), "{}", same.stderr);
}

#[test]
fn the_profile_names_the_stages() {
    let place = Workplace::with_model();
    let args = ["--input", "reviews.csv", "--output", "out.csv", "--profile"];
    let outcome = predict(&place, &args).succeeded();
    for stage in ["first reading", "cleaning and encoding", "network", "writing", "in all"] {
        assert!(outcome.stderr.contains(stage), "no {stage:?}: {}", outcome.stderr);
    }
}

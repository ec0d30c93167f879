//! Trainings on texts that the user divided: `--train` with `--validation` and `--test`.
#![allow(clippy::unwrap_used, reason = "a test that cannot make its files has failed")]

mod common;

use std::fs;

use common::labelled::sentiments;
use common::{N_REVIEWS, Outcome, Workplace, train_args};
use dataset::{ColumnChoice, DataFile, LabelOptions, LabelledTexts, ReadOptions};
use serde_json::{Value, json};
use trainer::SplitPlan;

/// Trains on these files; `args` come last.
fn train(place: &Workplace, files: &[&str], args: &[&str]) -> Outcome {
    // In place of `--data reviews.csv`.
    let settings = &train_args(&[])[3..];
    place.run(&[&["train"], files, settings, args].concat())
}

const FILES: [&str; 6] =
    ["--train", "train.csv", "--validation", "validation.jsonl", "--test", "test.ft"];

/// `reviews.csv`, and its split by the default seed in files of several formats.
fn divided() -> Workplace {
    let place = Workplace::with_reviews();
    let file = DataFile::open(place.path("reviews.csv")).unwrap();
    let (columns, labels) = (ColumnChoice::default(), LabelOptions::default());
    let table = LabelledTexts::read(&file, &columns, &labels, &ReadOptions::default()).unwrap();
    let split = trainer::split(&table, &SplitPlan::default()).unwrap().split;
    let rows = |rows: &[u32]| -> Vec<(String, &'static str)> {
        let classes = table.targets_of(rows).one_of().unwrap().to_vec();
        let labels = classes.into_iter().map(|class| ["negative", "positive"][class as usize]);
        table.texts_of(rows).map(str::to_owned).zip(labels).collect()
    };
    let csv = |(text, label)| format!("{text},{label}\n");
    let csv: String = rows(&split.train).into_iter().map(csv).collect();
    place.write("train.csv", format!("text,label\n{csv}"));
    let line = |(text, label)| json!({ "review": text, "label": label }).to_string() + "\n";
    place.write(
        "validation.jsonl",
        rows(&split.validation).into_iter().map(line).collect::<String>(),
    );
    let line = |(text, label)| format!("__label__{label} {text}\n");
    place.write("test.ft", rows(&split.test).into_iter().map(line).collect::<String>());
    place
}

fn append(place: &Workplace, file: &str, lines: &str) {
    place.write(file, place.read(file) + lines);
}

fn metrics(place: &Workplace, model: &str) -> Value {
    serde_json::from_str(&place.read(format!("{model}/metrics.json"))).unwrap()
}

/// Checks that standard error has this line.
#[track_caller]
fn says(outcome: &Outcome, line: &str) {
    let stderr = &outcome.stderr;
    assert!(stderr.lines().any(|it| it == line), "no {line:?} in:\n{stderr}");
}

#[track_caller]
fn are_the_same_model(place: &Workplace, one: &str, other: &str) {
    for file in ["model.safetensors", "ngrams.safetensors", "config.json", "tokenizer.json"] {
        let (a, b) = (format!("{one}/{file}"), format!("{other}/{file}"));
        assert!(place.bytes(a) == place.bytes(b), "{file}");
    }
}

#[test]
fn files_with_the_rows_of_a_split_train_the_same_model_with_the_same_figures() {
    let place = divided();
    place.train(&["--output", "whole"]).succeeded();
    let outcome = train(&place, &FILES, &["--output", "m"]).succeeded();
    let n = N_REVIEWS / 10;
    let n_train = N_REVIEWS - 2 * n;
    let line = format!(
        "train.csv: {n_train} texts, 0 duplicates left out; {n_train} for training; vocabulary of "
    );
    assert!(outcome.stderr.contains(&line), "{}", outcome.stderr);
    says(&outcome, "validation.jsonl: using column \"review\" as the text");
    says(&outcome, &format!("validation.jsonl: {n} texts, {n} for validation"));
    says(&outcome, &format!("test.ft: {n} texts, all for testing"));
    assert!(!outcome.stderr.contains("left out 0"), "{}", outcome.stderr);
    are_the_same_model(&place, "m", "whole");
    let [own, whole] = ["m", "whole"].map(|model| metrics(&place, model));
    for figure in ["validation", "test", "test_intervals", "test_alone", "linear_path", "warnings"]
    {
        assert_eq!(own[figure], whole[figure], "{figure}");
        assert!(!own[figure].is_null(), "{figure}");
    }
    for (part, path) in [("validation", "validation.jsonl"), ("test", "test.ft")] {
        assert_eq!(own["data"]["own_splits"][part]["path"], path);
    }
    assert_eq!(own["data"]["split"]["shares"]["train"], 1.0);
    assert_eq!(whole["data"].get("own_splits"), None);
    // The same test again, and without the files of the training.
    let evaluate = |model: &str| place.run(&["evaluate", "--model", model, "--json"]).succeeded();
    assert_eq!(evaluate("m").stdout, evaluate("whole").stdout);
    fs::remove_file(place.path("train.csv")).unwrap();
    fs::remove_file(place.path("validation.jsonl")).unwrap();
    assert_eq!(evaluate("m").stdout, evaluate("whole").stdout);
}

#[test]
fn a_test_that_lacks_a_class_or_writes_labels_otherwise_is_measured_with_the_classes_of_the_training()
 {
    let place = Workplace::new();
    let csv = sentiments();
    let rows: Vec<&str> = csv.lines().skip(1).collect();
    let (train_rows, test_rows) = rows.split_at(rows.len() / 4 * 3);
    // Two of three classes, in another order and in upper case.
    let mut test_rows: Vec<String> = test_rows
        .iter()
        .filter(|row| !row.ends_with(",neutral"))
        .map(|row| row.replace(",positive", ",POSITIVE"))
        .collect();
    test_rows.reverse();
    place.write("train.csv", format!("text,label\n{}\n", train_rows.join("\n")));
    place.write("test.csv", format!("text,label\n{}\n", test_rows.join("\n")));
    let files = ["--train", "train.csv", "--test", "test.csv"];
    let outcome = train(&place, &files, &["--output", "m", "--json"]).succeeded();
    let report = outcome.json()["report"].clone();
    let n_rows = test_rows.len();
    let n_positive = test_rows.iter().filter(|row| row.ends_with(",POSITIVE")).count();
    let test = &report["test"];
    assert_eq!(test["n_rows"], n_rows);
    let confusion: Vec<Vec<usize>> = serde_json::from_value(test["confusion"].clone()).unwrap();
    let n_of_class: Vec<usize> = confusion.iter().map(|row| row.iter().sum()).collect();
    assert_eq!(n_of_class, [n_rows - n_positive, 0, n_positive]);
    assert!(test["accuracy"].as_f64().unwrap() > 0.7, "{test}");
    assert!(
        outcome.stderr.contains("1 of 3 classes has no texts in the test split"),
        "{}",
        outcome.stderr
    );
    let again = place.run(&["evaluate", "--model", "m", "--json"]).succeeded().json();
    for figure in ["n_rows", "confusion", "accuracy", "loss"] {
        assert_eq!(again[figure], test[figure], "{figure}");
    }
}

#[test]
fn what_is_in_several_files_is_left_out_told_and_written_down() {
    let place = divided();
    train(&place, &FILES, &["--output", "clean"]).succeeded();
    append(
        &place,
        "train.csv",
        "In test!,positive\nin test,positive\nin validation,negative\nin validation too,negative\n",
    );
    append(
        &place,
        "validation.jsonl",
        "{\"review\": \"IN validation\", \"label\": \"positive\"}\n",
    );
    append(
        &place,
        "validation.jsonl",
        "{\"review\": \"in validation, too\", \"label\": \"negative\"}\n",
    );
    append(&place, "validation.jsonl", "{\"review\": \"in others\", \"label\": \"negative\"}\n");
    append(
        &place,
        "test.ft",
        "__label__negative in test\n__label__negative in others\n__label__positive in test\n",
    );
    let outcome = train(&place, &FILES, &["--output", "m", "--json"]).succeeded();
    says(&outcome, "train.csv: left out 1 text that is also in test.ft");
    says(&outcome, "train.csv: left out 2 texts that are also in validation.jsonl");
    says(&outcome, "validation.jsonl: left out 1 text that is also in test.ft");
    let n = N_REVIEWS / 10;
    says(&outcome, &format!("validation.jsonl: {} texts, {} for validation", n + 3, n + 2));
    says(&outcome, &format!("test.ft: {} texts, all for testing", n + 3));
    let report = outcome.json()["report"].clone();
    let summary = report["data"]["summary"].clone();
    let left_out = json!({
        "n_validation_rows": n + 3,
        "n_test_rows": n + 3,
        "n_train_in_test": 1,
        "n_train_in_validation": 2,
        "n_validation_in_test": 1,
    });
    assert_eq!(summary["left_out"], left_out);
    assert_eq!(
        (&summary["n_train"], &summary["n_test"]),
        (&json!(N_REVIEWS - 2 * n), &json!(n + 3))
    );
    assert_eq!(report["test"]["n_rows"], n + 3);
    assert_eq!(metrics(&place, "m")["data"]["summary"]["left_out"], left_out);
    // From the cache, the same is told.
    let again = train(&place, &FILES, &["--output", "again"]).succeeded();
    says(&again, "train.csv: left out 2 texts that are also in validation.jsonl");
    // Every row of the test is evaluated later, too, and the model has seen none of them.
    let figures = place.run(&["evaluate", "--model", "m", "--json"]).succeeded().json();
    assert_eq!(figures["n_rows"], n + 3);
    assert_eq!(figures["by_seen"]["learned"], Value::Null);
    assert_eq!(figures["by_seen"]["chosen_by"], Value::Null);
}

#[test]
fn groups_are_compared_with_the_test_file_if_it_has_them() {
    let place = divided();
    let with_authors = |file: &str, prefix: &str| {
        let csv = place.read(file);
        let lines = csv.lines().skip(1).enumerate();
        let rows = lines.map(|(idx, line)| format!("{line},{prefix}{}\n", idx / 4));
        format!("text,label,author\n{}", rows.collect::<String>())
    };
    let train_csv = with_authors("train.csv", "a");
    place.write("train.csv", &train_csv);
    let n = train_csv.lines().count() - 1;
    place.write(
        "test.csv",
        "text,label,author\none,positive,a1\ntwo,negative,a3\nthree,positive,b\n",
    );
    let files =
        ["--train", "train.csv", "--test", "test.csv", "--group-column", "author", "--json"];
    let outcome = train(&place, &files, &["--output", "m"]).succeeded();
    says(&outcome, "train.csv: left out 8 texts of 2 groups that are also in test.csv");
    let left_out = json!({
        "n_validation_rows": null,
        "n_test_rows": 3,
        "n_train_in_test": 0,
        "n_train_in_validation": 0,
        "n_validation_in_test": 0,
        "groups": { "n_groups": 2, "n_texts": 8 },
    });
    let summary = metrics(&place, "m")["data"]["summary"].clone();
    assert_eq!(summary["left_out"], left_out);
    let n_used = summary["n_train"].as_u64().unwrap() + summary["n_validation"].as_u64().unwrap();
    assert_eq!(n_used as usize, n - 8);
    let figures = place.run(&["evaluate", "--model", "m", "--json"]).succeeded().json();
    assert_eq!(figures["n_rows"], 3);
    // From the cache, the same is told.
    let again = train(&place, &files, &["--output", "again"]).succeeded();
    says(&again, "train.csv: left out 8 texts of 2 groups that are also in test.csv");
    let warning = "groups were not compared with the test file, which has no column of groups";
    assert!(!again.stderr.contains(warning), "{}", again.stderr);
    let files = ["--train", "train.csv", "--test", "test.ft", "--group-column", "author"];
    let outcome = train(&place, &files, &["--output", "o"]).succeeded();
    assert!(outcome.stderr.contains(warning), "{}", outcome.stderr);
    let warnings = metrics(&place, "o")["warnings"].to_string();
    assert!(warnings.contains("groups-not-compared"), "{warnings}");
}

#[test]
fn faults_are_told_with_the_file_and_row_that_they_are_in() {
    let place = divided();
    let good = place.read("test.ft");
    append(&place, "test.ft", "__label__neutral a film\n");
    let row = N_REVIEWS / 10 + 1;
    train(&place, &FILES, &["--output", "m"]).failed(
        1,
        &[
            &format!(
                "error: test.ft, row {row} (line {row}): label \"neutral\" is not in the training file"
            ),
            "whose labels are \"negative\", \"positive\"",
            "add texts with this label to the training file",
        ],
    );
    place.write("test.ft", good);
    // Each file is one of the others.
    let swapped = ["--train", "test.ft", "--test", "copy.ft"];
    fs::copy(place.path("test.ft"), place.path("copy.ft")).unwrap();
    train(&place, &swapped, &["--output", "m"]).failed(
        1,
        &["test.ft: none of the 24 training texts is left: 24 also in the test file", "Check that"],
    );
    let swapped = ["--train", "train.csv", "--validation", "copy.ft", "--test", "test.ft"];
    train(&place, &swapped, &["--output", "m"]).failed(
        1,
        &[
            "copy.ft: none of the 24 validation texts is left: 24 also in the test file",
            "Check that",
        ],
    );
    let missing = ["--train", "train.csv", "--test", "none.csv"];
    train(&place, &missing, &["--output", "m"]).failed(1, &["none.csv does not exist"]);
    train(&place, &FILES, &["--weight-column", "w", "--output", "m"])
        .failed(1, &["train.csv has no column \"w\""]);
    assert!(!place.path("m").exists());
}

#[test]
fn one_file_cannot_be_two_splits() {
    let place = divided();
    fs::create_dir(place.path("folder")).unwrap();
    let names = ["train.csv", "./train.csv", "folder/../train.csv"];
    for name in names {
        let files = ["--train", "train.csv", "--validation", "validation.jsonl", "--test", name];
        let message = format!("--train train.csv and --test {name} are the same file");
        train(&place, &files, &["--output", "m"])
            .failed(1, &[&message, "--data FILE divides one file"]);
    }
    let others = ["--train", "train.csv", "--validation", "test.ft", "--test", "test.ft"];
    train(&place, &others, &[])
        .failed(1, &["--validation test.ft and --test test.ft are the same"]);
    let input = ["--train", "-", "--test", "-"];
    train(&place, &input, &[]).failed(1, &["are both standard input, which can be read only once"]);
}

#[cfg(unix)]
#[test]
fn another_name_of_a_file_is_no_other_file() {
    let place = divided();
    std::os::unix::fs::symlink("train.csv", place.path("link.csv")).unwrap();
    fs::hard_link(place.path("train.csv"), place.path("hard.csv")).unwrap();
    for name in ["link.csv", "hard.csv"] {
        let files = ["--train", "train.csv", "--test", name];
        train(&place, &files, &["--output", "m"]).failed(1, &["are the same file"]);
    }
}

#[test]
fn flags_that_do_not_go_together_are_refused() {
    let place = divided();
    for (args, part) in [
        (&["--train", "train.csv"][..], "--validation <FILE|FOLDER>"),
        (&["--test", "test.ft"], "--train <FILE|FOLDER>"),
        (&["--validation", "validation.jsonl"], "--train <FILE|FOLDER>"),
        (
            &["--data", "reviews.csv", "--train", "train.csv", "--test", "test.ft"],
            "cannot be used with",
        ),
        (&["--data", "reviews.csv", "--test", "test.ft"], "cannot be used with"),
        (
            &["--train", "train.csv", "--validation", "validation.jsonl", "--group-column", "a"],
            "--group-column <NAME>",
        ),
    ] {
        train(&place, args, &[]).failed(2, &[part]);
    }
}

#[test]
fn without_validation_texts_a_tenth_of_the_training_texts_selects_the_model() {
    let place = divided();
    let files = ["--train", "train.csv", "--test", "test.ft"];
    let outcome = train(&place, &files, &["--output", "m"]).succeeded();
    assert!(
        outcome.stderr.contains("; 172 for training, 20 for validation; vocabulary of "),
        "{}",
        outcome.stderr
    );
    let summary = metrics(&place, "m")["data"]["summary"].clone();
    assert_eq!((&summary["n_train"], &summary["n_validation"]), (&json!(172), &json!(20)));
    let figures = place.run(&["evaluate", "--model", "m", "--json"]).succeeded().json();
    assert_eq!(figures["n_rows"], N_REVIEWS / 10);
}

#[test]
fn without_test_texts_nothing_is_tested_and_that_is_said() {
    let place = divided();
    let files = ["--train", "train.csv", "--validation", "validation.jsonl"];
    let outcome = train(&place, &files, &["--output", "m"]).succeeded();
    for part in [
        "the model will not be tested, as there is no --test; `",
        "evaluate --model DIR --data FILE` does it later",
    ] {
        assert!(outcome.stderr.contains(part), "{}", outcome.stderr);
    }
    assert!(!outcome.stdout.contains("test"), "{}", outcome.stdout);
    assert_eq!(place.names("runs/m/predictions"), ["validation.parquet"]);
    let report = metrics(&place, "m");
    assert_eq!((&report["test"], &report["data"]["summary"]["n_test"]), (&Value::Null, &json!(0)));
    for args in [
        &["evaluate", "--model", "m"][..],
        &["evaluate", "--model", "m", "--split", "test", "--data", "train.csv"],
    ] {
        place.run(args).failed(1, &["m: the model was trained without test texts", "--data FILE"]);
    }
    let args = ["evaluate", "--model", "m", "--json", "--data", "test.ft"];
    assert_eq!(place.run(&args).succeeded().json()["n_rows"], N_REVIEWS / 10);
    // The training file is no test.
    let args = ["evaluate", "--model", "m", "--json", "--data", "train.csv"];
    let figures = place.run(&args).succeeded().json();
    assert_eq!(figures["by_seen"]["learned"]["n_rows"], N_REVIEWS - N_REVIEWS / 5);
    // From the cache.
    train(&place, &files, &["--output", "again"]).succeeded();
    are_the_same_model(&place, "m", "again");
}

#[test]
fn a_model_is_evaluated_on_its_test_file_as_long_as_it_is_the_same() {
    let place = divided();
    train(&place, &FILES, &["--output", "m"]).succeeded();
    let evaluate =
        |args: &[&str]| place.run(&[&["evaluate", "--model", "m", "--json"], args].concat());
    let figures = evaluate(&[]).succeeded().stdout;
    let n = N_REVIEWS / 10;
    for args in [
        &["--split", "test"][..],
        &["--data", "test.ft"],
        &["--data", "./test.ft", "--split", "test"],
    ] {
        assert_eq!(evaluate(args).succeeded().stdout, figures, "{args:?}");
    }
    // A copy is the test if that is asked for.
    fs::copy(place.path("test.ft"), place.path("copy.ft")).unwrap();
    assert_eq!(evaluate(&["--data", "copy.ft", "--split", "test"]).succeeded().stdout, figures);
    assert_eq!(evaluate(&["--data", "copy.ft"]).succeeded().json()["n_rows"], n);
    evaluate(&["--data", "train.csv", "--split", "test"]).failed(
        1,
        &["train.csv differs from the test file of the training (test.ft)", "--split all"],
    );
    append(&place, "test.ft", "__label__negative another one\n");
    evaluate(&[]).failed(1, &["test.ft differs from the test file of the training"]);
    assert_eq!(evaluate(&["--split", "all"]).succeeded().json()["n_rows"], n + 1);
    fs::remove_file(place.path("test.ft")).unwrap();
    evaluate(&[])
        .failed(1, &["cannot find the test file of the training (pass it with --data FILE)"]);
}

#[test]
fn a_training_that_was_stopped_goes_on_with_the_same_files_and_no_others() {
    let place = divided();
    train(&place, &FILES, &["--output", "whole"]).succeeded();
    for by_name in [true, false] {
        let output = if by_name { "by-name" } else { "by-command" };
        let run = format!("runs/{output}");
        let stopped = train(&place, &FILES, &["--output", output, "--stop-after", "1ms"]);
        assert_eq!(stopped.code, Some(130), "{}", stopped.stderr);
        if by_name {
            let test = place.read("test.ft");
            append(&place, "test.ft", "__label__negative another one\n");
            let resume = ["train", "--resume", &run];
            place.run(&resume).failed(1, &["data: contents of the test file was "]);
            place.write("test.ft", test);
            let other = [&resume[..], &["--train", "train.csv", "--test", "test.ft"]].concat();
            place.run(&other).failed(1, &["data: contents of the validation file was ", "is none"]);
            let other = [&resume[..], &["--data", "reviews.csv"]].concat();
            place.run(&other).failed(1, &["data: contents of the test file was ", "is none"]);
        } else {
            // The same command but for a file is another training.
            let other = ["--train", "train.csv", "--validation", "validation.jsonl"];
            let holds = format!("{run} holds a training that was not finished");
            train(&place, &other, &["--output", output]).failed(1, &[&holds]);
        }
        let outcome = match by_name {
            true => place.run(&["train", "--resume", &run]).succeeded(),
            false => train(&place, &FILES, &["--output", output]).succeeded(),
        };
        says(&outcome, &format!("{run}: this training was not finished; going on with it"));
        are_the_same_model(&place, output, "whole");
        assert_eq!(metrics(&place, output)["test"], metrics(&place, "whole")["test"]);
    }
    let runs = place.run(&["runs", "--json"]).succeeded().json();
    assert!(runs.as_array().unwrap().len() == 3);
    assert_eq!(runs[0]["data"]["own_splits"]["test"]["path"], "test.ft");
    let compared = ["runs", "compare", "whole", "by-name"];
    let compared = place.run(&compared).succeeded().stdout;
    assert!(compared.contains("the two have the same settings"), "{compared}");
    train(&place, &["--train", "train.csv", "--test", "test.ft"], &["--output", "o"]).succeeded();
    let compared = place.run(&["runs", "compare", "whole", "o"]).succeeded().stdout;
    assert!(compared.contains("data.own splits.validation"), "{compared}");
}

#[test]
fn test_texts_may_come_from_standard_input() {
    let place = divided();
    train(&place, &FILES, &["--output", "whole"]).succeeded();
    let settings = &train_args(&[])[3..];
    let files =
        ["train", "--train", "train.csv", "--validation", "validation.jsonl", "--test", "-"];
    let args = [&files[..], settings, &["--output", "m", "--stop-after", "1ms"]].concat();
    let test = place.bytes("test.ft");
    assert_eq!(place.run_with_input(&args, &test).code, Some(130));
    place.run(&["train", "--resume", "runs/m"]).failed(
        1,
        &["the test texts of this run came from standard input; name all its files again, with --test -"],
    );
    let args = [&["train", "--resume", "runs/m"], &files[1..]].concat();
    place.run_with_input(&args, &test).succeeded();
    are_the_same_model(&place, "m", "whole");
}

#[test]
fn folders_of_splits_are_named_in_the_advice_and_then_trained_on() {
    let place = divided();
    let csv = place.read("reviews.csv");
    for (idx, line) in csv.lines().skip(1).enumerate() {
        let (text, label) = line.split_once(',').unwrap();
        let split = if idx % 6 < 4 { "train" } else { "test" };
        let folder = format!("splits/{split}/{label}");
        fs::create_dir_all(place.path(&folder)).unwrap();
        place.write(format!("{folder}/{idx}.txt"), text);
    }
    place.train_on("splits", &["--output", "m"]).failed(
        1,
        &["To train with these splits, name them: --train splits/train --test splits/test."],
    );
    let files = ["--train", "splits/train", "--test", "splits/test"];
    let outcome = train(&place, &files, &["--output", "m"]).succeeded();
    says(&outcome, "splits/test: 80 texts, all for testing");
    let figures = place.run(&["evaluate", "--model", "m", "--json"]).succeeded().json();
    assert_eq!(figures["n_rows"], 80);
}

#[test]
fn prepared_texts_are_those_of_all_files() {
    let place = divided();
    let prepared = |output: &str| {
        train(&place, &FILES, &["--output", output]).succeeded();
        place.n_prepared()
    };
    assert_eq!([prepared("a"), prepared("b")], [1, 1]);
    append(&place, "test.ft", "__label__negative another one\n");
    assert_eq!(prepared("c"), 2);
    assert_eq!(metrics(&place, "c")["test"]["n_rows"], N_REVIEWS / 10 + 1);
}

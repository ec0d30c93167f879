//! Honest figures: texts seen in training are no test, a single class is reported, and warnings say when a
//! number means less than it seems to.
#![allow(clippy::unwrap_used, reason = "a test that cannot read its files has failed")]

mod common;

use common::{N_REVIEWS, Workplace, reviews, train_args};
use serde_json::Value;

/// Rows of the splits of [`N_REVIEWS`] texts.
const N_TRAIN: u64 = 192;
const N_VALIDATION: u64 = 24;
const N_TEST: u64 = 24;

fn n_rows(metrics: &Value) -> u64 {
    metrics["n_rows"].as_u64().unwrap_or(0)
}

/// The data rows of a CSV without quotation marks: text and label.
fn rows(csv: &str) -> Vec<(String, String)> {
    let row = |line: &str| line.rsplit_once(',').map(|(a, b)| (a.to_owned(), b.to_owned()));
    csv.lines().skip(1).filter_map(row).collect()
}

#[test]
fn no_copy_of_the_training_data_passes_for_a_test() {
    let place = Workplace::with_model();
    let csv = place.read("reviews.csv");
    let shouted: String = rows(&csv)
        .iter()
        .rev()
        .map(|(text, label)| {
            let text = text.to_uppercase().replace(' ', " <br /> ");
            serde_json::json!({ "label": label, "text": format!("« {text} !»") }).to_string() + "\n"
        })
        .collect();
    place.write("copy.csv", &csv);
    place.write("shouted.jsonl", shouted);
    for name in ["copy.csv", "shouted.jsonl"] {
        let args = ["evaluate", "--model", "model", "--data", name];
        let json = place.run(&[&args[..], &["--json"]].concat()).succeeded().json();
        assert_eq!(n_rows(&json), N_REVIEWS as u64, "{name}");
        let parts = &json["by_seen"];
        let counts = ["learned", "chosen_by", "unseen"].map(|part| n_rows(&parts[part]));
        assert_eq!(counts, [N_TRAIN, N_VALIDATION, N_TEST], "{name}");

        let outcome = place.run(&args).succeeded();
        for part in ["training texts", "192", "validation texts", "unseen texts"] {
            assert!(outcome.stdout.contains(part), "no {part:?} in:\n{}", outcome.stdout);
        }
        assert!(outcome.stderr.contains("warning: "), "{}", outcome.stderr);
    }
}

#[test]
fn new_texts_are_measured_without_a_word_about_seen_ones() {
    let place = Workplace::with_model();
    let new: String = reviews(N_REVIEWS).replace("film", "movie").replace("plot", "script");
    // Texts with neither word are unchanged: the training has seen them.
    let only_new: Vec<&str> = new
        .lines()
        .filter(|line| line.contains("movie") || line.contains("script") || *line == "text,label")
        .collect();
    place.write("new.csv", only_new.join("\n"));
    let args = ["evaluate", "--model", "model", "--data", "new.csv"];
    let json = place.run(&[&args[..], &["--json"]].concat()).succeeded().json();
    assert_eq!(json["by_seen"]["learned"], Value::Null);
    assert_eq!(n_rows(&json["by_seen"]["unseen"]), only_new.len() as u64 - 1);
    let outcome = place.run(&args).succeeded();
    assert!(!outcome.stdout.contains("training texts"), "{}", outcome.stdout);
}

#[test]
fn a_model_whose_digests_were_deleted_says_that_it_cannot_tell() {
    let place = Workplace::with_model();
    place.write("copy.csv", place.bytes("reviews.csv"));
    std::fs::remove_file(place.path("model/seen_texts.safetensors")).unwrap();
    let args = ["evaluate", "--model", "model", "--data", "copy.csv"];
    let outcome = place.run(&args).succeeded();
    assert!(outcome.stderr.contains("warning: "), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("no list of the texts"), "{}", outcome.stderr);
    let json = place.run(&[&args[..], &["--json"]].concat()).succeeded().json();
    assert_eq!(json["by_seen"], Value::Null);
    // Its own test split is recognised by the data's fingerprint.
    let outcome = place.run(&["evaluate", "--model", "model"]).succeeded();
    assert!(!outcome.stderr.contains("no list of the texts"), "{}", outcome.stderr);
    place.run(&["predict", "--model", "model", "a good film"]).succeeded();
}

#[test]
fn the_answers_of_a_model_are_never_taken_for_the_truth() {
    let place = Workplace::with_model();
    let wrong = reviews(N_REVIEWS)
        .replace("negative", "0")
        .replace("positive", "negative")
        .replace(",0", ",positive")
        .replace("text,label", "text,sentiment");
    place.write("truth.csv", wrong);
    for output in ["answers.csv", "answers.tsv", "answers.jsonl", "answers.parquet"] {
        let args = ["predict", "--model", "model", "--input", "truth.csv", "--output", output];
        place.run(&args).succeeded();
        let args = ["evaluate", "--model", "model", "--data", output, "--json"];
        let json = place.run(&args).succeeded().json();
        let accuracy = json["accuracy"].as_f64().unwrap();
        assert!(accuracy < 0.1, "{output}: every label is wrong, and accuracy is {accuracy}");
    }
    // The same for a table with predictions only.
    let args = ["predict", "--model", "model", "--input", "reviews.csv", "--output", "own.csv"];
    place.run(&args).succeeded();
    let table = place.read("own.csv");
    let answers: String = table
        .lines()
        .map(|line| {
            let cells: Vec<&str> = line.split(',').collect();
            format!("{},{},{}\n", cells[0], cells[2], cells[3])
        })
        .collect();
    place.write("answers-only.csv", &answers);
    place
        .run(&["evaluate", "--model", "model", "--data", "answers-only.csv"])
        .failed(1, &["label"]);
    // With the column names of version 0.1.
    place.write("older.csv", answers.replace("predicted_label", "label"));
    place
        .run(&["evaluate", "--model", "model", "--data", "older.csv", "--text-column", "text"])
        .failed(1, &["predictions of this program"]);
}

#[test]
fn one_class_in_a_hundred_is_not_hidden_by_accuracy() {
    let place = Workplace::new();
    let csv = reviews(800);
    let mut kept = String::from("text,label\n");
    for (idx, (text, label)) in rows(&csv).iter().enumerate() {
        // Keep one in a hundred positive texts.
        if label == "negative" || idx % 200 == 1 {
            kept += &format!("{text},{label}\n");
        }
    }
    place.write("reviews.csv", kept);
    let outcome = place.train(&["--output", "model", "--set", "training.epochs=1"]).succeeded();
    let said = &outcome.stderr;
    assert!(said.contains("warning: ") && said.contains("positive"), "{said}");
    let outcome = place.run(&["evaluate", "--model", "model"]).succeeded();
    assert!(outcome.stdout.contains("majority "), "{}", outcome.stdout);
    assert!(outcome.stdout.contains("of negative texts"), "{}", outcome.stdout);
    assert!(outcome.stderr.contains("warning: "), "{}", outcome.stderr);
    let json = place.run(&["evaluate", "--model", "model", "--json"]).succeeded().json();
    assert!(json["majority_accuracy"].as_f64().unwrap() > 0.95, "{json}");
    assert!(!json["warnings"].as_array().unwrap().is_empty(), "{json}");
}

#[test]
fn texts_that_differ_in_case_space_and_marks_are_one_text() {
    let place = Workplace::new();
    let csv = reviews(100);
    let mut rows_twice = csv.clone();
    for (text, label) in rows(&csv).iter().take(30) {
        rows_twice += &format!("\"  {}!! &amp; \",{label}\n", text.to_uppercase());
    }
    place.write("reviews.csv", rows_twice);
    let outcome = place.train(&["--output", "model"]).succeeded();
    let expected =
        "130 texts, 30 duplicates left out; 80 for training, 10 for validation, 10 for testing";
    assert!(outcome.stderr.contains(expected), "{}", outcome.stderr);
}

#[test]
fn contradicting_labels_are_told_and_treated_as_asked() {
    let place = Workplace::new();
    let csv = reviews(100);
    let mut contradicting = csv.clone();
    for (text, label) in rows(&csv).iter().take(6) {
        let other = if label == "positive" { "negative" } else { "positive" };
        contradicting += &format!("{text}.,{other}\n");
    }
    place.write("reviews.csv", contradicting);
    let outcome = place.train(&["--output", "keep"]).succeeded();
    assert!(outcome.stderr.contains("6 texts have different labels"), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("rows 1 and 101"), "{}", outcome.stderr);
    let report = place.train(&["--output", "drop", "--conflicts", "drop", "--json"]);
    let summary = &report.succeeded().json()["report"]["data"]["summary"];
    assert_eq!(summary["n_conflicting"], 6);
    let used = ["n_train", "n_validation", "n_test"].map(|part| summary[part].as_u64().unwrap());
    assert_eq!(used.iter().sum::<u64>(), 94);
    place
        .train(&["--output", "error", "--conflicts", "error"])
        .failed(1, &["reviews.csv", "1", "101"]);
}

#[test]
fn groups_stay_together_and_the_test_split_is_found_again() {
    let place = Workplace::new();
    let mut csv = String::from("text,label,film\n");
    for (idx, (text, label)) in rows(&reviews(N_REVIEWS)).iter().enumerate() {
        csv += &format!("{text},{label},film {}\n", idx / 6);
    }
    place.write("reviews.csv", csv);
    let args = ["--output", "model", "--group-column", "film", "--json"];
    let report = place.train(&args).succeeded().json();
    assert_eq!(report["report"]["data"]["summary"]["n_groups"], 40);
    let json = place.run(&["evaluate", "--model", "model", "--json"]).succeeded().json();
    let trained = &report["report"]["test"];
    assert_eq!((&json["loss"], n_rows(&json)), (&trained["loss"], n_rows(trained)));
    assert_eq!(json["by_seen"]["learned"], Value::Null);

    // A copy is split by group as well, even without a list of seen texts.
    place.write("copy.csv", place.bytes("reviews.csv"));
    let args = ["evaluate", "--model", "model", "--data", "copy.csv", "--split", "test", "--json"];
    let copied = place.run(&args).succeeded().json();
    assert_eq!((&copied["loss"], n_rows(&copied)), (&trained["loss"], n_rows(trained)));

    // Other groups give another test split than the model's.
    std::fs::remove_file(place.path("model/seen_texts.safetensors")).unwrap();
    let shuffled: String = place
        .read("reviews.csv")
        .lines()
        .enumerate()
        .map(|(idx, line)| match line.rsplit_once(",film ") {
            Some((row, _)) => format!("{row},film {}\n", idx % 40),
            None => format!("{line}\n"),
        })
        .collect();
    place.write("copy.csv", shuffled);
    place.run(&args[..7]).failed(1, &["copy.csv", "cannot reconstruct the test split"]);
    place
        .train(&["--output", "other", "--group-column", "flim"])
        .failed(1, &["no column \"flim\"", "did you mean \"film\"?"]);
}

#[test]
fn a_model_takes_the_columns_that_it_was_trained_on() {
    let place = Workplace::new();
    let csv = reviews(N_REVIEWS);
    let mut mine = String::from("comment,good,text,label\n");
    for (text, label) in rows(&csv) {
        // Columns with the usual names hold something else.
        let other = if label == "positive" { "negative" } else { "positive" };
        mine += &format!("{text},{label},an unrelated text,{other}\n");
    }
    place.write("reviews.csv", &mine);
    let args = ["--output", "model", "--text-column", "comment", "--label-column", "good"];
    place.train(&args).succeeded();
    place.write("new.csv", &mine);
    let args = ["evaluate", "--model", "model", "--data", "new.csv", "--json"];
    let outcome = place.run(&args).succeeded();
    assert!(outcome.json()["accuracy"].as_f64().unwrap() > 0.9, "{}", outcome.stdout);
    let args = ["predict", "--model", "model", "--input", "new.csv", "--output", "out.csv"];
    let outcome = place.run(&args).succeeded();
    assert!(!outcome.stderr.contains("using column"), "{}", outcome.stderr);
    let answers = place.read("out.csv");
    let right = answers.lines().skip(1).filter(|line| {
        let cells: Vec<&str> = line.split(',').collect();
        cells[1] == cells[4]
    });
    assert!(right.count() > N_REVIEWS * 9 / 10, "{answers}");
}

#[test]
fn several_columns_that_would_do_are_all_named() {
    let place = Workplace::new();
    let csv = reviews(60).replace("text,label", "review,label,target,comment");
    let csv: String = csv
        .lines()
        .enumerate()
        .map(|(idx, line)| if idx == 0 { format!("{line}\n") } else { format!("{line},1,a b\n") })
        .collect();
    place.write("reviews.csv", csv);
    let outcome = place.train(&["--output", "model"]).succeeded();
    for part in
        ["\"review\" as the text, not \"comment\"", "\"label\" as the label, not \"target\""]
    {
        assert!(outcome.stderr.contains(part), "no {part:?} in:\n{}", outcome.stderr);
    }
}

#[test]
fn texts_that_are_cut_and_words_that_are_unknown_are_counted() {
    let place = Workplace::with_reviews();
    let args = ["--output", "model", "--set", "preprocessing.seq_len=4"];
    let outcome = place.train(&args).succeeded();
    let expected = "192 of 192 training texts are longer than 4 tokens: ";
    assert!(outcome.stderr.contains(expected), "{}", outcome.stderr);
    let long = "a good film with a great cast and music";
    let outcome = place.run(&["predict", "--model", "model", long, "ὦ φίλε"]).succeeded();
    for part in [
        "1 of 2 texts is longer than 4 tokens",
        "1 of 2 texts contains no word that the model knows",
    ] {
        assert!(outcome.stderr.contains(part), "no {part:?} in:\n{}", outcome.stderr);
    }
}

#[test]
fn a_training_that_diverges_ends_with_the_model_that_it_kept() {
    let place = Workplace::with_reviews();
    // The first step is validated and kept; the second one's gradient is no longer finite.
    let settings =
        ["training.learning_rate=1e30", "training.validate_every=1", "model.ngram_order=0"];
    let settings = settings.iter().flat_map(|setting| ["--set", setting]);
    let args: Vec<&str> = ["--output", "model", "--json"].into_iter().chain(settings).collect();
    let outcome = place.train(&args).succeeded();
    assert!(outcome.stderr.contains("warning: training ended early"), "{}", outcome.stderr);
    let report = &outcome.json()["report"];
    assert_eq!(report["ended"], "diverged");
    assert!(report["diverged"].as_str().unwrap().contains("learning rate"), "{report}");
    assert!(report["test"]["accuracy"].is_f64(), "{report}");
    place.run(&["predict", "--model", "model", "a good film"]).succeeded();
}

#[test]
fn the_line_to_try_can_be_copied_whatever_the_folder_is_called() {
    let place = Workplace::with_reviews();
    let outcome = place.train(&["--output", "my models/é's"]).succeeded();
    let line = outcome.stdout.lines().find_map(|line| line.strip_prefix("try it: ")).unwrap();
    let output = std::process::Command::new("sh")
        .args(["-c", line])
        .current_dir(place.path("."))
        .output()
        .unwrap();
    common::Outcome::from(output).succeeded();
}

#[test]
fn all_texts_being_the_same_is_said_to_be_so() {
    let place = Workplace::new();
    let rows: String = (0..40).map(|idx| format!("nan,{}\n", idx % 2)).collect();
    place.write("reviews.csv", format!("text,label\n{rows}"));
    let mut args = train_args(&["--output", "model"]);
    args[2] = "reviews.csv";
    place.run(&args).failed(1, &["reviews.csv", "all 40 rows have the same text", "nan"]);
}

#[test]
fn nothing_to_measure_is_no_figure() {
    let place = Workplace::with_model();
    place.write("holes.csv", "text,label\n,1\n,0\n");
    place
        .run(&["evaluate", "--model", "model", "--data", "holes.csv", "--missing", "skip"])
        .failed(1, &["holes.csv"]);
}

#[test]
fn an_output_file_without_a_table_is_refused() {
    let place = Workplace::with_model();
    place
        .run(&["predict", "--model", "model", "--output", "out.csv", "a good film"])
        .failed(1, &["--input"]);
    assert!(!place.path("out.csv").exists());
}

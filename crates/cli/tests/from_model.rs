//! `sentiment train --from`: going on from a trained model with new or corrected texts.
#![allow(clippy::unwrap_used, reason = "a test that cannot read its files has failed")]

mod common;

use std::fmt::Write as _;

use common::{Workplace, sentence};
use serde_json::Value;

/// A CSV of `n` texts with verdicts that the model of the workplace does not know.
fn new_texts(n: usize) -> String {
    let mut csv = String::from("text,label\n");
    for idx in 0..n {
        let (label, verdict) = [("positive", "superb"), ("negative", "dire")][idx % 2];
        writeln!(csv, "{},{label}", sentence(7000 + idx, verdict)).unwrap();
    }
    csv
}

fn with_model_and_new_texts() -> Workplace {
    let place = Workplace::with_model();
    place.write("new.csv", new_texts(100));
    place
}

fn json(place: &Workplace, file: &str) -> Value {
    serde_json::from_str(&place.read(file)).unwrap()
}

const FROM: [&str; 5] = ["train", "--from", "model", "--data", "new.csv"];

#[test]
fn a_training_goes_on_from_a_model_and_says_what_it_keeps() {
    let place = with_model_and_new_texts();
    // The small model's own rate is so high that half of it is still a new beginning.
    let settings = ["--set", "training.learning_rate=0.002", "--output", "more"];
    let outcome = place.run(&[&FROM[..], &settings].concat()).succeeded();
    for part in [
        "model: kept are the vocabulary, embedding, recurrent layers, output layer and linear path",
        "new.csv: 2 new words; of the words in its training texts, 0 % are not in the vocabulary",
        "100 texts, 0 duplicates left out; 80 for training, 10 for validation, 10 for testing",
        "training recipe default",
        "retrained on 90 texts",
    ] {
        assert!(outcome.stderr.contains(part), "no {part:?} in:\n{}", outcome.stderr);
    }
    let from = &json(&place, "more/metrics.json")["from"];
    assert_eq!(from["path"], "model");
    assert_eq!(from["id"], json(&place, "model/config.json")["model_id"]);
    assert_eq!((&from["n_new_words"], &from["n_learned"]), (&2.into(), &0.into()));
    assert_eq!(
        place.n_prepared(),
        usize::from(cfg!(target_os = "linux")),
        "only the model's own texts"
    );

    // The old texts are still told apart, and the new model knows which of them its figures may be about.
    let told = place.run(&["evaluate", "--model", "more", "--data", "reviews.csv"]).succeeded();
    assert!(told.stderr.contains("the model was trained on"), "{}", told.stderr);
    let figures = place.run(&["evaluate", "--model", "more", "--data", "reviews.csv", "--json"]);
    assert!(figures.succeeded().json()["accuracy"].as_f64().unwrap() > 0.95);
    // Its own test split is found again.
    let figures = place.run(&["evaluate", "--model", "more", "--json"]).succeeded().json();
    assert_eq!(figures["n_rows"], 10);
    assert_eq!(figures["accuracy"], json(&place, "more/metrics.json")["test"]["accuracy"]);
}

#[test]
fn texts_that_the_model_has_learned_are_counted_and_stay_in_training() {
    let place = with_model_and_new_texts();
    let reviews = place.read("reviews.csv");
    // Of 20 old reviews, with the other label.
    let corrected =
        reviews.lines().skip(1).take(20).map(|line| match line.strip_suffix("negative") {
            Some(text) => format!("{text}positive\n"),
            None => line.replace("positive", "negative") + "\n",
        });
    place.write("new.csv", new_texts(100) + &corrected.collect::<String>());
    let outcome = place.run(&[&FROM[..], &["--output", "more"]].concat()).succeeded();
    let n_learned = json(&place, "more/metrics.json")["from"]["n_learned"].as_u64().unwrap();
    assert!((10..=20).contains(&n_learned), "{n_learned}");
    let told = format!("new.csv: {n_learned} of its texts are known to the model");
    assert!(outcome.stderr.contains(&told), "{}", outcome.stderr);
}

#[test]
fn other_classes_are_told_and_get_outputs_of_their_own() {
    let place = with_model_and_new_texts();
    place.write(
        "new.csv",
        new_texts(100).replace("positive", "praise").replace("negative", "blame"),
    );
    let outcome = place.run(&[&FROM[..], &["--output", "more"]].concat()).succeeded();
    for part in [
        "model: kept are the vocabulary, embedding and recurrent layers",
        "model: new are the output layer and linear path, because the classes are others: negative, positive, and in \
         new.csv blame, praise",
    ] {
        assert!(outcome.stderr.contains(part), "no {part:?} in:\n{}", outcome.stderr);
    }
    assert_eq!(
        json(&place, "more/config.json")["task"]["classes"],
        serde_json::json!(["blame", "praise"])
    );
}

#[test]
fn what_contradicts_the_model_is_refused_and_named() {
    let place = with_model_and_new_texts();
    let refused = |args: &[&str], parts: &[&str]| {
        place.run(&[&FROM[..], args].concat()).failed(1, parts);
    };
    let parts =
        ["model: a training that starts from a model keeps", "model.hidden_dim was 8 and is 9"];
    refused(&["--set", "model.hidden_dim=9"], &parts);
    refused(&["--output", "model"], &["model already exists; use --force"]);
    let nothing = ["train", "--from", "nothing", "--data", "new.csv"];
    place.run(&nothing).failed(1, &["nothing is not a model folder"]);
    // Errors of usage.
    for args in [&["train", "--from", "model"][..], &["train", "--from", "model", "--output", "o"]]
    {
        place.run(args).failed(2, &["required", "--data <FILE|FOLDER>"]);
    }
    for flag in ["--train", "--validation", "--test"] {
        let args = ["train", "--from", "model", flag, "new.csv"];
        place.run(&args).failed(2, &["'--from <MODEL>' cannot be used with", flag]);
    }
    let args = ["train", "--from", "model", "--train", "new.csv", "--test", "reviews.csv"];
    place.run(&args).failed(2, &["'--from <MODEL>' cannot be used with"]);
    refused(&["--set", "training.word_vectors=x.txt"], &["training.word_vectors cannot be set"]);
    // A recipe says how it is trained, and not what.
    let args = ["--recipe", "quick", "--set", "training.epochs=1", "--output", "more"];
    let told = place.run(&[&FROM[..], &args].concat()).succeeded().stderr;
    assert!(
        told.contains(
            "model: its preprocessing and its network are used, not those of recipe quick"
        ),
        "{told}"
    );
    assert!(!told.contains("model.output_size"), "{told}");
}

#[test]
fn a_stray_label_is_refused_and_not_made_a_class() {
    let place = with_model_and_new_texts();
    place.write("new.csv", new_texts(100) + "a film of which nobody knows,unclear\n");
    let parts = [
        "of 101 rows with labels, 100 have those of the model",
        "new.csv, row 101",
        "unknown label \"unclear\"",
        "--labels \"unclear=skip\"",
        "--task one-of",
    ];
    place.run(&[&FROM[..], &["--output", "more"]].concat()).failed(1, &parts);
    let args = ["--labels", "unclear=skip", "--output", "more"];
    let told = place.run(&[&FROM[..], &args].concat()).succeeded().stderr;
    assert!(told.contains("output layer and linear path"), "{told}");
}

#[test]
fn evaluating_says_that_the_starting_model_may_have_learned_the_test_texts() {
    let place = with_model_and_new_texts();
    std::fs::remove_file(place.path("model/seen_texts.safetensors")).unwrap();
    place.run(&[&FROM[..], &["--output", "more"]].concat()).succeeded();
    let told = place.run(&["evaluate", "--model", "more"]).succeeded().stderr;
    let expected =
        "the folder of the model that the training started from has no list of the texts";
    assert!(told.contains(expected), "{told}");
    // Of a model that was trained anew, the test split is unseen, whatever is known of it.
    let told = place.run(&["evaluate", "--model", "model"]).succeeded().stderr;
    assert!(!told.contains("has no list of the texts"), "{told}");
}

#[test]
fn a_stopped_training_with_a_recipe_goes_on_with_the_same_flags() {
    let place = with_model_and_new_texts();
    let settings = ["--recipe", "quick", "--set", "training.epochs=1"];
    let command = [&FROM[..], &settings, &["--output", "more", "--stop-after", "1ms"]].concat();
    assert_eq!(place.run(&command).code, Some(130));
    place.run(&[&["train", "--resume", "runs/more"], &settings[..]].concat()).succeeded();
    assert_eq!(json(&place, "more/metrics.json")["training"]["epochs"], 1);
}

#[test]
fn a_model_can_be_replaced_by_what_goes_on_from_it() {
    let place = with_model_and_new_texts();
    let before = json(&place, "model/config.json")["model_id"].clone();
    place.run(&[&FROM[..], &["--output", "model", "--force"]].concat()).succeeded();
    let after = json(&place, "model/metrics.json");
    assert_eq!(after["from"]["id"], before);
    assert_ne!(after["model_id"], before);
}

#[test]
fn a_stopped_training_goes_on_from_the_same_model_only() {
    let place = with_model_and_new_texts();
    let command = [&FROM[..], &["--output", "more"]].concat();
    let stopped = place.run(&[&command[..], &["--stop-after", "1ms"]].concat());
    assert_eq!(stopped.code, Some(130), "{}", stopped.stderr);
    // Another model in its place.
    place.train(&["--output", "other", "--seed", "3"]).succeeded();
    let args = ["train", "--resume", "runs/more", "--from", "other"];
    place.run(&args).failed(1, &["other is not the model that this run started from"]);
    let again = place.run(&command).succeeded();
    assert!(again.stderr.contains("runs/more: this training was not finished"), "{}", again.stderr);
    place.run(&[&FROM[..], &["--output", "whole"]].concat()).succeeded();
    assert!(place.bytes("more/model.safetensors") == place.bytes("whole/model.safetensors"));
}

//! `sentiment train --folds`: cross-validation.
#![allow(clippy::unwrap_used, reason = "a test that cannot make its files has failed")]

mod common;

use common::{N_REVIEWS, Workplace, reviews};
use serde_json::Value;

fn of_folds(figures: &Value) -> Vec<f64> {
    let folds = figures["folds"].as_array().unwrap();
    folds.iter().map(|fold| fold["test"]["accuracy"].as_f64().unwrap()).collect()
}

#[test]
fn every_text_is_tested_once_and_the_figures_are_those_of_the_folds() {
    let place = Workplace::with_reviews();
    // Too few epochs to learn everything, so that folds differ.
    let few = ["--folds", "4", "--set", "training.epochs=1", "--set", "model.ngram_order=0"];
    let outcome = place.train(&[&few[..], &["--no-baseline"]].concat()).succeeded();
    for line in ["fold", "mean", "deviation", "folds: folds/default"] {
        assert!(outcome.stdout.lines().any(|found| found.starts_with(line)), "{}", outcome.stdout);
    }
    let figures: Value = serde_json::from_str(&place.read("folds/default/folds.json")).unwrap();
    let accuracies = of_folds(&figures);
    assert_eq!(accuracies.len(), 4);
    let n_tested: u64 = figures["folds"]
        .as_array()
        .unwrap()
        .iter()
        .map(|fold| fold["n_test"].as_u64().unwrap())
        .sum();
    assert_eq!(n_tested, N_REVIEWS as u64);
    let mean = accuracies.iter().sum::<f64>() / 4.0;
    let squares: f64 = accuracies.iter().map(|value| (value - mean).powi(2)).sum();
    let of_all = &figures["spreads"]["accuracy"];
    assert!((of_all["mean"].as_f64().unwrap() - mean).abs() < 1e-12);
    assert!((of_all["deviation"].as_f64().unwrap() - (squares / 3.0).sqrt()).abs() < 1e-12);
    // The figures of a fold are those of its model.
    let model = "folds/default/fold-2";
    let report: Value = serde_json::from_str(&place.read(format!("{model}/metrics.json"))).unwrap();
    assert_eq!(report["test"]["accuracy"].as_f64().unwrap(), accuracies[1]);
    let evaluated = place.run(&["evaluate", "--model", model, "--json"]).succeeded().json();
    assert_eq!(evaluated["accuracy"].as_f64().unwrap(), accuracies[1]);
    assert_eq!(place.names("folds/default/runs"), ["fold-1", "fold-2", "fold-3", "fold-4"]);

    let again = place.train(&[&few[..], &["--no-baseline", "--json"]].concat()).succeeded();
    let again = again.json();
    assert_eq!(again["folder"], "folds/default-2");
    assert_eq!(of_folds(&again), accuracies);
}

#[cfg(unix)]
#[test]
fn a_cross_validation_that_was_killed_goes_on_with_the_same_command() {
    use common::training::Training;

    let place = Workplace::with_reviews();
    let args = |output: &'static str| {
        let mut args = vec!["--folds", "3", "--output", output, "--checkpoint-every", "0s"];
        args.extend(["--set", "training.epochs=8"]);
        args
    };
    let whole = place.train(&[&args("whole")[..], &["--json"]].concat()).succeeded().json();
    let mut training = Training::start(&place, &args("killed"));
    training.wait_for("fold 2/3");
    training.wait_for("epoch 3 ");
    training.kill();
    // One of its trainings alone says what it found, whichever it is.
    let alone = place.run(&["train", "--resume", "killed/runs/fold-2", "--stop-after", "0s"]);
    assert!(alone.stderr.contains("240 texts"), "{}", alone.stderr);
    let outcome = place.train(&[&args("killed")[..], &["--json"]].concat()).succeeded();
    assert_eq!(outcome.stderr.matches("240 texts").count(), 1, "{}", outcome.stderr);
    for part in ["fold 1/3: trained before", "runs/fold-2: this training was not finished"] {
        assert!(outcome.stderr.contains(part), "{}", outcome.stderr);
    }
    let figures = outcome.json();
    for field in ["spreads", "alone"] {
        assert_eq!(figures[field], whole[field]);
    }
    // It is complete now, and is not taken for another one's place.
    place.train(&args("killed")).failed(1, &["killed already exists", "choose another"]);
}

/// Two folds in `f`, of which the second is gone.
fn with_one_fold(place: &Workplace, args: &[&str]) {
    place.train(args).succeeded();
    std::fs::remove_file(place.path("f/folds.json")).unwrap();
    std::fs::remove_dir_all(place.path("f/fold-2")).unwrap();
    std::fs::remove_dir_all(place.path("f/runs/fold-2")).unwrap();
}

/// The reviews with an author and a weight each.
fn with_authors(author: fn(usize) -> usize, weight: fn(usize) -> usize) -> String {
    let reviews = reviews(N_REVIEWS);
    let line = |(row, line): (usize, &str)| match row {
        0 => format!("{line},author,weight\n"),
        row => format!("{line},a{},{}\n", author(row - 1), weight(row - 1)),
    };
    reviews.lines().enumerate().map(line).collect()
}

#[test]
fn texts_weights_and_groups_that_change_between_two_folds_are_noticed() {
    let place = Workplace::with_reviews();
    let args = ["--folds", "2", "--output", "f"];
    with_one_fold(&place, &args);
    place.write("reviews.csv", reviews(N_REVIEWS - 2));
    let differs = "f/runs/fold-1 was trained differently than it would be now: data: ";
    place.train(&args).failed(1, &[differs, "contents"]);

    // Neither groups nor weights are part of what a table is recognised by.
    let grouped = [&args[..], &["--group-column", "author"]].concat();
    let place = Workplace::new();
    place.write("reviews.csv", with_authors(|row| row / 4, |_| 1));
    with_one_fold(&place, &grouped);
    place.write("reviews.csv", with_authors(|row| row / 6, |_| 1));
    place.train(&grouped).failed(1, &[differs, "test texts"]);

    let weighted = [&args[..], &["--weight-column", "weight"]].concat();
    let place = Workplace::new();
    place.write("reviews.csv", with_authors(|row| row, |_| 1));
    with_one_fold(&place, &weighted);
    place.write("reviews.csv", with_authors(|row| row, |row| 1 + row % 2));
    place.train(&weighted).failed(1, &[differs, "training texts"]);
    // As it was, it goes on.
    place.write("reviews.csv", with_authors(|row| row, |_| 1));
    let outcome = place.train(&weighted).succeeded();
    assert!(outcome.stderr.contains("fold 1/2: trained before"), "{}", outcome.stderr);
}

#[test]
fn a_cross_validation_of_groups_and_of_a_sample_tests_each_text_once() {
    let place = Workplace::new();
    place.write("reviews.csv", with_authors(|row| row / 4, |_| 1));
    let n_tested = |more: &[&str]| -> u64 {
        let args = [&["--folds", "3", "--json"], more].concat();
        let figures = place.train(&args).succeeded().json();
        let folds = figures["folds"].as_array().unwrap();
        folds.iter().map(|fold| fold["n_test"].as_u64().unwrap()).sum()
    };
    assert_eq!(n_tested(&["--group-column", "author"]), 240);
    assert_eq!(n_tested(&["--sample", "90"]), 90);
}

#[test]
fn the_time_is_that_of_all_folds_and_standard_input_cannot_be_gone_on_with() {
    let place = Workplace::with_reviews();
    let args = ["--folds", "3", "--stop-after", "0s", "--output"];
    let outcome = place.train(&[&args[..], &["f"]].concat());
    assert_eq!(outcome.code, Some(130), "{}", outcome.stderr);
    assert!(!outcome.stderr.contains("fold 2/3"), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("go on with the same command"), "{}", outcome.stderr);
    place.train(&["--folds", "3", "--output", "f"]).succeeded();

    let mut piped = common::train_args(&args);
    piped[2] = "-";
    piped.extend(["g", "--format", "csv"]);
    let outcome = place.run_with_input(&piped, reviews(N_REVIEWS).as_bytes());
    assert!(outcome.stderr.contains("came from standard input"), "{}", outcome.stderr);
}

#[test]
fn a_cross_validation_that_is_not_possible_says_why() {
    let place = Workplace::with_reviews();
    place.train(&["--folds", "1"]).failed(2, &["--folds", "2.."]);
    place.train(&["--folds", "100"]).failed(1, &["240 different texts are too few for 100 folds"]);
    place.train(&["--folds", "5", "--resume", "runs/x"]).failed(2, &["cannot be used with"]);
}

#[test]
fn settings_follow_the_number_of_texts_unless_they_are_given() {
    let place = Workplace::with_reviews();
    let train = |more: &[&str]| {
        let args = ["train", "--data", "reviews.csv", "--recipe", "quick"];
        place.run(&[&args[..], &["--set", "model.ngram_order=1"], more].concat()).succeeded()
    };
    let adapted = train(&["--output", "a"]);
    let line = "as there are few texts: training.batch_size=8 (recipe: 50), training.epochs=12 (recipe: 2), \
                preprocessing.min_frequency=1 (recipe: 2)";
    assert!(adapted.stderr.contains(line), "{}", adapted.stderr);
    let report: Value = serde_json::from_str(&place.read("a/metrics.json")).unwrap();
    assert_eq!(report["training"]["batch_size"], 8);
    let kept = train(&["--output", "b", "--set", "training.batch_size=20"]);
    assert!(!kept.stderr.contains("as there are few"), "{}", kept.stderr);
    let report: Value = serde_json::from_str(&place.read("b/metrics.json")).unwrap();
    assert_eq!(report["training"]["batch_size"], 20);
}

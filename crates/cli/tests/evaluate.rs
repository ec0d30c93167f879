//! `sentiment evaluate`: on the reconstructed test split, on other data, and on data that does not fit.
#![allow(clippy::unwrap_used, reason = "a test that cannot read its files has failed")]

mod common;

use common::{N_REVIEWS, Workplace};

#[test]
fn the_test_split_is_found_again_and_gives_the_numbers_of_the_training() {
    let place = Workplace::with_reviews();
    // One epoch, so that not all numbers are 1.
    let args = ["--output", "model", "--json", "--seed", "11", "--set", "training.epochs=1"];
    let trained = place.train(&args).succeeded().json();
    let evaluated = place.run(&["evaluate", "--model", "model", "--json"]).succeeded().json();
    let test = trained["report"]["test"].as_object().unwrap();
    assert!(test.len() > 8, "{test:?}");
    for (name, value) in test {
        assert_eq!(&evaluated[name], value, "{name}");
    }
    assert_eq!(evaluated["n_rows"].as_u64().unwrap() as usize, N_REVIEWS / 10);
}

#[test]
fn the_table_for_people_holds_the_numbers_of_the_json() {
    let place = Workplace::with_model();
    let json = place.run(&["evaluate", "--model", "model", "--json"]).succeeded().json();
    let table = place.run(&["evaluate", "--model", "model"]).succeeded().stdout;
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let rows: Vec<Vec<String>> = table.lines().map(words).collect();
    for (name, field) in [("loss", "loss"), ("accuracy", "accuracy"), ("F1", "f1")] {
        let value = format!("{:.4}", json[field].as_f64().unwrap());
        let bounds =
            [0, 1].map(|end| format!("{:.4}", json["intervals"][field][end].as_f64().unwrap()));
        let expected = [name, &value, &format!("[{},", bounds[0]), &format!("{}]", bounds[1])];
        assert!(rows.contains(&expected.map(str::to_owned).to_vec()), "{name} in:\n{table}");
    }
    let counts = &json["confusion"];
    let count = |field: &str| counts[field].to_string();
    let negatives =
        ["is", "negative", &count("true_negative"), &count("false_positive")].map(str::to_owned);
    assert!(rows.contains(&negatives.to_vec()), "{table}");
}

#[test]
fn other_data_is_measured_whole_unless_its_test_split_is_asked_for() {
    let place = Workplace::with_model();
    place.write("copy.csv", place.bytes("reviews.csv"));
    let own = place.run(&["evaluate", "--model", "model", "--json"]).succeeded().json();
    let args = ["evaluate", "--model", "model", "--json", "--data", "copy.csv"];
    let all = place.run(&args).succeeded().json();
    assert_eq!(all["n_rows"].as_u64().unwrap() as usize, N_REVIEWS);
    let test = place.run(&[&args[..], &["--split", "test"]].concat()).succeeded().json();
    assert_eq!(test, own);
}

#[test]
fn one_class_has_no_area_under_a_curve() {
    let place = Workplace::with_model();
    place.write("good.csv", "text,label\na good film,1\ngreat music,1\n");
    let args = ["evaluate", "--model", "model", "--data", "good.csv"];
    let outcome = place.run(&args).succeeded();
    assert!(outcome.stdout.contains("ROC AUC    -   (one class only)"), "{}", outcome.stdout);
    assert!(outcome.stdout.contains("accuracy   1.0000"), "{}", outcome.stdout);
}

#[test]
fn a_test_split_is_not_looked_for_in_data_of_another_size() {
    let place = Workplace::with_model();
    place.write("reviews.csv", common::reviews(N_REVIEWS + 10));
    place.run(&["evaluate", "--model", "model"]).failed(
        1,
        &[
            "reviews.csv has 250 rows",
            "differs from the training data (reviews.csv, 240 rows)",
            "use --split all",
        ],
    );
    place.run(&["evaluate", "--model", "model", "--split", "all"]).succeeded();
}

#[test]
fn training_data_that_is_gone_is_named_with_the_way_to_name_other_data() {
    let place = Workplace::with_model();
    std::fs::remove_file(place.path("reviews.csv")).unwrap();
    place
        .run(&["evaluate", "--model", "model"])
        .failed(1, &["trained on", "reviews.csv does not exist", "--data FILE"]);
    place
        .run(&["evaluate", "--model", "model", "--data", "other.csv"])
        .failed(1, &["error: other.csv does not exist"]);
}

#[test]
fn a_report_that_cannot_be_read_is_named() {
    let place = Workplace::with_model();
    for garbage in ["", "nope", "{}", "{\"recipe\": 3"] {
        place.write("model/metrics.json", garbage);
        place.run(&["evaluate", "--model", "model"]).failed(
            1,
            &["model/metrics.json cannot be read as a training report", "train the model again"],
        );
    }
}

//! Trainings that share a folder, are killed, or fail: the saved model stays complete.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test that cannot start or reach its process has failed")]

mod common;

use common::Workplace;
use common::training::Training;

/// Arguments of a training that runs until it is killed.
const ENDLESS: [&str; 4] = ["--output", "model", "--set", "training.epochs=100000"];

#[test]
fn a_second_training_into_one_folder_is_told_of_the_first() {
    let place = Workplace::with_reviews();
    std::os::unix::fs::symlink(".", place.path("here")).unwrap();
    let mut first = Training::start(&place, &ENDLESS);
    first.wait_for("epoch 1 ");
    for output in ["model", "model/", "here/model"] {
        let told =
            format!("error: another training run is writing to {output} (process {})", first.id());
        // It fails before reading anything, even if the data does not exist.
        place
            .run(&["train", "--data", "away.csv", "--output", output, "--force"])
            .failed(1, &[&told, "Wait until it finishes, or choose another folder with --output"]);
    }
    place.run(&["predict", "--model", "model", "a good film"]).succeeded();
    first.kill();

    // The lock went with the process.
    place.train(&["--output", "model", "--force"]).succeeded();
    assert_eq!(place.names("."), ["here", "model", "reviews.csv", "runs"]);
}

#[test]
fn two_trainings_without_a_folder_get_different_ones() {
    let place = Workplace::with_reviews();
    let args = common::train_args(&[]);
    let trainings = [Training::start_all(&place, &args), Training::start_all(&place, &args)];
    for training in trainings {
        assert_eq!(training.finish().code, Some(0));
    }
    assert_eq!(place.names("models"), ["default", "default-2"]);
    for name in ["models/default", "models/default-2"] {
        place.run(&["predict", "--model", name, "a good film"]).succeeded();
    }
}

#[test]
fn a_killed_training_leaves_a_whole_model_and_the_next_one_clears_up() {
    let place = Workplace::with_model();
    let before = place.bytes("model/model.safetensors");
    // Killed before its first save.
    let mut training = Training::start(&place, &[&ENDLESS[..], &["--force"]].concat());
    training.wait_for("training recipe");
    training.kill();
    assert!(place.names(".").contains(&".model.lock".to_string()));
    place.run(&["evaluate", "--model", "model"]).succeeded();
    if place.bytes("model/model.safetensors") != before {
        // It saved a model before it was killed.
        assert!(place.read("model/metrics.json").contains("\"ended\": \"running\""));
    }
    std::fs::create_dir(place.path(".model.new-abc123")).unwrap();
    place.train(&["--output", "model", "--force"]).succeeded();
    assert_eq!(place.names("."), ["model", "reviews.csv", "runs"]);
}

#[test]
fn an_older_model_stays_when_the_data_turns_out_bad_or_the_training_fails() {
    let place = Workplace::with_model();
    let files = || {
        let names = place.names("model");
        names.iter().map(|name| place.bytes(format!("model/{name}"))).collect::<Vec<_>>()
    };
    let before = files();
    place.write("bad.csv", "text,label\ngood,1\nbad,\n");
    let mut args = common::train_args(&["--output", "model", "--force"]);
    args[2] = "bad.csv";
    place.run(&args).failed(1, &["bad.csv, row 2 (line 3): column \"label\" has no value"]);
    assert!(files() == before && place.names(".") == ["bad.csv", "model", "reviews.csv", "runs"]);
}

#[test]
fn a_folder_that_was_claimed_for_nothing_leaves_nothing() {
    let place = Workplace::new();
    place.write("bad.csv", "text,label\ngood,1\nbad,\n");
    for output in [&["--output", "deep/er/model"][..], &[]] {
        let mut args = common::train_args(output);
        args[2] = "bad.csv";
        place.run(&args).failed(1, &["bad.csv"]);
        assert_eq!(place.names("."), ["bad.csv"]);
    }
}

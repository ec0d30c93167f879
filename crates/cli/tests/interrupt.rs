//! Ctrl-C during training: the model is kept. The hang-up of a terminal is no such request.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test that cannot start or reach its process has failed")]

mod common;

use std::thread;
use std::time::Duration;

use common::Workplace;
use common::training::Training;

#[test]
fn ctrl_c_after_an_epoch_keeps_the_best_model_and_names_its_folder() {
    let place = Workplace::with_reviews();
    let mut training =
        Training::start(&place, &["--output", "model", "--set", "training.epochs=3000"]);
    training.wait_for("epoch 1 ");
    training.press_ctrl_c();
    let outcome = training.finish();

    assert_eq!(outcome.code, Some(130), "{}", outcome.stderr);
    assert!(outcome.stdout.contains("training interrupted after"), "{}", outcome.stdout);
    assert!(outcome.stdout.contains("model: model "), "{}", outcome.stdout);
    assert!(outcome.stdout.contains("test accuracy"), "{}", outcome.stdout);
    let report = place.read("model/metrics.json");
    assert!(report.contains("\"ended\": \"interrupted\""), "{report}");
    place.run(&["predict", "--model", "model", "a good film"]).succeeded();
    assert_eq!(place.names("."), ["model", "reviews.csv", "runs"], "a temporary folder stayed");
}

#[test]
fn ctrl_c_before_the_first_epoch_ends_validates_and_keeps_what_was_learned() {
    let place = Workplace::new();
    place.write("reviews.csv", common::reviews(40_000));
    let args = ["--output", "model", "--set", "training.batch_size=1"];
    let mut training = Training::start(&place, &args);
    training.wait_for("linear path alone");
    // The epoch has 32,000 steps, at most a few thousand per second: some are done now, but not all.
    thread::sleep(Duration::from_millis(1000));
    training.press_ctrl_c();
    let outcome = training.finish();

    assert_eq!(outcome.code, Some(130), "{}", outcome.stderr);
    let said = "interrupted: the state of the training is saved; validating the model (press Ctrl-C again to quit \
                at once)";
    assert!(outcome.stderr.starts_with(said), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("epoch 0."), "part of an epoch:\n{}", outcome.stderr);
    assert!(outcome.stdout.contains("kept the model after epoch 0."), "{}", outcome.stdout);
    place.run(&["predict", "--model", "model", "a good film"]).succeeded();
}

#[test]
fn a_second_ctrl_c_or_sigterm_ends_at_once() {
    for second in ["-INT", "-TERM"] {
        let place = Workplace::new();
        place.write("reviews.csv", common::reviews(40_000));
        let settings = ["--set", "training.batch_size=1", "--set", "model.hidden_dim=128"];
        let mut training =
            Training::start(&place, &[&["--output", "model"][..], &settings].concat());
        training.wait_for("linear path alone");
        thread::sleep(Duration::from_millis(500));
        training.press_ctrl_c();
        // Validating and testing 8,000 texts remains, which takes far longer than starting `kill`.
        training.wait_for("interrupted: the state of the training is saved; validating");
        training.send(second);
        let outcome = training.finish();
        assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(130), ""), "{second}");
    }
}

#[test]
fn a_training_that_ignores_the_hang_up_of_its_terminal_goes_on() {
    let place = Workplace::with_reviews();
    let args = ["--output", "model", "--set", "training.epochs=12"];
    let mut training = Training::start_without_hang_up(&place, &args);
    training.wait_for("epoch 1 ");
    training.send("-HUP");
    training.send("-HUP");
    let outcome = training.finish();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("epoch 12 "), "{}", outcome.stderr);
}

//! Trainings that are stopped or killed and go on, and the folders of runs.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot start or reach its process has failed"
)]

mod common;

use common::training::Training;
use common::{Outcome, Workplace, train_args};

/// Long enough to be stopped, short enough for a test.
const LONG: [&str; 4] = ["--set", "training.epochs=12", "--set", "training.batch_size=6"];

fn long(more: &[&'static str]) -> Vec<&'static str> {
    [&LONG[..], &["--checkpoint-every", "0s"], more].concat()
}

/// A place with an undisturbed training in `whole`.
fn with_whole_training() -> Workplace {
    let place = Workplace::with_reviews();
    place.train(&long(&["--output", "whole/m"])).succeeded();
    place
}

/// Starts a training in `m`, and ends it by a signal after its third epoch.
fn ended_by(place: &Workplace, signal: &str) -> Outcome {
    let mut training = Training::start(place, &long(&["--output", "m"]));
    training.wait_for("epoch 3 ");
    training.send(signal);
    training.finish()
}

#[track_caller]
fn is_as_undisturbed(place: &Workplace) {
    for file in ["model.safetensors", "ngrams.safetensors", "config.json", "tokenizer.json"] {
        let (got, whole) = (format!("m/{file}"), format!("whole/m/{file}"));
        assert!(place.bytes(got) == place.bytes(whole), "{file}");
    }
    for split in ["validation", "test"] {
        let file = format!("runs/m/predictions/{split}.parquet");
        assert!(place.bytes(&file) == place.bytes(format!("whole/{file}")), "{file}");
    }
    let log = |path: &str| -> Vec<String> {
        let without_times = |line: &str| {
            let mut line: serde_json::Value = serde_json::from_str(line).unwrap();
            let line = line.as_object_mut().unwrap();
            line.retain(|key, _| {
                !["time", "elapsed_s", "train_s", "tokens_per_s", "texts_per_s"]
                    .contains(&key.as_str())
            });
            serde_json::to_string(line).unwrap()
        };
        place.read(path).lines().map(without_times).collect()
    };
    assert_eq!(log("runs/m/log.jsonl"), log("whole/runs/m/log.jsonl"));
    assert_eq!(place.run_names("runs/m"), place.run_names("whole/runs/m"));
}

#[test]
fn a_killed_training_goes_on_by_name_and_ends_as_if_it_had_not_been_killed() {
    let place = with_whole_training();
    assert_eq!(ended_by(&place, "-KILL").code, None);
    let killed = place.run(&["runs"]).succeeded().stdout;
    assert!(killed.contains(" killed "), "{killed}");
    let outcome = place.run(&["train", "--resume", "runs/m"]).succeeded();
    for part in [
        "runs/m: this training was not finished; going on with it",
        "going on from the last checkpoint: training, epoch ",
    ] {
        assert!(outcome.stderr.contains(part), "no {part:?} in:\n{}", outcome.stderr);
    }
    assert!(outcome.stdout.contains("model: m "), "{}", outcome.stdout);
    is_as_undisturbed(&place);
    assert_eq!(place.names("runs/m/checkpoints"), [""; 0]);
    // Once more: nothing to do, and nothing is done.
    let before = place.bytes("m/metrics.json");
    let outcome = place.run(&["train", "--resume", "runs/m"]).succeeded();
    assert!(outcome.stderr.contains("nothing to go on with"), "{}", outcome.stderr);
    assert!(place.bytes("m/metrics.json") == before);
}

#[test]
fn ctrl_c_and_the_systems_request_to_end_save_the_state_and_say_how_to_go_on() {
    for signal in ["-INT", "-TERM"] {
        let place = with_whole_training();
        let outcome = ended_by(&place, signal);
        assert_eq!(outcome.code, Some(130), "{}", outcome.stderr);
        assert!(outcome.stderr.contains("interrupted: the state of the training is saved"));
        let how = "sentiment train --resume runs/m";
        assert!(outcome.stderr.contains(how), "{}", outcome.stderr);
        // A model is there, and the same command goes on.
        place.run(&["predict", "--model", "m", "a good film"]).succeeded();
        let outcome = place.train(&long(&["--output", "m"])).succeeded();
        assert!(outcome.stderr.contains("going on with it"), "{}", outcome.stderr);
        is_as_undisturbed(&place);
    }
}

#[test]
fn without_a_folder_the_same_command_goes_on_in_the_same_one_and_another_does_not() {
    let place = Workplace::with_reviews();
    let mut training = Training::start(&place, &long(&[]));
    training.wait_for("epoch 3 ");
    training.kill();
    place.train(&["--seed", "9"]).succeeded();
    assert_eq!(place.names("models"), [".default.lock", "default", "default-2"]);
    let outcome = place.train(&long(&[])).succeeded();
    assert!(outcome.stderr.contains("runs/default: this training was not finished"));
    assert_eq!(place.names("models"), ["default", "default-2"]);
    // It is complete now, so the next one is new.
    place.train(&long(&["--set", "training.epochs=1"])).succeeded();
    assert_eq!(place.names("runs"), ["default", "default-2", "default-3"]);
}

#[test]
fn a_training_of_other_texts_settings_or_threads_is_refused_with_the_difference() {
    let place = Workplace::with_reviews();
    assert_eq!(ended_by(&place, "-KILL").code, None);
    let resume = |more: &[&str]| place.run(&[&["train", "--resume", "runs/m"], more].concat());
    resume(&["--set", "training.epochs=9"]).failed(1, &["training.epochs was 12 and is 9"]);
    resume(&["--seed", "4"]).failed(1, &["training.seed was 0 and is 4"]);
    place.write("other.csv", place.read("reviews.csv").replace("good", "fine"));
    resume(&["--data", "other.csv"]).failed(1, &["data: contents was "]);
    place.write("reviews.csv", place.read("other.csv"));
    // The same command, too, once the file has changed.
    place.train(&long(&["--output", "m"])).failed(1, &["data: contents was ", "--restart"]);
}

#[test]
fn another_number_of_threads_is_refused_or_accepted_with_a_word() {
    let place = Workplace::with_reviews();
    let with_threads = |args: &[&str], n: &str| {
        let output = place.command(args).env("RAYON_NUM_THREADS", n).output().unwrap();
        Outcome::from(output)
    };
    let stops = ["--output", "m", "--stop-after", "100ms", "--set", "training.epochs=300"];
    let outcome = with_threads(&train_args(&stops), "2");
    assert_eq!(outcome.code, Some(130), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("the time is up: the state of the training is saved"));
    let parts = ["the number of threads was 2 and is 1", "--anyway"];
    with_threads(&["train", "--resume", "runs/m"], "1").failed(1, &parts);
    with_threads(&["train", "--resume", "runs/m", "--anyway"], "1").succeeded();
}

#[test]
fn a_damaged_checkpoint_is_passed_over_and_without_a_whole_one_nothing_goes_on() {
    let place = with_whole_training();
    assert_eq!(ended_by(&place, "-KILL").code, None);
    let mut checkpoints = place.names("runs/m/checkpoints");
    // It may have been killed while it wrote one.
    checkpoints.retain(|name| name.starts_with("batch-"));
    let at = |name: &str| format!("runs/m/checkpoints/{name}");
    // Or before it removed the oldest.
    while checkpoints.len() > 2 {
        std::fs::remove_file(place.path(at(&checkpoints.remove(0)))).unwrap();
    }
    let [older, newer] = &checkpoints[..] else { panic!("{checkpoints:?}") };
    let mut bytes = place.bytes(at(newer));
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    place.write(at(newer), &bytes);
    let whole = place.bytes(at(older));
    place.write(at(older), &whole[..whole.len() - 1]);
    place
        .run(&["train", "--resume", "runs/m"])
        .failed(1, &[newer, "it is damaged: its contents do not match its digest", "--restart"]);
    place.write(at(older), &whole);
    let outcome = place.run(&["train", "--resume", "runs/m"]).succeeded();
    let warning = format!("warning: cannot go on from runs/m/checkpoints/{newer}");
    assert!(outcome.stderr.contains(&warning), "{}", outcome.stderr);
    is_as_undisturbed(&place);
}

#[test]
fn a_training_that_was_killed_before_its_first_checkpoint_starts_again() {
    let place = with_whole_training();
    let mut args = long(&["--output", "m"]);
    args[5] = "1h";
    let mut training = Training::start(&place, &args);
    training.wait_for("linear path alone");
    training.kill();
    // If it was not quick enough, there is a checkpoint after the first epoch.
    let outcome = place.run(&["train", "--resume", "runs/m"]).succeeded();
    assert!(outcome.stderr.contains("runs/m: this training was not finished; "));
    is_as_undisturbed(&place);
}

#[test]
fn an_unfinished_training_can_be_started_again_and_is_not_replaced_by_another_unasked() {
    let place = with_whole_training();
    assert_eq!(ended_by(&place, "-KILL").code, None);
    place.train(&["--output", "m", "--seed", "5"]).failed(
        1,
        &["runs/m holds a training that was not finished", "--resume runs/m", "--force"],
    );
    let outcome = place.train(&long(&["--output", "m", "--restart"])).succeeded();
    assert!(!outcome.stderr.contains("going on"), "{}", outcome.stderr);
    is_as_undisturbed(&place);
    std::fs::create_dir(place.path("runs/n")).unwrap();
    place.write("runs/n/notes.txt", "mine");
    place.train(&["--output", "n"]).failed(1, &["runs/n", "it holds notes.txt"]);
    assert_eq!(place.read("runs/n/notes.txt"), "mine");
}

#[test]
fn the_settings_of_a_run_are_a_recipe() {
    let place = with_whole_training();
    let args = ["train", "--data", "reviews.csv", "--recipe", "whole/runs/m/run.toml"];
    place.run(&[&args[..], &["--output", "m"]].concat()).succeeded();
    is_as_undisturbed(&place);
}

#[test]
fn runs_are_listed_and_compared() {
    let place = Workplace::with_reviews();
    place.run(&["runs"]).failed(1, &["there is no folder runs", "--folder"]);
    place.train(&["--output", "models/a"]).succeeded();
    place.train(&["--output", "models/b", "--seed", "3", "--set", "model.cell=gru"]).succeeded();
    let listed = place.run(&["runs"]).succeeded().stdout;
    let lines: Vec<&str> = listed.lines().collect();
    assert!(lines.len() == 3 && lines[0].starts_with("name  recipe   data "), "{listed}");
    for (line, name) in lines[1..].iter().zip(["a", "b"]) {
        for part in [&format!("{name} "), "default", "reviews.csv", "complete", "accuracy "] {
            assert!(line.contains(part), "{listed}");
        }
    }
    let all = place.run(&["runs", "--json"]).succeeded().json();
    assert_eq!(all[1]["name"], "b");
    assert_eq!(all[1]["state"], "complete");
    assert!(all[1]["status"]["test"]["value"].is_number());

    let compared = place.run(&["runs", "compare", "a", "b"]).succeeded().stdout;
    let words: Vec<Vec<&str>> =
        compared.lines().map(|line| line.split_whitespace().collect()).collect();
    for row in [
        &["model.cell", "lstm", "gru"][..],
        &["training.seed", "0", "3"],
        &["data.split.shares.seed", "0", "3"],
        &["state", "complete", "complete"],
    ] {
        assert!(words.iter().any(|words| words == row), "no {row:?} in:\n{compared}");
    }
    assert!(!compared.contains("epochs"), "{compared}");
    let json = place.run(&["runs", "compare", "a", "b", "--json"]).succeeded().json();
    assert_eq!(json["differences"].as_array().unwrap().len(), 3);
    place.run(&["runs", "compare", "a", "c"]).failed(1, &["cannot read the run c"]);
}

#[test]
fn a_model_that_the_training_did_not_save_is_neither_taken_for_its_own_nor_replaced() {
    let place = with_whole_training();
    place.train(&["--output", "other", "--seed", "8"]).succeeded();
    assert_eq!(ended_by(&place, "-KILL").code, None);
    std::fs::rename(place.path("m"), place.path("aside")).unwrap();
    std::fs::rename(place.path("other"), place.path("m")).unwrap();
    let before = place.bytes("m/model.safetensors");
    place
        .run(&["train", "--resume", "runs/m"])
        .failed(1, &["m holds a model that this training did not save; move it away"]);
    assert!(place.bytes("m/model.safetensors") == before);
    std::fs::remove_dir_all(place.path("m")).unwrap();
    place
        .run(&["train", "--resume", "runs/m"])
        .failed(1, &["the model kept so far is no longer in m"]);
    std::fs::rename(place.path("aside"), place.path("m")).unwrap();
    place.run(&["train", "--resume", "runs/m"]).succeeded();
    is_as_undisturbed(&place);
}

#[test]
fn a_training_without_a_checkpoint_still_is_what_its_folder_says() {
    let place = Workplace::with_reviews();
    let mut training = Training::start(&place, &["--output", "m", "--set", "training.epochs=9999"]);
    training.wait_for("linear path alone");
    training.kill();
    for name in place.names("runs/m") {
        // As if it had been killed a little earlier.
        if name == "checkpoints" {
            std::fs::remove_dir_all(place.path("runs/m/checkpoints")).unwrap();
        }
    }
    place
        .run(&["train", "--resume", "runs/m", "--set", "training.epochs=2"])
        .failed(1, &["runs/m/status.json", "training.epochs was 9999 and is 2"]);
    let status = place.read("runs/m/status.json");
    assert!(status.contains("\"ended\": \"running\""), "a refusal changed the status: {status}");
}

#[test]
fn other_columns_are_another_training_and_other_models_have_other_runs() {
    let place = Workplace::with_reviews();
    let table: String = place.read("reviews.csv").lines().enumerate().fold(
        String::new(),
        |table, (i, line)| match i {
            0 => "text,label,stars\n".to_string(),
            _ => format!("{table}{line},{}\n", if i % 3 == 0 { "up" } else { "down" }),
        },
    );
    place.write("two.csv", table);
    let args = |column: &'static str| {
        let mut args = train_args(&long(&["--label-column", column]));
        args[2] = "two.csv";
        args
    };
    let mut training = Training::start_all(&place, &args("label"));
    training.wait_for("epoch 2 ");
    training.kill();
    place.run(&args("stars")).succeeded();
    assert_eq!(place.names("runs"), ["default", "default-2"]);
    let outcome = place.run(&args("label")).succeeded();
    assert!(outcome.stderr.contains("runs/default: this training was not finished"));

    place.train(&["--output", "models/a"]).succeeded();
    place
        .train(&["--output", "a"])
        .failed(1, &["runs/a is the run of another model, models/a", "--output"]);
    assert!(place.path("runs/a/run.toml").exists());
}

#[test]
fn files_of_other_programs_in_a_run_folder_are_left_alone() {
    let place = Workplace::with_reviews();
    std::fs::create_dir_all(place.path("runs/m")).unwrap();
    place.write("runs/m/events.out.tfevents.1.host", "of another program");
    place.train(&["--output", "m"]).failed(1, &["runs/m", "it holds events.out.tfevents.1.host"]);
    assert_eq!(place.names("runs/m"), ["events.out.tfevents.1.host"]);
    // A plain command takes another name.
    std::fs::rename(place.path("runs/m"), place.path("runs/default")).unwrap();
    place.train(&[]).succeeded();
    assert_eq!(place.names("models"), ["default-2"]);
    // What somebody has put into a run.
    place.write("runs/default-2/checkpoints/best.safetensors", "mine");
    place
        .train(&["--output", "models/default-2", "--force"])
        .failed(1, &["it holds checkpoints/best.safetensors; move that away first"]);
    assert!(place.path("runs/default-2/run.toml").exists());
}

#[test]
fn a_training_that_is_refused_at_once_leaves_the_older_run() {
    let place = Workplace::with_reviews();
    place.train(&["--output", "m"]).succeeded();
    let before = place.bytes("runs/m/log.jsonl");
    place
        .train(&["--output", "m", "--force", "--set", "training.batch_size=500"])
        .failed(1, &["fewer than one batch of 500"]);
    assert!(place.bytes("runs/m/log.jsonl") == before);
}

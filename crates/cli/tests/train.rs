//! `sentiment train` as people use it: what it saves, what it prints, and what is reproducible.
#![allow(clippy::unwrap_used, reason = "a test that cannot read its files has failed")]

mod common;

use common::{N_REVIEWS, Workplace};

#[test]
fn a_training_leaves_a_whole_model_folder_and_tells_what_it_did() {
    let place = Workplace::with_reviews();
    let outcome = place.train(&["--output", "deep/er/model"]).succeeded();

    assert_eq!(
        place.names("deep/er/model"),
        [
            "config.json",
            "curve.svg",
            "metrics.json",
            "model.safetensors",
            "ngrams.safetensors",
            "seen_texts.safetensors",
            "tokenizer.json"
        ]
    );
    assert_eq!(place.names("deep/er"), ["model", "runs"], "a temporary folder stayed");
    let run = [
        "checkpoints",
        "curve.svg",
        "events",
        "log.jsonl",
        "predictions",
        "run.toml",
        "status.json",
    ];
    assert_eq!(place.run_names("deep/er/runs/model"), run);
    assert_eq!(
        place.names("deep/er/runs/model/predictions"),
        ["test.parquet", "validation.parquet"]
    );
    let curve = place.read("deep/er/model/curve.svg");
    assert!(curve.starts_with("<svg") && curve.trim_end().ends_with("</svg>"), "{curve}");

    for part in [
        "reviews.csv: using column \"text\" as the text",
        "240 texts, 0 duplicates left out; 192 for training, 24 for validation, 24 for testing",
        "training recipe default",
        "fitting a linear path over ",
        "linear path alone  validation loss 0.",
        "epoch 1 ",
        "epoch 4 ",
        "texts/s  kept",
    ] {
        assert!(outcome.stderr.contains(part), "no {part:?} in:\n{}", outcome.stderr);
    }
    for part in [
        "training complete",
        "test accuracy ",
        "(24 texts)",
        "test accuracy of each path alone: linear 1.0000, recurrent ",
        "model: deep/er/model",
        "learning curve: deep/er/model/curve.svg",
        "sentiment predict --model deep/er/model",
    ] {
        assert!(outcome.stdout.contains(part), "no {part:?} in:\n{}", outcome.stdout);
    }
}

#[test]
#[cfg(target_os = "linux")] // Other systems do not find the cache by the test's environment variable.
fn prepared_texts_are_kept_and_give_the_same_model() {
    let place = Workplace::with_reviews();
    place.train(&["--output", "a", "--no-cache"]).succeeded();
    assert_eq!(place.n_prepared(), 0);
    place.train(&["--output", "b"]).succeeded();
    assert_eq!(place.n_prepared(), 1);
    place.train(&["--output", "c"]).succeeded();
    let weights = |folder: &str| place.bytes(format!("{folder}/model.safetensors"));
    assert!(weights("a") == weights("b") && weights("b") == weights("c"));
}

#[test]
fn a_network_without_a_linear_path_is_compared_with_a_linear_model_unless_told_not_to() {
    let place = Workplace::with_reviews();
    let alone = ["--set", "model.ngram_order=0", "--set", "training.epochs=1"];
    let stdout = |args: &[&str]| place.train(&[&alone, args].concat()).succeeded().stdout;
    let told = stdout(&["--output", "a"]);
    let line = "a linear model over words and word pairs has test accuracy 1.0000";
    assert!(told.contains(line) && !told.contains("each path alone"), "{told}");
    let report: serde_json::Value = serde_json::from_str(&place.read("a/metrics.json")).unwrap();
    assert_eq!(report["linear_baseline"]["accuracy"], 1.0);
    let told = stdout(&["--output", "b", "--no-baseline"]);
    assert!(!told.contains("linear"), "{told}");
}

#[test]
fn a_profile_is_had_for_asking() {
    let place = Workplace::with_reviews();
    let outcome = place.train(&["--output", "model", "--profile"]).succeeded();
    for part in ["recurrent backward", "GFLOP/s", "evaluation", "all 80 steps"] {
        assert!(outcome.stderr.contains(part), "no {part:?} in:\n{}", outcome.stderr);
    }
}

#[test]
fn easy_texts_are_learned() {
    let place = Workplace::with_reviews();
    let report = place.train(&["--output", "model", "--json"]).succeeded().json();
    assert_eq!(report["folder"], "model");
    let test = &report["report"]["test"];
    assert_eq!(test["n_rows"].as_u64().unwrap() as usize, N_REVIEWS / 10);
    assert!(test["accuracy"].as_f64().unwrap() > 0.9, "{test}");
    // The paths were trained independently.
    for path in ["linear", "recurrent"] {
        let alone = &report["report"]["test_alone"];
        assert!(alone[path]["accuracy"].as_f64().unwrap() > 0.9, "{alone}");
    }
    assert_eq!(report["report"]["ended"], "complete");
    let history = report["report"]["history"].as_array().unwrap();
    let loss = |idx: usize| history[idx]["train_loss"].as_f64().unwrap();
    assert_eq!(history.len(), 4);
    assert!(loss(3) < loss(0) / 2.0, "the training loss fell from {} to {}", loss(0), loss(3));
    let mut stored: serde_json::Value =
        serde_json::from_str(&place.read("model/metrics.json")).unwrap();
    let config: serde_json::Value = serde_json::from_str(&place.read("model/config.json")).unwrap();
    let id = stored.as_object_mut().unwrap().remove("model_id");
    assert_eq!(id.as_ref(), Some(&config["model_id"]), "the figures are those of this model");
    assert_eq!(stored, report["report"], "metrics.json holds what was printed");
}

/// The linear path alone classifies these texts, so only the score of the recurrent layers can show that they
/// are dead.
#[test]
fn recurrent_layers_that_learned_nothing_are_noticed() {
    let place = Workplace::with_reviews();
    place.train(&["--output", "model"]).succeeded();
    let evaluate = || place.run(&["evaluate", "--model", "model", "--json"]).succeeded().json();
    let accuracy = |figures: &serde_json::Value| figures["accuracy"].as_f64().unwrap();
    let before = evaluate();
    assert!(accuracy(&before["alone"]["recurrent"]) > 0.9, "{before}");
    place.zero_tensors("model", "lstm.");
    let after = evaluate();
    assert!(accuracy(&after) > 0.9 && accuracy(&after["alone"]["linear"]) > 0.9, "{after}");
    assert_eq!(accuracy(&after["alone"]["recurrent"]), 0.5, "{after}");
    let table = place.run(&["evaluate", "--model", "model"]).succeeded().stdout;
    assert!(table.contains("recurrent layers    0.5000"), "{table}");
}

#[test]
fn the_same_seed_gives_the_same_weights_byte_for_byte_and_another_seed_others() {
    let place = Workplace::with_reviews();
    for (folder, seed) in [("a", "5"), ("b", "5"), ("c", "6")] {
        place.train(&["--output", folder, "--seed", seed]).succeeded();
    }
    let weights = |folder: &str| place.bytes(format!("{folder}/model.safetensors"));
    assert!(weights("a") == weights("b"), "seed 5 gave two different models");
    assert!(weights("a") != weights("c"), "seeds 5 and 6 gave the same model");
}

#[test]
fn the_seed_flag_and_the_seed_of_the_recipe_are_one() {
    let place = Workplace::with_reviews();
    place.train(&["--output", "flag", "--seed", "9"]).succeeded();
    place.train(&["--output", "setting", "--set", "training.seed=9"]).succeeded();
    assert!(place.bytes("flag/model.safetensors") == place.bytes("setting/model.safetensors"));
}

#[test]
fn a_recipe_file_names_the_model_and_a_taken_name_is_numbered_on() {
    let place = Workplace::with_reviews();
    place.write(
        "quick.toml",
        "[preprocessing]\nseq_len = 12\n\n\
         [model]\ncell = \"gru\"\nembedding_dim = 4\nhidden_dim = 4\nnum_layers = 1\n\n\
         [training]\nepochs = 1\nbatch_size = 10\n",
    );
    let args = ["train", "--data", "reviews.csv", "--recipe", "quick.toml"];
    let outcome = place.run(&args).succeeded();
    assert!(outcome.stderr.contains("training recipe quick"), "{}", outcome.stderr);
    assert!(outcome.stdout.contains("model: models/quick "), "{}", outcome.stdout);
    let config = place.read("models/quick/config.json");
    assert!(
        config.contains("\"cell\": \"gru\"") && config.contains("\"hidden_dim\": 4"),
        "{config}"
    );

    let outcome = place.run(&args).succeeded();
    assert!(outcome.stdout.contains("model: models/quick-2 "), "{}", outcome.stdout);
    assert_eq!(place.names("models"), ["quick", "quick-2"]);
}

#[test]
fn every_cell_and_scheme_trains_and_loads() {
    let place = Workplace::with_reviews();
    for (cell, scheme) in [
        ("lstm", "words"),
        ("gru", "words-and-punctuation"),
        ("rnn-tanh", "bpe"),
        ("rnn-relu", "words"),
    ] {
        let (cell_setting, scheme_setting) =
            (format!("model.cell={cell}"), format!("preprocessing.scheme={scheme}"));
        let settings = ["--output", cell, "--set", &cell_setting, "--set", &scheme_setting];
        place.train(&[&settings[..], &["--set", "training.epochs=1"]].concat()).succeeded();
        place.run(&["predict", "--model", cell, "a good film"]).succeeded();
    }
}

#[test]
fn named_columns_and_a_tsv_do() {
    let place = Workplace::new();
    let csv = common::reviews(60).replace("text,label", "comment,liked");
    place.write(
        "mine.tsv",
        csv.replace(',', "\t").replace("negative", "0").replace("positive", "1"),
    );
    let mut args = common::train_args(&["--output", "model"]);
    args[2] = "mine.tsv";
    args.extend(["--text-column", "comment", "--label-column", "liked"]);
    let outcome = place.run(&args).succeeded();
    assert!(!outcome.stderr.contains("using column"), "nothing was guessed:\n{}", outcome.stderr);
    assert!(outcome.stderr.contains("mine.tsv: 60 texts"), "{}", outcome.stderr);
}

#[test]
fn exact_duplicates_are_left_out_and_counted() {
    let place = Workplace::new();
    let csv = common::reviews(100);
    let again: Vec<&str> = csv.lines().skip(1).take(7).collect();
    place.write("reviews.csv", format!("{csv}{}\n", again.join("\n")));
    let outcome = place.train(&["--output", "model"]).succeeded();
    let expected =
        "107 texts, 7 duplicates left out; 80 for training, 10 for validation, 10 for testing";
    assert!(outcome.stderr.contains(expected), "{}", outcome.stderr);
}

#[test]
fn an_empty_folder_is_filled_and_an_older_model_is_replaced_with_force_only() {
    let place = Workplace::with_reviews();
    std::fs::create_dir(place.path("model")).unwrap();
    place.train(&["--output", "model"]).succeeded();
    let first = place.bytes("model/model.safetensors");

    place
        .train(&["--output", "model", "--seed", "3"])
        .failed(1, &["model already exists; use --force to replace the model in it"]);
    assert!(place.bytes("model/model.safetensors") == first, "the older model was touched");

    place.train(&["--output", "model", "--seed", "3", "--force"]).succeeded();
    assert!(place.bytes("model/model.safetensors") != first, "the older model stayed");
    assert_eq!(place.names("."), ["model", "reviews.csv", "runs"]);
}

#[test]
fn a_training_that_no_longer_improves_stops_early_and_keeps_the_best_model() {
    let place = Workplace::with_reviews();
    // Steps of this size make the weights jump about: no later epoch is as good as an early one.
    let settings = ["--set", "training.learning_rate=1000", "--set", "training.patience=2"];
    let args = ["--output", "model", "--json", "--set", "training.epochs=50"];
    let report = place.train(&[&args[..], &settings].concat()).succeeded().json();
    let report = &report["report"];
    assert_eq!(report["ended"], "early-stopping");
    let history = report["history"].as_array().unwrap();
    assert!(history.len() < 50, "{} epochs", history.len());
    let loss = |record: &serde_json::Value| record["validation"]["loss"].as_f64().unwrap();
    let lowest = history.iter().map(loss).fold(f64::INFINITY, f64::min);
    assert_eq!(report["validation"]["loss"].as_f64().unwrap(), lowest);
}

//! Help texts and usage errors.

mod common;

use common::Workplace;

/// Checks that the help on standard output contains each of `parts`.
#[track_caller]
fn check(args: &[&str], parts: &[&str]) {
    let outcome = Workplace::new().run(args).succeeded();
    for part in parts {
        assert!(outcome.stdout.contains(part), "no {part:?} in:\n{}", outcome.stdout);
    }
    assert_eq!(outcome.stderr, "");
}

#[test]
fn the_overview_lists_every_command_with_examples() {
    check(
        &["--help"],
        &[
            "check ",
            "train ",
            "evaluate ",
            "predict ",
            "vectors ",
            "Examples:",
            "sentiment predict --model models/",
        ],
    );
    check(&["--version"], &[concat!("sentiment ", env!("CARGO_PKG_VERSION"))]);
}

#[test]
fn train_help_tells_recipes_formats_labels_and_what_ctrl_c_does() {
    check(
        &["train", "--help"],
        &[
            "--recipe <NAME|FILE>",
            "[default: default]",
            "quick, default, recurrent, accurate, notebook, or a TOML file",
            "--vectors <FILE>",
            "--set <TABLE.KEY=VALUE>",
            "--seed <N>",
            ".parquet, .csv, .tsv or .jsonl",
            "reviews/positive/*.txt",
            "__label__positive What a film!",
            "--train <FILE|FOLDER>",
            "[default: 10 % of the texts of --train]",
            "[default: no test]",
            "sentiment train --train train.csv --validation dev.csv --test test.csv",
            "0/1",
            "-1/1",
            "neg/pos",
            "negative/positive",
            "false/true",
            "f/t",
            "no/yes",
            "n/y",
            "--output <DIR>",
            "--force",
            "--resume <RUN>",
            "--checkpoint-every <TIME>",
            "[default: 5m]",
            "--anyway",
            "Ctrl-C",
            "SIGTERM",
            "the same model as an undisturbed training",
            "cuda:",
            "Examples:",
        ],
    );
}

#[test]
fn check_help_tells_the_exit_codes() {
    check(
        &["check", "--help"],
        &[
            "<FILE>",
            "--test <FILE>",
            "--recipe <NAME|FILE>",
            "--label-column <NAME>",
            "--json",
            "1 with warnings",
            "2 if nothing can be trained",
            "Examples:",
            "sentiment check train.csv --test test.csv",
        ],
    );
}

#[test]
fn evaluate_help_tells_the_splits() {
    check(
        &["evaluate", "--help"],
        &[
            "--model <DIR>",
            "--data <FILE|FOLDER>",
            "--split <SPLIT>",
            "held back",
            "ROC AUC",
            "Examples:",
        ],
    );
}

#[test]
fn predict_help_tells_the_three_ways_to_give_texts() {
    check(
        &["predict", "--help"],
        &[
            "[TEXT]...",
            "standard input",
            "--input <FILE>",
            "--output <FILE>",
            "--json",
            "Examples:",
        ],
    );
}

#[test]
fn vectors_help_tells_formats_and_how_to_train_with_a_store() {
    check(
        &["vectors", "--help"],
        &[
            "<FILE>...",
            "GloVe, word2vec and fastText",
            ".gz, .zst or .zip",
            "--output <STORE>",
            "--member <NAME>",
            "--nearest <WORD>",
            "--json",
            "Examples:",
            "sentiment train --vectors data/vectors/",
        ],
    );
}

#[test]
fn no_command_and_wrong_ones_are_usage_errors() {
    let place = Workplace::new();
    let outcome = place.run(&[]);
    assert_eq!(outcome.code, Some(2));
    assert!(outcome.stderr.contains("Usage: sentiment <COMMAND>"), "{}", outcome.stderr);
    place.run(&["trian"]).failed(2, &["'trian'", "similar subcommand", "'train'"]);
    place.run(&["predict", "text"]).failed(2, &["--model <DIR>"]);
    place
        .run(&["train", "--outptu", "model"])
        .failed(2, &["'--outptu'", "a similar argument exists: '--output'"]);
    place.run(&["train", "--seed", "many"]).failed(2, &["'many'", "--seed <N>"]);
    place.run(&["train", "--device", "gpu"]).failed(2, &["'gpu'", "auto, cpu, cuda, metal"]);
    place.run(&["train", "--force"]).failed(2, &["--output <DIR>"]);
}

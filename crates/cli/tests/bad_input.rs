//! Bad input: `sentiment` exits with code 1 and says how to fix it.
#![allow(clippy::unwrap_used, reason = "a test that cannot make its files has failed")]

mod common;

use std::fs;

use common::{Workplace, reviews, train_args};

/// Trains on a file with this content; expects exit code 1 and each of `parts` in the message.
#[track_caller]
fn refused(name: &str, content: impl AsRef<[u8]>, parts: &[&str]) {
    let place = Workplace::new();
    place.write(name, content);
    let mut args = train_args(&["--output", "model"]);
    args[2] = name;
    let outcome = place.run(&args).failed(1, parts);
    assert!(!outcome.stderr.contains("epoch 1"), "it trained:\n{}", outcome.stderr);
    assert_eq!(place.names("."), [name], "something was left behind");
}

/// Bytes that are neither text nor a known format, the same each time.
fn garbage() -> Vec<u8> {
    (0..4096_u32).map(|idx| (idx.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

#[test]
fn data_that_is_not_there_or_no_file() {
    let place = Workplace::new();
    place.train(&["--output", "model"]).failed(1, &["error: reviews.csv does not exist"]);
    fs::create_dir(place.path("reviews.csv")).unwrap();
    let expected =
        ["reviews.csv is a folder without folders of classes in it", "reviews/positive/1.txt"];
    place.train(&["--output", "model"]).failed(1, &expected);
}

#[test]
fn data_without_rows() {
    refused("reviews.csv", "", &["error: reviews.csv is empty"]);
    refused("reviews.jsonl", "\n\n", &["error: reviews.jsonl is empty"]);
    refused("reviews.csv", "text,label\n", &["error: reviews.csv has columns but no rows"]);
}

#[test]
fn data_that_is_not_what_its_name_says() {
    let mut parquet = b"PAR1".to_vec();
    parquet.extend(garbage());
    parquet.extend(b"PAR1");
    refused("reviews.csv", garbage(), &["reviews.csv is not CSV: it holds binary data"]);
    refused("reviews.jsonl", garbage(), &["reviews.jsonl is not JSON lines"]);
    refused("reviews.parquet", garbage(), &["reviews.parquet is not Parquet"]);
    refused("reviews.parquet", parquet, &["reviews.parquet is not readable as Parquet"]);
    refused("reviews.jsonl", "{\"text\": \"good\"\n", &["reviews.jsonl", "line 1"]);
    let latin = b"text,label\ngood,1\ncaf\xe9,0\n";
    refused("reviews.csv", latin, &["reviews.csv, line 3: not valid UTF-8"]);
    for name in ["reviews.xlsx", "reviews"] {
        let known = "known extensions are .csv, .tsv, .jsonl, .ndjson, .json-lines, .parquet";
        refused(name, reviews(40), &["cannot tell the format of", name, known]);
    }
}

#[test]
fn columns_that_cannot_be_told_are_listed() {
    refused(
        "reviews.csv",
        "id,stars\n1,5\n",
        &["cannot guess the text column of reviews.csv; its columns are \"id\", \"stars\""],
    );
    refused(
        "reviews.csv",
        "text,lable\ngood,1\n",
        &["cannot guess the label column", "\"text\", \"lable\"", "did you mean \"lable\"?"],
    );
    let place = Workplace::with_reviews();
    place.train(&["--output", "model", "--text-column", "txet"]).failed(
        1,
        &["no column \"txet\"; its columns are \"text\", \"label\" (did you mean \"text\"?)"],
    );
}

#[test]
fn a_label_that_is_neither_class_is_named_with_its_row() {
    let typo = reviews(40).replacen("positive", "postive", 1);
    refused(
        "reviews.csv",
        typo,
        &[
            "error: reviews.csv, row 2 (line 3): unknown label \"postive\"",
            "did you mean \"positive\"?",
        ],
    );
    refused(
        "reviews.csv",
        "text,label\ngood,1\nbad,\n",
        &["row 2 (line 3): column \"label\" has no value"],
    );
}

#[test]
fn too_little_to_learn_from() {
    refused(
        "reviews.csv",
        reviews(40).replace("negative", "positive"),
        &["reviews.csv: all 40 rows are labelled positive; a classifier needs both classes"],
    );
    refused("reviews.csv", reviews(4), &["reviews.csv: 4 rows are too few to split"]);
    let place = Workplace::with_reviews();
    place.train(&["--output", "model", "--set", "training.batch_size=500"]).failed(
        1,
        &["192 training texts are fewer than one batch of 500", "smaller training.batch_size"],
    );
    place
        .train(&["--output", "model", "--set", "preprocessing.min_frequency=9999"])
        .failed(1, &["reviews.csv", "no word occurs 9999 or more times in 192 texts"]);
    assert_eq!(place.names("."), ["reviews.csv"]);
}

#[test]
fn recipes_that_are_unknown_or_wrong() {
    let place = Workplace::with_reviews();
    place.write("odd.toml", "[training]\nepochs = \"three\"\n");
    place.write("torn.toml", "[training\n");
    for (args, parts) in [
        (
            ["--recipe", "defualt"],
            &["no recipe defualt", "accurate, notebook", "did you mean default?"][..],
        ),
        (["--recipe", "torn.toml"], &["recipe torn.toml"]),
        (["--recipe", "odd.toml"], &["recipe odd.toml", "epochs", "string \"three\""]),
        (
            ["--set", "training.epoch=3"],
            &["unknown field `epoch` in `training`; did you mean `epochs`?"],
        ),
        (["--set", "traning.epochs=3"], &["unknown field `traning`", "`training`"]),
        (["--set", "epochs=3"], &["--set epochs=3: expected TABLE.KEY=VALUE"]),
        (["--set", "model.cell=lstn"], &["unknown variant `lstn`", "`lstm`"]),
        (["--set", "model.hidden_dim=0"], &["hidden_dim is 0; expected at least 1"]),
        (["--set", "training.learning_rate=-1"], &["learning_rate is -1", "above 0"]),
        (["--set", "training.schedule=cosin"], &["cosin", "one-cycle"]),
        (["--set", "training.warmup=2"], &["warmup is 2", "from 0 to 1"]),
        (["--set", "training.label_smoothing=1"], &["label_smoothing is 1", "below 1"]),
        (["--set", "preprocessing.seq_len=0"], &["seq_len is 0; expected 1 to"]),
    ] {
        // Without the settings of the other tests, which would hide an unknown table.
        let all = [&["train", "--data", "reviews.csv"][..], &args].concat();
        place.run(&all).failed(1, parts);
    }
    assert_eq!(place.names("."), ["odd.toml", "reviews.csv", "torn.toml"]);
}

#[test]
fn an_unknown_field_is_told_in_one_line() {
    let place = Workplace::with_reviews();
    let outcome = place.train(&["--set", "training.epoch=3"]).failed(1, &["`epoch`"]);
    assert_eq!(outcome.stderr.lines().count(), 1, "{}", outcome.stderr);
}

#[test]
fn a_loss_that_is_no_number_stops_the_training_and_names_the_step() {
    let place = Workplace::with_reviews();
    let settings = ["--set", "training.learning_rate=1e30", "--set", "model.cell=rnn-relu"];
    let outcome = place.train(&[&["--output", "model"][..], &settings].concat()).failed(
        1,
        &["in epoch 1 at step 2 ", "batch 2 of the epoch", "training rows ", "no model was kept"],
    );
    let rate = format!("learning rate {}", 1e30);
    assert!(outcome.stderr.contains(&rate), "{}", outcome.stderr);
    // The log shows how it came about.
    assert_eq!(place.names("."), ["reviews.csv", "runs"]);
    assert_eq!(place.run_names("runs/model"), ["events", "log.jsonl", "run.toml", "status.json"]);
    assert!(place.read("runs/model/status.json").contains("no model was kept"));
}

#[cfg(not(feature = "cuda"))]
#[test]
fn a_device_that_this_build_lacks_says_how_to_get_it() {
    let place = Workplace::with_reviews();
    place
        .train(&["--device", "cuda", "--output", "model"])
        .failed(1, &["the CUDA device cannot be used", "`--features cuda`", "add --device cpu"]);
}

#[test]
fn a_precision_that_the_device_lacks_is_refused_by_every_command() {
    let place = Workplace::with_model();
    let cpu = ["--device", "cpu", "--precision"];
    let expected = ["error: tf32 is for CUDA devices; the CPU computes in f32", "--precision f32"];
    for command in [
        &["evaluate", "--model", "model"][..],
        &["predict", "--model", "model", "a good film"],
        &["predict", "--model", "model", "--input", "reviews.csv", "--output", "answers.csv"],
    ] {
        place.run(&[command, &cpu, &["tf32"]].concat()).failed(1, &expected);
        place.run(&[command, &cpu, &["f32"]].concat()).succeeded();
    }
    let train = [&cpu[..], &["tf32", "--output", "other"]].concat();
    place.train(&train).failed(1, &expected);
    assert!(!place.names(".").contains(&"other".to_string()));
}

#[test]
fn a_model_folder_that_is_missing_or_lacks_a_file() {
    let place = Workplace::with_model();
    let cure = "pass the folder that `sentiment train` printed";
    place
        .run(&["predict", "--model", "away", "text"])
        .failed(1, &["away is not a model folder: it does not exist; there is model", cure]);
    for file in ["model.safetensors", "config.json", "tokenizer.json", "metrics.json"] {
        let path = format!("model/{file}");
        let bytes = place.bytes(&path);
        fs::remove_file(place.path(&path)).unwrap();
        for command in ["predict", "evaluate"] {
            place.run(&[command, "--model", "model"]).failed(
                1,
                &[
                    &format!("{path} is missing; a model folder holds"),
                    "model.safetensors, config.json, tokenizer.json and metrics.json",
                    cure,
                ],
            );
        }
        place.write(&path, bytes);
    }
    place.run(&["predict", "--model", "model", "text"]).succeeded();
}

#[test]
fn damaged_model_files_are_named() {
    let place = Workplace::with_model();
    let config = place.read("model/config.json");
    let edited = |from: &str, to: &str| {
        assert!(config.contains(from), "{from} is not in {config}");
        config.replace(from, to).into_bytes()
    };
    let half = |file: &str| {
        let bytes = place.bytes(format!("model/{file}"));
        bytes[..bytes.len() / 2].to_vec()
    };
    let again = "train the model again";
    let cases = [
        (
            "model.safetensors",
            half("model.safetensors"),
            &["cannot be read as safetensors", again][..],
        ),
        ("model.safetensors", garbage(), &["cannot be read as safetensors", again]),
        ("model.safetensors", Vec::new(), &["cannot be read as safetensors", again]),
        ("tokenizer.json", half("tokenizer.json"), &["damaged or not JSON"]),
        ("tokenizer.json", garbage(), &["damaged or not JSON"]),
        ("tokenizer.json", b"{}".to_vec(), &["tokenizer file"]),
        ("config.json", half("config.json"), &["cannot be read as a model's configuration", again]),
        ("config.json", garbage(), &["cannot be read as a model's configuration", again]),
        ("config.json", b"{}".to_vec(), &["it has no format_version", again]),
        (
            "config.json",
            edited("\"format_version\": 6", "\"format_version\": 7"),
            &["has format 7, written by sentiment-rnn", "reads formats 2 to 6: install version"],
        ),
        (
            "config.json",
            edited("\"hidden_dim\": 8", "\"hidden_dim\": 0"),
            &["hidden_dim is 0", again],
        ),
    ];
    for (file, bytes, parts) in cases {
        let path = format!("model/{file}");
        let whole = place.bytes(&path);
        place.write(&path, bytes);
        let outcome = place.run(&["predict", "--model", "model", "text"]).failed(1, parts);
        assert!(outcome.stderr.contains(&path), "no {path} in:\n{}", outcome.stderr);
        place.write(&path, whole);
    }
    place.run(&["predict", "--model", "model", "text"]).succeeded();
}

#[test]
fn files_of_two_models_do_not_mix() {
    let place = Workplace::with_model();
    // One of the same sizes, a wider one, and one with fewer words.
    place.train(&["--output", "other", "--seed", "5"]).succeeded();
    place.train(&["--output", "wide", "--set", "model.hidden_dim=9"]).succeeded();
    place.train(&["--output", "few", "--set", "preprocessing.max_vocab=8"]).succeeded();
    let another = "belongs to a different model than config.json";
    for (from, file, part) in [
        ("other", "model.safetensors", another),
        ("other", "ngrams.safetensors", another),
        ("other", "metrics.json", another),
        ("wide", "model.safetensors", another),
        ("few", "tokenizer.json", "it has 8 ids, config.json says 16"),
    ] {
        let path = format!("model/{file}");
        let whole = place.bytes(&path);
        place.write(&path, place.bytes(format!("{from}/{file}")));
        for command in
            [&["predict", "--model", "model", "text"][..], &["evaluate", "--model", "model"]]
        {
            place.run(command).failed(1, &[part, &path, "train the model again"]);
        }
        place.write(&path, whole);
    }
    place.run(&["predict", "--model", "model", "text"]).succeeded();
}

#[test]
fn a_model_given_in_other_ways_says_what_is_meant() {
    let place = Workplace::with_reviews();
    place.train(&["--output", "models/a"]).succeeded();
    place.write("state_dict.pt", "PK");
    place.run(&["predict", "--model", "models/a/", "text"]).succeeded();
    for (given, parts) in [
        (
            "models/a/model.safetensors",
            &[
                "model.safetensors is not a model folder: it is a file in a model folder; did you mean models/a?",
            ][..],
        ),
        (
            "models",
            &["models is not a model folder: it is a folder of models; did you mean models/a?"],
        ),
        ("state_dict.pt", &["it is a file; a model is a folder with", "pass the folder that"]),
    ] {
        place.run(&["predict", "--model", given, "text"]).failed(1, parts);
    }
}

#[test]
fn a_folder_that_holds_other_things_is_never_replaced() {
    let place = Workplace::with_reviews();
    for (folder, files) in [
        ("notes", &["diary.txt"][..]),
        // The configuration of another program.
        ("project", &["config.json", "main.js"]),
    ] {
        fs::create_dir(place.path(folder)).unwrap();
        for file in files {
            place.write(format!("{folder}/{file}"), "{}");
        }
        place.train(&["--output", folder]).failed(1, &[&format!("{folder} already exists")]);
        let outcome = place.train(&["--output", folder, "--force"]);
        let outcome =
            outcome.failed(1, &["is not a model folder: it holds", "Choose another folder"]);
        assert!(!outcome.stderr.contains("epoch 1"), "it trained:\n{}", outcome.stderr);
        assert_eq!(place.names(folder), files);
    }
}

#[test]
fn a_place_that_cannot_be_written_is_refused_before_the_training() {
    let place = Workplace::with_reviews();
    place.write("plain", "a file");
    for folder in ["plain/model", "plain/deep/model"] {
        let outcome = place
            .train(&["--output", folder])
            .failed(1, &["cannot write to plain", "choose another folder"]);
        assert!(!outcome.stderr.contains("epoch 1"), "it trained:\n{}", outcome.stderr);
    }
    place.train(&["--output", "plain"]).failed(1, &["plain already exists"]);
    place.train(&["--output", "plain", "--force"]).failed(1, &["is not a model folder"]);
    assert_eq!(place.read("plain"), "a file");
}

/// A limit on file sizes stands in for a full disk: writing fails in the same way.
#[cfg(unix)]
#[test]
fn a_full_disk_is_told_with_the_file_and_an_older_model_stays() {
    let place = Workplace::with_model();
    let before = place.bytes("model/model.safetensors");
    for args in [&["--output", "new"][..], &["--output", "model", "--force"]] {
        let script = "trap '' XFSZ; ulimit -f 128; exec \"$0\" \"$@\"";
        let output = std::process::Command::new("sh")
            .args(["-c", script, common::SENTIMENT])
            .args(train_args(&[args, &["--set", "model.hidden_dim=64"]].concat()))
            .current_dir(place.path("."))
            .output()
            .unwrap();
        let file = format!("cannot write {}/model.safetensors", args[1]);
        common::Outcome::from(output)
            .failed(1, &[&file, "File too large", "Check the disk space and your permissions"]);
        assert_eq!(place.names("."), ["model", "reviews.csv", "runs"], "something was left behind");
    }
    assert!(place.bytes("model/model.safetensors") == before, "the older model was touched");
}

//! Texts that are in no table: a folder for each class, and lines in fastText's format. What is trained on them is what
//! a table of the same texts would give.
#![allow(clippy::unwrap_used, reason = "a test that cannot make its files has failed")]

mod common;

use std::fs;

use common::labelled::{N_TEXTS, genres_in_lists};
use common::{N_REVIEWS, Workplace, reviews, train_args};
use serde_json::Value;

/// The texts of [`reviews`] with their labels.
fn rows() -> Vec<(String, String)> {
    let csv = reviews(N_REVIEWS);
    let rows = csv.lines().skip(1).map(|line| line.split_once(',').unwrap());
    rows.map(|(text, label)| (text.to_string(), label.to_string())).collect()
}

/// A folder `reviews` with a folder for each class, and a table with the same texts in the same order.
fn with_folder() -> Workplace {
    let place = Workplace::new();
    let mut csv = String::from("text,label\n");
    for class in ["negative", "positive"] {
        let texts = rows().into_iter().filter(|(_, label)| label == class);
        for (idx, (text, label)) in texts.enumerate() {
            let name = format!("reviews/{class}/{}/{idx:04}.txt", idx / 50);
            fs::create_dir_all(place.path(&name).parent().unwrap()).unwrap();
            place.write(name, format!("{text}\n"));
            csv += &format!("{text},{label}\n");
        }
    }
    place.write("reviews/README.md", "not a text");
    place.write("reviews/positive/.hidden.txt", "not a text");
    place.write("reviews.csv", csv);
    place
}

/// A file `lines.txt` in fastText's format, and a table with the same texts in the same order.
fn with_lines() -> Workplace {
    let place = Workplace::with_reviews();
    let line = |(text, label)| format!("__label__{label} {text}\n");
    place.write("lines.txt", rows().into_iter().map(line).collect::<String>());
    place
}

/// Files `genres.ft` and `genres.jsonl` with the same texts, each with any number of labels.
fn with_genres() -> Workplace {
    let place = Workplace::new();
    let line = |json: &str| {
        let row: Value = serde_json::from_str(json).unwrap();
        let labels = row["label"].as_array().unwrap().iter().map(|it| it.as_str().unwrap());
        let labels: String = labels.map(|label| format!("__label__{label} ")).collect();
        format!("{labels}{}\n", row["text"].as_str().unwrap())
    };
    // The first text has no label, so that its line would not tell the format.
    let json = genres_in_lists().split_once('\n').unwrap().1.to_string();
    place.write("genres.ft", json.lines().map(line).collect::<String>());
    place.write("genres.jsonl", json);
    place
}

/// Checks that standard error has this line.
#[track_caller]
fn says(stderr: &str, line: &str) {
    assert!(stderr.lines().any(|it| it.starts_with(line)), "no {line:?} in:\n{stderr}");
}

#[track_caller]
fn are_the_same_model(place: &Workplace, one: &str, other: &str) {
    for file in ["model.safetensors", "ngrams.safetensors", "config.json", "tokenizer.json"] {
        let (a, b) = (format!("{one}/{file}"), format!("{other}/{file}"));
        assert!(place.bytes(a) == place.bytes(b), "{file}");
    }
}

/// Stops a training on `data` and lets it go on; the model is that of the undisturbed training in `whole`.
#[track_caller]
fn goes_on(place: &Workplace, data: &str, whole: &str) {
    for by_name in [true, false] {
        let output = if by_name { "by-name" } else { "by-command" };
        let mut args = train_args(&["--output", output, "--stop-after", "1ms"]);
        args[2] = data;
        assert_eq!(place.run(&args).code, Some(130));
        let run = format!("runs/{output}");
        let outcome = match by_name {
            true => place.run(&["train", "--resume", &run]).succeeded(),
            false => place.train_on(data, &["--output", output]).succeeded(),
        };
        says(&outcome.stderr, &format!("{run}: this training was not finished; going on with it"));
        are_the_same_model(place, output, whole);
    }
}

#[test]
fn a_folder_of_classes_trains_as_a_table_of_its_texts_and_its_training_goes_on() {
    let place = with_folder();
    let outcome = place.train_on("reviews", &["--output", "m"]).succeeded();
    says(&outcome.stderr, "reviews: left out a file that is in no class's folder, \"README.md\"");
    says(
        &outcome.stderr,
        "reviews: left out a file or folder that is hidden or does not end in .txt, \
         \"positive/.hidden.txt\"",
    );
    says(&outcome.stderr, &format!("reviews: {N_REVIEWS} texts, 0 duplicates left out"));
    assert!(!outcome.stderr.contains("using column"), "{}", outcome.stderr);
    place.train(&["--output", "of-table"]).succeeded();
    are_the_same_model(&place, "m", "of-table");
    goes_on(&place, "reviews", "m");
    // From the cache, the same is said.
    let again = place.train_on("reviews/", &["--output", "again"]).succeeded();
    says(&again.stderr, "reviews/: left out a file that is in no class's folder, \"README.md\"");
}

#[test]
fn a_folder_of_classes_is_evaluated_and_answered() {
    let place = with_folder();
    place.train_on("reviews", &["--output", "m"]).succeeded();
    // The test split of the training, found again.
    let figures = place.run(&["evaluate", "--model", "m", "--json"]).succeeded().json();
    assert_eq!(figures["n_rows"], N_REVIEWS / 10, "{figures}");
    let all = ["evaluate", "--model", "m", "--json", "--data", "reviews", "--split", "all"];
    assert_eq!(place.run(&all).succeeded().json()["n_rows"], N_REVIEWS);
    // A new text: the training data has changed.
    place.write("reviews/negative/new.txt", "bad bad film");
    place.run(&["evaluate", "--model", "m"]).failed(1, &["reviews has 241 rows and differs"]);

    let answer = ["predict", "--model", "m", "--input", "reviews", "--output", "answers.csv"];
    place.run(&answer).succeeded();
    let answers = place.read("answers.csv");
    assert!(answers.starts_with("text,label,file,predicted_label,probability\n"), "{answers}");
    assert!(answers.contains("bad bad film,negative,negative/new.txt,negative,"), "{answers}");
    assert_eq!(answers.lines().count(), N_REVIEWS + 2);
}

#[test]
fn lines_in_fasttext_format_train_as_a_table_of_their_texts_and_their_training_goes_on() {
    let place = with_lines();
    let outcome = place.train_on("lines.txt", &["--output", "m"]).succeeded();
    assert!(!outcome.stderr.contains("using column"), "{}", outcome.stderr);
    place.train(&["--output", "of-table"]).succeeded();
    are_the_same_model(&place, "m", "of-table");
    goes_on(&place, "lines.txt", "m");
    let figures = place.run(&["evaluate", "--model", "m", "--json"]).succeeded().json();
    assert_eq!(figures["n_rows"], N_REVIEWS / 10, "{figures}");

    let answer = ["predict", "--model", "m", "--input", "lines.txt", "--output", "-"];
    let answers = place.run(&answer).succeeded().stdout;
    assert!(answers.starts_with("text\tlabel\tpredicted_label\tprobability\n"), "{answers}");
    // The table holds the same texts and labels.
    place.write("answers.tsv", answers);
    place.train_on("answers.tsv", &["--output", "of-answers"]).succeeded();
    are_the_same_model(&place, "m", "of-answers");
}

#[test]
fn lines_with_several_labels_train_as_a_table_with_lists_of_labels() {
    let place = with_genres();
    let outcome = place.train_on("genres.ft", &["--output", "m"]).succeeded();
    let n_without = N_TEXTS / 8 - 1;
    says(
        &outcome.stderr,
        &format!("genres.ft: {n_without} rows without a label count as texts that have none"),
    );
    says(&outcome.stderr, "genres.ft: label column \"label\": any number of three labels per text");
    place.train_on("genres.jsonl", &["--output", "of-table"]).succeeded();
    are_the_same_model(&place, "m", "of-table");
    goes_on(&place, "genres.ft", "m");
    for data in ["genres.ft", "genres.jsonl"] {
        let all = ["evaluate", "--model", "m", "--json", "--data", data, "--split", "all"];
        assert_eq!(place.run(&all).succeeded().json()["n_rows"], N_TEXTS - 1);
    }

    // In a table, a space separates the labels.
    let answer = ["predict", "--model", "m", "--input", "genres.ft", "--output", "answers.csv"];
    place.run(&answer).succeeded();
    let separated = ["--output", "of-answers", "--label-separator", " "];
    place.train_on("answers.csv", &separated).succeeded();
    let weights = |model: &str| place.bytes(format!("{model}/model.safetensors"));
    assert!(weights("m") == weights("of-answers"));
}

#[test]
fn fasttext_format_can_be_named_and_is_suggested_where_the_name_says_otherwise() {
    let place = with_lines();
    fs::rename(place.path("lines.txt"), place.path("lines.csv")).unwrap();
    let named = place.train_on("lines.csv", &["--output", "m", "--format", "fasttext"]);
    named.succeeded();
    place.train_on("lines.csv", &["--output", "n"]).failed(
        1,
        &["lines.csv is not CSV: it looks like fastText format; read it with --format fasttext"],
    );
}

#[test]
fn what_is_wrong_with_lines_is_said_with_their_line() {
    let place = with_lines();
    let good = place.read("lines.txt");
    for (line, parts) in [
        ("no label here", &["lines.txt, row 241 (line 241): column \"label\" has no value"][..]),
        ("__label__positive", &["column \"text\" has no value", "--missing skip"][..]),
        ("__label__ good", &["a label has no name after \"__label__\""][..]),
        ("good __label__positive", &["comes after the text has begun"][..]),
        ("__label__a __label__b good", &["--task", "holds several labels where a label"][..]),
    ] {
        place.write("lines.txt", format!("{good}{line}\n"));
        let task: &[&str] =
            if parts[0] == "--task" { &["--task", "binary"] } else { &["--output", "m"] };
        let parts = parts.strip_prefix(&["--task"]).unwrap_or(parts);
        place.train_on("lines.txt", task).failed(1, parts);
    }
    place.write("lines.txt", format!("{good}__label__positive\n"));
    let skips = ["--output", "m", "--missing", "skip"];
    let outcome = place.train_on("lines.txt", &skips).succeeded();
    says(&outcome.stderr, "lines.txt: left out 1 row without text");
}

#[test]
fn what_is_wrong_with_a_folder_is_said_with_the_file() {
    let place = with_folder();
    let fails = |parts: &[&str]| {
        let outcome = place.train_on("reviews", &["--output", "m"]).failed(1, parts);
        assert!(!outcome.stderr.contains("epoch 1"), "{}", outcome.stderr);
    };
    place.write("reviews/positive/latin.txt", b"good\ncaf\xe9");
    fails(&["reviews/positive/latin.txt, line 2: expected a text in UTF-8, found byte 0xe9"]);
    place.write("reviews/positive/latin.txt", "");
    fails(&["reviews/positive/latin.txt: column \"text\" has no value", "--missing skip"]);
    fs::remove_file(place.path("reviews/positive/latin.txt")).unwrap();
    fs::create_dir(place.path("reviews/neutral")).unwrap();
    fails(&["reviews/neutral is the folder of a class, but no .txt file is in it"]);
    fs::remove_dir(place.path("reviews/neutral")).unwrap();
    fs::rename(place.path("reviews/negative"), place.path("negative")).unwrap();
    fails(&["reviews has the folder of one class only, \"positive\""]);
    fs::rename(place.path("reviews"), place.path("train")).unwrap();
    for class in ["splits/train/positive", "splits/test/positive"] {
        fs::create_dir_all(place.path(class)).unwrap();
        place.write(format!("{class}/1.txt"), "good");
    }
    let outcome = place.train_on("splits", &["--output", "m"]);
    let advice = "name them: --train splits/train --test splits/test";
    outcome.failed(1, &["which look like splits", advice]);
}

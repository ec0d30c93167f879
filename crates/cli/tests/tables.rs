//! Tables in all their forms: the command reads exactly what was written, or says what is wrong, where,
//! and what to do.
#![allow(clippy::unwrap_used, reason = "a test that cannot make its files has failed")]

mod common;

use std::process::Stdio;

use common::{Outcome, Workplace, reviews, train_args};

/// Trains on a file, with a few more arguments.
fn train_on(place: &Workplace, name: &str, args: &[&str]) -> Outcome {
    let mut all = train_args(&["--output", "model", "--force", "--set", "training.epochs=1"]);
    all[2] = name;
    all.extend(args);
    place.run(&all)
}

#[test]
fn what_is_read_is_the_same_in_every_dress() {
    let csv = reviews(60);
    let lines = || csv.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let utf_16: Vec<u8> =
        "\u{feff}".encode_utf16().chain(csv.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let with = |mark: &str| lines().map(|cells| cells.join(mark) + "\n").collect::<String>();
    let json: Vec<String> = lines()
        .skip(1)
        .map(|cells| serde_json::json!({"text": cells[0], "label": cells[1]}).to_string())
        .collect();
    let dresses: Vec<(&str, Vec<u8>)> = vec![
        ("plain.csv", csv.clone().into()),
        ("mark.csv", format!("\u{feff}{csv}").into()),
        ("windows.csv", csv.replace('\n', "\r\n").into()),
        ("semicolons.csv", with(";").into()),
        ("tabs.csv", with("\t").into()),
        ("bars.csv", with("|").into()),
        ("excel.csv", format!("sep=;\r\n{}", with(";").replace('\n', "\r\n")).into()),
        (
            "quoted.csv",
            with("\",\"").lines().map(|line| format!("\"{line}\"\n")).collect::<String>().into(),
        ),
        ("blank-end.csv", format!("{csv}\n\n").into()),
        ("tabs.tsv", with("\t").into()),
        ("utf16.csv", utf_16),
        ("lines.jsonl", json.join("\n").into()),
        ("array.json", format!("[{}]", json.join(",\n")).into()),
    ];
    let place = Workplace::new();
    let mut weights: Option<Vec<u8>> = None;
    for (name, bytes) in dresses {
        place.write(name, bytes);
        let outcome = train_on(&place, name, &[]).succeeded();
        assert!(outcome.stderr.contains(": 60 texts"), "{name}:\n{}", outcome.stderr);
        let got = place.bytes("model/model.safetensors");
        // The header holds the same model id, so the models are equal.
        assert!(weights.get_or_insert_with(|| got.clone()) == &got, "{name} gives another model");
    }
}

#[test]
fn rows_that_do_not_fit_are_refused_wherever_they_are_and_whatever_is_wanted() {
    let head = reviews(50);
    let cases: &[(&str, &str, &[&str])] = &[
        ("long", "a, good film,positive\n", &["row 51 (line 52)", "expected 2 fields", "got 3"]),
        ("short", "a good film\n", &["row 51 (line 52)", "expected 2 fields", "got 1"]),
        ("open", "\"a good film,positive\nbad,negative\n", &["line 52", "quot"]),
        ("closed", "\"a \"good\" film\",positive\n", &["line 52", "quot"]),
        ("backslash", "\"a \\\"good\\\" film\",positive\n", &["line 52", "backslash"]),
        ("cut", "\"a good film", &["line 52"]),
        ("null", "a go\0od film,positive\n", &["line 52", "NUL"]),
        ("blank", "\na good film,positive\n", &["row 51", "line 52"]),
    ];
    for (what, tail, parts) in cases {
        let place = Workplace::new();
        let name = format!("{what}.csv");
        place.write(&name, format!("{head}{tail}"));
        let all: Vec<&str> = std::iter::once(name.as_str()).chain(parts.iter().copied()).collect();
        train_on(&place, &name, &[]).failed(1, &all);
        assert_eq!(place.names("."), [name.as_str()], "something was left behind");
        // The same if the bad columns are not used.
        let wide: String = format!("{head}{tail}")
            .lines()
            .enumerate()
            .map(|(idx, line)| match idx {
                0 => format!("comment,good,{line}\n"),
                _ => format!("good {idx},{},{line}\n", idx % 2),
            })
            .collect();
        if !["blank", "cut", "open"].contains(what) {
            place.write(&name, wide);
            train_on(&place, &name, &["--text-column", "comment", "--label-column", "good"])
                .failed(1, &["line 52"]);
        }
    }
}

#[test]
fn an_encoding_is_suggested_and_then_read() {
    let place = Workplace::new();
    let latin: Vec<u8> = reviews(60)
        .replace("film", "filmé")
        .chars()
        .map(|c| u8::try_from(u32::from(c)).unwrap())
        .collect();
    place.write("latin.csv", latin);
    train_on(&place, "latin.csv", &[])
        .failed(1, &["latin.csv", "line", "UTF-8", "--encoding windows-1252"]);
    train_on(&place, "latin.csv", &["--encoding", "latin1"]).succeeded();
    let report = place.read("model/metrics.json");
    assert!(report.contains("windows-1252"), "the encoding is kept: {report}");
    // Evaluation reads the training data with the same encoding.
    place.run(&["evaluate", "--model", "model"]).succeeded();
    train_on(&place, "latin.csv", &["--encoding", "latn1"]).failed(2, &["latn1", "latin1"]);
}

#[test]
fn rows_without_text_are_refused_or_skipped_or_empty_and_counted() {
    let place = Workplace::new();
    place.write("holes.csv", reviews(60) + ",positive\n,negative\n");
    train_on(&place, "holes.csv", &[]).failed(1, &["row 61", "line 62", "--missing skip"]);
    let outcome = train_on(&place, "holes.csv", &["--missing", "skip"]).succeeded();
    for part in ["left out 2 rows without text", ": 60 texts"] {
        assert!(outcome.stderr.contains(part), "no {part:?} in:\n{}", outcome.stderr);
    }
    let outcome = train_on(&place, "holes.csv", &["--missing", "empty"]).succeeded();
    assert!(outcome.stderr.contains("2 rows without text as empty texts"), "{}", outcome.stderr);

    place.write("ask.csv", "id,text\n1,a good film\n2,\n3,a bad film\n");
    let args = ["predict", "--model", "model", "--input", "ask.csv", "--output", "out.csv"];
    place.run(&args).failed(1, &["row 2", "--missing skip"]);
    place.run(&[&args[..], &["--missing", "skip"]].concat()).succeeded();
    let answers = place.read("out.csv");
    assert_eq!(answers.lines().count(), 4, "{answers}");
    assert!(answers.contains("\n2,,,\n"), "{answers}");
}

#[test]
fn labels_of_other_kinds_are_classes_and_said_to_be() {
    let place = Workplace::new();
    let stars = reviews(60).replace("negative", "1").replace("positive", "2");
    place.write("stars.csv", stars);
    let outcome = train_on(&place, "stars.csv", &[]).succeeded();
    assert!(
        outcome.stderr.contains("two classes, \"1\" and \"2\" (positive)"),
        "{}",
        outcome.stderr
    );
    place.write("three.csv", reviews(60).replacen("negative", "neutral", 12));
    let outcome = train_on(&place, "three.csv", &[]).succeeded();
    let classes = "three classes: \"negative\", \"neutral\", \"positive\"";
    assert!(outcome.stderr.contains(classes), "{}", outcome.stderr);
}

#[test]
fn a_header_that_is_none_is_noticed_and_done_without() {
    let place = Workplace::new();
    let rows: String = reviews(60).lines().skip(1).map(|line| format!("{line}\n")).collect();
    place.write("rows.csv", rows);
    train_on(&place, "rows.csv", &[]).failed(1, &["rows.csv", "header", "--no-header"]);
    let args = ["--no-header", "--text-column", "1", "--label-column", "2"];
    let outcome = train_on(&place, "rows.csv", &args).succeeded();
    assert!(outcome.stderr.contains(": 60 texts"), "{}", outcome.stderr);
    place.run(&["evaluate", "--model", "model"]).succeeded();
}

#[cfg(unix)]
#[test]
fn pipes_are_read_once_and_standard_input_has_a_name() {
    let place = Workplace::with_model();
    let csv = reviews(60);
    let args = ["evaluate", "--model", "model", "--data", "-", "--format", "csv", "--json"];
    let json = place.run_with_input(&args, csv.as_bytes()).succeeded().json();
    assert_eq!(json["n_rows"], 60);
    place.run_with_input(&args[..5], csv.as_bytes()).failed(1, &["standard input", "--format"]);

    // A whole training, including its baseline, from a pipe that can only be read once.
    let train = train_args(&["--output", "piped"]).join(" ").replace("reviews.csv", "pipe.csv");
    let script = format!("mkfifo pipe.csv; cat reviews.csv > pipe.csv & exec \"$0\" {train}");
    let output = std::process::Command::new("sh")
        .args(["-c", &script, common::SENTIMENT])
        .current_dir(place.path("."))
        .env("XDG_CACHE_HOME", place.path("cache"))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let outcome = Outcome::from(output).succeeded();
    assert!(outcome.stdout.contains("test accuracy of each path alone"), "{}", outcome.stdout);
    assert!(place.bytes("piped/model.safetensors") == place.bytes("model/model.safetensors"));
}

#[test]
fn compressed_tables_are_read_as_they_are() {
    let place = Workplace::new();
    place.write("reviews.csv", reviews(60));
    let status =
        std::process::Command::new("gzip").arg(place.path("reviews.csv")).status().unwrap();
    assert!(status.success());
    let outcome = train_on(&place, "reviews.csv.gz", &[]).succeeded();
    assert!(outcome.stderr.contains("reviews.csv.gz: 60 texts"), "{}", outcome.stderr);
    let whole = place.bytes("reviews.csv.gz");
    place.write("reviews.csv.gz", &whole[..whole.len() / 2]);
    train_on(&place, "reviews.csv.gz", &[]).failed(1, &["reviews.csv.gz", "gzip"]);
}

#[test]
fn nothing_that_exists_is_replaced_without_being_asked() {
    let place = Workplace::with_model();
    place.write("in.csv", "text\na good film\na bad film\n");
    place.write("diary.csv", "dear diary\n");
    let predict = |output: &str, more: &[&str]| {
        let args = ["predict", "--model", "model", "--input", "in.csv", "--output", output];
        place.run(&[&args[..], more].concat())
    };
    for output in ["diary.csv", "in.csv", "./in.csv"] {
        predict(output, &[]).failed(1, &["exists", "--force"]);
    }
    assert_eq!(place.read("diary.csv"), "dear diary\n");
    assert_eq!(place.read("in.csv"), "text\na good film\na bad film\n");
    predict("diary.csv", &["--force"]).succeeded();
    assert!(place.read("diary.csv").starts_with("text,predicted_label,probability\n"));
    predict("in.csv", &["--force"]).succeeded();
    // A second prediction goes beside the first.
    predict("in.csv", &["--force"]).succeeded();
    let table = place.read("in.csv");
    let header = "text,predicted_label,probability,predicted_label_2,probability_2\n";
    assert!(table.starts_with(header), "{table}");
}

#[test]
fn a_byte_order_mark_on_standard_input_is_no_part_of_the_text() {
    let place = Workplace::with_model();
    let args = ["predict", "--model", "model", "--json"];
    let plain = place.run_with_input(&args, b"a good film\na bad film\n").succeeded();
    let marked = place.run_with_input(&args, "\u{feff}a good film\r\na bad film".as_bytes());
    assert_eq!(marked.succeeded().stdout, plain.stdout);
}

#[test]
fn flags_for_tables_without_a_table_are_refused() {
    let place = Workplace::with_model();
    place
        .run(&["predict", "--model", "model", "--encoding", "latin1", "a good film"])
        .failed(1, &["--input"]);
}

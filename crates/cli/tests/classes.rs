//! Tasks of any number of classes, through the program alone: what it recognises and says, what it learns, measures
//! and predicts, and what it refuses.
#![allow(clippy::unwrap_used, reason = "a test that cannot read its files has failed")]

mod common;

use common::labelled::{
    GENRES, N_TEXTS, column, csv, genres_in_cells, genres_in_columns, genres_in_lists, message,
    messages, numbers, reversed, sentiments, stars,
};
use common::{Outcome, Workplace, sentence};
use serde_json::{Value, json};

/// For f32 sums in another order.
const TOLERANCE: f32 = 1e-6;

/// A folder with this table and a model trained on it in `model`, and how the training went.
#[track_caller]
fn trained(data: &str, table: &str, args: &[&str]) -> (Workplace, Outcome) {
    let place = Workplace::new();
    place.write(data, table);
    let outcome = place.train_on(data, &[&["--output", "model"], args].concat()).succeeded();
    (place, outcome)
}

/// A training that is refused with exit code 1; the first line of the error has each of `parts`.
#[track_caller]
fn refused(data: &str, table: &str, args: &[&str], parts: &[&str]) -> Outcome {
    let place = Workplace::new();
    place.write(data, table);
    let outcome = place.train_on(data, &[&["--output", "model"], args].concat()).failed(1, &[]);
    has_line(&outcome, "error: ", parts);
    assert!(!outcome.stderr.contains("epoch 1"), "it trained:\n{}", outcome.stderr);
    assert_eq!(place.names("."), [data], "something was left behind");
    outcome
}

/// Checks that standard error has exactly one line that starts so and has each of `parts`.
#[track_caller]
fn has_line(outcome: &Outcome, start: &str, parts: &[&str]) {
    let fits =
        |line: &&str| line.starts_with(start) && parts.iter().all(|part| line.contains(part));
    let n_lines = outcome.stderr.lines().filter(fits).count();
    assert_eq!(n_lines, 1, "lines with {start:?} and {parts:?} in:\n{}", outcome.stderr);
}

/// Evaluates `model` here.
#[track_caller]
fn figures(place: &Workplace, args: &[&str]) -> Value {
    place.run(&[&["evaluate", "--model", "model", "--json"], args].concat()).succeeded().json()
}

/// The answers of `model` to these texts.
#[track_caller]
fn answers(place: &Workplace, args: &[&str]) -> Vec<Value> {
    let args = [&["predict", "--model", "model", "--json"], args].concat();
    let outcome = place.run(&args).succeeded();
    outcome.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The table of answers of a model to `input`, as CSV.
#[track_caller]
fn table(place: &Workplace, model: &str, input: &str, args: &[&str]) -> String {
    let all = ["predict", "--model", model, "--input", input, "--output", "answers.csv", "--force"];
    place.run(&[&all, args].concat()).succeeded();
    place.read("answers.csv")
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

/// The words of each line.
fn rows(table: &str) -> Vec<Vec<&str>> {
    table.lines().map(|line| line.split_whitespace().collect()).collect()
}

#[track_caller]
fn assert_close(got: &[f32], expected: &[f32]) {
    assert_eq!(got.len(), expected.len());
    for (got, expected) in got.iter().zip(expected) {
        assert!((got - expected).abs() <= TOLERANCE, "{got} {expected}");
    }
}

// One of several classes.

#[test]
fn three_classes_are_recognised_told_and_learned() {
    let (place, outcome) = trained("topics.csv", &sentiments(), &["--json"]);
    let told = "topics.csv: label column \"label\": three classes: \"negative\", \"neutral\", \"positive\"";
    assert!(outcome.stderr.contains(told), "{}", outcome.stderr);
    let report = &outcome.json()["report"];
    let task = json!({ "kind": "one-of", "classes": ["negative", "neutral", "positive"] });
    assert_eq!(report["task"], task);
    assert_eq!(report["model"]["output_size"], 3);
    // One text in eleven has the words of another class.
    assert!(number(&report["test"]["accuracy"]) > 0.7, "{}", report["test"]);
    let evaluated = figures(&place, &[]);
    assert_eq!(evaluated["task"], task);
    for name in ["loss", "accuracy", "macro_f1", "confusion", "brier", "top_k"] {
        assert_eq!(evaluated[name], report["test"][name], "{name}");
    }
}

#[test]
fn the_figures_of_three_classes_belong_together_and_the_table_holds_them() {
    let (place, _) = trained("topics.csv", &sentiments(), &[]);
    let args = ["--data", "topics.csv", "--split", "all"];
    let json = figures(&place, &args);
    let classes = json["classes"].as_array().unwrap();
    let confusion: Vec<Vec<f64>> = serde_json::from_value(json["confusion"].clone()).unwrap();
    let total: f64 = confusion.iter().flatten().sum();
    assert_eq!(total as usize, N_TEXTS);
    let right: f64 = (0..3).map(|class| confusion[class][class]).sum();
    assert!(right < total, "nothing is wrong, so nothing is tested");
    assert!((number(&json["accuracy"]) - right / total).abs() < 1e-9);

    let names = ["negative", "neutral", "positive"];
    for (class, name) in names.into_iter().enumerate() {
        let of_class = &classes[class];
        assert_eq!(of_class["name"], name);
        let of_label: f64 = confusion[class].iter().sum();
        let predicted: f64 = confusion.iter().map(|row| row[class]).sum();
        let hits = confusion[class][class];
        assert_eq!(number(&of_class["n_texts"]), of_label);
        assert_eq!(number(&of_class["n_predicted"]), predicted);
        assert!((number(&of_class["precision"]) - hits / predicted).abs() < 1e-9);
        assert!((number(&of_class["recall"]) - hits / of_label).abs() < 1e-9);
        let interval = &json["intervals"][format!("classes.{name}.recall")];
        let [low, high] = [0, 1].map(|end| number(&interval[end]));
        assert!(low <= hits / of_label && hits / of_label <= high, "{name}: {interval}");
    }
    let f1: f64 = classes.iter().map(|class| number(&class["f1"])).sum();
    assert!((number(&json["macro_f1"]) - f1 / 3.0).abs() < 1e-9);

    let args = [&["evaluate", "--model", "model"], &args[..]].concat();
    let told = place.run(&args).succeeded().stdout;
    let rows = rows(&told);
    for (name, field) in
        [(&["accuracy"][..], "accuracy"), (&["macro", "F1"], "macro_f1"), (&["kappa"], "kappa")]
    {
        let bounds = [0, 1].map(|end| number(&json["intervals"][field][end]));
        let value = format!("{:.4}", number(&json[field]));
        let (low, high) = (format!("[{:.4},", bounds[0]), format!("{:.4}]", bounds[1]));
        let expected = [name, &[&value, &low, &high]].concat();
        assert!(rows.iter().any(|row| row.starts_with(&expected)), "{expected:?} in:\n{told}");
    }
    for (class, name) in names.into_iter().enumerate() {
        let of_class = ["n_texts", "precision", "recall", "f1"].map(|field| {
            let value = &classes[class][field];
            if field == "n_texts" { value.to_string() } else { format!("{:.4}", number(value)) }
        });
        let of_class = of_class.iter().map(String::as_str);
        let expected: Vec<&str> = [name].into_iter().chain(of_class).collect();
        assert!(rows.contains(&expected), "{expected:?} in:\n{told}");
        let counts: Vec<String> = confusion[class].iter().map(f64::to_string).collect();
        let counts = counts.iter().map(String::as_str);
        let expected: Vec<&str> = ["is", name].into_iter().chain(counts).collect();
        assert!(rows.contains(&expected), "{expected:?} in:\n{told}");
    }
}

#[test]
fn an_answer_is_the_most_probable_class_and_its_probability() {
    let (place, _) = trained("topics.csv", &sentiments(), &[]);
    let texts = ["an awful film", "a great plot", "an okay cast", "rain"];
    let all = answers(&place, &[&["--top", "3"], &texts[..]].concat());
    for answer in &all {
        let top = answer["top"].as_array().unwrap();
        let mut names: Vec<&str> = top.iter().map(|one| one["label"].as_str().unwrap()).collect();
        let probabilities: Vec<f64> = top.iter().map(|one| number(&one["probability"])).collect();
        assert!(probabilities.is_sorted_by(|a, b| a >= b), "{answer}");
        assert!((probabilities.iter().sum::<f64>() - 1.0).abs() < 1e-5, "{answer}");
        assert_eq!(answer["label"], names[0]);
        assert_eq!(number(&answer["probability"]), probabilities[0]);
        names.sort_unstable();
        assert_eq!(names, ["negative", "neutral", "positive"]);
    }
    for (answer, label) in all.iter().zip(["negative", "positive", "neutral"]) {
        assert_eq!(answer["label"], label);
    }
    // More than there are classes is all of them.
    assert_eq!(answers(&place, &["--top", "9", "rain"])[0], all[3]);
    let two = &answers(&place, &["--top", "2", "rain"])[0];
    assert_eq!(two["top"].as_array().unwrap()[..], all[3]["top"].as_array().unwrap()[..2]);

    let said = |args: &[&str]| {
        let args = [&["predict", "--model", "model"], args, &["an awful film"]].concat();
        place.run(&args).succeeded().stdout
    };
    let [first, second] = [0, 1].map(|place| &all[0]["top"][place]);
    let [p, next] = [first, second].map(|one| format!("{:.4}", number(&one["probability"])));
    assert_eq!(said(&[]), format!("negative  {p}  an awful film\n"));
    let second = second["label"].as_str().unwrap();
    let expected = format!("negative  {p}  [negative {p}, {second} {next}]  an awful film\n");
    assert_eq!(said(&["--top", "2"]), expected);
}

#[test]
fn a_model_that_is_uncertain_abstains_if_asked() {
    let (place, _) = trained("topics.csv", &sentiments(), &[]);
    // The second text has no word that tells anything.
    let texts = ["an awful film", "rain"];
    let unasked = answers(&place, &texts);
    let [sure, unsure] = [0, 1].map(|text: usize| number(&unasked[text]["probability"]));
    assert!(sure > unsure + 0.1, "{unasked:?}");
    let between = format!("{:.4}", sure.midpoint(unsure));
    let args = [&["--abstain", &between], &texts[..]].concat();
    let asked = answers(&place, &args);
    assert_eq!(asked[0], unasked[0]);
    assert_eq!(asked[1]["label"], Value::Null);
    assert_eq!(asked[1]["probability"], unasked[1]["probability"]);
    let said = place.run(&[&["predict", "--model", "model"], &args[..]].concat()).succeeded();
    let p = format!("?  {unsure:.4}  rain");
    assert_eq!(said.stdout.lines().nth(1), Some(p.as_str()));

    place.write("in.csv", "text\nan awful film\nrain\n");
    let args = ["predict", "--model", "model", "--input", "in.csv", "--output", "out.csv"];
    let outcome = place.run(&[&args[..], &["--abstain", &between]].concat()).succeeded();
    has_line(&outcome, "out.csv: no label for 1 text", &["less certain than", &between]);
    let answers = place.read("out.csv");
    assert_eq!(column(&answers, "predicted_label"), ["negative", ""]);
    let expected: Vec<f32> =
        unasked.iter().map(|answer| number(&answer["probability"]) as f32).collect();
    assert_close(&numbers(&answers, "probability"), &expected);

    for wrong in ["1.5", "-0.1", "most"] {
        let wrong = format!("--abstain={wrong}");
        let args = ["predict", "--model", "model", &wrong, "rain"];
        place.run(&args).failed(2, &["--abstain", "a probability from 0 to 1"]);
    }
}

#[test]
fn every_format_of_a_table_gets_the_same_answers() {
    let (place, _) = trained("topics.csv", &sentiments(), &[]);
    let texts = ["an awful film", "a great plot", "rain"];
    place.write("in.csv", format!("id,text\n1,{}\n2,{}\n3,{}\n", texts[0], texts[1], texts[2]));
    for output in ["out.csv", "out.jsonl", "out.parquet"] {
        let args = ["predict", "--model", "model", "--input", "in.csv", "--output", output];
        let outcome = place.run(&[&args[..], &["--top", "2"]].concat()).succeeded();
        let names = ["predicted_label", "probability", "top_1_label", "top_1_probability"];
        has_line(&outcome, &format!("{output}: 3 texts with columns "), &names);
    }
    let names =
        "predicted_label,probability,top_1_label,top_1_probability,top_2_label,top_2_probability";
    let answers_of_table = place.read("out.csv");
    assert_eq!(answers_of_table.lines().next().unwrap(), format!("id,text,{names}"));

    let expected = answers(&place, &[&["--top", "2"], &texts[..]].concat());
    let lines = place.read("out.jsonl");
    // The program itself reads the Parquet file: it copies the columns of its input.
    let copied = table(&place, "model", "out.parquet", &[]);
    assert!(copied.starts_with(&format!("id,text,{names},predicted_label_2")), "{copied}");
    for (row, (answer, line)) in expected.iter().zip(lines.lines()).enumerate() {
        let line: Value = serde_json::from_str(line).unwrap();
        let top = |place: usize| &answer["top"][place];
        for (name, value) in [
            ("predicted_label", &answer["label"]),
            ("top_1_label", &top(0)["label"]),
            ("top_2_label", &top(1)["label"]),
        ] {
            assert_eq!(&line[name], value);
            assert_eq!(column(&answers_of_table, name)[row], value.as_str().unwrap());
            assert_eq!(column(&copied, name)[row], value.as_str().unwrap());
        }
        for (name, value) in [
            ("probability", &answer["probability"]),
            ("top_1_probability", &top(0)["probability"]),
            ("top_2_probability", &top(1)["probability"]),
        ] {
            let value = [number(value) as f32];
            assert_close(&[number(&line[name]) as f32], &value);
            assert_close(&[numbers(&answers_of_table, name)[row]], &value);
            assert_close(&[numbers(&copied, name)[row]], &value);
        }
    }
}

// Two classes with names of their own.

#[test]
fn of_two_classes_the_positive_one_is_told_and_probabilities_are_its() {
    let (place, outcome) = trained("mail.csv", &messages(), &["--json"]);
    let told = "mail.csv: label column \"label\": two classes, \"ham\" and \"spam\" (positive)";
    assert!(outcome.stderr.contains(told), "{}", outcome.stderr);
    let report = &outcome.json()["report"];
    assert_eq!(report["task"], json!({ "kind": "binary", "classes": ["ham", "spam"] }));

    let all = answers(&place, &["--top", "2", "a prize", "a meeting"]);
    for (answer, label) in all.iter().zip(["spam", "ham"]) {
        let p = number(&answer["probability"]);
        assert_eq!(answer["label"], label);
        assert_eq!(p > 0.5, label == "spam", "{answer}");
        let top = answer["top"].as_array().unwrap();
        assert_eq!(top[0]["label"], label);
        let of_spam = top.iter().find(|one| one["label"] == "spam").unwrap();
        assert_eq!(number(&of_spam["probability"]), p);
        assert!(
            (number(&top[0]["probability"]) + number(&top[1]["probability"]) - 1.0).abs() < 1e-5
        );
    }
    let said = place.run(&["predict", "--model", "model", "a meeting"]).succeeded().stdout;
    assert_eq!(said, format!("ham  {:.4}  a meeting\n", number(&all[1]["probability"])));

    let told = place.run(&["evaluate", "--model", "model"]).succeeded().stdout;
    for part in
        ["(of texts predicted spam)", "(of spam texts)", "(of ham texts)", "is ham", "is spam"]
    {
        assert!(told.contains(part), "no {part:?} in:\n{told}");
    }
}

// Several labels per text.

#[test]
fn cells_columns_and_lists_of_several_labels_are_the_same_task() {
    let columns = GENRES.map(|genre| ["--label-column", genre]).concat();
    let sorted = ["comedy", "crime", "drama"];
    for (data, content, args, classes) in [
        ("cells.csv", genres_in_cells("|"), &[][..], sorted),
        ("cells.csv", genres_in_cells(" ; "), &[], sorted),
        ("cells.csv", genres_in_cells("/"), &["--label-separator", "/"], sorted),
        ("lists.jsonl", genres_in_lists(), &[], sorted),
        ("columns.csv", genres_in_columns(), &columns[..], GENRES),
    ] {
        let (place, outcome) = trained(data, &content, &[args, &["--json"]].concat());
        let report = &outcome.json()["report"];
        assert_eq!(report["task"], json!({ "kind": "any-of", "classes": classes }), "{data}");
        assert!(number(&report["test"]["micro_f1"]) > 0.9, "{}", report["test"]);
        if data != "columns.csv" {
            let told = "any number of three labels per text: \"comedy\", \"crime\", \"drama\"";
            assert!(outcome.stderr.contains(told), "{}", outcome.stderr);
        }
        let json = figures(&place, &[]);
        let names: Vec<&str> = json["classes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["name"].as_str().unwrap())
            .collect();
        assert_eq!(names, classes, "{data}");
        let answers = answers(&place, &["a funny film", "sad murder", "plain"]);
        let mut both = vec!["drama", "crime"];
        both.sort_by_key(|one| names.iter().position(|name| name == one));
        for (answer, labels) in answers.iter().zip([json!(["comedy"]), json!(both), json!([])]) {
            assert_eq!(answer["labels"], labels, "{data}");
        }
    }
}

#[test]
fn answers_of_several_labels_have_a_probability_for_each() {
    let (place, _) = trained("genres.csv", &genres_in_cells("|"), &[]);
    let texts = ["a funny film", "sad murder", "plain"];
    let answers = answers(&place, &[&["--top", "3"], &texts[..]].concat());
    for answer in &answers {
        let probabilities = answer["probabilities"].as_object().unwrap();
        let decided: Vec<&str> = probabilities
            .iter()
            .filter(|(_, p)| number(p) >= 0.5)
            .map(|(name, _)| name.as_str())
            .collect();
        assert_eq!(answer["labels"], json!(decided));
        for one in answer["top"].as_array().unwrap() {
            assert_eq!(one["probability"], probabilities[one["label"].as_str().unwrap()]);
        }
    }

    place.write("in.csv", texts.iter().fold("text\n".to_string(), |all, text| all + text + "\n"));
    let table = table(&place, "model", "in.csv", &["--top", "1"]);
    let names = "text,predicted_label,probability_of_comedy,probability_of_crime,probability_of_drama,\
                 top_1_label,top_1_probability";
    assert_eq!(table.lines().next().unwrap(), names);
    assert_eq!(column(&table, "predicted_label"), ["comedy", "crime|drama", ""]);
    for genre in GENRES {
        let expected: Vec<f32> =
            answers.iter().map(|answer| number(&answer["probabilities"][genre]) as f32).collect();
        assert_close(&numbers(&table, &format!("probability_of_{genre}")), &expected);
    }

    let said = place.run(&[&["predict", "--model", "model"], &texts[..]].concat()).succeeded();
    let lines: Vec<&str> = said.stdout.lines().collect();
    assert!(lines[0].starts_with("comedy 0.") && lines[0].ends_with("  a funny film"), "{lines:?}");
    assert!(lines[1].starts_with("crime ") && lines[1].contains(", drama "), "{lines:?}");
    assert_eq!(lines[2], "-  plain");
}

// Renamed, merged and skipped labels.

#[test]
fn labels_are_merged_and_skipped_as_told() {
    let map = ["--labels", "1,2=low; 5=skip; 10=high", "--json"];
    let (place, outcome) = trained("stars.csv", &stars(), &map);
    has_line(&outcome, "stars.csv: left out 60 rows", &["label map"]);
    has_line(
        &outcome,
        "stars.csv: label column",
        &["two classes, \"low\" and \"high\" (positive)"],
    );
    let report = &outcome.json()["report"];
    assert_eq!(report["task"], json!({ "kind": "binary", "classes": ["low", "high"] }));
    // The test split is made of the same rows again.
    assert_eq!(figures(&place, &[])["loss"], report["test"]["loss"]);
    // Other data may be labelled by the names, or mapped.
    place.write("named.csv", "text,label\na great film,high\nawful,LOW\n");
    assert_eq!(figures(&place, &["--data", "named.csv"])["accuracy"], 1.0);
    place.write("other.csv", stars());
    let other = figures(&place, &["--data", "other.csv", "--labels", "1,2=low; 5=skip; 10=high"]);
    assert_eq!(other["n_rows"], 180);
    assert!(number(&other["accuracy"]) > 0.7, "{other}");

    let (_, outcome) = trained("stars.csv", &stars(), &["--labels", "1,2=low; *=keep", "--json"]);
    assert_eq!(outcome.json()["report"]["model"]["output_size"], 3);
    let told = &outcome.stderr;
    assert!(told.contains("three classes: \"10\", \"5\", \"low\""), "{told}");
}

#[test]
fn a_value_that_no_map_names_is_refused_with_advice() {
    let map = ["--labels", "1,2=low; 10=high"];
    let parts =
        ["stars.csv, row 3 (line 4)", "label \"5\" is not in the label map (1,2=low; 10=high)"];
    let outcome = refused("stars.csv", &stars(), &map, &parts);
    let advice = "Add it to --labels, for example 5=skip, or decide about all other values with *=skip or *=keep.";
    assert!(outcome.stderr.contains(advice), "{}", outcome.stderr);
    let all = ["--labels", "1,2,5,10=skip"];
    refused("stars.csv", &stars(), &all, &["stars.csv", "the label map leaves out all 240 rows"]);
    let one = ["--labels", "1=low; *=skip"];
    refused("stars.csv", &stars(), &one, &["all 60 rows are labelled low", "at least two classes"]);
    for (map, part) in [
        ("1,2", "not of the form values=name"),
        ("1=low; 1=high", "the value \"1\" is named twice"),
        ("1=low; *=other", "\"*\" can only be skip or keep"),
        ("", "names no value"),
    ] {
        let args = ["train", "--data", "stars.csv", "--labels", map];
        Workplace::new().run(&args).failed(2, &["--labels", part]);
    }
}

#[test]
fn numbers_have_a_mean_absolute_error_and_names_have_none() {
    let (place, _) = trained("stars.csv", &stars(), &[]);
    let args = ["--data", "stars.csv", "--split", "all"];
    let json = figures(&place, &args);
    assert_eq!(json["task"]["classes"], json!(["1", "2", "5", "10"]));
    const STARS: [f64; 4] = [1.0, 2.0, 5.0, 10.0];
    let confusion: Vec<Vec<f64>> = serde_json::from_value(json["confusion"].clone()).unwrap();
    let off: f64 = (0..4)
        .flat_map(|label| (0..4).map(move |predicted| (label, predicted)))
        .map(|(label, predicted)| {
            (STARS[label] - STARS[predicted]).abs() * confusion[label][predicted]
        })
        .sum();
    assert!(off > 0.0, "nothing is wrong, so nothing is tested");
    let error = number(&json["mean_absolute_error"]);
    assert!((error - off / N_TEXTS as f64).abs() < 1e-9, "{json}");
    let told = place.run(&[&["evaluate", "--model", "model"], &args[..]].concat()).succeeded();
    assert!(told.stdout.contains(&format!("MAE        {error:.4}")), "{}", told.stdout);

    let (place, _) = trained("topics.csv", &sentiments(), &[]);
    assert_eq!(figures(&place, &[]).get("mean_absolute_error"), None);
}

// Weights.

/// The probability of spam for a text that is spam in one case of three.
#[track_caller]
fn spam_of_an_offer(place: &Workplace) -> f64 {
    number(&answers(place, &["an offer"])[0]["probability"])
}

#[test]
fn class_weights_reach_the_report_and_the_probabilities() {
    let (place, outcome) = trained("mail.csv", &messages(), &["--json"]);
    assert_eq!(outcome.json()["report"]["training"]["class_weights"], "none");
    let unweighted = spam_of_an_offer(&place);
    for (weights, reported) in [
        ("balanced", json!("balanced")),
        ("spam=4", json!({ "spam": 4.0 })),
        ("ham=0.25", json!({ "ham": 0.25 })),
    ] {
        let args = ["--class-weights", weights, "--json"];
        let (place, outcome) = trained("mail.csv", &messages(), &args);
        let stored: Value = serde_json::from_str(&place.read("model/metrics.json")).unwrap();
        for report in [&outcome.json()["report"], &stored] {
            assert_eq!(report["training"]["class_weights"], reported);
        }
        let weighted = spam_of_an_offer(&place);
        assert!(weighted > unweighted, "{weights}: {weighted} {unweighted}");
    }
    let args = ["--class-weights", "negative=3,neutral=0.5", "--json"];
    let (_, outcome) = trained("topics.csv", &sentiments(), &args);
    let reported = &outcome.json()["report"]["training"]["class_weights"];
    assert_eq!(reported, &json!({ "negative": 3.0, "neutral": 0.5 }));
}

#[test]
fn weights_of_classes_that_there_are_not_are_refused() {
    let weights = ["--class-weights", "positive=2,netural=3"];
    let parts = [
        "class_weights names \"netural\", which is not a class",
        "\"negative\", \"neutral\", \"positive\"",
        "(did you mean \"neutral\"?)",
    ];
    refused("topics.csv", &sentiments(), &weights, &parts);
    for wrong in ["netural", "negative=0", "negative=-1", "negative=nan", "negative=many", ""] {
        let args = ["train", "--data", "topics.csv", "--class-weights", wrong];
        Workplace::new()
            .run(&args)
            .failed(2, &["none, auto, balanced, or weights above 0 by class"]);
    }
}

#[test]
fn weights_of_rows_reach_the_report_and_the_probabilities() {
    let weighted = |of_spam: &str| {
        let cells = |idx| {
            let (word, is_spam) = message(idx);
            let cells = if is_spam { format!("spam,{of_spam}") } else { "ham,1".to_string() };
            (word.to_string(), cells)
        };
        csv(cells).replacen("label", "label,importance", 1)
    };
    let (place, _) = trained("mail.csv", &weighted("4"), &[]);
    let unweighted = spam_of_an_offer(&place);
    let args = ["--weight-column", "importance", "--json"];
    let (place, outcome) = trained("mail.csv", &weighted("4"), &args);
    assert_eq!(outcome.json()["report"]["data"]["weight_column"], "importance");
    let probability = spam_of_an_offer(&place);
    assert!(probability > unweighted + 0.1, "{probability} {unweighted}");
    // Figures count texts.
    assert_eq!(figures(&place, &[])["loss"], outcome.json()["report"]["test"]["loss"]);

    for wrong in ["-1", "nan", "inf", "high"] {
        let parts = ["mail.csv, row 1 (line 2)", wrong, "not a number of at least 0"];
        refused("mail.csv", &weighted(wrong), &["--weight-column", "importance"], &parts);
    }
    let typo = ["--weight-column", "importence"];
    refused("mail.csv", &weighted("4"), &typo, &["did you mean \"importance\"?"]);
}

// Thresholds.

/// The thresholds in `config.json`.
#[track_caller]
fn thresholds(place: &Workplace, model: &str) -> Vec<f32> {
    let config = place.read(format!("{model}/config.json"));
    let config: Value = serde_json::from_str(&config).unwrap();
    serde_json::from_value(config["thresholds"].clone()).unwrap()
}

#[test]
fn a_threshold_for_recall_stays_with_the_model_and_decides() {
    let (place, _) = trained("mail.csv", &messages(), &[]);
    let args = ["--output", "careful", "--threshold", "recall=1"];
    let told = place.train_on("mail.csv", &args).succeeded().stdout;
    assert!(told.contains("thresholds: a text is spam from a probability of 0."), "{told}");
    let [threshold] = thresholds(&place, "careful")[..] else {
        unreachable!("two classes have one threshold");
    };
    assert!(threshold < 0.45, "offers are spam in one case of three: {threshold}");

    let [usual, careful] = ["model", "careful"].map(|model| table(&place, model, "mail.csv", &[]));
    let probabilities = numbers(&usual, "probability");
    assert_close(&numbers(&careful, "probability"), &probabilities);
    let labels = |table: &str| column(table, "predicted_label");
    let decided = |threshold: f32| -> Vec<&str> {
        probabilities.iter().map(|&p| if p >= threshold { "spam" } else { "ham" }).collect()
    };
    assert_eq!(labels(&usual), decided(0.5));
    assert_eq!(labels(&careful), decided(threshold));
    assert_ne!(labels(&usual), labels(&careful));

    let told = place.run(&["evaluate", "--model", "careful"]).succeeded().stdout;
    let line = format!("threshold  {threshold:.4}   (probability from which a text is spam)");
    assert!(told.lines().any(|one| one == line), "no {line:?} in:\n{told}");
    let args = ["evaluate", "--model", "careful", "--json", "--data", "mail.csv", "--split", "all"];
    let json = place.run(&args).succeeded().json();
    assert!((number(&json["threshold"]) as f32 - threshold).abs() < TOLERANCE);
    let counts = &json["confusion"];
    let predicted = number(&counts["true_positive"]) + number(&counts["false_positive"]);
    let n_spam = labels(&careful).iter().filter(|label| *label == "spam").count();
    assert_eq!(predicted as usize, n_spam);
    let told = place.run(&["evaluate", "--model", "model"]).succeeded().stdout;
    assert!(!told.contains("threshold"), "{told}");
}

#[test]
fn labels_have_thresholds_of_their_own() {
    let cells = |idx| {
        let (word, is_spam) = message(idx);
        let is_night = idx % 5 < 2;
        let words = format!("{word}{}", if is_night { " moon" } else { "" });
        (words, format!("{},{}", u8::from(is_spam), u8::from(is_night)))
    };
    let table_of_rows = csv(cells).replacen("label", "spam,night", 1);
    let args = ["--label-column", "spam", "--label-column", "night", "--threshold", "recall=1"];
    let (place, outcome) = trained("mail.csv", &table_of_rows, &args);
    let told = "thresholds: a label is predicted from a probability of ";
    assert!(outcome.stdout.contains(told), "{}", outcome.stdout);
    let [spam, night] = thresholds(&place, "model")[..] else {
        unreachable!("two labels have two thresholds");
    };
    assert!(spam < 0.45, "offers are spam in one case of three: {spam}");
    let table = table(&place, "model", "mail.csv", &[]);
    let [of_spam, of_night] =
        ["probability_of_spam", "probability_of_night"].map(|name| numbers(&table, name));
    for (row, label) in column(&table, "predicted_label").iter().enumerate() {
        let decided = [("spam", of_spam[row] >= spam), ("night", of_night[row] >= night)];
        let names: Vec<&str> =
            decided.iter().filter_map(|&(name, is_it)| is_it.then_some(name)).collect();
        assert_eq!(label, &names.join("|"));
    }
    assert!(of_spam.iter().any(|&p| p >= spam && p < 0.5), "no text shows the threshold");
}

#[test]
fn of_several_classes_probabilities_are_divided_by_thresholds() {
    // An offer is more often ham, but no other text is spam.
    let mail = csv(|idx| match message(idx) {
        ("prize", _) => ("paper".to_string(), "news".to_string()),
        (word, is_spam) => (word.to_string(), ["ham", "spam"][usize::from(is_spam)].to_string()),
    });
    let (place, outcome) = trained("mail.csv", &mail, &["--threshold", "f1"]);
    let told = "thresholds: the largest probability decides after division by ";
    assert!(outcome.stdout.contains(told), "{}", outcome.stdout);
    let thresholds = thresholds(&place, "model");
    let names = ["ham", "news", "spam"];
    let table = table(&place, "model", "mail.csv", &["--top", "3"]);
    let labels = column(&table, "predicted_label");
    let top = [1, 2, 3].map(|place| {
        let of_place = |what: &str| format!("top_{place}_{what}");
        (column(&table, &of_place("label")), numbers(&table, &of_place("probability")))
    });
    for (row, label) in labels.iter().enumerate() {
        let divided = top.iter().map(|(labels, probabilities)| {
            let class = names.iter().position(|name| *name == labels[row]).unwrap();
            (&labels[row], probabilities[row] / thresholds[class])
        });
        let best = divided.max_by(|(_, a), (_, b)| a.total_cmp(b)).unwrap().0;
        assert_eq!(label, best, "row {}", row + 1);
    }
    assert_ne!(labels, top[0].0, "no text shows the thresholds");

    for goal in ["recall=0.9", "precision=0.9", "cost=5:1"] {
        let parts =
            [goal, "needs two classes, or texts with several labels", "only f1 is possible"];
        refused("topics.csv", &sentiments(), &["--threshold", goal], &parts);
    }
    for goal in ["recall", "recall=2", "precision=0", "cost=5", "f2"] {
        let args = ["train", "--data", "topics.csv", "--threshold", goal];
        Workplace::new().run(&args).failed(2, &["f1, recall=R, precision=P", "cost=5:1"]);
    }
}

// Other data than the model was trained on.

/// [`sentiments`] with labels replaced.
fn relabelled(from_to: &[(&str, &str)]) -> String {
    let replace = |line: &str| {
        let (text, label) = line.split_once(',').unwrap();
        let to = from_to.iter().find(|(from, _)| *from == label).map_or(label, |(_, to)| to);
        format!("{text},{to}\n")
    };
    sentiments().lines().map(replace).collect()
}

#[test]
fn classes_without_texts_in_other_data_are_named() {
    let (place, _) = trained("topics.csv", &sentiments(), &[]);
    let all = sentiments();
    let some: Vec<&str> = all.lines().filter(|line| !line.ends_with(",neutral")).collect();
    place.write("some.csv", some.join("\n"));
    let args = ["evaluate", "--model", "model", "--data", "some.csv"];
    let outcome = place.run(&args).succeeded();
    let parts = ["1 of 3 classes has no texts in the evaluation data (\"neutral\")"];
    has_line(&outcome, "warning: ", &parts);
    let rows = rows(&outcome.stdout);
    assert!(rows.contains(&vec!["neutral", "0", "-", "-", "-"]), "{}", outcome.stdout);
    let json = figures(&place, &["--data", "some.csv"]);
    assert_eq!(json["n_rows"], 160);
    assert_eq!(json["classes"][1]["n_texts"], 0);
    let warnings = json["warnings"].as_array().unwrap();
    assert!(warnings.iter().any(|one| one.as_str().unwrap().contains(parts[0])), "{json}");
}

#[test]
fn a_label_that_the_model_does_not_know_is_refused() {
    let (place, _) = trained("topics.csv", &sentiments(), &[]);
    let evaluate = |extra: &str, args: &[&str]| {
        place.write("more.csv", sentiments() + extra);
        place.run(&[&["evaluate", "--model", "model", "--data", "more.csv"], args].concat())
    };
    let outcome =
        evaluate("an odd film,strange\n", &[]).failed(1, &["--labels \"strange=skip; *=keep\""]);
    let parts = [
        "more.csv, row 241 (line 242): label \"strange\" is not a class of the model",
        "its classes are \"negative\", \"neutral\", \"positive\"",
    ];
    has_line(&outcome, "error: ", &parts);
    let outcome = evaluate("an odd film,Positiv\n", &[])
        .failed(1, &["--labels \"Positiv=positive; *=keep\""]);
    has_line(&outcome, "error: ", &["more.csv, row 241", "(did you mean \"positive\"?)"]);
    // The advice helps.
    let outcome =
        evaluate("an odd film,strange\n", &["--labels", "strange=skip; *=keep"]).succeeded();
    has_line(&outcome, "more.csv: left out 1 row,", &["label map"]);
    evaluate("an odd film,Positiv\n", &["--labels", "Positiv=positive; *=keep"]).succeeded();
    // Two classes, and several labels per text.
    let (place, _) = trained("mail.csv", &messages(), &[]);
    place.write("other.csv", sentiments());
    place
        .run(&["evaluate", "--model", "model", "--data", "other.csv"])
        .failed(1, &["row 1 (line 2): label \"neutral\" is not a class", "\"ham\", \"spam\""]);
    let (place, _) = trained("genres.csv", &genres_in_cells("|"), &[]);
    place.write("other.csv", genres_in_cells("|") + "an odd film,comedy|romance\n");
    place.run(&["evaluate", "--model", "model", "--data", "other.csv"]).failed(
        1,
        &[
            "row 241 (line 242): label \"romance\" is not a class",
            "\"comedy\", \"crime\", \"drama\"",
        ],
    );
}

/// Checks that all figures of two evaluations are equal, but for the last digits of sums. Intervals depend on the
/// order of the texts.
#[track_caller]
fn assert_same_figures(got: &Value, expected: &Value) {
    match (got, expected) {
        (Value::Object(got), Value::Object(expected)) => {
            assert!(got.keys().eq(expected.keys()));
            for ((name, got), expected) in got.iter().zip(expected.values()) {
                if name != "intervals" {
                    assert_same_figures(got, expected);
                }
            }
        }
        (Value::Array(got), Value::Array(expected)) => {
            assert_eq!(got.len(), expected.len());
            for (got, expected) in got.iter().zip(expected) {
                assert_same_figures(got, expected);
            }
        }
        (Value::Number(got), Value::Number(expected)) => {
            let [got, expected] = [got, expected].map(|one| one.as_f64().unwrap());
            assert!((got - expected).abs() < 1e-9, "{got} {expected}");
        }
        _ => assert_eq!(got, expected),
    }
}

#[test]
fn the_order_of_rows_changes_neither_classes_nor_figures() {
    let columns = GENRES.map(|genre| ["--label-column", genre]).concat();
    for (content, args) in [
        (sentiments(), &[][..]),
        (messages(), &[]),
        (genres_in_cells("|"), &[]),
        (genres_in_columns(), &columns[..]),
    ] {
        let (place, outcome) = trained("forwards.csv", &content, &[args, &["--json"]].concat());
        let task = &outcome.json()["report"]["task"];
        // Another label comes first.
        place.write("backwards.csv", reversed(&content));
        let args = [args, &["--split", "all", "--data"]].concat();
        let [forwards, backwards] = ["forwards.csv", "backwards.csv"]
            .map(|data| figures(&place, &[&args[..], &[data]].concat()));
        assert_eq!(&forwards["task"], task);
        assert_same_figures(&backwards, &forwards);
    }
    let (_, outcome) = trained("backwards.csv", &reversed(&sentiments()), &["--json"]);
    let classes = &outcome.json()["report"]["task"]["classes"];
    assert_eq!(classes, &json!(["negative", "neutral", "positive"]));
}

#[test]
fn labels_that_are_swapped_are_named() {
    let (place, _) = trained("topics.csv", &sentiments(), &[]);
    place.write("swapped.csv", relabelled(&[("negative", "positive"), ("positive", "negative")]));
    let args = ["evaluate", "--model", "model", "--data", "swapped.csv"];
    let outcome = place.run(&args).succeeded();
    let parts = [
        "most \"negative\" texts are predicted \"positive\"",
        "most \"positive\" texts are predicted \"negative\"",
        "check whether the labels are swapped",
    ];
    has_line(&outcome, "warning: ", &parts);
    assert!(!outcome.stderr.contains("most \"neutral\""), "{}", outcome.stderr);
    place.write("topics.csv", sentiments());
    let args = ["evaluate", "--model", "model", "--data", "topics.csv", "--split", "all"];
    let outcome = place.run(&args).succeeded();
    assert!(!outcome.stderr.contains("swapped"), "{}", outcome.stderr);

    let (place, _) = trained("mail.csv", &messages(), &[]);
    place.write(
        "swapped.csv",
        csv(|idx| {
            let (word, is_spam) = message(idx);
            (word.to_string(), ["spam", "ham"][usize::from(is_spam)].to_string())
        }),
    );
    let args = ["evaluate", "--model", "model", "--data", "swapped.csv"];
    let parts =
        ["most \"ham\" texts are predicted \"spam\"", "most \"spam\" texts are predicted \"ham\""];
    has_line(&place.run(&args).succeeded(), "warning: ", &parts);
}

// Labels that are hardly any.

#[test]
fn one_class_is_refused() {
    let one = csv(|idx| (["apple", "pear"][idx % 2].to_string(), "ham".to_string()));
    let parts =
        ["mail.csv: all 240 rows are labelled ham", "a classifier needs at least two classes"];
    refused("mail.csv", &one, &[], &parts);
    let one = csv(|idx| (["apple", "pear"][idx % 2].to_string(), "positive".to_string()));
    refused("reviews.csv", &one, &[], &["all 240 rows are labelled positive", "both classes"]);
    let none = genres_in_lists();
    let none: String =
        none.lines().filter(|line| line.ends_with("[]}")).map(|line| format!("{line}\n")).collect();
    refused("genres.jsonl", &none, &[], &["none of the 30 rows has a label"]);
}

#[test]
fn a_thousand_classes_of_a_row_each_are_refused() {
    let mut all = String::from("text,label\n");
    for idx in 0..1000 {
        all += &format!("{},class {idx}\n", sentence(idx, "apple"));
    }
    let parts = [
        "topics.csv: column \"label\" does not look like labels",
        "1000 different values in 1000 rows, such as \"class 0\"",
    ];
    let outcome = refused("topics.csv", &all, &[], &parts);
    assert!(outcome.stderr.contains("--label-column"), "{}", outcome.stderr);
    // Nothing could be held back for validation.
    let task = ["--task", "one-of"];
    refused("topics.csv", &all, &task, &["topics.csv: 1000 rows are too few", "validation"]);
}

#[test]
fn a_class_of_one_row_is_warned_of() {
    let one = sentiments() + "a lonely film,lonely\n";
    let (_, outcome) = trained("topics.csv", &one, &[]);
    for part in [
        "1 of 4 classes has no texts in the validation split (\"lonely\")",
        "1 of 4 classes has no texts in the test split (\"lonely\")",
        "1 of 4 classes has fewer than 10 training texts (\"lonely\")",
    ] {
        has_line(&outcome, "warning: ", &[part]);
    }
}

#[test]
fn an_empty_label_is_refused_where_a_text_has_one_label() {
    let parts = ["topics.csv, row 241 (line 242)", "column \"label\" has no value"];
    refused("topics.csv", &(sentiments() + "an odd film,\n"), &[], &parts);
    let parts = ["topics.csv, row 241 (line 242)", "looks like a missing label"];
    for missing in ["\"\"", "nan", "N/A"] {
        let one = sentiments() + &format!("an odd film,{missing}\n");
        refused("topics.csv", &one, &[], &parts);
    }
    // The advice helps.
    let one = sentiments() + "an odd film,\"\"\n";
    let (_, outcome) = trained("topics.csv", &one, &["--labels", "\"\"=skip; *=keep"]);
    has_line(&outcome, "topics.csv: left out 1 row,", &["label map"]);
}

// The same answers each time.

#[test]
fn processes_threads_and_the_order_of_rows_do_not_change_answers() {
    for (content, probabilities) in [
        (sentiments(), &["probability"][..]),
        (messages(), &["probability"]),
        (
            genres_in_cells("|"),
            &["probability_of_comedy", "probability_of_crime", "probability_of_drama"],
        ),
    ] {
        let (place, _) = trained("forwards.csv", &content, &[]);
        place.write("backwards.csv", reversed(&content));
        let predict = |input: &str, n_threads: &str| {
            let args = [
                "predict", "--model", "model", "--output", "-", "--format", "csv", "--input", input,
            ];
            let output = place.command(&args).env("RAYON_NUM_THREADS", n_threads).output();
            Outcome::from(output.unwrap()).succeeded().stdout
        };
        let first = predict("forwards.csv", "2");
        assert_eq!(predict("forwards.csv", "2"), first);
        for other in [predict("forwards.csv", "1"), reversed(&predict("backwards.csv", "2"))] {
            assert_eq!(column(&other, "predicted_label"), column(&first, "predicted_label"));
            for name in probabilities {
                assert_close(&numbers(&other, name), &numbers(&first, name));
            }
        }
    }
}

// Recipes.

#[test]
fn a_recipe_with_outputs_that_do_not_fit_the_classes_is_refused() {
    let place = Workplace::new();
    place.write("topics.csv", sentiments());
    place.write("one.toml", "[model]\noutput_size = 1\n");
    let args = ["train", "--data", "topics.csv", "--output", "model", "--recipe", "one.toml"];
    let parts = ["model.output_size is 1, but 3 classes need 3 outputs; remove the setting"];
    has_line(&place.run(&args).failed(1, &[]), "error: ", &parts);
    assert_eq!(place.names("."), ["one.toml", "topics.csv"]);
    let size = ["--set", "model.output_size=3"];
    place.train_on("topics.csv", &[&["--output", "model"], &size[..]].concat()).succeeded();
    refused(
        "mail.csv",
        &messages(),
        &["--set", "model.output_size=2"],
        &["2 classes need 1 output"],
    );
}

#[test]
fn settings_that_moved_are_refused_with_their_new_place() {
    for (old, new) in [
        ("word_dropout", "regularization.word_dropout"),
        ("output_dropout", "regularization.output_dropout"),
        ("ngram_min_texts", "training.ngram_min_texts"),
    ] {
        assert_moved(old, new);
    }
    let setting = ["--set", "training.positive_weight=balanced"];
    let parts = ["training.positive_weight is now training.class_weights"];
    refused("topics.csv", &sentiments(), &setting, &parts);
}

#[track_caller]
fn assert_moved(old: &str, new: &str) {
    let place = Workplace::new();
    place.write("topics.csv", sentiments());
    place.write("old.toml", format!("[model]\n{old} = 1\n"));
    let args = ["train", "--data", "topics.csv", "--output", "model", "--recipe", "old.toml"];
    let (unknown, meant) = (format!("`{old}`"), format!("did you mean `{new}`?"));
    has_line(&place.run(&args).failed(1, &[]), "error: recipe old.toml: ", &[&unknown, &meant]);
}

// What does not work yet.

#[test]
fn embedding_std_is_refused_with_its_new_place() {
    assert_moved("embedding_std", "training.embedding_std");
}

#[test]
fn a_separator_that_was_recognised_is_the_models() {
    let (place, _) = trained("genres.csv", &genres_in_cells(";"), &[]);
    place.write("in.csv", "text\nsad murder\n");
    assert_eq!(column(&table(&place, "model", "in.csv", &[]), "predicted_label"), ["crime;drama"]);
    // Too few cells with several labels to recognise it again.
    place.write(
        "few.csv",
        "text,label\na funny film,comedy\nsad,drama\nmurder,crime\nsad murder,crime;drama\n",
    );
    assert_eq!(figures(&place, &["--data", "few.csv"])["accuracy"], 1.0);
}

#[test]
fn advice_to_skip_an_empty_label_helps() {
    for cell in ["", "\"\""] {
        let one = sentiments() + &format!("an odd film,{cell}\n");
        let advice = "\"\"=skip; *=keep";
        let outcome = refused("topics.csv", &one, &[], &[]);
        assert!(
            outcome.stderr.contains(&format!("such rows with --labels '{advice}'")),
            "{}",
            outcome.stderr
        );
        trained("topics.csv", &one, &["--labels", advice]);
    }
}

#[test]
fn a_label_map_skips_empty_cells() {
    let one = sentiments() + "an odd film,\n";
    trained("topics.csv", &one, &["--labels", "\"\"=skip; *=keep"]);
}

#[test]
fn thresholds_of_several_classes_and_labels_are_evaluated_visibly() {
    for content in [sentiments(), genres_in_cells("|")] {
        let (place, _) = trained("data.csv", &content, &["--threshold", "f1"]);
        let told = place.run(&["evaluate", "--model", "model"]).succeeded().stdout;
        assert!(told.contains("threshold"), "{told}");
        let json = figures(&place, &[]);
        assert_eq!(json["thresholds"].as_array().map(Vec::len), Some(3), "{json}");
    }
}

#[test]
fn a_line_with_the_most_probable_classes_still_has_the_predicted_one() {
    let (place, _) = trained("mail.csv", &messages(), &["--threshold", "recall=1"]);
    let offer = ["predict", "--model", "model", "an offer"];
    let line = place.run(&offer).succeeded().stdout;
    assert!(line.starts_with("spam"), "{line}");
    let line = place.run(&[&offer[..], &["--top", "2"]].concat()).succeeded().stdout;
    assert!(line.starts_with("spam"), "{line}");
}

#[test]
fn other_data_with_the_labels_of_the_training_data_is_not_misread() {
    let map = ["--labels", "1,2=negative; 5,10=positive"];
    let (place, _) = trained("stars.csv", &stars(), &map);
    place.write("bad.csv", "text,label\nan awful film,1\nawful music,1\n");
    let outcome = place.run(&["evaluate", "--model", "model", "--data", "bad.csv", "--json"]);
    let is_right = outcome.code == Some(0) && outcome.json()["accuracy"] == 1.0;
    assert!(is_right || outcome.stderr.contains("--labels"), "{}", outcome.stdout);
}

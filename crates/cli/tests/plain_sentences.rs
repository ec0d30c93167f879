//! The plain sentences in `benches/sentences` are what their README says.
#![allow(clippy::unwrap_used, reason = "a test that cannot read its file has failed")]

mod common;

use common::Workplace;
use serde_json::{Value, json};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../benches/sentences/plain.csv");

#[test]
fn each_kind_has_as_many_negative_as_positive_sentences() {
    let table = std::fs::read_to_string(FILE).unwrap();
    let ending = |end: &str| table.lines().filter(|line| line.ends_with(end)).count();
    for (kind, n) in [("plain", 50), ("negation", 25), ("contrast", 25)] {
        for label in ["negative", "positive"] {
            assert_eq!(ending(&format!(",{label},{kind}")), n, "{label} {kind}");
        }
    }
    assert_eq!(table.lines().count(), 201);
}

#[test]
fn a_check_finds_no_repeated_or_damaged_sentence() {
    let place = Workplace::new();
    let output = place.run(&["check", FILE, "--json"]);
    let report: Value = serde_json::from_str(&output.stdout).unwrap();
    let names = |finding: &Value| finding["kind"].clone();
    let worse = |finding: &&Value| finding["severity"] != "note";
    let found: Vec<Value> =
        report["findings"].as_array().unwrap().iter().filter(worse).map(names).collect();
    // 200 sentences about anything share few words.
    assert_eq!(
        (&report["n_rows"], found),
        (&json!(200), vec![json!("unknown-words")]),
        "{report:#}"
    );
}

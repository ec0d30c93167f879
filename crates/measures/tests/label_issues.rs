//! The labels that are likely wrong are those that cleanlab finds, on golden files (`golden/label_issues.py`).
#![allow(clippy::unwrap_used)] // A golden file that cannot be read is a failure.

use measures::label_issues;
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    n_classes: usize,
    probabilities: Vec<f32>,
    labels: Vec<u32>,
    thresholds: Vec<f64>,
    confident_joint: Vec<Vec<usize>>,
    issues: Vec<usize>,
}

#[test]
fn issues_are_those_of_cleanlab_in_its_order() {
    let path = format!("{}/tests/golden/label_issues.json", env!("CARGO_MANIFEST_DIR"));
    let golden: Golden = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    assert_eq!(golden.cases.len(), 5);
    assert!(golden.cases.iter().any(|case| case.issues.len() > 20));
    for case in golden.cases {
        let found = label_issues(&case.probabilities, case.n_classes, &case.labels).unwrap();
        for (got, expected) in found.thresholds.iter().zip(&case.thresholds) {
            assert!((got.unwrap() - expected).abs() < 1e-9, "{got:?} {expected}");
        }
        assert_eq!(found.confident_joint, case.confident_joint);
        let texts: Vec<usize> = found.issues.iter().map(|issue| issue.text).collect();
        assert_eq!(texts, case.issues);
    }
}

//! Every measure equals scikit-learn's, on golden files (`golden/scores.py`).
#![allow(clippy::unwrap_used, clippy::panic)] // A golden file that cannot be read is a failure.

use measures::{
    AnyOf, Binary, LabelSets, Metrics, OneOf, any_of_loss, binary_loss, mean_absolute_error,
    softmax_loss,
};
use serde::Deserialize;
use serde_json::Value;

const TOLERANCE: f64 = 1e-9;

#[derive(Deserialize)]
struct Golden {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    task: String,
    logits: Vec<f32>,
    #[serde(default)]
    n_classes: usize,
    #[serde(default)]
    labels: Vec<u32>,
    #[serde(default)]
    sets: Vec<Vec<u32>>,
    threshold: Option<f32>,
    thresholds: Option<Vec<f32>>,
    weights: Vec<f64>,
    weighted_loss: f64,
    values: Option<Vec<f64>>,
    mean_absolute_error: Option<f64>,
    expected: Value,
}

fn cases(task: &str) -> Vec<Case> {
    let path = format!("{}/tests/golden/scores.json", env!("CARGO_MANIFEST_DIR"));
    let golden: Golden = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let cases: Vec<Case> = golden.cases.into_iter().filter(|case| case.task == task).collect();
    assert!(cases.len() >= 7, "{task}");
    cases
}

/// Compares two trees: the same fields, numbers within the tolerance.
fn assert_same(place: &str, got: &Value, expected: &Value) {
    match (got, expected) {
        (Value::Object(got), Value::Object(expected)) => {
            let names = |object: &serde_json::Map<String, Value>| {
                let mut names: Vec<String> = object.keys().cloned().collect();
                names.sort();
                names
            };
            assert_eq!(names(got), names(expected), "{place}");
            got.iter().for_each(|(name, got)| {
                assert_same(&format!("{place}: {name}"), got, &expected[name]);
            });
        }
        (Value::Array(got), Value::Array(expected)) => {
            assert_eq!(got.len(), expected.len(), "{place}");
            for (index, (got, expected)) in got.iter().zip(expected).enumerate() {
                assert_same(&format!("{place}, {index}"), got, expected);
            }
        }
        (Value::Number(got), Value::Number(expected)) => {
            assert_close(place, got.as_f64().unwrap(), expected.as_f64().unwrap());
        }
        _ => assert_eq!(got, expected, "{place}"),
    }
}

fn assert_close(place: &str, got: f64, expected: f64) {
    assert!(
        (got - expected).abs() <= TOLERANCE,
        "{place}: {got} where scikit-learn has {expected}"
    );
}

/// Compares the metrics, and what of them is written and read.
fn assert_metrics(case: &Case, metrics: Metrics) {
    let text = serde_json::to_string(&metrics).unwrap();
    assert_same(&case.name, &serde_json::from_str(&text).unwrap(), &case.expected);
    let json = serde_json::to_value(&metrics).unwrap();
    let read: Metrics = serde_json::from_value(json).unwrap();
    assert_eq!(read, metrics, "{}", case.name);
}

#[test]
fn measures_of_two_classes_are_those_of_scikit_learn() {
    for case in cases("binary") {
        let Case { logits, labels, weights, .. } = &case;
        let metrics = Binary::of_logits(logits, labels, case.threshold.unwrap()).unwrap();
        assert_metrics(&case, Metrics::Binary(metrics));
        let loss = binary_loss(logits, labels, weights).unwrap();
        assert_close(&case.name, loss, case.weighted_loss);
    }
}

#[test]
fn measures_of_one_of_several_classes_are_those_of_scikit_learn() {
    for case in cases("one-of") {
        let Case { logits, labels, weights, n_classes, .. } = &case;
        let thresholds = case.thresholds.as_deref();
        let metrics = OneOf::of_logits(logits, *n_classes, labels, thresholds).unwrap();
        if let (Some(values), Some(expected)) = (&case.values, case.mean_absolute_error) {
            assert_close(&case.name, mean_absolute_error(&metrics.confusion, values), expected);
        }
        assert_metrics(&case, Metrics::OneOf(metrics));
        let loss = softmax_loss(logits, *n_classes, labels, weights).unwrap();
        assert_close(&case.name, loss, case.weighted_loss);
    }
}

#[test]
fn measures_of_any_number_of_labels_are_those_of_scikit_learn() {
    for case in cases("any-of") {
        let Case { logits, weights, n_classes, sets, .. } = &case;
        let ends = sets.iter().scan(0, |end, set| {
            *end += set.len();
            Some(*end)
        });
        let starts: Vec<usize> = std::iter::once(0).chain(ends).collect();
        let classes = sets.concat();
        let targets = LabelSets { starts: &starts, classes: &classes };
        let thresholds = case.thresholds.as_deref();
        let metrics = AnyOf::of_logits(logits, *n_classes, targets, thresholds).unwrap();
        assert_metrics(&case, Metrics::AnyOf(metrics));
        let loss = any_of_loss(logits, *n_classes, targets, weights).unwrap();
        assert_close(&case.name, loss, case.weighted_loss);
    }
}

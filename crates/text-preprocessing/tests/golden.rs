//! Python's `tokenizers` and this crate give the same ids from the same `tokenizer.json`.
//!
//! `tests/golden/make_golden.py` makes the expected ids.

// A broken committed file should stop the test at once.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use text_preprocessing::{Cleaning, PreprocessingConfig, TextEncoder, text_digest, text_digests};

#[derive(Deserialize)]
struct Golden {
    texts: Vec<String>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    config: PreprocessingConfig,
    /// `[texts][seq_len]`, padded and truncated by Python; curiosities are not padded.
    ids: Vec<Vec<u32>>,
}

/// Python's results for `curiosities.jsonl`.
#[derive(Deserialize)]
struct Curiosities {
    cases: Vec<Case>,
    /// In hexadecimal, computed by the same rules in plain Python.
    digests: Vec<String>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn read<T: serde::de::DeserializeOwned>(name: &str) -> T {
    serde_json::from_str(&fs::read_to_string(folder().join(name)).unwrap()).unwrap()
}

fn curiosities() -> (Vec<String>, Curiosities) {
    let texts = fs::read_to_string(folder().join("curiosities.jsonl")).unwrap();
    let texts = texts.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (texts, read("curiosities-expected.json"))
}

#[test]
fn python_gives_the_same_ids_for_curiosities() {
    let (texts, expected) = curiosities();
    assert!(texts.len() > 200);
    assert_eq!(expected.cases.len(), 3);
    let mut differing = Vec::new();
    for case in expected.cases {
        assert_eq!(case.config.cleaning, Cleaning::V2);
        let file = folder().join(format!("{}.json", case.name));
        let encoder = TextEncoder::load(&file, case.config.clone()).unwrap();
        // We learn the same vocabulary as when the files were written.
        let learned = TextEncoder::learn(case.config, &texts).unwrap();
        assert_eq!(learned.to_json().unwrap(), fs::read(&file).unwrap(), "{}", case.name);
        assert_eq!(case.ids.len(), texts.len());
        for (text, expected) in texts.iter().zip(case.ids) {
            let found = encoder.encode(text).unwrap();
            if found != expected {
                differing.push(format!("{}, {text:?}: {found:?}, not {expected:?}", case.name));
            }
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

#[test]
fn python_gives_the_same_digests() {
    let (texts, expected) = curiosities();
    assert_eq!(expected.digests.len(), texts.len());
    for ((text, found), expected) in texts.iter().zip(text_digests(&texts)).zip(expected.digests) {
        assert_eq!(format!("{found:016x}"), expected, "{text:?}");
        assert_eq!(text_digest(text), found);
    }
}

#[test]
fn python_gives_the_same_ids() {
    let golden: Golden = read("expected.json");
    assert_eq!(golden.cases.len(), 4);

    let mut differing = Vec::new();
    for case in golden.cases {
        assert_eq!(case.config.cleaning, Cleaning::V1);
        let file = folder().join(format!("{}.json", case.name));
        let encoder = TextEncoder::load(&file, case.config).unwrap();
        assert_eq!(encoder.to_json().unwrap(), fs::read(&file).unwrap(), "{}", case.name);
        assert_eq!(case.ids.len(), golden.texts.len());
        for (text, expected) in golden.texts.iter().zip(case.ids) {
            let found = encoder.encode_padded(text).unwrap();
            if found != expected {
                differing.push(format!("{}, {text:?}: {found:?}, not {expected:?}", case.name));
            }
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

//! Python's `tokenizers` and this crate give the same ids from the same `tokenizer.json`.
//!
//! The expected ids, and how they were made: `tests/golden/make_golden.py`.

// A broken committed file should stop the test where it breaks.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use serde::Deserialize;
use text_preprocessing::{PreprocessingConfig, TextEncoder};

#[derive(Deserialize)]
struct Golden {
    texts: Vec<String>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    config: PreprocessingConfig,
    /// `[texts][seq_len]`, as Python padded and cut them.
    ids: Vec<Vec<u32>>,
}

#[test]
fn python_gives_the_same_ids() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let golden = fs::read_to_string(folder.join("expected.json")).unwrap();
    let golden: Golden = serde_json::from_str(&golden).unwrap();
    assert_eq!(golden.cases.len(), 4);

    let mut differing = Vec::new();
    for case in golden.cases {
        let file = folder.join(format!("{}.json", case.name));
        let encoder = TextEncoder::load(file, case.config).unwrap();
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

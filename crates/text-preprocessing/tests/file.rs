//! Saving and loading, and the errors for files that are missing, damaged or from another program.

// Test helpers may panic.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;
use text_preprocessing::{
    Cleaning, Error, PreprocessingConfig, TextEncoder, TokenScheme, Truncation,
};

const TEXTS: [&str; 3] = ["A great film, great fun!", "I don't like this film...", "fun<br />film"];

fn config(scheme: TokenScheme) -> PreprocessingConfig {
    PreprocessingConfig { scheme, seq_len: 6, ..Default::default() }
}

/// A folder with the saved file of an encoder learned from `TEXTS`.
fn saved(config: &PreprocessingConfig) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenizer.json");
    TextEncoder::learn(config.clone(), &TEXTS).unwrap().save(&path).unwrap();
    (folder, path)
}

/// The error from loading a saved file after `edit` changed its JSON.
fn error_after(config: &PreprocessingConfig, edit: impl FnOnce(&mut Value)) -> Error {
    let (_folder, path) = saved(config);
    let mut json = read(&path);
    edit(&mut json);
    fs::write(&path, json.to_string()).unwrap();
    TextEncoder::load(&path, config.clone()).unwrap_err()
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn a_loaded_encoder_is_the_saved_one() {
    for scheme in TokenScheme::ALL {
        for truncation in [Truncation::Head, Truncation::Tail, Truncation::HeadTail] {
            let config = PreprocessingConfig { truncation, ..config(scheme) };
            let saved_encoder = TextEncoder::learn(config.clone(), &TEXTS).unwrap();
            let (_folder, path) = saved(&config);
            let loaded = TextEncoder::load(&path, config.clone()).unwrap();
            assert_eq!(loaded.config(), &config);
            assert_eq!(loaded.vocab_size(), saved_encoder.vocab_size());
            assert_eq!(loaded.unknown_id(), saved_encoder.unknown_id());
            for text in TEXTS.iter().chain(&["", "new words", "a b c d e f g h i"]) {
                assert_eq!(loaded.encode(text).unwrap(), saved_encoder.encode(text).unwrap());
            }
        }
    }
}

#[test]
fn equal_encoders_save_equal_bytes_and_saving_again_changes_nothing() {
    for scheme in TokenScheme::ALL {
        let (_first_folder, first) = saved(&config(scheme));
        let (_second_folder, second) = saved(&config(scheme));
        let bytes = fs::read(&first).unwrap();
        assert_eq!(bytes, fs::read(&second).unwrap());
        TextEncoder::load(&first, config(scheme)).unwrap().save(&first).unwrap();
        assert_eq!(bytes, fs::read(&first).unwrap());
    }
}

#[test]
fn the_file_pads_on_the_left_and_cuts_where_it_can() {
    for (truncation, direction) in [
        (Truncation::Head, json!("Right")),
        (Truncation::Tail, json!("Left")),
        (Truncation::HeadTail, Value::Null),
    ] {
        let (_folder, path) =
            saved(&PreprocessingConfig { truncation, ..config(TokenScheme::Words) });
        let json = read(&path);
        assert_eq!(json["truncation"]["direction"], direction);
        assert_eq!(json["padding"]["direction"], "Left");
        assert_eq!(json["padding"]["strategy"], json!({"Fixed": 6}));
        assert_eq!(json["padding"]["pad_id"], 0);
    }
}

#[test]
fn saving_leaves_one_ordinary_file() {
    let (folder, path) = saved(&config(TokenScheme::Words));
    TextEncoder::learn(config(TokenScheme::Words), &["other"]).unwrap().save(&path).unwrap();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    assert!(read(&path)["model"]["vocab"]["other"].is_u64());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let plain = folder.path().join("plain");
        fs::write(&plain, "").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&path), mode(&plain));
    }
}

#[test]
fn saving_into_a_missing_folder_names_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("missing").join("tokenizer.json");
    let encoder = TextEncoder::learn(config(TokenScheme::Words), &TEXTS).unwrap();
    let error = encoder.save(&path).unwrap_err();
    assert!(matches!(&error, Error::Write { path: named, .. } if *named == path), "{error}");
}

#[test]
fn a_missing_file_is_named() {
    let path = tempfile::tempdir().unwrap().path().join("tokenizer.json");
    let error = TextEncoder::load(&path, config(TokenScheme::Words)).unwrap_err();
    assert!(matches!(&error, Error::Read { path: named, .. } if *named == path), "{error}");
    assert!(error.to_string().contains("learn a vocabulary"), "{error}");
}

#[test]
fn a_file_cut_anywhere_is_damaged() {
    let (_folder, path) = saved(&config(TokenScheme::Bpe));
    let bytes = fs::read(&path).unwrap();
    for len in (0..bytes.len()).step_by(97) {
        fs::write(&path, &bytes[..len]).unwrap();
        let error = TextEncoder::load(&path, config(TokenScheme::Bpe)).unwrap_err();
        assert!(matches!(&error, Error::Json { path: named, .. } if *named == path), "{error}");
    }
}

#[test]
fn garbage_is_an_error_that_names_the_file() {
    let (_folder, path) = saved(&config(TokenScheme::Words));
    for garbage in
        [&b"\xFF\xFE\x00binary"[..], b"null", b"[]", b"{}", b"\"text\"", b"{\"model\": 3}"]
    {
        fs::write(&path, garbage).unwrap();
        let error = TextEncoder::load(&path, config(TokenScheme::Words)).unwrap_err();
        assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    }
}

#[test]
fn another_configuration_is_a_disagreement() {
    let learned =
        PreprocessingConfig { truncation: Truncation::Tail, ..config(TokenScheme::Words) };
    let (_folder, path) = saved(&learned);
    let others = [
        ("scheme", PreprocessingConfig { scheme: TokenScheme::Bpe, ..learned.clone() }),
        ("seq_len", PreprocessingConfig { seq_len: 7, ..learned.clone() }),
        ("truncation", PreprocessingConfig { truncation: Truncation::Head, ..learned.clone() }),
        ("truncation", PreprocessingConfig { truncation: Truncation::HeadTail, ..learned.clone() }),
        ("max_vocab", PreprocessingConfig { max_vocab: Some(3), ..learned.clone() }),
    ];
    for (expected, other) in others {
        match TextEncoder::load(&path, other).unwrap_err() {
            Error::Disagreement { setting, .. } => assert_eq!(setting, expected),
            error => panic!("{error}"),
        }
    }
    let other = PreprocessingConfig { scheme: TokenScheme::Bpe, ..learned.clone() };
    let message = TextEncoder::load(&path, other).unwrap_err().to_string();
    assert!(message.contains("has scheme words, but the configuration has bpe"), "{message}");
    // Settings that the file does not hold make no difference.
    TextEncoder::load(&path, PreprocessingConfig { min_frequency: 5, ..learned }).unwrap();
}

#[test]
fn a_file_of_another_version_of_cleaning_says_so() {
    for scheme in TokenScheme::ALL {
        for (written, read) in [(Cleaning::V1, Cleaning::V2), (Cleaning::V2, Cleaning::V1)] {
            let written = PreprocessingConfig { cleaning: written, ..config(scheme) };
            let (_folder, path) = saved(&written);
            TextEncoder::load(&path, written.clone()).unwrap();
            let other = PreprocessingConfig { cleaning: read, ..written.clone() };
            let error = TextEncoder::load(&path, other).unwrap_err();
            assert!(
                matches!(&error, Error::CleaningDisagreement { expected, found, .. }
                    if (*expected, *found) == (read, written.cleaning)),
                "{error}"
            );
            let cure = format!("set cleaning = {}", written.cleaning);
            assert!(error.to_string().contains(&cure), "{error}");
        }
    }
}

#[test]
fn a_pipeline_of_another_program_is_a_disagreement() {
    let edits: [fn(&mut Value); 5] = [
        |json| json["normalizer"] = Value::Null,
        |json| json["pre_tokenizer"] = json!({"type": "BertPreTokenizer"}),
        |json| json["model"]["type"] = json!("WordPiece"),
        |json| json["model"]["unk_token"] = json!("film"),
        // An added token would encode to padding wherever a review contains its letters.
        |json| {
            json["added_tokens"] = json!([{
                "id": 0, "content": "[PAD]", "single_word": false, "lstrip": false,
                "rstrip": false, "normalized": false, "special": true,
            }]);
        },
    ];
    for edit in edits {
        let error = error_after(&config(TokenScheme::Words), edit);
        assert!(matches!(error, Error::Disagreement { setting: "scheme", .. }), "{error}");
    }
    let random_merges = |json: &mut Value| json["model"]["dropout"] = json!(0.5);
    let error = error_after(&config(TokenScheme::Bpe), random_merges);
    assert!(matches!(error, Error::Disagreement { setting: "scheme", .. }), "{error}");
}

#[test]
fn special_tokens_must_have_their_ids() {
    let config = config(TokenScheme::Words);
    let swapped = error_after(&config, |json| {
        json["model"]["vocab"]["[PAD]"] = json!(1);
        json["model"]["vocab"]["film"] = json!(0);
    });
    let is_padding = |found| matches!(found, Error::SpecialToken { token: "[PAD]", .. });
    assert!(swapped.to_string().contains("has id 1 for [PAD], expected id 0"), "{swapped}");
    assert!(is_padding(swapped));
    assert!(is_padding(error_after(&config, |json| json["model"]["vocab"] = json!({}))));
    assert!(is_padding(error_after(&config, |json| json["model"]["vocab"] = Value::Null)));

    let missing = error_after(&config, |json| {
        json["model"]["vocab"].as_object_mut().unwrap().remove("[UNK]");
    });
    assert!(
        matches!(missing, Error::SpecialToken { token: "[UNK]", found: None, .. }),
        "{missing}"
    );
}

#[test]
fn ids_must_be_whole_numbers_without_gaps() {
    for bad in [json!(1), json!(0), json!(999), json!(-1), json!(2.5), json!("two"), Value::Null] {
        let error = error_after(&config(TokenScheme::Words), |json| {
            // Not `film`, whose id (1) it takes.
            json["model"]["vocab"]["great"] = bad.clone();
        });
        assert!(matches!(error, Error::TokenId { .. }), "{bad}: {error}");
    }
}

#[test]
fn merges_must_join_known_tokens() {
    let broken = [
        json!(["unknown", "e"]),
        json!(["a", "zq"]),
        // Both are known, but their concatenation is not.
        json!(["~", "~"]),
        // As before, and longer than any known token: the library alone would panic.
        json!(["Ġfilm", "Ġfilm"]),
        json!(["a"]),
        json!("a b"),
        json!([1, 2]),
    ];
    for merge in broken {
        let error = error_after(&config(TokenScheme::Bpe), |json| {
            json["model"]["merges"][2] = merge.clone();
        });
        assert!(matches!(error, Error::Merge { rank: 2, .. }), "{merge}: {error}");
    }
    let error = error_after(&config(TokenScheme::Bpe), |json| {
        json["model"]["merges"] = Value::Null;
    });
    assert!(matches!(error, Error::Merge { rank: 0, .. }), "{error}");
}

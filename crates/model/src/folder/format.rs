//! `config.json`: what it holds, in this version and in older ones.
//!
//! | format | since | differences |
//! |---|---|---|
//! | 1 | before the first release | not readable: it had several forms under one number |
//! | 2 | 0.1.0 | no ids; texts are cleaned by the rules of cleaning 1, which it does not name |
//! | 3 | now | `model_id`, `tokenizer_digest`, `program_version`; `preprocessing.cleaning`; `seen_texts.safetensors` |
//!
//! An older format is changed into the present one as a JSON value, one step a version, before anything else
//! looks at it.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use text_preprocessing::PreprocessingConfig;

use super::identity::ModelId;
use crate::config::ModelConfig;
use crate::error::{Error, Result};

/// The format that is written.
pub(super) const NEWEST: u64 = 3;
/// The oldest format that is read.
const OLDEST: u64 = 2;

/// What `config.json` holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct FolderConfig {
    pub(super) format_version: u64,
    /// Which version of the program wrote it, so that an older one can say what is needed.
    #[serde(default)]
    pub(super) program_version: Option<String>,
    /// In all files of the model; none in format 2.
    #[serde(default)]
    pub(super) model_id: Option<ModelId>,
    /// `tokenizer.json` is a standard file without a place for an id.
    #[serde(default)]
    pub(super) tokenizer_digest: Option<String>,
    pub(super) vocab_size: usize,
    pub(super) model: ModelConfig,
    pub(super) preprocessing: PreprocessingConfig,
}

impl FolderConfig {
    /// Reads the bytes of a `config.json`, of any format that is known; errors name `path` as their place.
    pub(super) fn parse(bytes: &[u8], path: &Path) -> Result<Self> {
        let damaged = |reason: String| Error::Damaged {
            path: path.to_path_buf(),
            expected: "a model's configuration",
            reason,
        };
        let mut value: Value =
            serde_json::from_slice(bytes).map_err(|error| damaged(error.to_string()))?;
        // The version first: a newer version's other fields are none of our business.
        let version = value.get("format_version").and_then(Value::as_u64);
        let version = version.ok_or_else(|| damaged("it has no format_version".to_string()))?;
        if !(OLDEST..=NEWEST).contains(&version) {
            let writer = value.get("program_version").and_then(Value::as_str).map(str::to_string);
            let path = path.to_path_buf();
            return Err(Error::Version {
                path,
                got: version,
                writer,
                oldest: OLDEST,
                newest: NEWEST,
            });
        }
        migrate(&mut value, version);
        let config: Self =
            serde_json::from_value(value).map_err(|error| damaged(error.to_string()))?;
        if version >= 3 && (config.model_id.is_none() || config.tokenizer_digest.is_none()) {
            return Err(damaged("it lacks model_id or tokenizer_digest".to_string()));
        }
        config.model.check().map_err(|error| damaged(error.to_string()))?;
        config.preprocessing.validate().map_err(|error| damaged(error.to_string()))?;
        Ok(config)
    }
}

/// Makes a configuration of an older format one of the newest; `format_version` stays what it was.
fn migrate(config: &mut Value, version: u64) {
    if version <= 2 {
        from_2_to_3(config);
    }
}

/// Format 2 knows one way of cleaning texts, the first, and does not name it.
fn from_2_to_3(config: &mut Value) {
    if let Some(preprocessing) = config.get_mut("preprocessing").and_then(Value::as_object_mut) {
        preprocessing.entry("cleaning").or_insert(json!(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn format_2_gets_the_first_rules_of_cleaning() {
        let mut config = json!({
            "format_version": 2, "vocab_size": 9, "model": {}, "preprocessing": { "seq_len": 7 }
        });
        migrate(&mut config, 2);
        assert_eq!(config["preprocessing"], json!({ "seq_len": 7, "cleaning": 1 }));
        // What is not there is not made up: reading says what is missing.
        let mut config = json!({ "format_version": 2 });
        migrate(&mut config, 2);
        assert_eq!(config, json!({ "format_version": 2 }));
    }

    #[test]
    fn the_newest_format_stays_as_it_is() {
        let config = json!({ "format_version": 3, "preprocessing": { "cleaning": 2 } });
        let mut migrated = config.clone();
        migrate(&mut migrated, NEWEST);
        assert_eq!(migrated, config);
    }

    #[test]
    fn other_formats_are_refused_with_the_version_that_is_needed() {
        let refusal = |config: Value| {
            let bytes = config.to_string();
            FolderConfig::parse(bytes.as_bytes(), Path::new("m/config.json"))
                .unwrap_err()
                .to_string()
        };
        assert_eq!(
            refusal(json!({ "format_version": 4, "program_version": "0.9.1", "model": "other" })),
            "m/config.json has format 4, written by sentiment-rnn 0.9.1; this program reads formats 2 to 3: \
             install version 0.9.1 or newer"
        );
        assert_eq!(
            refusal(json!({ "format_version": 4 })),
            "m/config.json has format 4, written by a newer version of sentiment-rnn; this program reads \
             formats 2 to 3: install a newer version"
        );
        assert_eq!(
            refusal(json!({ "format_version": 1 })),
            "m/config.json has format 1, which is too old; this program reads formats 2 to 3: train the \
             model anew"
        );
        assert!(refusal(json!({ "format_version": "3" })).contains("has no format_version"));
        assert!(refusal(json!({ "format_version": 3 })).contains("cannot be read"));
    }

    #[test]
    fn a_configuration_of_format_3_without_ids_is_damaged() {
        let config = FolderConfig {
            format_version: NEWEST,
            program_version: None,
            model_id: None,
            tokenizer_digest: Some(String::new()),
            vocab_size: 3,
            model: ModelConfig::default(),
            preprocessing: PreprocessingConfig::default(),
        };
        let bytes = serde_json::to_vec(&config).unwrap();
        let error = FolderConfig::parse(&bytes, Path::new("config.json")).unwrap_err();
        assert!(error.to_string().contains("it lacks model_id"), "{error}");
    }
}

//! `config.json`: what it holds, in this version and in older ones.
//!
//! | format | since | differences |
//! |---|---|---|
//! | 1 | before the first release | not readable: it had several forms under one number |
//! | 2 | 0.1.0 | no ids; texts are cleaned by the rules of cleaning 1, which is not recorded |
//! | 3 | 0.1.0 | `model_id`, `tokenizer_digest`, `program_version`; `preprocessing.cleaning`; `seen_texts.safetensors` |
//! | 4 | 0.1.0 | `ngrams.bias`, the linear path's intercept; three training-only settings are gone |
//! | 5 | 0.1.0 | `task` and `thresholds`; `model` is the architecture alone, without settings of training |
//! | 6 | 0.1.0 | `model.path_scales`; the tensors `paths.scales` and `paths.bias`; `ratios` of n-grams |
//!
//! An older format is migrated as a JSON value, one version at a time, before anything else reads it. Models before
//! format 5 answer negative or positive; those before format 6 have paths whose scales do not depend on the length, and
//! nothing of them has to be changed.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use text_preprocessing::PreprocessingConfig;

use model::{ModelConfig, NGRAM_BIAS, Task};

use super::identity::ModelId;
use crate::error::{Error, Result};

/// The format that this version writes.
pub(super) const NEWEST: u64 = 6;
/// The oldest format that is read.
const OLDEST: u64 = 2;

/// Retired training settings; they never affected a trained network.
const RETIRED_IN_4: [&str; 3] = ["ngram_start", "ngram_dropout", "smallest_window"];

/// Training settings that were among those of the network.
const RETIRED_IN_5: [&str; 8] = [
    "embedding_std",
    "ngram_min_texts",
    "word_dropout",
    "variational_dropout",
    "embedding_dropout",
    "weight_dropout",
    "layer_dropout",
    "output_dropout",
];

/// What `config.json` holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct FolderConfig {
    pub(super) format_version: u64,
    /// Version of the program that wrote it, so that an older one can name the version needed.
    #[serde(default)]
    pub(super) program_version: Option<String>,
    /// The id in all files of the model; absent in format 2.
    #[serde(default)]
    pub(super) model_id: Option<ModelId>,
    /// `tokenizer.json` is a standard file without a place for an id.
    #[serde(default)]
    pub(super) tokenizer_digest: Option<String>,
    pub(super) vocab_size: usize,
    pub(super) task: Task,
    /// Of decisions, one for each output; absent where none were chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) thresholds: Option<Vec<f32>>,
    pub(super) model: ModelConfig,
    pub(super) preprocessing: PreprocessingConfig,
}

impl FolderConfig {
    /// Reads the bytes of a `config.json`, of any supported format; errors name `path`.
    pub(super) fn parse(bytes: &[u8], path: &Path) -> Result<Self> {
        let damaged = |reason: String| Error::Damaged {
            path: path.to_path_buf(),
            expected: "a model's configuration",
            reason,
        };
        let mut value: Value =
            serde_json::from_slice(bytes).map_err(|error| damaged(error.to_string()))?;
        // Check the version first: a newer format may have other fields.
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
        let mut config: Self =
            serde_json::from_value(value).map_err(|error| damaged(error.to_string()))?;
        if version >= 3 && (config.model_id.is_none() || config.tokenizer_digest.is_none()) {
            return Err(damaged("it lacks model_id or tokenizer_digest".to_string()));
        }
        config.model.check().map_err(|error| damaged(error.to_string()))?;
        config.model =
            config.model.for_task(&config.task).map_err(|error| damaged(error.to_string()))?;
        if let Some(thresholds) = &config.thresholds {
            let checked = config.task.check_thresholds(thresholds);
            checked.map_err(|error| damaged(error.to_string()))?;
        }
        config.preprocessing.check().map_err(|error| damaged(error.to_string()))?;
        Ok(config)
    }
}

/// Migrates a configuration of an older format to the newest; `format_version` is unchanged.
fn migrate(config: &mut Value, version: u64) {
    if version <= 2 {
        from_2_to_3(config);
    }
    if version <= 3 {
        from_3_to_4(config);
    }
    if version <= 4 {
        from_4_to_5(config);
    }
}

/// Format 2 always uses the first cleaning and does not record it.
fn from_2_to_3(config: &mut Value) {
    if let Some(preprocessing) = config.get_mut("preprocessing").and_then(Value::as_object_mut) {
        preprocessing.entry("cleaning").or_insert(json!(1));
    }
}

/// Format 3 has training settings among those of the network.
fn from_3_to_4(config: &mut Value) {
    if let Some(model) = config.get_mut("model") {
        remove(model, &RETIRED_IN_4);
    }
}

/// Format 4 has more of them, and every model of it answers negative or positive.
fn from_4_to_5(config: &mut Value) {
    if let Some(model) = config.get_mut("model") {
        remove(model, &RETIRED_IN_5);
    }
    if let Some(config) = config.as_object_mut() {
        config.insert("task".to_string(), json!(Task::binary()));
        config.remove("thresholds");
    }
}

/// Removes retired settings from a network's configuration of any older format, as JSON.
pub fn drop_retired(model: &mut Value) {
    remove(model, &RETIRED_IN_4);
    remove(model, &RETIRED_IN_5);
}

fn remove(settings: &mut Value, names: &[&str]) {
    if let Some(settings) = settings.as_object_mut() {
        settings.retain(|name, _| !names.contains(&name.as_str()));
    }
}

impl FolderConfig {
    /// Tensors of the newest format that this one lacks. They are 0 in its models.
    pub(super) fn absent_tensors(&self) -> &'static [&'static str] {
        if self.format_version <= 3 { &[NGRAM_BIAS] } else { &[] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{PathScaling, TaskKind};

    #[test]
    fn format_2_gets_the_first_rules_of_cleaning() {
        let mut config = json!({
            "format_version": 2, "vocab_size": 9, "model": {}, "preprocessing": { "seq_len": 7 }
        });
        migrate(&mut config, 2);
        assert_eq!(config["preprocessing"], json!({ "seq_len": 7, "cleaning": 1 }));
        // Missing fields are not invented: reading reports them.
        let mut config = json!({ "format_version": 2 });
        migrate(&mut config, 2);
        assert_eq!(config, json!({ "format_version": 2, "task": Task::binary() }));
    }

    #[test]
    fn format_3_loses_the_settings_that_are_gone() {
        let mut config = json!({
            "format_version": 3,
            "model": { "ngram_start": 0.0, "ngram_dropout": 0.5, "smallest_window": 1.0, "cell": "gru" },
        });
        migrate(&mut config, 3);
        assert_eq!(config["model"], json!({ "cell": "gru" }));
        let mut newest = json!({ "model": { "ngram_dropout": 0.5 } });
        migrate(&mut newest, NEWEST);
        assert_eq!(newest, json!({ "model": { "ngram_dropout": 0.5 } }));
    }

    #[test]
    fn format_4_becomes_negative_or_positive_and_loses_the_settings_of_training() {
        let settings = json!({ "cell": "gru", "embedding_std": 0.1, "ngram_order": 2, "ngram_min_texts": 2,
            "word_dropout": 0.1, "variational_dropout": 0.0, "embedding_dropout": 0.3, "weight_dropout": 0.0,
            "layer_dropout": 0.0, "output_dropout": 0.5 });
        let mut config = json!({ "format_version": 4, "model": settings });
        migrate(&mut config, 4);
        let task = json!({ "kind": "binary", "classes": ["negative", "positive"] });
        let model = json!({ "cell": "gru", "ngram_order": 2 });
        assert_eq!(config, json!({ "format_version": 4, "task": task, "model": model }));
        let mut of_report = settings;
        of_report["ngram_start"] = json!(0.0);
        drop_retired(&mut of_report);
        assert_eq!(of_report, model);
    }

    #[test]
    fn the_newest_format_stays_as_it_is() {
        let config = json!({ "format_version": 6, "preprocessing": { "cleaning": 2 } });
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
            refusal(json!({ "format_version": 7, "program_version": "0.9.1", "model": "other" })),
            "m/config.json has format 7, written by sentiment-rnn 0.9.1; this program reads formats 2 to 6: \
             install version 0.9.1 or newer"
        );
        assert_eq!(
            refusal(json!({ "format_version": 7 })),
            "m/config.json has format 7, written by a newer version of sentiment-rnn; this program reads \
             formats 2 to 6: install a newer version"
        );
        assert_eq!(
            refusal(json!({ "format_version": 1 })),
            "m/config.json has format 1, which is too old; this program reads formats 2 to 6: retrain the \
             model"
        );
        assert!(refusal(json!({ "format_version": "3" })).contains("has no format_version"));
        assert!(refusal(json!({ "format_version": 6 })).contains("cannot be read"));
    }

    /// A configuration of the newest format, as JSON.
    fn newest() -> Value {
        let config = FolderConfig {
            format_version: NEWEST,
            program_version: None,
            model_id: serde_json::from_value(json!("0123456789abcdef")).unwrap(),
            tokenizer_digest: Some(String::new()),
            vocab_size: 3,
            task: Task::new(TaskKind::OneOf, ["a", "b", "c"]).unwrap(),
            thresholds: Some(vec![0.25, 0.5, 1.0]),
            model: ModelConfig { output_size: Some(3), ..ModelConfig::default() },
            preprocessing: PreprocessingConfig::default(),
        };
        serde_json::to_value(&config).unwrap()
    }

    fn parsed(config: &Value) -> Result<FolderConfig> {
        FolderConfig::parse(config.to_string().as_bytes(), Path::new("m/config.json"))
    }

    #[test]
    fn format_5_has_constant_scales() {
        let mut config = newest();
        config["format_version"] = json!(5);
        assert_eq!(parsed(&config).unwrap().model.path_scales, PathScaling::Constant);
    }

    #[test]
    fn a_configuration_without_ids_is_damaged() {
        parsed(&newest()).unwrap();
        let mut config = newest();
        config["model_id"] = Value::Null;
        let error = parsed(&config).unwrap_err().to_string();
        assert!(error.contains("it lacks model_id"), "{error}");
    }

    #[test]
    fn a_task_and_thresholds_that_do_not_fit_are_damage() {
        let classes = |names: &[&str]| json!({ "kind": "one-of", "classes": names });
        let cases = [
            ("task", Value::Null, "null, expected a task with its kind and classes"),
            ("task", json!({ "kind": "one-of" }), "missing field `classes`"),
            ("task", json!({ "kind": "two-of", "classes": ["a", "b", "c"] }), "two-of"),
            ("task", classes(&["a", "b", "a"]), "two classes are named \"a\""),
            ("task", classes(&["a", "b"]), "output_size is 3, but 2 classes need 2 outputs"),
            ("thresholds", json!([0.5, 0.5]), "there are 2 of them, expected 3"),
            ("thresholds", json!([0.5, 0.5, 1.5]), "number 3 is 1.5"),
            ("thresholds", json!([0.5, -0.5, 0.5]), "number 2 is -0.5"),
            ("thresholds", json!([0.5, null, 0.5]), "null"),
            ("thresholds", json!([1e60, 0.5, 0.5]), "number 1 is inf"),
        ];
        for (key, value, expected) in cases {
            let mut config = newest();
            config[key] = value;
            let error = parsed(&config).unwrap_err();
            assert!(matches!(error, Error::Damaged { .. }), "{error:?}");
            let error = error.to_string();
            assert!(error.starts_with("m/config.json cannot be read as"), "{error}");
            assert!(error.contains(expected), "{key}: {error}");
        }
    }

    #[test]
    fn thresholds_may_be_absent() {
        let mut config = newest();
        config.as_object_mut().unwrap().remove("thresholds");
        let read = parsed(&config).unwrap();
        assert_eq!(read.thresholds, None);
        assert!(!serde_json::to_string(&read).unwrap().contains("thresholds"));
    }
}

//! Recipes: all settings of preprocessing, network and training, as TOML.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, anyhow, bail};
use dataset::nearest;
use model::{ModelConfig, Regularization};
use serde::Deserialize;
use text_preprocessing::PreprocessingConfig;
use trainer::{PretrainingConfig, TrainingConfig};

/// The built-in recipes, by name.
const BUILT_IN: [(&str, &str); 4] = [
    ("quick", include_str!("../recipes/quick.toml")),
    ("default", include_str!("../recipes/default.toml")),
    ("accurate", include_str!("../recipes/accurate.toml")),
    ("notebook", include_str!("../recipes/notebook.toml")),
];

/// A recipe, ready to run.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Recipe {
    /// Name of the built-in recipe, or of the file without its extension.
    pub(crate) name: String,
    pub(crate) preprocessing: PreprocessingConfig,
    pub(crate) model: ModelConfig,
    pub(crate) regularization: Regularization,
    pub(crate) pretraining: PretrainingConfig,
    pub(crate) training: TrainingConfig,
}

/// The contents of a recipe file.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Tables {
    preprocessing: PreprocessingConfig,
    model: ModelConfig,
    regularization: Regularization,
    pretraining: PretrainingConfig,
    training: TrainingConfig,
}

impl Recipe {
    /// Loads a built-in recipe or a file, then overrides settings, e.g. `training.epochs=3`.
    pub(crate) fn load(name_or_file: &str, settings: &[String]) -> anyhow::Result<Self> {
        let built_in = BUILT_IN.iter().find(|(name, _)| *name == name_or_file);
        let (name, text) = match built_in {
            Some((name, text)) => ((*name).to_string(), (*text).to_string()),
            None => read_file(Path::new(name_or_file))?,
        };
        let mut table: toml::Table =
            toml::from_str(&text).with_context(|| format!("recipe {name_or_file}"))?;
        for setting in settings {
            apply(&mut table, setting)?;
        }
        refuse_removed(&table).with_context(|| format!("recipe {name_or_file}"))?;
        let Tables { preprocessing, model, regularization, pretraining, training } = table
            .try_into()
            .map_err(|error: toml::de::Error| anyhow!("{}", one_line(&error)))
            .with_context(|| format!("recipe {name_or_file}"))?;
        preprocessing.check().with_context(|| format!("recipe {name_or_file}, [preprocessing]"))?;
        model.check().with_context(|| format!("recipe {name_or_file}, [model]"))?;
        regularization
            .check()
            .with_context(|| format!("recipe {name_or_file}, [regularization]"))?;
        pretraining
            .check(&model)
            .with_context(|| format!("recipe {name_or_file}, [pretraining]"))?;
        training.check().with_context(|| format!("recipe {name_or_file}, [training]"))?;
        Ok(Self { name, preprocessing, model, regularization, pretraining, training })
    }
}

/// Settings that older recipes may have, as table and key.
const REMOVED: [(&str, &str); 4] = [
    ("model", "ngram_start"),
    ("model", "ngram_dropout"),
    ("model", "smallest_window"),
    ("training", "ngram_training"),
];

/// Says of a removed setting what happened to it, where a suggestion would mislead.
fn refuse_removed(recipe: &toml::Table) -> anyhow::Result<()> {
    if recipe.get("training").and_then(|table| table.get("positive_weight")).is_some() {
        bail!(
            "training.positive_weight is now training.class_weights: none, auto, balanced, or weights by class, \
             such as \"positive=3\""
        );
    }
    for (table, key) in REMOVED {
        if recipe.get(table).and_then(|table| table.get(key)).is_some() {
            bail!(
                "{table}.{key} no longer exists: the linear path is always fitted first, on whole texts; \
                 remove the setting"
            );
        }
    }
    Ok(())
}

fn read_file(path: &Path) -> anyhow::Result<(String, String)> {
    if !path.exists() {
        let names = BUILT_IN.map(|(name, _)| name);
        let near = nearest(&path.to_string_lossy(), names);
        bail!(
            "no recipe {}; the built-in recipes are {}; for your own, pass the path of a TOML file{}",
            path.display(),
            names.join(", "),
            near.map_or_else(String::new, |near| format!("; did you mean {near}?")),
        );
    }
    let text =
        fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let name = path.file_stem().map_or_else(|| "custom".into(), |stem| stem.to_string_lossy());
    Ok((name.into_owned(), text))
}

/// Joins a message and its place, which is on a second line since a table has no text to point at.
/// Suggests the nearest known name for an unknown one.
fn one_line(error: &toml::de::Error) -> String {
    let message = error.to_string().trim_end().replace('\n', " ");
    let is_key = message.starts_with("unknown field");
    let Some((what, list)) = message.split_once(", expected ") else { return message };
    if !is_key && !message.starts_with("unknown variant") {
        return message;
    }
    // The place follows the last expected name.
    let (list, place) = list.split_at(list.rfind(" in `").unwrap_or(list.len()));
    // Names are in backticks.
    let unknown = what.split('`').nth(1).unwrap_or_default();
    // A key of another table is more likely to be meant than a similar one of this table.
    let elsewhere = if is_key { key_elsewhere(unknown) } else { None };
    let similar = || nearest(unknown, list.split('`').skip(1).step_by(2)).map(str::to_owned);
    let near = elsewhere.or_else(similar);
    match near {
        // A table has many keys: the list would hide the suggestion.
        Some(near) if is_key => format!("{what}{place}; did you mean `{near}`?"),
        Some(near) => format!("{message}; did you mean `{near}`?"),
        None => message,
    }
}

/// `table.name`, if another table has a key of this name.
fn key_elsewhere(name: &str) -> Option<String> {
    let tables = [
        ("preprocessing", toml::Table::try_from(PreprocessingConfig::default())),
        ("model", toml::Table::try_from(ModelConfig::default())),
        ("regularization", toml::Table::try_from(Regularization::default())),
        ("training", toml::Table::try_from(TrainingConfig::default())),
        ("pretraining", toml::Table::try_from(PretrainingConfig::default())),
    ];
    let has_it = |keys: &Result<toml::Table, _>| {
        keys.as_ref().is_ok_and(|keys: &toml::Table| keys.contains_key(name))
    };
    tables.iter().find(|(_, keys)| has_it(keys)).map(|(table, _)| format!("{table}.{name}"))
}

/// Applies `table.key=value` to a recipe; a value that is not TOML is a string.
fn apply(recipe: &mut toml::Table, setting: &str) -> anyhow::Result<()> {
    let malformed =
        || anyhow!("--set {setting}: expected TABLE.KEY=VALUE, such as training.epochs=3");
    let (path, value) = setting.split_once('=').ok_or_else(malformed)?;
    let (table, key) = path.trim().split_once('.').ok_or_else(malformed)?;
    let value = value.trim();
    let parsed: Result<toml::Table, _> = toml::from_str(&format!("value = {value}"));
    let value = parsed
        .ok()
        .and_then(|mut table| table.remove("value"))
        .unwrap_or_else(|| toml::Value::String(value.to_string()));
    let table = recipe.entry(table).or_insert_with(|| toml::Value::Table(toml::Table::new()));
    table.as_table_mut().ok_or_else(malformed)?.insert(key.to_string(), value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_notebook_recipe_is_the_libraries_defaults() -> anyhow::Result<()> {
        let recipe = Recipe::load("notebook", &[])?;
        assert_eq!(recipe.preprocessing, PreprocessingConfig::default());
        assert_eq!(recipe.model, ModelConfig::default());
        assert_eq!(recipe.regularization, Regularization::default());
        assert_eq!(recipe.pretraining, PretrainingConfig::default());
        assert_eq!(recipe.training, TrainingConfig::default());
        Ok(())
    }

    #[test]
    fn every_built_in_recipe_loads() -> anyhow::Result<()> {
        for (name, _) in BUILT_IN {
            Recipe::load(name, &[])?;
        }
        Ok(())
    }

    #[test]
    fn settings_go_over_the_recipe() -> anyhow::Result<()> {
        let settings = ["training.epochs=9", "model.cell=gru", "training.learning_rate = 0.5"];
        let recipe = Recipe::load("notebook", &settings.map(String::from))?;
        assert_eq!(recipe.training.epochs, 9);
        assert_eq!(recipe.model.cell, model::CellKind::Gru);
        assert_eq!(recipe.training.learning_rate, 0.5);
        Ok(())
    }

    #[test]
    fn bad_settings_say_what_was_expected() {
        let message = |setting: &str| {
            let error = Recipe::load("default", &[setting.to_string()]).expect_err(setting);
            format!("{error:#}")
        };
        assert!(message("epochs").contains("TABLE.KEY=VALUE"));
        assert!(message("training.epoch=3").ends_with("did you mean `epochs`?"));
        assert!(message("model.epochs=3").ends_with("did you mean `training.epochs`?"));
        assert!(message("modle.epochs=3").ends_with("did you mean `model`?"));
        for setting in ["training.gpu=3", "training.epochs=three", "training.schedule=warmup"] {
            assert!(!message(setting).contains("did you mean"), "{}", message(setting));
        }
        assert!(message("training.epochs=0").contains("at least 1"));
        for removed in ["model.ngram_dropout=0.5", "training.ngram_training=first"] {
            assert!(message(removed).contains("no longer exists"), "{}", message(removed));
            assert!(!message(removed).contains("did you mean"), "{}", message(removed));
        }
        assert!(
            message("training.class_weights=balance").contains("none, auto, balanced, or weights")
        );
        assert!(
            message("training.class_weights=positive=0")
                .contains("none, auto, balanced, or weights")
        );
        assert!(message("training.positive_weight=3").contains("is now training.class_weights"));
        assert!(
            message("model.word_dropout=0.1")
                .ends_with("did you mean `regularization.word_dropout`?")
        );
        assert!(message("training.threshold=recall").contains("such as cost=5:1"));
        assert!(message("model.cell=lstn").ends_with("did you mean `lstm`?"));
    }
}

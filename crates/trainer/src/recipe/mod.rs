//! Recipes: all settings of preprocessing, network and training, as TOML.

mod built_in;
mod error;
mod messages;

use std::fs;
use std::path::Path;

use candle_core::Device;
use classifier::folder::OutputFolder;
use dataset::{SplitConfig, nearest};
use model::{ModelConfig, Regularization};
use serde::{Deserialize, Serialize};
use text_preprocessing::PreprocessingConfig;

pub use self::error::RecipeError;

use self::built_in::BUILT_IN;

use crate::config::TrainingConfig;
use crate::few_texts::{FewTexts, counted};
use crate::job::TrainingJob;
use crate::prepare::{Prepared, SplitPlan};
use crate::pretraining::PretrainingConfig;
use crate::report::DataOrigin;

/// A recipe, ready to run.
#[derive(Debug, Clone, PartialEq)]
pub struct Recipe {
    /// Name of the built-in recipe, or of the file without its extension.
    pub name: String,
    /// How texts become ids.
    pub preprocessing: PreprocessingConfig,
    /// The network.
    pub model: ModelConfig,
    /// What keeps the network from overfitting.
    pub regularization: Regularization,
    /// The pre-training settings.
    pub pretraining: PretrainingConfig,
    /// The training settings.
    pub training: TrainingConfig,
}

/// All settings of a recipe, to be written down.
#[derive(Debug, Serialize)]
pub(crate) struct Settings<'a> {
    preprocessing: &'a PreprocessingConfig,
    model: &'a ModelConfig,
    regularization: &'a Regularization,
    pretraining: &'a PretrainingConfig,
    training: &'a TrainingConfig,
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
    /// The names of the built-in recipes.
    pub fn names() -> [&'static str; 5] {
        built_in::names()
    }

    /// Loads a built-in recipe or a file, then overrides settings, e.g. `training.epochs=3`.
    ///
    /// # Errors
    /// A [`RecipeError`] that names the recipe and the setting, and the nearest known name of an unknown one.
    pub fn load(name_or_file: &str, settings: &[String]) -> Result<Self, RecipeError> {
        let built_in = BUILT_IN.iter().find(|(name, _)| *name == name_or_file);
        let (mut name, text) = match built_in {
            Some((name, text)) => ((*name).to_string(), (*text).to_string()),
            None => read_file(Path::new(name_or_file))?,
        };
        let recipe = || name_or_file.to_string();
        let mut table: toml::Table = toml::from_str(&text)
            .map_err(|error| RecipeError::Syntax { recipe: recipe(), error })?;
        // What a run folder says about the run besides its recipe.
        if let Some(toml::Value::Table(run)) = table.remove(RUN_TABLE)
            && let Some(toml::Value::String(recipe)) = run.get("recipe")
        {
            name = recipe.clone();
        }
        for setting in settings {
            apply(&mut table, setting)?;
        }
        keep_what_is_given(&mut table, settings);
        refuse_retired(&table, name_or_file)?;
        Self::of_table(table, (name, name_or_file))
    }

    /// The same with settings over it, as in [`load`](Self::load).
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub(crate) fn with(&self, settings: &[String]) -> Result<Self, RecipeError> {
        let mut table = toml::Table::try_from(self.settings()).map_err(|error| {
            RecipeError::Unknown { recipe: self.name.clone(), reason: error.to_string() }
        })?;
        for setting in settings {
            apply(&mut table, setting)?;
        }
        refuse_retired(&table, &self.name)?;
        Self::of_table(table, (self.name.clone(), &self.name))
    }

    /// The recipe of its tables. `shown`: what it is called in messages.
    fn of_table(table: toml::Table, (name, shown): (String, &str)) -> Result<Self, RecipeError> {
        let Tables { preprocessing, model, regularization, pretraining, training } =
            table.try_into().map_err(|error| RecipeError::Unknown {
                recipe: shown.to_string(),
                reason: messages::one_line(&error),
            })?;
        let wrong = |table, reason| RecipeError::Value { recipe: shown.to_string(), table, reason };
        let checks = [
            ("preprocessing", preprocessing.check().map_err(|error| error.to_string())),
            ("model", model.check().map_err(|error| error.to_string())),
            ("regularization", regularization.check().map_err(|error| error.to_string())),
            ("pretraining", pretraining.check(&model).map_err(|error| error.to_string())),
            ("training", training.check().map_err(|error| error.to_string())),
            ("training", training.check_for(&model).map_err(|error| error.to_string())),
        ];
        for (table, check) in checks {
            check.map_err(|reason| wrong(table, reason))?;
        }
        Ok(Self { name, preprocessing, model, regularization, pretraining, training })
    }

    /// All settings.
    pub(crate) fn settings(&self) -> Settings<'_> {
        let Self { preprocessing, model, regularization, pretraining, training, .. } = self;
        Settings { preprocessing, model, regularization, pretraining, training }
    }

    /// All texts, divided with the recipe's seed.
    pub fn split_plan(&self) -> SplitPlan {
        SplitPlan {
            shares: SplitConfig { seed: self.training.seed, ..SplitConfig::default() },
            ..SplitPlan::default()
        }
    }

    /// The recipe as these texts are prepared and trained on: its own settings, unless they follow the number of
    /// texts ([`FewTexts::Adapt`]). `plan`: how they were divided.
    #[must_use]
    pub fn adapted_to(&self, data: &Prepared, plan: &SplitPlan) -> Self {
        let sizes = [&data.train, &data.validation, &data.test].map(|split| split.len());
        Self {
            preprocessing: data.encoder.config().clone(),
            training: FewTexts::training(&self.training, counted(plan, sizes)),
            ..self.clone()
        }
    }

    /// A training with this recipe on `data` from `origin`, for a model in `folder`.
    pub fn job<'a>(
        &'a self,
        data: &'a Prepared,
        origin: DataOrigin,
        device: &'a Device,
        folder: &'a OutputFolder,
    ) -> TrainingJob<'a> {
        TrainingJob {
            recipe: &self.name,
            model: &self.model,
            regularization: &self.regularization,
            training: &self.training,
            pretraining: &self.pretraining,
            data,
            origin,
            device,
            folder,
        }
    }
}

/// The table of a run folder's `run.toml` that is not part of the recipe.
const RUN_TABLE: &str = "run";

/// What became of the settings of older recipes, by table and key, where a suggestion would mislead.
const RETIRED: [(&str, &str, &str); 5] = [
    (
        "training",
        "positive_weight",
        "is now training.class_weights: none, auto, balanced, or weights by class, such as \"positive=3\"",
    ),
    ("model", "ngram_start", LINEAR_FIRST),
    ("model", "ngram_dropout", LINEAR_FIRST),
    ("model", "smallest_window", LINEAR_FIRST),
    ("training", "ngram_training", LINEAR_FIRST),
];
const LINEAR_FIRST: &str =
    "no longer exists: the linear path is always fitted first, on whole texts; remove the setting";

fn refuse_retired(settings: &toml::Table, recipe: &str) -> Result<(), RecipeError> {
    let is_set = |(table, key, _): &&(&str, &str, &str)| {
        settings.get(*table).and_then(|table| table.get(*key)).is_some()
    };
    match RETIRED.iter().find(is_set) {
        Some(&(table, key, now)) => {
            Err(RecipeError::Retired { recipe: recipe.to_string(), table, key, now })
        }
        None => Ok(()),
    }
}

/// What somebody sets does not follow the number of texts, unless that is set, too.
fn keep_what_is_given(recipe: &mut toml::Table, settings: &[String]) {
    let is_given = |name: &str| {
        settings
            .iter()
            .any(|setting| setting.split_once('=').is_some_and(|(given, _)| given.trim() == name))
    };
    let follow = [
        "training.batch_size",
        "training.epochs",
        "training.windows",
        "preprocessing.min_frequency",
    ];
    if follow.into_iter().any(is_given)
        && !is_given("training.few_texts")
        && let Some(toml::Value::Table(training)) = recipe.get_mut("training")
    {
        training.remove("few_texts");
    }
}

fn read_file(path: &Path) -> Result<(String, String), RecipeError> {
    if !path.exists() {
        let nearest = nearest(&path.to_string_lossy(), Recipe::names());
        return Err(RecipeError::Missing { path: path.to_path_buf(), nearest });
    }
    let text = fs::read_to_string(path)
        .map_err(|error| RecipeError::Read { path: path.to_path_buf(), error })?;
    let name = path.file_stem().map_or_else(|| "custom".into(), |stem| stem.to_string_lossy());
    Ok((name.into_owned(), text))
}

/// Applies `table.key=value` to a recipe; a value that is not TOML is a string.
fn apply(recipe: &mut toml::Table, setting: &str) -> Result<(), RecipeError> {
    let malformed = || RecipeError::Setting { setting: setting.to_string() };
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
    fn the_notebook_recipe_is_the_libraries_defaults() -> Result<(), RecipeError> {
        let recipe = Recipe::load("notebook", &[])?;
        assert_eq!(recipe.preprocessing, PreprocessingConfig::default());
        assert_eq!(recipe.model, ModelConfig::default());
        assert_eq!(recipe.regularization, Regularization::default());
        assert_eq!(recipe.pretraining, PretrainingConfig::default());
        assert_eq!(recipe.training, TrainingConfig::default());
        Ok(())
    }

    #[test]
    fn every_built_in_recipe_loads() -> Result<(), RecipeError> {
        for (name, _) in BUILT_IN {
            Recipe::load(name, &[])?;
        }
        Ok(())
    }

    #[test]
    fn settings_go_over_the_recipe() -> Result<(), RecipeError> {
        let settings = ["training.epochs=9", "model.cell=gru", "training.learning_rate = 0.5"];
        let recipe = Recipe::load("notebook", &settings.map(String::from))?;
        assert_eq!(recipe.training.epochs, 9);
        assert_eq!(recipe.model.cell, model::CellKind::Gru);
        assert_eq!(recipe.training.learning_rate, 0.5);
        Ok(())
    }

    #[test]
    fn a_recipe_that_is_not_there_is_looked_for_among_the_names() {
        let message = Recipe::load("qick", &[]).unwrap_err().to_string();
        assert_eq!(
            message,
            "no recipe qick; the built-in recipes are quick, default, recurrent, accurate, notebook; for your own, pass the \
             path of a TOML file; did you mean quick?"
        );
        assert!(Recipe::names().iter().all(|name| Recipe::load(name, &[]).is_ok()));
    }

    #[test]
    fn the_split_has_the_seed_of_the_training() {
        let recipe = Recipe::load("quick", &["training.seed=7".to_string()]).unwrap();
        assert_eq!(recipe.split_plan().shares.seed, 7);
    }

    #[test]
    fn bad_settings_say_what_was_expected() {
        let message = |setting: &str| {
            Recipe::load("default", &[setting.to_string()]).expect_err(setting).to_string()
        };
        assert!(message("epochs").contains("TABLE.KEY=VALUE"));
        assert!(message("training.epoch=3").ends_with("did you mean `epochs`?"));
        assert!(message("model.epochs=3").ends_with("did you mean `training.epochs`?"));
        assert!(message("modle.epochs=3").ends_with("did you mean `model`?"));
        for setting in ["training.gpu=3", "training.epochs=three", "training.schedule=warmup"] {
            assert!(!message(setting).contains("did you mean"), "{}", message(setting));
        }
        assert!(message("training.epochs=0").contains("at least 1"));
        assert!(message("training.windows=101").contains("at most 100"));
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

    #[test]
    fn settings_of_different_tables_that_contradict_each_other_are_refused() {
        let message = |recipe: &str, settings: &[&str]| {
            let settings: Vec<String> = settings.iter().map(ToString::to_string).collect();
            Recipe::load(recipe, &settings).unwrap_err().to_string()
        };
        let uncalibrated = ["model.path_scales=by-length", "training.calibrate=false"];
        let error = message("default", &uncalibrated);
        assert!(
            error.contains("calibrate is false; expected true with model.path_scales"),
            "{error}"
        );
    }
}

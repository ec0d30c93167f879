//! What can be wrong with a recipe.

use std::io;
use std::path::PathBuf;

use super::built_in;
use crate::state::Difference;

/// Why a recipe was not loaded. Messages are complete: they name the recipe, the table or the setting, and the cause.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecipeError {
    /// There is neither a built-in recipe nor a file of this name.
    #[error(
        "no recipe {}; the built-in recipes are {}; for your own, pass the path of a TOML file{}",
        path.display(),
        built_in::names().join(", "),
        nearest.map_or_else(String::new, |near| format!("; did you mean {near}?"))
    )]
    Missing {
        /// The name as given.
        path: PathBuf,
        /// The most similar built-in recipe, if one is similar.
        nearest: Option<&'static str>,
    },
    /// The file could not be read.
    #[error("cannot read {}: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's error.
        error: io::Error,
    },
    /// The file is not TOML.
    #[error("recipe {recipe}: {error}")]
    Syntax {
        /// The recipe.
        recipe: String,
        /// What is wrong, with the line.
        error: toml::de::Error,
    },
    /// A setting to override is not written as one.
    #[error("{setting}: expected TABLE.KEY=VALUE, such as training.epochs=3")]
    Setting {
        /// The setting as given.
        setting: String,
    },
    /// A setting of earlier versions.
    #[error("recipe {recipe}: {table}.{key} {now}")]
    Retired {
        /// The recipe.
        recipe: String,
        /// Its table.
        table: &'static str,
        /// The key in the table.
        key: &'static str,
        /// What became of it, and what to do.
        now: &'static str,
    },
    /// A key or a value that no recipe has.
    #[error("recipe {recipe}: {reason}")]
    Unknown {
        /// The recipe.
        recipe: String,
        /// What is wrong and where, with the most similar known name.
        reason: String,
    },
    /// A value out of its range, or values that contradict one another.
    #[error("recipe {recipe}, [{table}]: {reason}")]
    Value {
        /// The recipe.
        recipe: String,
        /// The table.
        table: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// A setting is of another preprocessing or network than those of the model that a training starts from.
    #[error(
        "{}: a training that starts from a model keeps its preprocessing and its network, so that these cannot be set: \
         {}",
        path.display(),
        differences.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    )]
    OtherModel {
        /// The model's folder.
        path: PathBuf,
        /// What is set otherwise.
        differences: Vec<Difference>,
    },
    /// A setting has no place in a training that starts from a model.
    #[error(
        "{}: {setting} cannot be set where a training starts from a model, because it keeps {part}; leave it out, or \
         train a new model",
        path.display()
    )]
    Overwrites {
        /// The model's folder.
        path: PathBuf,
        /// The setting.
        setting: &'static str,
        /// What the training keeps.
        part: &'static str,
    },
}

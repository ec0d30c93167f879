//! Recipes whose settings are the values of `--set`.

use anyhow::anyhow;
use trainer::{Recipe, RecipeError};

/// A recipe whose settings are the values of the flag, which errors about a malformed one name.
pub(crate) fn of_flags(recipe: Result<Recipe, RecipeError>) -> anyhow::Result<Recipe> {
    recipe.map_err(|error| match error {
        RecipeError::Setting { .. } => anyhow!("--set {error}"),
        error => error.into(),
    })
}

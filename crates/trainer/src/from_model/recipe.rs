//! The settings of a training that starts from a model.

use model::ModelConfig;
use serde_json::{Value, json};

use super::start_model::StartModel;
use crate::config::{Schedule, VectorTraining};
use crate::few_texts::FewTexts;
use crate::recipe::{Recipe, RecipeError};
use crate::state::Difference;

/// The learning rate, as a share of that with which a model is trained anew: smaller steps forget less (Howard and Ruder
/// 2018). The figures are in ARCHITECTURE.md.
const RATE_SHARE: f64 = 0.5;

impl StartModel {
    /// The recipe of a training that starts from this model: its preprocessing and its network; of a recipe by name, or
    /// else of the model's own training, everything else, with a lower learning rate, with retraining on the validation
    /// texts, and without pre-training and word vectors; then `settings` over it, such as `training.epochs=3`.
    ///
    /// # Errors
    /// As [`Recipe::load`]; [`RecipeError::OtherModel`] if a setting is of another preprocessing or network;
    /// [`RecipeError::Overwrites`] if it would overwrite what the model has learned.
    pub fn recipe(&self, name: Option<&str>, settings: &[String]) -> Result<Recipe, RecipeError> {
        let own = self.own_recipe();
        let base = match name {
            None => own.clone(),
            Some(name) => {
                let Recipe { preprocessing, model, .. } = own.clone();
                lowered(Recipe { preprocessing, model, ..Recipe::load(name, &[])? })
            }
        };
        let recipe = base.with(settings)?;
        let path = || self.path().to_path_buf();
        let differences = Difference::all(&kept(&own), &kept(&recipe));
        if !differences.is_empty() {
            return Err(RecipeError::OtherModel { path: path(), differences });
        }
        match overwriting(&recipe) {
            None => Ok(recipe),
            Some((setting, part)) => Err(RecipeError::Overwrites { path: path(), setting, part }),
        }
    }

    /// In what the preprocessing and the network of a recipe differ from the model's, which are used instead.
    ///
    /// # Errors
    /// As [`Recipe::load`].
    pub fn differences_from(&self, name: &str) -> Result<Vec<Difference>, RecipeError> {
        let (own, other) = (self.own_recipe(), Recipe::load(name, &[])?);
        Ok(Difference::all(&kept(&other), &kept(&own)))
    }

    /// The settings of the model's own training, as those of the next one.
    fn own_recipe(&self) -> Recipe {
        let report = &self.report;
        let recipe = Recipe {
            name: report.recipe.clone(),
            preprocessing: self.encoder().config().clone(),
            // The task decides about the outputs.
            model: ModelConfig { output_size: None, ..self.classifier.network().config().clone() },
            regularization: report.regularization,
            pretraining: report.pretraining.clone(),
            training: report.training.clone(),
        };
        // The rate of a model that started from another one is low already.
        if report.from.is_some() { going_on(recipe) } else { lowered(recipe) }
    }
}

/// The settings of a training anew as those of one that starts from a model.
fn lowered(recipe: Recipe) -> Recipe {
    let mut recipe = going_on(recipe);
    let training = &mut recipe.training;
    training.learning_rate *= RATE_SHARE;
    // New texts are few: none of them is left out in the end.
    training.refit = training.schedule != Schedule::Plateau;
    // The weights that a training starts from have their paths' shares in them: a share alone would lower the logits.
    training.calibrate |= recipe.model.ngram_order > 0 || !recipe.model.path_scales.is_constant();
    recipe
}

/// The settings of any training without what has no place in one that starts from a model.
fn going_on(mut recipe: Recipe) -> Recipe {
    let training = &mut recipe.training;
    // The embedding and the recurrent layers are there.
    training.word_vectors = None;
    training.vectors = VectorTraining::Tuned;
    recipe.pretraining.epochs = 0;
    // A teacher would know the new texts only, and less than the model.
    (training.distillation, training.windows) = (0.0, 0);
    // A smaller batch and more epochs are more steps away from the model. What a report says has followed the number of
    // texts already, and would follow it again.
    training.few_texts = FewTexts::Keep;
    recipe
}

/// The setting that would overwrite what a model has learned, if there is one, and what that is.
fn overwriting(recipe: &Recipe) -> Option<(&'static str, &'static str)> {
    let Recipe { training, pretraining, .. } = recipe;
    if training.word_vectors.is_some() {
        // A recipe without these vectors has none that are frozen.
        Some(("training.word_vectors", "the vectors of its words"))
    } else if pretraining.epochs > 0 {
        let part = "its recurrent layers, which pre-training would change for another task";
        Some(("pretraining.epochs", part))
    } else {
        None
    }
}

/// What must be the same in a model and in the recipe of a training that starts from it.
fn kept(recipe: &Recipe) -> Value {
    let model = ModelConfig { output_size: None, ..recipe.model.clone() };
    json!({ "preprocessing": recipe.preprocessing, "model": model })
}

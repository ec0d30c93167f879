//! The linear model that a network without a linear path is compared with.

use model::NgramVocabulary;

use crate::calibration::boundary;
use crate::config::TrainingConfig;
use crate::error::Result;
use crate::job::{labels_of, rows_of};
use crate::linear_model::LinearModel;
use crate::paths::PathScore;
use crate::prepare::Prepared;

/// Words and pairs of words.
const ORDER: usize = 2;
/// Training texts that an n-gram must occur in.
const MIN_TEXTS: usize = 2;

/// Test scores of a linear model over the words and word pairs of the encoded training texts. Of
/// `training` it uses [`ngram_learning_rate`](TrainingConfig::ngram_learning_rate), `positive_weight`
/// and `seed`.
///
/// # Errors
/// [`Error::NoLabels`](crate::Error::NoLabels); [`Error::LinearPath`](crate::Error::LinearPath) if it diverges.
pub fn linear_baseline(data: &Prepared, training: &TrainingConfig) -> Result<PathScore> {
    let (texts, labels) = (rows_of(&data.train), labels_of(&data.train)?);
    let vocabulary = NgramVocabulary::learn(&texts, labels, ORDER, MIN_TEXTS);
    let model = LinearModel::fit(&vocabulary, (&texts, labels), training)?;
    let class_weights = training.positive_weight.in_calibration(labels);
    let of_validation = model.logits(&rows_of(&data.validation));
    let boundary = boundary(&of_validation, labels_of(&data.validation)?, class_weights);
    let logits = model.logits(&rows_of(&data.test));
    let logits: Vec<f32> = logits.iter().map(|logit| logit - boundary).collect();
    Ok(PathScore::of_logits(&logits, labels_of(&data.test)?))
}

//! The linear model that a network without a linear path is compared with.

use classifier::PathLogits;
use model::{NgramChoice, NgramVocabulary};

use crate::class_weights::Weighting;
use crate::config::TrainingConfig;
use crate::error::Result;
use crate::evaluate::targets_of;
use crate::job::{most_ngrams, rows_of, text_classes};
use crate::linear_search::{Fitted, fit_best};
use crate::paths::PathScore;
use crate::prepare::Prepared;
use crate::scoring::metrics_of;

/// Words and pairs of words.
const ORDER: usize = 2;
/// Training texts that an n-gram must occur in.
const MIN_TEXTS: usize = 2;

/// Test scores of a linear model over the words and word pairs of the encoded training texts. Its learning rate
/// and, where classes are weighted, a shift of its logits are chosen on the validation texts. Of `training` it
/// uses [`ngram_learning_rate`](TrainingConfig::ngram_learning_rate), `class_weights` and `seed`.
///
/// # Errors
/// [`Error::NoLabels`](crate::Error::NoLabels); [`Error::LinearPath`](crate::Error::LinearPath) if it diverges.
pub fn linear_baseline(data: &Prepared, training: &TrainingConfig) -> Result<PathScore> {
    let (task, targets) = (&data.task, targets_of(&data.train)?);
    let choice =
        NgramChoice { order: ORDER, min_texts: MIN_TEXTS, max_ngrams: Some(most_ngrams(task)) };
    let (texts, n_classes) = (rows_of(&data.train), task.classes().len());
    let vocabulary = NgramVocabulary::learn(&texts, text_classes(targets), n_classes, choice);
    let trained = training.class_weights.of(task, targets)?;
    let classes = training.class_weights.in_calibration(task, targets)?;
    let rows = data.validation.weights();
    let weighting = Weighting { classes: &classes, trained: &trained, rows };
    let Fitted { model, stacked, .. } = fit_best(&vocabulary, data, training, weighting, None)?;
    let recurrent = model.logits(&data.test);
    let logits = PathLogits { recurrent, linear: None, n_outputs: task.n_outputs() };
    let logits = stacked.combined(&stacked.shifted(&logits));
    Ok(PathScore::of(&metrics_of(&logits, task, targets_of(&data.test)?, None)?))
}

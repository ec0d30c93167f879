//! Chooses the step size of the linear model on validation texts.
//!
//! In a few passes of stochastic gradient descent the step size is what a penalty on large weights is elsewhere:
//! long texts with certain labels want large steps, short ones with noisy labels small ones.
//!
//! The configured rate and an eighth of it are tried side by side, and if the eighth is better, a quarter and a
//! sixteenth. The best is the one with the lowest loss on the validation texts, calibrated and weighted.

use classifier::PathLogits;
use model::NgramVocabulary;

use crate::class_weights::Weighting;
use crate::config::TrainingConfig;
use crate::error::Result;
use crate::evaluate::targets_of;
use crate::from_model::LinearStart;
use crate::linear_model::{Features, LinearModel, check_finite};
use crate::prepare::Prepared;
use crate::scoring::weighted_loss;
use crate::stacking::Stacked;

/// Divisors of the configured rate that are tried first, at the same time.
const FIRST: [f64; 2] = [1.0, 8.0];
/// Those that are tried if the smaller of the first two rates is better.
const SECOND: [f64; 2] = [4.0, 16.0];

/// The share of the configured rate with which a model starts that goes on from another one: the old texts, which are no
/// longer there, are forgotten less. The figures are in ARCHITECTURE.md.
const SHARE_FROM_MODEL: f64 = 0.25;

/// A linear model, and what it says of the validation texts.
#[derive(Debug, Clone)]
pub(crate) struct Fitted<'a> {
    pub(crate) model: LinearModel<'a>,
    /// Its learning rate.
    pub(crate) rate: f64,
    /// `[N·O]`, of the validation texts.
    pub(crate) logits: PathLogits,
    /// With these, what it says is calibrated.
    pub(crate) stacked: Stacked,
    /// Weighted, calibrated.
    loss: f64,
}

/// Fits the model with the configured rate, and smaller ones where they fit the validation texts better.
///
/// `weighting`: of the validation texts. `start`: weights to start from; 0 if absent.
///
/// # Errors
/// As [`LinearModel::fit`], if no rate gives a model; [`Error::LinearPath`](crate::Error::LinearPath) also if a
/// logit is not finite.
pub(crate) fn fit_best<'a>(
    vocabulary: &'a NgramVocabulary,
    data: &Prepared,
    training: &TrainingConfig,
    weighting: Weighting<'_>,
    start: Option<&LinearStart>,
) -> Result<Fitted<'a>> {
    let (task, targets) = (&data.task, targets_of(&data.validation)?);
    let features = Features::of(vocabulary, &data.train);
    let with_rate = |rate: f64| -> Result<Fitted<'a>> {
        let model =
            LinearModel::fit(vocabulary, (&features, &data.train), task, training, (rate, start))?;
        let recurrent = model.logits(&data.validation);
        check_finite("logits", &recurrent, rate)?;
        let logits = PathLogits { recurrent, linear: None, n_outputs: task.n_outputs() };
        let stacked = Stacked::fit(task, &logits, targets, weighting, true);
        let calibrated = stacked.combined(&stacked.shifted(&logits));
        let loss = weighted_loss(&calibrated, task, targets, weighting)?;
        Ok(Fitted { model, rate, logits, stacked, loss })
    };
    let both = |[a, b]: [f64; 2]| {
        let rate =
            training.ngram_learning_rate * if start.is_some() { SHARE_FROM_MODEL } else { 1.0 };
        rayon::join(|| with_rate(rate / a), || with_rate(rate / b))
    };
    let (configured, smaller) = both(FIRST);
    let is_configured_better = match (&configured, &smaller) {
        (Ok(configured), Ok(smaller)) => configured.loss <= smaller.loss,
        (configured, smaller) => configured.is_ok() || smaller.is_err(),
    };
    if is_configured_better {
        return configured;
    }
    drop(configured);
    let (between, smallest) = both(SECOND);
    better(better(smaller, between), smallest)
}

/// The model with the lower loss, if there are two.
fn better<'a>(a: Result<Fitted<'a>>, b: Result<Fitted<'a>>) -> Result<Fitted<'a>> {
    match (a, b) {
        (Ok(a), Ok(b)) if b.loss < a.loss => Ok(b),
        (Ok(a), _) => Ok(a),
        (Err(_), b) => b,
    }
}

#[cfg(test)]
mod tests {
    use dataset::LabelledTexts;
    use model::{NgramChoice, NgramVocabulary};
    use recurrent::SeededRng;
    use text_preprocessing::PreprocessingConfig;

    use super::*;
    use crate::class_weights::ClassWeights;
    use crate::job::{rows_of, text_classes};
    use crate::prepare::{SplitPlan, prepare};

    /// Texts of four words of 300, of which the first says the label, wrongly in `n_wrong` of ten.
    fn rate_of(n_wrong: usize, learning_rate: f64) -> (f64, f64) {
        let mut rng = SeededRng::new(1);
        let mut labels = Vec::new();
        let texts: Vec<String> = (0..1_500)
            .map(|i| {
                let word = rng.below(300);
                labels.push((word.is_multiple_of(2) == (rng.below(10) >= n_wrong)) as u8);
                format!("w{word} x{} x{} x{} n{i}", rng.below(300), rng.below(300), rng.below(300))
            })
            .collect();
        let table = LabelledTexts::new(&texts, labels).unwrap();
        let data = prepare(&table, &SplitPlan::default(), &PreprocessingConfig::default()).unwrap();
        let targets = targets_of(&data.train).unwrap();
        let choice = NgramChoice { order: 2, min_texts: 2, max_ngrams: None };
        let vocabulary =
            NgramVocabulary::learn(&rows_of(&data.train), text_classes(targets), 2, choice);
        let training =
            TrainingConfig { ngram_learning_rate: learning_rate, ..TrainingConfig::default() };
        let weights = ClassWeights::None.of(&data.task, targets).unwrap();
        let weighting = Weighting { classes: &weights, trained: &weights, rows: None };
        let fitted = fit_best(&vocabulary, &data, &training, weighting, None).unwrap();
        (fitted.rate, fitted.loss)
    }

    #[test]
    fn noisy_labels_want_smaller_steps_than_certain_ones() {
        let (certain, _) = rate_of(0, 8.0);
        let (noisy, loss) = rate_of(4, 8.0);
        assert!(noisy < certain, "{noisy} {certain}");
        // The rate that was found is no worse than the one that it was found from.
        assert!(loss <= 0.7, "{loss}");
    }
}

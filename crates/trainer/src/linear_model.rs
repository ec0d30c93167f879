//! The one linear model of this crate: logistic regression over n-grams. It is the linear path of
//! networks that have one, and the baseline for the others.
//!
//! A network's linear path is fitted before its recurrent layers are trained, and by itself: trained jointly,
//! it overfits the training texts within an epoch and leaves nothing for the recurrent layers to learn.
//! `calibration` then finds how much either path counts (stacked generalization, Wolpert 1992).

use candle_core::Tensor;
use candle_nn::VarMap;
use dataset::epoch_order;
use model::{NGRAM_BIAS, NGRAM_TABLE, NgramVocabulary};
use rayon::prelude::*;

use crate::config::TrainingConfig;
use crate::error::{Error, Result};

/// Passes over the texts of a fit.
const N_PASSES: usize = 4;
/// Keeps the order of the texts apart from other random numbers.
const SEED: u64 = 0x6c69_6e65_6172_2121;

/// A text's n-grams, as rows of the weights, and their values.
type Features = (Vec<u32>, Vec<f32>);

/// Logistic regression over the n-grams of a vocabulary.
#[derive(Debug, Clone)]
pub(crate) struct LinearModel<'a> {
    vocabulary: &'a NgramVocabulary,
    /// One for each n-gram.
    weights: Vec<f32>,
    intercept: f32,
}

impl<'a> LinearModel<'a> {
    /// Fits the weights by stochastic gradient descent whose step size falls to 0, in [`N_PASSES`] passes; having
    /// so few replaces a penalty on large weights. The intercept is the log odds of the classes, as if each had one
    /// text more. It is not fitted: on long reviews it drifts, which costs nothing there and tilts every text of a
    /// few words.
    ///
    /// `labels`: 0 or 1, one for each text. Of `training` it reads `ngram_learning_rate` (how far a text
    /// moves its own logit at first, divided by its error), `positive_weight` and `seed`.
    ///
    /// # Errors
    /// [`Error::LinearPath`] if a weight is not finite.
    pub(crate) fn fit(
        vocabulary: &'a NgramVocabulary,
        (texts, labels): (&[&[u32]], &[u8]),
        training: &TrainingConfig,
    ) -> Result<Self> {
        let features: Vec<Features> =
            texts.par_iter().map(|text| vocabulary.of_text(text)).collect();
        let class_weights = at_most_1(training.positive_weight.of_classes(labels));
        let rate = training.ngram_learning_rate;
        let mut weights = vec![0f32; vocabulary.len()];
        let intercept = log_odds(class_weights, labels);
        let n_steps = (N_PASSES * texts.len()) as f64;
        for pass in 0..N_PASSES {
            let order = epoch_order(texts.len(), training.seed ^ SEED, pass as u64);
            for (step, row) in order.into_iter().enumerate() {
                let done = (pass * texts.len() + step) as f64 / n_steps;
                let label = labels[row];
                let logit = f64::from(product(&weights, &features[row])) + intercept;
                let error = f64::from(label) - 1.0 / (1.0 + (-logit).exp());
                let change = rate * (1.0 - done) * class_weights[usize::from(label)] * error;
                let (ngrams, values) = &features[row];
                for (&ngram, value) in ngrams.iter().zip(values) {
                    weights[ngram as usize] += change as f32 * value;
                }
            }
        }
        let model = Self { vocabulary, weights, intercept: intercept as f32 };
        let parameters = model.weights.iter().chain([&model.intercept]);
        check_finite("weights", parameters, rate)?;
        Ok(model)
    }

    /// The logit of each text.
    pub(crate) fn logits(&self, texts: &[&[u32]]) -> Vec<f32> {
        let logit =
            |text: &&[u32]| product(&self.weights, &self.vocabulary.of_text(text)) + self.intercept;
        texts.par_iter().map(logit).collect()
    }

    /// Makes this the linear path of the network of these variables.
    ///
    /// # Errors
    /// If the network has another path or none, or its device fails.
    pub(crate) fn set_path(self, variables: &VarMap) -> Result<()> {
        let variables = model::sorted(variables);
        let (table, bias) = (variables.get(NGRAM_TABLE), variables.get(NGRAM_BIAS));
        let (Some(table), Some(bias)) = (table, bias) else {
            return Err(candle_core::Error::msg("the network has no linear path").into());
        };
        let n_ngrams = self.weights.len();
        table.set(&Tensor::from_vec(self.weights, (n_ngrams, 1), table.device())?)?;
        bias.set(&Tensor::new(&[self.intercept], bias.device())?)?;
        Ok(())
    }
}

/// Fails if a number is not finite. `rate`: the rate that led there.
pub(crate) fn check_finite<'a>(
    quantity: &'static str,
    numbers: impl IntoIterator<Item = &'a f32>,
    rate: f64,
) -> Result<()> {
    match numbers.into_iter().find(|x| !x.is_finite()) {
        Some(&value) => Err(Error::LinearPath { quantity, value, rate }),
        None => Ok(()),
    }
}

fn product(weights: &[f32], (ngrams, values): &Features) -> f32 {
    ngrams.iter().zip(values).map(|(&ngram, value)| weights[ngram as usize] * value).sum()
}

/// Class weights with the same ratio, of which the larger is 1: no text moves its logit further than the rate
/// says.
fn at_most_1(weights: [f64; 2]) -> [f64; 2] {
    let largest = weights[0].max(weights[1]);
    weights.map(|weight| weight / largest)
}

/// ln of positive to negative texts, weighted, as if each class had one more text.
fn log_odds(weights: [f64; 2], labels: &[u8]) -> f64 {
    let n_positive = labels.iter().filter(|&&label| label == 1).count() as f64;
    let n_negative = labels.len() as f64 - n_positive;
    ((weights[1] * n_positive + 1.0) / (weights[0] * n_negative + 1.0)).ln()
}

#[cfg(test)]
mod tests {
    use recurrent::SeededRng;

    use super::*;
    use crate::positive_weight::PositiveWeight;

    fn training(positive_weight: PositiveWeight) -> TrainingConfig {
        TrainingConfig {
            ngram_learning_rate: 10.0,
            seed: 1,
            positive_weight,
            ..TrainingConfig::default()
        }
    }

    #[test]
    fn word_order_is_learned() -> Result<()> {
        let mut rng = SeededRng::new(3);
        // Six words of twenty, labelled by whether 7 comes before 8 or after it.
        let (texts, labels): (Vec<Vec<u32>>, Vec<u8>) = (0..400)
            .map(|i| {
                let mut text: Vec<u32> = (0..6).map(|_| 9 + rng.below(20) as u32).collect();
                let at = rng.below(5);
                let label = i % 2;
                text[at..at + 2].copy_from_slice(if label == 1 { &[7, 8] } else { &[8, 7] });
                (text, label as u8)
            })
            .unzip();
        let texts: Vec<&[u32]> = texts.iter().map(Vec::as_slice).collect();
        let (train, rest) = texts.split_at(300);
        let vocabulary = NgramVocabulary::learn(train, &labels[..300], 2, 2);
        let training = training(PositiveWeight::NONE);
        let model = LinearModel::fit(&vocabulary, (train, &labels[..300]), &training)?;
        let right = model
            .logits(rest)
            .into_iter()
            .zip(&labels[300..])
            .filter(|(logit, label)| (*logit > 0.0) == (**label == 1));
        assert!(right.count() >= 98);
        let again = LinearModel::fit(&vocabulary, (train, &labels[..300]), &training)?;
        assert_eq!((model.weights, model.intercept), (again.weights, again.intercept));
        Ok(())
    }

    /// One text in ten is positive, and nothing in the texts says which: the prediction is that
    /// fraction itself, or one half where the classes are balanced.
    #[test]
    fn texts_that_say_nothing_get_the_share_of_the_classes() -> Result<()> {
        let texts: Vec<[u32; 2]> = (0..2000).map(|i| [3 + i % 7, 20 + i % 11]).collect();
        let texts: Vec<&[u32]> = texts.iter().map(<[u32; 2]>::as_slice).collect();
        let labels: Vec<u8> = (0..2000).map(|i| u8::from(i % 10 == 3)).collect();
        let vocabulary = NgramVocabulary::learn(&texts, &labels, 1, 2);
        let unknown: &[u32] = &[999];
        for (weight, expected) in
            [(PositiveWeight::NONE, (0.1f64 / 0.9).ln()), (PositiveWeight::Balanced, 0.0)]
        {
            let training = TrainingConfig { ngram_learning_rate: 1.0, ..training(weight) };
            let model = LinearModel::fit(&vocabulary, (&texts, &labels), &training)?;
            let logit = f64::from(model.logits(&[unknown])[0]);
            assert!((logit - expected).abs() < 0.15, "{weight:?}: {logit}, not {expected}");
        }
        Ok(())
    }
}

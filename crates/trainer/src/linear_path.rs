//! The linear path, fitted before the recurrent layers learn.
//!
//! Trained together, the linear path learns the training texts by heart within an epoch, and leaves
//! nothing for the recurrent layers to learn. So each learns for itself, and how much either counts in
//! their sum is found on the validation texts (stacked generalization, Wolpert 1992).

use model::NgramVocabulary;
use rayon::prelude::*;
use recurrent::SeededRng;

use crate::calibration::temperature_and_loss;

/// Passes over the texts of a fit.
const N_PASSES: usize = 4;
/// Keeps the order of the texts apart from other random numbers.
const SEED: u64 = 0x6c69_6e65_6172_2121;
/// Times that the interval of the share is narrowed by a third.
const N_NARROWINGS: usize = 20;

/// The n-grams of a text, as rows, and their values.
type Features = (Vec<u32>, Vec<f32>);

/// Logistic regression by stochastic gradient descent whose step size falls to 0: one weight an n-gram.
/// It is stopped by its passes rather than by a penalty on large weights, and has no intercept: what is
/// said of a text without n-grams is 0, and lopsided classes are left to the recurrent layers' bias.
///
/// `labels`: 0 or 1, one a text; `rate`: how far a text moves its own logit at first, divided by how
/// wrong it is.
pub(crate) fn fit(
    vocabulary: &NgramVocabulary,
    (texts, labels): (&[&[u32]], &[u8]),
    rate: f64,
    seed: u64,
) -> Vec<f32> {
    let features: Vec<Features> = texts.par_iter().map(|text| vocabulary.of_text(text)).collect();
    let mut weights = vec![0f32; vocabulary.len()];
    let mut rng = SeededRng::new(seed ^ SEED);
    let mut order: Vec<usize> = (0..texts.len()).collect();
    let n_steps = (N_PASSES * texts.len()) as f64;
    for pass in 0..N_PASSES {
        rng.shuffle(&mut order);
        for (step, &row) in order.iter().enumerate() {
            let done = (pass * texts.len() + step) as f64 / n_steps;
            let (ngrams, values) = &features[row];
            let probability = 1.0 / (1.0 + (-f64::from(logit(&weights, ngrams, values))).exp());
            let change = rate * (1.0 - done) * (f64::from(labels[row]) - probability);
            for (&ngram, value) in ngrams.iter().zip(values) {
                weights[ngram as usize] += change as f32 * value;
            }
        }
    }
    weights
}

/// What the path says of each text.
pub(crate) fn logits(vocabulary: &NgramVocabulary, weights: &[f32], texts: &[&[u32]]) -> Vec<f32> {
    texts
        .par_iter()
        .map(|text| {
            let (ngrams, values) = vocabulary.of_text(text);
            logit(weights, &ngrams, &values)
        })
        .collect()
}

fn logit(weights: &[f32], ngrams: &[u32], values: &[f32]) -> f32 {
    ngrams.iter().zip(values).map(|(&ngram, value)| weights[ngram as usize] * value).sum()
}

/// How much of a sum of two logits should be the second one's, 0 to 1: the share with the lowest loss,
/// whatever the sum is multiplied by.
pub(crate) fn fit_share(recurrent: &[f32], linear: &[f32], labels: &[u8]) -> f64 {
    let loss = |share: f64| temperature_and_loss(&mixed(recurrent, linear, share), labels).1;
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..N_NARROWINGS {
        let (a, b) = (low + (high - low) / 3.0, high - (high - low) / 3.0);
        if loss(a) < loss(b) { high = b } else { low = a }
    }
    (low + high) / 2.0
}

/// The sum of two logits for each text, of which `share` is the second one's.
pub(crate) fn mixed(recurrent: &[f32], linear: &[f32], share: f64) -> Vec<f32> {
    let share = share as f32;
    let sum = |(recurrent, linear): (&f32, &f32)| (1.0 - share) * recurrent + share * linear;
    recurrent.iter().zip(linear).map(sum).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_words_that_tell_are_found() {
        let mut rng = SeededRng::new(3);
        // Six words of twenty, labelled by whether 7 stands before 8 or after it.
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
        let weights = fit(&vocabulary, (train, &labels[..300]), 10.0, 1);
        let right = logits(&vocabulary, &weights, rest)
            .into_iter()
            .zip(&labels[300..])
            .filter(|(logit, label)| (*logit > 0.0) == (**label == 1));
        assert!(right.count() >= 98);
        assert_eq!(weights, fit(&vocabulary, (train, &labels[..300]), 10.0, 1));
    }

    #[test]
    fn the_share_goes_to_who_knows() {
        let labels: Vec<u8> = (0..200).map(|i| (i % 2) as u8).collect();
        let knowing: Vec<f32> = labels.iter().map(|&label| f32::from(label) * 4.0 - 2.0).collect();
        let guessing: Vec<f32> = (0..200).map(|i| (i as f32 * 0.7).sin()).collect();
        assert!(fit_share(&guessing, &knowing, &labels) > 0.9);
        assert!(fit_share(&knowing, &guessing, &labels) < 0.1);
        assert_eq!(mixed(&[1.0], &[3.0], 0.25), [1.5]);
    }
}

//! How much a text's words and pairs of words speak for the second of two classes, by counts alone.
//!
//! It is the sum of the log-count ratios r of `value.rs`, without the inverse document frequency, over the text's distinct
//! known n-grams of one and two ids, divided by the square root of their number: naive Bayes, less certain of long texts,
//! whose words are not independent. Longer n-grams have no part in it: all of a text's words are in several of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rayon::prelude::*;

use super::NgramVocabulary;
use super::value::Smoothing;

/// The longest n-grams that have a ratio.
const MAX_ORDER: usize = 2;

impl NgramVocabulary {
    /// The same n-grams with log-count ratios.
    ///
    /// `texts`: ids, with or without padding, that the n-grams were learned from; `labels`: of each text, 1 for the second
    /// of two classes.
    #[must_use]
    pub fn with_ratios<T: AsRef<[u32]> + Sync>(self, texts: &[T], labels: &[u32]) -> Self {
        let zeros = || -> Vec<AtomicU32> { (0..self.len()).map(|_| AtomicU32::new(0)).collect() };
        let (n_texts_with, n_positive_with) = (zeros(), zeros());
        texts.par_iter().zip(labels).for_each(|(text, &label)| {
            for row in self.rows(text.as_ref(), self.order.min(MAX_ORDER)) {
                n_texts_with[row as usize].fetch_add(1, Ordering::Relaxed);
                n_positive_with[row as usize].fetch_add(u32::from(label == 1), Ordering::Relaxed);
            }
        });
        let n_positive = labels.iter().filter(|&&label| label == 1).count();
        let smoothing = Smoothing::new(n_positive, texts.len());
        // p and q of an n-gram; `None` for a longer one, which was not counted.
        let smoothed: Vec<Option<(f64, f64)>> = n_texts_with
            .into_iter()
            .zip(n_positive_with)
            .map(|(n_texts, n_positive)| match n_texts.into_inner() as usize {
                0 => None,
                n_texts => Some(smoothing.apply(n_positive.into_inner() as usize, n_texts)),
            })
            .collect();
        let counted = smoothed.iter().flatten();
        let (sum_p, sum_q) = counted.fold((0.0, 0.0), |(a, b), (p, q)| (a + p, b + q));
        let ratio = |(p, q): (f64, f64)| ((p / sum_p) / (q / sum_q)).ln() as f32;
        let ratios = smoothed.into_iter().map(|both| both.map_or(0.0, ratio)).collect();
        Self { ratios: Some(Arc::new(ratios)), ..self }
    }

    /// Whether the n-grams have log-count ratios.
    #[must_use]
    pub fn has_ratios(&self) -> bool {
        self.ratios.is_some()
    }

    /// The sum of the log-count ratios of a text's distinct known n-grams of one and two ids, divided by the square root
    /// of their number; 0 if there are none.
    #[must_use]
    pub fn ratio(&self, ids: &[u32]) -> f32 {
        let Some(ratios) = &self.ratios else { return 0.0 };
        let rows = self.rows(ids, self.order.min(MAX_ORDER));
        let sum: f32 = rows.iter().map(|&row| ratios[row as usize]).sum();
        sum / (rows.len().max(1) as f32).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::ngrams::{NgramChoice, TextClasses};

    const TEXTS: [&[u32]; 5] = [&[7, 8, 7, 8], &[7, 7, 9], &[0, 8, 9, 8], &[], &[9, 8, 6, 5]];
    const LABELS: [u32; 5] = [1, 1, 0, 0, 0];

    fn learn(order: usize) -> NgramVocabulary {
        let choice = NgramChoice { order, min_texts: 2, max_ngrams: None };
        NgramVocabulary::learn(&TEXTS, TextClasses::OneOf(&LABELS), 2, choice)
            .with_ratios(&TEXTS, &LABELS)
    }

    /// Distinct words and pairs of words.
    fn ngrams(text: &[u32], order: usize) -> BTreeSet<Vec<u32>> {
        let real: Vec<u32> = text.iter().copied().filter(|&id| id != 0).collect();
        (1..=order).flat_map(|n| real.windows(n).map(<[u32]>::to_vec).collect::<Vec<_>>()).collect()
    }

    /// By the formula: ratios of n-grams in at least two texts.
    fn plain(text: &[u32], order: usize) -> f64 {
        let mut counts: BTreeMap<Vec<u32>, [f64; 2]> = BTreeMap::new();
        for (text, label) in TEXTS.iter().zip(LABELS) {
            for ngram in ngrams(text, order) {
                counts.entry(ngram).or_default()[label as usize] += 1.0;
            }
        }
        counts.retain(|_, [q, p]| *p + *q >= 2.0);
        // Two of five texts are positive.
        let (p, q) =
            (|[_, p]: &[f64; 2]| p + 2.0 * 3.0 / 7.0, |[q, _]: &[f64; 2]| q + 2.0 * 4.0 / 7.0);
        let (sum_p, sum_q): (f64, f64) =
            (counts.values().map(p).sum(), counts.values().map(q).sum());
        let known: Vec<f64> = ngrams(text, order)
            .iter()
            .filter_map(|ngram| counts.get(ngram))
            .map(|both| ((p(both) / sum_p) / (q(both) / sum_q)).ln())
            .collect();
        known.iter().sum::<f64>() / (known.len().max(1) as f64).sqrt()
    }

    #[test]
    fn ratios_are_sums_of_log_count_ratios_over_the_root_of_their_number() {
        for (order, of_ratios) in [(1, 1), (2, 2), (3, 2)] {
            let vocabulary = learn(order);
            for text in TEXTS.iter().copied().chain([&[9, 8][..], &[4], &[7, 8, 9, 8, 4]]) {
                let (got, expected) = (f64::from(vocabulary.ratio(text)), plain(text, of_ratios));
                assert!((got - expected).abs() < 1e-5, "{order} {text:?}: {got}, not {expected}");
            }
        }
        assert_eq!(learn(2).ratio(&[]), 0.0);
    }

    #[test]
    fn the_values_of_words_and_pairs_are_their_ratios_times_the_inverse_document_frequency() {
        let vocabulary = learn(2);
        let ratios = vocabulary.ratios.as_ref().unwrap();
        for id in [7, 8, 9] {
            let row = vocabulary.rows(&[id], 1)[0] as usize;
            let n_texts = TEXTS.iter().filter(|text| text.contains(&id)).count() as f32;
            let idf = 1.0 + (6.0 / (1.0 + n_texts)).ln();
            let (value, ratio) = (vocabulary.values[row], ratios[row]);
            assert!((value - ratio * idf).abs() < 1e-6, "{id}: {value} {ratio}");
        }
    }
}

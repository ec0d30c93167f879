//! The value of an n-gram: how much it tells about a text's classes.
//!
//! It is a log-count ratio (Wang and Manning 2012, [Baselines and
//! bigrams](https://aclanthology.org/P12-2018/)) times the inverse document frequency. With p and q the numbers of
//! texts of a class and of the rest that contain the n-gram, plus twice the fraction of such texts, and d of N
//! texts containing it,
//!
//! ```text
//! r = ln((p / Σp) / (q / Σq))        idf = 1 + ln((1 + N) / (1 + d))
//! ```
//!
//! Where a class has half of the texts, twice the fraction is the 1 of the paper. Where it has not, adding 1 to
//! both would make rare n-grams speak for the rare class.
//!
//! Of two classes, of which each text has one, the value is r · idf, with r of the second. Otherwise each class c
//! has a ratio against the rest, and the value is
//!
//! ```text
//! (Σ_c w_c · r_c²)^¼ · idf
//! ```
//!
//! with w_c the class's share of the texts, or of all labels where a text may have any number. It is the square
//! root of the mean ratio's size: with few texts of each class the ratios themselves are too uncertain to weigh
//! by. The sign is lost, which does not matter: the linear path has a weight for each n-gram and class.

use std::collections::HashMap;

use rayon::prelude::*;

use super::classes::TextClasses;
use super::count::Ngram;

/// The values of some n-grams in `n_texts` texts of these classes.
pub(super) fn values(
    ngrams: &[Ngram<'_>],
    classes: TextClasses<'_>,
    n_classes: usize,
    n_texts: usize,
) -> Vec<f32> {
    let idf =
        |ngram: &Ngram<'_>| 1.0 + ((1.0 + n_texts as f64) / (1.0 + ngram.n_texts as f64)).ln();
    let counts = classes.counts(n_classes);
    if let ([_, n_positive], true) = (&*counts, classes.is_one_of()) {
        let ratio = ratio_of_two(ngrams, Smoothing::new(*n_positive, n_texts));
        return ngrams.iter().map(|ngram| (ratio(ngram) * idf(ngram)) as f32).collect();
    }
    let ratios = Ratios::new(ngrams, &counts, n_texts);
    ngrams.par_iter().map(|ngram| (ratios.combined(ngram) * idf(ngram)) as f32).collect()
}

/// The contribution of a class to the mean square of an n-gram's ratios; `share`: of the class, `ratio`: the n-gram's.
fn weighted(share: f64, ratio: f64) -> f64 {
    share * ratio * ratio
}

/// What is added to the counts of a class and of the rest: one text more of each where they have equally many,
/// and as many for the number of each where they have not. An n-gram that says nothing has the ratio of the
/// classes, and the value 0.
#[derive(Clone, Copy)]
pub(super) struct Smoothing {
    class: f64,
    rest: f64,
}

impl Smoothing {
    /// For a class of `n_of_class` of the texts.
    pub(super) fn new(n_of_class: usize, n_texts: usize) -> Self {
        let added = |n: usize| 2.0 * (n as f64 + 1.0) / (n_texts as f64 + 2.0);
        Self { class: added(n_of_class), rest: added(n_texts.saturating_sub(n_of_class)) }
    }

    /// So many times as much.
    pub(super) fn times(self, factor: f64) -> Self {
        Self { class: factor * self.class, rest: factor * self.rest }
    }

    /// p and q of an n-gram in `count` texts of the class and `n_texts` in all.
    pub(super) fn apply(self, count: usize, n_texts: usize) -> (f64, f64) {
        (count as f64 + self.class, n_texts.saturating_sub(count) as f64 + self.rest)
    }
}

/// The log-count ratio of n-grams in texts of two classes, for the second.
fn ratio_of_two(ngrams: &[Ngram<'_>], smoothing: Smoothing) -> impl Fn(&Ngram<'_>) -> f64 {
    let smoothed = move |ngram: &Ngram<'_>| smoothing.apply(ngram.count_of(1), ngram.n_texts);
    let sums = ngrams.iter().map(smoothed).fold((0.0, 0.0), |(a, b), (p, q)| (a + p, b + q));
    let offset = if ngrams.is_empty() { 0.0 } else { (sums.1 / sums.0).ln() };
    move |ngram| {
        let (p, q) = smoothed(ngram);
        (p / q).ln() + offset
    }
}

/// The log-count ratios of every class against the rest.
struct Ratios {
    classes: Vec<OfClass>,
    /// By the number of texts in which an n-gram occurs: what all classes would contribute if it occurred in
    /// none of theirs. Few n-grams occur in texts of many classes, so this is most of a value.
    of_absent: HashMap<usize, f64>,
}

/// A class against the rest.
struct OfClass {
    share: f64,
    smoothing: Smoothing,
    /// ln(Σq / Σp).
    offset: f64,
}

impl OfClass {
    /// What the class contributes for an n-gram in `count` texts of it and `n_texts` in all.
    fn contribution(&self, count: usize, n_texts: usize) -> f64 {
        let (p, q) = self.smoothing.apply(count, n_texts);
        weighted(self.share, (p / q).ln() + self.offset)
    }
}

impl Ratios {
    /// `counts`: number of texts of each class.
    fn new(ngrams: &[Ngram<'_>], counts: &[usize], n_texts: usize) -> Self {
        let mut sums = vec![0usize; counts.len()];
        for (class, count) in ngrams.iter().flat_map(Ngram::counts) {
            sums[class] += count;
        }
        let sum: usize = ngrams.iter().map(|ngram| ngram.n_texts).sum();
        // The sum over one-of classes is the number of texts.
        let n_labels = counts.iter().sum::<usize>().max(1) as f64;
        let of_class = |(&count, &sum_of_class): (&usize, &usize)| {
            let smoothing = Smoothing::new(count, n_texts);
            let p = sum_of_class as f64 + ngrams.len() as f64 * smoothing.class;
            let q = sum.saturating_sub(sum_of_class) as f64 + ngrams.len() as f64 * smoothing.rest;
            let offset = if ngrams.is_empty() { 0.0 } else { (q / p).ln() };
            OfClass { share: count as f64 / n_labels, smoothing, offset }
        };
        let classes: Vec<OfClass> = counts.iter().zip(&sums).map(of_class).collect();
        let mut of_absent = HashMap::new();
        for ngram in ngrams {
            of_absent.entry(ngram.n_texts).or_insert_with(|| {
                classes.iter().map(|class| class.contribution(0, ngram.n_texts)).sum()
            });
        }
        Self { classes, of_absent }
    }

    /// (Σ_c w_c · r_c²)^¼.
    fn combined(&self, ngram: &Ngram<'_>) -> f64 {
        let n_texts = ngram.n_texts;
        let mut sum = self.of_absent.get(&n_texts).copied().unwrap_or(0.0);
        for (class, count) in ngram.counts() {
            let class = &self.classes[class];
            sum += class.contribution(count, n_texts) - class.contribution(0, n_texts);
        }
        // Rounding may leave less than nothing.
        sum.max(0.0).sqrt().sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::super::count::{NgramChoice, chosen, sorted_pairs};
    use super::super::keys::keys_of;
    use super::*;

    /// The value of each id in some texts.
    fn values_of(texts: &[Vec<u32>], classes: TextClasses<'_>, n: usize, ids: &[u32]) -> Vec<f32> {
        let pairs = sorted_pairs(texts, classes, n, 1);
        let choice = NgramChoice { order: 1, min_texts: 1, max_ngrams: None };
        let ngrams = chosen(&pairs, classes, choice);
        let values = values(&ngrams, classes, n, texts.len());
        let index = |id| ngrams.iter().position(|ngram| ngram.key() == keys_of(&[id], 1)[0]);
        ids.iter().map(|&id| values[index(id).unwrap()]).collect()
    }

    /// The formula, from a table of counts: `[n-gram][class]`, and the number of texts of each n-gram and class.
    fn expected(
        counts: &[Vec<f64>],
        n_texts_with: &[f64],
        n_of_class: &[f64],
        n_texts: f64,
    ) -> Vec<f64> {
        let n_labels: f64 = n_of_class.iter().sum();
        let added = |n: f64| 2.0 * (n + 1.0) / (n_texts + 2.0);
        let mut squares = vec![0.0; counts.len()];
        for (class, &n) in n_of_class.iter().enumerate() {
            let p: Vec<f64> = counts.iter().map(|of| of[class] + added(n)).collect();
            let rest = |(of, d): (&Vec<f64>, &f64)| d - of[class] + added(n_texts - n);
            let q: Vec<f64> = counts.iter().zip(n_texts_with).map(rest).collect();
            let (sum_p, sum_q): (f64, f64) = (p.iter().sum(), q.iter().sum());
            for (square, (p, q)) in squares.iter_mut().zip(p.iter().zip(&q)) {
                *square += n / n_labels * ((p / sum_p) / (q / sum_q)).ln().powi(2);
            }
        }
        let idf = |d: &f64| 1.0 + ((1.0 + n_texts) / (1.0 + d)).ln();
        squares.iter().zip(n_texts_with).map(|(square, d)| square.powf(0.25) * idf(d)).collect()
    }

    fn assert_close(got: &[f32], expected: &[f64]) {
        assert_eq!(got.len(), expected.len());
        for (got, expected) in got.iter().zip(expected) {
            assert!((f64::from(*got) - expected).abs() < 1e-5, "{got} {expected}");
        }
    }

    #[test]
    fn values_of_several_classes_are_weighted_ratios_against_the_rest() {
        let texts = [vec![7, 8], vec![7], vec![8, 9], vec![9], vec![7, 9]];
        let got = values_of(&texts, TextClasses::OneOf(&[0, 0, 1, 2, 2]), 3, &[7, 8, 9]);
        let counts = [vec![2.0, 0.0, 1.0], vec![1.0, 1.0, 0.0], vec![0.0, 1.0, 2.0]];
        assert_close(&got, &expected(&counts, &[3.0, 2.0, 3.0], &[2.0, 1.0, 2.0], 5.0));
    }

    #[test]
    fn values_of_any_number_of_classes_weigh_them_by_their_labels() {
        let texts = [vec![7, 8], vec![7], vec![8, 9], vec![9], vec![7, 9]];
        let classes = TextClasses::AnyOf { starts: &[0, 2, 3, 3, 4, 5], classes: &[0, 1, 0, 1, 0] };
        let got = values_of(&texts, classes, 2, &[7, 8, 9]);
        let counts = [vec![3.0, 1.0], vec![1.0, 1.0], vec![1.0, 1.0]];
        assert_close(&got, &expected(&counts, &[3.0, 2.0, 3.0], &[3.0, 2.0], 5.0));
    }

    #[test]
    fn two_softmax_classes_have_the_signed_values_of_a_binary_task() {
        let texts = [vec![7], vec![7, 8], vec![8], vec![9]];
        let got = values_of(&texts, TextClasses::OneOf(&[1, 1, 0, 0]), 2, &[7, 8, 9]);
        assert!(got[0] > 0.5 && got[1].abs() < got[0] && got[2] < -0.5, "{got:?}");
        // Against any-of with the same classes: the square root of the ratio's size, and no sign.
        let classes = TextClasses::AnyOf { starts: &[0, 1, 2, 3, 4], classes: &[1, 1, 0, 0] };
        let unsigned = values_of(&texts, classes, 2, &[7, 8, 9]);
        let idf = [2.0, 2.0, 1.0].map(|d: f64| 1.0 + (5.0 / (1.0 + d)).ln());
        let ratios = got.iter().zip(idf).map(|(value, idf)| f64::from(value.abs()) / idf);
        let roots: Vec<f64> = ratios.zip(idf).map(|(ratio, idf)| ratio.sqrt() * idf).collect();
        assert_close(&unsigned, &roots);
    }

    #[test]
    fn a_thousand_classes_and_classes_without_texts_have_finite_values() {
        let texts: Vec<Vec<u32>> = (0..500).map(|i| vec![1 + i % 7, 10 + i]).collect();
        let labels: Vec<u32> = (0..500).map(|i| 2 * i).collect();
        let got = values_of(&texts, TextClasses::OneOf(&labels), 1000, &[1, 7, 10, 509]);
        assert!(got.iter().all(|value| value.is_finite() && *value > 0.0), "{got:?}");
        assert!((got[2] - got[3]).abs() < 1e-5, "words of one text each: {got:?}");
    }
}

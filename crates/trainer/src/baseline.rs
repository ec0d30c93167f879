//! A linear model over words and pairs of words: what a network has to beat to be worth its time.

use dataset::LabelledTexts;
use rayon::prelude::*;
use text_preprocessing::NgramHasher;

use crate::error::{Error, Result};
use crate::prepare::{DataRequest, Divided, split};

/// A million buckets, for some hundred thousand pairs that come more than once.
const N_BITS: u32 = 20;
/// Weight of the errors against that of large weights, as in LIBLINEAR.
const COST: f64 = 1.0;
/// Passes over the texts; the weights hardly move after them.
const PASSES: usize = 20;

/// TF-IDF of words and word pairs, and a linear support vector machine over them.
///
/// A text's numbers are `(1 + ln n) · (1 + ln((1 + N) / (1 + d)))` for an n-gram that it has n times
/// and d of N training texts have, scaled to length 1 (the sublinear TF-IDF of
/// [scikit-learn](https://scikit-learn.org/stable/modules/feature_extraction.html#tfidf-term-weighting)).
/// The weights minimise `|w|²/2 + C Σ max(0, 1 - y w·x)²`, found by dual coordinate descent (Hsieh et
/// al. 2008, "A dual coordinate descent method for large-scale linear SVM").
#[derive(Debug, Clone)]
pub struct LinearBaseline {
    idf: Vec<f32>,
    weights: Vec<f32>,
    bias: f32,
}

/// The test accuracy of a [`LinearBaseline`] that learns from the training texts of a request. It reads
/// the texts as a whole, whatever the preprocessing cuts or leaves out.
///
/// # Errors
/// As [`LabelledTexts::read`] and [`split`]; [`Error::OtherData`] if the file no longer has the contents of
/// this `fingerprint`.
pub fn baseline_accuracy(request: &DataRequest<'_>, fingerprint: &str) -> Result<f64> {
    let table = LabelledTexts::read(request.file, request.columns, request.options)?;
    let (is_same, divided) =
        rayon::join(|| table.fingerprint() == fingerprint, || split(&table, request.plan));
    if !is_same {
        return Err(Error::OtherData { path: request.file.path().to_path_buf() });
    }
    let Divided { split, .. } = divided?;
    let texts = |rows| table.texts_of(rows).collect::<Vec<&str>>();
    let baseline = LinearBaseline::train(&texts(&split.train), &table.labels_of(&split.train))?;
    Ok(baseline.accuracy(&texts(&split.test), &table.labels_of(&split.test)))
}

/// The n-grams of a text and their numbers.
type Features = Vec<(u32, f32)>;

impl LinearBaseline {
    /// Learns from texts and their labels, each 0 or 1. The same every time.
    ///
    /// # Errors
    /// If there are not as many labels as texts.
    pub fn train<S: AsRef<str> + Sync>(texts: &[S], labels: &[u8]) -> Result<Self> {
        if labels.len() != texts.len() {
            let (what, expected, got) = ("labels", texts.len(), labels.len());
            return Err(dataset::Error::LengthMismatch { what, expected, got }.into());
        }
        let counts: Vec<Features> = counts(texts);
        let mut document_counts = vec![0u32; 1 << N_BITS];
        for (ngram, _) in counts.iter().flatten() {
            document_counts[*ngram as usize] += 1;
        }
        let n_texts = texts.len() as f32;
        let idf: Vec<f32> = document_counts
            .into_iter()
            .map(|count| 1.0 + ((1.0 + n_texts) / (1.0 + count as f32)).ln())
            .collect();
        let features: Vec<Features> =
            counts.into_par_iter().map(|counts| weighed(counts, &idf)).collect();
        let (weights, bias) = dual_coordinate_descent(&features, labels);
        Ok(Self { idf, weights, bias })
    }

    /// Share of the texts whose label it tells.
    pub fn accuracy<S: AsRef<str> + Sync>(&self, texts: &[S], labels: &[u8]) -> f64 {
        let right = counts(texts)
            .into_par_iter()
            .zip(labels)
            .map(|(counts, &label)| (self.score(&weighed(counts, &self.idf)) > 0.0, label == 1))
            .filter(|(told, is)| told == is)
            .count();
        right as f64 / labels.len().max(1) as f64
    }

    fn score(&self, features: &Features) -> f32 {
        let products = features.iter().map(|&(ngram, x)| self.weights[ngram as usize] * x);
        products.sum::<f32>() + self.bias
    }
}

/// How often each text has each of its n-grams.
fn counts<S: AsRef<str> + Sync>(texts: &[S]) -> Vec<Features> {
    texts
        .par_iter()
        .map_init(
            || NgramHasher::new(N_BITS),
            |hasher, text| {
                let mut numbers = hasher.hash(text.as_ref());
                numbers.sort_unstable();
                let runs = numbers.chunk_by(|a, b| a == b);
                runs.map(|run| (run[0], run.len() as f32)).collect()
            },
        )
        .collect()
}

/// From counts to TF-IDF.
fn weighed(mut counts: Features, idf: &[f32]) -> Features {
    for (ngram, x) in &mut counts {
        *x = (1.0 + x.ln()) * idf[*ngram as usize];
    }
    let length = counts.iter().map(|(_, x)| x * x).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
    counts.iter_mut().for_each(|(_, x)| *x /= length);
    counts
}

/// Weights and bias; the bias is the weight of one more number, which is 1 in every text.
fn dual_coordinate_descent(texts: &[Features], labels: &[u8]) -> (Vec<f32>, f32) {
    let mut weights = vec![0f32; 1 << N_BITS];
    let mut bias = 0f32;
    let mut alphas = vec![0f64; texts.len()];
    let diagonal = 1.0 / (2.0 * COST);
    for pass in 0..PASSES {
        for idx in order(texts.len(), pass) {
            let (text, y) = (&texts[idx], if labels[idx] == 1 { 1.0 } else { -1.0 });
            let products = text.iter().map(|&(ngram, x)| weights[ngram as usize] * x);
            let margin = y * f64::from(products.sum::<f32>() + bias);
            let gradient = margin - 1.0 + alphas[idx] * diagonal;
            // Of length 1, and the bias's 1.
            let curvature = 2.0 + diagonal;
            let alpha = (alphas[idx] - gradient / curvature).max(0.0);
            let change = ((alpha - alphas[idx]) * y) as f32;
            alphas[idx] = alpha;
            if change != 0.0 {
                text.iter().for_each(|&(ngram, x)| weights[ngram as usize] += change * x);
                bias += change;
            }
        }
    }
    (weights, bias)
}

/// Every number below `n` once, in an order that has nothing to do with that of the texts.
fn order(n: usize, pass: usize) -> impl Iterator<Item = usize> {
    // Steps of about the golden section of n, made coprime to it.
    let mut step = ((n as f64 * 0.618) as usize + pass).max(1);
    while gcd(step, n) > 1 {
        step += 1;
    }
    (0..n).map(move |i| (i * step + pass) % n)
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_tell_what_single_words_do_not() -> Result<()> {
        let texts: Vec<String> = (0..200)
            .map(|i| {
                let (a, b) = [("good", "bad"), ("bad", "good")][i % 2];
                format!("w{} not {a} but {b} w{}", i % 7, i % 11)
            })
            .collect();
        let labels: Vec<u8> = (0..200).map(|i| (i % 2) as u8).collect();
        let baseline = LinearBaseline::train(&texts[..150], &labels[..150])?;
        assert_eq!(baseline.accuracy(&texts[150..], &labels[150..]), 1.0);
        let again = LinearBaseline::train(&texts[..150], &labels[..150])?;
        assert_eq!(baseline.weights, again.weights);
        assert!(LinearBaseline::train(&texts, &labels[1..]).is_err());
        Ok(())
    }

    #[test]
    fn every_text_comes_once_a_pass() {
        for n in [1, 2, 10, 97, 1000] {
            for pass in 0..3 {
                let mut all: Vec<usize> = order(n, pass).collect();
                all.sort_unstable();
                assert_eq!(all, (0..n).collect::<Vec<_>>());
            }
        }
    }
}

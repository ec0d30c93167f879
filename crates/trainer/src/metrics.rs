//! Metrics of predictions against labels.

use dataset::CLASS_NAMES;
use serde::{Deserialize, Serialize};

use crate::summary::share;

/// Counts of predictions by class; a text is predicted positive at a probability of 0.5 or more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confusion {
    /// Positive, predicted positive.
    pub true_positive: usize,
    /// Negative, predicted positive.
    pub false_positive: usize,
    /// Negative, predicted negative.
    pub true_negative: usize,
    /// Positive, predicted negative.
    pub false_negative: usize,
}

/// Metrics of a model on labelled texts.
///
/// Everything derived from the counts is recomputed when a report is read, so metrics that earlier
/// versions did not write are present, too.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(from = "Measured")]
pub struct Metrics {
    /// Number of texts.
    pub n_rows: usize,
    /// Mean binary cross-entropy, in nats.
    pub loss: f64,
    /// Fraction of texts whose class is predicted correctly.
    pub accuracy: f64,
    /// The accuracy of always predicting the larger class; 0 for no texts.
    pub majority_accuracy: f64,
    /// Fraction of texts predicted positive that are positive; 0 when there are none.
    pub precision: f64,
    /// Fraction of positive texts predicted positive; 0 when there are none.
    pub recall: f64,
    /// Fraction of negative texts predicted negative (specificity); 0 when there are none.
    pub negative_recall: f64,
    /// Harmonic mean of precision and recall.
    pub f1: f64,
    /// Mean of [`f1`](Self::f1) and the F1 score of the negative class.
    pub macro_f1: f64,
    /// Probability that a positive text is ranked above a negative one; absent when a class is missing.
    pub roc_auc: Option<f64>,
    /// Expected calibration error: how far, on average, the fraction of positive texts is from the
    /// predicted probability (15 bins of equal width; Naeini et al. 2015).
    pub calibration_error: f64,
    /// Counts of predictions by class.
    pub confusion: Confusion,
}

/// The stored metrics; the rest is derived.
#[derive(Deserialize)]
struct Measured {
    loss: f64,
    roc_auc: Option<f64>,
    #[serde(default)]
    calibration_error: f64,
    confusion: Confusion,
}

impl From<Measured> for Metrics {
    fn from(measured: Measured) -> Self {
        let Measured { loss, roc_auc, calibration_error, confusion } = measured;
        let Confusion { true_positive, false_positive, true_negative, false_negative } = confusion;
        let [n_negative, n_positive] = confusion.class_counts();
        let n_rows = n_negative + n_positive;
        let n_wrong = false_positive + false_negative;
        let f1 = |n_right: usize| share(2 * n_right, 2 * n_right + n_wrong);
        Self {
            n_rows,
            loss,
            accuracy: share(true_positive + true_negative, n_rows),
            majority_accuracy: share(n_negative.max(n_positive), n_rows),
            precision: share(true_positive, true_positive + false_positive),
            recall: share(true_positive, n_positive),
            negative_recall: share(true_negative, n_negative),
            f1: f1(true_positive),
            macro_f1: (f1(true_positive) + f1(true_negative)) / 2.0,
            roc_auc,
            calibration_error,
            confusion,
        }
    }
}

impl Confusion {
    /// Texts by true class: `[negative, positive]`.
    pub fn class_counts(&self) -> [usize; 2] {
        [self.true_negative + self.false_positive, self.true_positive + self.false_negative]
    }
}

/// Bins of the calibration error.
const N_BINS: usize = 15;

impl Metrics {
    /// Measures logits against labels of 0 or 1, pair by pair.
    pub fn of_logits(logits: &[f32], labels: &[u8]) -> Self {
        let mut confusion = Confusion::default();
        let mut loss = 0.0;
        for (&logit, &label) in logits.iter().zip(labels) {
            let positive = label == 1;
            loss += cross_entropy(logit, positive);
            *match (logit >= 0.0, positive) {
                (true, true) => &mut confusion.true_positive,
                (true, false) => &mut confusion.false_positive,
                (false, false) => &mut confusion.true_negative,
                (false, true) => &mut confusion.false_negative,
            } += 1;
        }
        let n_rows = logits.len().min(labels.len());
        Self::from(Measured {
            loss: loss / n_rows.max(1) as f64,
            roc_auc: roc_auc(logits, labels),
            calibration_error: calibration_error(logits, labels),
            confusion,
        })
    }

    /// Texts by true class: `[negative, positive]`.
    pub fn class_counts(&self) -> [usize; 2] {
        self.confusion.class_counts()
    }

    /// The name of the missing class, if exactly one is missing.
    pub fn missing_class(&self) -> Option<&'static str> {
        match self.class_counts() {
            [0, 0] => None,
            [0, _] => Some(CLASS_NAMES[0]),
            [_, 0] => Some(CLASS_NAMES[1]),
            _ => None,
        }
    }
}

/// Mean binary cross-entropy in nats, the texts weighted by class: negative, positive.
pub(crate) fn weighted_loss(logits: &[f32], labels: &[u8], class_weights: [f64; 2]) -> f64 {
    let (mut loss, mut sum) = (0.0, 0.0);
    for (&logit, &label) in logits.iter().zip(labels) {
        let weight = class_weights[usize::from(label == 1)];
        loss += weight * cross_entropy(logit, label == 1);
        sum += weight;
    }
    if sum > 0.0 { loss / sum } else { 0.0 }
}

/// `ln(1 + eˣ)`, less x for a positive text; finite for every finite logit.
fn cross_entropy(logit: f32, positive: bool) -> f64 {
    let x = f64::from(logit);
    x.max(0.0) - if positive { x } else { 0.0 } + (-x.abs()).exp().ln_1p()
}

/// Mean over all texts of the difference between the mean probability and the fraction of positive
/// texts in their bin; 0 for no texts.
fn calibration_error(logits: &[f32], labels: &[u8]) -> f64 {
    let mut excess = [0.0; N_BINS];
    for (&logit, &label) in logits.iter().zip(labels) {
        let probability = 1.0 / (1.0 + (-f64::from(logit)).exp());
        let bin = ((probability * N_BINS as f64) as usize).min(N_BINS - 1);
        excess[bin] += probability - f64::from(label);
    }
    excess.iter().map(|excess| excess.abs()).sum::<f64>() / logits.len().max(1) as f64
}

/// Area under the ROC curve from ranks (the Mann-Whitney statistic); equal scores share their mean
/// rank. `None` if a class is absent.
fn roc_auc(scores: &[f32], labels: &[u8]) -> Option<f64> {
    let mut pairs: Vec<(f32, u8)> = scores.iter().copied().zip(labels.iter().copied()).collect();
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut positive_ranks = 0.0;
    let mut rank = 0;
    for ties in pairs.chunk_by(|a, b| a.0 == b.0) {
        let mean_rank = rank as f64 + (ties.len() + 1) as f64 / 2.0;
        positive_ranks += mean_rank * ties.iter().filter(|(_, label)| *label == 1).count() as f64;
        rank += ties.len();
    }
    let n_positive = pairs.iter().filter(|(_, label)| *label == 1).count() as f64;
    let n_negative = pairs.len() as f64 - n_positive;
    (n_positive > 0.0 && n_negative > 0.0).then(|| {
        (positive_ranks - n_positive * (n_positive + 1.0) / 2.0) / (n_positive * n_negative)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_shares_follow_their_definitions() {
        let metrics = Metrics::of_logits(&[2.0, -1.0, 0.5, -3.0, 1.0], &[1, 1, 0, 0, 1]);
        let expected =
            Confusion { true_positive: 2, false_positive: 1, true_negative: 1, false_negative: 1 };
        assert_eq!(metrics.confusion, expected);
        assert_eq!(metrics.accuracy, 0.6);
        assert_eq!(metrics.precision, 2.0 / 3.0);
        assert_eq!(metrics.recall, 2.0 / 3.0);
        assert!((metrics.f1 - 2.0 / 3.0).abs() < 1e-12);
        assert!((metrics.macro_f1 - (2.0 / 3.0 + 0.5) / 2.0).abs() < 1e-12);
        assert_eq!(metrics.negative_recall, 0.5);
        assert_eq!(metrics.majority_accuracy, 0.6);
        assert_eq!((metrics.class_counts(), metrics.missing_class()), ([2, 3], None));
    }

    #[test]
    fn one_class_alone_is_named_and_has_no_auc() {
        let metrics = Metrics::of_logits(&[2.0, -1.0], &[0, 0]);
        assert_eq!((metrics.missing_class(), metrics.roc_auc), (Some("positive"), None));
        assert_eq!((metrics.majority_accuracy, metrics.negative_recall), (1.0, 0.5));
        assert_eq!(Metrics::of_logits(&[2.0], &[1]).missing_class(), Some("negative"));
    }

    #[test]
    fn every_figure_is_a_number_in_json_even_for_no_texts() -> Result<(), serde_json::Error> {
        for (logits, labels) in [(&[][..], &[][..]), (&[1.0], &[0]), (&[f32::MAX, -1e30], &[0, 1])]
        {
            let metrics = Metrics::of_logits(logits, labels);
            let json = serde_json::to_string(&metrics)?;
            let expected = usize::from(metrics.roc_auc.is_none());
            assert_eq!(json.matches("null").count(), expected, "{json}");
            assert_eq!(serde_json::from_str::<Metrics>(&json)?, metrics);
        }
        Ok(())
    }

    #[test]
    fn figures_that_earlier_versions_did_not_write_are_counted_when_read()
    -> Result<(), serde_json::Error> {
        let old = r#"{"n_rows": 10, "loss": 0.5, "accuracy": 0.8, "precision": 0.0, "recall": 0.0,
            "f1": 0.0, "roc_auc": 0.4, "confusion": {"true_positive": 0, "false_positive": 1,
            "true_negative": 8, "false_negative": 1}}"#;
        let metrics: Metrics = serde_json::from_str(old)?;
        assert_eq!((metrics.n_rows, metrics.accuracy), (10, 0.8));
        assert_eq!((metrics.majority_accuracy, metrics.negative_recall), (0.9, 8.0 / 9.0));
        Ok(())
    }

    #[test]
    fn auc_counts_ordered_pairs_and_half_of_ties() {
        // Of the six pairs, (0.9, 0.1), (0.9, 0.4), (0.9, 0.4) are ordered, (0.4, 0.1) too, and
        // (0.4, 0.4) ties twice.
        let auc = roc_auc(&[0.9, 0.4, 0.1, 0.4, 0.4], &[1, 1, 0, 0, 0]);
        assert_eq!(auc, Some(5.0 / 6.0));
        assert_eq!(roc_auc(&[0.9, 0.4], &[1, 1]), None);
    }

    #[test]
    fn the_calibration_error_is_that_of_each_bin_by_its_texts() {
        // ln 4 is the logit of 0.8, -ln 4 that of 0.2.
        let x = 4f32.ln();
        let labels = [1, 1, 1, 1, 0, 0, 0, 0, 0, 1];
        let honest = [x, x, x, x, x, -x, -x, -x, -x, -x];
        assert!(calibration_error(&honest, &labels) < 1e-6);
        // 0.8 where 1 of 5 is positive: 0.6 too much for half of the texts.
        let wrong = [x; 10];
        assert!((calibration_error(&wrong, &labels) - 0.3).abs() < 1e-6);
        assert_eq!(calibration_error(&[], &[]), 0.0);
    }

    #[test]
    fn weights_count_texts_several_times() {
        let weighted = weighted_loss(&[1.0, -0.5], &[0, 1], [1.0, 3.0]);
        let repeated = Metrics::of_logits(&[1.0, -0.5, -0.5, -0.5], &[0, 1, 1, 1]).loss;
        assert!((weighted - repeated).abs() < 1e-12);
        assert_eq!(weighted_loss(&[], &[], [1.0, 1.0]), 0.0);
    }

    #[test]
    fn the_loss_is_finite_at_huge_logits() {
        assert_eq!(Metrics::of_logits(&[1e4, -1e4], &[0, 0]).loss, 5e3);
    }
}

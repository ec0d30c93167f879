//! Metrics of two classes: a logit per text.

use serde::{Deserialize, Serialize};

use crate::calibration::{Bins, Excess};
use crate::counts::{self, ClassCounts, share};
use crate::error::{Result, check_labels, check_logits};
use crate::losses::{cross_entropy, sigmoid};
use crate::ranking::Ranking;
use crate::scalars::{Name, Scalars, fields};
use crate::thresholds::{HALF, logit_of};

/// Counts of predictions by class.
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

/// Metrics of a classifier of two classes on labelled texts.
///
/// Everything derived from the counts is recomputed when a report is read, so metrics that earlier
/// versions did not write are present, too.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(from = "Measured")]
pub struct Binary {
    /// Number of texts.
    pub n_rows: usize,
    /// Mean binary cross-entropy, in nats.
    pub loss: f64,
    /// Fraction of texts whose class is predicted correctly.
    pub accuracy: f64,
    /// The accuracy of always predicting the larger class; 0 for no texts.
    pub majority_accuracy: f64,
    /// Mean recall of the classes that have texts; 0 for no texts.
    pub balanced_accuracy: f64,
    /// Fraction of texts predicted positive that are positive; 0 when there are none.
    pub precision: f64,
    /// Fraction of positive texts predicted positive; 0 when there are none.
    pub recall: f64,
    /// Fraction of negative texts predicted negative (specificity); 0 when there are none.
    pub negative_recall: f64,
    /// Harmonic mean of precision and recall.
    pub f1: f64,
    /// Mean of [`f1`](Self::f1) and the F1 score of the negative class. Both count always, also a class
    /// that has neither texts nor predictions.
    pub macro_f1: f64,
    /// Matthews' correlation coefficient; 0 if all texts are, or are predicted to be, of one class.
    pub matthews: f64,
    /// Cohen's kappa; absent if all texts are, and are predicted to be, of one class.
    pub kappa: Option<f64>,
    /// Probability that a positive text is ranked above a negative one; absent when a class is missing.
    pub roc_auc: Option<f64>,
    /// Average precision of the positive class; absent when a class is missing, and in older reports.
    pub average_precision: Option<f64>,
    /// Mean squared difference between probability and label (Brier score); absent for no texts, and in
    /// older reports.
    pub brier: Option<f64>,
    /// Expected calibration error: how far, on average, the fraction of positive texts is from the
    /// predicted probability (15 bins of equal width; Naeini et al. 2015).
    pub calibration_error: f64,
    /// The probability from which a text is predicted positive; not written if it is 0.5.
    #[serde(skip_serializing_if = "is_half")]
    pub threshold: f32,
    /// Counts of predictions by class.
    pub confusion: Confusion,
}

fn half() -> f32 {
    HALF
}

fn is_half(threshold: &f32) -> bool {
    *threshold == HALF
}

/// The stored metrics; the rest is derived.
#[derive(Deserialize)]
struct Measured {
    loss: f64,
    roc_auc: Option<f64>,
    average_precision: Option<f64>,
    brier: Option<f64>,
    #[serde(default)]
    calibration_error: f64,
    #[serde(default = "half")]
    threshold: f32,
    confusion: Confusion,
}

impl From<Measured> for Binary {
    fn from(measured: Measured) -> Self {
        let Measured { loss, roc_auc, average_precision, brier, .. } = measured;
        let Measured { calibration_error, threshold, confusion, .. } = measured;
        let classes = confusion.classes();
        let [negative, positive] = classes;
        let n_rows = negative.n_texts + positive.n_texts;
        Self {
            n_rows,
            loss,
            accuracy: share(negative.n_right + positive.n_right, n_rows),
            majority_accuracy: share(negative.n_texts.max(positive.n_texts), n_rows),
            balanced_accuracy: counts::balanced_accuracy(&classes),
            precision: positive.precision(),
            recall: positive.recall(),
            negative_recall: negative.recall(),
            f1: positive.f1(),
            macro_f1: (positive.f1() + negative.f1()) / 2.0,
            matthews: counts::matthews(&classes),
            kappa: counts::kappa(&classes),
            roc_auc,
            average_precision,
            brier,
            calibration_error,
            threshold,
            confusion,
        }
    }
}

impl Confusion {
    /// Texts by true class: `[negative, positive]`.
    pub fn class_counts(&self) -> [usize; 2] {
        self.classes().map(|class| class.n_texts)
    }

    /// Texts by predicted class: `[negative, positive]`.
    pub fn predicted_counts(&self) -> [usize; 2] {
        self.classes().map(|class| class.n_predicted)
    }

    fn classes(&self) -> [ClassCounts; 2] {
        let Self { true_positive, false_positive, true_negative, false_negative } = *self;
        let negative = ClassCounts {
            n_right: true_negative,
            n_texts: true_negative + false_positive,
            n_predicted: true_negative + false_negative,
        };
        let positive = ClassCounts {
            n_right: true_positive,
            n_texts: true_positive + false_negative,
            n_predicted: true_positive + false_positive,
        };
        [negative, positive]
    }
}

impl Binary {
    /// Measures logits `[N]` against labels of 0 or 1, pair by pair.
    ///
    /// `threshold`: the probability from which a text is predicted positive, as a rule 0.5. All figures are
    /// finite if the logits are; otherwise the loss is NaN and the others mean nothing.
    ///
    /// # Errors
    /// If lengths differ, a label is neither 0 nor 1, or the threshold is not in 0 to 1.
    pub fn of_logits(logits: &[f32], labels: &[u32], threshold: f32) -> Result<Self> {
        let sample = Sample::new(logits, labels, threshold)?;
        Ok(sample.measure(&vec![1; labels.len()]))
    }

    pub(crate) fn scalars(&self) -> Scalars {
        let mut scalars: Scalars = fields!(self; loss, accuracy, majority_accuracy, balanced_accuracy,
            macro_f1, matthews, calibration_error);
        let ([n_negative, n_positive], [_, n_predicted]) =
            (self.confusion.class_counts(), self.confusion.predicted_counts());
        let mut add = |name, value| scalars.push((Name::Field(name), value));
        add("precision", (n_predicted > 0).then_some(self.precision));
        add("recall", (n_positive > 0).then_some(self.recall));
        add("negative_recall", (n_negative > 0).then_some(self.negative_recall));
        add("f1", (n_positive + n_predicted > 0).then_some(self.f1));
        add("kappa", self.kappa);
        add("roc_auc", self.roc_auc);
        add("average_precision", self.average_precision);
        add("brier", self.brier);
        scalars
    }
}

/// Texts whose metrics can be computed for any number of times that each occurs.
pub(crate) struct Sample {
    texts: Vec<Text>,
    ranking: Ranking,
    threshold: f32,
}

struct Text {
    positive: bool,
    predicted: bool,
    loss: f64,
    brier: f64,
    excess: Excess,
}

impl Sample {
    /// As [`Binary::of_logits`].
    pub(crate) fn new(logits: &[f32], labels: &[u32], threshold: f32) -> Result<Self> {
        check_logits(logits, labels.len(), 1)?;
        check_labels(labels, 2)?;
        let least = logit_of(threshold, 1)?;
        let pairs = || logits.iter().zip(labels).map(|(&logit, &label)| (logit, label == 1));
        let text = |(logit, positive)| {
            let probability = sigmoid(logit);
            Text {
                positive,
                predicted: f64::from(logit) >= least,
                loss: cross_entropy(logit, positive),
                brier: (probability - f64::from(u8::from(positive))).powi(2),
                excess: Excess::of(probability, positive),
            }
        };
        let texts = pairs().map(text).collect();
        Ok(Self { texts, ranking: Ranking::of(pairs()), threshold })
    }

    pub(crate) fn len(&self) -> usize {
        self.texts.len()
    }

    /// The metrics if text i occurs `times[i]` times.
    pub(crate) fn measure(&self, times: &[u32]) -> Binary {
        let mut confusion = Confusion::default();
        let (mut loss, mut brier, mut bins) = (0.0, 0.0, Bins::default());
        for (text, &times) in self.texts.iter().zip(times).filter(|(_, times)| **times > 0) {
            *match (text.predicted, text.positive) {
                (true, true) => &mut confusion.true_positive,
                (true, false) => &mut confusion.false_positive,
                (false, false) => &mut confusion.true_negative,
                (false, true) => &mut confusion.false_negative,
            } += times as usize;
            let times = f64::from(times);
            loss += times * text.loss;
            brier += times * text.brier;
            bins.add(text.excess, times);
        }
        let n_rows = confusion.class_counts().iter().sum::<usize>();
        let areas = self.ranking.areas(times);
        Binary::from(Measured {
            loss: loss / n_rows.max(1) as f64,
            roc_auc: areas.map(|areas| areas.roc_auc),
            average_precision: areas.map(|areas| areas.average_precision),
            brier: (n_rows > 0).then(|| brier / n_rows as f64),
            calibration_error: bins.error(n_rows),
            threshold: self.threshold,
            confusion,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(logits: &[f32], labels: &[u32]) -> Binary {
        Binary::of_logits(logits, labels, HALF).unwrap()
    }

    #[test]
    fn counts_and_shares_follow_their_definitions() {
        let metrics = measured(&[2.0, -1.0, 0.5, -3.0, 1.0], &[1, 1, 0, 0, 1]);
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
        assert_eq!(metrics.confusion.class_counts(), [2, 3]);
        assert_eq!(metrics.confusion.predicted_counts(), [2, 3]);
    }

    #[test]
    fn one_class_alone_has_no_auc() {
        let metrics = measured(&[2.0, -1.0], &[0, 0]);
        assert_eq!((metrics.roc_auc, metrics.average_precision), (None, None));
        assert_eq!((metrics.majority_accuracy, metrics.negative_recall), (1.0, 0.5));
        assert_eq!((metrics.balanced_accuracy, metrics.recall), (0.5, 0.0));
    }

    #[test]
    fn a_logit_of_0_is_positive_and_other_thresholds_are_probabilities() {
        assert_eq!(measured(&[0.0, -0.0], &[1, 1]).recall, 1.0);
        // ln 4 is the logit of 0.8.
        let logits = [4f32.ln() + 1e-3, 4f32.ln() - 1e-3, 0.0, -9.0];
        let n_positive = |threshold| {
            let metrics = Binary::of_logits(&logits, &[1; 4], threshold).unwrap();
            assert_eq!(metrics.threshold, threshold);
            metrics.confusion.true_positive
        };
        assert_eq!([0.0, 0.3, 0.5, 0.8, 1.0].map(n_positive), [4, 3, 3, 1, 0]);
    }

    #[test]
    fn every_figure_is_a_number_in_json_even_for_no_texts()
    -> std::result::Result<(), serde_json::Error> {
        let sets: [(&[f32], &[u32], usize); 4] = [
            (&[], &[], 4),
            (&[1.0], &[0], 2),
            (&[-1.0], &[0], 3),
            (&[f32::MAX, -1e30], &[0, 1], 0),
        ];
        for (logits, labels, n_absent) in sets {
            let metrics = measured(logits, labels);
            let json = serde_json::to_string(&metrics)?;
            assert_eq!(json.matches("null").count(), n_absent, "{json}");
            assert_eq!(serde_json::from_str::<Binary>(&json)?, metrics);
        }
        Ok(())
    }

    #[test]
    fn figures_that_earlier_versions_did_not_write_are_counted_when_read()
    -> std::result::Result<(), serde_json::Error> {
        let old = r#"{"n_rows": 10, "loss": 0.5, "accuracy": 0.8, "precision": 0.0, "recall": 0.0,
            "f1": 0.0, "roc_auc": 0.4, "confusion": {"true_positive": 0, "false_positive": 1,
            "true_negative": 8, "false_negative": 1}}"#;
        let metrics: Binary = serde_json::from_str(old)?;
        assert_eq!((metrics.n_rows, metrics.accuracy), (10, 0.8));
        assert_eq!((metrics.majority_accuracy, metrics.negative_recall), (0.9, 8.0 / 9.0));
        assert_eq!((metrics.balanced_accuracy, metrics.threshold), (4.0 / 9.0, 0.5));
        assert!(metrics.matthews < 0.0 && metrics.kappa.is_some_and(|kappa| kappa < 0.0));
        assert_eq!(
            (metrics.roc_auc, metrics.average_precision, metrics.brier),
            (Some(0.4), None, None)
        );
        Ok(())
    }

    #[test]
    fn a_threshold_is_written_unless_it_is_half() -> std::result::Result<(), serde_json::Error> {
        let json = serde_json::to_string(&measured(&[1.0], &[1]))?;
        assert!(!json.contains("threshold"), "{json}");
        let metrics = Binary::of_logits(&[1.0, -1.0], &[1, 0], 0.3).unwrap();
        let json = serde_json::to_string(&metrics)?;
        assert_eq!(serde_json::from_str::<Binary>(&json)?, metrics);
        Ok(())
    }

    #[test]
    fn a_logit_that_is_not_finite_makes_the_loss_nan() {
        assert!(measured(&[f32::INFINITY, 1.0], &[1, 1]).loss.is_nan());
        assert!(measured(&[f32::NAN, 1.0], &[1, 0]).loss.is_nan());
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert!(Binary::of_logits(&[1.0], &[0, 1], HALF).is_err());
        assert!(Binary::of_logits(&[1.0], &[2], HALF).is_err());
        assert!(Binary::of_logits(&[1.0], &[1], f32::NAN).is_err());
    }
}

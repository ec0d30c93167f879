//! Metrics of several classes of which each text has one: a softmax.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::calibration::{Bins, Excess};
use crate::counts::{self, ClassCounts, ClassMetrics, mean, share};
use crate::error::{Result, check_labels, check_logits};
use crate::losses::rows;
use crate::ranking::Ranking;
use crate::scalars::{self, Name, Scalars, fields};
use crate::softmax::{Softmax, first_largest};
use crate::thresholds::logarithms;

/// Classes up to which the confusion matrix is kept.
const MOST_CLASSES_WITH_CONFUSION: usize = 100;
/// The numbers of classes within which the true one is looked for, each if there are more classes.
const TOP: [usize; 3] = [2, 3, 5];

/// Metrics of a classifier that gives each text one of several classes.
///
/// Definitions are those of scikit-learn's
/// [`sklearn.metrics`](https://scikit-learn.org/stable/modules/model_evaluation.html); a probability is
/// the softmax's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OneOf {
    /// Number of texts.
    pub n_rows: usize,
    /// Mean cross-entropy, in nats.
    pub loss: f64,
    /// Fraction of texts whose class is predicted correctly.
    pub accuracy: f64,
    /// The accuracy of always predicting the largest class; 0 for no texts.
    pub majority_accuracy: f64,
    /// Mean recall of the classes that have texts.
    pub balanced_accuracy: f64,
    /// Mean F1 score of the classes that have texts or predictions.
    pub macro_f1: f64,
    /// F1 score of all classes' counts together; with one class per text this is the accuracy.
    pub micro_f1: f64,
    /// Mean F1 score, classes weighted by their texts.
    pub weighted_f1: f64,
    /// `(k, fraction of texts whose class is among the k likeliest)` for k = 2, 3 and 5 below the number of
    /// classes, whatever thresholds decide; among equals the first classes are likelier.
    pub top_k: Vec<(usize, f64)>,
    /// Matthews' correlation coefficient; 0 if all texts are, or are predicted to be, of one class.
    pub matthews: f64,
    /// Cohen's kappa; absent if all texts are, and are predicted to be, of one class.
    pub kappa: Option<f64>,
    /// Mean of the classes' areas under the ROC curve, each against all others; of those classes that have
    /// texts and are not all texts. Absent if there are none.
    pub roc_auc: Option<f64>,
    /// Mean of the classes' average precision, of the same classes.
    pub average_precision: Option<f64>,
    /// Mean over texts of the squared differences between probability and truth, summed over classes: 0 to
    /// 2 (Brier 1950), as `brier_score_loss(scale_by_half=False)`.
    pub brier: f64,
    /// Expected calibration error: how far, on average, the accuracy is from the predicted class's
    /// probability (15 bins of equal width; Guo et al. 2017).
    pub calibration_error: f64,
    /// Each class against all others.
    pub classes: Vec<ClassMetrics>,
    /// Number of texts by true class (row) and predicted class (column), `[C, C]`; empty for more than 100
    /// classes.
    pub confusion: Vec<Vec<usize>>,
}

impl OneOf {
    /// Measures logits `[N, C]`, row by row, against the class of each text.
    ///
    /// `thresholds`: one per class. Without them the class with the largest logit is predicted, with them that
    /// with the largest `probability / threshold`; among equals the first. All figures are finite if the
    /// logits are; otherwise the loss is NaN and the others mean nothing.
    ///
    /// # Errors
    /// If lengths do not fit, a label is not below `n_classes`, or a threshold is not above 0 and at most 1.
    pub fn of_logits(
        logits: &[f32],
        n_classes: usize,
        labels: &[u32],
        thresholds: Option<&[f32]>,
    ) -> Result<Self> {
        let sample = Sample::new(logits, n_classes, labels, thresholds)?;
        let mut metrics = sample.measure(&vec![1; labels.len()], None);
        if n_classes <= MOST_CLASSES_WITH_CONFUSION {
            metrics.confusion = sample.confusion();
        }
        Ok(metrics)
    }

    pub(crate) fn scalars(&self) -> Scalars {
        let mut scalars: Scalars = fields!(self; loss, accuracy, majority_accuracy, balanced_accuracy,
            macro_f1, micro_f1, weighted_f1, matthews, brier, calibration_error);
        let mut add = |name, value| scalars.push((Name::Field(name), value));
        add("kappa", self.kappa);
        add("roc_auc", self.roc_auc);
        add("average_precision", self.average_precision);
        scalars.extend(self.top_k.iter().map(|&(k, share)| (Name::TopK(k), Some(share))));
        scalars.extend(scalars::of_classes(&self.classes));
        scalars
    }
}

/// Texts whose metrics can be computed for any number of times that each occurs.
pub(crate) struct Sample<'a> {
    n_classes: usize,
    texts: Vec<Text<'a>>,
}

struct Text<'a> {
    label: usize,
    predicted: usize,
    /// Classes likelier than the true one, or as likely and before it.
    n_likelier: usize,
    loss: f64,
    brier: f64,
    excess: Excess,
    softmax: Softmax<'a>,
}

impl<'a> Text<'a> {
    /// `shifts`: what is subtracted from each class's logit before classes are compared.
    fn of(softmax: Softmax<'a>, logits: &[f32], label: usize, shifts: Option<&[f64]>) -> Self {
        let score =
            |class: usize| f64::from(logits[class]) - shifts.map_or(0.0, |shifts| shifts[class]);
        let classes = || 0..logits.len();
        let predicted =
            if shifts.is_some() { first_largest(classes().map(score)) } else { softmax.largest };
        // Thresholds decide what is predicted, not what is likely.
        let is_likelier = |&class: &usize| {
            logits[class] > logits[label] || (logits[class] == logits[label] && class < label)
        };
        let difference = |class| softmax.probability(class) - f64::from(u8::from(class == label));
        Self {
            label,
            predicted,
            n_likelier: classes().filter(is_likelier).count(),
            loss: softmax.loss(label),
            brier: classes().map(|class| difference(class).powi(2)).sum(),
            excess: Excess::of(softmax.probability(predicted), predicted == label),
            softmax,
        }
    }
}

impl<'a> Sample<'a> {
    /// As [`OneOf::of_logits`].
    pub(crate) fn new(
        logits: &'a [f32],
        n_classes: usize,
        labels: &[u32],
        thresholds: Option<&[f32]>,
    ) -> Result<Self> {
        check_logits(logits, labels.len(), n_classes)?;
        check_labels(labels, n_classes)?;
        let shifts = logarithms(thresholds, n_classes)?;
        let text = |(row, &label): (&'a [f32], &u32)| {
            Text::of(Softmax::of(row), row, label as usize, shifts.as_deref())
        };
        let texts = rows(logits, n_classes, labels.len()).zip(labels).map(text).collect();
        Ok(Self { n_classes, texts })
    }

    pub(crate) fn len(&self) -> usize {
        self.texts.len()
    }

    /// The texts in the order of each class's probability.
    pub(crate) fn rankings(&self) -> Vec<Ranking> {
        (0..self.n_classes).into_par_iter().map(|class| self.ranking(class)).collect()
    }

    fn ranking(&self, class: usize) -> Ranking {
        let text = |text: &Text<'_>| (text.softmax.log_odds(class), text.label == class);
        Ranking::of(self.texts.iter().map(text))
    }

    fn confusion(&self) -> Vec<Vec<usize>> {
        let mut confusion = vec![vec![0; self.n_classes]; self.n_classes];
        self.texts.iter().for_each(|text| confusion[text.label][text.predicted] += 1);
        confusion
    }

    /// The metrics, without the confusion matrix, if text i occurs `times[i]` times. Without the rankings of
    /// all classes, texts are sorted for one class at a time.
    pub(crate) fn measure(&self, times: &[u32], rankings: Option<&[Ranking]>) -> OneOf {
        let mut classes = vec![ClassCounts::default(); self.n_classes];
        let (mut loss, mut brier, mut bins) = (0.0, 0.0, Bins::default());
        let mut within = TOP.map(|_| 0);
        for (text, &times) in self.texts.iter().zip(times).filter(|(_, times)| **times > 0) {
            let n = times as usize;
            classes[text.label].n_texts += n;
            classes[text.predicted].n_predicted += n;
            classes[text.label].n_right += if text.label == text.predicted { n } else { 0 };
            for (within, k) in within.iter_mut().zip(TOP) {
                *within += if text.n_likelier < k { n } else { 0 };
            }
            let times = f64::from(times);
            loss += times * text.loss;
            brier += times * text.brier;
            bins.add(text.excess, times);
        }
        let total = ClassCounts::total(&classes);
        let n_rows = total.n_texts;
        let areas = |class: usize| match rankings {
            Some(rankings) => rankings[class].areas(times),
            None => self.ranking(class).areas(times),
        };
        let of_classes: Vec<ClassMetrics> = classes
            .iter()
            .enumerate()
            .map(|(class, counts)| counts.with_areas(areas(class)))
            .collect();
        OneOf {
            n_rows,
            loss: loss / n_rows.max(1) as f64,
            accuracy: share(total.n_right, n_rows),
            majority_accuracy: share(classes.iter().map(|c| c.n_texts).max().unwrap_or(0), n_rows),
            balanced_accuracy: counts::balanced_accuracy(&classes),
            macro_f1: counts::macro_f1(&classes),
            micro_f1: total.f1(),
            weighted_f1: counts::weighted_f1(&classes),
            top_k: TOP
                .into_iter()
                .zip(within)
                .filter(|(k, _)| *k < self.n_classes)
                .map(|(k, within)| (k, share(within, n_rows)))
                .collect(),
            matthews: counts::matthews(&classes),
            kappa: counts::kappa(&classes),
            roc_auc: mean(of_classes.iter().filter_map(|class| class.roc_auc)),
            average_precision: mean(of_classes.iter().filter_map(|class| class.average_precision)),
            brier: brier / n_rows.max(1) as f64,
            calibration_error: bins.error(n_rows),
            classes: of_classes,
            confusion: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::counts::mean_absolute_error;

    /// Logits of three classes.
    fn measured(logits: &[[f32; 3]], labels: &[u32], thresholds: Option<&[f32]>) -> OneOf {
        OneOf::of_logits(&logits.concat(), 3, labels, thresholds).unwrap()
    }

    #[test]
    fn counts_and_shares_follow_their_definitions() {
        let logits = [[2.0, 1.0, 0.0], [0.0, 1.0, 2.0], [0.0, 3.0, 0.0], [1.0, 0.0, 2.0]];
        let metrics = measured(&logits, &[0, 1, 1, 0], None);
        assert_eq!(metrics.confusion, [[1, 0, 1], [0, 1, 1], [0, 0, 0]]);
        assert_eq!((metrics.n_rows, metrics.accuracy, metrics.majority_accuracy), (4, 0.5, 0.5));
        assert_eq!((metrics.balanced_accuracy, metrics.top_k.clone()), (0.5, vec![(2, 1.0)]));
        let class = metrics.classes[2];
        assert_eq!((class.n_texts, class.n_predicted, class.recall), (0, 2, 0.0));
        assert_eq!((class.roc_auc, class.average_precision), (None, None));
        // The third class has no texts, but predictions: its F1 of 0 counts.
        assert!((metrics.macro_f1 - (2.0 / 3.0 + 2.0 / 3.0) / 3.0).abs() < 1e-15);
        assert_eq!(mean_absolute_error(&metrics.confusion, &[1.0, 2.0, 3.0]), 0.75);
    }

    #[test]
    fn among_equal_logits_the_first_class_is_predicted() {
        let metrics = measured(&[[1.0; 3]; 3], &[0, 1, 2], None);
        assert_eq!(metrics.confusion, [[1, 0, 0], [1, 0, 0], [1, 0, 0]]);
        assert_eq!(metrics.top_k, [(2, 2.0 / 3.0)]);
        assert_eq!(metrics.roc_auc, Some(0.5));
    }

    #[test]
    fn thresholds_favour_classes_and_equal_ones_change_nothing() {
        let logits = [[2.0, 1.0, 0.0], [0.0, 1.0, 2.0], [0.0, 3.0, 0.0], [1.0, 0.0, 2.0]];
        let labels = [1, 1, 1, 0];
        let plain = measured(&logits, &labels, None);
        assert_eq!(measured(&logits, &labels, Some(&[0.3; 3])), plain);
        let favoured = measured(&logits, &labels, Some(&[0.9, 0.2, 0.9]));
        assert_eq!(favoured.confusion, [[0, 0, 1], [0, 3, 0], [0, 0, 0]]);
        // Probabilities stay as they are.
        assert_eq!((favoured.loss, favoured.roc_auc), (plain.loss, plain.roc_auc));
        assert!(favoured.calibration_error != plain.calibration_error);
    }

    #[test]
    fn no_texts_and_no_classes_give_zeros() {
        for n_classes in [0, 1, 3] {
            let metrics = OneOf::of_logits(&[], n_classes, &[], None).unwrap();
            assert_eq!((metrics.n_rows, metrics.loss, metrics.macro_f1), (0, 0.0, 0.0));
            assert_eq!((metrics.roc_auc, metrics.kappa, metrics.brier), (None, None, 0.0));
            let json = serde_json::to_string(&metrics).unwrap();
            assert_eq!(serde_json::from_str::<OneOf>(&json).unwrap(), metrics);
        }
        let one = OneOf::of_logits(&[3.0, -3.0], 1, &[0, 0], None).unwrap();
        assert_eq!((one.loss, one.accuracy, one.calibration_error), (0.0, 1.0, 0.0));
    }

    #[test]
    fn the_confusion_matrix_of_more_than_100_classes_is_not_kept() {
        for (n_classes, is_kept) in [(100, true), (101, false)] {
            let logits: Vec<f32> = (0..2 * n_classes).map(|i| (i * 7 % 31) as f32).collect();
            let metrics = OneOf::of_logits(&logits, n_classes, &[4, 80], None).unwrap();
            assert_eq!(!metrics.confusion.is_empty(), is_kept);
            assert_eq!(metrics.classes.len(), n_classes);
        }
    }

    #[test]
    fn all_figures_are_finite_at_huge_logits_and_the_loss_is_nan_at_infinite_ones() {
        let metrics = measured(&[[1e38, -1e38, 0.0], [f32::MAX, 0.0, 0.0]], &[1, 0], None);
        let json = serde_json::to_value(&metrics).unwrap();
        let absent = json.as_object().unwrap().values().filter(|value| value.is_null()).count();
        assert_eq!(absent, 0, "{json}");
        assert!(measured(&[[f32::INFINITY, 0.0, 0.0]], &[0], None).loss.is_nan());
        assert!(measured(&[[f32::NAN; 3]], &[0], None).loss.is_nan());
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert!(OneOf::of_logits(&[1.0; 5], 3, &[0, 1], None).is_err());
        assert!(OneOf::of_logits(&[1.0; 6], 3, &[0, 3], None).is_err());
        assert!(OneOf::of_logits(&[1.0; 6], 3, &[0, 1], Some(&[0.5; 2])).is_err());
        assert!(OneOf::of_logits(&[1.0; 6], 3, &[0, 1], Some(&[0.5, 0.0, 0.5])).is_err());
        assert!(OneOf::of_logits(&[], 0, &[0], None).is_err());
    }
}

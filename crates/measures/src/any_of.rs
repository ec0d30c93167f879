//! Metrics of classes of which each text has any number: a sigmoid each.

use std::collections::HashMap;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::calibration::{Bins, Excess};
use crate::counts::{self, ClassCounts, ClassMetrics, mean, share};
use crate::error::{Result, check_logits};
use crate::label_sets::LabelSets;
use crate::losses::{mean_cross_entropy, rows, sigmoid, with_truth};
use crate::ranking::{Ranking, label_ranking};
use crate::scalars::{self, Name, Scalars, fields};
use crate::thresholds::logits_of;

/// Metrics of a classifier that gives each text any number of labels.
///
/// Definitions are those of scikit-learn's
/// [`sklearn.metrics`](https://scikit-learn.org/stable/modules/model_evaluation.html) for label indicators.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AnyOf {
    /// Number of texts.
    pub n_rows: usize,
    /// Mean binary cross-entropy over all texts and classes, in nats.
    pub loss: f64,
    /// Fraction of texts whose labels are all predicted, and no others (subset accuracy).
    pub accuracy: f64,
    /// The accuracy of always predicting the most frequent set of labels, which may be no label at all.
    pub majority_accuracy: f64,
    /// Fraction of predicted labels that are right, over all classes; 0 when there are none.
    pub micro_precision: f64,
    /// Fraction of labels that are predicted, over all classes; 0 when there are none.
    pub micro_recall: f64,
    /// Harmonic mean of [`micro_precision`](Self::micro_precision) and [`micro_recall`](Self::micro_recall).
    pub micro_f1: f64,
    /// Mean F1 score of the classes that have texts or predictions, as
    /// `f1_score(average="macro", zero_division=nan)`; by default scikit-learn counts the others as 0.
    pub macro_f1: f64,
    /// Fraction of wrong decisions over all texts and classes.
    pub hamming_loss: f64,
    /// Label ranking average precision: the mean over a text's labels of the fraction of classes ranked at
    /// least as high that are its labels, too.
    pub lrap: f64,
    /// Mean of the classes' areas under the ROC curve, of those that some texts have and some have not.
    /// Absent if there are none.
    pub roc_auc: Option<f64>,
    /// Mean of the classes' average precision, of the same classes.
    pub average_precision: Option<f64>,
    /// Mean squared difference between probability and truth over all texts and classes.
    pub brier: f64,
    /// Expected calibration error of all texts' and classes' probabilities (15 bins of equal width; Naeini
    /// et al. 2015).
    pub calibration_error: f64,
    /// Mean number of labels of a text.
    pub n_labels_per_text: f64,
    /// Each class.
    pub classes: Vec<ClassMetrics>,
}

impl AnyOf {
    /// Measures logits `[N, C]`, row by row, against the labels of each text.
    ///
    /// `thresholds`: the probability of each class from which it is predicted, 0.5 without them. All
    /// figures are finite if the logits are; otherwise the loss is NaN and the others mean nothing.
    ///
    /// # Errors
    /// If lengths do not fit, `targets` are not as [`LabelSets`] says, or a threshold is not in 0 to 1.
    pub fn of_logits(
        logits: &[f32],
        n_classes: usize,
        targets: LabelSets<'_>,
        thresholds: Option<&[f32]>,
    ) -> Result<Self> {
        let sample = Sample::new(logits, n_classes, targets, thresholds)?;
        Ok(sample.measure(&vec![1; targets.n_rows()], None))
    }

    pub(crate) fn scalars(&self) -> Scalars {
        let mut scalars: Scalars = fields!(self; loss, accuracy, majority_accuracy, macro_f1, hamming_loss,
            lrap, brier, calibration_error, n_labels_per_text);
        let n_labels: usize = self.classes.iter().map(|class| class.n_texts).sum();
        let n_predicted: usize = self.classes.iter().map(|class| class.n_predicted).sum();
        let mut add = |name, value| scalars.push((Name::Field(name), value));
        add("micro_precision", (n_predicted > 0).then_some(self.micro_precision));
        add("micro_recall", (n_labels > 0).then_some(self.micro_recall));
        add("micro_f1", (n_labels + n_predicted > 0).then_some(self.micro_f1));
        add("roc_auc", self.roc_auc);
        add("average_precision", self.average_precision);
        scalars.extend(scalars::of_classes(&self.classes));
        scalars
    }
}

/// Texts whose metrics can be computed for any number of times that each occurs.
pub(crate) struct Sample<'a> {
    n_classes: usize,
    logits: &'a [f32],
    texts: Vec<Text<'a>>,
    n_sets: usize,
}

struct Text<'a> {
    labels: &'a [u32],
    predicted: Vec<u32>,
    /// Labels that are predicted.
    right: Vec<u32>,
    /// Equal for texts with the same labels.
    set: usize,
    loss: f64,
    lrap: f64,
    brier: f64,
    bins: Bins,
}

impl<'a> Text<'a> {
    /// `least`: the logit of each class from which it is predicted.
    fn of(logits: &[f32], labels: &'a [u32], set: usize, least: &[f64]) -> Self {
        let (mut predicted, mut right) = (Vec::new(), Vec::new());
        let (mut brier, mut bins) = (0.0, Bins::default());
        for (class, (logit, is_label)) in (0..).zip(with_truth(logits, labels)) {
            if f64::from(logit) >= least[class as usize] {
                predicted.push(class);
                right.extend(is_label.then_some(class));
            }
            let probability = sigmoid(logit);
            brier += (probability - f64::from(u8::from(is_label))).powi(2);
            bins.add(Excess::of(probability, is_label), 1.0);
        }
        Self {
            labels,
            predicted,
            right,
            set,
            loss: mean_cross_entropy(logits, labels),
            lrap: label_ranking(with_truth(logits, labels)),
            brier: brier / logits.len().max(1) as f64,
            bins,
        }
    }

    /// Labels that are not predicted, and classes predicted that are no labels.
    fn n_wrong(&self) -> usize {
        self.labels.len() + self.predicted.len() - 2 * self.right.len()
    }
}

impl<'a> Sample<'a> {
    /// As [`AnyOf::of_logits`].
    pub(crate) fn new(
        logits: &'a [f32],
        n_classes: usize,
        targets: LabelSets<'a>,
        thresholds: Option<&[f32]>,
    ) -> Result<Self> {
        let sets = targets.checked(n_classes)?;
        check_logits(logits, sets.len(), n_classes)?;
        let least = logits_of(thresholds, n_classes)?;
        let mut known: HashMap<&[u32], usize> = HashMap::new();
        let texts = rows(logits, n_classes, sets.len()).zip(&sets).map(|(row, &labels)| {
            let next = known.len();
            let set = *known.entry(labels).or_insert(next);
            Text::of(row, labels, set, &least)
        });
        let texts = texts.collect();
        Ok(Self { n_classes, logits, texts, n_sets: known.len() })
    }

    pub(crate) fn len(&self) -> usize {
        self.texts.len()
    }

    /// The texts in the order of each class's probability.
    pub(crate) fn rankings(&self) -> Vec<Ranking> {
        (0..self.n_classes).into_par_iter().map(|class| self.ranking(class)).collect()
    }

    fn ranking(&self, class: usize) -> Ranking {
        let scores = rows(self.logits, self.n_classes, self.texts.len()).map(|row| row[class]);
        let is_label = |text: &Text<'_>| text.labels.binary_search(&(class as u32)).is_ok();
        Ranking::of(scores.zip(self.texts.iter().map(is_label)))
    }

    /// The metrics if text i occurs `times[i]` times. Without the rankings of all classes, texts are sorted
    /// for one class at a time.
    pub(crate) fn measure(&self, times: &[u32], rankings: Option<&[Ranking]>) -> AnyOf {
        let mut classes = vec![ClassCounts::default(); self.n_classes];
        let mut sets = vec![0; self.n_sets];
        let (mut n_rows, mut n_exact, mut n_wrong) = (0, 0, 0);
        let (mut loss, mut lrap, mut brier, mut bins) = (0.0, 0.0, 0.0, Bins::default());
        for (text, &times) in self.texts.iter().zip(times).filter(|(_, times)| **times > 0) {
            let n = times as usize;
            text.labels.iter().for_each(|&class| classes[class as usize].n_texts += n);
            text.predicted.iter().for_each(|&class| classes[class as usize].n_predicted += n);
            text.right.iter().for_each(|&class| classes[class as usize].n_right += n);
            sets[text.set] += n;
            n_rows += n;
            n_exact += if text.n_wrong() == 0 { n } else { 0 };
            n_wrong += n * text.n_wrong();
            let times = f64::from(times);
            loss += times * text.loss;
            lrap += times * text.lrap;
            brier += times * text.brier;
            bins.add_all(&text.bins, times);
        }
        let total = ClassCounts::total(&classes);
        let n_decisions = n_rows * self.n_classes;
        let n_texts = n_rows.max(1) as f64;
        let areas = |class: usize| match rankings {
            Some(rankings) => rankings[class].areas(times),
            None => self.ranking(class).areas(times),
        };
        let of_classes: Vec<ClassMetrics> = classes
            .iter()
            .enumerate()
            .map(|(class, counts)| counts.with_areas(areas(class)))
            .collect();
        AnyOf {
            n_rows,
            loss: loss / n_texts,
            accuracy: share(n_exact, n_rows),
            majority_accuracy: share(sets.into_iter().max().unwrap_or(0), n_rows),
            micro_precision: total.precision(),
            micro_recall: total.recall(),
            micro_f1: total.f1(),
            macro_f1: counts::macro_f1(&classes),
            hamming_loss: share(n_wrong, n_decisions),
            lrap: lrap / n_texts,
            roc_auc: mean(of_classes.iter().filter_map(|class| class.roc_auc)),
            average_precision: mean(of_classes.iter().filter_map(|class| class.average_precision)),
            brier: brier / n_texts,
            calibration_error: bins.error(n_decisions),
            n_labels_per_text: share(total.n_texts, n_rows),
            classes: of_classes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STARTS: [usize; 5] = [0, 2, 2, 3, 3];
    const LABELS: LabelSets<'_> = LabelSets { starts: &STARTS, classes: &[0, 1, 0] };
    const LOGITS: [[f32; 3]; 4] =
        [[1.0, 2.0, -1.0], [-1.0, -2.0, -1.0], [-1.0, 0.0, -3.0], [-1.0, 1.0, -1.0]];

    fn measured(thresholds: Option<&[f32]>) -> AnyOf {
        AnyOf::of_logits(&LOGITS.concat(), 3, LABELS, thresholds).unwrap()
    }

    #[test]
    fn counts_and_shares_follow_their_definitions() {
        let metrics = measured(None);
        assert_eq!((metrics.n_rows, metrics.accuracy, metrics.majority_accuracy), (4, 0.5, 0.5));
        assert_eq!((metrics.micro_precision, metrics.micro_recall), (0.5, 2.0 / 3.0));
        assert_eq!((metrics.hamming_loss, metrics.n_labels_per_text), (0.25, 0.75));
        // The third class has neither texts nor predictions and does not count.
        assert!((metrics.macro_f1 - (2.0 / 3.0 + 0.5) / 2.0).abs() < 1e-15);
        assert_eq!((metrics.classes[2].roc_auc, metrics.classes[1].roc_auc), (None, Some(1.0)));
        assert_eq!(metrics.roc_auc, Some((metrics.classes[0].roc_auc.unwrap() + 1.0) / 2.0));
    }

    #[test]
    fn each_class_has_its_threshold() {
        assert_eq!(measured(Some(&[0.5; 3])), measured(None));
        let metrics = measured(Some(&[0.2, 0.7, 1.0]));
        let n_predicted: Vec<usize> = metrics.classes.iter().map(|c| c.n_predicted).collect();
        assert_eq!(n_predicted, [4, 2, 0]);
        assert_eq!(metrics.loss, measured(None).loss);
    }

    #[test]
    fn texts_without_labels_are_right_if_nothing_is_predicted() {
        let none = LabelSets { starts: &[0, 0, 0], classes: &[] };
        let metrics = AnyOf::of_logits(&[-1.0, -2.0, -3.0, 1.0], 2, none, None).unwrap();
        assert_eq!((metrics.accuracy, metrics.majority_accuracy, metrics.lrap), (0.5, 1.0, 1.0));
        assert_eq!((metrics.micro_f1, metrics.roc_auc), (0.0, None));
    }

    #[test]
    fn no_texts_and_no_classes_give_zeros() {
        for (starts, n_classes) in [(&[][..], 3), (&[0][..], 3), (&[0, 0, 0][..], 0)] {
            let targets = LabelSets { starts, classes: &[] };
            let metrics = AnyOf::of_logits(&[], n_classes, targets, None).unwrap();
            assert_eq!((metrics.n_rows, metrics.loss), (targets.n_rows(), 0.0));
            assert_eq!((metrics.hamming_loss, metrics.calibration_error), (0.0, 0.0));
            let json = serde_json::to_string(&metrics).unwrap();
            assert_eq!(serde_json::from_str::<AnyOf>(&json).unwrap(), metrics);
        }
    }

    #[test]
    fn all_figures_are_finite_at_huge_logits_and_the_loss_is_nan_at_infinite_ones() {
        let targets = LabelSets { starts: &[0, 1], classes: &[1] };
        let metrics = AnyOf::of_logits(&[f32::MAX, -f32::MAX], 2, targets, None).unwrap();
        assert!(metrics.loss.is_finite() && metrics.brier == 1.0, "{metrics:?}");
        let metrics = AnyOf::of_logits(&[0.0, f32::INFINITY], 2, targets, None).unwrap();
        assert!(metrics.loss.is_nan());
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let refused = |n_logits, n_classes, thresholds: Option<&[f32]>| {
            AnyOf::of_logits(&vec![0.0; n_logits], n_classes, LABELS, thresholds).is_err()
        };
        assert!(refused(11, 3, None));
        assert!(refused(4, 1, None));
        assert!(refused(12, 3, Some(&[0.5; 2])));
        assert!(refused(12, 3, Some(&[0.5, 0.5, 1.5])));
    }
}

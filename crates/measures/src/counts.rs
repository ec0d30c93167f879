//! Measures that are derived from the number of texts of each true and predicted class.
//!
//! Definitions are those of scikit-learn's
//! [`sklearn.metrics`](https://scikit-learn.org/stable/modules/model_evaluation.html).

use serde::{Deserialize, Serialize};

use crate::ranking::Areas;

/// Metrics of one class against all others.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ClassMetrics {
    /// Number of texts of the class.
    pub n_texts: usize,
    /// Number of texts predicted to be of the class.
    pub n_predicted: usize,
    /// Fraction of texts predicted to be of the class that are; 0 when there are none.
    pub precision: f64,
    /// Fraction of the class's texts predicted to be of it; 0 when there are none.
    pub recall: f64,
    /// Harmonic mean of precision and recall.
    pub f1: f64,
    /// Probability that a text of the class is ranked above another; absent when either is missing.
    pub roc_auc: Option<f64>,
    /// Average precision; absent when there are no texts of the class, or no others.
    pub average_precision: Option<f64>,
}

/// Counts of one class against all others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct ClassCounts {
    /// Texts of the class that are predicted to be of it.
    pub(crate) n_right: usize,
    /// Texts of the class.
    pub(crate) n_texts: usize,
    /// Texts predicted to be of the class.
    pub(crate) n_predicted: usize,
}

impl ClassCounts {
    pub(crate) fn precision(&self) -> f64 {
        share(self.n_right, self.n_predicted)
    }

    pub(crate) fn recall(&self) -> f64 {
        share(self.n_right, self.n_texts)
    }

    pub(crate) fn f1(&self) -> f64 {
        share(2 * self.n_right, self.n_texts + self.n_predicted)
    }

    pub(crate) fn with_areas(&self, areas: Option<Areas>) -> ClassMetrics {
        ClassMetrics {
            n_texts: self.n_texts,
            n_predicted: self.n_predicted,
            precision: self.precision(),
            recall: self.recall(),
            f1: self.f1(),
            roc_auc: areas.map(|areas| areas.roc_auc),
            average_precision: areas.map(|areas| areas.average_precision),
        }
    }

    /// The counts of all classes together.
    pub(crate) fn total(classes: &[Self]) -> Self {
        let sum = |of: fn(&Self) -> usize| classes.iter().map(of).sum();
        Self {
            n_right: sum(|class| class.n_right),
            n_texts: sum(|class| class.n_texts),
            n_predicted: sum(|class| class.n_predicted),
        }
    }
}

/// A fraction; 0 of nothing.
pub(crate) fn share(part: usize, whole: usize) -> f64 {
    part as f64 / whole.max(1) as f64
}

/// The mean; `None` of nothing.
pub(crate) fn mean(numbers: impl Iterator<Item = f64>) -> Option<f64> {
    let (n, sum) = numbers.fold((0usize, 0.0), |(n, sum), number| (n + 1, sum + number));
    (n > 0).then(|| sum / n as f64)
}

/// Mean F1 score of the classes that have texts or predictions, as
/// [`f1_score(average="macro")`](https://scikit-learn.org/stable/modules/generated/sklearn.metrics.f1_score.html);
/// 0 if none has.
pub(crate) fn macro_f1(classes: &[ClassCounts]) -> f64 {
    let present = classes.iter().filter(|class| class.n_texts + class.n_predicted > 0);
    mean(present.map(ClassCounts::f1)).unwrap_or(0.0)
}

/// Mean F1 score, classes weighted by their texts.
pub(crate) fn weighted_f1(classes: &[ClassCounts]) -> f64 {
    let sum: f64 = classes.iter().map(|class| class.n_texts as f64 * class.f1()).sum();
    sum / ClassCounts::total(classes).n_texts.max(1) as f64
}

/// Mean recall of the classes that have texts, as
/// [`balanced_accuracy_score`](https://scikit-learn.org/stable/modules/generated/sklearn.metrics.balanced_accuracy_score.html);
/// 0 if none has.
pub(crate) fn balanced_accuracy(classes: &[ClassCounts]) -> f64 {
    let present = classes.iter().filter(|class| class.n_texts > 0);
    mean(present.map(ClassCounts::recall)).unwrap_or(0.0)
}

/// The sums that Matthews' coefficient and Cohen's kappa are made of, each text having one true and one
/// predicted class: the texts squared, those right times all, and the products of true and predicted
/// counts.
struct Products {
    all: f64,
    right: f64,
    true_predicted: f64,
    true_true: f64,
    predicted_predicted: f64,
}

impl Products {
    fn of(classes: &[ClassCounts]) -> Self {
        let total = ClassCounts::total(classes);
        let n = total.n_texts as f64;
        let sum = |of: fn(&ClassCounts) -> (usize, usize)| {
            classes.iter().map(of).map(|(a, b)| a as f64 * b as f64).sum()
        };
        Self {
            all: n * n,
            right: n * total.n_right as f64,
            true_predicted: sum(|class| (class.n_texts, class.n_predicted)),
            true_true: sum(|class| (class.n_texts, class.n_texts)),
            predicted_predicted: sum(|class| (class.n_predicted, class.n_predicted)),
        }
    }
}

/// Matthews' correlation coefficient of true and predicted classes (Gorodkin 2004), as
/// [`matthews_corrcoef`](https://scikit-learn.org/stable/modules/generated/sklearn.metrics.matthews_corrcoef.html);
/// 0 if all texts are, or are predicted to be, of one class.
pub(crate) fn matthews(classes: &[ClassCounts]) -> f64 {
    let products = Products::of(classes);
    let of_true = products.all - products.true_true;
    let of_predicted = products.all - products.predicted_predicted;
    if of_true > 0.0 && of_predicted > 0.0 {
        (products.right - products.true_predicted) / (of_true * of_predicted).sqrt()
    } else {
        0.0
    }
}

/// Cohen's kappa of true and predicted classes, as
/// [`cohen_kappa_score`](https://scikit-learn.org/stable/modules/generated/sklearn.metrics.cohen_kappa_score.html);
/// `None` if all texts are, and are predicted to be, of one class.
pub(crate) fn kappa(classes: &[ClassCounts]) -> Option<f64> {
    let products = Products::of(classes);
    let scope = products.all - products.true_predicted;
    (scope > 0.0).then(|| (products.right - products.true_predicted) / scope)
}

/// Mean distance between the values of the true and the predicted class, for classes that are numbers,
/// such as stars.
///
/// `confusion`: texts by true class and predicted class, `[C, C]`, as in
/// [`OneOf::confusion`](crate::OneOf::confusion); `values`: one finite number per class. 0 for no texts, and
/// for the empty matrix of more classes than are kept. Classes without a value are left out.
pub fn mean_absolute_error(confusion: &[Vec<usize>], values: &[f64]) -> f64 {
    let (mut distance, mut n_texts) = (0.0, 0);
    for (row, true_value) in confusion.iter().zip(values) {
        for (&n, predicted_value) in row.iter().zip(values) {
            distance += n as f64 * (true_value - predicted_value).abs();
            n_texts += n;
        }
    }
    distance / n_texts.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(n_right: usize, n_texts: usize, n_predicted: usize) -> ClassCounts {
        ClassCounts { n_right, n_texts, n_predicted }
    }

    #[test]
    fn averages_leave_out_classes_that_do_not_occur() {
        let classes = [counts(1, 2, 1), counts(1, 1, 2), counts(0, 0, 0)];
        assert!((macro_f1(&classes) - 2.0 / 3.0).abs() < 1e-15);
        assert_eq!(balanced_accuracy(&classes), 0.75);
        // A class that is only predicted counts in F1, and not in recall.
        let classes = [counts(1, 2, 1), counts(0, 0, 1)];
        assert!((macro_f1(&classes) - 1.0 / 3.0).abs() < 1e-15);
        assert_eq!(balanced_accuracy(&classes), 0.5);
    }

    #[test]
    fn agreement_is_1_if_all_is_right_and_absent_if_there_is_one_class() {
        let right = [counts(2, 2, 2), counts(3, 3, 3)];
        assert_eq!((matthews(&right), kappa(&right)), (1.0, Some(1.0)));
        let one = [counts(2, 2, 2), counts(0, 0, 0)];
        assert_eq!((matthews(&one), kappa(&one)), (0.0, None));
        assert_eq!((matthews(&[]), kappa(&[])), (0.0, None));
    }

    #[test]
    fn the_mean_absolute_error_weighs_texts_by_distance() {
        let confusion = [vec![3, 1, 0], vec![0, 2, 0], vec![2, 0, 0]];
        assert_eq!(mean_absolute_error(&confusion, &[1.0, 2.0, 5.0]), 9.0 / 8.0);
        assert_eq!(mean_absolute_error(&[], &[1.0, 2.0]), 0.0);
    }
}

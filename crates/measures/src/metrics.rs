//! Metrics of any task.

use serde::{Deserialize, Serialize};

use crate::any_of::AnyOf;
use crate::binary::Binary;
use crate::counts::ClassMetrics;
use crate::one_of::OneOf;
use crate::scalars::Scalars;

/// Metrics of a classifier on labelled texts.
///
/// Serialised without a tag: older reports hold binary ones, and the three kinds differ in their fields.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Metrics {
    /// Two classes.
    Binary(Binary),
    /// One of several classes.
    OneOf(OneOf),
    /// Any number of labels.
    AnyOf(AnyOf),
}

/// A field that metrics of all tasks have.
macro_rules! field {
    ($metrics:expr, $field:ident) => {
        match $metrics {
            Self::Binary(metrics) => metrics.$field,
            Self::OneOf(metrics) => metrics.$field,
            Self::AnyOf(metrics) => metrics.$field,
        }
    };
}

impl Metrics {
    /// Number of texts.
    pub fn n_rows(&self) -> usize {
        field!(self, n_rows)
    }

    /// Mean cross-entropy, in nats; of any-of, over texts and classes.
    pub fn loss(&self) -> f64 {
        field!(self, loss)
    }

    /// Replaces the loss.
    pub fn set_loss(&mut self, loss: f64) {
        match self {
            Self::Binary(metrics) => metrics.loss = loss,
            Self::OneOf(metrics) => metrics.loss = loss,
            Self::AnyOf(metrics) => metrics.loss = loss,
        }
    }

    /// Fraction of texts whose class, or set of labels, is predicted correctly.
    pub fn accuracy(&self) -> f64 {
        field!(self, accuracy)
    }

    /// The accuracy of always predicting the most frequent class, or set of labels.
    pub fn majority_accuracy(&self) -> f64 {
        field!(self, majority_accuracy)
    }

    /// Mean F1 score of the classes: of two, always both; otherwise of those that have texts or predictions.
    pub fn macro_f1(&self) -> f64 {
        field!(self, macro_f1)
    }

    /// Area under the ROC curve; of more than two classes or of any-of, the mean of the classes' areas.
    /// Absent if no class is present and absent among the texts.
    pub fn roc_auc(&self) -> Option<f64> {
        field!(self, roc_auc)
    }

    /// Expected calibration error.
    pub fn calibration_error(&self) -> f64 {
        field!(self, calibration_error)
    }

    /// The name and value of the measure that comes first in a report: the accuracy, or of any-of the micro
    /// F1 score, because sets of labels are rarely right as a whole.
    pub fn headline(&self) -> (&'static str, f64) {
        match self {
            Self::Binary(Binary { accuracy, .. }) | Self::OneOf(OneOf { accuracy, .. }) => {
                ("accuracy", *accuracy)
            }
            Self::AnyOf(metrics) => ("micro F1", metrics.micro_f1),
        }
    }

    /// Texts of each class; of two classes `[negative, positive]`.
    pub fn class_counts(&self) -> Vec<usize> {
        match self {
            Self::Binary(metrics) => metrics.confusion.class_counts().to_vec(),
            Self::OneOf(OneOf { classes, .. }) | Self::AnyOf(AnyOf { classes, .. }) => {
                counts(classes, |class| class.n_texts)
            }
        }
    }

    /// Texts predicted to be of each class; of two classes `[negative, positive]`.
    pub fn predicted_counts(&self) -> Vec<usize> {
        match self {
            Self::Binary(metrics) => metrics.confusion.predicted_counts().to_vec(),
            Self::OneOf(OneOf { classes, .. }) | Self::AnyOf(AnyOf { classes, .. }) => {
                counts(classes, |class| class.n_predicted)
            }
        }
    }

    /// All measures, by name.
    pub(crate) fn scalars(&self) -> Scalars {
        match self {
            Self::Binary(metrics) => metrics.scalars(),
            Self::OneOf(metrics) => metrics.scalars(),
            Self::AnyOf(metrics) => metrics.scalars(),
        }
    }

    /// The classes without texts, ascending: nothing is measured about them, and no mean of recalls or areas
    /// includes them.
    pub fn missing_classes(&self) -> Vec<usize> {
        let counts = self.class_counts().into_iter().enumerate();
        counts.filter(|(_, n_texts)| *n_texts == 0).map(|(class, _)| class).collect()
    }
}

fn counts(classes: &[ClassMetrics], of: fn(&ClassMetrics) -> usize) -> Vec<usize> {
    classes.iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::label_sets::LabelSets;

    /// Two texts and `n_classes` classes, of each task.
    fn of_each_task(n_classes: usize) -> [Metrics; 3] {
        let logits: Vec<f32> = (0..2 * n_classes).map(|i| 1.5 - (i * 5 % 7) as f32).collect();
        let targets = LabelSets { starts: &[0, 1, 1], classes: &[0] };
        [
            Metrics::Binary(Binary::of_logits(&[1.0, -1.0], &[0, 0], 0.5).unwrap()),
            Metrics::OneOf(OneOf::of_logits(&logits, n_classes, &[1, 1], None).unwrap()),
            Metrics::AnyOf(AnyOf::of_logits(&logits, n_classes, targets, None).unwrap()),
        ]
    }

    #[test]
    fn metrics_are_read_as_the_task_that_they_are_of() {
        for n_classes in [2, 4, 101] {
            for metrics in of_each_task(n_classes) {
                let json = serde_json::to_string(&metrics).unwrap();
                let read: Metrics = serde_json::from_str(&json).unwrap();
                assert_eq!(std::mem::discriminant(&read), std::mem::discriminant(&metrics));
                // Numbers may differ in their last digit.
                assert!((read.loss() - metrics.loss()).abs() < 1e-12);
                assert_eq!(read.class_counts(), metrics.class_counts());
            }
        }
        assert!(serde_json::from_str::<Metrics>("{}").is_err());
    }

    #[test]
    fn an_older_report_is_binary() {
        let old = r#"{"n_rows": 3, "loss": 1, "accuracy": 0.8, "precision": 0.0, "recall": 0.0,
            "f1": 0.0, "roc_auc": null, "confusion": {"true_positive": 0, "false_positive": 1,
            "true_negative": 2, "false_negative": 0}}"#;
        let metrics: Metrics = serde_json::from_str(old).unwrap();
        assert!(matches!(metrics, Metrics::Binary(_)));
        assert_eq!((metrics.loss(), metrics.accuracy()), (1.0, 2.0 / 3.0));
        assert_eq!(metrics.class_counts(), [3, 0]);
        assert_eq!(metrics.predicted_counts(), [2, 1]);
    }

    #[test]
    fn classes_without_texts_are_named() {
        let missing = of_each_task(3).map(|metrics| metrics.missing_classes());
        assert_eq!(missing, [vec![1], vec![0, 2], vec![1, 2]]);
    }

    #[test]
    fn the_headline_of_any_of_is_the_micro_f1_score() {
        let [binary, one_of, any_of] = of_each_task(3);
        assert_eq!(binary.headline(), ("accuracy", 0.5));
        assert_eq!(one_of.headline().0, "accuracy");
        let Metrics::AnyOf(metrics) = &any_of else { panic!("{any_of:?}") };
        assert_eq!(any_of.headline(), ("micro F1", metrics.micro_f1));
    }

    #[test]
    fn a_loss_can_be_replaced() {
        for mut metrics in of_each_task(3) {
            metrics.set_loss(f64::NAN);
            assert!(metrics.loss().is_nan());
        }
    }
}

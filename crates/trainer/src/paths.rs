//! Scores of each path of a network alone.

use serde::{Deserialize, Serialize};

use crate::metrics::Metrics;

/// Metrics of one path alone that do not depend on the scale of its logits, which is fitted for both
/// paths together.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PathScore {
    /// Fraction of texts whose class is predicted correctly.
    pub accuracy: f64,
    /// Mean of the F1 scores of both classes.
    pub macro_f1: f64,
    /// Area under the ROC curve; absent when a class is missing.
    pub roc_auc: Option<f64>,
}

/// A network's paths, each alone on the same texts. Where classes are weighted, both have the shift that was
/// fitted for their sum.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PathScores {
    /// The linear path.
    pub linear: PathScore,
    /// The recurrent layers.
    pub recurrent: PathScore,
}

impl PathScore {
    /// Scores one path's logits against labels of 0 or 1.
    pub fn of_logits(logits: &[f32], labels: &[u8]) -> Self {
        let Metrics { accuracy, macro_f1, roc_auc, .. } = Metrics::of_logits(logits, labels);
        Self { accuracy, macro_f1, roc_auc }
    }
}

/// The logits of a network's paths for some texts, in the same order.
#[derive(Debug, Clone, Default)]
pub(crate) struct PathLogits {
    pub(crate) recurrent: Vec<f32>,
    /// Absent in a network without a linear path.
    pub(crate) linear: Option<Vec<f32>>,
}

impl PathLogits {
    /// The network's logits.
    pub(crate) fn sum(&self) -> Vec<f32> {
        match &self.linear {
            Some(linear) => self.recurrent.iter().zip(linear).map(|(a, b)| a + b).collect(),
            None => self.recurrent.clone(),
        }
    }

    /// Each path alone, if there are two.
    pub(crate) fn scores(&self, labels: &[u8]) -> Option<PathScores> {
        self.linear.as_ref().map(|linear| PathScores {
            linear: PathScore::of_logits(linear, labels),
            recurrent: PathScore::of_logits(&self.recurrent, labels),
        })
    }
}

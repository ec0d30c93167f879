//! The logits of each path of a network, and scores of each path alone.

use classifier::PathLogits;
use dataset::Targets;
use measures::Metrics;
use model::Task;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::scoring::metrics_of;

/// Metrics of one path alone that do not depend on the scale of its logits, which is fitted for both
/// paths together.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PathScore {
    /// Fraction of texts whose class, or whose set of labels, is predicted correctly.
    pub accuracy: f64,
    /// Mean of the F1 scores of all classes.
    pub macro_f1: f64,
    /// F1 score over the labels of all texts together; only where a text may have several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub micro_f1: Option<f64>,
    /// Area under the ROC curve (the mean over the labels where a text may have several); absent when a class is
    /// missing, and with one class of several, where it depends on the scale.
    pub roc_auc: Option<f64>,
}

impl PathScore {
    pub(crate) fn of(metrics: &Metrics) -> Self {
        let micro_f1 = match metrics {
            Metrics::AnyOf(metrics) => Some(metrics.micro_f1),
            _ => None,
        };
        let (accuracy, macro_f1) = (metrics.accuracy(), metrics.macro_f1());
        let roc_auc = metrics.roc_auc().filter(|_| !matches!(metrics, Metrics::OneOf(_)));
        Self { accuracy, macro_f1, micro_f1, roc_auc }
    }

    /// The metric that says most, as [`Metrics::headline`]: micro F1 where a text may have several labels, else
    /// accuracy.
    pub fn headline(&self) -> f64 {
        self.micro_f1.unwrap_or(self.accuracy)
    }
}

/// A network's paths, each alone on the same texts. Where classes are weighted, both have the shift that was
/// fitted for their sum; with scales by length, the linear path has the bias and the ratios.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PathScores {
    /// The linear path.
    pub linear: PathScore,
    /// The recurrent layers.
    pub recurrent: PathScore,
}

/// Scores of each path alone, if there are two.
pub(crate) fn scores(
    of_paths: &PathLogits,
    task: &Task,
    targets: &Targets,
) -> Result<Option<PathScores>> {
    let Some(linear) = &of_paths.linear else { return Ok(None) };
    let score = |logits: &[f32]| -> Result<PathScore> {
        Ok(PathScore::of(&metrics_of(logits, task, targets, None)?))
    };
    Ok(Some(PathScores { linear: score(linear)?, recurrent: score(&of_paths.recurrent)? }))
}

//! What the measures make of a network's logits, by task.

use dataset::Targets;
use measures::{AnyOf, Binary, Bootstrap, Intervals, LabelSets, Metrics, OneOf};
use model::Task;

use crate::class_weights::{LossWeights, Weighting};
use crate::error::{Error, Result};
use crate::prepare::classes_of;

/// The threshold of two classes where none was chosen.
const HALF: f32 = 0.5;

/// Metrics of logits `[N·O]`.
///
/// # Errors
/// [`Error::NoLabels`] if the targets are of another task; if their number does not fit.
pub(crate) fn metrics_of(
    logits: &[f32],
    task: &Task,
    targets: &Targets,
    thresholds: Option<&[f32]>,
) -> Result<Metrics> {
    let n_classes = task.classes().len();
    Ok(match task {
        Task::Binary(_) => {
            Metrics::Binary(Binary::of_logits(logits, one_of(targets)?, threshold(thresholds))?)
        }
        Task::OneOf(_) => {
            Metrics::OneOf(OneOf::of_logits(logits, n_classes, one_of(targets)?, thresholds)?)
        }
        Task::AnyOf(_) => {
            Metrics::AnyOf(AnyOf::of_logits(logits, n_classes, any_of(targets)?, thresholds)?)
        }
    })
}

/// 95 % bootstrap intervals of the same metrics.
///
/// # Errors
/// As [`metrics_of`].
pub(crate) fn intervals_of(
    logits: &[f32],
    task: &Task,
    targets: &Targets,
    thresholds: Option<&[f32]>,
) -> Result<Intervals> {
    let (n_classes, how) = (task.classes().len(), Bootstrap::default());
    Ok(match task {
        Task::Binary(_) => {
            measures::intervals_binary(logits, one_of(targets)?, threshold(thresholds), how)?
        }
        Task::OneOf(_) => {
            measures::intervals_one_of(logits, n_classes, one_of(targets)?, thresholds, how)?
        }
        Task::AnyOf(_) => {
            measures::intervals_any_of(logits, n_classes, any_of(targets)?, thresholds, how)?
        }
    })
}

/// How far predictions are from labels on average, if all classes are numbers, such as stars.
pub fn mean_absolute_error(metrics: &Metrics, task: &Task) -> Option<f64> {
    let Metrics::OneOf(metrics) = metrics else { return None };
    let values = classes_of(task, None).values()?;
    // Without a confusion matrix there are too many classes for it.
    (!metrics.confusion.is_empty())
        .then(|| measures::mean_absolute_error(&metrics.confusion, &values))
}

/// The mean loss of the texts, weighted.
///
/// # Errors
/// As [`metrics_of`].
pub(crate) fn weighted_loss(
    logits: &[f32],
    task: &Task,
    targets: &Targets,
    weighting: Weighting<'_>,
) -> Result<f64> {
    let of_row = |row: usize| weighting.rows.map_or(1.0, |rows| f64::from(rows[row]));
    if let (Task::AnyOf(_), LossWeights::Sigmoid(of_labels)) = (task, weighting.classes) {
        // A text counts for each label by itself.
        let (mut labels, mut weights) = (Vec::new(), Vec::new());
        for row in 0..targets.len() {
            for (label, of_label) in of_labels.iter().enumerate() {
                let has_label = targets.has(row, label as u32);
                labels.push(u32::from(has_label));
                weights.push(of_label[usize::from(has_label)] * of_row(row));
            }
        }
        return Ok(measures::binary_loss(logits, &labels, &weights)?);
    }
    let weights: Vec<f64> = (0..targets.len())
        .map(|row| weighting.classes.of_text(targets.of_row(row)) * of_row(row))
        .collect();
    let labels = one_of(targets)?;
    Ok(match task {
        Task::OneOf(classes) => measures::softmax_loss(logits, classes.len(), labels, &weights)?,
        _ => measures::binary_loss(logits, labels, &weights)?,
    })
}

fn threshold(thresholds: Option<&[f32]>) -> f32 {
    thresholds.and_then(|all| all.first().copied()).unwrap_or(HALF)
}

fn one_of(targets: &Targets) -> Result<&[u32]> {
    targets.one_of().ok_or(Error::NoLabels)
}

fn any_of(targets: &Targets) -> Result<LabelSets<'_>> {
    match targets {
        Targets::AnyOf { starts, classes } => Ok(LabelSets { starts, classes }),
        Targets::OneOf(_) => Err(Error::NoLabels),
    }
}

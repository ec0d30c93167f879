//! Evaluates a model separately on texts that it has seen and on unseen texts.

use classifier::Classifier;
use classifier::folder::SeenTexts;
use dataset::EncodedSplit;
use measures::{Intervals, Metrics};
use serde::Serialize;

use crate::error::Result;
use crate::evaluate::{finite_path_logits, targets_of, without_stopping};
use crate::paths::{PathScores, scores};
use crate::scoring::{intervals_of, metrics_of};
use crate::warning::{Scope, Warning};

/// Texts split by whether a model has seen them; positions in the list of digests, ascending.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SeenSplit {
    /// Texts that it was trained on.
    pub learned: Vec<usize>,
    /// Texts that it was selected with but not trained on.
    pub chosen_by: Vec<usize>,
    /// Texts that it has not seen: the only fair test.
    pub unseen: Vec<usize>,
}

impl SeenSplit {
    /// Splits texts by their digests. `seen`: sorted.
    pub fn of(digests: &[u64], seen: &SeenTexts) -> Self {
        let mut split = Self::default();
        for (position, digest) in digests.iter().enumerate() {
            let part = if seen.train.binary_search(digest).is_ok() {
                &mut split.learned
            } else if seen.validation.binary_search(digest).is_ok() {
                &mut split.chosen_by
            } else {
                &mut split.unseen
            };
            part.push(position);
        }
        split
    }
}

/// Metrics of a model on all texts, and separately on seen and unseen ones.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evaluation {
    /// On all texts.
    pub all: Metrics,
    /// 95 % bootstrap intervals of the metrics on all texts.
    pub intervals: Intervals,
    /// Separately on seen and unseen texts; absent if that is unknown.
    pub by_seen: Option<SeenMetrics>,
    /// Each path of the network alone on all texts, if it has two.
    pub alone: Option<PathScores>,
    /// Warnings about these metrics.
    pub warnings: Vec<Warning>,
}

/// Metrics of seen and unseen texts; each absent where there are none.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct SeenMetrics {
    /// On texts that the model was trained on.
    pub learned: Option<Metrics>,
    /// On texts that it was selected with but not trained on.
    pub chosen_by: Option<Metrics>,
    /// On texts that it has not seen.
    pub unseen: Option<Metrics>,
}

/// Metrics of a model on a labelled split, and separately on seen and unseen texts.
///
/// `digests`: those of the split's texts, in its order
/// ([`text_digest`](text_preprocessing::text_digest)); `seen`: the texts that the model has seen, if
/// they are known. `scope`: what the texts are called in warnings.
///
/// # Errors
/// [`Error::NoLabels`](crate::Error::NoLabels); `LengthMismatch` if there are not as many digests as texts; as
/// [`logits`](crate::logits).
pub fn evaluate_seen(
    model: &Classifier,
    (split, digests): (&EncodedSplit, &[u64]),
    seen: Option<&SeenTexts>,
    scope: Scope,
    on_rows: &mut dyn FnMut(usize),
) -> Result<Evaluation> {
    let targets = targets_of(split)?;
    if digests.len() != targets.len() {
        let (what, expected, got) = ("digests", targets.len(), digests.len());
        return Err(dataset::Error::LengthMismatch { what, expected, got }.into());
    }
    let seq_len = model.encoder().config().seq_len;
    let on_rows = &mut without_stopping(on_rows);
    let (of_paths, logits) = finite_path_logits(model.network(), split, seq_len, on_rows)?;
    let (task, thresholds) = (model.task(), model.thresholds());
    let all = metrics_of(&logits, task, targets, thresholds)?;
    let mut warnings = Warning::of_sizes(scope, &all, task);
    warnings.extend(Warning::of_metrics(scope, &all, task, thresholds.is_some()));
    let of = |positions: &[usize]| -> Result<Option<Metrics>> {
        let n = task.n_outputs();
        let of_position = |&position: &usize| &logits[position * n..(position + 1) * n];
        let some: Vec<f32> = positions.iter().flat_map(of_position).copied().collect();
        let rows: Vec<u32> = positions.iter().map(|&position| position as u32).collect();
        let metrics = || metrics_of(&some, task, &targets.select(&rows), thresholds);
        (!positions.is_empty()).then(metrics).transpose()
    };
    let by_seen = seen.map(|seen| -> Result<SeenMetrics> {
        let SeenSplit { learned, chosen_by, unseen } = SeenSplit::of(digests, seen);
        if !(learned.is_empty() && chosen_by.is_empty()) {
            let (n_learned, n_chosen_by, n_texts) = (learned.len(), chosen_by.len(), all.n_rows());
            warnings.insert(0, Warning::SeenTexts { n_learned, n_chosen_by, n_texts });
        }
        let (learned, chosen_by, unseen) = (of(&learned)?, of(&chosen_by)?, of(&unseen)?);
        Ok(SeenMetrics { learned, chosen_by, unseen })
    });
    let by_seen = by_seen.transpose()?;
    if by_seen.is_none() {
        warnings.insert(0, Warning::SeenUnknown);
    }
    let intervals = intervals_of(&logits, task, targets, thresholds)?;
    let alone = scores(&of_paths, task, targets)?;
    Ok(Evaluation { all, intervals, by_seen, alone, warnings })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_parted_by_digest_and_learning_counts_more_than_choosing() {
        let seen = SeenTexts { train: vec![2, 5, 9], validation: vec![5, 7] };
        let split = SeenSplit::of(&[9, 1, 7, 5, 1, 2], &seen);
        let expected = SeenSplit { learned: vec![0, 3, 5], chosen_by: vec![2], unseen: vec![1, 4] };
        assert_eq!(split, expected);
        let unseen = SeenSplit::of(&[1, 2], &SeenTexts::default());
        assert_eq!(unseen.unseen, [0, 1]);
    }
}

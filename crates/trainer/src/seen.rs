//! Evaluates a model separately on texts that it has seen and on unseen texts.

use std::sync::Arc;

use dataset::EncodedSplit;
use model::RecurrentClassifier;
use model::folder::SeenTexts;
use serde::Serialize;

use crate::error::{Error, Result};
use crate::evaluate::{check_finite, path_logits};
use crate::metrics::Metrics;
use crate::paths::PathScores;
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
    /// Separately on seen and unseen texts; absent if that is unknown.
    pub by_seen: Option<SeenMetrics>,
    /// Each path of the network alone on all texts, if it has two.
    pub alone: Option<PathScores>,
    /// Warnings about these metrics.
    pub warnings: Vec<Warning>,
}

/// Metrics of seen and unseen texts; each absent where there are none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct SeenMetrics {
    /// On texts that the model was trained on.
    pub learned: Option<Metrics>,
    /// On texts that it was selected with but not trained on.
    pub chosen_by: Option<Metrics>,
    /// On texts that it has not seen.
    pub unseen: Option<Metrics>,
}

/// Metrics of a network on a labelled split, and separately on seen and unseen texts.
///
/// `digests`: those of the split's texts, in its order
/// ([`text_digest`](text_preprocessing::text_digest)); `seen`: the texts that the network has seen, if
/// they are known. `scope`: what the texts are called in warnings.
///
/// # Errors
/// [`Error::NoLabels`]; `LengthMismatch` if there are not as many digests as texts; as
/// [`logits`](crate::logits).
pub fn evaluate_seen(
    network: &RecurrentClassifier,
    (split, digests): (&Arc<EncodedSplit>, &[u64]),
    seen: Option<&SeenTexts>,
    (scope, seq_len): (Scope, usize),
    on_rows: &mut dyn FnMut(usize),
) -> Result<Evaluation> {
    let labels = split.labels().ok_or(Error::NoLabels)?;
    if digests.len() != labels.len() {
        let (what, expected, got) = ("digests", labels.len(), digests.len());
        return Err(dataset::Error::LengthMismatch { what, expected, got }.into());
    }
    let of_paths = path_logits(network, split, seq_len, on_rows)?;
    let logits = of_paths.sum();
    check_finite(&logits)?;
    let all = Metrics::of_logits(&logits, labels);
    let mut warnings = Warning::of_sizes(scope, &all);
    warnings.extend(Warning::of_metrics(scope, &all));
    let of = |positions: &[usize]| {
        let logits: Vec<f32> = positions.iter().map(|&position| logits[position]).collect();
        let labels: Vec<u8> = positions.iter().map(|&position| labels[position]).collect();
        (!positions.is_empty()).then(|| Metrics::of_logits(&logits, &labels))
    };
    let by_seen = seen.map(|seen| {
        let SeenSplit { learned, chosen_by, unseen } = SeenSplit::of(digests, seen);
        if !(learned.is_empty() && chosen_by.is_empty()) {
            let (n_learned, n_chosen_by, n_texts) = (learned.len(), chosen_by.len(), all.n_rows);
            warnings.insert(0, Warning::SeenTexts { n_learned, n_chosen_by, n_texts });
        }
        SeenMetrics { learned: of(&learned), chosen_by: of(&chosen_by), unseen: of(&unseen) }
    });
    if by_seen.is_none() {
        warnings.insert(0, Warning::SeenUnknown);
    }
    Ok(Evaluation { all, by_seen, alone: of_paths.scores(labels), warnings })
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

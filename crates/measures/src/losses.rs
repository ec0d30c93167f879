//! Cross-entropies, and their means over weighted texts, by which models are selected.

use crate::error::{Result, check_labels, check_length, check_logits};
use crate::label_sets::LabelSets;
use crate::softmax::Softmax;

/// Mean binary cross-entropy of weighted texts, in nats: `Σ w · loss / Σ w`; 0 if all weights are 0.
///
/// `logits`: `[N]`; `labels`: 0 or 1; `weights`: one per text, none negative. NaN if a logit is not finite.
///
/// # Errors
/// If lengths do not fit, or a label is neither 0 nor 1.
pub fn binary_loss(logits: &[f32], labels: &[u32], weights: &[f64]) -> Result<f64> {
    check_logits(logits, labels.len(), 1)?;
    check_labels(labels, 2)?;
    let losses = logits.iter().zip(labels).map(|(&logit, &label)| cross_entropy(logit, label == 1));
    weighted_mean(losses, weights, labels.len())
}

/// Mean cross-entropy of the softmax over weighted texts, in nats; as [`binary_loss`].
///
/// `logits`: `[N, C]`, row by row; `labels`: a class each; `weights`: one per text.
///
/// # Errors
/// If lengths do not fit, or a label is not below `n_classes`.
pub fn softmax_loss(
    logits: &[f32],
    n_classes: usize,
    labels: &[u32],
    weights: &[f64],
) -> Result<f64> {
    check_logits(logits, labels.len(), n_classes)?;
    check_labels(labels, n_classes)?;
    let rows = rows(logits, n_classes, labels.len());
    let losses = rows.zip(labels).map(|(row, &label)| Softmax::of(row).loss(label as usize));
    weighted_mean(losses, weights, labels.len())
}

/// Mean over weighted texts of the mean binary cross-entropy of a text's C labels, in nats; as
/// [`binary_loss`].
///
/// `logits`: `[N, C]`, row by row; `weights`: one per text.
///
/// # Errors
/// If lengths do not fit, or `targets` are not as [`LabelSets`] says.
pub fn any_of_loss(
    logits: &[f32],
    n_classes: usize,
    targets: LabelSets<'_>,
    weights: &[f64],
) -> Result<f64> {
    let sets = targets.checked(n_classes)?;
    check_logits(logits, sets.len(), n_classes)?;
    let rows = rows(logits, n_classes, sets.len());
    let losses = rows.zip(&sets).map(|(row, set)| mean_cross_entropy(row, set));
    weighted_mean(losses, weights, sets.len())
}

/// `ln(1 + eˣ)`, less x for a positive text; finite for every finite logit, otherwise NaN.
pub(crate) fn cross_entropy(logit: f32, positive: bool) -> f64 {
    if !logit.is_finite() {
        return f64::NAN;
    }
    let x = f64::from(logit);
    x.max(0.0) - if positive { x } else { 0.0 } + (-x.abs()).exp().ln_1p()
}

/// Mean binary cross-entropy of one text's logits `[C]`, given its labels, ascending; 0 without classes.
pub(crate) fn mean_cross_entropy(logits: &[f32], labels: &[u32]) -> f64 {
    let losses = with_truth(logits, labels).map(|(logit, is_true)| cross_entropy(logit, is_true));
    losses.sum::<f64>() / logits.len().max(1) as f64
}

/// Each class's logit, and whether the class is among a text's labels, which are ascending.
pub(crate) fn with_truth(logits: &[f32], labels: &[u32]) -> impl Iterator<Item = (f32, bool)> {
    let mut labels = labels.iter().peekable();
    logits.iter().enumerate().map(move |(class, &logit)| {
        (logit, labels.next_if(|&&label| label as usize == class).is_some())
    })
}

/// `1 / (1 + e⁻ˣ)`.
pub(crate) fn sigmoid(logit: f32) -> f64 {
    1.0 / (1.0 + (-f64::from(logit)).exp())
}

/// The rows of logits `[N, C]`; N empty ones without classes.
pub(crate) fn rows(
    logits: &[f32],
    n_classes: usize,
    n_rows: usize,
) -> impl ExactSizeIterator<Item = &[f32]> {
    (0..n_rows).map(move |row| &logits[row * n_classes..(row + 1) * n_classes])
}

fn weighted_mean(losses: impl Iterator<Item = f64>, weights: &[f64], n_rows: usize) -> Result<f64> {
    check_length("weights", weights.len(), n_rows)?;
    let (mut loss, mut sum) = (0.0, 0.0);
    for (of_text, weight) in losses.zip(weights) {
        loss += weight * of_text;
        sum += weight;
    }
    Ok(if sum > 0.0 { loss / sum } else { 0.0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_count_texts_several_times() {
        let weighted = binary_loss(&[1.0, -0.5], &[0, 1], &[1.0, 3.0]).unwrap();
        let repeated = binary_loss(&[1.0, -0.5, -0.5, -0.5], &[0, 1, 1, 1], &[1.0; 4]).unwrap();
        assert!((weighted - repeated).abs() < 1e-12);
        let weighted = softmax_loss(&[1.0, 2.0, 0.0, 0.5], 2, &[0, 1], &[0.0, 2.0]).unwrap();
        assert!((weighted - (1.0 + (-0.5f64).exp()).ln()).abs() < 1e-12);
        let targets = LabelSets { starts: &[0, 1, 1], classes: &[1] };
        let weighted = any_of_loss(&[0.0, 0.0, 3.0, -3.0], 2, targets, &[5.0, 0.0]).unwrap();
        assert!((weighted - 2f64.ln()).abs() < 1e-12);
    }

    #[test]
    fn a_softmax_over_two_classes_is_a_sigmoid_of_their_difference() {
        let softmax = softmax_loss(&[0.5, 2.0], 2, &[1], &[1.0]).unwrap();
        assert!((softmax - binary_loss(&[1.5], &[1], &[1.0]).unwrap()).abs() < 1e-15);
    }

    #[test]
    fn no_weight_at_all_gives_0() {
        let targets = LabelSets { starts: &[], classes: &[] };
        assert_eq!(binary_loss(&[], &[], &[]), Ok(0.0));
        assert_eq!(binary_loss(&[1.0], &[0], &[0.0]), Ok(0.0));
        assert_eq!(softmax_loss(&[], 3, &[], &[]), Ok(0.0));
        assert_eq!(any_of_loss(&[], 3, targets, &[]), Ok(0.0));
    }

    #[test]
    fn lengths_and_labels_that_do_not_fit_are_refused() {
        let targets = LabelSets { starts: &[0, 1], classes: &[2] };
        assert!(binary_loss(&[1.0], &[0, 1], &[1.0, 1.0]).is_err());
        assert!(binary_loss(&[1.0], &[2], &[1.0]).is_err());
        assert!(binary_loss(&[1.0], &[1], &[]).is_err());
        assert!(softmax_loss(&[1.0, 2.0], 2, &[2], &[1.0]).is_err());
        assert!(softmax_loss(&[1.0, 2.0, 3.0], 2, &[0], &[1.0]).is_err());
        assert!(any_of_loss(&[1.0, 2.0], 2, targets, &[1.0]).is_err());
    }

    #[test]
    fn the_loss_is_finite_at_huge_logits_and_nan_where_a_logit_is_not_finite() {
        assert_eq!(binary_loss(&[1e4, -1e4], &[0, 0], &[1.0; 2]), Ok(5e3));
        assert!(binary_loss(&[f32::INFINITY], &[1], &[1.0]).unwrap().is_nan());
    }
}

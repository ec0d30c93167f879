//! Labels that are likely wrong: confident learning.
//!
//! Northcutt, Jiang and Chuang, "Confident Learning: Estimating Uncertainty in Dataset Labels", 2021. Each class has a
//! threshold, the mean probability of its own texts. A text whose probability of another class reaches that class's
//! threshold is confidently of that class, or, of several such classes, of the most probable.

use crate::error::{Error, Result};

/// A text whose label is likely wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LabelIssue {
    /// The text, from 0.
    pub text: usize,
    /// The class that it is labelled with.
    pub given: u32,
    /// The class that it more likely is of.
    pub suggested: u32,
    /// The probability of `given`.
    pub given_probability: f64,
    /// The probability of `suggested`.
    pub suggested_probability: f64,
}

/// What confident learning finds.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelIssues {
    /// The texts whose labels are likely wrong, the least likely label first.
    pub issues: Vec<LabelIssue>,
    /// `[n_classes]`: the mean probability of each class over the texts labelled with it; `None` for a class without
    /// texts.
    pub thresholds: Vec<Option<f64>>,
    /// `[n_classes][n_classes]`: texts labelled with the first class that are confidently of the second; at least 1 on
    /// the diagonal.
    pub confident_joint: Vec<Vec<usize>>,
    /// How many of the labels are wrong, estimated from the confident joint scaled to all texts of each class.
    pub n_estimated: f64,
}

/// Probabilities this close to a threshold reach it.
const TOLERANCE: f64 = 1e-6;

/// Finds labels that are likely wrong.
///
/// `probabilities`: `[N·C]`, row by row, of texts that the model was not trained on; `labels`: `[N]`, from 0.
///
/// # Errors
/// `LengthMismatch` if there are not C probabilities for each label; `ClassOutOfRange`.
pub fn label_issues(
    probabilities: &[f32],
    n_classes: usize,
    labels: &[u32],
) -> Result<LabelIssues> {
    let (got, expected) = (probabilities.len(), labels.len() * n_classes);
    if got != expected {
        return Err(Error::LengthMismatch { what: "probabilities", got, expected });
    }
    if let Some(text) = labels.iter().position(|&label| label as usize >= n_classes) {
        return Err(Error::ClassOutOfRange { text, class: labels[text], n_classes });
    }
    let rows = || probabilities.chunks_exact(n_classes.max(1)).zip(labels);
    let mut n_texts = vec![0; n_classes];
    let mut sums = vec![0.0; n_classes];
    for (row, &label) in rows() {
        n_texts[label as usize] += 1;
        sums[label as usize] += f64::from(row[label as usize]);
    }
    let mean = |(sum, &n): (f64, &usize)| (n > 0).then(|| sum / n as f64);
    let thresholds: Vec<Option<f64>> = sums.into_iter().zip(&n_texts).map(mean).collect();
    let mut confident_joint = vec![vec![0; n_classes]; n_classes];
    let mut issues = Vec::new();
    for (text, (row, &given)) in rows().enumerate() {
        let Some(class) = confident_class(row, &thresholds) else { continue };
        confident_joint[given as usize][class] += 1;
        let of_given = row[given as usize];
        // One whose own class is the most probable is not questioned.
        if class != given as usize && row.iter().any(|&other| other > of_given) {
            issues.push(LabelIssue {
                text,
                given,
                suggested: class as u32,
                given_probability: f64::from(of_given),
                suggested_probability: f64::from(row[class]),
            });
        }
    }
    for (class, row) in confident_joint.iter_mut().enumerate() {
        row[class] = row[class].max(1);
    }
    issues.sort_by(|a, b| a.given_probability.total_cmp(&b.given_probability));
    let n_estimated = estimated_errors(&confident_joint, &n_texts);
    Ok(LabelIssues { issues, thresholds, confident_joint, n_estimated })
}

/// The class that a text is confidently of, if there is one.
fn confident_class(row: &[f32], thresholds: &[Option<f64>]) -> Option<usize> {
    let reaches = |class: &usize| {
        thresholds[*class].is_some_and(|threshold| f64::from(row[*class]) >= threshold - TOLERANCE)
    };
    // Of several, the most probable one; of equal ones, the first.
    (0..row.len())
        .filter(reaches)
        .reduce(|best, class| if row[class] > row[best] { class } else { best })
}

/// The texts off the diagonal, once the texts that are confidently of any class stand for all of their label.
fn estimated_errors(confident_joint: &[Vec<usize>], n_texts: &[usize]) -> f64 {
    let of_class = |(class, row): (usize, &Vec<usize>)| {
        let n_confident: usize = row.iter().sum();
        let n_wrong = n_confident - row[class];
        n_wrong as f64 / n_confident.max(1) as f64 * n_texts[class] as f64
    };
    confident_joint.iter().enumerate().map(of_class).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_confidently_other_class_is_an_issue_and_an_unsure_text_is_not() {
        // The last text is labelled 1 and looks like 0; the one before it is undecided.
        let probabilities = [0.9, 0.1, 0.8, 0.2, 0.1, 0.9, 0.3, 0.7, 0.55, 0.45, 0.95, 0.05];
        let found = label_issues(&probabilities, 2, &[0, 0, 1, 1, 1, 1]).unwrap();
        assert_eq!(found.issues.len(), 1, "{found:?}");
        let LabelIssue { text, given, suggested, .. } = found.issues[0];
        assert_eq!((text, given, suggested), (5, 1, 0));
        assert!((found.thresholds[0].unwrap() - 0.85).abs() < 1e-6);
        assert_eq!(found.confident_joint, [[1, 0], [1, 2]]);
    }

    #[test]
    fn a_class_without_texts_is_never_suggested() {
        let found = label_issues(&[0.1, 0.2, 0.7, 0.2, 0.1, 0.7], 3, &[0, 1]).unwrap();
        assert!(found.thresholds[2].is_none());
        assert!(found.issues.iter().all(|issue| issue.suggested != 2), "{found:?}");
        assert!(found.confident_joint.iter().all(|of_class| of_class[2] == 0 || of_class[2] == 1));
    }

    #[test]
    fn nothing_is_found_in_nothing_and_wrong_lengths_are_refused() {
        assert!(label_issues(&[], 2, &[]).unwrap().issues.is_empty());
        assert!(label_issues(&[0.5], 2, &[0]).is_err());
        assert!(label_issues(&[0.5, 0.5], 2, &[2]).is_err());
    }
}

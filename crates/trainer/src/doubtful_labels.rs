//! Labels that models which were trained without them find unlikely.

use dataset::Targets;
use measures::label_issues;

use crate::cross_validation::HeldOut;
use crate::error::Result;

/// A label that is likely wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DoubtfulLabel {
    /// The row of the text in the file, from 1, or the number of the text.
    pub row: u32,
    /// The class that it is labelled with; `None` where a text may have several labels and this one is missing.
    pub given: Option<u32>,
    /// The class that is more likely; `None` where a text may have several labels and has one too many.
    pub suggested: Option<u32>,
    /// The probability that the label is right as it is.
    pub given_probability: f64,
    /// The probability of what is suggested.
    pub suggested_probability: f64,
}

/// All labels that are likely wrong.
#[derive(Debug, Clone, PartialEq)]
pub struct DoubtfulLabels {
    /// The least likely ones first.
    pub labels: Vec<DoubtfulLabel>,
    /// How many labels are wrong, estimated.
    pub n_estimated: f64,
    /// How many labels were judged: texts, or texts times classes where a text may have several labels.
    pub n_judged: usize,
}

impl HeldOut {
    /// The labels that are likely wrong, by confident learning ([`label_issues`]). Where a text may have several labels,
    /// each class is judged on its own: whether a text has it or not.
    ///
    /// # Errors
    /// If probabilities and labels are not of the same texts.
    pub fn doubtful_labels(&self) -> Result<DoubtfulLabels> {
        let Self { task, rows, targets, probabilities } = self;
        let mut labels = Vec::new();
        let mut n_estimated = 0.0;
        let n_judged;
        match targets {
            Targets::OneOf(classes) => {
                n_judged = classes.len();
                let found = label_issues(probabilities, task.n_classes(), classes)?;
                n_estimated += found.n_estimated;
                labels.extend(found.issues.iter().map(|issue| DoubtfulLabel {
                    row: rows[issue.text],
                    given: Some(issue.given),
                    suggested: Some(issue.suggested),
                    given_probability: issue.given_probability,
                    suggested_probability: issue.suggested_probability,
                }));
            }
            Targets::AnyOf { .. } => {
                n_judged = rows.len() * task.n_classes();
                for class in 0..task.n_classes() {
                    let of_text = probabilities.chunks_exact(task.n_classes());
                    let both: Vec<f32> = of_text
                        .flat_map(|of_text| [1.0 - of_text[class], of_text[class]])
                        .collect();
                    let class = class as u32;
                    let has = |text| u32::from(targets.has(text, class));
                    let has: Vec<u32> = (0..rows.len()).map(has).collect();
                    let found = label_issues(&both, 2, &has)?;
                    n_estimated += found.n_estimated;
                    labels.extend(found.issues.iter().map(|issue| DoubtfulLabel {
                        row: rows[issue.text],
                        given: (issue.given == 1).then_some(class),
                        suggested: (issue.given == 0).then_some(class),
                        given_probability: issue.given_probability,
                        suggested_probability: issue.suggested_probability,
                    }));
                }
                labels.sort_by(|a, b| a.given_probability.total_cmp(&b.given_probability));
            }
        }
        Ok(DoubtfulLabels { labels, n_estimated, n_judged })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_too_many_and_one_that_is_missing_are_told_apart() {
        let task = model::Task::new(model::TaskKind::AnyOf, ["a", "b"].map(String::from)).unwrap();
        // The fourth text lacks `a`, the last has `b` too many.
        let probabilities =
            vec![0.9, 0.1, 0.8, 0.1, 0.1, 0.9, 0.95, 0.1, 0.1, 0.8, 0.1, 0.1, 0.2, 0.05];
        let sets: [&[u32]; 7] = [&[0], &[0], &[1], &[], &[1], &[], &[1]];
        let held_out = HeldOut {
            task,
            rows: (1..=7).collect(),
            targets: Targets::any_of(sets),
            probabilities,
        };
        let found = held_out.doubtful_labels().unwrap();
        let of = |label: &DoubtfulLabel| (label.row, label.given, label.suggested);
        let labels: Vec<_> = found.labels.iter().map(of).collect();
        assert_eq!(labels, [(7, Some(1), None), (4, None, Some(0))]);
        assert_eq!(found.n_judged, 14);
    }
}

//! The answer to one text.

use std::cmp::Reverse;

use model::Task;
use text_preprocessing::Encoded;

/// What a model predicts about a text, and how much of the text it could read.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction {
    /// The probability of each class, `[C]`; of two classes, both.
    pub probabilities: Vec<f32>,
    /// The predicted classes, ascending: one, or any number where a text may have several labels.
    pub classes: Vec<u32>,
    /// The probability that the decision is right, as far as the model knows: of the predicted class; where a text
    /// may have several labels, the least certain of all decisions.
    pub certainty: f32,
    /// Number of tokens in the text, including those cut off.
    pub n_tokens: usize,
    /// Number of tokens that the network read.
    pub n_read: usize,
    /// How many of these are unknown words.
    pub n_unknown: usize,
}

impl Prediction {
    /// The answer from a text's logits, `[O]`.
    pub(crate) fn of(
        task: &Task,
        thresholds: Option<&[f32]>,
        logits: &[f32],
        text: &Encoded,
    ) -> Self {
        let probabilities = task.probabilities(logits);
        let classes = task.decide(&probabilities, thresholds);
        let certainty = certainty(task, &probabilities, &classes);
        let &Encoded { ref ids, n_tokens, n_unknown } = text;
        Self { probabilities, classes, certainty, n_tokens, n_read: ids.len(), n_unknown }
    }

    /// Whether the text was longer than the network reads, so that part of it did not count.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.n_tokens > self.n_read
    }

    /// Whether the model knows no word of the text, or the text has none: then the answer means little.
    #[must_use]
    pub fn is_strange(&self) -> bool {
        self.n_unknown == self.n_read
    }

    /// The most probable classes, most probable first, whatever was decided.
    #[must_use]
    pub fn most_probable(&self, n: usize) -> Vec<usize> {
        let mut classes: Vec<usize> = (0..self.probabilities.len()).collect();
        // Probabilities are not negative: their bits are in their order.
        classes.sort_by_key(|&class| Reverse(self.probabilities[class].to_bits()));
        classes.truncate(n);
        classes
    }
}

fn certainty(task: &Task, probabilities: &[f32], decided: &[u32]) -> f32 {
    match task {
        Task::AnyOf(_) => {
            let of_label = |(label, &p): (usize, &f32)| {
                if decided.binary_search(&(label as u32)).is_ok() { p } else { 1.0 - p }
            };
            probabilities.iter().enumerate().map(of_label).fold(1.0, f32::min)
        }
        _ => decided.first().map_or(0.0, |&class| probabilities[class as usize]),
    }
}

#[cfg(test)]
mod tests {
    use model::TaskKind;

    use super::*;

    fn of(task: &Task, logits: &[f32]) -> Prediction {
        let text = Encoded { ids: vec![3, 9], n_tokens: 5, n_unknown: 1 };
        Prediction::of(task, None, logits, &text)
    }

    #[test]
    fn a_decision_is_as_certain_as_its_class_or_its_least_certain_label() -> model::Result<()> {
        let negative = of(&Task::binary(), &[-1.0]);
        assert_eq!(
            (negative.classes.as_slice(), negative.certainty),
            (&[0][..], negative.probabilities[0])
        );
        assert!((negative.probabilities[0] + negative.probabilities[1] - 1.0).abs() < 1e-6);

        let names = ["a", "b", "c"];
        let one_of = of(&Task::new(TaskKind::OneOf, names)?, &[0.1, 2.0, 0.3]);
        assert_eq!(
            (one_of.classes.as_slice(), one_of.certainty),
            (&[1][..], one_of.probabilities[1])
        );
        assert_eq!(one_of.most_probable(2), [1, 2]);

        let any_of = of(&Task::new(TaskKind::AnyOf, names)?, &[3.0, -1.0, 2.0]);
        assert_eq!(any_of.classes, [0, 2]);
        assert_eq!(any_of.certainty, 1.0 - any_of.probabilities[1]);
        Ok(())
    }

    #[test]
    fn a_prediction_says_how_much_was_read() {
        let prediction = of(&Task::binary(), &[0.0]);
        assert!(prediction.is_cut() && !prediction.is_strange());
        let text = Encoded { ids: vec![], n_tokens: 0, n_unknown: 0 };
        let empty = Prediction::of(&Task::binary(), None, &[0.0], &text);
        assert!(!empty.is_cut() && empty.is_strange());
    }
}

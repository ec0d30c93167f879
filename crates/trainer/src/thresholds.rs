//! Decision thresholds chosen on validation texts, from their calibrated probabilities. All texts count equally.

use std::fmt;
use std::str::FromStr;

use dataset::Targets;
use model::Task;
use recurrent::OutOfRange;
use serde::{Deserialize, Serialize};

use crate::calibration::FEW_TEXTS;
use crate::divisors::best_divisors;
use crate::error::{Error, Result};

const FIELD: &str = "threshold";
const EXPECTED: &str = "f1, recall=R, precision=P (fractions above 0 and at most 1), or cost=MISS:FALSE_ALARM, \
                        such as cost=5:1";

/// The usual threshold of a label.
const HALF: f32 = 0.5;

/// What a threshold is chosen for.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum ThresholdGoal {
    /// `f1`: the highest F1 score; with one class of several, the highest macro F1.
    F1,
    /// `recall=0.95`: at least this recall, and with it the highest precision.
    Recall(f64),
    /// `precision=0.9`: at least this precision, and with it the highest recall.
    Precision(f64),
    /// `cost=5:1`: the lowest cost, where a missed text costs the first number, a false alarm the second.
    Cost {
        /// Cost of a text with the label that is not found.
        miss: f64,
        /// Cost of a text without the label that is said to have it.
        false_alarm: f64,
    },
}

impl FromStr for ThresholdGoal {
    type Err = OutOfRange;

    fn from_str(text: &str) -> std::result::Result<Self, OutOfRange> {
        let number = |text: &str| text.trim().parse::<f64>().ok().filter(|x| x.is_finite());
        let fraction = |text: &str| number(text).filter(|x| *x > 0.0 && *x <= 1.0);
        let goal = match text.trim().split_once('=') {
            None if text.trim() == "f1" => Some(Self::F1),
            Some(("recall", value)) => fraction(value).map(Self::Recall),
            Some(("precision", value)) => fraction(value).map(Self::Precision),
            Some(("cost", value)) => value.split_once(':').and_then(|(miss, false_alarm)| {
                let (miss, false_alarm) = (number(miss)?, number(false_alarm)?);
                (miss > 0.0 && false_alarm > 0.0).then_some(Self::Cost { miss, false_alarm })
            }),
            _ => None,
        };
        goal.ok_or_else(|| OutOfRange {
            field: FIELD,
            expected: EXPECTED,
            got: format!("{text:?}"),
        })
    }
}

impl TryFrom<String> for ThresholdGoal {
    type Error = OutOfRange;

    fn try_from(text: String) -> std::result::Result<Self, OutOfRange> {
        text.parse()
    }
}

impl From<ThresholdGoal> for String {
    fn from(goal: ThresholdGoal) -> Self {
        goal.to_string()
    }
}

impl fmt::Display for ThresholdGoal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::F1 => f.write_str("f1"),
            Self::Recall(recall) => write!(f, "recall={recall}"),
            Self::Precision(precision) => write!(f, "precision={precision}"),
            Self::Cost { miss, false_alarm } => write!(f, "cost={miss}:{false_alarm}"),
        }
    }
}

impl ThresholdGoal {
    /// Fails if the goal makes no sense for a task.
    ///
    /// # Errors
    /// [`Error::ThresholdGoal`] with one class of several, unless the goal is F1: a class has no misses and false
    /// alarms of its own there.
    pub fn check(self, task: &Task) -> Result<()> {
        match task {
            Task::OneOf(_) if self != Self::F1 => {
                Err(Error::ThresholdGoal { goal: self.to_string() })
            }
            _ => Ok(()),
        }
    }

    /// The thresholds of a model's decisions: of the positive class; of each label; with one class of several,
    /// the divisors of the probabilities. `None` if nothing is better than the most probable class.
    ///
    /// Of a label that fewer than [`FEW_TEXTS`] texts have or lack, the threshold is 0.5, and such a class's divisor
    /// is not chosen.
    ///
    /// `logits`: `[N·O]`, calibrated, of validation texts; `rows`: the weights of the texts, 1 if absent.
    pub(crate) fn choose(
        self,
        task: &Task,
        logits: &[f32],
        targets: &Targets,
        rows: Option<&[f32]>,
    ) -> Option<Vec<f32>> {
        let probabilities: Vec<Vec<f32>> =
            logits.chunks_exact(task.n_outputs()).map(|x| task.probabilities(x)).collect();
        let of_label = |label: usize| {
            let scored = probabilities.iter().enumerate().map(|(text, p)| Scored {
                probability: p[label],
                has_label: targets.has(text, label as u32),
                weight: rows.map_or(1.0, |rows| f64::from(rows[text])),
            });
            self.of_label(scored.collect())
        };
        match task {
            Task::Binary(_) => Some(vec![of_label(1)]),
            Task::AnyOf(labels) => Some((0..labels.len()).map(of_label).collect()),
            Task::OneOf(_) => best_divisors(&probabilities, targets.one_of()?, rows),
        }
    }

    /// The best threshold of one label, between two probabilities that occur.
    fn of_label(self, mut scored: Vec<Scored>) -> f32 {
        let n_having = scored.iter().filter(|text| text.has_label).count();
        if n_having.min(scored.len() - n_having) < FEW_TEXTS {
            return HALF;
        }
        let sum = |texts: &[Scored], wanted: fn(&Scored) -> bool| -> f64 {
            texts.iter().filter(|text| wanted(text)).map(|text| text.weight).sum()
        };
        let (having, all) = (sum(&scored, |text| text.has_label), sum(&scored, |_| true));
        scored.sort_by(|a, b| b.probability.total_cmp(&a.probability));
        // Going down, each step takes all texts of one probability.
        let (mut found, mut predicted) = (0.0, 0.0);
        let mut best = (self.value([0.0, 0.0, having, all]), above(scored[0].probability));
        let mut rest = &scored[..];
        while let [first, ..] = rest {
            let p = first.probability;
            let ties = rest.partition_point(|text| text.probability >= p);
            found += sum(&rest[..ties], |text| text.has_label);
            predicted += sum(&rest[..ties], |_| true);
            rest = &rest[ties..];
            let next = rest.first().map_or(0.0, |text| text.probability);
            let value = self.value([found, predicted, having, all]);
            if value > best.0 {
                best = (value, threshold_between(next, p));
            }
        }
        best.1
    }

    /// How good a threshold is with which texts of weight `found` are found, of `having`, among `predicted`, of
    /// `all`: compared number by number.
    fn value(self, [found, predicted, having, all]: [f64; 4]) -> [f64; 3] {
        let recall = if having > 0.0 { found / having } else { 0.0 };
        let precision = if predicted > 0.0 { found / predicted } else { 1.0 };
        match self {
            Self::F1 => [2.0 * found / (predicted + having).max(f64::MIN_POSITIVE), 0.0, 0.0],
            Self::Recall(goal) => [recall.min(goal), precision, recall],
            // No prediction at all is precise, too, and of no use.
            Self::Precision(goal) => {
                [if predicted > 0.0 { precision.min(goal) } else { 0.0 }, recall, precision]
            }
            Self::Cost { miss, false_alarm } => {
                let cost = miss * (having - found) + false_alarm * (predicted - found);
                [-cost / all.max(f64::MIN_POSITIVE), 0.0, 0.0]
            }
        }
    }
}

/// A text's probability of a label, and whether it has it.
struct Scored {
    probability: f32,
    has_label: bool,
    weight: f64,
}

/// A threshold that divides two probabilities; 0.5 if it does.
fn threshold_between(low: f32, high: f32) -> f32 {
    if low < HALF && high >= HALF { HALF } else { (low + (high - low) / 2.0).clamp(low, high) }
}

/// A threshold that no probability up to this one reaches.
fn above(probability: f32) -> f32 {
    if probability < HALF { HALF } else { probability + (1.0 - probability) / 2.0 }
}

#[cfg(test)]
mod tests {
    use model::TaskKind;

    use super::*;

    #[test]
    fn goals_are_read_and_written_back() {
        for text in ["f1", "recall=0.95", "precision=0.9", "cost=5:1", "cost=0.5:2.25"] {
            assert_eq!(text.parse::<ThresholdGoal>().unwrap().to_string(), text);
        }
        for wrong in
            ["", "f2", "recall", "recall=0", "recall=1.5", "cost=5", "cost=0:1", "precision=nan"]
        {
            let error = wrong.parse::<ThresholdGoal>().unwrap_err().to_string();
            assert!(error.contains("such as cost=5:1"), "{error}");
        }
        let three = Task::new(TaskKind::OneOf, ["a", "b", "c"]).unwrap();
        assert!(ThresholdGoal::Recall(0.9).check(&three).is_err());
        assert!(ThresholdGoal::F1.check(&three).is_ok());
        assert!(ThresholdGoal::Recall(0.9).check(&Task::binary()).is_ok());
    }

    fn logit(p: f64) -> f32 {
        (p / (1.0 - p)).ln() as f32
    }

    /// Probabilities and labels of ten texts.
    fn texts() -> (Vec<f32>, Targets) {
        let p = [0.95, 0.9, 0.8, 0.7, 0.6, 0.45, 0.4, 0.3, 0.2, 0.1];
        let labels = [1, 1, 0, 1, 0, 1, 0, 0, 1, 0];
        (p.map(logit).to_vec(), Targets::OneOf(labels.to_vec()))
    }

    /// Recall and precision at a threshold.
    fn measured(threshold: f32) -> (f64, f64) {
        let (logits, targets) = texts();
        let told: Vec<bool> = logits.iter().map(|x| model::sigmoid(*x) >= threshold).collect();
        let has = |i: usize| targets.of_row(i) == [1];
        let n_found = (0..10).filter(|&i| told[i] && has(i)).count() as f64;
        (n_found / 5.0, n_found / told.iter().filter(|told| **told).count() as f64)
    }

    #[test]
    fn thresholds_reach_their_goals_on_the_texts_that_they_are_chosen_on() {
        let (logits, targets) = texts();
        let choose = |goal: ThresholdGoal| {
            goal.choose(&Task::binary(), &logits, &targets, None).unwrap_or_default()[0]
        };
        // 4 of 5 found among 6: F1 8/11; no other threshold has more.
        assert_eq!(measured(choose(ThresholdGoal::F1)), (0.8, 4.0 / 6.0));
        assert_eq!(measured(choose(ThresholdGoal::Recall(0.6))), (0.6, 0.75));
        assert_eq!(measured(choose(ThresholdGoal::Recall(0.9))), (1.0, 5.0 / 9.0));
        assert_eq!(measured(choose(ThresholdGoal::Precision(0.9))), (0.4, 1.0));
        assert_eq!(measured(choose(ThresholdGoal::Precision(0.7))), (0.6, 0.75));
        assert_eq!(measured(choose(ThresholdGoal::Cost { miss: 10.0, false_alarm: 1.0 })).0, 1.0);
        assert_eq!(measured(choose(ThresholdGoal::Cost { miss: 1.0, false_alarm: 10.0 })).1, 1.0);
    }

    #[test]
    fn a_threshold_without_texts_to_choose_it_on_is_the_usual_one() {
        let one_class = Targets::OneOf(vec![0, 0]);
        let chosen = ThresholdGoal::F1.choose(&Task::binary(), &[1.0, -1.0], &one_class, None);
        assert_eq!(chosen, Some(vec![0.5]));
        assert_eq!(
            ThresholdGoal::F1.choose(&Task::binary(), &[], &Targets::OneOf(vec![]), None),
            Some(vec![0.5])
        );
    }
}

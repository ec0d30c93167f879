//! Decision thresholds chosen on validation texts, from their calibrated probabilities. All texts count equally.

use std::fmt;
use std::str::FromStr;

use dataset::Targets;
use model::Task;
use recurrent::OutOfRange;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

const FIELD: &str = "threshold";
const EXPECTED: &str = "f1, recall=R, precision=P (fractions above 0 and at most 1), or cost=MISS:FALSE_ALARM, \
                        such as cost=5:1";

/// Rounds over the classes of a softmax.
const N_ROUNDS: usize = 3;

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

    /// The thresholds of a model's decisions, `[O]`: of the positive class; of each label; with one class of
    /// several, the divisors of the probabilities. Where nothing is better, those of the usual decision. `None` if
    /// the targets are of another task.
    ///
    /// `logits`: `[N·O]`, calibrated, of validation texts.
    pub(crate) fn choose(self, task: &Task, logits: &[f32], targets: &Targets) -> Option<Vec<f32>> {
        let probabilities: Vec<Vec<f32>> =
            logits.chunks_exact(task.n_outputs()).map(|x| task.probabilities(x)).collect();
        match task {
            Task::Binary(_) => {
                let texts = probabilities.iter().enumerate();
                let scored = texts.map(|(i, p)| (p[1], targets.of_row(i) == [1])).collect();
                Some(vec![self.of_label(scored)])
            }
            Task::AnyOf(labels) => {
                let of_label = |label: usize| {
                    let has = |i| targets.of_row(i).binary_search(&(label as u32)).is_ok();
                    let texts = probabilities.iter().enumerate();
                    self.of_label(texts.map(|(i, p)| (p[label], has(i))).collect())
                };
                Some((0..labels.len()).map(of_label).collect())
            }
            Task::OneOf(_) => targets.one_of().map(|labels| best_divisors(&probabilities, labels)),
        }
    }

    /// The best threshold of one label, between two probabilities that occur; 0.5 where no text has the label,
    /// or none lacks it.
    fn of_label(self, mut scored: Vec<(f32, bool)>) -> f32 {
        let n_having = scored.iter().filter(|(_, has)| *has).count();
        if n_having == 0 || n_having == scored.len() {
            return 0.5;
        }
        scored.sort_by(|a, b| b.0.total_cmp(&a.0));
        // Going down, each step takes all texts of one probability.
        let (mut n_found, mut n_told) = (0usize, 0usize);
        let mut best: Option<([f64; 3], f32)> = None;
        let mut consider = |value: [f64; 3], threshold: f32| {
            if best.is_none_or(|(so_far, _)| value > so_far) {
                best = Some((value, threshold));
            }
        };
        consider(self.value(0, 0, n_having, scored.len()), above(scored[0].0));
        let mut rest = &scored[..];
        while let [(p, _), ..] = rest {
            let ties = rest.partition_point(|(other, _)| other >= p);
            n_found += rest[..ties].iter().filter(|(_, has)| *has).count();
            n_told += ties;
            rest = &rest[ties..];
            let next = rest.first().map_or(0.0, |(next, _)| *next);
            let value = self.value(n_found, n_told, n_having, scored.len());
            consider(value, threshold_between(next, *p));
        }
        best.map_or(0.5, |(_, threshold)| threshold)
    }

    /// How good a threshold is with which `n_found` of `n_having` texts are found among `n_told`: compared number
    /// by number.
    fn value(self, n_found: usize, n_told: usize, n_having: usize, n_all: usize) -> [f64; 3] {
        let [found, told, having] = [n_found, n_told, n_having].map(|n| n as f64);
        let recall = found / having;
        let precision = if n_told == 0 { 1.0 } else { found / told };
        match self {
            Self::F1 => [2.0 * found / (told + having), 0.0, 0.0],
            Self::Recall(goal) => [recall.min(goal), precision, recall],
            // Nothing told is precise, too, and of no use.
            Self::Precision(goal) => {
                [if n_told == 0 { 0.0 } else { precision.min(goal) }, recall, precision]
            }
            Self::Cost { miss, false_alarm } => {
                let cost = miss * (having - found) + false_alarm * (told - found);
                [-cost / n_all as f64, 0.0, 0.0]
            }
        }
    }
}

/// A threshold that divides two probabilities; 0.5 if it does.
fn threshold_between(low: f32, high: f32) -> f32 {
    if low < 0.5 && high >= 0.5 { 0.5 } else { (low + (high - low) / 2.0).clamp(low, high) }
}

/// A threshold that no probability up to this one reaches.
fn above(probability: f32) -> f32 {
    if probability < 0.5 { 0.5 } else { probability + (1.0 - probability) / 2.0 }
}

/// The divisors of the probabilities with the highest macro F1, found class by class, each with the others
/// fixed. They overfit few texts less than thresholds of their own would, because most texts are decided by the
/// larger probabilities anyway.
fn best_divisors(probabilities: &[Vec<f32>], labels: &[u32]) -> Vec<f32> {
    let n_classes = probabilities.first().map_or(0, Vec::len);
    let mut divisors = vec![1.0f32; n_classes];
    for _ in 0..N_ROUNDS {
        let before = divisors.clone();
        for class in 0..n_classes {
            divisors[class] = best_divisor(class, &divisors, probabilities, labels);
        }
        if divisors == before {
            break;
        }
    }
    // Only their ratios count.
    let largest = divisors.iter().copied().fold(0.0, f32::max);
    divisors.into_iter().map(|divisor| divisor / largest.max(f32::MIN_POSITIVE)).collect()
}

/// The best divisor of one class.
fn best_divisor(class: usize, divisors: &[f32], probabilities: &[Vec<f32>], labels: &[u32]) -> f32 {
    let n_classes = divisors.len();
    // The best other class of each text, and the divisor below which this class wins over it.
    let mut texts: Vec<(f32, usize, usize)> = probabilities
        .iter()
        .zip(labels)
        .map(|(p, &label)| {
            let others = (0..n_classes).filter(|&other| other != class);
            let scaled = others.map(|other| (p[other] / divisors[other], other));
            let (score, other) = scaled.fold((0.0, 0), |a, b| if b.0 > a.0 { b } else { a });
            (p[class] / score.max(f32::MIN_POSITIVE), other, label as usize)
        })
        .collect();
    texts.sort_by(|a, b| b.0.total_cmp(&a.0));
    // Counts of right answers, answers and texts of each class, with this class never told.
    let mut right = vec![0usize; n_classes];
    let (mut told, mut having) = (vec![0usize; n_classes], vec![0usize; n_classes]);
    for &(_, other, label) in &texts {
        told[other] += 1;
        having[label] += 1;
        right[label] += usize::from(other == label);
    }
    let macro_f1 = |right: &[usize], told: &[usize]| -> f64 {
        let f1 = |c: usize| 2.0 * right[c] as f64 / (told[c] + having[c]).max(1) as f64;
        (0..n_classes).map(f1).sum()
    };
    let mut best = (macro_f1(&right, &told), texts.first().map_or(1.0, |text| text.0 * 2.0));
    for (index, &(limit, other, label)) in texts.iter().enumerate() {
        told[other] -= 1;
        told[class] += 1;
        right[label] += usize::from(class == label);
        right[label] -= usize::from(other == label);
        let next = texts.get(index + 1).map_or(limit / 2.0, |text| text.0);
        if next == limit {
            continue;
        }
        let value = macro_f1(&right, &told);
        // Of equal values the one nearest to 1 changes least.
        let divisor = if next < 1.0 && limit >= 1.0 { 1.0 } else { next + (limit - next) / 2.0 };
        let is_nearer = (divisor.ln()).abs() < best.1.ln().abs();
        if value > best.0 || (value == best.0 && is_nearer) {
            best = (value, divisor);
        }
    }
    // Also where a probability is 0.
    if best.1.is_finite() && best.1 > 0.0 { best.1 } else { divisors[class] }
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
            goal.choose(&Task::binary(), &logits, &targets).unwrap_or_default()[0]
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
        let chosen = ThresholdGoal::F1.choose(&Task::binary(), &[1.0, -1.0], &one_class);
        assert_eq!(chosen, Some(vec![0.5]));
        assert_eq!(
            ThresholdGoal::F1.choose(&Task::binary(), &[], &Targets::OneOf(vec![])),
            Some(vec![0.5])
        );
    }

    /// A class that is never the most probable, but where it is right its probability is higher.
    #[test]
    fn divisors_find_a_class_that_the_largest_probability_never_tells() {
        let task = Task::new(TaskKind::OneOf, ["common", "rare", "other"]).unwrap();
        let mut logits = Vec::new();
        let labels: Vec<u32> = (0..100).map(|i| [0, 0, 0, 0, 2, 2, 2, 0, 0, 1][i % 10]).collect();
        for &label in &labels {
            let p: [f64; 3] = match label {
                0 => [0.7, 0.1, 0.2],
                1 => [0.5, 0.35, 0.15],
                _ => [0.2, 0.1, 0.7],
            };
            logits.extend(p.map(|p| p.ln() as f32));
        }
        let targets = Targets::OneOf(labels.clone());
        let divisors = ThresholdGoal::F1.choose(&task, &logits, &targets).unwrap();
        for (of_text, label) in logits.chunks(3).zip(labels) {
            let decided = task.decide(&task.probabilities(of_text), Some(&divisors));
            assert_eq!(decided, [label], "{divisors:?}");
        }
        assert!(task.check_thresholds(&divisors).is_ok(), "{divisors:?}");
    }
}

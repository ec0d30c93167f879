//! What a network is asked: the classes that a text may have, and how logits become probabilities and
//! decisions.

use std::ops::Deref;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::task_kind::TaskKind;

/// The probability from which a class is decided on where each class is decided on alone.
const EVEN: f32 = 0.5;

/// The names of a task's classes, in the order of their indices. Copies share the names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassNames(Arc<[String]>);

impl Deref for ClassNames {
    type Target = [String];

    fn deref(&self) -> &[String] {
        &self.0
    }
}

/// What a network is asked, with the names of its classes.
///
/// In JSON: `{"kind": "one-of", "classes": ["bad", "mixed", "good"]}`. Reading checks as [`Task::new`] does.
///
/// ```
/// use model::{Task, TaskKind};
///
/// let task = Task::new(TaskKind::OneOf, ["bad", "mixed", "good"])?;
/// assert_eq!(task.n_outputs(), 3);
/// let probabilities = task.probabilities(&[0.0, 1.0, 3.0]);
/// assert!((probabilities.iter().sum::<f32>() - 1.0).abs() < 1e-6);
/// assert_eq!(task.decide(&probabilities, None), [2]);
/// # Ok::<(), model::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Described", try_from = "Described")]
pub enum Task {
    /// One of two classes: the negative one, then the positive one.
    Binary(ClassNames),
    /// One of two or more classes.
    OneOf(ClassNames),
    /// Any of one or more classes.
    AnyOf(ClassNames),
}

impl Default for Task {
    fn default() -> Self {
        Self::binary()
    }
}

impl Task {
    /// Negative or positive.
    #[must_use]
    pub fn binary() -> Self {
        Self::of(TaskKind::Binary, ["negative", "positive"].map(str::to_string).into())
    }

    /// A task of this kind with these classes; of two, the second is the positive one.
    ///
    /// # Errors
    /// [`Error::NumberOfClasses`] unless a binary task has exactly 2, a one-of task at least 2 and an any-of
    /// task at least 1; [`Error::NamelessClass`] for an empty name; [`Error::RepeatedClass`] for a name that
    /// occurs twice.
    pub fn new<S: Into<String>>(
        kind: TaskKind,
        classes: impl IntoIterator<Item = S>,
    ) -> Result<Self> {
        let classes: Vec<String> = classes.into_iter().map(Into::into).collect();
        let got = classes.len();
        let (is_fine, expected) = match kind {
            TaskKind::Binary => (got == 2, "exactly 2 classes"),
            TaskKind::OneOf => (got >= 2, "at least 2 classes"),
            TaskKind::AnyOf => (got >= 1, "at least 1 class"),
        };
        if !is_fine {
            return Err(Error::NumberOfClasses { kind, expected, got });
        }
        if let Some(index) = classes.iter().position(String::is_empty) {
            return Err(Error::NamelessClass { number: index + 1 });
        }
        let mut sorted: Vec<&String> = classes.iter().collect();
        sorted.sort_unstable();
        if let Some(pair) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(Error::RepeatedClass { name: pair[0].clone() });
        }
        Ok(Self::of(kind, classes))
    }

    fn of(kind: TaskKind, classes: Vec<String>) -> Self {
        let names = ClassNames(classes.into());
        match kind {
            TaskKind::Binary => Self::Binary(names),
            TaskKind::OneOf => Self::OneOf(names),
            TaskKind::AnyOf => Self::AnyOf(names),
        }
    }

    /// How many classes a text may have.
    #[must_use]
    pub fn kind(&self) -> TaskKind {
        match self {
            Self::Binary(_) => TaskKind::Binary,
            Self::OneOf(_) => TaskKind::OneOf,
            Self::AnyOf(_) => TaskKind::AnyOf,
        }
    }

    /// The names of the classes, C of them.
    #[must_use]
    pub fn classes(&self) -> &[String] {
        match self {
            Self::Binary(names) | Self::OneOf(names) | Self::AnyOf(names) => names,
        }
    }

    /// Number of classes, C.
    #[must_use]
    pub fn n_classes(&self) -> usize {
        self.classes().len()
    }

    /// Number of a network's outputs, O: 1 for a binary task, otherwise C.
    #[must_use]
    pub fn n_outputs(&self) -> usize {
        match self {
            Self::Binary(_) => 1,
            Self::OneOf(_) | Self::AnyOf(_) => self.n_classes(),
        }
    }

    /// The probability of each class, `[C]`, from one text's logits, `[O]`.
    ///
    /// Binary: 1 - p and p, where p is the [`sigmoid`] of the logit. One-of: the softmax,
    /// exp(z - max z) / Σ exp(z - max z). Any-of: the sigmoid of each.
    #[must_use]
    pub fn probabilities(&self, logits: &[f32]) -> Vec<f32> {
        match self {
            Self::Binary(_) => logits
                .first()
                .map(|&logit| sigmoid(logit))
                .map_or_else(Vec::new, |positive| vec![1.0 - positive, positive]),
            Self::OneOf(_) => softmax(logits),
            Self::AnyOf(_) => logits.iter().map(|&logit| sigmoid(logit)).collect(),
        }
    }

    /// The classes decided on, ascending, by one text's probabilities, `[C]`: exactly one of a binary or one-of
    /// task, any number of an any-of task.
    ///
    /// `thresholds`, `[O]`: see [`check_thresholds`](Self::check_thresholds). A binary task decides on the
    /// positive class from its threshold on, otherwise from 0.5. An any-of task does the same with every
    /// class. A one-of task decides on the class whose probability is the largest multiple of its
    /// threshold, otherwise the largest; of equal ones on the first.
    #[must_use]
    pub fn decide(&self, probabilities: &[f32], thresholds: Option<&[f32]>) -> Vec<u32> {
        let threshold = |output: usize, otherwise: f32| {
            thresholds.and_then(|all| all.get(output)).copied().unwrap_or(otherwise)
        };
        match self {
            Self::Binary(_) => {
                let is_positive =
                    probabilities.get(1).is_some_and(|&p| reaches(p, threshold(0, EVEN)));
                vec![u32::from(is_positive)]
            }
            Self::OneOf(_) => {
                let ratios = probabilities.iter().enumerate().map(|(c, p)| p / threshold(c, 1.0));
                vec![first_largest(ratios)]
            }
            Self::AnyOf(_) => (0u32..)
                .zip(probabilities.iter().enumerate())
                .filter(|(_, (c, p))| reaches(**p, threshold(*c, EVEN)))
                .map(|(class, _)| class)
                .collect(),
        }
    }

    /// Checks thresholds of this task: one for each of the O outputs, in 0..=1, where 1 is never reached; those of a
    /// one-of task, which divide probabilities, above 0.
    ///
    /// # Errors
    /// [`Error::Thresholds`] for any other number of them, or a value out of range.
    pub fn check_thresholds(&self, thresholds: &[f32]) -> Result<()> {
        let (got, expected) = (thresholds.len(), self.n_outputs());
        if got != expected {
            let reason = format!("there are {got} of them, expected {expected}");
            return Err(Error::Thresholds { reason });
        }
        let divides = matches!(self, Self::OneOf(_));
        let is_fine = |value: f32| (0.0..=1.0).contains(&value) && !(divides && value == 0.0);
        match thresholds.iter().position(|&value| !is_fine(value)) {
            Some(index) => {
                let (number, value) = (index + 1, thresholds[index]);
                let range = if divides { "above 0 and at most 1" } else { "from 0 to 1" };
                let reason = format!("number {number} is {value}, expected a number {range}");
                Err(Error::Thresholds { reason })
            }
            None => Ok(()),
        }
    }
}

/// The probability of a logit: 1 / (1 + exp(-logit)).
#[must_use]
pub fn sigmoid(logit: f32) -> f32 {
    1.0 / (1.0 + (-logit).exp())
}

/// The largest logit has the exponential 1, so none overflows and their sum is at least 1.
fn softmax(logits: &[f32]) -> Vec<f32> {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut exponentials: Vec<f32> = logits.iter().map(|logit| (logit - largest).exp()).collect();
    // In f64: thousands of classes would each add a rounding error.
    let sum: f64 = exponentials.iter().map(|&value| f64::from(value)).sum();
    exponentials.iter_mut().for_each(|value| *value = (f64::from(*value) / sum) as f32);
    exponentials
}

/// The index of the first of the largest values; 0 if there are none.
fn first_largest(values: impl Iterator<Item = f32>) -> u32 {
    let first = (0, f32::NEG_INFINITY);
    (0u32..).zip(values).fold(first, |best, next| if next.1 > best.1 { next } else { best }).0
}

/// A task as it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a task with its kind and classes")]
struct Described {
    kind: TaskKind,
    classes: Vec<String>,
}

impl From<Task> for Described {
    fn from(task: Task) -> Self {
        Self { kind: task.kind(), classes: task.classes().to_vec() }
    }
}

impl TryFrom<Described> for Task {
    type Error = Error;

    fn try_from(described: Described) -> Result<Self> {
        Self::new(described.kind, described.classes)
    }
}

/// Whether a probability reaches a threshold. None reaches 1, also if rounding made it 1.
fn reaches(probability: f32, threshold: f32) -> bool {
    probability >= threshold && threshold < 1.0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const KINDS: [TaskKind; 3] = [TaskKind::Binary, TaskKind::OneOf, TaskKind::AnyOf];

    fn task(kind: TaskKind, n: usize) -> Task {
        Task::new(kind, (0..n).map(|class| format!("class {class}"))).unwrap()
    }

    fn refusal(kind: TaskKind, classes: &[&str]) -> String {
        Task::new(kind, classes.iter().copied()).unwrap_err().to_string()
    }

    #[test]
    fn a_task_has_enough_classes_each_with_a_name_of_its_own() {
        use TaskKind::{AnyOf, Binary, OneOf};
        assert_eq!(refusal(Binary, &["a", "b", "c"]), "a binary task has exactly 2 classes, got 3");
        assert_eq!(refusal(OneOf, &["a"]), "a one-of task has at least 2 classes, got 1");
        assert_eq!(refusal(AnyOf, &[]), "an any-of task has at least 1 class, got 0");
        assert_eq!(refusal(OneOf, &["a", "", "c"]), "class 2 has an empty name");
        assert_eq!(refusal(AnyOf, &["b", "a", "b"]), "two classes are named \"b\"");
        let n_outputs = |kind, n| task(kind, n).n_outputs();
        assert_eq!((n_outputs(Binary, 2), n_outputs(OneOf, 2), n_outputs(AnyOf, 1)), (1, 2, 1));
    }

    #[test]
    fn a_task_is_written_with_its_kind_and_checked_when_it_is_read() {
        let described = json!({ "kind": "any-of", "classes": ["slow", "dear"] });
        let task: Task = serde_json::from_value(described.clone()).unwrap();
        assert_eq!((task.kind(), task.classes()[1].as_str()), (TaskKind::AnyOf, "dear"));
        assert_eq!(serde_json::to_value(&task).unwrap(), described);
        let read = |task| serde_json::from_value::<Task>(task).map_err(|error| error.to_string());
        let error = read(json!({ "kind": "one-of", "classes": ["slow", "slow"] })).unwrap_err();
        assert!(error.contains("two classes are named \"slow\""), "{error}");
        assert!(read(json!({ "kind": "some-of", "classes": ["slow"] })).is_err());
        assert_eq!(
            read(json!({ "kind": "binary", "classes": ["negative", "positive"] })).unwrap(),
            Task::binary()
        );
    }

    #[test]
    fn decisions_follow_the_thresholds_and_ties_go_to_the_first_class() {
        let binary = Task::binary();
        assert_eq!(binary.decide(&[0.5, 0.5], None), [1]);
        assert_eq!(binary.decide(&[0.5, 0.499], None), [0]);
        assert_eq!(binary.decide(&[0.7, 0.3], Some(&[0.3])), [1]);
        assert_eq!(binary.decide(&[0.3, 0.7], Some(&[0.8])), [0]);

        let one = task(TaskKind::OneOf, 3);
        assert_eq!(one.decide(&[0.4, 0.4, 0.2], None), [0]);
        assert_eq!(one.decide(&[0.2, 0.4, 0.4], None), [1]);
        // 0.8, 0.75 and 2.
        assert_eq!(one.decide(&[0.4, 0.3, 0.3], Some(&[0.5, 0.4, 0.15])), [2]);

        let any = task(TaskKind::AnyOf, 3);
        assert_eq!(any.decide(&[0.5, 0.4, 0.9], None), [0, 2]);
        assert_eq!(any.decide(&[0.5, 0.4, 0.9], Some(&[0.6, 0.4, 0.95])), [1]);
        assert!(any.decide(&[0.1, 0.2, 0.3], None).is_empty());
    }

    #[test]
    fn nothing_is_decided_by_what_is_not_a_number() {
        assert_eq!(Task::binary().decide(&[f32::NAN; 2], None), [0]);
        assert_eq!(task(TaskKind::OneOf, 3).decide(&[f32::NAN, 0.1, 0.2], None), [2]);
        assert!(task(TaskKind::AnyOf, 2).decide(&[f32::NAN; 2], None).is_empty());
    }

    #[test]
    fn thresholds_are_as_many_as_outputs_and_in_range() {
        let reason = |task: &Task, thresholds: &[f32]| {
            task.check_thresholds(thresholds).unwrap_err().to_string()
        };
        let (one, any) = (task(TaskKind::OneOf, 2), task(TaskKind::AnyOf, 2));
        assert_eq!(
            reason(&Task::binary(), &[0.5; 2]),
            "the thresholds do not fit the task: there are 2 of them, expected 1"
        );
        assert!(reason(&one, &[0.5]).ends_with("there are 1 of them, expected 2"));
        assert!(
            reason(&any, &[0.5, 1.5]).ends_with("number 2 is 1.5, expected a number from 0 to 1")
        );
        assert!(reason(&any, &[f32::NAN, 0.5]).contains("number 1 is NaN"));
        assert!(
            reason(&one, &[0.5, 0.0])
                .ends_with("number 2 is 0, expected a number above 0 and at most 1")
        );
        any.check_thresholds(&[0.0, 1.0]).unwrap();
        one.check_thresholds(&[0.1, 1.0]).unwrap();
    }

    #[test]
    fn the_positive_probability_is_the_sigmoid_bit_for_bit() {
        for logit in [-1e4f32, -3.7, -0.0, 0.1, 17.3, 1e4] {
            let expected = 1.0 / (1.0 + (-logit).exp());
            let probabilities = Task::binary().probabilities(&[logit]);
            assert_eq!(probabilities[1].to_bits(), expected.to_bits());
            assert_eq!(probabilities[0].to_bits(), (1.0 - expected).to_bits());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn probabilities_are_finite_and_those_of_one_class_sum_to_1(
            logits in prop::collection::vec(-1e4f32..1e4, 2..40),
        ) {
            for kind in KINDS {
                let n = if kind == TaskKind::Binary { 2 } else { logits.len() };
                let task = task(kind, n);
                let probabilities = task.probabilities(&logits[..task.n_outputs()]);
                prop_assert_eq!(probabilities.len(), n);
                prop_assert!(probabilities.iter().all(|p| (0.0..=1.0).contains(p)));
                if kind != TaskKind::AnyOf {
                    let sum: f64 = probabilities.iter().map(|&p| f64::from(p)).sum();
                    prop_assert!((sum - 1.0).abs() < 1e-6, "{} {:?}", sum, probabilities);
                }
            }
        }

        #[test]
        fn one_of_several_does_not_depend_on_what_all_logits_share(
            logits in prop::collection::vec(-20f32..20.0, 2..20),
            constant in -100f32..100.0,
        ) {
            let task = task(TaskKind::OneOf, logits.len());
            let moved: Vec<f32> = logits.iter().map(|logit| logit + constant).collect();
            for (a, b) in task.probabilities(&logits).iter().zip(task.probabilities(&moved)) {
                prop_assert!((a - b).abs() < 1e-4, "{} {}", a, b);
            }
        }

        #[test]
        fn thresholds_of_one_value_change_no_choice_of_one_class(
            logits in prop::collection::vec(-5f32..5.0, 2..20),
        ) {
            let task = task(TaskKind::OneOf, logits.len());
            let probabilities = task.probabilities(&logits);
            let thresholds = vec![0.25; logits.len()];
            let decided = task.decide(&probabilities, Some(&thresholds));
            prop_assert_eq!(decided, task.decide(&probabilities, None));
        }
    }
}

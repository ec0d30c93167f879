//! What the labels of a table mean: the task, and the names of its classes.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::task_kind::TaskKind;

/// The names of the classes of a table whose labels are 0 and 1 or their synonyms, by label.
pub const CLASS_NAMES: [&str; 2] = ["negative", "positive"];

impl FromStr for TaskKind {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|task| task.name() == name);
        found.ok_or_else(|| Error::UnknownTask { name: name.to_owned() })
    }
}

/// The task and the names of its classes: what a model must know to read more labels of the same kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Classes {
    /// What the labels mean.
    pub task: TaskKind,
    /// The names of the classes; of two classes in [`TaskKind::Binary`], the second is the positive one.
    pub names: Vec<String>,
    /// What separates the labels of a cell, if one column holds any number of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub separator: Option<char>,
}

impl Classes {
    /// The classes `negative` and `positive`.
    pub fn binary() -> Self {
        Self::new(TaskKind::Binary, CLASS_NAMES.map(str::to_owned).to_vec())
    }

    /// Named classes, without a separator.
    pub fn new(task: TaskKind, names: Vec<String>) -> Self {
        Self { task, names, separator: None }
    }

    /// The number of classes.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there are no classes.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Whether these are the classes `negative` and `positive` of a binary task.
    pub fn is_default(&self) -> bool {
        self.task == TaskKind::Binary && self.names == CLASS_NAMES
    }

    /// The name of a class; empty past the end.
    pub fn name(&self, class: usize) -> &str {
        self.names.get(class).map_or("", String::as_str)
    }

    /// The numbers of the classes, if their names are different numbers or begin with different whole
    /// numbers: `1`, `2`, `3` or `1 star`, `2 stars`. For measures of ordered classes.
    ///
    /// ```
    /// use dataset::{Classes, TaskKind};
    ///
    /// let stars = ["1 star", "2 stars", "5 stars"].map(str::to_owned).to_vec();
    /// assert_eq!(Classes::new(TaskKind::OneOf, stars).values(), Some(vec![1.0, 2.0, 5.0]));
    /// assert_eq!(Classes::binary().values(), None);
    /// ```
    pub fn values(&self) -> Option<Vec<f64>> {
        let all = |value: fn(&str) -> Option<f64>| -> Option<Vec<f64>> {
            let values: Vec<f64> =
                self.names.iter().map(|name| value(name)).collect::<Option<_>>()?;
            let mut sorted = values.clone();
            sorted.sort_unstable_by(f64::total_cmp);
            (!values.is_empty() && sorted.is_sorted_by(|one, next| one < next)).then_some(values)
        };
        all(number).or_else(|| all(leading_number))
    }
}

/// A finite number in decimal notation: not `inf`, `nan` or a word.
pub(crate) fn number(text: &str) -> Option<f64> {
    let is_plain = |c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.' | 'e' | 'E');
    let looks_so = text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.'));
    if !looks_so || !text.chars().all(is_plain) {
        return None;
    }
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

/// The whole number that a name of several words begins with.
fn leading_number(name: &str) -> Option<f64> {
    let (first, rest) = name.trim().split_once(char::is_whitespace)?;
    (!rest.is_empty() && first.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| number(first))
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(names: &[&str]) -> Option<Vec<f64>> {
        let names = names.iter().map(ToString::to_string).collect();
        Classes::new(TaskKind::OneOf, names).values()
    }

    #[test]
    fn ordered_classes_have_numbers() {
        assert_eq!(values(&["-1", "0", "1.5"]), Some(vec![-1.0, 0.0, 1.5]));
        assert_eq!(values(&["10 stars", "2 stars"]), Some(vec![10.0, 2.0]));
        for none in [
            &["1", "two"][..],
            &["1 star", "1 stars"],
            &["1", "1.0"],
            &["inf", "nan"],
            &["star", "stars"],
            &["1star", "2star"],
            &["+1 star", "2 stars"],
            &[],
        ] {
            assert_eq!(values(none), None, "{none:?}");
        }
    }

    #[test]
    fn tasks_are_known_by_their_names() {
        for task in TaskKind::ALL {
            assert_eq!(task.to_string().parse::<TaskKind>().unwrap(), task);
            let json = serde_json::to_string(&task).unwrap();
            assert_eq!(json, format!("\"{task}\""));
        }
        let message = "oneof".parse::<TaskKind>().unwrap_err().to_string();
        assert_eq!(message, "there is no task \"oneof\"; expected binary, one-of or any-of");
    }

    #[test]
    fn classes_survive_being_kept() {
        let classes =
            Classes { separator: Some('|'), ..Classes::new(TaskKind::AnyOf, vec!["a".into()]) };
        for classes in [classes, Classes::binary()] {
            let json = serde_json::to_string(&classes).unwrap();
            assert_eq!(serde_json::from_str::<Classes>(&json).unwrap(), classes);
        }
        assert!(Classes::binary().is_default());
    }
}

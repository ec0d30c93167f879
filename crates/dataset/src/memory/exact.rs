//! Labels that are classes exactly as they are written.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use super::labels::Labels;
use super::wording::in_memory;
use crate::classes::{Classes, number};
use crate::columns::LABEL;
use crate::error::{Error, Result};
use crate::labelled::LabelledTexts;
use crate::nearest::nearest;
use crate::tables::{Fault, Place, Texts};
use crate::targets::Targets;
use crate::task_kind::TaskKind;
use crate::wording::shortened;

impl LabelledTexts {
    /// Texts from memory with labels that are exactly the names of classes: nothing is recognised, renamed, merged or
    /// taken apart. [`Classes::of_labels`] collects the names.
    ///
    /// # Errors
    /// [`Error::InMemory`], whose message names the text, from 1, for a label that is no class or missing, and for a
    /// list where the task has one class a text; otherwise its cause is as of [`with_targets`](Self::with_targets).
    pub fn of_classes<S: AsRef<str>>(
        texts: impl IntoIterator<Item = S>,
        labels: &Labels,
        classes: Classes,
    ) -> Result<Self> {
        let texts = Texts::from_strings(texts);
        let n_texts = texts.len();
        let table = labels.check(&texts).and_then(|()| {
            let targets = targets(labels, &classes)?;
            Self::of_parts(texts, targets, classes)
        });
        Ok(table.map_err(in_memory)?.given(n_texts))
    }
}

impl Classes {
    /// The different labels exactly as they are written: numbers by value, if all are numbers, else in Unicode order.
    /// Without a task, lists are any number of labels, two different labels are two classes, of which the second is
    /// the positive one, and more are one of several classes.
    ///
    /// # Errors
    /// [`Error::InMemory`] for a text without a label where the task needs one, for a list where it needs one class
    /// a text, and if there are more or fewer different labels than the task has classes.
    ///
    /// ```
    /// use dataset::{Classes, Labels, TaskKind};
    ///
    /// # fn main() -> dataset::Result<()> {
    /// let classes = Classes::of_labels(&Labels::from(vec!["10", "pos", "2"]), None)?;
    /// assert_eq!((classes.task, &classes.names[..]), (TaskKind::OneOf, &["10", "2", "pos"].map(String::from)[..]));
    /// # Ok(())
    /// # }
    /// ```
    pub fn of_labels(labels: &Labels, task: Option<TaskKind>) -> Result<Self> {
        different(labels, task).map_err(in_memory)
    }
}

/// The classes of each text.
///
/// # Errors
/// `Fault::NotOfModel` for a label that is no class; as [`labels_of`].
fn targets(labels: &Labels, classes: &Classes) -> Result<Targets> {
    let names = classes.names.iter().map(String::as_str);
    let class_of: HashMap<&str, u32> = names.clone().zip(0..).collect();
    let mut of_texts: Vec<Vec<u32>> = Vec::with_capacity(labels.len());
    for idx in 0..labels.len() {
        let of_text = labels_of(labels, idx, Some(classes.task))?;
        let class = |label: &&str| {
            class_of.get(label).copied().ok_or_else(|| {
                let nearest = nearest(label, names.clone()).map(str::to_owned);
                let (value, classes) = (shortened(label), classes.names.clone());
                wrong(idx, Fault::NotOfModel { value, classes, nearest })
            })
        };
        of_texts.push(of_text.iter().map(class).collect::<Result<_>>()?);
    }
    Ok(match classes.task {
        TaskKind::AnyOf => Targets::any_of(of_texts),
        TaskKind::Binary | TaskKind::OneOf => Targets::OneOf(of_texts.concat()),
    })
}

/// The classes of the different labels.
fn different(labels: &Labels, task: Option<TaskKind>) -> Result<Classes> {
    let mut found = BTreeSet::new();
    for idx in 0..labels.len() {
        found.extend(labels_of(labels, idx, task)?);
    }
    let mut names: Vec<String> = found.into_iter().map(str::to_owned).collect();
    let (n_rows, n_classes) = (labels.len(), names.len());
    let is_any_of = task == Some(TaskKind::AnyOf) || task.is_none() && is_lists(labels);
    let task = match (task, n_classes) {
        (_, 0) => return Err(Error::NoLabels { n_rows }),
        _ if is_any_of => TaskKind::AnyOf,
        (_, 1) => {
            return Err(Error::SingleClass { label: names.swap_remove(0), n_rows, n_classes: 0 });
        }
        (Some(task @ TaskKind::Binary), 3..) => {
            let (path, column) = (PathBuf::new(), LABEL.name.to_owned());
            return Err(Error::TooManyClasses { path, column, task, values: names });
        }
        (None | Some(TaskKind::Binary), 2) => TaskKind::Binary,
        _ => TaskKind::OneOf,
    };
    if names.iter().all(|name| number(name).is_some()) {
        // Stable: equal numbers stay in Unicode order.
        names.sort_by(|one, other| {
            let value = |name| number(name).unwrap_or_default();
            value(one).total_cmp(&value(other))
        });
    }
    Ok(Classes::new(task, names))
}

/// The labels of one text.
///
/// # Errors
/// `Fault::MissingValue` for an empty label, or none where the task needs one; `Fault::NotLabel` for a list where it
/// needs one class.
fn labels_of(labels: &Labels, idx: usize, task: Option<TaskKind>) -> Result<Vec<&str>> {
    let missing =
        || wrong(idx, Fault::MissingValue { column: LABEL.name.to_owned(), role: LABEL.name });
    let is_any_of = task == Some(TaskKind::AnyOf);
    let of_text: Vec<&str> = match labels {
        Labels::Cells(cells) => match &cells[idx] {
            Some(label) => vec![label],
            None if is_any_of => Vec::new(),
            None => return Err(missing()),
        },
        Labels::Lists(lists) if task.is_none() || is_any_of => {
            lists[idx].iter().map(String::as_str).collect()
        }
        Labels::Lists(lists) => {
            let (column, value) = (LABEL.name.to_owned(), format!("{:?}", lists[idx]));
            return Err(wrong(idx, Fault::NotLabel { column, found: "a list", value }));
        }
    };
    if of_text.iter().any(|label| label.is_empty()) {
        return Err(missing());
    }
    Ok(of_text)
}

fn is_lists(labels: &Labels) -> bool {
    matches!(labels, Labels::Lists(_))
}

/// A fault in the label of a text.
fn wrong(idx: usize, fault: Fault) -> Error {
    Error::at(Path::new(""), Place::row(idx + 1, None), fault)
}

//! How labels are read: what a user, or a trained model, says about them.

use serde::{Deserialize, Serialize};

use crate::classes::Classes;
use crate::label_map::LabelMap;
use crate::task_kind::TaskKind;

/// How to read labels; what is left open is recognised.
///
/// Without a task: 0 and 1 or their synonyms are the classes `negative` and `positive`. Cells that hold
/// several labels (a JSON list, or words separated by `|`, `;` or `,` that occur in several combinations)
/// are any number of labels. Otherwise, two different values are two classes, of which the second is the
/// positive one, and more are one of several classes. Classes are in the order of the label map, if it names
/// them, then of their values if all are numbers, else in Unicode order; of two, one that is called `positive` or
/// a synonym comes after one that is called `negative` or a synonym.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LabelOptions {
    /// What the labels mean. Naming it turns off the checks that look for typing errors, for numbers that
    /// are not whole and for columns that are no labels.
    pub task: Option<TaskKind>,
    /// What the values of the column stand for.
    pub map: Option<LabelMap>,
    /// What separates the labels of a cell, where a row has any number of them.
    pub separator: Option<char>,
    /// The classes of a trained model, or of a training file: the only ones allowed. Its task goes before `task`.
    pub known: Option<Classes>,
    /// What `known` are the classes of.
    #[serde(skip_serializing_if = "ClassesOf::is_model")]
    pub known_of: ClassesOf,
}

/// What has the classes that are known: messages name it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClassesOf {
    /// A trained model.
    #[default]
    Model,
    /// The training file, beside which a validation or a test file is read.
    TrainingFile,
}

impl ClassesOf {
    fn is_model(&self) -> bool {
        *self == Self::Model
    }
}

impl LabelOptions {
    /// How labels of a file are read that goes with a training file: as `self` says, with the classes that were found
    /// in the training file. A label that it lacks is an error that says so.
    pub fn of_training(&self, classes: &Classes) -> Self {
        Self {
            separator: classes.separator.or(self.separator),
            known: Some(classes.clone()),
            known_of: ClassesOf::TrainingFile,
            ..self.clone()
        }
    }
}

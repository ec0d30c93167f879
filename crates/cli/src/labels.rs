//! What the labels of a table mean: the flags that commands share.

use clap::ValueEnum;
use dataset::{LabelMap, LabelOptions, TaskKind};

/// The flags.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Labels")]
pub(crate) struct LabelArgs {
    /// Column with the labels: names or numbers; 0/1 (also 0.0/1.0), -1/1, neg/pos, negative/positive, false/true,
    /// f/t, no/yes or n/y, in upper or lower case, are negative and positive. Given several times: a column of
    /// 0 and 1 for each label [default: guessed by name, or as in training]
    #[arg(long, value_name = "NAME")]
    label_column: Vec<String>,

    /// Rename, merge or skip labels, e.g. "1,2=negative; 3=skip; 4,5=positive". Other labels are refused, unless
    /// "*=keep" or "*=skip" is among the rules. Of two classes the second is the positive one, unless they are
    /// negative and positive
    #[arg(long, value_name = "MAP")]
    labels: Option<LabelMap>,

    /// Character between several labels in one cell, as in "comedy|drama"
    #[arg(long, value_name = "CHARACTER")]
    label_separator: Option<char>,
}

impl LabelArgs {
    pub(crate) fn columns(&self) -> Vec<String> {
        self.label_column.clone()
    }

    /// The options, with a task.
    pub(crate) fn options_for(&self, task: Option<TaskName>) -> LabelOptions {
        LabelOptions { task: task.map(Into::into), ..self.options() }
    }

    /// The options; the task is left open.
    pub(crate) fn options(&self) -> LabelOptions {
        LabelOptions {
            task: None,
            map: self.labels.clone(),
            separator: self.label_separator,
            ..LabelOptions::default()
        }
    }
}

/// What the labels mean, as a flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TaskName {
    /// Two classes
    Binary,
    /// One of several classes
    OneOf,
    /// Any number of labels per text
    AnyOf,
}

impl From<TaskName> for TaskKind {
    fn from(name: TaskName) -> Self {
        match name {
            TaskName::Binary => Self::Binary,
            TaskName::OneOf => Self::OneOf,
            TaskName::AnyOf => Self::AnyOf,
        }
    }
}

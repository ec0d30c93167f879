//! What the labels of a table mean: the flags that commands share.

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

    /// What the labels mean: binary (two classes), one-of (one of several), any-of (any number of labels a text)
    /// [default: recognised from the labels]
    #[arg(long, value_name = "TASK", value_parser = ["binary", "one-of", "any-of"])]
    task: Option<String>,

    /// Rename, merge or skip labels, e.g. "1,2=negative; 3=skip; 4,5=positive"; * stands for all others, as in
    /// "*=keep"
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

    pub(crate) fn options(&self) -> LabelOptions {
        LabelOptions {
            task: self.task.as_deref().map(|task| match task {
                "any-of" => TaskKind::AnyOf,
                "one-of" => TaskKind::OneOf,
                _ => TaskKind::Binary,
            }),
            map: self.labels.clone(),
            separator: self.label_separator,
            known: None,
        }
    }
}

//! Files of which most labels are a model's, but not all: a stray label must not make the model's outputs anew.

use dataset::{Classes, Error as DataError, Fault, LabelOptions, LabelledTexts, Labels, TaskKind};

use crate::error::Error;

/// How labels were read as a model's, and why that failed.
pub(super) struct Failure {
    /// How they were read, with the model's classes.
    pub(super) labels: LabelOptions,
    pub(super) error: DataError,
}

/// Whether an error is about labels or label columns, so that another way of reading them may do.
pub(super) fn is_about_labels(error: &DataError) -> bool {
    match error {
        DataError::Table { fault, .. } => matches!(
            **fault,
            Fault::UnknownLabel { .. }
                | Fault::LooksMissing { .. }
                | Fault::NotOfModel { .. }
                | Fault::NotInMap { .. }
                | Fault::NotClasses { .. }
                | Fault::NotLabel { .. }
                | Fault::NotZeroOrOne { .. }
                | Fault::MissingValue { role: "label", .. }
        ),
        DataError::ColumnType { role, .. } => *role == "label",
        DataError::AllSkipped { .. }
        | DataError::ColumnsAreAnyOf { .. }
        | DataError::MapOfColumns { .. }
        | DataError::SameClassTwice { .. }
        | DataError::UnknownClassColumn { .. }
        | DataError::ClassColumnsMissing { .. } => true,
        _ => false,
    }
}

/// The error of a file that was not read as a model's labels, if these are what it has: more than half of the rows
/// that have a label have only labels that the model knows. `table`: the file, with the classes that it has by itself.
/// `is_mapped`: whether these are the names that a label map gives.
pub(super) fn of_model_mostly(
    failure: Failure,
    table: &LabelledTexts,
    is_mapped: bool,
) -> Option<Error> {
    let Failure { mut labels, error } = failure;
    let map = labels.map.take();
    if !is_mapped {
        labels.map.clone_from(&map);
    }
    let known = labels.known.as_ref()?;
    let is_known = table.classes().names.iter().map(|name| is_known(name, known, &labels));
    let is_known: Vec<bool> = is_known.collect();
    let labelled = (0..table.len()).map(|row| table.targets().of_row(row));
    let (mut n_rows, mut n_known) = (0, 0);
    for classes in labelled.filter(|classes| !classes.is_empty()) {
        n_rows += 1;
        n_known += usize::from(classes.iter().all(|&class| is_known[class as usize]));
    }
    (2 * n_known > n_rows).then(|| Error::OtherLabels {
        n_known,
        n_rows,
        label: if map.is_none() { stray(&error) } else { None },
        task: table.classes().task,
        source: Box::new(error),
    })
}

/// Whether the name of a class is a label that a model knows.
fn is_known(name: &str, known: &Classes, labels: &LabelOptions) -> bool {
    let name = name.to_string();
    let label = match known.task {
        TaskKind::AnyOf => Labels::Lists(vec![vec![name]]),
        _ => Labels::Cells(vec![Some(name)]),
    };
    LabelledTexts::from_columns(["-"], &label, labels).is_ok()
}

/// The label that is none of the model's.
fn stray(error: &DataError) -> Option<String> {
    match error {
        DataError::Table { fault, .. } => match &**fault {
            Fault::UnknownLabel { value, .. } | Fault::NotOfModel { value, .. } => {
                Some(value.clone())
            }
            _ => None,
        },
        _ => None,
    }
}

//! Labels: what the cells of a label column say, and which task and classes they are of.
//!
//! cells → values, several a cell if need be (`several`) → mapped as the user says (`mapped`) → classes:
//! those of a model (`known`), or recognised (`recognise`).

mod columns;
mod known;
mod mapped;
mod recognise;
mod several;
mod spelled;
mod typos;
mod values;

use std::path::Path;

use serde::{Deserialize, Serialize};

use self::values::Values;
use crate::classes::{Classes, TaskKind};
use crate::columns::ChosenColumn;
use crate::error::{Error, Result};
use crate::label_map::LabelMap;
use crate::tables::{Fault, Note, ReadNotes, Table};
use crate::targets::Targets;

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
    /// The classes of a trained model: the only ones allowed. Its task goes before `task`.
    pub known: Option<Classes>,
}

/// Where labels are read from.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    pub(crate) path: &'a Path,
    pub(crate) table: &'a Table,
    /// The rows of the table that are wanted; `None` for all.
    pub(crate) rows: Option<&'a [u32]>,
}

impl Source<'_> {
    fn n_rows(&self) -> usize {
        self.rows.map_or(self.table.frame.height(), <[u32]>::len)
    }

    /// The row of the table of a wanted row.
    fn table_row(&self, row: usize) -> usize {
        self.rows.map_or(row, |rows| rows[row] as usize)
    }

    /// A fault in a wanted row.
    fn wrong(&self, row: usize, fault: Fault) -> Error {
        Error::at(self.path, self.table.place(self.table_row(row)), fault)
    }
}

/// The labels of a table.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) targets: Targets,
    pub(crate) classes: Classes,
    /// The wanted rows that are left, ascending; `None` if all are.
    pub(crate) kept: Option<Vec<u32>>,
}

/// Reads the labels of one column, or of one column a class.
///
/// # Errors
/// Faults with the first bad row: `MissingValue`, `UnknownLabel`, `LooksMissing`, `NotOfModel`, `NotInMap`,
/// `NotClasses`, `NotLabel`, `NotZeroOrOne`. For the whole column: `ColumnType`, `NotLabels`,
/// `SingleClass`, `NoLabels`, `TooManyClasses`, `AllSkipped`, and for several columns `ColumnsAreAnyOf`,
/// `MapOfColumns`, `UnknownClassColumn`.
pub(crate) fn read(
    source: &Source<'_>,
    columns: &[ChosenColumn],
    options: &LabelOptions,
    notes: &mut ReadNotes,
) -> Result<Found> {
    let column = match columns {
        [column] => column.name.as_str(),
        _ => return columns::read(source, columns, options),
    };
    let mut cells = values::read(source, column)?;
    if options.map.as_ref().is_some_and(|map| map.values().any(str::is_empty)) {
        // The map says what no label means.
        cells.fill_empty();
    }
    let (values, separator) = several::split(source, column, cells, options, notes)?;
    let (values, kept) = match &options.map {
        Some(map) => mapped::apply(source, values, map, options.known.as_ref(), notes)?,
        None => (values, None),
    };
    let (targets, classes) = match &options.known {
        Some(known) => (known::targets(source, &values, known)?, known.clone()),
        None => {
            let task = options.task;
            let (targets, mut classes) = recognise::classes(source, column, &values, task, notes)?;
            classes.separator = separator;
            if !classes.is_default() {
                notes.add(Note::Classes {
                    column: column.to_owned(),
                    task: classes.task,
                    names: classes.names.clone(),
                });
            }
            (targets, classes)
        }
    };
    Ok(Found { targets, classes, kept })
}

/// Replaces values by the classes that they belong to: `class_of[value]`.
fn classified(values: &Values, class_of: &[u32]) -> Targets {
    let of_row =
        |row: usize| values.of_row.of_row(row).iter().map(|&value| class_of[value as usize]);
    match &values.of_row {
        Targets::OneOf(of_row) => {
            Targets::OneOf(of_row.iter().map(|&value| class_of[value as usize]).collect())
        }
        Targets::AnyOf { .. } => {
            Targets::any_of((0..values.of_row.len()).map(|row| of_row(row).collect::<Vec<u32>>()))
        }
    }
}

/// Fails if a label given in memory is neither 0 nor 1.
pub(crate) fn check(labels: &[u8]) -> Result<()> {
    match labels.iter().position(|&label| label > 1) {
        Some(idx) => Err(Error::LabelNotBinary { row: idx + 1, value: labels[idx] }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;

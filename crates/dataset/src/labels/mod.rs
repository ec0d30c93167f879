//! Labels: what the cells of a label column say, and which task and classes they are of.
//!
//! cells → values, several a cell if need be (`several`) → mapped as the user says (`mapped`) → classes:
//! those of a model or a training file (`known`), or recognised (`recognise`).

mod class;
mod columns;
mod known;
mod mapped;
mod options;
mod recognise;
mod several;
mod source;
mod spelled;
mod spellings;
mod typos;
mod values;

use crate::classes::Classes;
use crate::columns::ChosenColumn;
use crate::error::{Error, Result};
use crate::tables::{Note, ReadNotes};
use crate::targets::Targets;

pub use self::options::{ClassesOf, LabelOptions};
pub(crate) use self::source::{Source, Writing};
pub(crate) use self::spellings::{Spelling, spellings};

/// The labels of a table.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) targets: Targets,
    pub(crate) classes: Classes,
    /// The wanted rows that are left, ascending; `None` if all are.
    pub(crate) kept: Option<Vec<u32>>,
}

/// Reads the labels of one column, or of one column per class.
///
/// # Errors
/// Faults with the first bad row: `MissingValue`, `UnknownLabel`, `LooksMissing`, `NotOfModel`, `NotInTraining`,
/// `NotInMap`, `NotClasses`, `NotLabel`, `NotZeroOrOne`. For the whole column: `ColumnType`, `NotLabels`,
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
        _ => {
            let (targets, classes) = columns::read(source, columns, options)?;
            if options.known.is_none() {
                let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
                let (column, task) = (names.join(", "), classes.task);
                notes.add(Note::Classes { column, task, names: classes.names.clone() });
            }
            return Ok(Found { targets, classes, kept: None });
        }
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
        Some(known) => {
            let targets = known::targets(source, &values, (known, options.known_of))?;
            (targets, known.clone())
        }
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

/// Fails if a label given in memory is neither 0 nor 1.
pub(crate) fn check(labels: &[u8]) -> Result<()> {
    match labels.iter().position(|&label| label > 1) {
        Some(idx) => Err(Error::LabelNotBinary { row: idx + 1, value: labels[idx] }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;

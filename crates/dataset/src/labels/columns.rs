//! Labels in several columns: each is a class, and holds 1 where the row has it and 0 where it has not.

use super::known::Known;
use super::options::LabelOptions;
use super::source::Source;
use super::spelled::Spelling;
use super::values::{self, LabelCell};
use crate::classes::Classes;
use crate::columns::ChosenColumn;
use crate::error::{Error, Result};
use crate::nearest::nearest;
use crate::tables::Fault;
use crate::targets::Targets;
use crate::task_kind::TaskKind;

/// Reads one column per class: the classes of each row, and their names.
///
/// # Errors
/// `ColumnsAreAnyOf` if the task is another one, `MapOfColumns` if there is a label map,
/// `UnknownClassColumn` if a model knows no class of the column's name, `SameClassTwice`, `ClassColumnsMissing` if a
/// model's class has no column, `ColumnType`; the faults
/// `MissingValue` and `NotZeroOrOne`.
pub(super) fn read(
    source: &Source<'_>,
    columns: &[ChosenColumn],
    options: &LabelOptions,
) -> Result<(Targets, Classes)> {
    let n_columns = columns.len();
    let task = options.known.as_ref().map(|known| known.task).or(options.task);
    if let Some(task) = task.filter(|&task| task != TaskKind::AnyOf) {
        return Err(Error::ColumnsAreAnyOf { path: source.path.to_owned(), n_columns, task });
    }
    if options.map.is_some() {
        return Err(Error::MapOfColumns { n_columns });
    }
    let classes = match &options.known {
        Some(known) => known.clone(),
        None => {
            let names = columns.iter().map(|column| column.name.clone()).collect();
            Classes::new(TaskKind::AnyOf, names)
        }
    };
    let known = Known::new(&classes);
    let mut used = vec![None; classes.names.len()];
    let mut of_row: Vec<Vec<u32>> = vec![Vec::new(); source.n_rows()];
    for ChosenColumn { name, .. } in columns {
        let class = known.class(name).ok_or_else(|| Error::UnknownClassColumn {
            path: source.path.to_owned(),
            column: name.clone(),
            classes: classes.names.clone(),
            nearest: nearest(name, classes.names.iter().map(String::as_str)).map(str::to_owned),
        })?;
        if let Some(other) = used[class as usize].replace(name) {
            let columns = [other.clone(), name.clone()];
            return Err(Error::SameClassTwice { path: source.path.to_owned(), columns });
        }
        for (row, is_set) in flags(source, name)?.into_iter().enumerate() {
            if is_set {
                of_row[row].push(class);
            }
        }
    }
    let missing = classes.names.iter().zip(&used).filter(|(_, column)| column.is_none());
    let missing: Vec<String> = missing.map(|(name, _)| name.clone()).collect();
    if !missing.is_empty() {
        return Err(Error::ClassColumnsMissing { path: source.path.to_owned(), missing });
    }
    Ok((Targets::any_of(of_row), classes))
}

/// `[n_rows]`: whether each row has the label.
fn flags(source: &Source<'_>, name: &str) -> Result<Vec<bool>> {
    let cells = values::read(source, name)?;
    let words: Vec<&str> = cells
        .all
        .iter()
        .map(|cell| match cell {
            LabelCell::One(word) => word.as_str(),
            LabelCell::List { json, .. } => json,
        })
        .collect();
    let spelling = Spelling::of(words.iter().copied());
    let flag = |(row, cell): (usize, &Option<u32>)| {
        let column = name.to_owned();
        let Some(cell) = *cell else {
            return Err(source.wrong(row, Fault::MissingValue { column, role: "label" }));
        };
        let word = words[cell as usize];
        let label = spelling.label(word).ok_or_else(|| {
            source.wrong(row, Fault::NotZeroOrOne { column, value: word.trim().to_owned() })
        })?;
        Ok(label == 1)
    };
    cells.of_row.iter().enumerate().map(flag).collect()
}

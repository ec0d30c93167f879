//! Takes cells apart that hold several labels.

use std::collections::{HashMap, HashSet};

use super::options::LabelOptions;
use super::source::{Source, Writing};
use super::spelled::all_spelled;
use super::values::{LabelCell, LabelCells, Value, Values};
use crate::error::Result;
use crate::label_key::Key;
use crate::tables::{FASTTEXT_SEPARATOR, Fault, Note, ReadNotes};
use crate::targets::Targets;
use crate::task_kind::TaskKind;

/// What may separate the labels of a cell without being named, in the order in which it is tried.
const SEPARATORS: [char; 3] = ['|', ';', ','];

/// The labels of each row, and what separates them in a cell where there is any number.
///
/// # Errors
/// `Fault::MissingValue` for a row without a label and `Fault::NotLabel` for a list, if each row has
/// exactly one label.
pub(super) fn split(
    source: &Source<'_>,
    column: &str,
    cells: LabelCells,
    options: &LabelOptions,
    notes: &mut ReadNotes,
) -> Result<(Values, Option<char>)> {
    let task = options.known.as_ref().map_or(options.task, |known| Some(known.task));
    let has_lists = cells.all.iter().any(|cell| matches!(cell, LabelCell::List { .. }));
    let given = options.separator.or(options.known.as_ref().and_then(|known| known.separator));
    let recognised = || {
        let separator = if has_lists { None } else { recognised(&cells, options) }?;
        notes.add(Note::SeveralLabels { column: column.to_owned(), separator });
        Some(separator)
    };
    if source.writing != Writing::Open {
        let values = written(source, column, cells, task)?;
        // Other tables are not written like that.
        return Ok((values.counted(|row| row), None));
    }
    let (is_any_of, separator) = match task {
        Some(TaskKind::Binary | TaskKind::OneOf) => (false, None),
        Some(TaskKind::AnyOf) => (true, given.or_else(recognised)),
        None if has_lists => (true, given),
        None if is_spelled(&cells) => (false, None),
        None => {
            let separator = given.or_else(recognised);
            (separator.is_some(), separator)
        }
    };
    let values = if is_any_of { any_of(&cells, separator) } else { one_of(source, column, cells)? };
    Ok((values.counted(|row| row), separator))
}

/// The labels of each row where the format of the file says how they are written.
///
/// # Errors
/// As [`split`].
fn written(
    source: &Source<'_>,
    column: &str,
    cells: LabelCells,
    task: Option<TaskKind>,
) -> Result<Values> {
    let separator = (source.writing == Writing::Words).then_some(FASTTEXT_SEPARATOR);
    let has_several = |cell: &LabelCell| match cell {
        LabelCell::One(word) => separator.is_some_and(|separator| word.contains(separator)),
        LabelCell::List { .. } => false,
    };
    let several: Vec<bool> = cells.all.iter().map(has_several).collect();
    if task == Some(TaskKind::AnyOf) || task.is_none() && several.contains(&true) {
        return Ok(any_of(&cells, separator));
    }
    let is_several = |cell: &Option<u32>| cell.is_some_and(|cell| several[cell as usize]);
    if let Some(row) = cells.of_row.iter().position(is_several) {
        let value = match cells.of_row[row].map(|cell| &cells.all[cell as usize]) {
            Some(LabelCell::One(word)) => word.clone(),
            _ => String::new(),
        };
        let (column, found) = (column.to_owned(), "several labels");
        return Err(source.wrong(row, Fault::NotLabel { column, found, value }));
    }
    one_of(source, column, cells)
}

/// Whether every cell is a label of the two usual classes.
fn is_spelled(cells: &LabelCells) -> bool {
    let words = cells.all.iter().map(|cell| match cell {
        LabelCell::One(word) => word.as_str(),
        LabelCell::List { json, .. } => json,
    });
    all_spelled(words)
}

/// What separates the labels of the cells: they have fewer different parts than there are different
/// cells with several. Cells that the label map names are whole.
fn recognised(cells: &LabelCells, options: &LabelOptions) -> Option<char> {
    let lookup = options.map.as_ref().map(|map| map.lookup());
    let is_named =
        |word: &str| lookup.as_ref().is_some_and(|lookup| lookup.named(word.trim()).is_some());
    SEPARATORS.into_iter().find(|&separator| {
        let with_it = cells.all.iter().filter_map(|cell| match cell {
            LabelCell::One(word) if word.contains(separator) && !is_named(word) => Some(word),
            _ => None,
        });
        let wholes: HashSet<Key> = with_it.clone().map(|word| Key::of(word)).collect();
        let parts: HashSet<Key> =
            with_it.flat_map(|word| parts(word, Some(separator))).map(Key::of).collect();
        parts.len() > 1 && parts.len() < wholes.len()
    })
}

/// The labels of a cell.
fn parts(word: &str, separator: Option<char>) -> impl Iterator<Item = &str> {
    word.split(move |c| Some(c) == separator).map(str::trim).filter(|part| !part.is_empty())
}

/// Any number of labels a row; a row without a value has none.
fn any_of(cells: &LabelCells, separator: Option<char>) -> Values {
    let mut numbers: HashMap<&str, u32> = HashMap::new();
    let mut all = Vec::new();
    let mut number_of = |part| {
        *numbers.entry(part).or_insert_with(|| {
            all.push(Value::new(str::to_owned(part)));
            all.len() as u32 - 1
        })
    };
    let of_cell: Vec<Vec<u32>> = cells
        .all
        .iter()
        .map(|cell| match cell {
            LabelCell::One(word) => parts(word, separator).map(&mut number_of).collect(),
            LabelCell::List { items, .. } => {
                items.iter().flat_map(|item| parts(item, None)).map(&mut number_of).collect()
            }
        })
        .collect();
    let of_row =
        |cell: &Option<u32>| cell.map_or(&[][..], |cell| of_cell[cell as usize].as_slice());
    let of_row = Targets::any_of(cells.of_row.iter().map(of_row));
    Values { all, of_row }
}

/// Exactly one label a row.
fn one_of(source: &Source<'_>, column: &str, cells: LabelCells) -> Result<Values> {
    let of_row = cells.of_row.iter().enumerate().map(|(row, cell)| {
        let column = || column.to_owned();
        let missing = Fault::MissingValue { column: column(), role: "label" };
        let cell = cell.ok_or_else(|| source.wrong(row, missing))?;
        match &cells.all[cell as usize] {
            LabelCell::One(_) => Ok(cell),
            LabelCell::List { json, .. } => {
                let fault =
                    Fault::NotLabel { column: column(), found: "a list", value: json.clone() };
                Err(source.wrong(row, fault))
            }
        }
    });
    let of_row = Targets::OneOf(of_row.collect::<Result<_>>()?);
    let all = cells.all.into_iter().map(|cell| match cell {
        LabelCell::One(word) | LabelCell::List { json: word, .. } => Value::new(word),
    });
    Ok(Values { all: all.collect(), of_row })
}

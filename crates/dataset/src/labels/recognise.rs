//! Recognises the task and the classes of the values of a column.

use std::collections::HashMap;

use super::class::{Class, gathered};
use super::source::Source;
use super::spelled::{Spelling, all_spelled, unknown};
use super::typos;
use super::values::{Value, Values};
use crate::classes::{CLASS_NAMES, Classes};
use crate::error::{Error, Result};
use crate::label_key::Key;
use crate::label_words::parse_label;
use crate::tables::{Fault, Note, ReadNotes, looks_missing};
use crate::targets::Targets;
use crate::task_kind::TaskKind;
use crate::wording::shortened;

/// More classes than this are no classes.
const MAX_CLASSES: usize = 10_000;
/// More different values than this, in more than half of the rows, are no classes.
const MANY_CLASSES: usize = 20;
/// In fewer rows, nothing can be said about the number of values.
const MIN_ROWS: usize = 20;
/// Values named in a message.
const N_EXAMPLES: usize = 3;

/// The classes of each row, the task and the names.
///
/// # Errors
/// `NotLabels`, `SingleClass`, `NoLabels`, `TooManyClasses`; the faults `LooksMissing`, `UnknownLabel` and
/// `NotClasses` name the first row.
pub(super) fn classes(
    source: &Source<'_>,
    column: &str,
    values: &Values,
    task: Option<TaskKind>,
    notes: &mut ReadNotes,
) -> Result<(Targets, Classes)> {
    let is_any_of = matches!(values.of_row, Targets::AnyOf { .. });
    let texts = values.used().map(|value| value.text());
    // Names that the user gives stay as they are.
    let is_renamed = texts.clone().next().is_some() && values.used().all(|value| value.is_named);
    if !is_any_of && !is_renamed && all_spelled(texts.clone()) {
        let spelling = Spelling::of(texts);
        let label = |value: &Value| spelling.label(value.text()).unwrap_or_default();
        let class_of: Vec<u32> = values.all.iter().map(label).collect();
        let task = task.unwrap_or(TaskKind::Binary);
        let names = CLASS_NAMES.map(str::to_owned).to_vec();
        return Ok((values.classified(&class_of), Classes::new(task, names)));
    }
    let mut found = gathered(values);
    if task.is_none() {
        check_number(source, column, values, &found)?;
        check_whole(source, column, &found)?;
    }
    check_present(source, values)?;
    if task.is_none()
        && let Some((value, fault)) = typos::find(values, &found)
    {
        return Err(source.wrong(value.first, fault));
    }
    let n_rows = values.of_row.len();
    let task = match (is_any_of, task, &found[..]) {
        (_, _, []) => return Err(Error::NoLabels { n_rows }),
        (true, ..) => TaskKind::AnyOf,
        (false, _, [class]) => {
            return Err(Error::SingleClass { label: class.display_name(), n_rows, n_classes: 0 });
        }
        (false, None | Some(TaskKind::Binary), [_, _]) => TaskKind::Binary,
        (false, Some(task @ TaskKind::Binary), _) => {
            let mut values: Vec<String> = found.iter().map(Class::display_name).collect();
            values.sort_unstable();
            let (path, column) = (source.path.to_owned(), column.to_owned());
            return Err(Error::TooManyClasses { path, column, task, values });
        }
        (false, ..) => TaskKind::OneOf,
    };
    order(&mut found);
    found.iter().for_each(|class| note_spellings(class, notes));
    let mut class_of = HashMap::new();
    let mut names = Vec::new();
    for (class, number) in found.iter().zip(0..) {
        class_of.insert(&class.key, number);
        names.push(class.display_name());
    }
    let class_of: Vec<u32> = values
        .all
        .iter()
        .map(|value| class_of.get(&Key::of(value.text())).copied().unwrap_or_default())
        .collect();
    Ok((values.classified(&class_of), Classes::new(task, names)))
}

/// In the order of a label map that names all of them, else numbers by value, or all by name. Of two usual names,
/// the positive one is the second.
fn order(classes: &mut [Class<'_>]) {
    if !classes.iter().all(|class| class.is_named) {
        let all_numbers = classes.iter().all(|class| class.is_number);
        classes.sort_by(|one, other| match (one.key.value(), other.key.value()) {
            (Some(one), Some(other)) if all_numbers => one.total_cmp(&other),
            _ => one.name.cmp(other.name),
        });
    }
    if let [one, other] = classes
        && (parse_label(one.name), parse_label(other.name)) == (Some(1), Some(0))
    {
        classes.swap(0, 1);
    }
}

fn note_spellings(class: &Class<'_>, notes: &mut ReadNotes) {
    // Numbers have many notations.
    if class.is_number || class.is_named {
        return;
    }
    let others = class.spellings.iter().filter(|value| value.written != class.name);
    let mut others: Vec<String> = others.map(|value| value.written.clone()).collect();
    if !others.is_empty() {
        others.sort_unstable();
        notes.add(Note::Spellings { name: class.name.to_owned(), others });
    }
}

/// Fails if there are too many different values.
fn check_number(
    source: &Source<'_>,
    column: &str,
    values: &Values,
    classes: &[Class<'_>],
) -> Result<()> {
    let (n_rows, n_values) = (values.of_row.len(), classes.len());
    let is_many = n_rows >= MIN_ROWS && n_values > MANY_CLASSES && n_values > n_rows / 2;
    if !is_many && n_values <= MAX_CLASSES {
        return Ok(());
    }
    let examples = classes.iter().take(N_EXAMPLES).map(|class| class.name.to_owned()).collect();
    let (path, column) = (source.path.to_owned(), column.to_owned());
    Err(Error::NotLabels { path, column, n_values, n_rows, examples })
}

/// Fails if the values are numbers that are not whole.
fn check_whole(source: &Source<'_>, column: &str, classes: &[Class<'_>]) -> Result<()> {
    let wrong = classes.iter().filter(|class| matches!(class.key, Key::Fraction(_)));
    let Some(wrong) = wrong.min_by_key(|class| class.first.first) else { return Ok(()) };
    let is_number = |class: &Class<'_>| class.is_number || looks_missing(class.name);
    if wrong.is_named || !classes.iter().all(is_number) {
        return Ok(());
    }
    let (column, value) = (column.to_owned(), shortened(wrong.first.text()));
    Err(source.wrong(wrong.first.first, Fault::NotClasses { column, value }))
}

/// Fails if a value is a word for a missing one.
fn check_present(source: &Source<'_>, values: &Values) -> Result<()> {
    let is_missing = |value: &Value| !value.is_named && looks_missing(value.text());
    let missing = values.used().filter(|value| is_missing(value));
    let Some(value) = missing.min_by_key(|value| value.first) else { return Ok(()) };
    let others = values.used().filter(|value| !is_missing(value)).map(|value| value.text());
    let fault = if all_spelled(others) {
        unknown(values, value)
    } else {
        Fault::LooksMissing { value: shortened(value.text()), values: values.counts() }
    };
    Err(source.wrong(value.first, fault))
}

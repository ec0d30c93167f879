//! Applies a label map to the values of a column.

use std::collections::{HashMap, HashSet};

use super::known::Known;
use super::source::Source;
use super::values::{Value, Values};
use crate::classes::Classes;
use crate::error::{Error, Result};
use crate::label_key::Key;
use crate::label_map::{LabelMap, Mapped};
use crate::tables::{Fault, Note, ReadNotes};
use crate::wording::shortened;

/// Replaces values by the names that the map gives them, in the map's order, and leaves out rows that it
/// skips. Also returns the rows that are left, if some are left out.
///
/// # Errors
/// `Fault::NotInMap` for a value that neither the map nor the model knows; `AllSkipped`.
pub(super) fn apply(
    source: &Source<'_>,
    values: Values,
    map: &LabelMap,
    known: Option<&Classes>,
    notes: &mut ReadNotes,
) -> Result<(Values, Option<Vec<u32>>)> {
    let (lookup, known) = (map.lookup(), known.map(Known::new));
    let mut all: Vec<Value> = Vec::new();
    let mut number_of_name: HashMap<&str, u32> = HashMap::new();
    for name in map.names() {
        number_of_name.insert(name, all.len() as u32);
        all.push(Value { is_named: true, ..Value::new(name.to_owned()) });
    }
    // `None`: rows with this value are left out.
    let mut number_of: Vec<Option<u32>> = Vec::with_capacity(values.all.len());
    let mut unknown: Option<&Value> = None;
    for value in &values.all {
        let text = value.text();
        let is_of_model = known.as_ref().is_some_and(|known| known.class(text).is_some());
        number_of.push(match lookup.of(text) {
            Mapped::Name(name) => number_of_name.get(name).copied(),
            Mapped::Skip => None,
            Mapped::Unknown if !is_of_model => {
                unknown = Some(unknown.filter(|one| one.first < value.first).unwrap_or(value));
                None
            }
            Mapped::Keep | Mapped::Unknown => {
                all.push(Value::new(value.written.clone()));
                Some(all.len() as u32 - 1)
            }
        });
    }
    let found: HashSet<Key> = values.all.iter().map(|value| Key::of(value.text())).collect();
    let unused = map.values().filter(|value| !found.contains(&Key::of(value)));
    let unused: Vec<String> = unused.map(str::to_owned).collect();
    if let Some(value) = unknown {
        let fault = Fault::NotInMap { value: shortened(value.text()), map: map.to_string() };
        return Err(source.wrong(value.first, fault));
    }
    if !unused.is_empty() && known.is_none() {
        notes.add(Note::UnusedInMap { values: unused });
    }
    let n_rows = values.of_row.len();
    let is_kept = |row: &u32| {
        let of_row = values.of_row.of_row(*row as usize);
        of_row.iter().all(|&value| number_of[value as usize].is_some())
    };
    let kept: Vec<u32> = (0..n_rows as u32).filter(is_kept).collect();
    if kept.is_empty() && n_rows > 0 {
        return Err(Error::AllSkipped { path: source.path.to_owned(), n_rows });
    }
    let left = Values { all: values.all, of_row: values.of_row.select(&kept) };
    let number_of: Vec<u32> = number_of.into_iter().map(Option::unwrap_or_default).collect();
    let mapped = Values { all, of_row: left.classified(&number_of) };
    let mapped = mapped.counted(|row| kept[row] as usize);
    if kept.len() == n_rows {
        return Ok((mapped, None));
    }
    notes.add(Note::SkippedLabels { n_rows: n_rows - kept.len() });
    Ok((mapped, Some(kept)))
}

//! The different values of a label column, and which row has which.

use std::collections::HashMap;

use polars::prelude::{Column, DataType};
use serde_json::value::RawValue;

use super::source::Source;
use crate::error::{Error, Result};
use crate::tables::{Cells, Fault, JsonValue};
use crate::targets::Targets;
use crate::wording::shortened;

/// One of the different values of a column.
#[derive(Clone, Debug)]
pub(super) struct Value {
    /// As written, with surrounding spaces.
    pub(super) written: String,
    /// The number of rows that have it.
    pub(super) n_rows: usize,
    /// The first of them, among the wanted rows.
    pub(super) first: usize,
    /// Whether a label map gives it as the name of a class.
    pub(super) is_named: bool,
}

impl Value {
    pub(super) fn new(written: String) -> Self {
        Self { written, n_rows: 0, first: usize::MAX, is_named: false }
    }

    pub(super) fn text(&self) -> &str {
        self.written.trim()
    }
}

/// The different labels of a column, each of which some row has.
#[derive(Debug)]
pub(super) struct Values {
    pub(super) all: Vec<Value>,
    /// Which of them each row has: exactly one, or any number.
    pub(super) of_row: Targets,
}

impl Values {
    /// Counts the rows of each value; `row_of` says which wanted row a row is.
    pub(super) fn counted(mut self, row_of: impl Fn(usize) -> usize) -> Self {
        for row in 0..self.of_row.len() {
            for &value in self.of_row.of_row(row) {
                let value = &mut self.all[value as usize];
                value.n_rows += 1;
                value.first = value.first.min(row_of(row));
            }
        }
        self
    }

    /// Replaces values by the classes that they belong to: `class_of[value]`.
    pub(super) fn classified(&self, class_of: &[u32]) -> Targets {
        let of_row =
            |row: usize| self.of_row.of_row(row).iter().map(|&value| class_of[value as usize]);
        match &self.of_row {
            Targets::OneOf(of_row) => {
                Targets::OneOf(of_row.iter().map(|&value| class_of[value as usize]).collect())
            }
            Targets::AnyOf { .. } => {
                Targets::any_of((0..self.of_row.len()).map(|row| of_row(row).collect::<Vec<u32>>()))
            }
        }
    }

    /// The values that rows have.
    pub(super) fn used(&self) -> impl Iterator<Item = &Value> + Clone {
        self.all.iter().filter(|value| value.n_rows > 0)
    }

    /// All values and how often they occur for a message, most frequent first.
    pub(super) fn counts(&self) -> Vec<(String, usize)> {
        let mut counts: HashMap<String, usize> = HashMap::new();
        for value in self.used() {
            *counts.entry(shortened(value.text())).or_default() += value.n_rows;
        }
        let mut counts: Vec<(String, usize)> = counts.into_iter().collect();
        counts.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        counts
    }
}

/// The different cells of a label column.
pub(super) struct LabelCells {
    pub(super) all: Vec<LabelCell>,
    /// `[n_rows]`: the cell of each wanted row; `None` where there is no value.
    pub(super) of_row: Vec<Option<u32>>,
}

impl LabelCells {
    /// Takes cells without a value as empty words.
    pub(super) fn fill_empty(&mut self) {
        let empty = self.all.len() as u32;
        self.all.push(LabelCell::One(String::new()));
        self.of_row.iter_mut().for_each(|cell| *cell = cell.or(Some(empty)));
    }
}

/// A cell of a label column.
pub(super) enum LabelCell {
    One(String),
    /// A JSON list of strings, numbers and booleans.
    List {
        json: String,
        items: Vec<String>,
    },
}

/// Reads the cells of a column.
///
/// # Errors
/// `ColumnType` if the column holds dates or other types; `Fault::NotLabel`.
pub(super) fn read(source: &Source<'_>, name: &str) -> Result<LabelCells> {
    let column = source.table.column(source.path, name)?;
    let mut cells = Interned::default();
    let is_json = source.table.cells == Cells::Json;
    let known = with_strings(column, |cell_of| {
        (0..source.n_rows()).try_for_each(|row| {
            let cell = cell_of(source.table_row(row));
            cells.add(cell.as_deref(), is_json).map_err(|found| {
                let value = cell.unwrap_or_default();
                source.wrong(row, Fault::NotLabel { column: name.to_owned(), found, value })
            })
        })
    });
    known.unwrap_or_else(|| {
        Err(Error::ColumnType {
            path: source.path.to_owned(),
            column: name.to_owned(),
            role: "label",
            found: column.dtype().to_string(),
            expected: "numbers, booleans or words",
        })
    })?;
    Ok(LabelCells { all: cells.all, of_row: cells.of_row })
}

/// Passes a function that looks up cells as strings; `None` if values of this type are never labels.
fn with_strings<R>(
    column: &Column,
    then: impl FnOnce(&mut dyn FnMut(usize) -> Option<String>) -> R,
) -> Option<R> {
    let dtype = column.dtype();
    if *dtype == DataType::Null {
        return Some(then(&mut |_| None));
    }
    if *dtype == DataType::Float32 {
        let numbers = column.f32().ok()?;
        return Some(then(&mut |row| numbers.get(row).map(|number| number.to_string())));
    }
    if dtype.is_float() {
        let numbers = column.cast(&DataType::Float64).ok()?;
        let numbers = numbers.f64().ok()?;
        return Some(then(&mut |row| numbers.get(row).map(|number| number.to_string())));
    }
    if dtype.is_bool() {
        let flags = column.bool().ok()?;
        return Some(then(&mut |row| flags.get(row).map(|flag| flag.to_string())));
    }
    let is_fine = dtype.is_primitive_numeric()
        || dtype.is_string()
        || dtype.is_categorical()
        || dtype.is_enum();
    if !is_fine {
        return None;
    }
    let words = column.cast(&DataType::String).ok()?;
    let words = words.str().ok()?;
    Some(then(&mut |row| words.get(row).map(str::to_owned)))
}

#[derive(Default)]
struct Interned {
    all: Vec<LabelCell>,
    of_row: Vec<Option<u32>>,
    numbers: HashMap<String, Option<u32>>,
}

impl Interned {
    /// Adds the cell of the next row; fails with the kind of value if it is not a label.
    fn add(&mut self, cell: Option<&str>, is_json: bool) -> Result<(), &'static str> {
        let Some(cell) = cell else {
            self.of_row.push(None);
            return Ok(());
        };
        if let Some(&number) = self.numbers.get(cell) {
            self.of_row.push(number);
            return Ok(());
        }
        let read = if is_json { of_json(cell)? } else { Some(LabelCell::One(cell.to_owned())) };
        let number = read.map(|read| {
            // Never more than u32::MAX rows: polars' own row index has 32 bits.
            let number = self.all.len() as u32;
            self.all.push(read);
            number
        });
        self.numbers.insert(cell.to_owned(), number);
        self.of_row.push(number);
        Ok(())
    }
}

/// A JSON value as a cell; `None` for null.
fn of_json(json: &str) -> Result<Option<LabelCell>, &'static str> {
    Ok(match JsonValue::of(json) {
        JsonValue::List => {
            let items: Vec<&RawValue> = serde_json::from_str(json).map_err(|_| "a list")?;
            let items = items
                .into_iter()
                .map(|item| scalar(item.get()).map_err(|_| "a list that holds more than labels"));
            let items = items.collect::<Result<_, _>>()?;
            Some(LabelCell::List { json: json.to_owned(), items })
        }
        JsonValue::Null => None,
        _ => Some(LabelCell::One(scalar(json)?)),
    })
}

/// A JSON string, number or boolean as a word.
fn scalar(json: &str) -> Result<String, &'static str> {
    match JsonValue::of(json.trim()) {
        JsonValue::String(word) => Ok(word.into_owned()),
        JsonValue::Number(word) => Ok(word.to_owned()),
        JsonValue::Bool => Ok(json.trim().to_owned()),
        other @ (JsonValue::Null | JsonValue::List | JsonValue::Object) => Err(other.kind()),
    }
}

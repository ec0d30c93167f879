//! Reads JSON objects into columns, a chunk at a time.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::path::PathBuf;

use polars::prelude::{Column, DataFrame, IntoColumn as _, StringChunkedBuilder};
use serde::Deserializer as _;
use serde::de::{self, DeserializeSeed, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::Json;
use super::check::check;
use super::elements::{Element, Elements};
use super::explain::{MAX_COLUMNS, RowError, fault, plain};
use crate::error::{Error, Result};
use crate::tables::chunk::{BadRow, BadRows, Sizes};
use crate::tables::fault::{Fault, Place};
use crate::tables::format::Format;
use crate::tables::notes::{Note, ReadNotes};
use crate::tables::parquet::malformed;
use crate::tables::table::{Cells, Table};

/// Reads a file of JSON objects from the first on.
pub(crate) struct Reader {
    path: PathBuf,
    elements: Elements,
    bad_rows: BadRows,
    columns: Columns,
    /// The rows read so far.
    n_rows: usize,
    /// An object that would make a chunk too large, because it has new columns.
    pending: Option<Element>,
}

impl Reader {
    /// Begins to read.
    ///
    /// # Errors
    /// `Read`, `Unpack`.
    pub(in crate::tables) fn new(plan: &Json, bad_rows: BadRows) -> Result<Self> {
        let elements = Elements::new(plan.file.window()?, plan.file.line_end)?;
        let mut columns = Columns::default();
        for name in &plan.names {
            columns.add(name.clone());
        }
        Ok(Self {
            path: plan.file.path.clone(),
            elements,
            bad_rows,
            columns,
            n_rows: 0,
            pending: None,
        })
    }

    /// The columns so far.
    pub(in crate::tables) fn names(&self) -> &[String] {
        &self.columns.names
    }

    /// The next rows, with the columns so far; `None` at the end.
    ///
    /// # Errors
    /// `Fault::Json` and `Fault::RepeatedKey` with row and line; `Read`, `Unpack`, `Changed`.
    pub(in crate::tables) fn next_chunk(&mut self, sizes: &Sizes) -> Result<Option<Table>> {
        let mut chunk = Chunk { first_row: self.n_rows, ..Chunk::default() };
        while chunk.lines.len() < sizes.rows
            && chunk.n_bytes(self.columns.names.len()) < sizes.bytes
            && let Some(element) = self.next_element()?
            && self.add(element, &mut chunk, sizes)?
        {
            self.n_rows += 1;
        }
        if chunk.lines.is_empty() { Ok(None) } else { self.finish_chunk(chunk).map(Some) }
    }

    /// The next object; `None` at the end.
    fn next_element(&mut self) -> Result<Option<Element>> {
        if let Some(element) = self.pending.take() {
            return Ok(Some(element));
        }
        let place = |line| Place::row(self.n_rows + 1, Some(line));
        let Some(element) = self.elements.next()? else { return Ok(None) };
        element.map(Some).map_err(|(line, fault)| Error::at(&self.path, place(line), fault))
    }

    /// Adds one object; false if the chunk must end before it.
    fn add(&mut self, element: Element, chunk: &mut Chunk, sizes: &Sizes) -> Result<bool> {
        let json = &self.elements.text()[element.range.clone()];
        let error = match self.columns.members(json) {
            Ok(members) => {
                let n_new = members.iter().filter(|(key, _)| matches!(key, Key::New(_))).count();
                let n_columns = self.columns.names.len() + n_new;
                // All rows get the new columns.
                if n_new > 0 && !chunk.lines.is_empty() && chunk.n_bytes(n_columns) > sizes.bytes {
                    self.pending = Some(element);
                    return Ok(false);
                }
                for (key, json) in members {
                    let column_idx = match key {
                        Key::Known(column_idx) => column_idx,
                        Key::New(name) => self.columns.add(name),
                    };
                    chunk.add(column_idx, json);
                }
                chunk.lines.push(element.line);
                return Ok(true);
            }
            Err(error) => error,
        };
        let fault = match error {
            RowError::Json(error) if !self.elements.is_array() => {
                let (detail, is_value) = self.elements.explain(&element, &error)?;
                Fault::Json { format: Format::JsonLines, detail, is_value }
            }
            error => fault(error, |error| (plain(error), true)),
        };
        let place = Place::row(self.n_rows + 1, Some(element.line));
        if self.bad_rows == BadRows::Stop {
            return Err(Error::at(&self.path, place, fault));
        }
        chunk.bad.push(BadRow::of(chunk.lines.len(), place, &fault));
        chunk.lines.push(element.line);
        Ok(true)
    }

    fn finish_chunk(&self, chunk: Chunk) -> Result<Table> {
        let Chunk { first_row, mut columns, lines, bad, .. } = chunk;
        let n_rows = lines.len();
        columns.resize_with(self.columns.names.len(), Cell::default);
        let columns: Vec<Column> = columns
            .into_iter()
            .zip(&self.columns.names)
            .map(|(mut column, name)| {
                column.fill_up_to(n_rows);
                column.values.finish().with_name(name.as_str().into()).into_column()
            })
            .collect();
        let frame = DataFrame::new(n_rows, columns)
            .map_err(|error| malformed(&self.path, Format::JsonLines, &error))?;
        Ok(Table { frame, cells: Cells::Json, left_out: Vec::new(), lines, first_row, bad })
    }

    /// Ends a survey, after the last chunk.
    ///
    /// # Errors
    /// `NoRows`.
    pub(in crate::tables) fn finish(self, notes: &mut ReadNotes) -> Result<()> {
        if self.elements.is_array() {
            notes.add(Note::Array);
        }
        if self.n_rows == 0 {
            return Err(Error::NoRows { path: self.path });
        }
        Ok(())
    }
}

/// Rows being read.
#[derive(Default)]
struct Chunk {
    first_row: usize,
    columns: Vec<Cell>,
    /// The line of each row.
    lines: Vec<usize>,
    bad: Vec<BadRow>,
    /// The bytes of cells, without those that every cell has.
    n_more: usize,
}

impl Chunk {
    /// The bytes of all cells, with those of rows without a column's key.
    fn n_bytes(&self, n_columns: usize) -> usize {
        self.n_more + Sizes::CELL * self.lines.len() * n_columns
    }

    /// Adds a cell of the next row.
    fn add(&mut self, column_idx: usize, json: &str) {
        if self.columns.len() <= column_idx {
            self.columns.resize_with(column_idx + 1, Cell::default);
        }
        let column = &mut self.columns[column_idx];
        column.fill_up_to(self.lines.len());
        column.values.append_value(json);
        column.n_values += 1;
        self.n_more += json.len().saturating_sub(Sizes::CELL);
    }
}

/// A column being read; rows without its key are filled with nulls before the next value.
struct Cell {
    values: StringChunkedBuilder,
    n_values: usize,
}

impl Default for Cell {
    fn default() -> Self {
        Self { values: StringChunkedBuilder::new("".into(), 0), n_values: 0 }
    }
}

impl Cell {
    fn fill_up_to(&mut self, n_values: usize) {
        for _ in self.n_values..n_values {
            self.values.append_null();
        }
        self.n_values = self.n_values.max(n_values);
    }
}

/// The columns so far.
#[derive(Default)]
struct Columns {
    /// In the order of their first appearance.
    names: Vec<String>,
    index: HashMap<String, usize>,
    /// The number of the last object with each key, from 1.
    last_seen: Vec<usize>,
    n_objects: usize,
}

impl Columns {
    fn add(&mut self, name: String) -> usize {
        self.index.insert(name.clone(), self.names.len());
        self.names.push(name);
        self.last_seen.push(0);
        self.names.len() - 1
    }

    /// The members of the next object: its keys and the text of their values.
    fn members<'a>(&mut self, json: &'a str) -> Result<Vec<(Key, &'a str)>, RowError> {
        if !json.trim_start().starts_with('{') {
            return Err(RowError::NotObject);
        }
        self.n_objects += 1;
        let mut row = Row { columns: self, new: HashSet::new(), found: Vec::new(), cause: None };
        let mut deserializer = serde_json::Deserializer::from_str(json);
        let result = deserializer.deserialize_map(&mut row).and_then(|()| deserializer.end());
        match (row.cause, result) {
            (Some(cause), _) => Err(cause),
            (None, Err(error)) => Err(RowError::Json(error)),
            (None, Ok(())) => Ok(row.found),
        }
    }
}

/// The column of a member.
enum Key {
    Known(usize),
    /// Only an object that can be read adds columns.
    New(String),
}

/// Visits the members of one object.
struct Row<'r, 'a> {
    columns: &'r mut Columns,
    new: HashSet<String>,
    found: Vec<(Key, &'a str)>,
    cause: Option<RowError>,
}

impl<'a> Row<'_, 'a> {
    /// The column of a key, or why it cannot have one.
    fn key(&mut self, key: &str) -> Result<Key, RowError> {
        let columns = &mut *self.columns;
        // Most objects have their keys in the order of the first object.
        let position = self.found.len();
        let is_next = columns.names.get(position).is_some_and(|name| name == key);
        let known = if is_next { Some(position) } else { columns.index.get(key).copied() };
        let Some(idx) = known else {
            if columns.names.len() + self.new.len() >= MAX_COLUMNS {
                return Err(RowError::TooManyKeys);
            }
            if !self.new.insert(key.to_owned()) {
                return Err(RowError::RepeatedKey(key.to_owned()));
            }
            return Ok(Key::New(key.to_owned()));
        };
        if columns.last_seen[idx] == columns.n_objects {
            return Err(RowError::RepeatedKey(key.to_owned()));
        }
        columns.last_seen[idx] = columns.n_objects;
        Ok(Key::Known(idx))
    }
}

impl<'a> Visitor<'a> for &mut Row<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key_seed(&mut *self)? {
            let Some(key) = key else { return Err(de::Error::custom("wrong key")) };
            let json = map.next_value::<&'a RawValue>()?.get();
            check(json).map_err(|error| {
                self.cause = Some(error);
                de::Error::custom("wrong value")
            })?;
            self.found.push((key, json));
        }
        Ok(())
    }
}

impl<'a> DeserializeSeed<'a> for &mut Row<'_, 'a> {
    type Value = Option<Key>;

    fn deserialize<D: de::Deserializer<'a>>(
        self,
        deserializer: D,
    ) -> Result<Option<Key>, D::Error> {
        deserializer.deserialize_str(KeyText(self))
    }
}

/// Visits the text of a key.
struct KeyText<'k, 'r, 'a>(&'k mut Row<'r, 'a>);

impl<'a> Visitor<'a> for KeyText<'_, '_, 'a> {
    type Value = Option<Key>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: de::Error>(self, key: &str) -> Result<Option<Key>, E> {
        match self.0.key(key) {
            Ok(key) => Ok(Some(key)),
            Err(error) => {
                self.0.cause = Some(error);
                Ok(None)
            }
        }
    }
}

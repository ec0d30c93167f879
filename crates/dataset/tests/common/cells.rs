//! The cells of a table, in the notation of `golden/expected.json`.
//!
//! Shared by tests and by the example programs that `xtask` runs.

#[path = "whole.rs"]
mod whole;

use std::path::Path;

#[allow(unused_imports, reason = "not every program writes answers")]
pub(crate) use self::whole::{AnswerColumn, TextTable};
use dataset::Format;
use polars::prelude::{Column, DataType};
use sha2::{Digest as _, Sha256};

/// One cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cell {
    /// Null; in JSON lines, an absent key.
    Nothing,
    /// A string.
    Text(String),
    /// Any other value: its JSON text; in Parquet a boolean, digits, `f` and the bits of an f64, or a
    /// time in ISO 8601.
    Raw(String),
}

/// A column by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cells {
    pub(crate) name: String,
    pub(crate) cells: Vec<Cell>,
}

/// All columns of a table, in file order.
pub(crate) fn cells(table: &TextTable) -> Vec<Cells> {
    let is_json = Format::of_input(table.path()).ok() == Some(Format::JsonLines);
    let cells = |column: &Column| match column.dtype() {
        DataType::String if is_json => texts(column, json_cell),
        DataType::String => texts(column, |text| Cell::Text(text.to_owned())),
        DataType::Categorical(..) => {
            texts(&cast(column, &DataType::String), |text| Cell::Text(text.to_owned()))
        }
        DataType::Float32 | DataType::Float64 => {
            let doubles = cast(column, &DataType::Float64);
            let cells = doubles.f64().unwrap().iter();
            cells.map(|cell| cell.map_or(Cell::Nothing, |x| Cell::Raw(double(x)))).collect()
        }
        // Polars writes a space between date and time.
        _ => texts(&cast(column, &DataType::String), |text| Cell::Raw(text.replace(' ', "T"))),
    };
    let columns = table.frame().columns().iter();
    columns.map(|column| Cells { name: column.name().to_string(), cells: cells(column) }).collect()
}

/// An f64 as written in `expected.json`.
pub(crate) fn double(number: f64) -> String {
    if number.is_nan() { "nan".to_owned() } else { format!("f{:016x}", number.to_bits()) }
}

/// The digest of all cells, row by row, as `make_tables.py` computes it.
pub(crate) fn digest(columns: &[Cells]) -> String {
    let mut hasher = Sha256::new();
    let n_rows = columns.first().map_or(0, |column| column.cells.len());
    let mut bytes = Vec::new();
    for row in 0..n_rows {
        bytes.clear();
        for column in columns {
            let (tag, text) = match &column.cells[row] {
                Cell::Nothing => {
                    bytes.push(0);
                    continue;
                }
                Cell::Text(text) => (1, text),
                Cell::Raw(text) => (2, text),
            };
            bytes.push(tag);
            bytes.extend_from_slice(&(text.len() as u32).to_le_bytes());
            bytes.extend_from_slice(text.as_bytes());
        }
        hasher.update(&bytes);
    }
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A file of `expected.json`.
pub(crate) struct Expected {
    pub(crate) file: String,
    /// Whether the file cannot be read.
    pub(crate) is_error: bool,
    /// Only their names, if there is a digest.
    pub(crate) columns: Vec<Cells>,
    pub(crate) digest: Option<String>,
}

/// The expected contents of the files in a folder.
pub(crate) fn expected(folder: &Path) -> Vec<Expected> {
    let json = std::fs::read(folder.join("expected.json")).unwrap();
    let files: serde_json::Value = serde_json::from_slice(&json).unwrap();
    let cell = |value: &serde_json::Value| match value {
        serde_json::Value::Null => Cell::Nothing,
        serde_json::Value::String(text) => Cell::Text(text.clone()),
        other => Cell::Raw(other[0].as_str().unwrap().to_owned()),
    };
    let column = |value: &serde_json::Value| match value.as_str() {
        Some(name) => Cells { name: name.to_owned(), cells: Vec::new() },
        None => Cells {
            name: value["name"].as_str().unwrap().to_owned(),
            cells: value["cells"].as_array().unwrap().iter().map(cell).collect(),
        },
    };
    let file = |value: &serde_json::Value| Expected {
        file: value["file"].as_str().unwrap().to_owned(),
        is_error: value.get("error").is_some(),
        columns: value["columns"].as_array().unwrap().iter().map(column).collect(),
        digest: value.get("digest").map(|digest| digest.as_str().unwrap().to_owned()),
    };
    files.as_array().unwrap().iter().map(file).collect()
}

fn cast(column: &Column, dtype: &DataType) -> Column {
    column.cast(dtype).unwrap()
}

fn texts(column: &Column, cell: impl Fn(&str) -> Cell) -> Vec<Cell> {
    column.str().unwrap().iter().map(|text| text.map_or(Cell::Nothing, &cell)).collect()
}

fn json_cell(json: &str) -> Cell {
    if json.starts_with('"') {
        Cell::Text(serde_json::from_str(json).unwrap())
    } else {
        Cell::Raw(json.to_owned())
    }
}

//! The columns of answers: what they hold, what they are called, and how they look beside the table.

use std::collections::HashSet;

use polars::prelude::{
    BooleanChunked, Column, DataType, Float32Chunked, Float32Type, IntoColumn as _,
    IntoSeries as _, ListBuilderTrait as _, ListPrimitiveChunkedBuilder, NewChunkedArray as _,
    StringChunked, UInt32Chunked,
};

use crate::chunked::{ChunkedTable, TextChunk};
use crate::error::{Error, Result};
use crate::tables::write::{Change, OutColumn};
use crate::tables::{BadRows, Cells, Format};

/// The column with what is wrong with rows that could not be read.
const ERROR: &str = "error";

/// What a column of answers holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerKind {
    /// Words, or nothing.
    Words,
    /// Numbers, such as probabilities.
    Numbers,
    /// Whole numbers.
    Counts,
    /// True or false.
    Flags,
    /// Lists of numbers: in Parquet a list, in JSON an array, in text tables a JSON array as a string.
    Lists,
}

/// A new column, before it has values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerName {
    /// The name that it should have, such as `predicted_label`.
    pub name: String,
    /// What it holds.
    pub kind: AnswerKind,
}

/// The answers of a column, `[n_texts]`.
#[derive(Clone, Copy, Debug)]
pub enum AnswerValues<'a> {
    /// Words; `None` is an empty cell.
    Words(&'a [Option<String>]),
    /// Numbers, such as probabilities.
    Numbers(&'a [f32]),
    /// Whole numbers.
    Counts(&'a [u32]),
    /// True or false.
    Flags(&'a [bool]),
    /// Lists of numbers.
    Lists(&'a [Vec<f32>]),
}

impl AnswerValues<'_> {
    fn len(&self) -> usize {
        match self {
            Self::Words(words) => words.len(),
            Self::Numbers(numbers) => numbers.len(),
            Self::Counts(counts) => counts.len(),
            Self::Flags(flags) => flags.len(),
            Self::Lists(lists) => lists.len(),
        }
    }

    /// What the column holds.
    pub fn kind(&self) -> AnswerKind {
        match self {
            Self::Words(_) => AnswerKind::Words,
            Self::Numbers(_) => AnswerKind::Numbers,
            Self::Counts(_) => AnswerKind::Counts,
            Self::Flags(_) => AnswerKind::Flags,
            Self::Lists(_) => AnswerKind::Lists,
        }
    }
}

/// The columns of answers that a table gets.
#[derive(Clone, Debug)]
pub(super) struct Answers {
    /// As they are written; at the end that of the column of errors, if there is one.
    pub(super) names: Vec<String>,
    kinds: Vec<AnswerKind>,
    has_errors: bool,
}

impl Answers {
    /// Names the columns so that they clash with none of the table.
    ///
    /// # Errors
    /// `AnswerTwice`.
    pub(super) fn of(table: &ChunkedTable, answers: &[AnswerName]) -> Result<Self> {
        let has_errors = table.bad_rows() == BadRows::Keep;
        let wanted = answers.iter().map(|answer| answer.name.as_str());
        let wanted: Vec<&str> = wanted.chain(has_errors.then_some(ERROR)).collect();
        for (idx, name) in wanted.iter().enumerate() {
            if wanted[..idx].iter().any(|other| other.eq_ignore_ascii_case(name)) {
                return Err(Error::AnswerTwice { name: (*name).to_owned() });
            }
        }
        let names = free_names(table, &wanted);
        let kinds = answers.iter().map(|answer| answer.kind).collect();
        Ok(Self { names, kinds, has_errors })
    }

    /// A chunk with its answers, as columns to write.
    ///
    /// # Errors
    /// `LengthMismatch`, `AnswerKinds`.
    pub(super) fn columns(
        &self,
        (table, format): (&ChunkedTable, Format),
        chunk: &TextChunk,
        answers: &[AnswerValues<'_>],
    ) -> Result<(Vec<OutColumn>, Vec<Change>)> {
        if !self.kinds.iter().copied().eq(answers.iter().map(AnswerValues::kind)) {
            return Err(Error::AnswerKinds);
        }
        let own = chunk.table.frame.columns().iter().map(|column| OutColumn {
            // One chunk per column: cells are looked up by row.
            column: column.rechunk(),
            cells: chunk.table.cells,
            kind: table.kind(column.name()),
        });
        let mut columns: Vec<OutColumn> = own.collect();
        let mut changes = Vec::new();
        for (name, values) in self.names.iter().zip(answers) {
            let (expected, got) = (chunk.n_texts(), values.len());
            if got != expected {
                return Err(Error::LengthMismatch { what: "answers", expected, got });
            }
            columns.push(column(name, (values, format), chunk, &mut changes));
        }
        if let Some(name) = self.names.last().filter(|_| self.has_errors) {
            let mut messages = vec![None; chunk.n_rows()];
            for bad in &chunk.table.bad {
                messages[bad.row_idx] = Some(bad.message.as_str());
            }
            let messages =
                StringChunked::from_iter_options(name.as_str().into(), messages.into_iter());
            columns.push(typed(messages.into_column()));
        }
        Ok((columns, changes))
    }
}

fn typed(column: Column) -> OutColumn {
    OutColumn { column, cells: Cells::Typed, kind: None }
}

/// A column of answers; rows without text have none.
fn column(
    name: &str,
    (values, format): (&AnswerValues<'_>, Format),
    chunk: &TextChunk,
    changes: &mut Vec<Change>,
) -> OutColumn {
    let column_name = name.into();
    typed(match *values {
        AnswerValues::Words(words) => {
            let words = spread(chunk, words.iter().map(|word| word.as_deref()));
            StringChunked::from_iter_options(column_name, words.into_iter()).into_column()
        }
        AnswerValues::Numbers(numbers) => {
            let numbers = spread(chunk, numbers.iter().copied().map(Some));
            Float32Chunked::from_iter_options(column_name, numbers.into_iter()).into_column()
        }
        AnswerValues::Counts(counts) => {
            let counts = spread(chunk, counts.iter().copied().map(Some));
            UInt32Chunked::from_iter_options(column_name, counts.into_iter()).into_column()
        }
        AnswerValues::Flags(flags) => {
            let flags = spread(chunk, flags.iter().copied().map(Some));
            BooleanChunked::from_iter_options(column_name, flags.into_iter()).into_column()
        }
        AnswerValues::Lists(lists) if format == Format::Parquet => {
            let lists = spread(chunk, lists.iter().map(|list| Some(list.as_slice())));
            let mut builder = ListPrimitiveChunkedBuilder::<Float32Type>::new(
                column_name,
                lists.len(),
                lists.len(),
                DataType::Float32,
            );
            for list in lists {
                match list {
                    Some(list) => builder.append_slice(list),
                    None => builder.append_null(),
                }
            }
            builder.finish().into_series().into_column()
        }
        AnswerValues::Lists(lists) => {
            let is_bad = |list: &&Vec<f32>| list.iter().any(|number| !number.is_finite());
            let n_cells = lists.iter().filter(is_bad).count();
            if n_cells > 0 {
                changes.push(Change::NotFinite { column: name.to_owned(), n_cells });
            }
            // Writing numbers as JSON cannot fail: those that are not finite become null.
            let json: Vec<String> =
                lists.iter().map(|list| serde_json::to_string(list).unwrap_or_default()).collect();
            let is_json = format == Format::JsonLines;
            let cells = spread(chunk, json.iter().map(|json| Some(json.as_str())));
            // In JSON, no value is null, and an absent key would be another table.
            let cells = cells.into_iter().map(|cell| cell.or(is_json.then_some("null")));
            let column = StringChunked::from_iter_options(column_name, cells).into_column();
            let cells = if is_json { Cells::Json } else { Cells::Typed };
            return OutColumn { column, cells, kind: None };
        }
    })
}

/// Spreads one value per text over the rows: rows without text get `None`.
fn spread<T: Copy>(chunk: &TextChunk, of_texts: impl Iterator<Item = Option<T>>) -> Vec<Option<T>> {
    let Some(rows) = &chunk.rows else { return of_texts.collect() };
    let mut column = vec![None; chunk.n_rows()];
    for (&row, value) in rows.iter().zip(of_texts) {
        column[row as usize] = value;
    }
    column
}

/// The names of the new columns, with the first number for which all are free. Case is ignored,
/// because DuckDB and Spark ignore it.
fn free_names(table: &ChunkedTable, wanted: &[&str]) -> Vec<String> {
    let names = table.columns().iter().chain(table.left_out_columns());
    let taken: HashSet<String> = names.map(|name| name.trim().to_ascii_lowercase()).collect();
    let is_free = |name: &String| !taken.contains(&name.trim().to_ascii_lowercase());
    let mut names: Vec<String> = wanted.iter().map(|&name| name.to_owned()).collect();
    let mut number = 2;
    while !names.iter().all(is_free) {
        names = wanted.iter().map(|name| format!("{name}_{number}")).collect();
        number += 1;
    }
    names
}

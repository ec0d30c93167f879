//! Columns of values from memory, without gaps.

use polars::prelude::{
    Column, DataType, Float32Chunked, Float32Type, IntoColumn as _, IntoSeries as _,
    ListBuilderTrait as _, ListPrimitiveChunkedBuilder, ListStringChunkedBuilder,
    NewChunkedArray as _, StringChunked, UInt32Chunked,
};

/// What a column of a [`ParquetFile`](crate::ParquetFile) holds. No value is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParquetKind {
    /// Whole numbers.
    Counts,
    /// Numbers, in single precision.
    Numbers,
    /// Words.
    Words,
    /// Lists of numbers.
    NumberLists,
    /// Lists of words.
    WordLists,
}

/// The values of a column of a [`ParquetFile`](crate::ParquetFile) for some rows.
#[derive(Clone, Copy, Debug)]
pub enum ParquetValues<'a> {
    /// `[n_rows]`: whole numbers.
    Counts(&'a [u32]),
    /// `[n_rows]`: numbers.
    Numbers(&'a [f32]),
    /// `[n_rows]`: words.
    Words(&'a [&'a str]),
    /// A list of as many numbers for each row.
    NumberLists {
        /// `[n_rows·width]`: the lists one after another.
        numbers: &'a [f32],
        /// The numbers of a row.
        width: usize,
    },
    /// `[n_rows]`: a list of any number of words for each row.
    WordLists(&'a [Vec<&'a str>]),
}

impl ParquetKind {
    /// The values of no rows.
    pub(super) fn no_values(self) -> ParquetValues<'static> {
        match self {
            Self::Counts => ParquetValues::Counts(&[]),
            Self::Numbers => ParquetValues::Numbers(&[]),
            Self::Words => ParquetValues::Words(&[]),
            Self::NumberLists => ParquetValues::NumberLists { numbers: &[], width: 1 },
            Self::WordLists => ParquetValues::WordLists(&[]),
        }
    }
}

impl ParquetValues<'_> {
    /// What the column holds.
    pub fn kind(&self) -> ParquetKind {
        match self {
            Self::Counts(_) => ParquetKind::Counts,
            Self::Numbers(_) => ParquetKind::Numbers,
            Self::Words(_) => ParquetKind::Words,
            Self::NumberLists { .. } => ParquetKind::NumberLists,
            Self::WordLists(_) => ParquetKind::WordLists,
        }
    }

    /// How many values so many rows need, those of all lists of numbers together, and how many there are.
    pub(super) fn n_values(&self, n_rows: usize) -> (usize, usize) {
        match self {
            Self::Counts(counts) => (n_rows, counts.len()),
            Self::Numbers(numbers) => (n_rows, numbers.len()),
            Self::Words(words) => (n_rows, words.len()),
            Self::NumberLists { numbers, width } => (n_rows.saturating_mul(*width), numbers.len()),
            Self::WordLists(lists) => (n_rows, lists.len()),
        }
    }

    /// The values of so many rows, of which there are enough, as a column.
    pub(super) fn column(&self, name: &str, n_rows: usize) -> Column {
        let name = name.into();
        match *self {
            Self::Counts(counts) => UInt32Chunked::from_slice(name, counts).into_column(),
            Self::Numbers(numbers) => Float32Chunked::from_slice(name, numbers).into_column(),
            Self::Words(words) => StringChunked::from_slice(name, words).into_column(),
            Self::NumberLists { numbers, width } => {
                let mut builder = ListPrimitiveChunkedBuilder::<Float32Type>::new(
                    name,
                    n_rows,
                    numbers.len(),
                    DataType::Float32,
                );
                (0..n_rows).for_each(|row| builder.append_slice(&numbers[row * width..][..width]));
                builder.finish().into_series().into_column()
            }
            Self::WordLists(lists) => {
                let n_words = lists.iter().map(Vec::len).sum();
                let mut builder = ListStringChunkedBuilder::new(name, n_rows, n_words);
                lists.iter().for_each(|list| builder.append_values_iter(list.iter().copied()));
                builder.finish().into_series().into_column()
            }
        }
    }
}

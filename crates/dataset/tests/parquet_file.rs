//! Columns from memory come back from Parquet as they were, and a file is complete or absent.
#![allow(clippy::unwrap_used, reason = "a test that cannot make its file has failed")]

use std::fs::{self, File};
use std::path::Path;

use dataset::{Error, Format, ParquetFile, ParquetKind, ParquetValues};
use polars::prelude::{Column, DataFrame, DataType, ParquetReader, SerReader};
use polars_parquet::read::{FileMetadata, read_metadata};

const ALL: [(&str, ParquetKind); 5] = [
    ("count", ParquetKind::Counts),
    ("number", ParquetKind::Numbers),
    ("word", ParquetKind::Words),
    ("numbers", ParquetKind::NumberLists),
    ("words", ParquetKind::WordLists),
];

/// Rows of all kinds, made of their numbers.
struct Rows {
    counts: Vec<u32>,
    numbers: Vec<f32>,
    words: Vec<String>,
    /// Three a row.
    lists: Vec<f32>,
    word_lists: Vec<Vec<String>>,
}

/// Numbers that are easily changed, which recur, so that a dictionary would pay.
fn odd_number(row: usize) -> f32 {
    const BITS: [u32; 8] = [
        0x0000_0000,
        0x8000_0000, // -0
        0x7fc0_0000, // NaN
        0xffc0_1234, // another NaN
        0x7f80_0000, // infinity
        0xff80_0000,
        0x0000_0001, // the smallest number
        0x3eaa_aaab,
    ];
    f32::from_bits(BITS[row % BITS.len()])
}

impl Rows {
    fn new(rows: std::ops::Range<usize>) -> Self {
        let word =
            |row: usize| ["", "a", "größe \0\n", "a word too long for a view", "null"][row % 5];
        Self {
            counts: rows
                .clone()
                .map(|row| if row % 7 == 0 { u32::MAX } else { row as u32 })
                .collect(),
            numbers: rows.clone().map(odd_number).collect(),
            words: rows.clone().map(|row| word(row).to_owned()).collect(),
            lists: rows.clone().flat_map(|row| [row as f32, odd_number(row), 0.1]).collect(),
            word_lists: rows
                .map(|row| (0..row % 4).map(|idx| word(row + idx).to_owned()).collect())
                .collect(),
        }
    }

    fn write_to(&self, file: &mut ParquetFile) {
        let words: Vec<&str> = self.words.iter().map(String::as_str).collect();
        let lists: Vec<Vec<&str>> =
            self.word_lists.iter().map(|list| list.iter().map(String::as_str).collect()).collect();
        let values = [
            ParquetValues::Counts(&self.counts),
            ParquetValues::Numbers(&self.numbers),
            ParquetValues::Words(&words),
            ParquetValues::NumberLists { numbers: &self.lists, width: 3 },
            ParquetValues::WordLists(&lists),
        ];
        file.write(words.len(), &values).unwrap();
    }
}

fn read(path: &Path) -> DataFrame {
    ParquetReader::new(File::open(path).unwrap()).finish().unwrap()
}

fn metadata(path: &Path) -> FileMetadata {
    read_metadata(&mut File::open(path).unwrap()).unwrap()
}

/// The bits of all numbers of a column, of lists one after another.
fn bits(column: &Column) -> Vec<u32> {
    assert_eq!(column.null_count(), 0);
    let column =
        if column.dtype().is_list() { &column.list().unwrap().get_inner().into() } else { column };
    assert_eq!(column.null_count(), 0);
    column.f32().unwrap().iter().map(|number| number.unwrap().to_bits()).collect()
}

fn bits_of(numbers: &[f32]) -> Vec<u32> {
    numbers.iter().map(|number| number.to_bits()).collect()
}

#[test]
fn every_value_comes_back_bit_for_bit_from_every_group() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("all.parquet");
    // The second group has several pages of lists.
    let sizes = [1, 200_000, 300];
    let mut file = ParquetFile::create(&path, &ALL, &[]).unwrap();
    let (mut first, mut groups) = (0, Vec::new());
    for n_rows in sizes {
        let rows = Rows::new(first..first + n_rows);
        rows.write_to(&mut file);
        groups.push(rows);
        first += n_rows;
    }
    file.finish().unwrap();

    let read_groups = metadata(&path).row_groups;
    assert_eq!(read_groups.iter().map(|group| group.num_rows()).collect::<Vec<_>>(), sizes);
    let frame = read(&path);
    assert_eq!(frame.height(), first);
    let rows = Rows::new(0..first);
    let column = |name| frame.column(name).unwrap();
    let counts: Vec<u32> = column("count").u32().unwrap().iter().map(Option::unwrap).collect();
    assert!(counts == rows.counts);
    assert!(bits(column("number")) == bits_of(&rows.numbers));
    let words: Vec<&str> = column("word").str().unwrap().iter().map(Option::unwrap).collect();
    assert!(words == rows.words);
    assert!(bits(column("numbers")) == bits_of(&rows.lists));
    assert_eq!(*column("numbers").dtype(), DataType::List(Box::new(DataType::Float32)));
    let lists = column("words").list().unwrap();
    for (row, expected) in rows.word_lists.iter().enumerate() {
        let list = lists.get_as_series(row).unwrap();
        let list: Vec<&str> = list.str().unwrap().iter().map(Option::unwrap).collect();
        assert_eq!(list, *expected, "row {row}");
    }
    let numbers = column("numbers").list().unwrap();
    assert!((0..first).all(|row| numbers.get_as_series(row).unwrap().len() == 3));
}

#[test]
fn lists_may_hold_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("empty.parquet");
    let mut file = ParquetFile::create(&path, &ALL[3..], &[]).unwrap();
    let no_numbers = ParquetValues::NumberLists { numbers: &[], width: 0 };
    file.write(2, &[no_numbers, ParquetValues::WordLists(&[vec![], vec![]])]).unwrap();
    file.finish().unwrap();
    let frame = read(&path);
    assert_eq!(frame.height(), 2);
    for column in frame.columns() {
        let lists = column.list().unwrap();
        assert_eq!((column.null_count(), lists.get_inner().len()), (0, 0));
    }
}

#[test]
fn a_file_without_rows_has_its_columns() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("empty.parquet");
    let mut file = ParquetFile::create(&path, &ALL, &[]).unwrap();
    Rows::new(0..0).write_to(&mut file);
    file.finish().unwrap();
    let frame = read(&path);
    assert_eq!(frame.height(), 0);
    let names: Vec<&str> = frame.columns().iter().map(|column| column.name().as_str()).collect();
    assert_eq!(names, ALL.map(|(name, _)| name));
    let list = |inner| DataType::List(Box::new(inner));
    let (number, word) = (DataType::Float32, DataType::String);
    let expected = [DataType::UInt32, number.clone(), word.clone(), list(number), list(word)];
    assert!(frame.columns().iter().map(Column::dtype).eq(&expected));
}

#[test]
fn metadata_are_kept_beside_the_schema() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    let file = ParquetFile::create(&path, &ALL, &[("model", "größe \"1\""), ("b", "")]).unwrap();
    file.finish().unwrap();
    let kept = metadata(&path).key_value_metadata.unwrap();
    let kept: Vec<(&str, Option<&str>)> =
        kept.iter().map(|pair| (pair.key.as_str(), pair.value.as_deref())).collect();
    assert_eq!(kept[1..], [("model", Some("größe \"1\"")), ("b", Some(""))]);
    assert_eq!(kept[0].0, "ARROW:schema");
}

#[test]
fn equal_calls_write_equal_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let written = |name: &str| {
        let path = folder.path().join(name);
        let mut file = ParquetFile::create(&path, &ALL, &[("a", "b")]).unwrap();
        Rows::new(0..5000).write_to(&mut file);
        Rows::new(5000..6000).write_to(&mut file);
        file.finish().unwrap();
        fs::read(&path).unwrap()
    };
    let first = written("a.parquet");
    assert!((0..3).all(|_| written("b.parquet") == first));
}

#[test]
fn a_file_appears_when_it_is_complete_and_replaces_an_older_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    let names = || fs::read_dir(folder.path()).unwrap().count();
    let create = || ParquetFile::create(&path, &ALL, &[]).unwrap();

    let mut file = create();
    Rows::new(0..10).write_to(&mut file);
    assert!(!path.exists());
    drop(file);
    assert_eq!(names(), 0);

    fs::write(&path, "older").unwrap();
    let mut file = create();
    Rows::new(0..10).write_to(&mut file);
    assert_eq!(fs::read(&path).unwrap(), b"older");
    file.finish().unwrap();
    assert_eq!((read(&path).height(), names()), (10, 1));

    let elsewhere = folder.path().join("no/a.parquet");
    let error = ParquetFile::create(&elsewhere, &ALL, &[]).unwrap_err();
    assert!(matches!(error, Error::Write { path, .. } if path == elsewhere));
}

#[test]
fn values_that_are_not_those_declared_are_refused_and_the_file_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    let columns = [ALL[0], ALL[3]];
    let mut file = ParquetFile::create(&path, &columns, &[]).unwrap();
    let counts = ParquetValues::Counts(&[1, 2]);
    let lists = |width| ParquetValues::NumberLists { numbers: &[0.0; 6], width };
    let mut message = |n_rows: usize, values: &[ParquetValues<'_>]| {
        file.write(n_rows, values).unwrap_err().to_string()
    };
    let kinds = "the columns do not have the kinds that were declared";
    assert_eq!(message(2, &[counts]), kinds);
    assert_eq!(message(2, &[lists(3), counts]), kinds);
    assert_eq!(message(2, &[counts, lists(3), counts]), kinds);
    assert_eq!(message(3, &[counts, lists(2)]), "column \"count\": expected 3 values, got 2");
    assert_eq!(message(2, &[counts, lists(4)]), "column \"numbers\": expected 8 values, got 6");
    assert!(message(2, &[counts, lists(usize::MAX)]).starts_with("column \"numbers\": expected "));
    assert_eq!(message(0, &[counts, lists(0)]), "column \"count\": expected 0 values, got 2");
    file.write(2, &[counts, lists(3)]).unwrap();
    file.finish().unwrap();
    assert_eq!(read(&path).height(), 2);

    let error = ParquetFile::create(&path, &[ALL[0], ALL[0]], &[]).unwrap_err();
    assert!(matches!(error, Error::Encode { format: Format::Parquet, .. }), "{error}");
}

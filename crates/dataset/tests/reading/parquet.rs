//! Parquet files.

use polars::prelude::*;

use super::{check, file, message, read, text_table};

pub(super) fn parquet(mut frame: DataFrame) -> Vec<u8> {
    let mut bytes = Vec::new();
    ParquetWriter::new(&mut bytes).finish(&mut frame).unwrap();
    bytes
}

fn frame(columns: Vec<Column>) -> Vec<u8> {
    parquet(DataFrame::new_infer_height(columns).unwrap())
}

#[test]
fn labels_of_every_type() {
    let texts = Column::new("text".into(), ["good", "bad"]);
    let words = || Column::new("label".into(), ["pos", "neg"]);
    let labels = [
        Column::new("label".into(), [1i64, 0]),
        Column::new("label".into(), [1i32, 0]),
        Column::new("label".into(), [1i16, 0]),
        Column::new("label".into(), [1i8, 0]),
        Column::new("label".into(), [1u64, 0]),
        Column::new("label".into(), [1u32, 0]),
        Column::new("label".into(), [1u16, 0]),
        Column::new("label".into(), [1u8, 0]),
        Column::new("label".into(), [1f32, 0.0]),
        Column::new("label".into(), [1f64, 0.0]),
        Column::new("label".into(), [1i64, -1]),
        Column::new("label".into(), [true, false]),
        words(),
        words().cast(&DataType::from_categories(Categories::global())).unwrap(),
        Column::new("label".into(), [&b"pos"[..], b"neg"]),
    ];
    for label in labels {
        let dtype = label.dtype().clone();
        let (_folder, path) = file("reviews.parquet", frame(vec![texts.clone(), label]));
        let table = read(&path).unwrap();
        assert_eq!(table.texts().collect::<Vec<_>>(), ["good", "bad"], "{dtype:?}");
        assert_eq!(table.targets().one_of(), Some(&[1, 0][..]), "{dtype:?}");
    }
}

#[test]
fn texts_may_be_categories_or_bytes_but_not_numbers() {
    let labels = || Column::new("y".into(), [1i64, 0]);
    let texts = Column::new("text".into(), ["good", "bäd"]);
    let categories = texts.cast(&DataType::from_categories(Categories::global())).unwrap();
    check("a.parquet", frame(vec![categories, labels()]), &["good", "bäd"], &[1, 0]);
    let enumeration = FrozenCategories::new(["bäd", "good"]).unwrap();
    let enumerated = texts.cast(&DataType::from_frozen_categories(enumeration)).unwrap();
    check("a.parquet", frame(vec![enumerated, labels()]), &["good", "bäd"], &[1, 0]);
    let bytes = Column::new("text".into(), ["good".as_bytes(), "bäd".as_bytes()]);
    check("a.parquet", frame(vec![bytes, labels()]), &["good", "bäd"], &[1, 0]);
    assert_eq!(
        message("a.parquet", frame(vec![Column::new("text".into(), [1i64, 2]), labels()])),
        "a.parquet: column \"text\" has type i64; a text column must hold strings"
    );
    let nothing = Column::full_null("text".into(), 2, &DataType::Null);
    assert_eq!(
        message("a.parquet", frame(vec![nothing, labels()])),
        "a.parquet, row 1: column \"text\" has no value"
    );
}

#[test]
fn what_is_wrong_is_named_with_its_row() {
    let texts = Column::new("text".into(), [Some("a"), None, Some("c")]);
    let labels = Column::new("label".into(), [Some(1i64), Some(0), None]);
    assert_eq!(
        message("a.parquet", frame(vec![texts.clone(), labels.clone()])),
        "a.parquet, row 2: column \"text\" has no value"
    );
    let texts = texts.str().unwrap().apply(|text| text.or(Some("")).map(Into::into)).into_column();
    assert_eq!(
        message("a.parquet", frame(vec![texts, labels])),
        "a.parquet, row 3: column \"label\" has no value"
    );
}

#[test]
fn columns_that_no_table_of_text_can_hold_are_left_out_and_told() {
    let list = Column::new("tags".into(), [Series::new("".into(), ["x"])]);
    let columns = vec![
        Column::new("text".into(), ["a"]),
        list,
        Column::new("raw".into(), [&b"\xff\xfe"[..]]),
        Column::new("id".into(), [7i64]),
    ];
    let (_folder, path) = file("a.parquet", frame(columns.clone()));
    let table = text_table(&path).unwrap();
    assert_eq!(table.left_out_columns(), ["tags", "raw"]);
    assert_eq!(table.frame().get_column_names(), ["text", "id"]);
    assert_eq!(table.notes().iter().len(), 1);

    let mut guessed = columns.clone();
    guessed[0].rename("other".into());
    guessed[1].rename("text".into());
    let message_of = message("a.parquet", frame(guessed));
    assert!(message_of.starts_with("a.parquet: column \"text\" was left out"), "{message_of}");

    let mut columns = columns;
    columns[0].rename("other".into());
    columns[2].rename("text".into());
    let (folder, path) = file("a.parquet", frame(columns));
    let choice =
        dataset::ColumnChoice { text: Some("text".to_owned()), ..dataset::ColumnChoice::default() };
    let file = dataset::DataFile::open(&path).unwrap();
    let error = crate::TextTable::read(&file, &choice, &dataset::ReadOptions::default());
    let message = super::without(folder.path(), &error.unwrap_err());
    assert!(message.starts_with("a.parquet: column \"text\" was left out"), "{message}");
}

#[test]
fn a_damaged_file_never_panics() {
    let texts: Vec<String> = (0..500).map(|row| format!("text {row}")).collect();
    let labels: Vec<i64> = (0..500).map(|row| row % 2).collect();
    let good = parquet(df!("text" => texts, "label" => labels).unwrap());

    let cut = message("reviews.parquet", &good[..good.len() / 2]);
    assert!(cut.starts_with("reviews.parquet is not readable as Parquet: "), "{cut}");

    // Every byte of the footer and some of the pages; a damaged file may still be readable.
    let step = (good.len() / 400).max(1);
    for position in (4..good.len()).step_by(step) {
        let mut bad = good.clone();
        bad[position] ^= 0xff;
        let (_folder, path) = file("reviews.parquet", bad);
        if let Err(error) = read(&path) {
            assert!(error.to_string().contains("reviews.parquet"), "{error}");
        }
    }
}

//! Random tables: the output of a correct writer is read unchanged, whichever columns are wanted.

use csv::{QuoteStyle, ReaderBuilder, Terminator, WriterBuilder};
use dataset::{ColumnChoice, DataFile, Quoting, ReadOptions, Separator};
use proptest::prelude::*;

use super::{TextTable, file, text_table};

/// Cells of characters that make quoting hard, and of ordinary words.
fn cell() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "word", " ", "\"", "\"\"", ",", ";", "\t", "|", "\n", "\r\n", "\r", "'", "\\", "\\\"", "é",
        "👍", "\u{2028}", "#", "1", "a,b", "\"x\"",
    ]);
    prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

/// A table with at least two columns, all named.
fn table() -> impl Strategy<Value = Vec<Vec<String>>> {
    (2..5usize).prop_flat_map(|n_columns| {
        prop::collection::vec(prop::collection::vec(cell(), n_columns), 1..8)
    })
}

fn names(n_columns: usize) -> Vec<String> {
    (0..n_columns)
        .map(|column| if column == 0 { "text".to_owned() } else { format!("c{column}") })
        .collect()
}

fn written(rows: &[Vec<String>], separator: u8, quotes: QuoteStyle, end: Terminator) -> Vec<u8> {
    let mut writer = WriterBuilder::new()
        .delimiter(separator)
        .quote_style(quotes)
        .terminator(end)
        .from_writer(Vec::new());
    writer.write_record(names(rows[0].len())).unwrap();
    for row in rows {
        writer.write_record(row).unwrap();
    }
    writer.into_inner().unwrap()
}

/// Every cell of a table; null becomes an empty string.
fn cells(table: &TextTable) -> Vec<Vec<String>> {
    let columns: Vec<_> =
        table.frame().columns().iter().map(|column| column.str().unwrap().clone()).collect();
    (0..table.n_rows())
        .map(|row| {
            columns.iter().map(|column| column.get(row).unwrap_or_default().to_owned()).collect()
        })
        .collect()
}

fn separators() -> impl Strategy<Value = u8> {
    prop::sample::select(vec![b',', b';', b'\t', b'|'])
}

fn quote_styles() -> impl Strategy<Value = QuoteStyle> {
    prop::sample::select(vec![QuoteStyle::Necessary, QuoteStyle::Always, QuoteStyle::NonNumeric])
}

fn ends() -> impl Strategy<Value = Terminator> {
    prop::sample::select(vec![Terminator::CRLF, Terminator::Any(b'\n')])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_is_written_comes_in_equal(
        rows in table(),
        separator in separators(),
        quotes in quote_styles(),
        end in ends(),
    ) {
        let bytes = written(&rows, separator, quotes, end);
        let (_folder, path) = file("a.csv", &bytes);
        let options = ReadOptions {
            separator: Separator::named(&char::from(separator).to_string()).ok(),
            quoting: Quoting::Standard,
            missing: dataset::Missing::Empty,
            ..ReadOptions::default()
        };
        for text in names(rows[0].len()) {
            let choice = ColumnChoice { text: Some(text), ..ColumnChoice::default() };
            let table = TextTable::read(&DataFile::open(&path).unwrap(), &choice, &options).unwrap();
            prop_assert_eq!(&cells(&table), &rows);
        }
    }

    /// Without options; an ambiguous table may be rejected, but never misread.
    #[test]
    fn what_is_written_is_never_read_otherwise(
        rows in table(),
        separator in separators(),
        quotes in quote_styles(),
        end in ends(),
    ) {
        let bytes = written(&rows, separator, quotes, end);
        let (_folder, path) = file(if separator == b'\t' { "a.tsv" } else { "a.csv" }, &bytes);
        let options = ReadOptions { missing: dataset::Missing::Empty, ..ReadOptions::default() };
        let file = DataFile::open(&path).unwrap();
        if let Ok(table) = TextTable::read(&file, &ColumnChoice::default(), &options) {
            prop_assert_eq!(cells(&table), rows);
        }
    }

    /// Random bytes: if we accept them, the `csv` crate reads the same.
    #[test]
    fn what_is_accepted_is_what_others_read(
        rows in prop::collection::vec(prop::collection::vec("[ab\", \n\r]{0,5}", 2), 1..6),
    ) {
        let lines: Vec<String> = rows.iter().map(|row| row.join(",")).collect();
        let content = format!("text,c1\n{}\n", lines.join("\n"));
        let (_folder, path) = file("a.csv", &content);
        let options = ReadOptions {
            quoting: Quoting::Standard,
            missing: dataset::Missing::Empty,
            ..ReadOptions::default()
        };
        let file = DataFile::open(&path).unwrap();
        let Ok(table) = TextTable::read(&file, &ColumnChoice::default(), &options) else {
            return Ok(());
        };
        let mut others = ReaderBuilder::new().flexible(true).from_reader(content.as_bytes());
        let others: Vec<Vec<String>> = others
            .records()
            .map(|record| record.unwrap().iter().map(str::to_owned).collect())
            .collect();
        // We read blank lines as rows without values; others ignore them.
        let ours: Vec<Vec<String>> =
            cells(&table).into_iter().filter(|row| row.iter().any(|cell| !cell.is_empty())).collect();
        let others: Vec<Vec<String>> = others
            .into_iter()
            .filter(|row| row.len() > 1 || row.iter().any(|cell| !cell.trim().is_empty()))
            .filter(|row| row.iter().any(|cell| !cell.is_empty()))
            .collect();
        prop_assert_eq!(ours, others);
    }
}

#[test]
fn a_table_of_one_column_is_one() {
    let (_folder, path) = file("a.csv", "text\n\"a, \"\"b\"\"\"\n\"\"\n c\n");
    let table = text_table(&path).unwrap();
    assert_eq!(table.texts().collect::<Vec<_>>(), ["a, \"b\"", "", " c"]);
}

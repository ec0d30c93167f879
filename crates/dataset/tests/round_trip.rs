//! Tables from other programs are read as written, and survive being written and read again.
//!
//! The files in `golden/` were written by Python's csv and json, pandas, polars and pyarrow; see
//! `golden/make_tables.py`. Random tables then go through every pair of formats.
#![allow(clippy::unwrap_used, reason = "a test that cannot make its file has failed")]
#![allow(clippy::panic, reason = "a test that finds a difference has failed")]

#[path = "common/cells.rs"]
#[allow(dead_code, reason = "digests are for the example programs")]
mod cells;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use cells::{AnswerColumn, Cell, Cells, TextTable, cells, double, expected};
use dataset::{
    AnswerValues, Change, ColumnChoice, DataFile, Existing, Format, LabelOptions, LabelledTexts,
    ReadOptions,
};
use proptest::prelude::*;

const FORMATS: [(&str, Format); 4] = [
    ("csv", Format::Csv),
    ("tsv", Format::Tsv),
    ("jsonl", Format::JsonLines),
    ("parquet", Format::Parquet),
];

fn read(path: &Path) -> dataset::Result<TextTable> {
    TextTable::read(&DataFile::open(path)?, &ColumnChoice::default(), &ReadOptions::default())
}

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// Thread pools are created once per process, so each number of threads needs its own process.
#[test]
fn tables_of_other_programs_are_the_same_with_1_2_and_8_threads() {
    let program = std::env::current_exe().unwrap();
    for n_threads in ["1", "2", "8"] {
        let output = Command::new(&program)
            .args(["--exact", "with_some_threads", "--ignored"])
            .envs([("RAYON_NUM_THREADS", n_threads), ("POLARS_MAX_THREADS", n_threads)])
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && told.contains("1 passed"), "{n_threads}: {told}");
    }
}

#[test]
#[ignore = "the test above runs it with a number of threads"]
fn with_some_threads() {
    let folder = tempfile::tempdir().unwrap();
    let files = expected(&golden());
    assert!(files.len() > 40);
    for file in files {
        let path = golden().join(&file.file);
        if file.is_error {
            let message = read(&path).unwrap_err().to_string();
            assert!(message.contains("no rows") || message.contains("is empty"), "{message}");
            continue;
        }
        let table = read(&path).unwrap_or_else(|error| panic!("{error}"));
        let found = cells(&table);
        assert_same(&file.file, &file.columns, &found, Cell::eq);
        written_and_read_again(&table, &found, folder.path(), &file.file);
    }
}

/// Writes a table in every format and reads it again.
fn written_and_read_again(table: &TextTable, columns: &[Cells], folder: &Path, name: &str) {
    // The only one that no extension implies.
    let from = Format::of_input(table.path()).unwrap_or(Format::FastText);
    let n_rows = table.len();
    let word = |row: usize| if row % 3 == 1 { "positive" } else { "negative" };
    let words: Vec<Option<String>> = (0..n_rows).map(|row| Some(word(row).to_owned())).collect();
    let probabilities: Vec<f32> = (0..n_rows).map(probability).collect();
    let column = |name: &str, values| AnswerColumn { name: name.to_owned(), values };
    let answers = [
        column("predicted_label", AnswerValues::Words(&words)),
        column("probability", AnswerValues::Numbers(&probabilities)),
    ];
    for (extension, to) in FORMATS {
        let path = folder.join(format!("out.{extension}"));
        let written = table.write_answers(&path, &answers, Existing::Replace).unwrap();
        let again = read(&path).unwrap_or_else(|error| panic!("{name} → {extension}: {error}"));
        let mut found = cells(&again);
        // Keys that the first object lacks come after the predictions.
        let mut answer = |name: &str| {
            let at = found.iter().position(|column| column.name == name).unwrap();
            found.remove(at).cells
        };
        let read = [answer(&written.names[0]), answer(&written.names[1])];
        for row in 0..n_rows {
            assert_eq!(read[0][row], Cell::Text(word(row).to_owned()));
            let again = number(&read[1][row]).unwrap() as f32;
            assert_eq!(again.to_bits(), probabilities[row].to_bits(), "{name} → {extension}");
        }
        let expected: Vec<Cells> = columns
            .iter()
            .map(|Cells { name, cells }| {
                let as_json =
                    written.changes.contains(&Change::AsJsonText { column: name.clone() });
                let cells = cells.iter().map(|cell| after(cell, from, to, as_json)).collect();
                Cells { name: name.clone(), cells }
            })
            .collect();
        assert_same(&format!("{name} → {extension}"), &expected, &found, same);
    }
}

/// Any probability, including the smallest and the one with the most digits.
fn probability(row: usize) -> f32 {
    match row % 7 {
        0 => 0.1,
        1 => 1.0,
        2 => f32::from_bits(1),
        3 => 0.0,
        4 => 0.999_999_94,
        5 => 1e-7,
        _ => (row as f32).sin().abs(),
    }
}

/// The expected cell after conversion from one format to another.
fn after(cell: &Cell, from: Format, to: Format, as_json: bool) -> Cell {
    let is_json = from == Format::JsonLines;
    match (cell, to) {
        (Cell::Nothing, Format::JsonLines) if !is_json => Cell::Raw("null".to_owned()),
        (Cell::Raw(raw), _) if raw == "null" && to != Format::JsonLines => Cell::Nothing,
        (Cell::Raw(raw), Format::JsonLines) if !is_json => match as_double(raw) {
            Some(number) if !number.is_finite() => Cell::Raw("null".to_owned()),
            // Dates and times.
            None if raw[1..].contains('-') => Cell::Text(raw.clone()),
            _ => cell.clone(),
        },
        (Cell::Raw(raw), Format::Csv | Format::Tsv) => Cell::Text(raw.clone()),
        (Cell::Raw(raw), Format::Parquet) if as_json => Cell::Text(raw.clone()),
        (Cell::Text(text), Format::Parquet) if as_json => {
            Cell::Text(serde_json::to_string(text).unwrap())
        }
        _ => cell.clone(),
    }
}

fn assert_same(
    name: &str,
    expected: &[Cells],
    found: &[Cells],
    same: impl Fn(&Cell, &Cell) -> bool,
) {
    assert_eq!(expected.len(), found.len(), "{name}");
    for column in expected {
        let other = found.iter().find(|other| other.name == column.name);
        let other = other.unwrap_or_else(|| panic!("{name}: no column {:?}", column.name));
        assert_eq!(column.cells.len(), other.cells.len(), "{name}: rows");
        for (row, (cell, found)) in column.cells.iter().zip(&other.cells).enumerate() {
            let at = format!("{name}, row {}, column {:?}", row + 1, column.name);
            assert!(same(cell, found), "{at}: {cell:?} became {found:?}");
        }
    }
}

/// Whether cells are equal, or the same number in other digits where one is a float.
fn same(a: &Cell, b: &Cell) -> bool {
    let is_float = |cell: &Cell| match cell {
        Cell::Raw(raw) | Cell::Text(raw) => as_double(raw).is_some(),
        Cell::Nothing => false,
    };
    let unquoted = |cell: &Cell| match cell {
        Cell::Text(text) if text.starts_with('"') => serde_json::from_str::<String>(text).ok(),
        _ => None,
    };
    // An f32 column is compared as f32, whose shortest representation has fewer digits.
    let same_number = |a: f64, b: f64| {
        let is_single = |x: f64| double(f64::from(x as f32)) == double(x);
        double(a) == double(b)
            || ((is_single(a) || is_single(b)) && (a as f32).to_bits() == (b as f32).to_bits())
    };
    a == b
        || ((is_float(a) || is_float(b))
            && number(a).zip(number(b)).is_some_and(|(a, b)| same_number(a, b)))
        // JSON text may have other escapes.
        || (unquoted(a).is_some() && unquoted(a) == unquoted(b))
}

/// The f64 value of a Parquet cell.
fn as_double(raw: &str) -> Option<f64> {
    if raw == "nan" {
        return Some(f64::NAN);
    }
    let bits = raw.strip_prefix('f').filter(|bits| bits.len() == 16)?;
    u64::from_str_radix(bits, 16).ok().map(f64::from_bits)
}

/// The number in a cell.
fn number(cell: &Cell) -> Option<f64> {
    match cell {
        Cell::Raw(raw) | Cell::Text(raw) => as_double(raw).or_else(|| raw.parse().ok()),
        Cell::Nothing => None,
    }
}

/// Strings that are hard for some format, and any others without NUL, which text tables cannot hold.
fn string() -> impl Strategy<Value = String> {
    let special = prop::sample::select(vec![
        "\"", ",", ";", "\t", "\n", "\r", "\r\n", "\\", "#", " ", "null", "1", "\u{feff}",
        "\u{85}", "x", "sep=", "\u{2028}", "é", "😀", "{", "[", "|",
    ]);
    let piece = prop_oneof![
        3 => special.prop_map(str::to_owned),
        1 => any::<char>().prop_filter("NUL", |&c| c != '\0').prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

fn float() -> impl Strategy<Value = f64> {
    prop_oneof![any::<f64>(), (-9i32..9).prop_map(f64::from), Just(0.1), Just(-0.0), Just(f64::NAN)]
}

/// A row of a table with all types.
type Row =
    (String, Option<String>, Option<i64>, Option<u64>, Option<f64>, Option<bool>, Option<i32>);

fn row() -> impl Strategy<Value = Row> {
    use prop::option::of;
    (
        string(),
        of(string()),
        of(any::<i64>()),
        of(any::<u64>()),
        of(float()),
        of(any::<bool>()),
        of(any::<i32>()),
    )
}

fn parquet_of(rows: &[Row], path: &Path) {
    use polars::prelude::*;
    fn column<T, F: Fn(&Row) -> T>(rows: &[Row], name: &str, get: F) -> Column
    where
        Series: NamedFrom<Vec<T>, [T]>,
    {
        Series::new(name.into(), rows.iter().map(get).collect::<Vec<T>>()).into_column()
    }
    // Polars, which formats the expected date, panics beyond the year 262142.
    let days = |row: &Row| row.6.map(|days| days % 10_000_000);
    let mut frame = DataFrame::new_infer_height(vec![
        column(rows, "text", |row| row.0.clone()),
        column(rows, "a, \"b\"", |row| row.1.clone()),
        column(rows, "#", |row| row.2),
        column(rows, "two\nlines", |row| row.3),
        column(rows, "e\u{301}", |row| row.4),
        column(rows, "{", |row| row.5),
        column(rows, "day", days).cast(&DataType::Date).unwrap(),
    ])
    .unwrap();
    ParquetWriter::new(fs::File::create(path).unwrap()).finish(&mut frame).unwrap();
}

/// JSON of any kind, as text.
fn json() -> impl Strategy<Value = String> {
    let digits = "-?(0|[1-9][0-9]{0,25})(\\.[0-9]{1,25})?([eE][+-]?[0-9]{1,2})?";
    let leaf = prop_oneof![
        string().prop_map(|text| serde_json::to_string(&text).unwrap()),
        digits.prop_map(|digits| digits),
        Just("null".to_owned()),
        Just("true".to_owned()),
    ];
    leaf.prop_recursive(2, 6, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3)
                .prop_map(|all| format!("[{}]", all.join(", "))),
            inner.prop_map(|value| format!("{{\"k\" : {value}}}")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn tables_of_all_types_pass_through_every_pair_of_formats(
        rows in prop::collection::vec(row(), 1..9)
    ) {
        let folder = tempfile::tempdir().unwrap();
        let start = folder.path().join("start.parquet");
        parquet_of(&rows, &start);
        through_every_pair(&start, folder.path());
    }

    #[test]
    fn json_of_all_kinds_passes_through_every_pair_of_formats(
        rows in prop::collection::vec((string(), prop::option::of(json()), prop::option::of(json())), 1..9)
    ) {
        let folder = tempfile::tempdir().unwrap();
        let start = folder.path().join("start.jsonl");
        let mut lines = String::new();
        for (text, a, b) in rows {
            let member = |name: &str, value: Option<String>| {
                value.map(|value| format!(", \"{name}\": {value}")).unwrap_or_default()
            };
            let text = serde_json::to_string(&text).unwrap();
            lines += &format!("{{\"text\": {text}{}{}}}\n", member("a", a), member("ü \\\"", b));
        }
        fs::write(&start, lines).unwrap();
        through_every_pair(&start, folder.path());
    }
}

#[test]
fn lines_in_fasttext_format_pass_through_every_pair_of_formats() {
    let folder = tempfile::tempdir().unwrap();
    let start = folder.path().join("start.txt");
    let lines = "__label__a one, \"two\"\tthree \n__label__b,c __label__a|d \"\n\n__label__ä 'x' \u{1f600}\r\n";
    fs::write(&start, format!("{lines}no label; here\n__label__a 1\n")).unwrap();
    let table = read(&start).unwrap();
    assert_eq!(table.frame().shape(), (5, 2));
    through_every_pair(&start, folder.path());
    for (extension, _) in FORMATS {
        // The last of each format came the longest way.
        let path = folder.path().join(format!("out.{extension}"));
        assert_eq!(labels_and_texts(&path), labels_and_texts(&start), "{extension}");
    }
}

/// The texts of a file and the labels of each, which spaces separate.
fn labels_and_texts(path: &Path) -> Vec<(Vec<String>, String)> {
    let labels = LabelOptions { separator: Some(' '), ..LabelOptions::default() };
    let (columns, options) = (ColumnChoice::default(), ReadOptions::default());
    let file = DataFile::open(path).unwrap();
    let table = LabelledTexts::read(&file, &columns, &labels, &options).unwrap();
    let names = &table.classes().names;
    let row = |(row, text): (usize, &str)| {
        let classes = table.targets().of_row(row).iter();
        (classes.map(|&class| names[class as usize].clone()).collect(), text.to_owned())
    };
    table.texts().enumerate().map(row).collect()
}

fn through_every_pair(start: &Path, folder: &Path) {
    let table = read(start).unwrap();
    written_and_read_again(&table, &cells(&table), folder, "start");
    for (extension, _) in FORMATS {
        let path = folder.join(format!("first.{extension}"));
        fs::rename(folder.join(format!("out.{extension}")), &path).unwrap();
        let table = read(&path).unwrap();
        written_and_read_again(&table, &cells(&table), folder, extension);
    }
}

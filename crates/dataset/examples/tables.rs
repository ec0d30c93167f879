//! Reads large tables and compares their digests, or writes the golden tables in every format.
//!
//! Run by `cargo xtask tables`: `tables digest FOLDER`, `tables write GOLDEN OUTPUT`.
#![allow(clippy::unwrap_used, reason = "a chore that fails must say where")]

#[path = "../tests/common/cells.rs"]
#[allow(dead_code, reason = "the tests need more of it")]
mod cells;

use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use cells::{AnswerColumn, TextTable, expected};
use dataset::{AnswerValues, ColumnChoice, DataFile, Error, Existing, Fault, Quoting, ReadOptions};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["digest", folder] => digest(Path::new(folder)),
        ["write", golden, output] => write(Path::new(golden), Path::new(output)),
        _ => {
            eprintln!("tables digest FOLDER | tables write GOLDEN OUTPUT");
            ExitCode::FAILURE
        }
    }
}

fn read(path: &Path) -> dataset::Result<TextTable> {
    let file = DataFile::open(path)?;
    let read = |options| TextTable::read(&file, &ColumnChoice::default(), &options);
    match read(ReadOptions::default()) {
        // Some texts look like rows; the reader's advice is to use standard quoting.
        Err(Error::Table { fault, .. }) if matches!(*fault, Fault::Swallowed { .. }) => {
            println!("{:40} suspected of a stray quotation mark", path.display());
            read(ReadOptions { quoting: Quoting::Standard, ..ReadOptions::default() })
        }
        result => result,
    }
}

fn digest(folder: &Path) -> ExitCode {
    let mut n_wrong = 0;
    for file in expected(folder) {
        let started = Instant::now();
        let result = read(&folder.join(&file.file));
        let seconds = started.elapsed().as_secs_f64();
        let told = match result {
            Err(error) => error.to_string(),
            Ok(table) => {
                let mut found = cells::cells(&table);
                // In JSON lines, columns are in order of first appearance.
                let place = |name: &str| file.columns.iter().position(|column| column.name == name);
                found.sort_by_key(|column| place(&column.name));
                if Some(cells::digest(&found)) == file.digest && found.len() == file.columns.len() {
                    println!("{:40} {:8} rows {seconds:6.2} s", file.file, table.len());
                    continue;
                }
                "the cells differ from those written".to_owned()
            }
        };
        println!("{:40} WRONG: {told}", file.file);
        n_wrong += 1;
    }
    if n_wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Writes every table that has rows, with predictions: `NAME.csv` and so on.
fn write(golden: &Path, output: &Path) -> ExitCode {
    let mut n_files = 0;
    for file in expected(golden).iter().filter(|file| !file.is_error) {
        let table = read(&golden.join(&file.file)).unwrap();
        let n_texts = table.len();
        let word = |row: usize| if row % 3 == 1 { "positive" } else { "negative" };
        let words: Vec<Option<String>> =
            (0..n_texts).map(|row| Some(word(row).to_owned())).collect();
        // `read_back.py` computes the same.
        let probabilities: Vec<f32> = (0..n_texts).map(|row| 1.0 / (row as f32 + 1.0)).collect();
        let column = |name: &str, values| AnswerColumn { name: name.to_owned(), values };
        let answers = [
            column("predicted_label", AnswerValues::Words(&words)),
            column("probability", AnswerValues::Numbers(&probabilities)),
        ];
        for extension in ["csv", "tsv", "jsonl", "parquet"] {
            let path = output.join(format!("{}.{extension}", file.file));
            table.write_answers(path, &answers, Existing::Replace).unwrap();
            n_files += 1;
        }
    }
    println!("wrote {n_files} files");
    ExitCode::SUCCESS
}

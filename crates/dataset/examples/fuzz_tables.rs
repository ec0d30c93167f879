//! Mutates tables, reads them, and checks every accepted table with Python.
//!
//! Run by `cargo xtask fuzz`, which finds Python. Each input depends only on the seed, the reader and
//! its number, so it can be reproduced.
#![allow(clippy::unwrap_used, reason = "a chore that fails must say where")]

#[path = "../tests/common/cells.rs"]
#[allow(dead_code, reason = "the tests need more of it")]
mod cells;
#[path = "fuzz_tables/checker.rs"]
mod checker;
#[path = "fuzz_tables/inputs.rs"]
mod inputs;

use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use cells::TextTable;
use dataset::{ColumnChoice, DataFile, Format, Missing, Note, Quoting, ReadOptions};

use checker::{Accepted, Checker};
use inputs::{Input, Inputs};

/// An input that takes longer counts as hung.
const MAX_SECONDS: u64 = 30;

struct Settings {
    reader: String,
    n_inputs: u64,
    /// The number of the first input.
    from: u64,
    seed: u64,
    only: Option<u64>,
    python: String,
    /// File with the number of the current input, in case the process dies.
    progress: PathBuf,
}

fn main() -> ExitCode {
    let settings = settings();
    let format = match settings.reader.as_str() {
        "csv" => Format::Csv,
        "tsv" => Format::Tsv,
        "jsonl" => Format::JsonLines,
        _ => Format::Parquet,
    };
    let inputs = Inputs::new(format, settings.seed);
    if let Some(number) = settings.only {
        let input = inputs.make(number);
        std::io::stdout().write_all(&input.bytes).unwrap();
        eprintln!("\noptions: {:?}", input.options);
        let table = read(&settings.reader, &input);
        eprintln!("{}", table.map_or_else(|error| error.to_string(), |table| format!("{table:?}")));
        return ExitCode::SUCCESS;
    }

    let progress = std::fs::File::create(&settings.progress).unwrap();
    let number = Arc::new(AtomicU64::new(0));
    watch(number.clone());
    // Panics are reported with their inputs below.
    std::panic::set_hook(Box::new(|_| {}));
    let checker = Checker::start(&settings.python, format);
    let (mut n_accepted, mut panicked) = (0, Vec::new());
    let started = Instant::now();
    for idx in settings.from..settings.n_inputs {
        number.store(idx, Ordering::Relaxed);
        progress.write_at(&idx.to_le_bytes(), 0).unwrap();
        let input = inputs.make(idx);
        match catch_unwind(AssertUnwindSafe(|| read(&settings.reader, &input))) {
            Ok(Ok(table)) => {
                n_accepted += 1;
                // Polars panics when it formats dates beyond the year 262142.
                let told = || accepted(idx, &input, &table, format);
                match catch_unwind(AssertUnwindSafe(told)) {
                    Ok(accepted) => checker.check(accepted),
                    Err(_) if format == Format::Parquet => {}
                    Err(_) => panicked.push(idx),
                }
            }
            Ok(Err(_)) => {}
            Err(_) => panicked.push(idx),
        }
        if checker.has_failed() || panicked.len() >= 5 {
            break;
        }
    }
    let checked = checker.finish();
    println!(
        "{}: {} inputs in {:.0} s, {n_accepted} accepted, {} compared with Python's rows",
        settings.reader,
        settings.n_inputs - settings.from,
        started.elapsed().as_secs_f64(),
        checked.n_compared,
    );
    for idx in &panicked {
        println!("PANIC on input {idx}: {}", shown(&inputs.make(*idx).bytes));
    }
    for difference in &checked.differences {
        println!("DIFFERENCE: {difference}");
    }
    if panicked.is_empty() && checked.differences.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn settings() -> Settings {
    let mut settings = Settings {
        reader: "csv".to_owned(),
        n_inputs: 1000,
        from: 0,
        seed: 0,
        only: None,
        python: "python3".to_owned(),
        progress: std::env::temp_dir().join("fuzz-tables-progress"),
    };
    let mut args = std::env::args().skip(1);
    while let (Some(name), Some(value)) = (args.next(), args.next()) {
        match name.as_str() {
            "--reader" => settings.reader = value,
            "--inputs" => settings.n_inputs = value.parse().unwrap(),
            "--from" => settings.from = value.parse().unwrap(),
            "--seed" => settings.seed = value.parse().unwrap(),
            "--only" => settings.only = Some(value.parse().unwrap()),
            "--python" => settings.python = value,
            _ => settings.progress = value.into(),
        }
    }
    settings
}

/// Ends the process if one input takes too long.
fn watch(number: Arc<AtomicU64>) {
    std::thread::spawn(move || {
        let mut last = (u64::MAX, Instant::now());
        loop {
            std::thread::sleep(Duration::from_secs(1));
            let now = number.load(Ordering::Relaxed);
            if now != last.0 {
                last = (now, Instant::now());
            } else if last.1.elapsed().as_secs() > MAX_SECONDS {
                eprintln!("input {now} takes longer than {MAX_SECONDS} s");
                std::process::exit(1);
            }
        }
    });
}

fn read(reader: &str, input: &Input) -> dataset::Result<TextTable> {
    let file = DataFile::from_bytes(format!("input.{reader}"), input.bytes.clone());
    let choice = ColumnChoice { text: Some(inputs::TEXT.to_owned()), ..ColumnChoice::default() };
    let options = ReadOptions { missing: Missing::Empty, ..input.options.clone() };
    TextTable::read(&file, &choice, &options)
}

/// What the checker receives.
fn accepted(number: u64, input: &Input, table: &TextTable, format: Format) -> Accepted {
    let mut separator = if format == Format::Tsv { b'\t' } else { b',' };
    let mut is_literal = input.options.quoting == Quoting::Literal;
    for note in table.notes().iter() {
        match note {
            Note::Separated { by, .. } | Note::SeparatorLine { by } => separator = by.byte(),
            Note::LiteralQuotes { .. } => is_literal = true,
            _ => {}
        }
    }
    if let Some(by) = input.options.separator {
        separator = by.byte();
    }
    let columns: Vec<serde_json::Value> = cells::cells(table)
        .into_iter()
        .map(|column| {
            let cells: Vec<serde_json::Value> = column
                .cells
                .into_iter()
                .map(|cell| match cell {
                    cells::Cell::Nothing => serde_json::Value::Null,
                    cells::Cell::Text(text) => text.into(),
                    cells::Cell::Raw(raw) => vec![raw].into(),
                })
                .collect();
            serde_json::json!({ "name": column.name, "cells": cells })
        })
        .collect();
    let told = serde_json::json!({
        "number": number,
        "separator": char::from(separator).to_string(),
        "literal": is_literal,
        "columns": columns,
    });
    Accepted { bytes: input.bytes.clone(), told: serde_json::to_vec(&told).unwrap() }
}

/// Bytes as a Rust literal, shortened.
fn shown(bytes: &[u8]) -> String {
    let start = &bytes[..bytes.len().min(600)];
    format!("b\"{}\" ({} bytes)", start.escape_ascii(), bytes.len())
}

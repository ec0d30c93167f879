//! Reads tables in chunks and writes them with answers, as predictions are made, and prints how much memory
//! and time that took: `chunks OUTPUT INPUT...`.
#![allow(clippy::unwrap_used, reason = "a chore that fails must say where")]

use std::path::Path;
use std::time::Instant;

use dataset::{
    AnswerKind, AnswerName, AnswerValues, AnswerWriter, BadRows, ChunkedTable, ColumnChoice,
    DataFile, Existing, OutputOptions, ReadOptions,
};

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let Some((output, inputs)) = args.split_first().filter(|(_, inputs)| !inputs.is_empty()) else {
        eprintln!("chunks OUTPUT INPUT...");
        std::process::exit(2);
    };
    let started = Instant::now();
    let files: Vec<DataFile> = inputs.iter().map(|path| DataFile::open(path).unwrap()).collect();
    let (choice, options) = (ColumnChoice::default(), ReadOptions::default());
    let table = ChunkedTable::survey(&files, &choice, &options, BadRows::Stop).unwrap();
    tell("survey", table.n_rows(), started);

    let names = [
        AnswerName { name: "predicted_label".to_owned(), kind: AnswerKind::Words },
        AnswerName { name: "probability".to_owned(), kind: AnswerKind::Numbers },
    ];
    let options = OutputOptions { existing: Existing::Replace, ..OutputOptions::default() };
    let mut writer = AnswerWriter::create(&table, Path::new(output), &names, options).unwrap();
    for chunk in table.chunks_from(writer.next_row()) {
        let chunk = chunk.unwrap();
        let words = vec![Some("positive".to_owned()); chunk.n_texts()];
        let numbers = vec![0.75; chunk.n_texts()];
        writer
            .write(&chunk, &[AnswerValues::Words(&words), AnswerValues::Numbers(&numbers)])
            .unwrap();
    }
    tell("parts", writer.next_row(), started);
    writer.finish().unwrap();
    tell("joined", table.n_rows(), started);
}

/// Prints the time so far, and the most memory so far where the system says.
fn tell(what: &str, n_rows: usize, started: Instant) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("unknown");
    let seconds = started.elapsed().as_secs_f64();
    println!("{what}: {n_rows} rows, {seconds:.1} s, at most {} of memory", peak.trim());
}

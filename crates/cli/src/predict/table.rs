//! Answers tables of any size: checks them, answers them, and says what came of it.

use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use classifier::{Classifier, folder};
use dataset::{AnswerWriter, ChunkedTable, ColumnChoice, Existing, Layout, OutputOptions};
use serde_json::json;
use trainer::TrainingReport;

use super::args::Args;
use super::columns::Columns;
use super::inputs;
use super::pipeline::{Outcome, Work};
use super::stages::{Stages, timed};
use crate::answer::Showing;
use crate::device::device_in_words;
use crate::interrupt::{self, Interrupt};
use crate::progress::spinner;
use crate::reading::{tell_guess, tell_notes};

pub(super) fn run(args: &Args, output: &Path) -> anyhow::Result<ExitCode> {
    let started = Instant::now();
    let existing = if args.force { Existing::Replace } else { Existing::Refuse };
    let layout = if args.parts { Layout::Folder } else { Layout::File };
    // Fail before reading and scoring if the table cannot be written.
    dataset::check_output(output, existing, layout)?;
    let device = args.device.open()?;
    let (classifier, records) = folder::load_with_records(&args.model, &device)?;
    let report = TrainingReport::of(&records, &args.model)?;
    let showing = args.showing(report.data.labels.separator);
    let columns = Columns::new(&args.columns, classifier.task(), showing);

    let mut stages = Stages::default();
    let table = timed(&mut stages.survey, || survey(args, &report))?;
    table.check_output(output, existing, layout)?;
    let options = OutputOptions {
        existing,
        layout,
        identity: identity(&classifier, showing),
        format: None,
        restart: false,
    };
    let writer = AnswerWriter::create(&table, output, columns.names(), options)?;
    let (place, done_before) = (place(output), writer.next_row());
    if done_before > 0 {
        eprintln!(
            "{place}: going on after row {done_before} of {}, where an earlier run stopped",
            table.n_rows()
        );
    }
    let interrupt = Interrupt::listen()?;
    let work = Work { classifier: &classifier, columns: &columns, showing, interrupt: &interrupt };
    let mut outcome = work.run(&table, writer)?;
    stages.add(outcome.stages);
    let Some(writer) = outcome.writer.take() else {
        let has_parts = Path::new(&format!("{place}.parts")).exists();
        let goes_on = if has_parts { "; the same command goes on where it stopped" } else { "" };
        eprintln!("{place}: stopped{goes_on}");
        return Ok(ExitCode::from(interrupt::EXIT_CODE));
    };
    let names = writer.names().to_vec();
    let written = timed(&mut stages.writing, || writer.finish())?;
    tell_end(&place, &table, &names, (&outcome, done_before), showing);
    for change in &written.changes {
        eprintln!("{place}: {change}");
    }
    if args.profile {
        let Outcome { understanding, .. } = &outcome;
        let (n_texts, n_tokens) = (understanding.n_texts(), understanding.n_read());
        eprint!("{}", stages.table(started.elapsed(), n_texts, n_tokens));
    }
    outcome.understanding.tell(&classifier, Some(&report.data.summary));
    Ok(ExitCode::SUCCESS)
}

/// Reads and checks every row, and says what was noticed.
fn survey(args: &Args, report: &TrainingReport) -> anyhow::Result<ChunkedTable> {
    let files = inputs::open(&args.input)?;
    let choice = ColumnChoice {
        text: args.text_column.clone(),
        known_text: Some(report.data.text_column.clone()),
        ..ColumnChoice::default()
    };
    let what = match &files[..] {
        [file] => file.name().display().to_string(),
        files => format!("{} tables", files.len()),
    };
    let spinner = spinner(format!("checking {what}"));
    let options = args.reading.options();
    let table = ChunkedTable::survey(&files, &choice, &options, args.bad_rows.into());
    spinner.finish_and_clear();
    let table = table?;
    for (path, notes) in table.notes() {
        tell_notes(path, notes);
    }
    if let Some(file) = files.first() {
        tell_guess(&file.name(), "text", table.text_column());
    }
    Ok(table)
}

/// What the parts of a run have in common: a run goes on only with parts of the same model and the same columns.
fn identity(classifier: &Classifier, showing: Showing) -> serde_json::Value {
    json!({
        "program": env!("CARGO_PKG_VERSION"),
        "model": classifier.digest(),
        // As text: a number would not come back from JSON as the same float.
        "abstain": showing.abstain.map(|below| below.to_string()),
        "separator": showing.separator,
        "device": device_in_words(classifier.network().device()),
    })
}

/// The output's name in messages.
fn place(output: &Path) -> String {
    match output.to_str() {
        Some("-") => "standard output".into(),
        _ => output.display().to_string(),
    }
}

/// Says what was written.
fn tell_end(
    place: &str,
    table: &ChunkedTable,
    names: &[String],
    (outcome, done_before): (&Outcome, usize),
    showing: Showing,
) {
    let texts = |n: usize| if n == 1 { "text" } else { "texts" };
    let n = table.n_texts();
    eprintln!("{place}: {n} {} with columns {}", texts(n), named(names));
    if let Some(below) = showing.abstain {
        let n = outcome.n_abstained;
        // The parts of an earlier run are not looked through again.
        let of = if done_before > 0 {
            format!(" of those after row {done_before}")
        } else {
            String::new()
        };
        eprintln!(
            "{place}: no label for {n} {}{of}, about which the model is less certain than {below}",
            texts(n)
        );
    }
    let column = names.last().map_or("error", String::as_str);
    match table.n_bad_rows() {
        0 => {}
        1 => eprintln!("{place}: 1 row could not be read; its column {column:?} says why"),
        n => eprintln!("{place}: {n} rows could not be read; their column {column:?} says why"),
    }
}

/// `"a", "b" and 18 more`.
fn named(names: &[String]) -> String {
    const SHOWN: usize = 4;
    let shown: Vec<String> = names.iter().take(SHOWN).map(|name| format!("{name:?}")).collect();
    match (names.len().saturating_sub(SHOWN), shown.as_slice()) {
        (0, [first @ .., last]) if !first.is_empty() => format!("{} and {last}", first.join(", ")),
        (0, _) => shown.concat(),
        (n_more, _) => format!("{} and {n_more} more", shown.join(", ")),
    }
}

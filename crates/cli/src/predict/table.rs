//! Answers tables of any size: reading, the network and writing run side by side, chunk by chunk.

use std::ops::ControlFlow;
use std::path::Path;
use std::process::ExitCode;
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::anyhow;
use classifier::{Classifier, folder};
use dataset::{
    AnswerValues, AnswerWriter, ChunkedTable, ColumnChoice, Existing, Layout, OutputOptions,
    TextChunk,
};
use serde_json::json;
use text_preprocessing::Encoded;
use trainer::TrainingReport;

use super::columns::{Columns, Values};
use super::stages::{Stages, timed};
use super::{Args, inputs};
use crate::answer::{Answer, Showing};
use crate::interrupt::{self, Interrupt};
use crate::progress::{LongRun, spinner};
use crate::reading::{tell_guess, tell_notes};
use crate::understanding::Understanding;

/// Chunks that wait between two stages.
const WAITING: usize = 1;

pub(super) fn run(args: &Args, output: &Path) -> anyhow::Result<ExitCode> {
    let started = Instant::now();
    let existing = if args.force { Existing::Replace } else { Existing::Refuse };
    // Fail before reading and scoring if the table cannot be written.
    dataset::check_output(output, existing)?;
    let device = classifier::DeviceChoice::from(args.device).open()?;
    let (classifier, records) = folder::load_with_records(&args.model, &device)?;
    let report = TrainingReport::of(&records, &args.model)?;
    let showing = args.showing(report.data.labels.separator);
    let columns = Columns::new(&args.columns, classifier.task(), showing);

    let mut stages = Stages::default();
    let table = timed(&mut stages.survey, || survey(args, &report))?;
    table.check_output(output, existing)?;
    let options = OutputOptions {
        existing,
        layout: if args.parts { Layout::Folder } else { Layout::File },
        identity: identity(args, &classifier, showing),
        format: None,
        restart: false,
    };
    let writer = AnswerWriter::create(&table, output, columns.names(), options)?;
    let place = place(output);
    if writer.next_row() > 0 {
        eprintln!(
            "{place}: going on after row {} of {}, where an earlier run stopped",
            writer.next_row(),
            table.n_rows()
        );
    }
    let interrupt = Interrupt::listen()?;
    let work = Work { classifier: &classifier, columns: &columns, showing, interrupt: &interrupt };
    let mut outcome = work.run(&table, writer)?;
    stages.add(outcome.stages);
    let Some(writer) = outcome.writer.take() else {
        eprintln!("{place}: stopped; the same command goes on where it stopped");
        return Ok(ExitCode::from(interrupt::EXIT_CODE));
    };
    let names = writer.names().to_vec();
    let written = timed(&mut stages.writing, || writer.finish())?;
    tell_end(&place, &table, &names, &outcome, showing);
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
fn identity(args: &Args, classifier: &Classifier, showing: Showing) -> serde_json::Value {
    // A model of format 2 has no id.
    let model = match classifier.id() {
        Some(id) => id.to_string(),
        None => args.model.display().to_string(),
    };
    json!({
        "program": env!("CARGO_PKG_VERSION"),
        "model": model,
        "abstain": showing.abstain,
        "separator": showing.separator,
        "device": format!("{:?}", classifier.network().device().location()),
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
    outcome: &Outcome,
    showing: Showing,
) {
    eprintln!("{place}: {} texts with columns {}", table.n_texts(), named(names));
    let texts = |n: usize| if n == 1 { "text" } else { "texts" };
    if let Some(below) = showing.abstain {
        let n = outcome.n_abstained;
        eprintln!(
            "{place}: no label for {n} {}, about which the model is less certain than {below}",
            texts(n)
        );
    }
    match table.n_bad_rows() {
        0 => {}
        1 => eprintln!("{place}: 1 row could not be read; its column \"error\" says why"),
        n => eprintln!("{place}: {n} rows could not be read; their column \"error\" says why"),
    }
}

/// What the stages share.
struct Work<'a> {
    classifier: &'a Classifier,
    columns: &'a Columns,
    showing: Showing,
    interrupt: &'a Interrupt,
}

/// What came of a run.
struct Outcome {
    /// `None` if the run was stopped.
    writer: Option<AnswerWriter>,
    understanding: Understanding,
    /// Texts without a prediction because the model is too uncertain, in this run.
    n_abstained: usize,
    stages: Stages,
}

/// A chunk on its way to the network, and to the writer.
type Encodings = anyhow::Result<(TextChunk, Vec<Encoded>)>;
type Answered = (TextChunk, Vec<Values>);

impl Work<'_> {
    /// Answers the rows that the writer lacks.
    fn run(&self, table: &ChunkedTable, writer: AnswerWriter) -> anyhow::Result<Outcome> {
        let first = writer.next_row();
        let mut progress = LongRun::new("predicting", table.n_rows(), first);
        let (to_network, encoded) = sync_channel::<Encodings>(WAITING);
        let (to_writer, answered) = sync_channel::<Answered>(WAITING);
        thread::scope(|scope| {
            let reader = scope.spawn(move || self.read(table, first, &to_network));
            let writer = scope.spawn(move || write(writer, &answered));
            let mut outcome = Outcome {
                writer: None,
                understanding: Understanding::default(),
                n_abstained: 0,
                stages: Stages::default(),
            };
            let mut result = Ok(());
            for item in encoded {
                result = item.and_then(|(chunk, texts)| {
                    self.answer(chunk, &texts, &mut progress, &mut outcome).map(|answered| {
                        // If the writer has failed, its error is what counts.
                        let _ = to_writer.send(answered);
                    })
                });
                if result.is_err() || self.interrupt.is_pressed() {
                    break;
                }
            }
            drop(to_writer);
            progress.finish();
            let stages = reader.join().map_err(|_| anyhow!("reading the table failed"))?;
            let written = writer.join().map_err(|_| anyhow!("writing the answers failed"))?;
            outcome.stages.add(stages);
            let (writer, writing) = written?;
            outcome.stages.writing += writing;
            if !self.interrupt.is_pressed() {
                result?;
                outcome.writer = Some(writer);
            }
            Ok(outcome)
        })
    }

    /// Reads and encodes chunk by chunk, until nobody wants more.
    fn read(
        &self,
        table: &ChunkedTable,
        first: usize,
        to_network: &std::sync::mpsc::SyncSender<Encodings>,
    ) -> Stages {
        let mut stages = Stages::default();
        let mut chunks = table.chunks_from(first);
        while let Some(chunk) = timed(&mut stages.reading, || chunks.next()) {
            let encoded = chunk.map_err(anyhow::Error::from).and_then(|chunk| {
                let texts: Vec<&str> = chunk.texts().collect();
                let encode = || self.classifier.encode(&texts);
                let encoded = timed(&mut stages.encoding, encode)?;
                Ok((chunk, encoded))
            });
            if to_network.send(encoded).is_err() {
                break;
            }
        }
        stages
    }

    /// The columns of a chunk.
    fn answer(
        &self,
        chunk: TextChunk,
        texts: &[Encoded],
        progress: &mut LongRun,
        outcome: &mut Outcome,
    ) -> anyhow::Result<Answered> {
        let started = Instant::now();
        let mut on_texts = |n_texts| {
            progress.inc(n_texts);
            match self.interrupt.is_pressed() {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        };
        let predictions = self.classifier.answer(texts, &mut on_texts)?;
        // Rows without a text count, too.
        progress.inc(chunk.n_rows().saturating_sub(texts.len()));
        outcome.understanding.add(&chunk.texts().collect::<Vec<_>>(), &predictions);
        let task = self.classifier.task();
        let answers: Vec<Answer<'_>> = predictions
            .into_iter()
            .map(|prediction| Answer::new(task, prediction, self.showing))
            .collect();
        outcome.n_abstained += answers.iter().filter(|answer| answer.is_abstention()).count();
        let values = self.columns.values(&answers);
        outcome.stages.network += started.elapsed();
        Ok((chunk, values))
    }
}

/// Writes chunk by chunk, until there are no more.
fn write(
    mut writer: AnswerWriter,
    answered: &std::sync::mpsc::Receiver<Answered>,
) -> anyhow::Result<(AnswerWriter, Duration)> {
    let mut writing = Duration::ZERO;
    for (chunk, values) in answered {
        let answers: Vec<AnswerValues<'_>> = values.iter().map(Values::as_answers).collect();
        timed(&mut writing, || writer.write(&chunk, &answers))?;
    }
    Ok((writer, writing))
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

//! Answers a table chunk by chunk: reading, the network and writing run side by side.

use std::ops::ControlFlow;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::anyhow;
use classifier::Classifier;
use dataset::{AnswerValues, AnswerWriter, ChunkedTable, TextChunk};
use text_preprocessing::Encoded;

use super::columns::{Columns, Values};
use super::stages::{Stages, timed};
use crate::answer::{Answer, Showing};
use crate::interrupt::Interrupt;
use crate::long_run::LongRun;
use crate::understanding::Understanding;

/// Chunks that wait between two stages.
const WAITING: usize = 1;

/// What the stages share.
pub(super) struct Work<'a> {
    pub(super) classifier: &'a Classifier,
    pub(super) columns: &'a Columns,
    pub(super) showing: Showing,
    pub(super) interrupt: &'a Interrupt,
}

/// What came of a run.
pub(super) struct Outcome {
    /// `None` if the run was stopped.
    pub(super) writer: Option<AnswerWriter>,
    /// Of the texts of this run.
    pub(super) understanding: Understanding,
    /// Texts without a prediction because the model is too uncertain, in this run.
    pub(super) n_abstained: usize,
    pub(super) stages: Stages,
}

/// A chunk on its way to the network, and to the writer.
type Encodings = anyhow::Result<(TextChunk, Vec<Encoded>)>;
type Answered = (TextChunk, Vec<Values>);

impl Work<'_> {
    /// Answers the rows that the writer lacks.
    pub(super) fn run(
        &self,
        table: &ChunkedTable,
        writer: AnswerWriter,
    ) -> anyhow::Result<Outcome> {
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
            for item in &encoded {
                let answered = item.and_then(|(chunk, texts)| {
                    self.answer(chunk, &texts, &mut progress, &mut outcome)
                });
                // A writer that takes no more has failed: its error is what counts.
                let goes_on = match answered {
                    Ok(answered) => to_writer.send(answered).is_ok(),
                    Err(error) => {
                        result = Err(error);
                        false
                    }
                };
                if !goes_on || self.interrupt.is_pressed() {
                    break;
                }
            }
            // The other two end, too: nobody takes chunks, nobody brings answers.
            drop(encoded);
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
        to_network: &SyncSender<Encodings>,
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
        outcome.understanding.add(&predictions);
        outcome.understanding.add_scripts(&chunk.texts().collect::<Vec<_>>());
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
    answered: &Receiver<Answered>,
) -> anyhow::Result<(AnswerWriter, Duration)> {
    let mut writing = Duration::ZERO;
    for (chunk, values) in answered {
        let answers: Vec<AnswerValues<'_>> = values.iter().map(Values::as_answers).collect();
        timed(&mut writing, || writer.write(&chunk, &answers))?;
    }
    Ok((writer, writing))
}

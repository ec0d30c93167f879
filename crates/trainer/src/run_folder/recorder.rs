//! Writes a run folder while the training goes on: the log, TensorBoard's events, checkpoints, predictions.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use classifier::PathLogits;
use serde::{Deserialize, Serialize};

use super::checkpoints::{Checkpoints, Found};
use super::log::Line;
use super::status::{KeyFigures, RunSession, RunStatus};
use super::steps::StepSums;
use super::tensorboard::EventFile;
use super::{RunFolder, in_words, now};
use crate::error::{Error, Result, chain};
use crate::job::TrainingJob;
use crate::observer::{Event, Stamp};
use crate::predictions::Predictions;
use crate::record::Ending;
use crate::report::TrainingReport;
use crate::state::{Difference, Identity, Position, Snapshot};

/// When a training writes what.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RecordPlan {
    /// Time between two checkpoints; there is one after each validation besides.
    pub checkpoint_every: Duration,
    /// How many checkpoints are kept, at least 1.
    pub n_checkpoints: usize,
    /// Optimiser steps between two lines of the log, at least 1.
    pub log_every: usize,
    /// Whether a training goes on although there are differences that do not change what is trained, but may change how
    /// numbers are rounded: another build of the program, number of threads, instruction set, system or device.
    pub accepts_minor: bool,
}

impl Default for RecordPlan {
    fn default() -> Self {
        Self {
            checkpoint_every: Duration::from_secs(300),
            n_checkpoints: 2,
            log_every: 10,
            accepts_minor: false,
        }
    }
}

/// Writes a run folder.
#[derive(Debug)]
pub struct RunRecorder {
    folder: RunFolder,
    plan: RecordPlan,
    checkpoints: Checkpoints,
    status: RunStatus,
    open: Option<Open>,
    saved: Instant,
    sums: StepSums,
    /// Whether a session has begun, and so must be ended.
    is_started: bool,
}

/// The files that grow.
#[derive(Debug)]
struct Open {
    log: File,
    events: EventFile,
    events_name: String,
}

/// In a saved state: how far the files were, and what is in no line yet.
#[derive(Debug, Serialize, Deserialize)]
struct Mark {
    log_len: u64,
    events_len: u64,
    events_name: String,
    sums: StepSums,
    /// What the status says of the last validation.
    validation: Option<KeyFigures>,
}

/// The names of the splits of which predictions are kept.
pub(crate) const VALIDATION: &str = "validation";
pub(crate) const TEST: &str = "test";

const MARK: &str = "log";
const IDENTITY: &str = "identity";

impl RunRecorder {
    /// Of a run folder.
    ///
    /// # Errors
    /// [`Error::RunFile`] if its status cannot be read.
    pub fn new(folder: &RunFolder, plan: RecordPlan) -> Result<Self> {
        let checkpoints = Checkpoints::in_folder(folder.checkpoints());
        let status = folder.status()?;
        let (saved, sums) = (Instant::now(), StepSums::default());
        let (folder, open, is_started) = (folder.clone(), None, false);
        Ok(Self { folder, plan, checkpoints, status, open, saved, sums, is_started })
    }

    /// Begins a session: from the newest checkpoint, to which the log is cut back, or from the beginning.
    ///
    /// # Errors
    /// [`Error::OtherTraining`] if the checkpoint is another training's; [`Error::Checkpoint`] if none can be used;
    /// [`Error::Unwritten`].
    pub(crate) fn start(&mut self, identity: &Identity) -> Result<Option<Found>> {
        let found = match self.checkpoints.newest()? {
            None => {
                if let Some(saved) = &self.status.identity {
                    self.check(identity.differences(saved), &self.folder.status_file())?;
                }
                self.begin()?;
                None
            }
            Some(mut found) => {
                let saved: Identity = found.restored.fact(IDENTITY)?;
                let differences = identity.differences(&saved);
                found.is_exact = differences.is_empty();
                self.check(differences, found.restored.path())?;
                let mark = found.restored.fact(MARK)?;
                found.notes.extend(self.go_on(mark)?);
                Some(found)
            }
        };
        self.saved = Instant::now();
        let from: Option<Position> =
            found.as_ref().map(|found| found.restored.peek("position")).transpose()?;
        self.status.sessions.push(RunSession { started: in_words(now()), from, ended: None });
        (self.status.ended, self.status.error) = (Ending::Running, None);
        self.status.identity = Some(identity.clone());
        self.is_started = true;
        self.write_status()?;
        Ok(found)
    }

    fn check(&self, mut differences: Vec<Difference>, saved: &Path) -> Result<()> {
        if self.plan.accepts_minor {
            differences.retain(|difference| !difference.is_minor);
        }
        if differences.is_empty() {
            return Ok(());
        }
        Err(Error::OtherTraining { path: saved.to_path_buf(), differences })
    }

    /// Empty files.
    fn begin(&mut self) -> Result<()> {
        self.folder.remove_predictions(&[VALIDATION, TEST])?;
        (self.status.validation, self.status.test) = (None, None);
        for old in self.folder.event_files()? {
            fs::remove_file(&old).map_err(unwritten(&old))?;
        }
        let log_path = self.folder.log();
        let log = File::create(&log_path).map_err(unwritten(&log_path))?;
        let time = now();
        let events_name = EventFile::name(time);
        let path = self.folder.path().join(&events_name);
        let events = EventFile::create(&path, time).map_err(unwritten(&path))?;
        self.open = Some(Open { log, events, events_name });
        self.sums = StepSums::default();
        Ok(())
    }

    /// The files as they were at a checkpoint. What is missing of them is lost, and told.
    fn go_on(&mut self, mark: Mark) -> Result<Vec<String>> {
        let Mark { log_len, events_len, mut events_name, sums, validation } = mark;
        self.folder.remove_predictions(&[TEST])?;
        (self.status.validation, self.status.test) = (validation, None);
        let log_path = self.folder.log();
        let (log, is_whole) = cut_back(&log_path, log_len).map_err(unwritten(&log_path))?;
        let path = self.folder.path().join(&events_name);
        let mut notes = Vec::new();
        if !is_whole {
            notes.push(format!("{} has lost lines since the last checkpoint", log_path.display()));
        }
        let events = match EventFile::continue_at(&path, events_len) {
            Ok(events) => events,
            Err(error) if is_lost(&error) => {
                let old = path.display();
                notes.push(format!(
                    "{old} cannot be continued ({error}); a new file goes on with its curves"
                ));
                events_name = EventFile::name(now());
                let path = self.folder.path().join(&events_name);
                EventFile::create(&path, now()).map_err(unwritten(&path))?
            }
            Err(error) => return Err(unwritten(&path)(error)),
        };
        self.open = Some(Open { log, events, events_name });
        self.sums = sums;
        Ok(notes)
    }

    /// Whether it is time for a checkpoint.
    pub(crate) fn is_due(&self) -> bool {
        self.saved.elapsed() >= self.plan.checkpoint_every
    }

    /// Saves a state after so many batches.
    ///
    /// # Errors
    /// [`Error::RunStopped`].
    pub(crate) fn save(
        &mut self,
        snapshot: &mut Snapshot<'_>,
        identity: &Identity,
        n_batches: u64,
    ) -> Result<()> {
        snapshot.fact(IDENTITY, identity)?;
        let marked = self.mark();
        let saved = marked.and_then(|mark| {
            snapshot.fact(MARK, &mark)?;
            self.checkpoints.save(snapshot, n_batches, self.plan.n_checkpoints)
        });
        saved.map_err(|error| self.stopped(error))?;
        self.saved = Instant::now();
        Ok(())
    }

    /// Flushes the files to disk, so that what a checkpoint says of them is true after a power cut.
    fn mark(&mut self) -> Result<Mark> {
        let (log_path, sums) = (self.folder.log(), self.sums);
        let validation = self.status.validation.clone();
        let Some(Open { log, events, events_name }) = &mut self.open else {
            return Ok(Mark {
                log_len: 0,
                events_len: 0,
                events_name: String::new(),
                sums,
                validation,
            });
        };
        let log_len = log.sync_data().and_then(|()| log.stream_position());
        let log_len = log_len.map_err(unwritten(&log_path))?;
        events.sync().map_err(unwritten(&self.folder.path().join(&*events_name)))?;
        let (events_len, events_name) = (events.len(), events_name.clone());
        Ok(Mark { log_len, events_len, events_name, sums, validation })
    }

    /// Writes what an event says.
    ///
    /// # Errors
    /// [`Error::RunStopped`].
    pub(crate) fn record(&mut self, at: &Stamp, event: &Event) -> Result<()> {
        self.try_record(at, event).map_err(|error| self.stopped(error))
    }

    fn try_record(&mut self, at: &Stamp, event: &Event) -> Result<()> {
        match event {
            Event::Step { n_rows, n_tokens, loss, rate, norm } => {
                self.sums.add((*n_rows, *n_tokens), (*loss, *rate, *norm));
                if self.sums.n_steps >= self.plan.log_every.max(1) {
                    self.write_steps(at)?;
                }
            }
            // What is measured belongs to steps that are in the log.
            Event::ValidationStart { .. } | Event::Pretrained { .. } | Event::Refitted { .. } => {
                self.write_steps(at)?;
            }
            _ => {}
        }
        if let Some(line) = Line::of(at, event) {
            self.write_line(at, &line)?;
        }
        match event {
            Event::PretrainingStart { n_done: 0, .. }
            | Event::EpochStart { n_done: 0, .. }
            | Event::RefitStart { n_done: 0, .. }
                if self.sums.is_empty() =>
            {
                self.sums = StepSums::starting_at(at.elapsed_s);
            }
            Event::Validated { record } => {
                self.sums = StepSums::starting_at(at.elapsed_s);
                self.status.validation = Some(key_figures(record.epoch, &record.validation));
                self.status.train_s = at.elapsed_s;
                self.write_status()?;
            }
            Event::Tested { metrics } => {
                self.status.test = Some(key_figures(at.epoch, metrics));
            }
            _ => {}
        }
        Ok(())
    }

    fn write_steps(&mut self, at: &Stamp) -> Result<()> {
        if self.sums.is_empty() {
            return Ok(());
        }
        let line = Line::of_steps(at, &self.sums);
        self.sums = StepSums::starting_at(at.elapsed_s);
        self.write_line(at, &line)
    }

    fn write_line(&mut self, at: &Stamp, line: &Line) -> Result<()> {
        let log_path = self.folder.log();
        let Some(Open { log, events, events_name }) = &mut self.open else { return Ok(()) };
        let json = line.json().map_err(io::Error::other);
        json.and_then(|json| log.write_all(&json)).map_err(unwritten(&log_path))?;
        let scalars = line.scalars();
        if scalars.is_empty() {
            return Ok(());
        }
        let scalars: Vec<(&str, f32)> =
            scalars.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        let written = events.scalars(at.time, at.step as i64, &scalars);
        written
            .and_then(|()| events.flush())
            .map_err(unwritten(&self.folder.path().join(&*events_name)))
    }

    /// Writes what the model that was saved last says of the texts of a split.
    ///
    /// # Errors
    /// [`Error::RunStopped`].
    pub(crate) fn keep_predictions(
        &mut self,
        job: &TrainingJob<'_>,
        name: &'static str,
        logits: &PathLogits,
    ) -> Result<()> {
        let Some(model_id) = job.folder.saved_id() else { return Ok(()) };
        let data = job.data;
        let (split, texts) = match name {
            TEST => (&data.test, &data.test_texts),
            _ => (&data.validation, &data.validation_texts),
        };
        let path = self.folder.predictions(name);
        let parent = whole_file::folder_of(&path);
        let predictions = Predictions { name, split, texts, task: &data.task, logits, model_id };
        let written = fs::create_dir_all(parent)
            .map_err(unwritten(parent))
            .and_then(|()| predictions.write(&path));
        written.map_err(|error| self.stopped(error))
    }

    /// Ends the session with the outcome of the training. Of a training that is done, the checkpoints are removed: its
    /// model is in the model folder. A program that is killed before this has been killed in its training.
    ///
    /// # Errors
    /// [`Error::Unwritten`].
    pub fn end(&mut self, outcome: &Result<TrainingReport>) -> Result<()> {
        if !self.is_started {
            // A refused session has changed nothing, and neither must its end.
            return Ok(());
        }
        match outcome {
            Err(error) => self.end_session(Ending::Failed, Some(chain(error))),
            Ok(report) => {
                self.status.train_s = report.train_s;
                self.end_session(report.ended, None)?;
                self.folder.tidy()
            }
        }
    }

    fn end_session(&mut self, ended: Ending, error: Option<String>) -> Result<()> {
        (self.status.ended, self.status.error) = (ended, error);
        if let Some(session) = self.status.sessions.last_mut() {
            session.ended = Some(in_words(now()));
        }
        self.write_status()
    }

    fn write_status(&self) -> Result<()> {
        self.status.write(&self.folder.status_file())
    }

    /// The error of a file that could not be written: with the checkpoint from which the training can go on.
    fn stopped(&self, error: Error) -> Error {
        match error {
            Error::RunStopped { .. } => error,
            cause => {
                let whole = self.checkpoints.all().unwrap_or_default();
                Error::RunStopped { cause: Box::new(cause), last: whole.into_iter().next() }
            }
        }
    }
}

/// Whether a file is missing or is not what it was, rather than out of reach.
fn is_lost(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidData, InvalidInput, NotFound, UnexpectedEof};
    matches!(error.kind(), InvalidData | InvalidInput | NotFound | UnexpectedEof)
}

fn key_figures(epoch: f64, metrics: &measures::Metrics) -> KeyFigures {
    let (name, value) = metrics.headline();
    KeyFigures {
        epoch,
        loss: metrics.loss(),
        name: name.to_string(),
        value,
        macro_f1: metrics.macro_f1(),
    }
}

/// Opens a file, or makes it, and cuts it back to a length; false if it was shorter.
fn cut_back(path: &Path, len: u64) -> io::Result<(File, bool)> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
    let is_whole = file.metadata()?.len() >= len;
    if is_whole {
        file.set_len(len)?;
    }
    file.seek(io::SeekFrom::End(0))?;
    Ok((file, is_whole))
}

fn unwritten(path: &Path) -> impl FnOnce(io::Error) -> Error + use<> {
    let path: PathBuf = path.to_path_buf();
    move |source| Error::Unwritten { path, source }
}

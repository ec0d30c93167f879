//! A training in progress: its state, and who hears of it, may stop it and keeps it.

use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use dataset::{Batch, Loader};

use crate::class_weights::{LossWeights, Weighting};
use crate::error::{Error, Result};
use crate::evaluate::targets_of;
use crate::job::TrainingJob;
use crate::observer::{Control, Event, Never, Observer, Stamp, Stop};
use crate::phases::{Unread, epochs, linear, pretrain, refit, validate};
use crate::record::Ending;
use crate::report::TrainingReport;
use crate::run_folder::{Found, RunRecorder};
use crate::state::{Identity, Phase, TrainState};
use crate::word_vectors;

/// Who hears of a training, who may stop it, and where it is recorded.
pub struct Session<'a> {
    /// Hears of every event.
    pub observer: &'a mut dyn Observer,
    /// May stop it.
    pub control: &'a dyn Control,
    /// Writes its run folder, if it has one: a log, and checkpoints from which it goes on if it was stopped.
    pub run: Option<&'a mut RunRecorder>,
}

impl<'a> Session<'a> {
    /// A training that is only watched.
    pub fn watched_by(observer: &'a mut dyn Observer) -> Self {
        Self { observer, control: &Never, run: None }
    }

    /// Tells the recorder, then the observer.
    pub(crate) fn tell(&mut self, at: &Stamp, event: &Event) -> Result<()> {
        if let Some(run) = &mut self.run {
            run.record(at, event)?;
        }
        self.observer.on(at, event)
    }
}

/// A training in progress.
pub(crate) struct Training<'a, 's> {
    pub(crate) job: &'a TrainingJob<'a>,
    pub(crate) state: TrainState,
    pub(crate) session: &'a mut Session<'s>,
    identity: Option<Identity>,
    /// Batches of which nobody has heard yet, as their figures are still on a device.
    pub(crate) unread: Unread,
    /// Weights of the classes in the calibration, and those with which the network is trained.
    pub(crate) class_weights: [LossWeights; 2],
}

impl TrainingJob<'_> {
    /// Trains, and saves the model selected by `keep` to the job's folder.
    ///
    /// The same job gives bit-identical results on the same machine and thread count. If the loss, the
    /// gradient or the weights are no longer finite, training ends as [`Ending::Diverged`] with the
    /// model kept before, and the report says why.
    ///
    /// # Errors
    /// An error for which [`Error::is_divergence`] holds if no model had been kept by then;
    /// [`Error::FewerThanABatch`]; an error of the observer, model, device or disk.
    pub fn run(self, observer: &mut dyn Observer) -> Result<TrainingReport> {
        self.run_in(&mut Session::watched_by(observer))
    }

    /// The same in a session, which may stop the training, and whose run folder keeps its state: if it holds the
    /// state of an earlier session of this training, the training goes on from there, and ends bit for bit as if it
    /// had not been interrupted.
    ///
    /// # Errors
    /// As [`run`](Self::run); [`Error::OtherTraining`] if the run folder's state is of another training;
    /// [`Error::Checkpoint`] if none of its checkpoints can be used; [`Error::RunStopped`] if a file of the run
    /// folder cannot be written.
    pub fn run_in(&self, session: &mut Session<'_>) -> Result<TrainingReport> {
        self.check()?;
        let mut training = Training::start(self, session)?;
        let ending = match training.up_to_refit() {
            Ok(ending) => ending,
            Err(error) if error.is_divergence() && training.state.report.kept().is_some() => {
                training.diverged(&error)?
            }
            Err(error) => return Err(error),
        };
        training.end(ending)?;
        training.refit()
    }

    /// Checks everything that can be checked before anything is trained or written.
    ///
    /// # Errors
    /// [`Error::Config`]; [`Error::FewerThanABatch`]; [`Error::Text`] if there is no file of word vectors; an error
    /// of the model.
    pub fn check(&self) -> Result<()> {
        self.training.check()?;
        self.training.check_for(self.model)?;
        self.pretraining.check(self.model)?;
        self.regularization.check()?;
        self.model.check()?;
        self.model.for_task(&self.data.task)?;
        if let Some(goal) = self.training.threshold {
            goal.check(&self.data.task)?;
        }
        let n_rows = self.data.train.len();
        if n_rows < self.training.batch_size {
            let batch_size = self.training.batch_size;
            return Err(Error::FewerThanABatch { rows: n_rows, batch_size });
        }
        if let Some(path) = &self.training.word_vectors {
            word_vectors::check(path, self.model.embedding_dim)?;
        }
        Ok(())
    }
}

impl<'a, 's> Training<'a, 's> {
    /// A training from its beginning, or from where its run folder says that it was.
    pub(crate) fn start(job: &'a TrainingJob<'a>, session: &'a mut Session<'s>) -> Result<Self> {
        let targets = targets_of(&job.data.train)?;
        let class_weights = [
            job.training.class_weights.in_calibration(&job.data.task, targets)?,
            job.training.class_weights.of(&job.data.task, targets)?,
        ];
        let identity = session.run.is_some().then(|| Identity::of(job)).transpose()?;
        let found = match (&mut session.run, &identity) {
            (Some(run), Some(identity)) => run.start(identity)?,
            _ => None,
        };
        let Some(Found { mut restored, notes, is_exact }) = found else {
            let state = TrainState::new(job, TrainingReport::at_start(job)?)?;
            let unread = Unread::default();
            return Ok(Self { job, state, session, identity, unread, class_weights });
        };
        let state = TrainState::restored(job, &mut restored, is_exact)?;
        restored.finish()?;
        let position = state.position;
        let unread = Unread::default();
        let mut training = Self { job, state, session, identity, unread, class_weights };
        // The log of a training that goes on is that of one that was not interrupted.
        training.tell(Event::Resumed { position, notes })?;
        Ok(training)
    }

    /// Everything up to the end of the epochs.
    fn up_to_refit(&mut self) -> Result<Ending> {
        if let Some(ending) = self.state.ended {
            return Ok(ending);
        }
        let prepared = linear(self).and_then(|stop| match stop {
            None => pretrain(self),
            stopped => Ok(stopped),
        });
        match prepared {
            Ok(None) => return epochs(self),
            Ok(Some(stop)) => {
                let has_path = self.state.linear_logits.is_some();
                self.tell_stop(stop, has_path && self.must_validate())?;
            }
            Err(ref error) if error.is_divergence() => {}
            Err(error) => return Err(error),
        }
        // The linear path is fitted: with it alone there is a model.
        if self.state.linear_logits.is_some() && self.must_validate() {
            match validate(self, (1, 0)) {
                // Report the first divergence.
                Err(error) if error.is_divergence() && prepared.is_err() => {}
                validated => {
                    validated?;
                }
            }
        }
        prepared.map(|_| Ending::Interrupted)
    }

    /// Whether a training that stops must validate its current model, since nothing else would be left of it.
    pub(crate) fn must_validate(&self) -> bool {
        self.session.run.is_none() || self.state.report.kept().is_none()
    }

    /// Says that the training stops.
    pub(crate) fn tell_stop(&mut self, stop: Stop, validates: bool) -> Result<()> {
        let is_saved = self.session.run.is_some();
        self.tell(Event::Stopped { stop, is_saved, validates })
    }

    /// Records why training ended early.
    pub(crate) fn diverged(&mut self, error: &Error) -> Result<Ending> {
        let reason = error.to_string();
        self.tell(Event::Diverged { reason: reason.clone() })?;
        self.state.report.diverged = Some(reason);
        Ok(Ending::Diverged)
    }

    /// Completes the report of the epochs.
    fn end(&mut self, ending: Ending) -> Result<()> {
        let elapsed_s = self.state.elapsed_s();
        let TrainState { report, step, .. } = &mut self.state;
        report.ended = ending;
        report.train_s = elapsed_s;
        // The profile of retraining is another one.
        if report.profile.is_none() {
            step.profile().total_s = elapsed_s;
            report.profile = Some(step.profile().clone());
        }
        report.judge();
        save_metrics(self.job, report)
    }

    /// Retrains on all texts except the test split, if requested and a model was kept.
    fn refit(mut self) -> Result<TrainingReport> {
        let ended = self.state.report.ended;
        let has_ended = matches!(ended, Ending::Complete | Ending::EarlyStopping);
        if !has_ended || !self.job.training.refit || self.state.report.kept().is_none() {
            return Ok(self.state.report);
        }
        match refit(&mut self) {
            Ok(Some(record)) => self.state.report.refit = Some(record),
            Ok(None) => self.state.report.ended = Ending::Interrupted,
            Err(error) if error.is_divergence() => {
                self.state.report.ended = self.diverged(&error)?;
            }
            Err(error) => return Err(error),
        }
        let elapsed_s = self.state.elapsed_s();
        let report = &mut self.state.report;
        report.train_s = elapsed_s;
        report.judge();
        save_metrics(self.job, report)?;
        Ok(self.state.report)
    }

    /// Goes on to retraining, with a new network.
    pub(crate) fn enter_refit(&mut self) -> Result<()> {
        self.state.enter_refit(self.job)
    }

    /// The weights of the validation texts.
    pub(crate) fn weighting(&self) -> Weighting<'_> {
        let [classes, trained] = &self.class_weights;
        Weighting { classes, trained, rows: self.job.data.validation.weights() }
    }

    /// The batches of the current epoch that are not done yet, and how many texts and windows are.
    pub(crate) fn rest_of_epoch(&self, config: &dataset::LoaderConfig) -> Result<(Loader, usize)> {
        let n_batches = self.state.position.n_batches;
        let rows = self.state.rows();
        let loader = Loader::starting_at(n_batches, Arc::clone(rows), config)?;
        Ok((loader, rows.len().min(n_batches * config.batch_size)))
    }

    /// Counts a batch that was trained on; its loss counts once it is read.
    pub(crate) fn count(&mut self, batch: &Batch, n_words: usize) {
        let TrainState { position, n_batches, progress, .. } = &mut self.state;
        position.n_batches += 1;
        *n_batches += 1;
        progress.n_rows += batch.rows.len();
        progress.n_batches += 1;
        progress.n_words += n_words;
    }

    /// Before a batch: saves the state if that is due or the training is to stop; says whether it is.
    pub(crate) fn pause(&mut self) -> Result<Option<Stop>> {
        let stop = self.session.control.stop();
        if stop.is_some() || self.session.run.as_ref().is_some_and(|run| run.is_due()) {
            self.save_state()?;
        }
        Ok(stop)
    }

    /// Saves the state, if the training has a run folder; all figures are read first.
    pub(crate) fn save_state(&mut self) -> Result<()> {
        self.read_figures()?;
        let (Some(run), Some(identity)) = (&mut self.session.run, &self.identity) else {
            return Ok(());
        };
        let started = Instant::now();
        let mut snapshot = self.state.snapshot(self.job)?;
        run.save(&mut snapshot, identity, self.state.n_batches)?;
        drop(snapshot);
        let (position, seconds) = (self.state.position, started.elapsed().as_secs_f64());
        self.tell(Event::CheckpointSaved { position, seconds })
    }

    /// Tells an event of this moment.
    pub(crate) fn tell(&mut self, event: Event) -> Result<()> {
        let at = self.stamp();
        self.session.tell(&at, &event)
    }

    /// This moment.
    pub(crate) fn stamp(&self) -> Stamp {
        let (position, n_rows) = (&self.state.position, self.state.rows().len());
        let batch_size = match position.phase {
            Phase::Pretraining => self.job.pretraining.batch_size,
            _ => self.job.training.batch_size,
        };
        let n_done = (position.n_batches * batch_size).min(n_rows);
        Stamp {
            phase: position.phase,
            epoch: (position.epoch - 1) as f64 + n_done as f64 / n_rows.max(1) as f64,
            step: self.state.n_steps(),
            elapsed_s: self.state.elapsed_s(),
            time: now(),
        }
    }
}

/// Writes a report beside the model that it is of; not to a model folder that is ahead of it.
pub(crate) fn save_metrics(job: &TrainingJob<'_>, report: &TrainingReport) -> Result<()> {
    match job.folder.saved_id() {
        Some(_) if report.kept().is_some() => Ok(job.folder.save_metrics(report)?),
        _ => Ok(()),
    }
}

/// Seconds since 1970-01-01 UTC; 0 if the clock is before that.
pub(crate) fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64())
}

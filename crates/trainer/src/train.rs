//! The training loop.

use std::sync::Arc;
use std::time::Instant;

use dataset::{Batch, Loader};
use model::{NGRAM_BIAS, NGRAM_TABLE};

use crate::class_weights::{LossWeights, Weighting};
use crate::error::{Error, Result};
use crate::evaluate::targets_of;
use crate::finite::NonFinite;
use crate::job::{TrainingJob, loader_config, new_step, save, steps_per_epoch, vocabularies};
use crate::linear_search::{Fitted, fit_best};
use crate::observer::{Event, Observer};
use crate::pretraining::pretrain;
use crate::profile::Part;
use crate::record::{Ending, ValidationRecord};
use crate::refit::{Start, refit};
use crate::report::TrainingReport;
use crate::schedule::LearningRate;
use crate::scoring::metrics_of;
use crate::step::TrainingStep;
use crate::validation::{is_kept, measure};
use crate::word_vectors;

/// Maximum number of training rows that an error names.
const ROWS_IN_ERROR: usize = 8;

impl TrainingJob<'_> {
    /// Trains, and saves the model selected by `keep` to the job's folder.
    ///
    /// The same job gives bit-identical results on the same machine and thread count. If the loss, the
    /// gradient or the weights are no longer finite, training ends as [`Ending::Diverged`] with the
    /// model kept before, and the report says why.
    ///
    /// # Errors
    /// An error for which [`Error::is_divergence`] holds if no model had been kept by then;
    /// [`Error::FewerThanABatch`]; an error of the model, device or disk.
    pub fn run(self, observer: &mut dyn Observer) -> Result<TrainingReport> {
        self.training.check()?;
        self.pretraining.check(self.model)?;
        self.regularization.check()?;
        self.model.for_task(&self.data.task)?;
        if let Some(goal) = self.training.threshold {
            goal.check(&self.data.task)?;
        }
        let n_rows = self.data.train.len();
        if n_rows < self.training.batch_size {
            let batch_size = self.training.batch_size;
            return Err(Error::FewerThanABatch { rows: n_rows, batch_size });
        }
        let mut run = Run::start(&self)?;
        run.report.ended = match run.train(observer) {
            Ok(ending) => ending,
            Err(error) if error.is_divergence() && run.report.kept().is_some() => {
                diverged(&mut run.report, &error, observer)
            }
            Err(error) => return Err(error),
        };
        run.report.train_s = run.started.elapsed().as_secs_f64();
        run.step.profile().total_s = run.report.train_s;
        run.report.profile = Some(run.step.profile().clone());
        if run.report.kept().is_some() {
            run.report.judge();
            self.folder.save_metrics(&run.report)?;
        }
        run.refit(observer)
    }
}

/// Records why training ended early.
fn diverged(report: &mut TrainingReport, error: &Error, observer: &mut dyn Observer) -> Ending {
    let reason = error.to_string();
    observer.on_event(Event::Diverged { reason: &reason });
    report.diverged = Some(reason);
    Ending::Diverged
}

/// A training run in progress.
struct Run<'a> {
    job: &'a TrainingJob<'a>,
    step: TrainingStep,
    learning_rate: LearningRate,
    /// Weights of the classes in the calibration, and those with which the network is trained.
    class_weights: [LossWeights; 2],
    /// The linear path's logits of the validation texts, once it is fitted.
    linear_logits: Option<Vec<f32>>,
    /// The initial weights, if retraining starts from them, too.
    start: Option<Start>,
    report: TrainingReport,
    started: Instant,
    /// Validations since the lowest loss.
    n_worse: usize,
    since_validation: Progress,
}

/// The position of a step in a training run, from 1.
#[derive(Debug, Clone, Copy)]
struct Place {
    epoch: usize,
    batch: usize,
}

/// What was trained since the last validation.
#[derive(Debug, Clone, Copy)]
struct Progress {
    n_rows: usize,
    n_batches: usize,
    loss_sum: f64,
    started: Instant,
}

impl Progress {
    fn start() -> Self {
        Self { n_rows: 0, n_batches: 0, loss_sum: 0.0, started: Instant::now() }
    }
}

impl<'a> Run<'a> {
    fn start(job: &'a TrainingJob<'a>) -> Result<Self> {
        let started = Instant::now();
        let vocabularies = vocabularies(job, &job.data.train)?;
        let targets = targets_of(&job.data.train)?;
        let class_weights = [
            job.training.class_weights.in_calibration(&job.data.task, targets)?,
            job.training.class_weights.of(&job.data.task, targets)?,
        ];
        let step = new_step(job, vocabularies, targets)?;
        let steps_per_epoch = steps_per_epoch(job.training, job.data.train.len());
        let report = TrainingReport {
            recipe: job.recipe.to_string(),
            data: job.origin.clone(),
            task: job.data.task.clone(),
            model: job.model.for_task(&job.data.task)?,
            regularization: *job.regularization,
            training: job.training.clone(),
            lowered_batch: None,
            linear_path: None,
            linear_rate: None,
            word_vectors: None,
            pretraining: job.pretraining.clone(),
            pretraining_history: Vec::new(),
            history: Vec::new(),
            refit: None,
            ended: Ending::Running,
            diverged: None,
            train_s: 0.0,
            validation: None,
            test: None,
            test_intervals: None,
            test_alone: None,
            linear_baseline: None,
            warnings: Vec::new(),
            profile: None,
        };
        Ok(Self {
            job,
            step,
            learning_rate: LearningRate::new(job.training, steps_per_epoch),
            class_weights,
            linear_logits: None,
            start: None,
            report,
            started,
            n_worse: 0,
            since_validation: Progress::start(),
        })
    }

    /// Everything up to the end of the epochs.
    fn train(&mut self, observer: &mut dyn Observer) -> Result<Ending> {
        let prepared = match self.prepare_weights(observer) {
            Ok(Ending::Complete) => return self.epochs(observer),
            Ok(ending) => {
                observer.on_event(Event::Interrupted);
                Ok(ending)
            }
            Err(error) if error.is_divergence() => Err(error),
            Err(error) => return Err(error),
        };
        // The linear path is fitted: with it alone there is a model.
        if self.linear_logits.is_some() {
            match self.validate(1, 0, observer) {
                // Report the first divergence.
                Err(error) if error.is_divergence() && prepared.is_err() => {}
                validated => {
                    validated?;
                }
            }
        }
        prepared
    }

    /// Everything that comes before the epochs: the linear path, word vectors, the pre-training.
    fn prepare_weights(&mut self, observer: &mut dyn Observer) -> Result<Ending> {
        let &TrainingJob { pretraining, data, training, .. } = self.job;
        self.fit_linear_path(observer)?;
        if let Some(path) = &training.word_vectors {
            let used = word_vectors::start_from(path, &data.encoder, self.step.network().1)?;
            observer.on_event(Event::WordVectors { used: &used });
            self.report.word_vectors = Some(used);
        }
        if pretraining.epochs == 0 {
            return Ok(Ending::Complete);
        }
        let (network, records) = (self.step.network(), &mut self.report.pretraining_history);
        pretrain(network, pretraining, data, training.seed, records, observer)
    }

    /// The weights of the validation texts.
    fn weighting(&self) -> Weighting<'_> {
        let [classes, trained] = &self.class_weights;
        Weighting { classes, trained, rows: self.job.data.validation.weights() }
    }

    /// Fits the linear path, if the network has one.
    fn fit_linear_path(&mut self, observer: &mut dyn Observer) -> Result<()> {
        let &TrainingJob { training, data, .. } = self.job;
        let Some(vocabulary) = self.step.vocabularies().ngrams.clone() else { return Ok(()) };
        observer.on_event(Event::LinearPathStart { n_ngrams: vocabulary.len() });
        let Fitted { model, rate, logits, stacked, .. } =
            fit_best(&vocabulary, data, training, self.weighting())?;
        model.set_path(self.step.network().1)?;
        let judged = stacked.combined(&stacked.shifted(&logits));
        let metrics = metrics_of(&judged, &data.task, targets_of(&data.validation)?, None)?;
        self.linear_logits = Some(logits.recurrent);
        self.report.linear_rate = Some(rate);
        observer.on_event(Event::LinearPathFitted { metrics: &metrics });
        self.report.linear_path = Some(metrics);
        Ok(())
    }

    /// Retrains on all texts except the test split, if requested and a model was kept.
    fn refit(self, observer: &mut dyn Observer) -> Result<TrainingReport> {
        let Self { job, step, start, mut report, started, .. } = self;
        let has_ended = matches!(report.ended, Ending::Complete | Ending::EarlyStopping);
        let (true, Some(start), Some(kept)) = (has_ended, start, report.kept()) else {
            return Ok(report);
        };
        // Its moments are no longer needed, and take twice the memory of its weights.
        drop(step);
        match refit(job, &start, kept, &report, observer) {
            Ok(Some(record)) => report.refit = Some(record),
            Ok(None) => report.ended = Ending::Interrupted,
            Err(error) if error.is_divergence() => {
                report.ended = diverged(&mut report, &error, observer);
            }
            Err(error) => return Err(error),
        }
        report.train_s = started.elapsed().as_secs_f64();
        report.judge();
        job.folder.save_metrics(&report)?;
        Ok(report)
    }

    fn epochs(&mut self, observer: &mut dyn Observer) -> Result<Ending> {
        if self.job.training.refit {
            let variables = model::sorted(self.step.network().1).into_iter();
            let variables = variables.filter(|(name, _)| name != NGRAM_TABLE && name != NGRAM_BIAS);
            let copies = variables.map(|(name, var)| Ok((name, var.as_detached_tensor().copy()?)));
            self.start = Some(copies.collect::<candle_core::Result<_>>()?);
        }
        self.since_validation = Progress::start();
        for epoch in 1..=self.job.training.epochs {
            if let Some(ending) = self.epoch(epoch, observer)? {
                return Ok(ending);
            }
        }
        Ok(Ending::Complete)
    }

    /// One epoch; `Some` if the training ends in it or after it.
    fn epoch(&mut self, epoch: usize, observer: &mut dyn Observer) -> Result<Option<Ending>> {
        let training = self.job.training;
        let n_rows = self.job.data.train.len();
        let config = loader_config(self.job, epoch);
        observer.on_event(Event::EpochStart { epoch, n_rows });
        self.step.start_epoch();
        let mut n_done = 0;
        let mut loader = Loader::new(Arc::clone(&self.job.data.train), &config, self.job.device)?;
        for index in 0..loader.len() {
            if observer.should_stop() {
                observer.on_event(Event::Interrupted);
                self.step.finish_step(self.learning_rate.at(self.step.n_steps()))?.ok();
                // A fitted linear path makes a model, too.
                let has_path = self.linear_logits.is_some() && self.report.kept().is_none();
                if self.since_validation.n_batches > 0 || has_path {
                    self.validate(epoch, n_done, observer)?;
                }
                return Ok(Some(Ending::Interrupted));
            }
            let Some(batch) = self.step.profile().time(Part::Load, || loader.next()) else { break };
            let batch = batch?;
            let place = Place { epoch, batch: index + 1 };
            let loss = self.learn(&batch, place)?;
            n_done += batch.rows.len();
            if n_done == n_rows && self.step.has_accumulated() {
                let rate = self.learning_rate.at(self.step.n_steps());
                let finished = self.step.finish_step(rate)?;
                finished.map_err(|non_finite| self.non_finite(non_finite, Some(&batch), place))?;
            }
            observer.on_event(Event::Step { n_rows: batch.rows.len(), loss });
            // No number is a multiple of 0, which means never.
            let is_due = !self.step.has_accumulated()
                && self.step.n_steps().is_multiple_of(training.validate_every);
            if is_due && n_done < n_rows && self.validate(epoch, n_done, observer)? {
                return Ok(Some(Ending::EarlyStopping));
            }
        }
        let has_ended = self.validate(epoch, n_done, observer)?;
        Ok((has_ended && epoch < training.epochs).then_some(Ending::EarlyStopping))
    }

    /// One batch. Returns its loss.
    fn learn(&mut self, batch: &Batch, place: Place) -> Result<f32> {
        let rate = self.learning_rate.at(self.step.n_steps());
        let outcome = self.step.run(batch, rate)?;
        let outcome =
            outcome.map_err(|non_finite| self.non_finite(non_finite, Some(batch), place))?;
        self.since_validation.n_rows += batch.rows.len();
        self.since_validation.n_batches += 1;
        self.since_validation.loss_sum += f64::from(outcome.loss);
        Ok(outcome.loss)
    }

    /// Validates, keeps the model if `keep` selects it, and returns whether patience has run out.
    fn validate(
        &mut self,
        epoch: usize,
        n_done: usize,
        observer: &mut dyn Observer,
    ) -> Result<bool> {
        let progress = self.since_validation;
        let train_s = progress.started.elapsed().as_secs_f64();
        let data = self.job.data;
        let place = Place { epoch, batch: 0 };
        observer.on_event(Event::ValidationStart { n_rows: data.validation.len() });
        let linear_logits = self.linear_logits.as_deref();
        let [classes, trained] = &self.class_weights;
        let weighting = Weighting { classes, trained, rows: data.validation.weights() };
        let measured = measure(self.job, &mut self.step, linear_logits, weighting, observer)?;
        let metrics = measured.metrics;
        if !metrics.loss().is_finite() {
            let non_finite = NonFinite::new("validation loss", metrics.loss());
            return Err(self.non_finite(non_finite, None, place));
        }
        let before = self.report.validation.clone();
        let mut record = ValidationRecord {
            epoch: (epoch - 1) as f64 + n_done as f64 / data.train.len() as f64,
            step: self.step.n_steps(),
            train_loss: progress.loss_sum / progress.n_batches.max(1) as f64,
            validation: metrics.clone(),
            train_s,
            texts_per_s: if train_s > 0.0 { progress.n_rows as f64 / train_s } else { 0.0 },
            linear_share: measured.stacked.linear_share,
            temperature: measured.stacked.temperature,
            shift: measured.stacked.shift,
            thresholds: measured.thresholds,
            alone: measured.alone,
            weighted_loss: measured.weighted_loss,
            is_kept: false,
        };
        record.is_kept = is_kept(self.job.training.keep, &record, self.report.kept());
        let loss = record.selection_loss();
        let lowest = self.report.history.iter().map(ValidationRecord::selection_loss);
        let is_lowest = loss < lowest.fold(f64::INFINITY, f64::min);
        self.report.history.push(record.clone());
        if record.is_kept {
            self.report.validation = Some(metrics);
            self.report.train_s = self.started.elapsed().as_secs_f64();
            self.report.judge();
            let saved = save(self.job, &mut self.step, &record, &self.report, &data.seen)?;
            if let Err(non_finite) = saved {
                self.report.history.pop();
                self.report.validation = before;
                return Err(self.non_finite(non_finite, None, place));
            }
        }
        self.learning_rate.validated(loss);
        self.n_worse = if is_lowest { 0 } else { self.n_worse + 1 };
        observer.on_event(Event::Validated { record: &record });
        self.since_validation = Progress::start();
        let patience = self.job.training.patience;
        Ok(patience > 0 && self.n_worse >= patience)
    }

    /// The error that ends training once values are no longer finite. `batch`: the one that showed it,
    /// before it changed the weights; `None` in a validation.
    fn non_finite(&self, non_finite: NonFinite, batch: Option<&Batch>, place: Place) -> Error {
        let NonFinite { quantity, value } = non_finite;
        let kept = match self.report.kept() {
            Some(kept) => format!("the model after {:.2} epochs was kept", kept.epoch),
            None => {
                "no model was kept, because none had been validated; try a lower learning_rate \
                     or clip_norm"
                    .to_string()
            }
        };
        let n_steps = self.step.n_steps();
        // A validation follows the step that it measures.
        let step = if batch.is_some() { n_steps } else { n_steps.saturating_sub(1) };
        Error::NonFinite {
            quantity,
            value,
            epoch: place.epoch,
            step: step + 1,
            learning_rate: self.learning_rate.at(step),
            batch: batch.map(|batch| in_words(batch, place)).unwrap_or_default(),
            kept,
        }
    }
}

/// `, batch 2 of the epoch, training rows 5, 9`.
fn in_words(batch: &Batch, place: Place) -> String {
    let mut rows: Vec<String> = batch.rows.iter().take(ROWS_IN_ERROR).map(u32::to_string).collect();
    if batch.rows.len() > ROWS_IN_ERROR {
        rows.push("...".to_string());
    }
    format!(", batch {} of the epoch, training rows {}", place.batch, rows.join(", "))
}

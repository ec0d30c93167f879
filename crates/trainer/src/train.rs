//! The training loop.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use candle_core::{Device, Tensor};
use dataset::{Batch, EncodedSplit, Loader, LoaderConfig, Order};
use model::{ModelConfig, NGRAM_TABLE, PathScales, SentimentRnn, Vocabularies, folder};
use text_preprocessing::TextEncoder;

use crate::calibration::fit_temperature;
use crate::config::{BatchOrder, Keep, NgramTraining, TrainingConfig};
use crate::error::{Error, Result};
use crate::evaluate::{batch_padding, check_output_size, logits};
use crate::linear_path::{self, fit_share, mixed};
use crate::metrics::Metrics;
use crate::observer::{Event, Observer};
use crate::prepare::Prepared;
use crate::pretraining::{PretrainingConfig, pretrain};
use crate::profile::Part;
use crate::refit::{Start, refit};
use crate::report::{DataOrigin, Ending, EpochRecord, TrainingReport};
use crate::schedule::LearningRate;
use crate::step::{NonFinite, TrainingStep};
use crate::word_vectors;

/// Training rows that an error names at most.
const ROWS_IN_ERROR: usize = 8;

/// Everything that a training needs.
#[derive(Debug)]
pub struct TrainingJob<'a> {
    /// Name of the recipe, for the report.
    pub recipe: &'a str,
    /// The network.
    pub model: &'a ModelConfig,
    /// The settings.
    pub training: &'a TrainingConfig,
    /// Those of the pre-training.
    pub pretraining: &'a PretrainingConfig,
    /// The encoded splits.
    pub data: &'a Prepared,
    /// Where the data came from, for the report.
    pub origin: DataOrigin,
    /// Where to compute.
    pub device: &'a Device,
    /// Where the kept model goes; an older model there is replaced at the first validation.
    pub folder: &'a Path,
}

impl TrainingJob<'_> {
    /// Trains, and leaves the model that `keep` names in the job's folder.
    ///
    /// The same job gives the same numbers bit for bit on the same machine and thread count.
    ///
    /// # Errors
    /// [`Error::NonFinite`] if the loss or the gradient leaves the finite numbers (the model kept before stays
    /// in the folder); [`Error::FewerThanABatch`]; an error of the model, device or disk.
    pub fn run(self, observer: &mut dyn Observer) -> Result<TrainingReport> {
        self.training.check()?;
        self.training.check_with(self.model)?;
        self.pretraining.check(self.model)?;
        check_output_size(self.model)?;
        let n_rows = self.data.train.len();
        if n_rows < self.training.batch_size {
            let batch_size = self.training.batch_size;
            return Err(Error::FewerThanABatch { rows: n_rows, batch_size });
        }
        folder::check_replaceable(self.folder)?;
        let mut run = Run::start(&self)?;
        let ending = match run.prepare_weights(observer)? {
            Ending::Complete => run.epochs(observer)?,
            ending => {
                observer.on_event(Event::Interrupted);
                // The linear path is done: with its share alone there is a model.
                if run.linear_logits.is_some() {
                    run.validate(1, 0, observer)?;
                }
                ending
            }
        };
        run.report.ended = ending;
        run.report.train_s = run.started.elapsed().as_secs_f64();
        run.step.profile().total_s = run.report.train_s;
        run.report.profile = Some(run.step.profile().clone());
        if run.report.kept().is_some() {
            folder::save_metrics(self.folder, &run.report)?;
        }
        run.refit(observer)
    }
}

/// What a network learns to tell apart in some texts.
pub(crate) fn vocabularies(
    model: &ModelConfig,
    encoder: &TextEncoder,
    texts: &EncodedSplit,
) -> Result<Vocabularies> {
    Ok(Vocabularies::learn(model, encoder.vocab_size(), &rows_of(texts), labels_of(texts)?)?)
}

pub(crate) fn rows_of(split: &EncodedSplit) -> Vec<&[u32]> {
    (0..split.len()).map(|row| split.row(row)).collect()
}

pub(crate) fn labels_of(split: &EncodedSplit) -> Result<&[u8]> {
    split.labels().ok_or(Error::NoLabels)
}

/// Optimiser steps in an epoch over so many texts.
pub(crate) fn steps_per_epoch(training: &TrainingConfig, n_rows: usize) -> usize {
    n_rows.div_ceil(training.batch_size).div_ceil(training.accumulation)
}

/// How an epoch's texts come.
pub(crate) fn loader_config(job: &TrainingJob<'_>, epoch: usize) -> LoaderConfig {
    let (seed, epoch) = (job.training.seed, epoch as u64);
    LoaderConfig {
        batch_size: job.training.batch_size,
        padding: batch_padding(job.model, job.data.encoder.config().seq_len),
        order: match job.training.batches {
            BatchOrder::Shuffled => Order::Shuffled { seed, epoch },
            BatchOrder::LengthBuckets => Order::LengthBuckets { seed, epoch },
        },
    }
}

/// What the logits of a validated network are multiplied by when it is kept.
pub(crate) fn path_scales(record: &EpochRecord) -> PathScales {
    let scale = 1.0 / record.temperature.unwrap_or(1.0);
    match record.linear_share {
        Some(share) => PathScales { recurrent: (1.0 - share) * scale, linear: share * scale },
        None => PathScales { recurrent: scale, linear: scale },
    }
}

/// A training under way.
struct Run<'a> {
    job: &'a TrainingJob<'a>,
    step: TrainingStep,
    learning_rate: LearningRate,
    /// What the linear path says of the validation texts, if it was fitted first.
    linear_logits: Option<Vec<f32>>,
    /// What the training started from, if another is to start from it, too.
    start: Option<Start>,
    report: TrainingReport,
    started: Instant,
    /// Validations since the lowest loss.
    n_worse: usize,
    since_validation: Progress,
}

/// Where in a training a step is, from 1.
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
        let vocabularies = vocabularies(job.model, &job.data.encoder, &job.data.train)?;
        let step = TrainingStep::new(job.model, job.training, vocabularies, job.device)?;
        let steps_per_epoch = steps_per_epoch(job.training, job.data.train.len());
        let report = TrainingReport {
            recipe: job.recipe.to_string(),
            data: job.origin.clone(),
            model: job.model.clone(),
            training: job.training.clone(),
            linear_path: None,
            word_vectors: None,
            pretraining: job.pretraining.clone(),
            pretraining_history: Vec::new(),
            history: Vec::new(),
            refit: None,
            ended: Ending::Running,
            train_s: 0.0,
            validation: None,
            test: None,
            baseline_test_accuracy: None,
            profile: None,
        };
        Ok(Self {
            job,
            step,
            learning_rate: LearningRate::new(job.training, steps_per_epoch),
            linear_logits: None,
            start: None,
            report,
            started,
            n_worse: 0,
            since_validation: Progress::start(),
        })
    }

    /// Everything that comes before the epochs: the linear path, word vectors, the pre-training.
    fn prepare_weights(&mut self, observer: &mut dyn Observer) -> Result<Ending> {
        let &TrainingJob { pretraining, data, training, .. } = self.job;
        if training.ngram_training == NgramTraining::First {
            self.fit_linear_path(observer)?;
        }
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

    /// Fits the linear path, if the network has one.
    fn fit_linear_path(&mut self, observer: &mut dyn Observer) -> Result<()> {
        let &TrainingJob { training, data, .. } = self.job;
        let Some(vocabulary) = self.step.vocabularies().ngrams.clone() else { return Ok(()) };
        observer.on_event(Event::LinearPathStart { n_ngrams: vocabulary.len() });
        let (texts, labels) = (rows_of(&data.train), labels_of(&data.train)?);
        let (rate, seed) = (training.ngram_learning_rate, training.seed);
        let weights = linear_path::fit(&vocabulary, (&texts, labels), rate, seed);
        let of_validation = rows_of(&data.validation);
        let logits = linear_path::logits(&vocabulary, &weights, &of_validation);
        let labels = labels_of(&data.validation)?;
        let metrics = Metrics::of_logits(&logits, labels);
        if let Some(table) = model::sorted(self.step.network().1).remove(NGRAM_TABLE) {
            table.set(&Tensor::from_vec(weights, (vocabulary.len(), 1), table.device())?)?;
        }
        self.linear_logits = Some(logits);
        observer.on_event(Event::LinearPathFitted { metrics: &metrics });
        self.report.linear_path = Some(metrics);
        Ok(())
    }

    /// Trains anew on all texts but the test's, if that is asked for and there is a model to go by.
    fn refit(self, observer: &mut dyn Observer) -> Result<TrainingReport> {
        let Self { job, step, start, mut report, started, .. } = self;
        let has_ended = matches!(report.ended, Ending::Complete | Ending::EarlyStopping);
        let (true, Some(start), Some(kept)) = (has_ended, start, report.kept()) else {
            return Ok(report);
        };
        // Its moments are of no more use, and as large as its weights twice over.
        drop(step);
        report.refit = refit(job, &start, kept, &report, observer)?;
        if report.refit.is_none() {
            report.ended = Ending::Interrupted;
        }
        report.train_s = started.elapsed().as_secs_f64();
        folder::save_metrics(job.folder, &report)?;
        Ok(report)
    }

    fn epochs(&mut self, observer: &mut dyn Observer) -> Result<Ending> {
        if self.job.training.refit {
            let variables = model::sorted(self.step.network().1).into_iter();
            let variables = variables.filter(|(name, _)| name != NGRAM_TABLE);
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
                // A linear path is something learned, too.
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
                finished.map_err(|non_finite| self.non_finite(non_finite, &batch, place))?;
            }
            observer.on_event(Event::Step { n_rows: batch.rows.len(), loss });
            // No number is a multiple of 0, which stands for never.
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
        let outcome = outcome.map_err(|non_finite| self.non_finite(non_finite, batch, place))?;
        self.since_validation.n_rows += batch.rows.len();
        self.since_validation.n_batches += 1;
        self.since_validation.loss_sum += f64::from(outcome.loss);
        Ok(outcome.loss)
    }

    /// Validates, keeps the model if its time has come, and tells whether patience has ended.
    fn validate(
        &mut self,
        epoch: usize,
        n_done: usize,
        observer: &mut dyn Observer,
    ) -> Result<bool> {
        let progress = self.since_validation;
        let train_s = progress.started.elapsed().as_secs_f64();
        let data = self.job.data;
        observer.on_event(Event::ValidationStart { n_rows: data.validation.len() });
        let seq_len = data.encoder.config().seq_len;
        let model = self.job.model;
        let vocabularies = self.step.vocabularies().clone();
        let is_fitted = self.linear_logits.is_some();
        let mut logits = self.step.with_weights(|variables, profile| {
            profile.time(Part::Evaluation, || {
                let mut network = SentimentRnn::frozen(model, vocabularies.clone(), variables)?;
                if is_fitted {
                    network = network.without_linear_path();
                }
                let mut on_rows = |n_rows| observer.on_event(Event::Scored { n_rows });
                logits(&network, &data.validation, seq_len, &mut on_rows)
            })
        })?;
        let labels = labels_of(&data.validation)?;
        let linear_share = self.linear_logits.as_ref().map(|linear| {
            let share = fit_share(&logits, linear, labels);
            logits = mixed(&logits, linear, share);
            share
        });
        let temperature = self.job.training.calibrate.then(|| fit_temperature(&logits, labels));
        let scale = 1.0 / temperature.unwrap_or(1.0);
        let scaled: Vec<f32> = logits.iter().map(|logit| logit * scale as f32).collect();
        let metrics = Metrics::of_logits(&scaled, labels);
        let is_kept = is_kept(self.job.training.keep, &metrics, self.report.validation.as_ref());
        let lowest = self.report.history.iter().map(|record| record.validation.loss);
        let is_lowest = metrics.loss < lowest.fold(f64::INFINITY, f64::min);
        self.learning_rate.validated(metrics.loss);
        self.report.history.push(EpochRecord {
            epoch: (epoch - 1) as f64 + n_done as f64 / data.train.len() as f64,
            step: self.step.n_steps(),
            train_loss: progress.loss_sum / progress.n_batches.max(1) as f64,
            validation: metrics,
            train_s,
            reviews_per_s: progress.n_rows as f64 / train_s,
            linear_share,
            temperature,
            is_kept,
        });
        self.n_worse = if is_lowest { 0 } else { self.n_worse + 1 };
        if is_kept {
            self.report.validation = Some(metrics);
            self.report.train_s = self.started.elapsed().as_secs_f64();
            let (folder, report) = (self.job.folder, &self.report);
            let scales = report.history.last().map(path_scales).unwrap_or_default();
            self.step.with_weights(|variables, profile| {
                profile.time(Part::Save, || {
                    model::with_scaled_logits(variables, scales, || {
                        let ngrams = vocabularies.ngrams.as_ref();
                        Ok(folder::save(folder, model, &data.encoder, ngrams, variables, report)?)
                    })
                })
            })?;
        }
        if let Some(record) = self.report.history.last() {
            observer.on_event(Event::Validated { record });
        }
        self.since_validation = Progress::start();
        let patience = self.job.training.patience;
        Ok(patience > 0 && self.n_worse >= patience)
    }

    /// What stops a training, before the weights are touched, once numbers are no longer finite.
    fn non_finite(&self, non_finite: NonFinite, batch: &Batch, place: Place) -> Error {
        let NonFinite { quantity, value } = non_finite;
        let mut rows: Vec<String> =
            batch.rows.iter().take(ROWS_IN_ERROR).map(u32::to_string).collect();
        if batch.rows.len() > ROWS_IN_ERROR {
            rows.push("...".to_string());
        }
        let kept = match self.report.kept() {
            Some(kept) => format!(
                "the model kept before, after {:.2} epochs, is in {}",
                kept.epoch,
                self.job.folder.display()
            ),
            None => "no model was kept, as none had been validated; try a lower learning_rate \
                     or clip_norm"
                .to_string(),
        };
        let n_steps = self.step.n_steps();
        Error::NonFinite {
            quantity,
            value,
            epoch: place.epoch,
            step: n_steps + 1,
            learning_rate: self.learning_rate.at(n_steps),
            batch: place.batch,
            rows: rows.join(", "),
            kept,
        }
    }
}

/// Whether a model takes the place of the one kept so far. One whose loss is no number never does.
fn is_kept(keep: Keep, new: &Metrics, kept: Option<&Metrics>) -> bool {
    new.loss.is_finite()
        && kept.is_none_or(|kept| match keep {
            Keep::Last => true,
            Keep::LowestLoss => new.loss < kept.loss,
            Keep::HighestAccuracy => new.accuracy > kept.accuracy,
        })
}

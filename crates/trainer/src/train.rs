//! The training loop.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use candle_core::Device;
use candle_nn::VarMap;
use dataset::{Batch, Loader, LoaderConfig, Order};
use model::{ModelConfig, SentimentRnn, State, folder};
use recurrent::SeededRng;

use crate::adam::Adam;
use crate::clip::{clip_factor, global_norm};
use crate::config::{StateCarry, TrainingConfig};
use crate::error::{Error, Result};
use crate::evaluate::{batch_padding, check_output_size, evaluate};
use crate::loss::{BceOptions, bce_with_logits};
use crate::observer::{Event, Observer, is_better};
use crate::prepare::Prepared;
use crate::report::{DataOrigin, Ending, EpochRecord, TrainingReport};
use crate::schedule::LearningRate;

/// Keeps the dropout's random numbers apart from those of the initial weights.
const DROPOUT_STREAM: u64 = 0x6472_6f70_6f75_7421;

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
    /// The encoded splits.
    pub data: &'a Prepared,
    /// Where the data came from, for the report.
    pub origin: DataOrigin,
    /// Where to compute.
    pub device: &'a Device,
    /// Where the best model goes; an older model there is replaced at the first validation.
    pub folder: &'a Path,
}

impl TrainingJob<'_> {
    /// Trains, and leaves the model with the lowest validation loss in the job's folder.
    ///
    /// The same job gives the same numbers bit for bit on the same machine and thread count.
    ///
    /// # Errors
    /// [`Error::NonFinite`] if the loss or the gradient leaves the finite numbers (the best model so far stays
    /// in the folder); [`Error::FewerThanABatch`]; an error of the model, device or disk.
    pub fn run(self, observer: &mut dyn Observer) -> Result<TrainingReport> {
        self.training.check()?;
        check_output_size(self.model)?;
        let n_rows = self.data.train.len();
        if n_rows < self.training.batch_size {
            let batch_size = self.training.batch_size;
            return Err(Error::FewerThanABatch { rows: n_rows, batch_size });
        }
        folder::check_replaceable(self.folder)?;
        let mut run = Run::start(&self)?;
        let ending = run.epochs(observer)?;
        run.report.ended = ending;
        run.report.train_s = run.started.elapsed().as_secs_f64();
        if run.report.best().is_some() {
            folder::save_metrics(self.folder, &run.report)?;
        }
        Ok(run.report)
    }
}

/// A training under way.
struct Run<'a> {
    job: &'a TrainingJob<'a>,
    network: SentimentRnn,
    variables: VarMap,
    adam: Adam,
    learning_rate: LearningRate,
    dropout: SeededRng,
    report: TrainingReport,
    started: Instant,
    n_steps: usize,
    /// Validations since the best.
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
        let seed = job.training.seed;
        let vocab_size = job.data.encoder.vocab_size();
        let (network, variables) = SentimentRnn::init(job.model, vocab_size, seed, job.device)?;
        let adam = Adam::new(model::sorted(&variables).into_values())?;
        let steps_per_epoch = job.data.train.len().div_ceil(job.training.batch_size);
        let report = TrainingReport {
            recipe: job.recipe.to_string(),
            data: job.origin.clone(),
            model: job.model.clone(),
            training: job.training.clone(),
            history: Vec::new(),
            ended: Ending::Running,
            train_s: 0.0,
            validation: None,
            test: None,
        };
        Ok(Self {
            job,
            network,
            variables,
            adam,
            learning_rate: LearningRate::new(job.training, steps_per_epoch),
            dropout: SeededRng::new(seed ^ DROPOUT_STREAM),
            report,
            started: Instant::now(),
            n_steps: 0,
            n_worse: 0,
            since_validation: Progress::start(),
        })
    }

    fn epochs(&mut self, observer: &mut dyn Observer) -> Result<Ending> {
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
        let config = LoaderConfig {
            batch_size: training.batch_size,
            padding: batch_padding(self.job.model, self.job.data.encoder.config().seq_len),
            order: Order::Shuffled { seed: training.seed, epoch: epoch as u64 },
        };
        observer.on_event(Event::EpochStart { epoch, n_rows });
        let mut state: Option<State> = None;
        let mut n_done = 0;
        let loader = Loader::new(Arc::clone(&self.job.data.train), &config, self.job.device)?;
        for (index, batch) in loader.enumerate() {
            if observer.should_stop() {
                observer.on_event(Event::Interrupted);
                if self.since_validation.n_batches > 0 {
                    self.validate(epoch, n_done, observer)?;
                }
                return Ok(Some(Ending::Interrupted));
            }
            let batch = batch?;
            let place = Place { epoch, batch: index + 1 };
            let (loss, new_state) = self.step(&batch, state.take(), place)?;
            state = new_state;
            n_done += batch.rows.len();
            observer.on_event(Event::Step { n_rows: batch.rows.len(), loss });
            // No number is a multiple of 0, which stands for never.
            let is_due = self.n_steps.is_multiple_of(training.validate_every);
            if is_due && n_done < n_rows && self.validate(epoch, n_done, observer)? {
                return Ok(Some(Ending::EarlyStopping));
            }
        }
        let has_ended = self.validate(epoch, n_done, observer)?;
        Ok((has_ended && epoch < training.epochs).then_some(Ending::EarlyStopping))
    }

    /// Forward, backward, clip, update. Returns the loss and the state for the next batch.
    fn step(
        &mut self,
        batch: &Batch,
        state: Option<State>,
        place: Place,
    ) -> Result<(f32, Option<State>)> {
        let training = self.job.training;
        let n_rows = batch.rows.len();
        let carries = training.state == StateCarry::Carry;
        // A short batch cannot take over a full one's state.
        let state = state.filter(|state| state.batch().is_ok_and(|batch| batch == n_rows));
        let (logits, new_state) =
            self.network.logits(&batch.ids, state.as_ref(), Some(&mut self.dropout))?;
        let options = BceOptions {
            label_smoothing: training.label_smoothing,
            positive_weight: training.positive_weight,
        };
        let loss = bce_with_logits(&logits, &batch.labels, options)?;
        let loss_value = loss.to_scalar::<f32>()?;
        let learning_rate = self.learning_rate.at(self.n_steps);
        self.n_steps += 1;
        self.check_finite("loss", f64::from(loss_value), batch, place)?;
        let gradients = loss.backward()?;
        let norm = global_norm(self.adam.gradients(&gradients))?;
        self.check_finite("gradient's norm", norm, batch, place)?;
        let factor = clip_factor(norm, training.clip_norm);
        self.adam.step(&gradients, learning_rate, factor)?;
        self.since_validation.n_rows += n_rows;
        self.since_validation.n_batches += 1;
        self.since_validation.loss_sum += f64::from(loss_value);
        Ok((loss_value, carries.then(|| new_state.detach())))
    }

    /// Validates, keeps the model if it is the best so far, and tells whether patience has ended.
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
        let metrics = {
            let seq_len = data.encoder.config().seq_len;
            let mut on_rows = |n_rows| observer.on_event(Event::Scored { n_rows });
            evaluate(&self.network, &data.validation, seq_len, &mut on_rows)?
        };
        self.learning_rate.validated(metrics.loss);
        let is_best = is_better(&metrics, self.report.validation.as_ref());
        self.report.history.push(EpochRecord {
            epoch: (epoch - 1) as f64 + n_done as f64 / data.train.len() as f64,
            step: self.n_steps,
            train_loss: progress.loss_sum / progress.n_batches.max(1) as f64,
            validation: metrics,
            train_s,
            reviews_per_s: progress.n_rows as f64 / train_s,
            is_best,
        });
        self.n_worse = if is_best { 0 } else { self.n_worse + 1 };
        if is_best {
            self.report.validation = Some(metrics);
            self.report.train_s = self.started.elapsed().as_secs_f64();
            let (folder, encoder) = (self.job.folder, &data.encoder);
            folder::save(folder, self.job.model, encoder, &self.variables, &self.report)?;
        }
        if let Some(record) = self.report.history.last() {
            observer.on_event(Event::Validated { record });
        }
        self.since_validation = Progress::start();
        let patience = self.job.training.patience;
        Ok(patience > 0 && self.n_worse >= patience)
    }

    /// Stops the training, before the weights are touched, once numbers are no longer finite.
    fn check_finite(
        &self,
        quantity: &'static str,
        value: f64,
        batch: &Batch,
        place: Place,
    ) -> Result<()> {
        if value.is_finite() {
            return Ok(());
        }
        let mut rows: Vec<String> =
            batch.rows.iter().take(ROWS_IN_ERROR).map(u32::to_string).collect();
        if batch.rows.len() > ROWS_IN_ERROR {
            rows.push("...".to_string());
        }
        let kept = match self.report.best() {
            Some(best) => format!(
                "the best model so far, after {:.2} epochs, is in {}",
                best.epoch,
                self.job.folder.display()
            ),
            None => "no model was kept, as none had been validated; try a lower learning_rate \
                     or clip_norm"
                .to_string(),
        };
        Err(Error::NonFinite {
            quantity,
            value,
            epoch: place.epoch,
            step: self.n_steps,
            learning_rate: self.learning_rate.at(self.n_steps.saturating_sub(1)),
            batch: place.batch,
            rows: rows.join(", "),
            kept,
        })
    }
}

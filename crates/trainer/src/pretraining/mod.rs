//! Language-model pre-training: before it learns the classes, a network learns to tell the next word.

mod candidates;
mod language_model;
mod softmax;

use std::sync::Arc;
use std::time::Instant;

use candle_nn::VarMap;
use dataset::{Loader, LoaderConfig, Order};
use model::{ModelConfig, SentimentRnn};
use serde::{Deserialize, Serialize};

use crate::config::TrainingConfig;
use crate::error::{Error, Result};
use crate::evaluate::batch_padding;
use crate::observer::{Event, Observer};
use crate::prepare::Prepared;
use crate::report::Ending;
use crate::schedule::{LearningRate, Schedule};
use language_model::LanguageModel;

/// Validation texts whose perplexity is measured: over the whole vocabulary, a slow thing.
const N_MEASURED: usize = 100;

/// Settings of the pre-training. The default is none.
///
/// The network's embedding and recurrent layers are trained as a language model on the training texts
/// (Dai and Le 2015, [Semi-supervised sequence learning](https://arxiv.org/abs/1511.01432)): from the
/// output at each word, the next word is told; from the backward direction's, the one before. What the
/// outputs are compared with are the embedding's rows themselves (tied weights, Press and Wolf 2017).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PretrainingConfig {
    /// Passes over the training texts; 0 for no pre-training.
    pub epochs: usize,
    /// Texts in a batch.
    pub batch_size: usize,
    /// Adam's step size, the highest of a one-cycle schedule.
    pub learning_rate: f64,
    /// Largest global norm of the gradient; 0 switches clipping off.
    pub clip_norm: f64,
}

impl Default for PretrainingConfig {
    fn default() -> Self {
        Self { epochs: 0, batch_size: 50, learning_rate: 0.003, clip_norm: 1.0 }
    }
}

/// What one epoch of pre-training measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PretrainingRecord {
    /// From 1.
    pub epoch: usize,
    /// Mean cross-entropy of a word among those of a few texts, in nats, dropout on.
    pub train_loss: f64,
    /// Seconds of training.
    pub train_s: f64,
    /// After the last epoch: the perplexity of some validation texts over the whole vocabulary, by
    /// direction.
    pub perplexity: Option<Vec<f64>>,
}

impl PretrainingConfig {
    /// Checks every value's range, and that the network can be pre-trained.
    ///
    /// # Errors
    /// [`Error::Config`] with the first field that is out of range.
    pub fn check(&self, model: &ModelConfig) -> Result<()> {
        let refuse = |field, expected, got: String| Err(Error::Config { field, expected, got });
        if self.batch_size == 0 {
            return refuse("batch_size", "at least 1", "0".to_string());
        }
        if !(self.learning_rate > 0.0 && self.learning_rate.is_finite()) {
            return refuse("learning_rate", "a number above 0", self.learning_rate.to_string());
        }
        if !self.clip_norm.is_finite() || self.clip_norm < 0.0 {
            let got = self.clip_norm.to_string();
            return refuse("clip_norm", "0 (off) or a finite number above it", got);
        }
        if self.epochs > 0 && model.bidirectional && model.num_layers > 1 {
            let expected = "0 for several bidirectional layers, of which the upper ones are shown \
                            the words that they would have to tell";
            return refuse("epochs", expected, self.epochs.to_string());
        }
        Ok(())
    }

    /// The settings that the schedule goes by.
    fn schedule(&self) -> TrainingConfig {
        let &Self { epochs, learning_rate, .. } = self;
        let schedule = Schedule::OneCycle;
        TrainingConfig { epochs, learning_rate, schedule, ..TrainingConfig::default() }
    }
}

/// Pre-trains the embedding and the recurrent layers in `variables`, which are `network`'s.
///
/// # Errors
/// [`Error::Pretraining`] if the loss or the gradient leaves the finite numbers; an error of the model or the device.
pub(crate) fn pretrain(
    (network, variables): (&SentimentRnn, &VarMap),
    config: &PretrainingConfig,
    data: &Prepared,
    seed: u64,
    records: &mut Vec<PretrainingRecord>,
    observer: &mut dyn Observer,
) -> Result<Ending> {
    config.check(network.config())?;
    let padding = batch_padding(network.config(), data.encoder.config().seq_len);
    let n_batches = data.train.len().div_ceil(config.batch_size);
    let rates = LearningRate::new(&config.schedule(), n_batches);
    let mut language_model = LanguageModel::new(network, variables, &data.train, seed)?;
    for epoch in 1..=config.epochs {
        observer.on_event(Event::PretrainingStart { epoch, n_rows: data.train.len() });
        let started = Instant::now();
        let (mut loss_sum, mut n_words) = (0.0, 0);
        let order = Order::LengthBuckets { seed: seed ^ PRETRAINING_ORDER, epoch: epoch as u64 };
        let loading = LoaderConfig { batch_size: config.batch_size, padding, order };
        for batch in Loader::new(Arc::clone(&data.train), &loading, network.device())? {
            if observer.should_stop() {
                return Ok(Ending::Interrupted);
            }
            let batch = batch?;
            let rate = rates.at(language_model.n_steps());
            let outcome = language_model.step(&batch.ids, rate, config.clip_norm)?;
            if !outcome.loss.is_finite() {
                let (step, value) = (language_model.n_steps() + 1, outcome.loss);
                return Err(Error::Pretraining { value, epoch, step, learning_rate: rate });
            }
            loss_sum += outcome.loss * outcome.n_words as f64;
            n_words += outcome.n_words;
            let (n_rows, loss) = (batch.rows.len(), outcome.loss as f32);
            observer.on_event(Event::Step { n_rows, loss });
        }
        language_model.finish()?;
        let train_s = started.elapsed().as_secs_f64();
        let perplexity = (epoch == config.epochs)
            .then(|| language_model.perplexity(&data.validation, N_MEASURED, padding))
            .transpose()?
            // A report holds finite numbers only.
            .filter(|perplexity| perplexity.iter().all(|number| number.is_finite()));
        let train_loss = loss_sum / n_words.max(1) as f64;
        let record = PretrainingRecord { epoch, train_loss, train_s, perplexity };
        observer.on_event(Event::Pretrained { record: &record });
        records.push(record);
    }
    Ok(Ending::Complete)
}

/// Keeps the order of the texts apart from that of the training.
const PRETRAINING_ORDER: u64 = 0x6c61_6e67_7561_6765;

//! Language-model pre-training: before it learns the classes, a network learns to predict the next
//! word.

mod candidates;
mod language_model;
mod softmax;

use std::sync::Arc;
use std::time::Instant;

use candle_nn::VarMap;
use dataset::{Loader, LoaderConfig, Order};
use model::{ModelConfig, RecurrentClassifier};
use recurrent::settings;
use serde::{Deserialize, Serialize};

use crate::config::{Schedule, TrainingConfig};
use crate::error::{Error, Result};
use crate::evaluate::batch_padding;
use crate::observer::{Event, Observer};
use crate::prepare::Prepared;
use crate::record::{Ending, PretrainingRecord};
use crate::schedule::LearningRate;
use language_model::LanguageModel;
use text_preprocessing::PAD_ID;

/// Validation texts whose perplexity is measured; few, because it is slow over the whole vocabulary.
const N_MEASURED: usize = 100;

/// Pre-training settings. The default is no pre-training.
///
/// The network's embedding and recurrent layers are trained as a language model on the training texts
/// (Dai and Le 2015, [Semi-supervised sequence learning](https://arxiv.org/abs/1511.01432)): the output
/// at each word predicts the next word; in the backward direction, the previous one. The output weights
/// are the embedding's rows themselves (tied weights, Press and Wolf 2017).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PretrainingConfig {
    /// Passes over the training texts; 0 for no pre-training.
    pub epochs: usize,
    /// Texts in a batch.
    pub batch_size: usize,
    /// Adam's step size, the maximum of a one-cycle schedule.
    pub learning_rate: f64,
    /// Largest global norm of the gradient; 0 turns clipping off.
    pub clip_norm: f64,
}

impl Default for PretrainingConfig {
    fn default() -> Self {
        Self { epochs: 0, batch_size: 50, learning_rate: 0.003, clip_norm: 1.0 }
    }
}

impl PretrainingConfig {
    /// Checks every value's range, and that the network can be pre-trained.
    ///
    /// # Errors
    /// [`Error::Config`] with the first field that is out of range.
    pub fn check(&self, model: &ModelConfig) -> Result<()> {
        settings::at_least_1("batch_size", self.batch_size)?;
        settings::above_0("learning_rate", self.learning_rate)?;
        settings::clip_norm("clip_norm", self.clip_norm)?;
        let leaks = self.epochs > 0 && model.bidirectional && model.num_layers > 1;
        let expected = "0 with several bidirectional layers, whose upper layers see the words \
                            that they have to predict";
        settings::check("epochs", !leaks, expected, self.epochs)?;
        Ok(())
    }

    /// The settings that the schedule depends on.
    fn schedule(&self) -> TrainingConfig {
        let &Self { epochs, learning_rate, .. } = self;
        let schedule = Schedule::OneCycle;
        TrainingConfig { epochs, learning_rate, schedule, ..TrainingConfig::default() }
    }
}

/// Pre-trains the embedding and the recurrent layers in `variables`, which are `network`'s.
///
/// # Errors
/// [`Error::Pretraining`] if the loss or the gradient is not finite; an error of the model or the
/// device.
pub(crate) fn pretrain(
    (network, variables): (&RecurrentClassifier, &VarMap),
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
        let loading =
            LoaderConfig { batch_size: config.batch_size, padding, order, padding_id: PAD_ID };
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

/// Makes the order of the texts different from that of training.
const PRETRAINING_ORDER: u64 = 0x6c61_6e67_7561_6765;

//! One training step: forward, loss, backward, clip, update.

use std::time::Instant;

use candle_core::{Device, Var};
use candle_nn::VarMap;
use dataset::Batch;
use model::{ModelConfig, NGRAM_TABLE, Ngrams, SentimentRnn, State, TABLE, Tokens};
use recurrent::SeededRng;

use crate::average::WeightAverage;
use crate::clip::clip_factor;
use crate::config::{StateCarry, TrainingConfig};
use crate::error::Result;
use crate::loss::{BceOptions, bce_with_logits};
use crate::optimizer::{Gradients, Optimizer, RowGradient};
use crate::profile::{Part, Profile};

/// Keeps the dropout's random numbers apart from those of the initial weights.
const DROPOUT_STREAM: u64 = 0x6472_6f70_6f75_7421;

/// A network in training: its weights, its optimiser, and what passes from step to step.
pub struct TrainingStep {
    config: TrainingConfig,
    model: ModelConfig,
    network: SentimentRnn,
    variables: VarMap,
    optimizer: Optimizer,
    average: Option<WeightAverage>,
    dropout: SeededRng,
    state: Option<State>,
    accumulated: Accumulated,
    profile: Profile,
}

/// The gradients of batches whose step is still to come.
#[derive(Default)]
struct Accumulated {
    /// Sums over the texts, not means, where there may be several batches.
    gradients: Option<Gradients>,
    n_batches: usize,
    /// What the sum is divided by.
    weight: f64,
}

/// A batch's part of the linear path: its n-grams, dropout applied, and their weights.
struct WidePath {
    ngrams: Ngrams,
    rows: Var,
}

impl WidePath {
    /// `None` if the network has no such path.
    fn new(
        network: &SentimentRnn,
        optimizer: &mut Optimizer,
        tokens: &Tokens,
        dropout_rate: f64,
        rng: &mut SeededRng,
    ) -> Result<Option<Self>> {
        let Some(mut ngrams) = network.ngrams(tokens) else { return Ok(None) };
        if dropout_rate > 0.0 {
            let kept = rng.kept_flags(ngrams.n_buckets(), dropout_rate);
            ngrams = ngrams.with_dropout(&kept, dropout_rate);
        }
        optimizer.catch_up(NGRAM_TABLE, &ngrams.rows)?;
        let rows = network.ngram_rows(&ngrams)?;
        Ok(rows.map(|rows| Var::from_tensor(&rows)).transpose()?.map(|rows| Self { ngrams, rows }))
    }
}

/// What one batch gave.
#[derive(Debug, Clone, Copy)]
pub struct Outcome {
    /// Mean loss of the batch, dropout on.
    pub loss: f32,
    /// Global norm of the gradient before clipping, if this batch ended in an optimiser step.
    pub norm: Option<f64>,
}

/// A number that is none.
#[derive(Debug, Clone, Copy)]
pub struct NonFinite {
    /// What it was to be.
    pub quantity: &'static str,
    /// What it is.
    pub value: f64,
}

impl TrainingStep {
    /// A new network with seeded initial weights.
    ///
    /// # Errors
    /// If a configuration is out of range or the device fails.
    pub fn new(
        model: &ModelConfig,
        config: &TrainingConfig,
        vocab_size: usize,
        device: &Device,
    ) -> Result<Self> {
        config.check()?;
        let (network, variables) = SentimentRnn::init(model, vocab_size, config.seed, device)?;
        let mut parameters = model::sorted(&variables);
        let average = (config.average_decay > 0.0)
            .then(|| WeightAverage::new(&parameters, config.average_decay))
            .transpose()?;
        let tables = [TABLE, NGRAM_TABLE].map(|name| (name, parameters.remove(name)));
        let mut optimizer = Optimizer::new(config.optimizer(), parameters)?;
        for (name, table) in tables {
            if let Some(table) = table {
                optimizer = optimizer.with_table(name, table)?;
            }
        }
        Ok(Self {
            config: config.clone(),
            model: model.clone(),
            network,
            variables,
            optimizer,
            average,
            dropout: SeededRng::new(config.seed ^ DROPOUT_STREAM),
            state: None,
            accumulated: Accumulated::default(),
            profile: Profile::default(),
        })
    }

    /// Forgets the state that batches hand on.
    pub fn start_epoch(&mut self) {
        self.state = None;
    }

    /// Optimiser steps so far.
    pub fn n_steps(&self) -> usize {
        self.optimizer.n_steps() as usize
    }

    /// Whether gradients wait for a step.
    pub fn has_accumulated(&self) -> bool {
        self.accumulated.n_batches > 0
    }

    /// Where the time went so far.
    pub fn profile(&mut self) -> &mut Profile {
        &mut self.profile
    }

    /// Learns from a batch: adds up its gradient, and after `accumulation` batches moves the weights.
    ///
    /// # Errors
    /// The inner error, with the weights as they were, if the loss or the gradient is not finite; the
    /// outer one if the device fails.
    pub fn run(
        &mut self,
        batch: &Batch,
        learning_rate: f64,
    ) -> Result<std::result::Result<Outcome, NonFinite>> {
        let (loss, gradients) = match self.backward(batch)? {
            Ok(both) => both,
            Err(non_finite) => return Ok(Err(non_finite)),
        };
        let batch_weight = self.batch_weight(batch);
        let Accumulated { gradients: sum, n_batches, weight } = &mut self.accumulated;
        *sum = Some(match sum.take() {
            Some(sum) => self.profile.time(Part::Optimizer, || sum.plus(&gradients))?,
            None => gradients,
        });
        *n_batches += 1;
        *weight += batch_weight;
        if *n_batches < self.config.accumulation {
            return Ok(Ok(Outcome { loss, norm: None }));
        }
        Ok(self.finish_step(learning_rate)?.map(|norm| Outcome { loss, norm }))
    }

    /// Moves the weights by what has been accumulated, if anything has; gives the gradient's norm.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn finish_step(
        &mut self,
        learning_rate: f64,
    ) -> Result<std::result::Result<Option<f64>, NonFinite>> {
        let Accumulated { gradients, weight, .. } = std::mem::take(&mut self.accumulated);
        let Some(gradients) = gradients else { return Ok(Ok(None)) };
        let mean = 1.0 / weight;
        let norm = self.profile.time(Part::Clip, || gradients.norm())? * mean;
        if !norm.is_finite() {
            return Ok(Err(NonFinite { quantity: "gradient's norm", value: norm }));
        }
        let scale = mean * clip_factor(norm, self.config.clip_norm);
        let Self { optimizer, average, profile, .. } = self;
        profile.time(Part::Optimizer, || -> Result<()> {
            optimizer.step(&gradients, learning_rate, scale)?;
            if let Some(average) = average {
                // An average over all words needs them all up to date.
                optimizer.catch_up_all()?;
                average.update()?;
            }
            Ok(())
        })?;
        profile.n_steps += 1;
        Ok(Ok(Some(norm)))
    }

    /// A batch's share in a step of several: its texts, so that a short one counts for less.
    fn batch_weight(&self, batch: &Batch) -> f64 {
        if self.config.accumulation > 1 { batch.rows.len() as f64 } else { 1.0 }
    }

    /// Forward and backward.
    fn backward(
        &mut self,
        batch: &Batch,
    ) -> Result<std::result::Result<(f32, Gradients), NonFinite>> {
        let weight = self.batch_weight(batch);
        let Self { config, model, network, optimizer, dropout, profile, .. } = self;
        let tokens = profile.time(Part::Load, || -> Result<_> {
            let unknown = network.vocab_size().saturating_sub(1) as u32;
            let rate = model.word_dropout;
            Ok(network.tokens(&batch.ids)?.with_word_dropout(rate, unknown, dropout))
        })?;
        let wide = profile.time(Part::Embed, || {
            WidePath::new(network, optimizer, &tokens, model.ngram_dropout, dropout)
        })?;
        let (rows, x, distinct) = profile.time(Part::Embed, || -> Result<_> {
            let distinct = tokens.distinct();
            optimizer.catch_up(TABLE, &distinct.rows)?;
            let rows = Var::from_tensor(&network.table_rows(&distinct)?)?;
            let x = network.embed_rows(&rows, &distinct)?;
            Ok((rows, x, distinct))
        })?;
        let carries = config.state == StateCarry::Carry;
        // A short batch cannot take over a full one's state.
        let n_rows = batch.rows.len();
        let state = self.state.take().filter(|state| state.batch().is_ok_and(|n| n == n_rows));
        let (outputs, new_state) = profile.time(Part::RecurrentForward, || {
            network.read(&x, &tokens, state.as_ref(), Some(&mut *dropout))
        })?;
        let flops = model.recurrent_flops(tokens.n_tokens());
        profile.add_flops(Part::RecurrentForward, flops);
        let (loss, value) = profile.time(Part::Head, || -> Result<_> {
            let mut logits =
                network.classify(&outputs, &new_state, &tokens, Some(&mut *dropout))?;
            if let Some(wide) = &wide {
                logits = (logits + network.ngram_logits(&wide.rows, &wide.ngrams)?)?;
            }
            let options = BceOptions {
                label_smoothing: config.label_smoothing,
                positive_weight: config.positive_weight,
            };
            let loss = bce_with_logits(&logits, &batch.labels, options)?;
            let value = loss.to_scalar::<f32>()?;
            Ok((if weight == 1.0 { loss } else { (loss * weight)? }, value))
        })?;
        self.state = carries.then(|| new_state.detach());
        if !value.is_finite() {
            return Ok(Err(NonFinite { quantity: "loss", value: f64::from(value) }));
        }
        let start = Instant::now();
        let store = loss.backward()?;
        let to_rows = distinct.backward_time();
        profile.add(Part::RecurrentBackward, start.elapsed().saturating_sub(to_rows));
        profile.add(Part::EmbedBackward, to_rows);
        // The weights' gradients take two products for the forward pass's one.
        profile.add_flops(Part::RecurrentBackward, 2.0 * flops);
        let rows = RowGradient::of(distinct.rows, &rows, &store);
        let mut gradients = optimizer.gradients(&store).with_rows(TABLE, rows);
        if let Some(WidePath { ngrams, rows }) = wide {
            let of_rows = RowGradient::of(ngrams.rows, &rows, &store);
            gradients = gradients.with_rows(NGRAM_TABLE, of_rows);
        }
        Ok(Ok((value, gradients)))
    }

    /// The variables with all their steps made up for, the average in their place if there is one,
    /// while `work` looks at them.
    ///
    /// # Errors
    /// If a device fails, or `work` does.
    pub fn with_weights<R>(
        &mut self,
        work: impl FnOnce(&VarMap, &mut Profile) -> Result<R>,
    ) -> Result<R> {
        let Self { optimizer, average, profile, variables, .. } = self;
        profile.time(Part::Optimizer, || optimizer.catch_up_all())?;
        if let Some(average) = average.as_mut() {
            average.swap()?;
        }
        let result = work(variables, profile);
        if let Some(average) = average.as_mut() {
            average.swap()?;
        }
        result
    }
}

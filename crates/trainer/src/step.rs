//! One training step: forward, loss, backward, clip, update.

use candle_core::{Device, Tensor, Var};
use candle_nn::VarMap;
use dataset::Batch;
use model::{
    DistinctIds, ModelConfig, NGRAM_TABLE, Ngrams, SentimentRnn, State, TABLE, Tokens, Vocabularies,
};
use recurrent::SeededRng;

use crate::adversarial;
use crate::average::WeightAverage;
use crate::clip::clip_factor;
use crate::config::{NgramTraining, StateCarry, TrainingConfig};
use crate::error::{Error, Result};
use crate::finite::NonFinite;
use crate::loss::{BceOptions, bce_with_logits};
use crate::optimizer::{Gradients, Optimizer, RowGradient};
use crate::profile::{Part, Profile};

/// Keeps the dropout's random numbers apart from those of the initial weights.
const DROPOUT_STREAM: u64 = 0x6472_6f70_6f75_7421;

/// A network in training: its weights, its optimiser, and what passes from step to step.
pub struct TrainingStep {
    config: TrainingConfig,
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

/// A batch's part of a linear path that learns, too: its n-grams, dropout applied, and their weights.
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
        rng: &mut SeededRng,
    ) -> Result<Option<Self>> {
        let Some(mut ngrams) = network.ngrams(tokens) else { return Ok(None) };
        let ngram_dropout = network.config().ngram_dropout;
        if ngram_dropout > 0.0 {
            let kept = rng.kept_flags(ngrams.len(), ngram_dropout);
            ngrams = ngrams.with_dropout(&kept, ngram_dropout);
        }
        optimizer.catch_up(NGRAM_TABLE, &ngrams.rows)?;
        let Some(rows) = network.ngram_rows(&ngrams)? else { return Ok(None) };
        Ok(Some(Self { ngrams, rows: Var::from_tensor(&rows)? }))
    }
}

/// What a pass reads beside the embedded texts.
struct PassInput<'a> {
    batch: &'a Batch,
    tokens: &'a Tokens,
    wide: Option<&'a WidePath>,
    distinct: DistinctIds,
    /// What the mean loss is multiplied by.
    weight: f64,
}

/// What a pass gave.
struct Pass {
    /// Mean loss of the batch, dropout on.
    loss: f32,
    state: State,
    /// Of the weighed loss: of the weights, and of the embedded texts; none if the loss is not finite.
    gradients: Option<(Gradients, Tensor)>,
}

/// What one batch gave.
#[derive(Debug, Clone, Copy)]
pub struct Outcome {
    /// Mean loss of the batch, dropout on.
    pub loss: f32,
    /// Global norm of the gradient before clipping, if this batch ended in an optimiser step.
    pub norm: Option<f64>,
}

impl TrainingStep {
    /// A new network with seeded initial weights.
    ///
    /// # Errors
    /// If a configuration is out of range or the device fails.
    pub fn new(
        model: &ModelConfig,
        config: &TrainingConfig,
        vocabularies: impl Into<Vocabularies>,
        device: &Device,
    ) -> Result<Self> {
        config.check()?;
        config.check_with(model)?;
        let (network, variables) = SentimentRnn::init(model, vocabularies, config.seed, device)?;
        let mut parameters = model::sorted(&variables);
        let ngrams = parameters.remove(NGRAM_TABLE);
        let ngrams = ngrams.filter(|_| config.ngram_training == NgramTraining::Jointly);
        let averaged = parameters.clone().into_iter();
        let averaged = averaged.chain(ngrams.clone().map(|var| (NGRAM_TABLE.to_string(), var)));
        let average = (config.average_decay > 0.0)
            .then(|| WeightAverage::new(&averaged.collect(), config.average_decay))
            .transpose()?;
        let table = parameters.remove(TABLE);
        let mut optimizer = Optimizer::new(config.optimizer(), parameters)?;
        if let Some(table) = table {
            optimizer = optimizer.with_table(TABLE, table)?;
        }
        if let Some(ngrams) = ngrams {
            // Gradients are means over the texts of a step; the linear path's rate is for one text.
            let n_texts = (config.batch_size * config.accumulation) as f64;
            let factor = config.ngram_learning_rate * n_texts / config.learning_rate;
            optimizer = optimizer.with_descending_table(NGRAM_TABLE, ngrams, factor)?;
        }
        Ok(Self {
            config: config.clone(),
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

    /// The network and its variables.
    pub(crate) fn network(&self) -> (&SentimentRnn, &VarMap) {
        (&self.network, &self.variables)
    }

    /// What the network tells apart.
    pub fn vocabularies(&self) -> &Vocabularies {
        self.network.vocabularies()
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
            return Ok(Err(NonFinite::new("gradient's norm", norm)));
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

    /// Forward and backward: the batch's loss, and the gradient of the training's loss.
    fn backward(
        &mut self,
        batch: &Batch,
    ) -> Result<std::result::Result<(f32, Gradients), NonFinite>> {
        let Self { config, network, optimizer, dropout, profile, .. } = self;
        let tokens = profile.time(Part::Load, || network.tokens(&batch.ids))?;
        let wide = profile.time(Part::Embed, || match config.ngram_training {
            NgramTraining::Jointly => WidePath::new(network, optimizer, &tokens, dropout),
            NgramTraining::First => Ok(None),
        })?;
        let unknown = network.vocab_size().saturating_sub(1) as u32;
        let tokens = tokens
            .with_random_windows(network.config().smallest_window, dropout)
            .with_word_dropout(network.config().word_dropout, unknown, dropout);
        let (x, distinct) = profile.time(Part::Embed, || -> Result<_> {
            let distinct = tokens.distinct();
            optimizer.catch_up(TABLE, &distinct.rows)?;
            Ok((Var::from_tensor(&network.embed(&tokens)?.detach())?, distinct))
        })?;
        let is_adversarial = config.adversarial_norm > 0.0;
        // Two losses are averaged, so that clipping and learning rate mean what they do with one.
        let weight = self.batch_weight(batch) * if is_adversarial { 0.5 } else { 1.0 };
        let input = PassInput { batch, tokens: &tokens, wide: wide.as_ref(), distinct, weight };
        // A short batch cannot take over a full one's state.
        let n_rows = batch.rows.len();
        let state = self.state.take().filter(|state| state.batch().is_ok_and(|n| n == n_rows));
        // The perturbed texts meet the same dropout: the gradient was that of what it left.
        let dropout_before = is_adversarial.then(|| self.dropout.clone());
        let pass = self.pass(&x, &input, state.as_ref())?;
        self.state = (self.config.state == StateCarry::Carry).then_some(pass.state);
        let Some((gradients, d_x)) = pass.gradients else {
            return Ok(Err(NonFinite::new("loss", pass.loss)));
        };
        let Some(dropout_before) = dropout_before else { return Ok(Ok((pass.loss, gradients))) };
        let norm = self.config.adversarial_norm;
        let perturbed = adversarial::perturbed(&x, &d_x, tokens.lengths(), norm)?;
        self.dropout = dropout_before;
        let adversarial = self.pass(&Var::from_tensor(&perturbed)?, &input, state.as_ref())?;
        Ok(match adversarial.gradients {
            Some((adversarial, _)) => Ok((pass.loss, gradients.plus(&adversarial)?)),
            None => Err(NonFinite::new("loss of the perturbed texts", adversarial.loss)),
        })
    }

    /// Forward and backward from the embedded texts on.
    fn pass(&mut self, x: &Var, input: &PassInput<'_>, state: Option<&State>) -> Result<Pass> {
        let Self { config, network, optimizer, dropout, profile, .. } = self;
        let &PassInput { batch, tokens, wide, ref distinct, weight } = input;
        let (outputs, new_state) = profile
            .time(Part::RecurrentForward, || network.read(x, tokens, state, Some(&mut *dropout)))?;
        let flops = network.config().recurrent_flops(tokens.n_tokens());
        profile.add_flops(Part::RecurrentForward, flops);
        let (weighed, loss) = profile.time(Part::Head, || -> Result<_> {
            let mut logits = network.classify(&outputs, &new_state, tokens, Some(&mut *dropout))?;
            if let Some(WidePath { ngrams, rows }) = wide {
                logits = (logits + network.ngram_logits(rows, ngrams)?)?;
            }
            let options = BceOptions {
                label_smoothing: config.label_smoothing,
                positive_weight: config.positive_weight,
            };
            let mean = bce_with_logits(&logits, &batch.labels, options)?;
            let loss = mean.to_scalar::<f32>()?;
            Ok((if weight == 1.0 { mean } else { (mean * weight)? }, loss))
        })?;
        let state = new_state.detach();
        if !loss.is_finite() {
            return Ok(Pass { loss, state, gradients: None });
        }
        let store = profile.time(Part::RecurrentBackward, || weighed.backward())?;
        // The weights' gradients take two products for the forward pass's one.
        profile.add_flops(Part::RecurrentBackward, 2.0 * flops);
        let Some(d_x) = store.get(x).cloned() else {
            let reason = "the loss does not depend on the texts".to_string();
            return Err(Error::Gradient { reason });
        };
        let of_rows = profile.time(Part::EmbedBackward, || -> Result<_> {
            let values = network.row_gradient(&d_x, distinct)?;
            Ok(RowGradient { rows: distinct.rows.clone(), values })
        })?;
        let mut gradients = optimizer.gradients(&store).with_rows(TABLE, Some(of_rows));
        if let Some(WidePath { ngrams, rows }) = wide {
            let of_rows = RowGradient::of(ngrams.rows.clone(), rows, &store);
            gradients = gradients.with_rows(NGRAM_TABLE, of_rows);
        }
        Ok(Pass { loss, state, gradients: Some((gradients, d_x)) })
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

//! One training step: forward, loss, backward, clip, update.

use candle_core::{Device, Tensor, Var};
use candle_nn::VarMap;
use dataset::{Batch, Targets};
use model::{
    DistinctIds, FITTED_PARAMETERS, InitConfig, ModelConfig, OUTPUT_PARAMETERS,
    RecurrentClassifier, Regularization, State, TABLE, Task, Tokens, Vocabularies, Weights, Words,
};
use recurrent::{SeededRng, State as _};

use crate::adversarial;
use crate::average::WeightAverage;
use crate::clip::clip_scale;
use crate::config::{StateCarry, TrainingConfig, VectorTraining};
use crate::error::{Error, Result};
use crate::finite::NonFinite;
use crate::from_model::Anchor;
use crate::frozen::FrozenTable;
use crate::loss::Objective;
use crate::optimizer::{Gradients, Optimizer, RowGradient};
use crate::profile::{Part, Profile};
use crate::scalar::{Scalar, is_here};
use crate::state::{Restored, Snapshot};
use crate::teacher::Teacher;

/// Keeps the dropout's random numbers apart from those of the initial weights.
const DROPOUT_STREAM: u64 = 0x6472_6f70_6f75_7421;

/// The quantities that may turn out not to be finite.
pub(crate) const LOSS: &str = "loss";
const PERTURBED_LOSS: &str = "loss of the perturbed texts";
pub(crate) const NORM: &str = "gradient's norm";

/// In a saved state, before the names of the parts of these kinds.
const WEIGHTS: &str = "weights.";
const OPTIMIZER: &str = "optimizer.";
const AVERAGE: &str = "average.";
const PENDING: &str = "pending.";
const CARRIED: &str = "carried.";

/// What is trained, and how.
#[derive(Debug, Clone, Copy)]
pub struct StepPlan<'a> {
    /// The task.
    pub task: &'a Task,
    /// The network. Its number of outputs follows from the task.
    pub model: &'a ModelConfig,
    /// What keeps it from overfitting.
    pub regularization: &'a Regularization,
    /// The training settings.
    pub training: &'a TrainingConfig,
}

/// A network in training: its weights, its optimiser, and the state carried from step to step.
pub struct TrainingStep {
    config: TrainingConfig,
    objective: Objective,
    /// Whose probabilities are a share of the targets, if there is one.
    teacher: Option<Teacher>,
    network: RecurrentClassifier,
    variables: VarMap,
    optimizer: Optimizer,
    frozen: FrozenTable,
    average: Option<WeightAverage>,
    /// Where it started, if it started from a model.
    anchor: Option<Anchor>,
    dropout: SeededRng,
    state: Option<State>,
    accumulated: Accumulated,
    profile: Profile,
}

/// The gradients of batches that await a step.
#[derive(Default)]
struct Accumulated {
    /// Sums over the texts, not means, where there may be several batches.
    gradients: Option<Gradients>,
    n_batches: usize,
    /// The divisor of the sum.
    weight: f64,
}

/// The input of a pass, besides the embedded texts or words.
struct PassInput<'a> {
    batch: &'a Batch,
    tokens: &'a Tokens,
    distinct: DistinctIds,
    /// The words whose vectors were embedded; every token's own if absent.
    words: Option<Words>,
    /// The factor of the mean loss.
    weight: f64,
}

/// The result of a pass.
struct Pass {
    /// Mean loss of the batch, dropout on.
    loss: Scalar,
    state: State,
    /// Gradients of the weighted loss, for the weights and for the embedded texts; `None` if the loss
    /// is known not to be finite.
    gradients: Option<(Gradients, Tensor)>,
}

/// The result of one batch. Numbers that are here are finite; those that are still on a device may turn out not to be.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Mean loss of the batch, dropout on.
    pub loss: Scalar,
    /// That of the perturbed texts, in adversarial training.
    pub perturbed_loss: Option<Scalar>,
    /// Global norm of the gradient before clipping, if this batch ended in an optimiser step.
    pub norm: Option<Scalar>,
}

/// The losses of one batch.
struct Losses {
    loss: Scalar,
    perturbed_loss: Option<Scalar>,
}

impl Outcome {
    /// The numbers, with the names that they have in errors, in the order in which they were found.
    pub(crate) fn scalars(&self) -> impl Iterator<Item = (&'static str, &Scalar)> {
        let named = [
            (LOSS, Some(&self.loss)),
            (PERTURBED_LOSS, self.perturbed_loss.as_ref()),
            (NORM, self.norm.as_ref()),
        ];
        named.into_iter().filter_map(|(name, scalar)| scalar.map(|scalar| (name, scalar)))
    }

    /// The same with its [`scalars`](Self::scalars) as they were read, in order.
    pub(crate) fn with_read(self, numbers: &mut impl Iterator<Item = f64>) -> Self {
        // A number that is missing was not read, and is not finite.
        let mut next = |_: Scalar| Scalar::Number(numbers.next().unwrap_or(f64::NAN));
        let loss = next(self.loss);
        let perturbed_loss = self.perturbed_loss.map(&mut next);
        Self { loss, perturbed_loss, norm: self.norm.map(next) }
    }
}

impl TrainingStep {
    /// A new network with seeded initial weights.
    ///
    /// `targets`: of the training texts, whose numbers decide about class weights; not needed without
    /// any, or with weights by name.
    ///
    /// # Errors
    /// If a configuration is out of range or contradicts the task, or the device fails.
    pub fn new(
        plan: StepPlan<'_>,
        targets: Option<&Targets>,
        vocabularies: impl Into<Vocabularies>,
        device: &Device,
    ) -> Result<Self> {
        Self::starting_from(&Weights::new(), plan, targets, vocabularies, device)
    }

    /// The same with some weights given: a training that goes on from a model, near which its weights are kept if those
    /// of its outputs are among them.
    ///
    /// # Errors
    /// As [`new`](Self::new); if a given weight has another shape.
    pub(crate) fn starting_from(
        start: &Weights,
        plan: StepPlan<'_>,
        targets: Option<&Targets>,
        vocabularies: impl Into<Vocabularies>,
        device: &Device,
    ) -> Result<Self> {
        let StepPlan { task, model, regularization, training: config } = plan;
        config.check()?;
        let objective =
            Objective::new(task, config.label_smoothing, &config.class_weights, targets)?;
        let init = InitConfig { embedding_std: config.embedding_std, seed: config.seed };
        let model = model.for_task(task)?;
        let (network, variables) =
            RecurrentClassifier::init(&model, regularization, vocabularies, init, device)?;
        let mut parameters = model::sorted(&variables);
        let mut anchored = Weights::new();
        for (name, variable) in &parameters {
            if let Some(given) = start.get(name) {
                let given = given.to_device(device)?;
                variable.set(&given)?;
                anchored.insert(name.clone(), given);
            }
        }
        anchored.retain(|name, _| !FITTED_PARAMETERS.contains(&name.as_str()));
        // New outputs are made for what the layers below become, and there is nothing of the old ones to keep.
        let keeps_outputs = OUTPUT_PARAMETERS.iter().any(|name| anchored.contains_key(*name));
        let anchor = keeps_outputs.then(|| Anchor::new(anchored));
        // The linear path and the scales of the paths are fitted, not trained.
        parameters.retain(|name, _| !FITTED_PARAMETERS.contains(&name.as_str()));
        let average = (config.average_decay > 0.0)
            .then(|| {
                let mut averaged = parameters.clone();
                if config.vectors == VectorTraining::Frozen {
                    // It would be averaged with the random rows that it has before its vectors are read.
                    averaged.remove(TABLE);
                }
                WeightAverage::new(&averaged, config.average_decay)
            })
            .transpose()?;
        let table = parameters.remove(TABLE);
        let mut optimizer = Optimizer::new(config.optimizer(), parameters)?;
        let frozen = FrozenTable::of(config, table, &mut optimizer)?;
        Ok(Self {
            config: config.clone(),
            objective,
            teacher: None,
            network,
            variables,
            optimizer,
            frozen,
            average,
            anchor,
            dropout: SeededRng::new(config.seed ^ DROPOUT_STREAM),
            state: None,
            accumulated: Accumulated::default(),
            profile: Profile::default(),
        })
    }

    /// Who teaches the texts of the batches from now on.
    pub(crate) fn set_teacher(&mut self, teacher: Teacher) {
        self.teacher = Some(teacher);
    }

    /// Who teaches them, if anyone does.
    pub(crate) fn teacher(&self) -> Option<&Teacher> {
        self.teacher.as_ref()
    }

    /// The network and its variables.
    pub(crate) fn network(&self) -> (&RecurrentClassifier, &VarMap) {
        (&self.network, &self.variables)
    }

    /// The network's vocabularies.
    pub fn vocabularies(&self) -> &Vocabularies {
        self.network.vocabularies()
    }

    /// Resets the state that batches pass on.
    pub fn start_epoch(&mut self) {
        self.state = None;
    }

    /// The same at the beginning of an epoch, from 1, which decides whether the embedding is trained.
    ///
    /// # Errors
    /// If a device fails.
    pub(crate) fn begin_epoch(&mut self, epoch: usize) -> Result<()> {
        self.start_epoch();
        self.frozen.begin_epoch(epoch, &mut self.optimizer)
    }

    /// Optimiser steps so far.
    pub fn n_steps(&self) -> usize {
        self.optimizer.n_steps() as usize
    }

    /// Whether gradients await a step.
    pub fn has_accumulated(&self) -> bool {
        self.accumulated.n_batches > 0
    }

    /// Where the time went so far.
    pub fn profile(&mut self) -> &mut Profile {
        &mut self.profile
    }

    /// Trains on a batch: accumulates its gradient, and updates the weights after `accumulation`
    /// batches.
    ///
    /// On a device other than the CPU nothing is read: the step is only queued there, and the outcome tells on reading
    /// whether its numbers are finite. If one is not, the weights have changed since.
    ///
    /// # Errors
    /// The inner error, with the weights unchanged, if the loss or the gradient is known not to be finite; the
    /// outer one if the device fails.
    pub fn run(
        &mut self,
        batch: &Batch,
        learning_rate: f64,
    ) -> Result<std::result::Result<Outcome, NonFinite>> {
        let (Losses { loss, perturbed_loss }, gradients) = match self.backward(batch)? {
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
            return Ok(Ok(Outcome { loss, perturbed_loss, norm: None }));
        }
        let finished = self.finish_step(learning_rate)?;
        Ok(finished.map(|norm| Outcome { loss, perturbed_loss, norm }))
    }

    /// Updates the weights with the accumulated gradient, if there is any; returns its norm.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn finish_step(
        &mut self,
        learning_rate: f64,
    ) -> Result<std::result::Result<Option<Scalar>, NonFinite>> {
        let Accumulated { gradients, weight, .. } = std::mem::take(&mut self.accumulated);
        let Some(gradients) = gradients else { return Ok(Ok(None)) };
        let mean = 1.0 / weight;
        let (norm, scale) = self.profile.time(Part::Clip, || -> Result<_> {
            let norm = gradients.norm_in_place()?.times(mean)?;
            let scale = clip_scale(&norm, self.config.clip_norm)?.times(mean)?;
            Ok((norm, scale))
        })?;
        if let Some(norm) = norm.number().filter(|norm| !norm.is_finite()) {
            return Ok(Err(NonFinite::new(NORM, norm)));
        }
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

    /// A batch's weight in a step of several: its number of texts, so that a short one counts less.
    fn batch_weight(&self, batch: &Batch) -> f64 {
        if self.config.accumulation > 1 { batch.rows.len() as f64 } else { 1.0 }
    }

    /// Forward and backward: the batch's loss, and the gradient of the training loss.
    fn backward(
        &mut self,
        batch: &Batch,
    ) -> Result<std::result::Result<(Losses, Gradients), NonFinite>> {
        let Self { config, network, optimizer, frozen, dropout, profile, .. } = self;
        let tokens =
            profile.time(Part::Load, || network.tokens_of_rows(&batch.ids(), batch.n_steps))?;
        let unknown = network.vocab_size().saturating_sub(1) as u32;
        let tokens =
            tokens.with_word_dropout(network.regularization().word_dropout, unknown, dropout);
        let is_adversarial = config.adversarial_norm > 0.0;
        let (x, distinct, words) = profile.time(Part::Embed, || -> Result<_> {
            let distinct = network.distinct(&tokens)?;
            if !frozen.is_frozen() {
                optimizer.catch_up(TABLE, &distinct.rows)?;
            }
            // A perturbation moves each token's vector differently.
            let words =
                if is_adversarial { None } else { network.shared_words(&tokens, &distinct) };
            let x = match &words {
                Some(words) => network.embed_ids(words.ids())?,
                None => network.embed_distinct(&tokens, &distinct)?,
            };
            Ok((Var::from_tensor(&x.detach())?, distinct, words))
        })?;
        // Two losses are averaged, so that clipping and learning rate mean what they do with one.
        let weight = self.batch_weight(batch) * if is_adversarial { 0.5 } else { 1.0 };
        let input = PassInput { batch, tokens: &tokens, distinct, words, weight };
        // A short batch cannot take over a full one's state.
        let n_rows = batch.rows.len();
        let state = self.state.take().filter(|state| state.batch().is_ok_and(|n| n == n_rows));
        // The perturbed texts get the same dropout, with which the gradient was computed.
        let dropout_before = is_adversarial.then(|| self.dropout.clone());
        let pass = self.pass(&x, &input, state.as_ref())?;
        self.state = (self.config.state == StateCarry::Carry).then_some(pass.state);
        let Some((gradients, d_x)) = pass.gradients else {
            return Ok(Err(NonFinite::new(LOSS, pass.loss.read()?)));
        };
        let loss = pass.loss;
        let Some(dropout_before) = dropout_before else {
            return Ok(Ok((Losses { loss, perturbed_loss: None }, gradients)));
        };
        let norm = self.config.adversarial_norm;
        let perturbed = adversarial::perturbed(&x, &d_x, tokens.lengths(), norm)?;
        self.dropout = dropout_before;
        let adversarial = self.pass(&Var::from_tensor(&perturbed)?, &input, state.as_ref())?;
        Ok(match adversarial.gradients {
            Some((of_perturbed, _)) => {
                let losses = Losses { loss, perturbed_loss: Some(adversarial.loss) };
                Ok((losses, gradients.plus(&of_perturbed)?))
            }
            None => Err(NonFinite::new(PERTURBED_LOSS, adversarial.loss.read()?)),
        })
    }

    /// Forward and backward from the embedded texts on.
    fn pass(&mut self, x: &Var, input: &PassInput<'_>, state: Option<&State>) -> Result<Pass> {
        let Self { network, optimizer, frozen, dropout, profile, objective, teacher, .. } = self;
        let &PassInput { batch, tokens, ref distinct, ref words, weight } = input;
        let reading = profile.time(Part::RecurrentForward, || match words {
            Some(words) => network.read_words(x, words, tokens, state, Some(&mut *dropout)),
            None => network.read(x, tokens, state, Some(&mut *dropout)),
        })?;
        // Elsewhere only the queueing is timed, and a rate would be wrong.
        let is_timed = is_here(network.device());
        let flops =
            if is_timed { network.config().recurrent_flops(tokens.n_tokens()) } else { 0.0 };
        profile.add_flops(Part::RecurrentForward, flops);
        let (weighed, loss) = profile.time(Part::Head, || -> Result<_> {
            let logits = network.classify(&reading, tokens, Some(&mut *dropout))?;
            let targets = batch.targets.as_ref().ok_or(Error::NoLabels)?;
            let n_outputs = logits.dim(1)?;
            let taught = teacher.as_ref().map(|teacher| teacher.of_rows(&batch.rows, n_outputs));
            let targets = (targets, taught.as_ref());
            let mean = objective.taught_loss(&logits, targets, batch.weights.as_deref())?;
            let loss = Scalar::of(&mean)?;
            Ok((if weight == 1.0 { mean } else { (mean * weight)? }, loss))
        })?;
        let state = reading.state.detach()?;
        if loss.is_known_not_finite() {
            return Ok(Pass { loss, state, gradients: None });
        }
        let store = profile.time(Part::RecurrentBackward, || weighed.backward())?;
        // The backward pass takes two products for each one of the forward pass.
        profile.add_flops(Part::RecurrentBackward, 2.0 * flops);
        let Some(d_x) = store.get(x).map(Tensor::detach) else {
            let reason = "the loss does not depend on the texts".to_string();
            return Err(Error::Gradient { reason });
        };
        let of_rows = profile.time(Part::EmbedBackward, || -> Result<_> {
            if frozen.is_frozen() {
                return Ok(None);
            }
            let values = match words {
                Some(words) => network.row_gradient_of_words(&d_x, words, distinct)?,
                None => network.row_gradient(&d_x, distinct)?,
            };
            let uploaded = distinct.uploaded_rows();
            Ok(Some(RowGradient::new(distinct.rows.clone(), values).with_uploaded(uploaded)))
        })?;
        let gradients = optimizer.gradients(&store).with_rows(TABLE, of_rows);
        Ok(Pass { loss, state, gradients: Some((gradients, d_x)) })
    }

    /// The weights for answering: all missed steps are applied, averages take the place of the weights if there are any,
    /// and where a training started from a model, they are between that model's and these. On the CPU they share their memory with the weights: use them before the next step.
    ///
    /// # Errors
    /// If a device fails.
    pub fn weights(&mut self) -> Result<Weights> {
        let Self { optimizer, average, anchor, profile, variables, .. } = self;
        profile.time(Part::Optimizer, || optimizer.catch_up_all())?;
        let mut weights = model::weights(variables);
        weights.extend(average.iter().flat_map(WeightAverage::means));
        match anchor {
            Some(anchor) => anchor.pulled(weights),
            None => Ok(weights),
        }
    }

    /// Gives up everything but the network.
    ///
    /// # Errors
    /// Never, as the optimiser's constants have been checked.
    pub(crate) fn forget(&mut self) -> Result<()> {
        self.optimizer = Optimizer::new(self.config.optimizer(), [])?;
        (self.average, self.state, self.accumulated) = (None, None, Accumulated::default());
        self.teacher = None;
        self.frozen = FrozenTable::default();
        Ok(())
    }

    /// Adds everything that later steps depend on, as it is: no missed step is applied for it.
    pub(crate) fn snapshot<'a>(&'a self, to: &mut Snapshot<'a>) -> Result<()> {
        for (name, tensor) in model::weights(&self.variables) {
            to.tensor(format!("{WEIGHTS}{name}"), &tensor)?;
        }
        self.frozen.snapshot(to)?;
        self.optimizer.snapshot(OPTIMIZER, to)?;
        if let Some(average) = &self.average {
            average.snapshot(AVERAGE, to)?;
        }
        let Accumulated { gradients, n_batches, weight } = &self.accumulated;
        to.fact("pending", &(n_batches, weight))?;
        if let Some(gradients) = gradients {
            gradients.snapshot(PENDING, to)?;
        }
        let carried = self.state.iter().flat_map(|state| state.tensors()).enumerate();
        for (i, tensor) in carried {
            to.tensor(format!("{CARRIED}{i}"), tensor)?;
        }
        to.fact("dropout", &self.dropout.position())?;
        to.fact("profile", &self.profile)
    }

    /// Takes over what [`snapshot`](Self::snapshot) saved of a step with the same plan and vocabularies.
    pub(crate) fn restore(&mut self, from: &mut Restored) -> Result<()> {
        for (name, variable) in model::sorted(&self.variables) {
            from.set(&format!("{WEIGHTS}{name}"), &variable)?;
        }
        self.frozen.restore(from, &mut self.optimizer)?;
        self.optimizer.restore(OPTIMIZER, from)?;
        if let Some(average) = &mut self.average {
            average.restore(AVERAGE, from)?;
        }
        let device = self.network.device().clone();
        let (n_batches, weight) = from.fact("pending")?;
        let gradients = (n_batches > 0).then(|| Gradients::restored(PENDING, from, &device));
        self.accumulated = Accumulated { gradients: gradients.transpose()?, n_batches, weight };
        let mut carried = Vec::new();
        for i in 0..from.names(CARRIED).len() {
            carried.push(from.tensor(&format!("{CARRIED}{i}"), &device)?);
        }
        self.state = if carried.is_empty() { None } else { Some(State::from_tensors(carried)?) };
        self.dropout.set_position(from.fact("dropout")?);
        self.profile = from.fact("profile")?;
        Ok(())
    }
}

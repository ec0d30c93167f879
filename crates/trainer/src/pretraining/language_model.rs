//! The network as a language model.

use std::collections::BTreeMap;
use std::sync::Arc;

use candle_core::{DType, Tensor, Var};
use candle_nn::VarMap;
use dataset::{Batch, BatchPadding, EncodedSplit, Loader, LoaderConfig, Order};
use model::{DistinctIds, ModelConfig, RecurrentClassifier, TABLE, Tokens};
use rayon::prelude::*;
use recurrent::SeededRng;
use text_preprocessing::PAD_ID;

use crate::clip::clip_scale;
use crate::config::VectorTraining;
use crate::error::Result;
use crate::finite::NonFinite;
use crate::job::TrainingJob;
use crate::optimizer::{Optimizer, OptimizerConfig, RowGradient};
use crate::pretraining::candidates::{Group, groups};
use crate::pretraining::softmax::{self, Told, exponentials};
use crate::scalar::Scalar;
use crate::state::{Restored, Snapshot};
use crate::step::{LOSS, NORM, Outcome, TrainingStep};

/// Keeps the language model's random numbers apart from the network's.
const SEED: u64 = 0x6e65_7874_2077_6f72;
/// The optimiser's name for the words' biases.
const BIAS: &str = "bias";
/// Words whose logits over the whole vocabulary are in memory at once.
const WORDS_PER_CHUNK: usize = 256;

/// Predicts words from the outputs of a network's recurrent layers: the logit of word w at a step is
/// `e_w · (A h) + b_w`, with h the output of one direction, A a matrix of that direction, e the
/// embedding's rows and b a bias for each word.
///
/// In training, each word of a group of texts is predicted among the words of the group. The log
/// probability that a word is among them at all is subtracted from its logit (sampled softmax; Yi et
/// al. 2019, "Sampling-bias-corrected neural modeling"), so that the logits are those of the whole
/// vocabulary.
pub(crate) struct LanguageModel {
    /// Shares its weights with the network that is pre-trained.
    network: RecurrentClassifier,
    /// Whether the embedding is not trained, as it starts from word vectors that are to stay.
    is_frozen: bool,
    optimizer: Optimizer,
    /// By direction, `[E, H]`.
    projections: Vec<Var>,
    /// `[V, 1]`
    biases: Var,
    /// `[V]`: each word's relative frequency in the training texts.
    shares: Vec<f64>,
    dropout: SeededRng,
}

/// Result of one batch.
pub(crate) struct Learned {
    /// The loss is a mean over the predicted words; without any, there was no step.
    pub(crate) outcome: Outcome,
    pub(crate) n_words: usize,
}

/// In a saved state, before the names of this model's parts.
const PARTS: &str = "language model.";

impl LanguageModel {
    /// Of the network in training.
    pub(crate) fn of(job: &TrainingJob<'_>, step: &TrainingStep) -> Result<Self> {
        let (network, variables) = step.network();
        let is_frozen = job.training.vectors != VectorTraining::Tuned;
        Self::new((network.clone(), is_frozen), variables, &job.data.train, job.training.seed)
    }

    /// `variables`: the network's.
    fn new(
        (network, is_frozen): (RecurrentClassifier, bool),
        variables: &VarMap,
        train: &EncodedSplit,
        seed: u64,
    ) -> Result<Self> {
        let config = network.config();
        let device = network.device();
        let mut rng = SeededRng::new(seed ^ SEED);
        let shape = (config.embedding_dim, config.hidden_dim);
        let bound = 1.0 / (config.hidden_dim as f32).sqrt();
        let mut parameters = BTreeMap::new();
        let mut projections = Vec::new();
        for direction in 0..n_directions(config) {
            let projection =
                Var::from_tensor(&rng.uniform((-bound, bound), shape, DType::F32, device)?)?;
            parameters.insert(format!("projection.{direction}"), projection.clone());
            projections.push(projection);
        }
        let shares = shares(train, network.vocab_size());
        // The biases start from the words' frequencies.
        let biases: Vec<f32> = shares.iter().map(|share| share.ln() as f32).collect();
        let biases = Tensor::from_vec(biases, (network.vocab_size(), 1), device)?;
        let biases = Var::from_tensor(&biases)?;

        let mut own = model::sorted(variables);
        let table = own.remove(TABLE);
        let prefix = format!("{}.", config.cell.parameter_prefix());
        parameters.extend(own.into_iter().filter(|(name, _)| name.starts_with(&prefix)));
        let mut optimizer = Optimizer::new(OptimizerConfig::default(), parameters)?
            .with_table(BIAS, biases.clone())?;
        if let Some(table) = table.filter(|_| !is_frozen) {
            optimizer = optimizer.with_table(TABLE, table)?;
        }
        Ok(Self { network, is_frozen, optimizer, projections, biases, shares, dropout: rng })
    }

    /// Adds what the network itself does not have.
    pub(crate) fn snapshot<'a>(&'a self, to: &mut Snapshot<'a>) -> Result<()> {
        for (direction, projection) in self.projections.iter().enumerate() {
            to.tensor(format!("{PARTS}projection.{direction}"), projection)?;
        }
        to.tensor(format!("{PARTS}biases"), &self.biases)?;
        to.fact(format!("{PARTS}dropout"), &self.dropout.position())?;
        self.optimizer.snapshot(&format!("{PARTS}optimizer."), to)
    }

    /// Takes over what [`snapshot`](Self::snapshot) saved.
    pub(crate) fn restore(&mut self, from: &mut Restored) -> Result<()> {
        for (direction, projection) in self.projections.iter().enumerate() {
            from.set(&format!("{PARTS}projection.{direction}"), projection)?;
        }
        from.set(&format!("{PARTS}biases"), &self.biases)?;
        self.dropout.set_position(from.fact(&format!("{PARTS}dropout"))?);
        self.optimizer.restore(&format!("{PARTS}optimizer."), from)
    }

    pub(crate) fn n_steps(&self) -> usize {
        self.optimizer.n_steps() as usize
    }

    /// Trains on a batch.
    ///
    /// # Errors
    /// As [`TrainingStep::run`](crate::TrainingStep::run).
    pub(crate) fn step(
        &mut self,
        batch: &Batch,
        learning_rate: f64,
        clip_norm: f64,
    ) -> Result<std::result::Result<Learned, NonFinite>> {
        let tokens = self.network.tokens_of_rows(&batch.ids(), batch.n_steps)?;
        let groups = groups_by_direction(self.network.config(), &tokens);
        let n_words = groups.iter().flatten().map(|group| group.places.len()).sum();
        if n_words == 0 {
            let outcome = Outcome { loss: 0.0.into(), perturbed_loss: None, norm: None };
            return Ok(Ok(Learned { outcome, n_words }));
        }
        let distinct = self.network.distinct(&tokens)?;
        if !self.is_frozen {
            self.optimizer.catch_up(TABLE, &distinct.rows)?;
        }
        self.optimizer.catch_up(BIAS, &distinct.rows)?;
        let x = Var::from_tensor(&self.network.embed_distinct(&tokens, &distinct)?.detach())?;
        let ids = match distinct.uploaded_rows() {
            Some(ids) => ids.clone(),
            None => Tensor::new(&*distinct.rows, x.device())?,
        };
        let rows = Var::from_tensor(&self.network.embed_ids(&distinct.rows)?.detach())?;
        let biases = Var::from_tensor(&self.biases.as_detached_tensor().index_select(&ids, 0)?)?;

        let outputs = self.network.outputs(&x, &tokens, Some(&mut self.dropout))?;
        let outputs =
            self.dropout.dropout(&outputs, self.network.regularization().output_dropout)?;
        let scale = 1.0 / n_words as f64;
        let mut losses = Vec::new();
        for (direction, groups) in groups.into_iter().enumerate() {
            let told = groups.into_iter().map(|group| self.told(group, &distinct)).collect();
            let p = self.projected(&outputs, direction)?;
            losses.push(softmax::loss((&p, &rows, &biases), told, scale)?);
        }
        let loss = Tensor::stack(&losses, 0)?.sum_all()?;
        let value = Scalar::of(&loss)?;
        if let Some(loss) = value.number().filter(|loss| !loss.is_finite()) {
            return Ok(Err(NonFinite::new(LOSS, loss)));
        }
        let store = loss.backward()?;
        let row_gradient = |of_rows: Option<&Tensor>, more: Option<Tensor>| -> Result<_> {
            let values = match (of_rows, more) {
                (Some(values), Some(more)) => (values.detach() + more)?,
                (Some(values), None) => values.detach(),
                (None, Some(more)) => more,
                (None, None) => return Ok(None),
            };
            let uploaded = distinct.uploaded_rows();
            Ok(Some(RowGradient::new(distinct.rows.clone(), values).with_uploaded(uploaded)))
        };
        let of_table = if self.is_frozen {
            None
        } else {
            let of_inputs = store
                .get(&x)
                .map(|d_x| self.network.row_gradient(&d_x.detach(), &distinct))
                .transpose()?;
            row_gradient(store.get(&rows), of_inputs)?
        };
        let gradients = self
            .optimizer
            .gradients(&store)
            .with_rows(TABLE, of_table)
            .with_rows(BIAS, row_gradient(store.get(&biases), None)?);
        let norm = gradients.norm_in_place()?;
        if let Some(norm) = norm.number().filter(|norm| !norm.is_finite()) {
            return Ok(Err(NonFinite::new(NORM, norm)));
        }
        self.optimizer.step(&gradients, learning_rate, clip_scale(&norm, clip_norm)?)?;
        let outcome = Outcome { loss: value, perturbed_loss: None, norm: Some(norm) };
        Ok(Ok(Learned { outcome, n_words }))
    }

    /// Brings all words up to date.
    pub(crate) fn finish(&mut self) -> Result<()> {
        self.optimizer.catch_up_all()
    }

    /// `A h` at all positions, `[B·T, E]`, from the outputs `[B, T, D·H]`.
    fn projected(&self, outputs: &Tensor, direction: usize) -> Result<Tensor> {
        let size = self.network.config().hidden_dim;
        let h = outputs.narrow(2, direction * size, size)?.contiguous()?.flatten(0, 1)?;
        Ok(h.matmul(&self.projections[direction].t()?)?)
    }

    /// A group whose candidates are indices into the batch's distinct words, with the log probability
    /// that each is a candidate at all in a group of this size.
    fn told(&self, group: Group, distinct: &DistinctIds) -> Told {
        let n = group.places.len() as f64;
        let ln_presence =
            |&word: &u32| (-(n * (-self.shares[word as usize]).ln_1p()).exp_m1()).ln() as f32;
        let offsets = group.candidates.iter().map(ln_presence).collect();
        let place = |word: &u32| distinct.rows.partition_point(|other| other < word) as u32;
        let candidates = group.candidates.iter().map(place).collect();
        Told { group: Group { candidates, ..group }, offsets }
    }

    /// The perplexity of the words of up to `n_texts` texts, by direction: the exponential of the mean
    /// of -ln p, with p from the softmax over the whole vocabulary. All words must be up to date.
    pub(crate) fn perplexity(
        &self,
        split: &Arc<EncodedSplit>,
        n_texts: usize,
        padding: BatchPadding,
    ) -> Result<Vec<f64>> {
        let device = self.network.device();
        let all: Vec<u32> = (0..self.network.vocab_size() as u32).collect();
        let e = self.network.embed_ids(&all)?.detach().t()?.contiguous()?;
        let b = self.biases.as_detached_tensor().t()?;
        let config = LoaderConfig { batch_size: 10, padding, order: Order::Sequential };
        let mut sums = vec![(0.0, 0usize); self.projections.len()];
        for batch in Loader::new(Arc::clone(split), &config)?.take(n_texts.div_ceil(10)) {
            let batch = batch?;
            let tokens = self.network.tokens_of_rows(&batch.ids(), batch.n_steps)?;
            let x = self.network.embed(&tokens)?.detach();
            let outputs = self.network.outputs(&x, &tokens, None)?.detach();
            let groups = groups_by_direction(self.network.config(), &tokens);
            for (direction, groups) in groups.iter().enumerate() {
                let h = self.projected(&outputs, direction)?.detach();
                for group in groups {
                    let places = Tensor::new(&*group.places, device)?;
                    let h = h.index_select(&places, 0)?;
                    for start in (0..group.places.len()).step_by(WORDS_PER_CHUNK) {
                        let end = group.places.len().min(start + WORDS_PER_CHUNK);
                        let h = h.narrow(0, start, end - start)?;
                        let logits = h.matmul(&e)?.broadcast_add(&b)?;
                        let words = group.targets[start..end]
                            .iter()
                            .map(|&target| group.candidates[target as usize]);
                        let (sum, n) = &mut sums[direction];
                        *sum += surprise(&logits, &words.collect::<Vec<_>>())?;
                        *n += end - start;
                    }
                }
            }
        }
        Ok(sums.into_iter().map(|(sum, n)| (sum / n.max(1) as f64).exp()).collect())
    }
}

/// The sum of -ln softmax(logits)[word] over the rows of `logits [N, V]`.
fn surprise(logits: &Tensor, words: &[u32]) -> Result<f64> {
    let width = logits.dim(1)?;
    let mut numbers: Vec<f32> = logits.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?;
    let each: Vec<f64> = numbers
        .par_chunks_exact_mut(width.max(1))
        .zip(words)
        .map(|(row, &word)| {
            let logit = f64::from(row[word as usize]);
            exponentials(row).ln() - logit
        })
        .collect();
    Ok(each.iter().sum())
}

fn n_directions(config: &ModelConfig) -> usize {
    if config.bidirectional { 2 } else { 1 }
}

/// What each direction has to predict.
fn groups_by_direction(config: &ModelConfig, tokens: &Tokens) -> Vec<Vec<Group>> {
    let forward = [true, false];
    forward[..n_directions(config)]
        .iter()
        .map(|&forward| groups(tokens.ids(), tokens.lengths(), forward, |id| id != PAD_ID))
        .collect()
}

/// Each word's relative frequency, as if it occurred half a time more.
fn shares(train: &EncodedSplit, vocab_size: usize) -> Vec<f64> {
    let mut counts = vec![0.5f64; vocab_size];
    for row in 0..train.len() {
        for &id in train.row(row) {
            counts[id as usize] += 1.0;
        }
    }
    let total: f64 = counts.iter().sum();
    counts.into_iter().map(|count| count / total).collect()
}

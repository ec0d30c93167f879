//! The network: embedding → recurrent layers → dropout → fully connected → logits.

use candle_core::{DType, Device, Module, Tensor};
use candle_nn::{Linear, VarBuilder, VarMap};
use recurrent::{Input, Recurrent, RepeatedInput, SeededRng};

use crate::config::ModelConfig;
use crate::embedding::{self, Embedding};
use crate::error::{Error, Result};
use crate::linear_path::LinearPath;
use crate::parameters::{self, InitConfig, Weights};
use crate::path_scaling::ScaledPaths;
use crate::pooling::{self, PoolingPart};
use crate::recurrent_layer::{self, State};
use crate::regularization::Regularization;
use crate::tokens::{DistinctIds, Tokens, Words};
use crate::vocabularies::Vocabularies;

/// Most vectors of shared words per hundred tokens for which sharing pays off in training.
const SHARED_PERCENT: usize = 70;

/// The logits of a network's two paths, each `[B, O]`; the network's logits are their sum. With scales by length, they
/// are scaled; the linear path's then include the log-count ratios and the bias, and without a linear path the recurrent
/// layers' the bias.
#[derive(Debug, Clone)]
pub struct PathLogits {
    /// Logits of the recurrent layers.
    pub recurrent: Tensor,
    /// Logits of the linear path, if there is one.
    pub linear: Option<Tensor>,
}

impl PathLogits {
    /// The network's logits.
    ///
    /// # Errors
    /// If the device fails.
    pub fn sum(self) -> Result<Tensor> {
        Ok(match self.linear {
            Some(linear) => (self.recurrent + linear)?,
            None => self.recurrent,
        })
    }
}

/// What the recurrent layers have made of a batch of texts.
#[derive(Debug, Clone)]
pub struct Reading {
    /// `[B, T, F]`; if the layers have pooled them, `[B, F]` for each of max and mean.
    outputs: Tensor,
    is_pooled: bool,
    /// The state after each text's last step.
    pub state: State,
}

/// A recurrent network that gives a text's logits, of which a [`Task`](crate::Task) makes probabilities and
/// decisions. Texts are given as ids.
///
/// B batch rows, T steps, E `embedding_dim`, F the size of a step's output (H, or 2 H in two
/// directions), O outputs.
///
/// [`logits`](Self::logits) runs the whole network. It consists of stages, which training calls one by
/// one:
///
/// ```text
/// ids ── tokens ──► Tokens ── embed ──► [B, T, E] ── read ──► Reading ── classify ──► [B, O]
///                     └────────────────── linear path ──────────────────────────────► + [B, O]
/// ```
///
/// The linear path is fitted separately, before the network is trained, and receives no gradient. With scales by length
/// ([`PathScaling::ByLength`](crate::PathScaling::ByLength)), each path's logits are scaled before they are added.
///
/// Parameter names are those of the course notebook's PyTorch module: `embedding.weight`,
/// `lstm.weight_ih_l0`, ... (`gru.`, `rnn.` for those cells), `fc.weight`, `fc.bias`; with attention,
/// `attention.weight`; with a linear path, `ngrams.weight` and `ngrams.bias`; with scales by length, `paths.scales` and
/// `paths.bias`.
#[derive(Debug, Clone)]
pub struct RecurrentClassifier {
    config: ModelConfig,
    regularization: Regularization,
    vocabularies: Vocabularies,
    embedding: Embedding,
    linear_path: Option<LinearPath>,
    scaled_paths: Option<ScaledPaths>,
    recurrent: Recurrent,
    attention: Option<Tensor>,
    fc: Linear,
    device: Device,
}

impl RecurrentClassifier {
    /// Loads the parameters from `vb`; without regularisation, for answering.
    ///
    /// # Errors
    /// If the configuration is out of range or `vb` lacks a tensor of the right shape.
    pub fn new(
        config: &ModelConfig,
        vocabularies: impl Into<Vocabularies>,
        vb: VarBuilder,
    ) -> Result<Self> {
        Self::regularized(config, &Regularization::NONE, vocabularies.into(), vb)
    }

    fn regularized(
        config: &ModelConfig,
        regularization: &Regularization,
        vocabularies: Vocabularies,
        vb: VarBuilder,
    ) -> Result<Self> {
        let table = vb.get((vocabularies.n_ids, config.embedding_dim), parameters::TABLE)?;
        Self::with_embedding(config, regularization, vocabularies, Embedding::Loaded(table), vb)
    }

    /// Loads all parameters except the embedding's from `vb`.
    pub(crate) fn with_embedding(
        config: &ModelConfig,
        regularization: &Regularization,
        vocabularies: Vocabularies,
        embedding: Embedding,
        vb: VarBuilder,
    ) -> Result<Self> {
        config.check()?;
        regularization.check()?;
        let linear_path = LinearPath::new(config, &vocabularies, &vb)?;
        let scaled_paths = ScaledPaths::new(config, &vocabularies, &vb)?;
        let attention = (config.pooling.has(PoolingPart::Attention))
            .then(|| vb.get(parameters::attention_shape(config), parameters::ATTENTION))
            .transpose()?;
        let (outputs, features) = (config.outputs(), config.pooled_size());
        let fc = vb.pp("fc");
        let fc =
            Linear::new(fc.get((outputs, features), "weight")?, Some(fc.get(outputs, "bias")?));
        Ok(Self {
            config: config.clone(),
            regularization: *regularization,
            vocabularies,
            embedding,
            linear_path,
            scaled_paths,
            recurrent: recurrent_layer::new(config, regularization, vb.clone())?,
            attention,
            fc,
            device: vb.device().clone(),
        })
    }

    /// A new network with seeded initial weights, for training, and the variables that hold them: the embedding
    /// is normally distributed, everything else U(±1/√n) with PyTorch's n (input features, or the hidden
    /// size).
    ///
    /// # Errors
    /// If a configuration is out of range or the device fails.
    pub fn init(
        config: &ModelConfig,
        regularization: &Regularization,
        vocabularies: impl Into<Vocabularies>,
        init: InitConfig,
        device: &Device,
    ) -> Result<(Self, VarMap)> {
        config.check()?;
        let vocabularies = vocabularies.into();
        let variables = parameters::init(config, &vocabularies, init, device)?;
        let vb = VarBuilder::from_varmap(&variables, DType::F32, device);
        Ok((Self::regularized(config, regularization, vocabularies, vb)?, variables))
    }

    /// The network with these weights, without regularisation and without recording a backward pass: for evaluation.
    /// Do not use it after weights that share their memory with a network in training have changed.
    ///
    /// # Errors
    /// As [`RecurrentClassifier::new`].
    pub fn frozen(
        config: &ModelConfig,
        vocabularies: impl Into<Vocabularies>,
        weights: &Weights,
    ) -> Result<Self> {
        let device = weights.values().next().map_or(Device::Cpu, |tensor| tensor.device().clone());
        let tensors = weights.iter().map(|(name, tensor)| (name.clone(), tensor.detach()));
        let tensors = tensors.collect();
        Self::new(config, vocabularies, VarBuilder::from_tensors(tensors, DType::F32, &device))?
            .freeze()
    }

    /// The same network with its recurrent layers' weights packed once and for all: for answering.
    ///
    /// On a CUDA device, candle gives each thread a stream of its own, and does not keep them in order. All weights are
    /// there when this returns, so that any thread may use the network; but one at a time, since they share the handle of
    /// the library for products.
    ///
    /// # Errors
    /// If the device fails.
    pub fn freeze(self) -> Result<Self> {
        let frozen = Self { recurrent: self.recurrent.freeze()?, ..self };
        frozen.device.synchronize()?;
        Ok(frozen)
    }

    /// The recurrent layers alone, scaled as in the network: the same network without its linear path, if it has one.
    /// Its configuration still includes the path.
    #[must_use]
    pub fn without_linear_path(&self) -> Self {
        Self { linear_path: None, ..self.clone() }
    }

    /// Whether the network has a linear path beside the recurrent layers.
    pub fn has_linear_path(&self) -> bool {
        self.linear_path.is_some()
    }

    /// The network's configuration.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// What is left out while the network is trained; nothing if it was loaded.
    pub fn regularization(&self) -> &Regularization {
        &self.regularization
    }

    /// Number of ids, including padding and the unknown word.
    pub fn vocab_size(&self) -> usize {
        self.vocabularies.n_ids
    }

    /// The network's vocabularies.
    pub fn vocabularies(&self) -> &Vocabularies {
        &self.vocabularies
    }

    /// The network's device.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Zeros of the state's shape, `(num_layers * directions, batch, hidden_dim)`.
    ///
    /// # Errors
    /// If the device fails.
    pub fn init_hidden(&self, batch: usize) -> Result<State> {
        Ok(self.recurrent.init_state(batch)?)
    }

    /// The sigmoid of every logit after the last step, and the new state. Of a network with one output that
    /// is the probability of the positive class, as in the notebook; for others see
    /// [`Task::probabilities`](crate::Task::probabilities).
    ///
    /// `ids`: `[B, T]`, u32, padded on the left with 0. Returns `[B, O]` in 0..=1, f32.
    ///
    /// A text may be passed in chunks, with the state passed on from one to the next; the last chunk's
    /// output is then the output for the whole text.
    ///
    /// # Errors
    /// As [`RecurrentClassifier::logits`].
    pub fn forward(&self, ids: &Tensor, state: &State) -> Result<(Tensor, State)> {
        let (logits, state) = self.logits(ids, Some(state), None)?;
        Ok((candle_nn::ops::sigmoid(&logits)?, state))
    }

    /// The logits `[B, O]`, f32, and the new state.
    ///
    /// `state`: before the first step; zeros if absent. `dropout`: set in training; word dropout is not
    /// applied here, but by callers of the stages.
    ///
    /// # Errors
    /// [`Error::UnknownId`] for an id beyond the vocabulary; [`Error::NotChunked`] if a state is passed
    /// to a network that pools over steps, reads in both directions, has a linear path or scales paths
    /// by length; an error of the layers if a shape or device does not fit.
    pub fn logits(
        &self,
        ids: &Tensor,
        state: Option<&State>,
        dropout: Option<&mut SeededRng>,
    ) -> Result<(Tensor, State)> {
        let (logits, state) = self.path_logits(ids, state, dropout)?;
        Ok((logits.sum()?, state))
    }

    /// The logits of each path, and the new state; arguments and errors as for
    /// [`logits`](Self::logits).
    ///
    /// # Errors
    /// As [`RecurrentClassifier::logits`].
    pub fn path_logits(
        &self,
        ids: &Tensor,
        state: Option<&State>,
        mut dropout: Option<&mut SeededRng>,
    ) -> Result<(PathLogits, State)> {
        if state.is_some() && self.linear_path.is_some() {
            return Err(Error::NotChunked {
                reason: "its linear path needs the n-grams of the whole text",
            });
        }
        if state.is_some() && self.scaled_paths.is_some() {
            return Err(Error::NotChunked {
                reason: "its paths are scaled by the length of the whole text",
            });
        }
        let tokens = self.tokens(ids)?;
        let reading = match dropout.as_deref_mut() {
            Some(rng) => self.read(&self.embed(&tokens)?, &tokens, state, Some(rng))?,
            None => self.read_tokens(&tokens, state)?,
        };
        let logits = self.of_paths(&reading, &tokens, dropout)?;
        Ok((logits, reading.state))
    }

    /// The logits of each path for whole texts in plain memory: a row of ids for each, with padding or without.
    /// Nothing is padded that is not computed.
    ///
    /// `seq_len`: the length to which texts are padded if the network computes padding.
    ///
    /// # Errors
    /// [`Error::UnknownId`] for an id beyond the vocabulary; if the device fails.
    pub fn path_logits_of_rows(&self, rows: &[&[u32]], seq_len: usize) -> Result<PathLogits> {
        let tokens = self.tokens_of_rows(rows, seq_len)?;
        let reading = self.read_tokens(&tokens, None)?;
        self.of_paths(&reading, &tokens, None)
    }

    fn of_paths(
        &self,
        reading: &Reading,
        tokens: &Tokens,
        dropout: Option<&mut SeededRng>,
    ) -> Result<PathLogits> {
        let recurrent = self.classify(reading, tokens, dropout)?;
        let (linear, scaled) = (self.linear_path.as_ref(), self.scaled_paths.as_ref());
        let recurrent = match scaled {
            // Where there is a linear path, that one has the bias, here or in the network with it.
            Some(scaled) => {
                scaled.of_recurrent(&recurrent, &tokens.lengths, self.config.ngram_order == 0)?
            }
            None => recurrent,
        };
        let linear = linear.map(|path| path.logits(tokens, scaled, &self.device)).transpose()?;
        Ok(PathLogits { recurrent, linear })
    }

    /// Checks ids `[B, T]`, u32, padded on the left, and strips the padding if the configuration says
    /// so.
    ///
    /// # Errors
    /// [`Error::UnknownId`] for an id beyond the vocabulary.
    pub fn tokens(&self, ids: &Tensor) -> Result<Tokens> {
        Tokens::new(ids, self.config.padding, self.vocabularies.n_ids)
    }

    /// The same for texts in plain memory: a row of ids for each, with padding on the left or without.
    ///
    /// `width`: the length to which texts are padded if the network computes padding; longer rows make it larger.
    ///
    /// # Errors
    /// [`Error::UnknownId`] for an id beyond the vocabulary.
    pub fn tokens_of_rows(&self, rows: &[&[u32]], width: usize) -> Result<Tokens> {
        Tokens::of_rows(rows, width, self.config.padding, self.vocabularies.n_ids)
    }

    /// The distinct ids of a batch. If the network's device is not the CPU, they are uploaded to it.
    ///
    /// # Errors
    /// If the device fails.
    pub fn distinct(&self, tokens: &Tokens) -> Result<DistinctIds> {
        let distinct = tokens.distinct();
        if self.device.is_cpu() { Ok(distinct) } else { distinct.uploaded(&self.device) }
    }

    /// The vectors of a batch, `[B, T, E]`.
    ///
    /// # Errors
    /// If the device fails.
    pub fn embed(&self, tokens: &Tokens) -> Result<Tensor> {
        self.embedding.of_tokens(tokens, None)
    }

    /// The same where the batch's distinct ids are known, and perhaps on the device already.
    ///
    /// # Errors
    /// If the device fails.
    pub fn embed_distinct(&self, tokens: &Tokens, distinct: &DistinctIds) -> Result<Tensor> {
        self.embedding.of_tokens(tokens, Some(distinct))
    }

    /// The vectors of some ids, `[N, E]`.
    ///
    /// # Errors
    /// If an id is beyond the vocabulary or the device fails.
    pub fn embed_ids(&self, ids: &[u32]) -> Result<Tensor> {
        self.embedding.rows(ids)
    }

    /// Converts the gradient of a batch's vectors, `[B, T, E]`, to the gradient of the table rows in
    /// the batch, `[N, E]`; the gradient of all other rows is 0.
    ///
    /// # Errors
    /// If the shape does not fit or the device fails.
    pub fn row_gradient(&self, d_vectors: &Tensor, distinct: &DistinctIds) -> Result<Tensor> {
        let places = (&*distinct.places, distinct.on_device());
        embedding::sum_by_row(d_vectors, places, distinct.rows.len())
    }

    /// The same for the gradient of the vectors of words, `[N, E]`.
    ///
    /// # Errors
    /// If a word is not among the distinct ones, the shape does not fit or the device fails.
    pub fn row_gradient_of_words(
        &self,
        d_vectors: &Tensor,
        words: &Words,
        distinct: &DistinctIds,
    ) -> Result<Tensor> {
        if words.ids == distinct.rows {
            return Ok(d_vectors.clone());
        }
        let row = |&id: &u32| distinct.rows.partition_point(|&other| other < id) as u32;
        let places: Vec<u32> = words.ids.iter().map(row).collect();
        embedding::sum_by_row(d_vectors, (&places, None), distinct.rows.len())
    }

    /// The words of a batch whose vectors tokens can share in training, so that the first layer's input
    /// products are computed once for each; `None` if dropout makes each token's vector another, too few words
    /// repeat to be worth it, or the network's device is not the CPU. `distinct`: those of the same tokens.
    pub fn shared_words(&self, tokens: &Tokens, distinct: &DistinctIds) -> Option<Words> {
        // Other devices compute every token's products anyway.
        let is_shared = self.device.is_cpu() && self.regularization.embedding_dropout == 0.0;
        let words = if !is_shared {
            return None;
        } else if self.regularization.variational_dropout > 0.0 {
            tokens.words_by_text()
        } else {
            Words { ids: distinct.rows.clone(), texts: None, places: distinct.places.clone() }
        };
        let is_worthwhile =
            !words.ids.is_empty() && 100 * words.ids.len() <= SHARED_PERCENT * tokens.n_tokens();
        is_worthwhile.then_some(words)
    }

    /// [`read`](Self::read) for the vectors of [shared words](Self::shared_words), `[N, E]`.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_words(
        &self,
        vectors: &Tensor,
        words: &Words,
        tokens: &Tokens,
        state: Option<&State>,
        mut dropout: Option<&mut SeededRng>,
    ) -> Result<Reading> {
        let mut vectors = vectors.clone();
        if let (Some(rng), Some(texts)) = (dropout.as_deref_mut(), &words.texts) {
            let shape = (tokens.n_rows(), 1, vectors.dim(1)?);
            let ones = Tensor::ones(shape, vectors.dtype(), vectors.device())?;
            let masks = rng.variational_dropout(&ones, self.regularization.variational_dropout)?;
            let texts = Tensor::new(&**texts, vectors.device())?;
            vectors = vectors.mul(&masks.squeeze(1)?.index_select(&texts, 0)?)?;
        }
        let (indexes, batch) = (&*words.places, tokens.n_rows());
        let input = RepeatedInput { vectors: &vectors, indexes, batch };
        self.run(input.into(), self.config.pooling.of_layers(), tokens, state, dropout)
    }

    /// The recurrent layers: what they make of `x [B, T, E]`, to be [classified](Self::classify).
    ///
    /// # Errors
    /// [`Error::NotChunked`] if a state is passed to a network that pools over steps or reads in both
    /// directions; an error of the layers if a shape or device does not fit.
    pub fn read(
        &self,
        x: &Tensor,
        tokens: &Tokens,
        state: Option<&State>,
        mut dropout: Option<&mut SeededRng>,
    ) -> Result<Reading> {
        let x = self.with_dropout(x, dropout.as_deref_mut())?;
        self.run((&x).into(), self.config.pooling.of_layers(), tokens, state, dropout)
    }

    /// The recurrent layers' outputs of all steps, `[B, T, F]`.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn outputs(
        &self,
        x: &Tensor,
        tokens: &Tokens,
        mut dropout: Option<&mut SeededRng>,
    ) -> Result<Tensor> {
        let x = self.with_dropout(x, dropout.as_deref_mut())?;
        Ok(self.run((&x).into(), None, tokens, None, dropout)?.outputs)
    }

    fn with_dropout(&self, x: &Tensor, dropout: Option<&mut SeededRng>) -> Result<Tensor> {
        let Some(rng) = dropout else { return Ok(x.clone()) };
        let x = rng.variational_dropout(x, self.regularization.variational_dropout)?;
        Ok(rng.dropout(&x, self.regularization.embedding_dropout)?)
    }

    /// [`embed`](Self::embed) and [`read`](Self::read) combined, without dropout; repeated words cost
    /// less here.
    fn read_tokens(&self, tokens: &Tokens, state: Option<&State>) -> Result<Reading> {
        let distinct = tokens.distinct();
        let vectors = self.embedding.rows(&distinct.rows)?;
        let input =
            RepeatedInput { vectors: &vectors, indexes: &distinct.places, batch: tokens.n_rows() };
        self.run(input.into(), self.config.pooling.of_layers(), tokens, state, None)
    }

    fn run(
        &self,
        x: Input<'_>,
        pooling: Option<recurrent::Pooling>,
        tokens: &Tokens,
        state: Option<&State>,
        dropout: Option<&mut SeededRng>,
    ) -> Result<Reading> {
        if state.is_some() {
            self.check_takes_chunks()?;
        }
        let lengths = &tokens.lengths;
        let (outputs, state) =
            recurrent_layer::run(&self.recurrent, x, pooling, state, lengths, dropout)?;
        Ok(Reading { outputs, is_pooled: pooling.is_some(), state })
    }

    /// Pooling and the fully connected layer: logits, `[B, O]`.
    ///
    /// # Errors
    /// If the device fails.
    pub fn classify(
        &self,
        reading: &Reading,
        tokens: &Tokens,
        dropout: Option<&mut SeededRng>,
    ) -> Result<Tensor> {
        let mut pooled = self.pool(reading, tokens)?;
        if let Some(rng) = dropout {
            pooled = rng.dropout(&pooled, self.regularization.output_dropout)?;
        }
        Ok(self.fc.forward(&pooled)?)
    }

    fn pool(&self, reading: &Reading, tokens: &Tokens) -> Result<Tensor> {
        let Reading { outputs, is_pooled, state } = reading;
        let (pooling, lengths) = (self.config.pooling, &*tokens.lengths);
        let num_directions = if self.config.bidirectional { 2 } else { 1 };
        // In the order of `PoolingPart::ALL`.
        let vectors = [
            pooling
                .has(PoolingPart::Last)
                .then(|| pooling::last(&state.h, num_directions))
                .transpose()?,
            if *is_pooled {
                Some(outputs.clone())
            } else {
                pooling::max_and_mean(pooling, outputs, lengths)?
            },
            self.attention
                .as_ref()
                .map(|weight| pooling::attention(outputs, weight, lengths))
                .transpose()?,
        ];
        Ok(Tensor::cat(&vectors.into_iter().flatten().collect::<Vec<_>>(), 1)?)
    }

    fn check_takes_chunks(&self) -> Result<()> {
        let reason = if self.config.bidirectional {
            "its backward direction starts at the end of the text"
        } else if self.config.pooling != PoolingPart::Last.into() {
            "it pools over all steps of the text"
        } else {
            return Ok(());
        };
        Err(Error::NotChunked { reason })
    }
}

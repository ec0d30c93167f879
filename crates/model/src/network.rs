//! The network: embedding → recurrent layers → dropout → fully connected → sigmoid.

use candle_core::{DType, Device, Module, Tensor};
use candle_nn::{Linear, VarBuilder, VarMap};
use recurrent::{RepeatedInput, SeededRng};

use crate::config::ModelConfig;
use crate::embedding::{self, Embedding};
use crate::error::{Error, Result};
use crate::ngrams::{self, Ngrams};
use crate::parameters;
use crate::pooling::{self, PoolingPart};
use crate::recurrent_layer::{LayerInput, RecurrentLayer, State};
use crate::tokens::{DistinctIds, Tokens};
use crate::vocabularies::Vocabularies;

/// A recurrent network that reads ids and tells how likely a text is positive.
///
/// B batch rows, T steps, E `embedding_dim`, F the outputs' features (H, or 2 H in two directions), O
/// `output_size`.
///
/// [`logits`](Self::logits) does everything. It is made of stages, which a training calls one by one:
///
/// ```text
/// ids ── tokens ──► Tokens ── embed ──► [B, T, E] ── read ──► [B, T, F], State ── classify ──► [B, O]
///                     └────── ngrams ──► Ngrams ────────────────────── ngram_logits ──► + [B, O]
/// ```
///
/// Parameters have the names of the course notebook's PyTorch module: `embedding.weight`,
/// `lstm.weight_ih_l0`, ... (`gru.`, `rnn.` for those cells), `fc.weight`, `fc.bias`; with attention,
/// `attention.weight`; with a linear path, `ngrams.weight`.
#[derive(Debug, Clone)]
pub struct SentimentRnn {
    config: ModelConfig,
    vocabularies: Vocabularies,
    embedding: Embedding,
    ngram_table: Option<Embedding>,
    recurrent: RecurrentLayer,
    attention: Option<Tensor>,
    fc: Linear,
    device: Device,
}

impl SentimentRnn {
    /// Takes the parameters from `vb`.
    ///
    /// # Errors
    /// If the configuration is out of range or `vb` lacks a tensor of the right shape.
    pub fn new(
        config: &ModelConfig,
        vocabularies: impl Into<Vocabularies>,
        vb: VarBuilder,
    ) -> Result<Self> {
        let vocabularies = vocabularies.into();
        let table = vb.get((vocabularies.n_ids, config.embedding_dim), parameters::TABLE)?;
        Self::with_embedding(config, vocabularies, Embedding::Loaded(table), vb)
    }

    /// Takes all parameters but the embedding's from `vb`.
    pub(crate) fn with_embedding(
        config: &ModelConfig,
        vocabularies: Vocabularies,
        embedding: Embedding,
        vb: VarBuilder,
    ) -> Result<Self> {
        config.check()?;
        let n_ngrams = vocabularies.n_ngrams(config)?;
        let ngram_table = (n_ngrams > 0)
            .then(|| vb.get((n_ngrams, config.output_size), parameters::NGRAM_TABLE))
            .transpose()?
            .map(Embedding::Loaded);
        let attention = (config.pooling.has(PoolingPart::Attention))
            .then(|| vb.get(parameters::attention_shape(config), parameters::ATTENTION))
            .transpose()?;
        let (outputs, features) = (config.output_size, config.pooled_size());
        let fc = vb.pp("fc");
        let fc =
            Linear::new(fc.get((outputs, features), "weight")?, Some(fc.get(outputs, "bias")?));
        Ok(Self {
            config: config.clone(),
            vocabularies,
            embedding,
            ngram_table,
            recurrent: RecurrentLayer::new(config, vb.clone())?,
            attention,
            fc,
            device: vb.device().clone(),
        })
    }

    /// A new network with seeded initial weights, and the variables that hold them: the embedding
    /// is normal, all else U(±1/√n) with PyTorch's n (features in, or the hidden size).
    ///
    /// # Errors
    /// If the configuration is out of range or the device fails.
    pub fn init(
        config: &ModelConfig,
        vocabularies: impl Into<Vocabularies>,
        seed: u64,
        device: &Device,
    ) -> Result<(Self, VarMap)> {
        config.check()?;
        let vocabularies = vocabularies.into();
        let variables = parameters::init(config, &vocabularies, seed, device)?;
        let vb = VarBuilder::from_varmap(&variables, DType::F32, device);
        Ok((Self::new(config, vocabularies, vb)?, variables))
    }

    /// The network of these variables as it is now, with nothing recorded for a backward pass: for
    /// evaluation. It must not outlive the next change of the variables.
    ///
    /// # Errors
    /// As [`SentimentRnn::new`].
    pub fn frozen(
        config: &ModelConfig,
        vocabularies: impl Into<Vocabularies>,
        variables: &VarMap,
    ) -> Result<Self> {
        let tensors = parameters::sorted(variables)
            .into_iter()
            .map(|(name, var)| (name, var.as_tensor().detach()))
            .collect();
        let device = match parameters::sorted(variables).values().next() {
            Some(var) => var.device().clone(),
            None => Device::Cpu,
        };
        Self::new(config, vocabularies, VarBuilder::from_tensors(tensors, DType::F32, &device))
    }

    /// The recurrent layers alone: the same network without its linear path, if it has one. Its
    /// configuration still names the path.
    #[must_use]
    pub fn without_linear_path(&self) -> Self {
        Self { ngram_table: None, ..self.clone() }
    }

    /// The network's configuration.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// Number of ids, padding and the unknown word among them.
    pub fn vocab_size(&self) -> usize {
        self.vocabularies.n_ids
    }

    /// What the network tells apart.
    pub fn vocabularies(&self) -> &Vocabularies {
        &self.vocabularies
    }

    /// The device that the network lives on.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Zeros of the state's shape, `(num_layers * directions, batch, hidden_dim)`.
    ///
    /// # Errors
    /// If the device fails.
    pub fn init_hidden(&self, batch: usize) -> Result<State> {
        self.recurrent.init_state(batch)
    }

    /// The probability of the positive class after the last step, and the new state.
    ///
    /// `ids`: `[B, T]`, u32, padded on the left with 0. Returns `[B, O]` in 0..=1, f32.
    ///
    /// A text may come in chunks, the state handed on from one to the next; the last chunk's
    /// output is then that of the whole text.
    ///
    /// # Errors
    /// As [`SentimentRnn::logits`].
    pub fn forward(&self, ids: &Tensor, state: &State) -> Result<(Tensor, State)> {
        let (logits, state) = self.logits(ids, Some(state), None)?;
        Ok((candle_nn::ops::sigmoid(&logits)?, state))
    }

    /// What the sigmoid gets: `[B, O]`, f32, and the new state.
    ///
    /// `state`: before the first step; zeros if absent. `dropout`: set in training; that of words and
    /// n-grams is not applied here, but by who calls the stages.
    ///
    /// # Errors
    /// [`Error::UnknownId`] for an id beyond the vocabulary; [`Error::NotChunked`] if a state is
    /// handed to a network that pools over steps, reads in both directions or has a linear path; an
    /// error of the layers if a shape or device does not fit.
    pub fn logits(
        &self,
        ids: &Tensor,
        state: Option<&State>,
        mut dropout: Option<&mut SeededRng>,
    ) -> Result<(Tensor, State)> {
        if state.is_some() && self.ngram_table.is_some() {
            return Err(Error::NotChunked { reason: "its linear path counts over the whole text" });
        }
        let tokens = self.tokens(ids)?;
        let (outputs, state) = match dropout.as_deref_mut() {
            Some(rng) => self.read(&self.embed(&tokens)?, &tokens, state, Some(rng))?,
            None => self.read_tokens(&tokens, state)?,
        };
        let mut logits = self.classify(&outputs, &state, &tokens, dropout)?;
        if let (Some(ngrams), Some(table)) = (self.ngrams(&tokens), &self.ngram_table) {
            logits = (logits + ngrams::sums(&table.rows(&ngrams.rows)?, &ngrams)?)?;
        }
        Ok((logits, state))
    }

    /// Checks ids `[B, T]`, u32, padded on the left, and takes them apart as the configuration's
    /// padding says.
    ///
    /// # Errors
    /// [`Error::UnknownId`] for an id beyond the vocabulary.
    pub fn tokens(&self, ids: &Tensor) -> Result<Tokens> {
        Tokens::new(ids, self.config.padding, self.vocabularies.n_ids)
    }

    /// The vectors of a batch, `[B, T, E]`.
    ///
    /// # Errors
    /// If the device fails.
    pub fn embed(&self, tokens: &Tokens) -> Result<Tensor> {
        self.embedding.of_tokens(tokens)
    }

    /// The vectors of some ids, `[N, E]`.
    ///
    /// # Errors
    /// If an id is beyond the vocabulary or the device fails.
    pub fn embed_ids(&self, ids: &[u32]) -> Result<Tensor> {
        self.embedding.rows(ids)
    }

    /// From the gradient of a batch's vectors, `[B, T, E]`, to that of the table's rows that it has,
    /// `[N, E]`: no other row's gradient is anything but 0.
    ///
    /// # Errors
    /// If the shape does not fit or the device fails.
    pub fn row_gradient(&self, d_vectors: &Tensor, distinct: &DistinctIds) -> Result<Tensor> {
        embedding::sum_by_row(d_vectors, distinct)
    }

    /// The recurrent layers: `x [B, T, E]` gives outputs `[B, T, F]` and the new state.
    ///
    /// # Errors
    /// [`Error::NotChunked`] if a state is handed to a network that pools over steps or reads in both
    /// directions; an error of the layers if a shape or device does not fit.
    pub fn read(
        &self,
        x: &Tensor,
        tokens: &Tokens,
        state: Option<&State>,
        mut dropout: Option<&mut SeededRng>,
    ) -> Result<(Tensor, State)> {
        if state.is_some() {
            self.check_takes_chunks()?;
        }
        let mut x = x.clone();
        if let Some(rng) = dropout.as_deref_mut() {
            x = rng.variational_dropout(&x, self.config.variational_dropout)?;
            x = rng.dropout(&x, self.config.embedding_dropout)?;
        }
        self.recurrent.run(LayerInput::Each(&x), state, &tokens.lengths, dropout)
    }

    /// [`embed`](Self::embed) and [`read`](Self::read) in one, without dropout: words that repeat
    /// cost less here.
    fn read_tokens(&self, tokens: &Tokens, state: Option<&State>) -> Result<(Tensor, State)> {
        if state.is_some() {
            self.check_takes_chunks()?;
        }
        let distinct = tokens.distinct();
        let vectors = self.embedding.rows(&distinct.rows)?;
        let input =
            RepeatedInput { vectors: &vectors, indexes: &distinct.places, batch: tokens.n_rows() };
        self.recurrent.run(LayerInput::Repeated(input), state, &tokens.lengths, None)
    }

    /// Pooling and the fully connected layer: what the sigmoid gets, `[B, O]`.
    ///
    /// # Errors
    /// If the device fails.
    pub fn classify(
        &self,
        outputs: &Tensor,
        state: &State,
        tokens: &Tokens,
        dropout: Option<&mut SeededRng>,
    ) -> Result<Tensor> {
        let mut pooled = self.pool(outputs, state, &tokens.lengths)?;
        if let Some(rng) = dropout {
            pooled = rng.dropout(&pooled, self.config.output_dropout)?;
        }
        Ok(self.fc.forward(&pooled)?)
    }

    /// The n-grams of a batch for the linear path; `None` if there is no such path.
    pub fn ngrams(&self, tokens: &Tokens) -> Option<Ngrams> {
        self.ngram_table.as_ref()?;
        let vocabulary = self.vocabularies.ngrams.as_ref()?;
        Some(Ngrams::new(tokens, vocabulary))
    }

    /// The rows of the linear path's table that a batch needs, `[N, O]`, without their past: made a
    /// variable and given to [`ngram_logits`](Self::ngram_logits), they alone get the gradient, and not
    /// the whole table. `None` if there is no such path.
    ///
    /// # Errors
    /// If the device fails.
    pub fn ngram_rows(&self, ngrams: &Ngrams) -> Result<Option<Tensor>> {
        let rows = self.ngram_table.as_ref().map(|table| table.rows(&ngrams.rows)).transpose()?;
        Ok(rows.map(|rows| rows.detach()))
    }

    /// What the linear path adds to the logits, `[B, O]`, out of the batch's rows `[N, O]`.
    ///
    /// # Errors
    /// If the device fails.
    pub fn ngram_logits(&self, rows: &Tensor, ngrams: &Ngrams) -> Result<Tensor> {
        ngrams::sums(rows, ngrams)
    }

    fn pool(&self, outputs: &Tensor, state: &State, lengths: &[usize]) -> Result<Tensor> {
        let vectors = self.config.pooling.parts().map(|part| match (part, &self.attention) {
            (PoolingPart::Last, _) => {
                pooling::last(&state.h, if self.config.bidirectional { 2 } else { 1 })
            }
            (PoolingPart::Max, _) => pooling::max(outputs, lengths),
            (PoolingPart::Attention, Some(weight)) => pooling::attention(outputs, weight, lengths),
            // Attention has its weight wherever it is configured.
            (PoolingPart::Mean | PoolingPart::Attention, _) => pooling::mean(outputs, lengths),
        });
        Ok(Tensor::cat(&vectors.collect::<Result<Vec<_>>>()?, 1)?)
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

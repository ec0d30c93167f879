//! The network: embedding → recurrent layers → dropout → fully connected → sigmoid.

use candle_core::{DType, Device, Module, Tensor};
use candle_nn::{Embedding, Linear, VarBuilder, VarMap};
use recurrent::SeededRng;

use crate::batch::AlignedBatch;
use crate::config::{ModelConfig, Padding, Pooling};
use crate::error::{Error, Result};
use crate::parameters;
use crate::pooling;
use crate::recurrent_layer::{RecurrentLayer, State};

/// A recurrent network that reads ids and tells how likely a text is positive.
///
/// B batch rows, T steps, O `output_size`.
///
/// Parameters have the names of the course notebook's PyTorch module: `embedding.weight`,
/// `lstm.weight_ih_l0`, ... (`gru.`, `rnn.` for those cells), `fc.weight`, `fc.bias`.
#[derive(Debug, Clone)]
pub struct SentimentRnn {
    config: ModelConfig,
    vocab_size: usize,
    embedding: Embedding,
    recurrent: RecurrentLayer,
    fc: Linear,
    device: Device,
}

impl SentimentRnn {
    /// Takes the parameters from `vb`.
    ///
    /// # Errors
    /// If the configuration is out of range or `vb` lacks a tensor of the right shape.
    pub fn new(config: &ModelConfig, vocab_size: usize, vb: VarBuilder) -> Result<Self> {
        config.check()?;
        let embedding = vb.pp("embedding").get((vocab_size, config.embedding_dim), "weight")?;
        let (outputs, features) = (config.output_size, config.pooled_size());
        let fc = vb.pp("fc");
        let fc =
            Linear::new(fc.get((outputs, features), "weight")?, Some(fc.get(outputs, "bias")?));
        Ok(Self {
            config: config.clone(),
            vocab_size,
            embedding: Embedding::new(embedding, config.embedding_dim),
            recurrent: RecurrentLayer::new(config, vb.clone())?,
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
        vocab_size: usize,
        seed: u64,
        device: &Device,
    ) -> Result<(Self, VarMap)> {
        config.check()?;
        let variables = parameters::init(config, vocab_size, seed, device)?;
        let vb = VarBuilder::from_varmap(&variables, DType::F32, device);
        Ok((Self::new(config, vocab_size, vb)?, variables))
    }

    /// The network's configuration.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// Number of ids, padding and the unknown word among them.
    pub fn vocab_size(&self) -> usize {
        self.vocab_size
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
    /// `state`: before the first step; zeros if absent. `dropout`: set in training.
    ///
    /// # Errors
    /// [`Error::UnknownId`] for an id beyond the vocabulary; [`Error::NotChunked`] if a state is
    /// handed to a network that pools over steps or reads in both directions; an error of the
    /// layers if a shape or device does not fit.
    pub fn logits(
        &self,
        ids: &Tensor,
        state: Option<&State>,
        mut dropout: Option<&mut SeededRng>,
    ) -> Result<(Tensor, State)> {
        if state.is_some() {
            self.check_takes_chunks()?;
        }
        let batch = match self.config.padding {
            Padding::Skip => AlignedBatch::skip_padding(ids, self.vocab_size)?,
            Padding::Compute => AlignedBatch::keep_padding(ids, self.vocab_size)?,
        };
        let mut x = self.embedding.forward(&batch.ids)?;
        if let Some(rng) = dropout.as_deref_mut() {
            x = rng.dropout(&x, self.config.embedding_dropout)?;
        }
        let (outputs, state) =
            self.recurrent.run(&x, state, &batch.lengths, dropout.as_deref_mut())?;
        let mut pooled = self.pool(&outputs, &state, &batch.lengths)?;
        if let Some(rng) = dropout {
            pooled = rng.dropout(&pooled, self.config.output_dropout)?;
        }
        Ok((self.fc.forward(&pooled)?, state))
    }

    fn pool(&self, outputs: &Tensor, state: &State, lengths: &[usize]) -> Result<Tensor> {
        match self.config.pooling {
            Pooling::Last => pooling::last(&state.h, if self.config.bidirectional { 2 } else { 1 }),
            Pooling::Max => pooling::max(outputs, lengths),
            Pooling::Mean => pooling::mean(outputs, lengths),
            Pooling::MaxMean => {
                let both = [pooling::max(outputs, lengths)?, pooling::mean(outputs, lengths)?];
                Ok(Tensor::cat(&both, 1)?)
            }
        }
    }

    fn check_takes_chunks(&self) -> Result<()> {
        let reason = if self.config.bidirectional {
            "its backward direction starts at the end of the text"
        } else if self.config.pooling != Pooling::Last {
            "it pools over all steps of the text"
        } else {
            return Ok(());
        };
        Err(Error::NotChunked { reason })
    }
}

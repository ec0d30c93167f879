//! Configuration of the network.

use recurrent::settings;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::pooling::{Pooling, PoolingPart};

/// The longest n-grams allowed; longer ones hardly ever occur twice.
const MAX_NGRAM_ORDER: usize = 5;

/// Configuration of a [`RecurrentClassifier`](crate::RecurrentClassifier). The default is the notebook's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelConfig {
    /// Dimension of the token embeddings.
    pub embedding_dim: usize,
    /// Standard deviation of the embedding's normally distributed initial weights.
    pub embedding_std: f64,
    /// The kind of recurrent layer.
    pub cell: CellKind,
    /// Size of the hidden state.
    pub hidden_dim: usize,
    /// Number of stacked recurrent layers.
    pub num_layers: usize,
    /// Whether a second direction reads each text backwards.
    pub bidirectional: bool,
    /// Number of outputs; 1 for two classes.
    pub output_size: usize,
    /// How the outputs of all steps are pooled into one vector: one or more of last, max, mean and
    /// attention.
    pub pooling: Pooling,
    /// How padding is handled.
    pub padding: Padding,
    /// Longest n-gram with a weight of its own in the linear path beside the recurrent layers: 2 for
    /// words and word pairs; 0 for no linear path.
    pub ngram_order: usize,
    /// Number of training texts in which an n-gram must occur to get a weight.
    pub ngram_min_texts: usize,
    /// Probability that a word becomes the unknown word in training.
    pub word_dropout: f64,
    /// Probability that an embedding feature is zeroed for all words of a text in training (variational
    /// dropout, Gal and Ghahramani 2016).
    pub variational_dropout: f64,
    /// Probability that a single value of an embedded token is zeroed in training.
    pub embedding_dropout: f64,
    /// Probability that a hidden-to-hidden weight is zeroed for all steps of a batch in training
    /// (weight-drop).
    pub weight_dropout: f64,
    /// Probability that an output of a recurrent layer is zeroed before the next layer in training.
    pub layer_dropout: f64,
    /// The same before the fully connected layer.
    pub output_dropout: f64,
}

impl Default for ModelConfig {
    fn default() -> Self {
        Self {
            embedding_dim: 400,
            embedding_std: 1.0,
            cell: CellKind::Lstm,
            hidden_dim: 256,
            num_layers: 2,
            bidirectional: false,
            output_size: 1,
            pooling: PoolingPart::Last.into(),
            padding: Padding::Compute,
            ngram_order: 0,
            ngram_min_texts: 2,
            word_dropout: 0.0,
            variational_dropout: 0.0,
            embedding_dropout: 0.0,
            weight_dropout: 0.0,
            layer_dropout: 0.5,
            output_dropout: 0.3,
        }
    }
}

/// The kind of recurrent layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CellKind {
    /// Long short-term memory.
    Lstm,
    /// Gated recurrent unit.
    Gru,
    /// Plain recurrent network with tanh.
    RnnTanh,
    /// Plain recurrent network with relu.
    RnnRelu,
}

impl CellKind {
    /// The layer's name in the network's parameter names.
    pub fn parameter_prefix(self) -> &'static str {
        match self {
            CellKind::Lstm => "lstm",
            CellKind::Gru => "gru",
            CellKind::RnnTanh | CellKind::RnnRelu => "rnn",
        }
    }
}

/// How padding is handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Padding {
    /// Padding is skipped: the amount of padding makes no difference.
    Skip,
    /// Padding is computed like any other token, as in the notebook. Every text must then be padded to
    /// the same length, in training and afterwards.
    Compute,
}

impl ModelConfig {
    /// Size of the fully connected layer's input.
    pub fn pooled_size(&self) -> usize {
        self.pooling.len() * self.output_features()
    }

    /// Size of each step's output, F.
    pub(crate) fn output_features(&self) -> usize {
        if self.bidirectional { 2 * self.hidden_dim } else { self.hidden_dim }
    }

    /// Floating-point operations of the recurrent layers' matrix products in a forward pass over this
    /// many tokens; a multiply-add counts as two.
    pub fn recurrent_flops(&self, n_tokens: usize) -> f64 {
        let gates = match self.cell {
            CellKind::Lstm => 4,
            CellKind::Gru => 3,
            CellKind::RnnTanh | CellKind::RnnRelu => 1,
        };
        let directions = if self.bidirectional { 2 } else { 1 };
        let features: usize = (0..self.num_layers)
            .map(|layer| match layer {
                0 => self.embedding_dim,
                _ => directions * self.hidden_dim,
            })
            .map(|inputs| inputs + self.hidden_dim)
            .sum();
        2.0 * (n_tokens * directions * gates * self.hidden_dim * features) as f64
    }

    /// Checks every value's range.
    ///
    /// # Errors
    /// [`Error::Config`](crate::Error::Config) with the first field that is out of range.
    pub fn check(&self) -> Result<()> {
        let sizes = [
            ("embedding_dim", self.embedding_dim),
            ("hidden_dim", self.hidden_dim),
            ("num_layers", self.num_layers),
            ("output_size", self.output_size),
        ];
        for (field, value) in sizes {
            settings::at_least_1(field, value)?;
        }
        let rates = [
            ("word_dropout", self.word_dropout),
            ("variational_dropout", self.variational_dropout),
            ("embedding_dropout", self.embedding_dropout),
            ("weight_dropout", self.weight_dropout),
            ("layer_dropout", self.layer_dropout),
            ("output_dropout", self.output_dropout),
        ];
        for (field, value) in rates {
            settings::rate(field, value)?;
        }
        settings::above_0("embedding_std", self.embedding_std)?;
        let order = self.ngram_order;
        settings::check("ngram_order", order <= MAX_NGRAM_ORDER, "at most 5", order)?;
        Ok(())
    }
}

//! What the network looks like.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Sizes and parts of a [`SentimentRnn`](crate::SentimentRnn). The default is the notebook's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelConfig {
    /// Features of a token.
    pub embedding_dim: usize,
    /// Standard deviation of the embedding's initial weights, which are normal.
    pub embedding_std: f64,
    /// The kind of recurrent layer.
    pub cell: CellKind,
    /// Features of the hidden state.
    pub hidden_dim: usize,
    /// Recurrent layers on one another.
    pub num_layers: usize,
    /// Whether a second direction reads each text from its end.
    pub bidirectional: bool,
    /// Numbers that come out; 1 for two classes.
    pub output_size: usize,
    /// How the outputs of all steps become one vector.
    pub pooling: Pooling,
    /// What happens to padding.
    pub padding: Padding,
    /// Rows of the table of a linear path over words and pairs of words beside the recurrent layers,
    /// whose words and pairs share rows by chance; 0 for no such path.
    pub ngram_buckets: usize,
    /// How much the linear path's weights count: with Adam, how fast it learns beside the rest.
    pub ngram_scale: f64,
    /// Probability with which a word or pair of a text is left out of the linear path in training.
    pub ngram_dropout: f64,
    /// Probability with which a word of a text becomes the unknown word in training.
    pub word_dropout: f64,
    /// Probability with which a feature of all words of a text is zeroed in training (variational
    /// dropout, Gal and Ghahramani 2016).
    pub variational_dropout: f64,
    /// Probability with which a number of an embedded token is zeroed in training.
    pub embedding_dropout: f64,
    /// The same between recurrent layers.
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
            pooling: Pooling::Last,
            padding: Padding::Compute,
            ngram_buckets: 0,
            ngram_scale: 1.0,
            ngram_dropout: 0.0,
            word_dropout: 0.0,
            variational_dropout: 0.0,
            embedding_dropout: 0.0,
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
    /// The name of the layer among the network's parameters.
    pub fn parameter_prefix(self) -> &'static str {
        match self {
            CellKind::Lstm => "lstm",
            CellKind::Gru => "gru",
            CellKind::RnnTanh | CellKind::RnnRelu => "rnn",
        }
    }
}

/// How the outputs of all steps become one vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pooling {
    /// The state after the last step (of each direction).
    Last,
    /// The largest value over the steps, feature by feature.
    Max,
    /// The mean over the steps.
    Mean,
    /// Max and mean side by side: twice as wide.
    MaxMean,
}

/// What happens to padding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Padding {
    /// Padding is skipped: how far a text is padded changes nothing.
    Skip,
    /// Padding is a token like others and is computed, as in the notebook. Every text must then
    /// be padded to the same length, in training and afterwards.
    Compute,
}

impl ModelConfig {
    /// Features of the vector that the fully connected layer gets.
    pub fn pooled_size(&self) -> usize {
        let width = if self.bidirectional { 2 * self.hidden_dim } else { self.hidden_dim };
        if self.pooling == Pooling::MaxMean { 2 * width } else { width }
    }

    /// Floating-point operations of the recurrent layers' matrix products in a forward pass over so
    /// many tokens, a multiplication and an addition being two.
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
    /// [`Error::Config`] with the first field that is out of range.
    pub fn check(&self) -> Result<()> {
        let sizes = [
            ("embedding_dim", self.embedding_dim),
            ("hidden_dim", self.hidden_dim),
            ("num_layers", self.num_layers),
            ("output_size", self.output_size),
        ];
        for (field, value) in sizes {
            if value == 0 {
                return Err(Error::Config { field, expected: "at least 1", got: "0".to_string() });
            }
        }
        let rates = [
            ("ngram_dropout", self.ngram_dropout),
            ("word_dropout", self.word_dropout),
            ("variational_dropout", self.variational_dropout),
            ("embedding_dropout", self.embedding_dropout),
            ("layer_dropout", self.layer_dropout),
            ("output_dropout", self.output_dropout),
        ];
        for (field, value) in rates {
            if !(0.0..1.0).contains(&value) {
                let (expected, got) = ("at least 0 and below 1", value.to_string());
                return Err(Error::Config { field, expected, got });
            }
        }
        let above_0 = [("embedding_std", self.embedding_std), ("ngram_scale", self.ngram_scale)];
        for (field, value) in above_0 {
            if !(value > 0.0 && value.is_finite()) {
                let (expected, got) = ("a number above 0", value.to_string());
                return Err(Error::Config { field, expected, got });
            }
        }
        if u32::try_from(self.ngram_buckets).is_err() {
            let (expected, got) = ("below 2³²", self.ngram_buckets.to_string());
            return Err(Error::Config { field: "ngram_buckets", expected, got });
        }
        Ok(())
    }
}

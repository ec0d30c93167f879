//! What the network looks like.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::ngrams::MAX_ORDER;
use crate::pooling::{Pooling, PoolingPart};

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
    /// How the outputs of all steps become one vector: one or several of last, max, mean and
    /// attention.
    pub pooling: Pooling,
    /// What happens to padding.
    pub padding: Padding,
    /// Longest run of neighbouring words that has a weight of its own in a linear path beside the
    /// recurrent layers: 2 for words and pairs; 0 for no such path.
    pub ngram_order: usize,
    /// Training texts that such a run must come in.
    pub ngram_min_texts: usize,
    /// What the path says before training: this times the sum of the log-count ratios (Wang and
    /// Manning 2012) of a text's runs, scaled to length 1. 0 for nothing. For paths that learn jointly
    /// with the rest.
    pub ngram_start: f64,
    /// Probability with which a word or run of words of a text is left out of the linear path in training.
    /// For paths that learn jointly with the rest.
    pub ngram_dropout: f64,
    /// Smallest share of a text that the recurrent layers are shown in training: each time a run of its
    /// words, of any length from this share on and from anywhere in it; 1 for whole texts.
    pub smallest_window: f64,
    /// Probability with which a word of a text becomes the unknown word in training.
    pub word_dropout: f64,
    /// Probability with which a feature of all words of a text is zeroed in training (variational
    /// dropout, Gal and Ghahramani 2016).
    pub variational_dropout: f64,
    /// Probability with which a number of an embedded token is zeroed in training.
    pub embedding_dropout: f64,
    /// Probability with which a recurrent weight, from hidden state to hidden state, is zeroed for
    /// all steps of a batch in training (weight-drop).
    pub weight_dropout: f64,
    /// Probability with which an output of a recurrent layer is zeroed before the next in training.
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
            ngram_start: 0.0,
            ngram_dropout: 0.0,
            smallest_window: 1.0,
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
    /// The name of the layer among the network's parameters.
    pub fn parameter_prefix(self) -> &'static str {
        match self {
            CellKind::Lstm => "lstm",
            CellKind::Gru => "gru",
            CellKind::RnnTanh | CellKind::RnnRelu => "rnn",
        }
    }
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
        self.pooling.len() * self.output_features()
    }

    /// Features of each step's output, F.
    pub(crate) fn output_features(&self) -> usize {
        if self.bidirectional { 2 * self.hidden_dim } else { self.hidden_dim }
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
            ("weight_dropout", self.weight_dropout),
            ("layer_dropout", self.layer_dropout),
            ("output_dropout", self.output_dropout),
        ];
        if !(self.smallest_window > 0.0 && self.smallest_window <= 1.0) {
            let (expected, got) = ("above 0 and at most 1", self.smallest_window.to_string());
            return Err(Error::Config { field: "smallest_window", expected, got });
        }
        for (field, value) in rates {
            if !(0.0..1.0).contains(&value) {
                let (expected, got) = ("at least 0 and below 1", value.to_string());
                return Err(Error::Config { field, expected, got });
            }
        }
        if self.smallest_window < 1.0 && self.padding == Padding::Compute {
            let (expected, got) = ("1 with padding compute", self.smallest_window.to_string());
            return Err(Error::Config { field: "smallest_window", expected, got });
        }
        if !(self.embedding_std > 0.0 && self.embedding_std.is_finite()) {
            let (expected, got) = ("a number above 0", self.embedding_std.to_string());
            return Err(Error::Config { field: "embedding_std", expected, got });
        }
        if !(self.ngram_start >= 0.0 && self.ngram_start.is_finite()) {
            let (expected, got) = ("a number of at least 0", self.ngram_start.to_string());
            return Err(Error::Config { field: "ngram_start", expected, got });
        }
        if self.ngram_order > MAX_ORDER {
            let (expected, got) = ("at most 5", self.ngram_order.to_string());
            return Err(Error::Config { field: "ngram_order", expected, got });
        }
        Ok(())
    }
}

//! Configuration of the network.

use recurrent::settings;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::pooling::{Pooling, PoolingPart};
use crate::task::Task;

/// The longest n-grams allowed; longer ones hardly ever occur twice.
const MAX_NGRAM_ORDER: usize = 5;

/// Architecture of a [`RecurrentClassifier`](crate::RecurrentClassifier): what it is, and not how it is trained.
/// The default is the notebook's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelConfig {
    /// Dimension of the token embeddings.
    pub embedding_dim: usize,
    /// The kind of recurrent layer.
    pub cell: CellKind,
    /// Size of the hidden state.
    pub hidden_dim: usize,
    /// Number of stacked recurrent layers.
    pub num_layers: usize,
    /// Whether a second direction reads each text backwards.
    pub bidirectional: bool,
    /// Number of outputs; what the task needs if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_size: Option<usize>,
    /// How the outputs of all steps are pooled into one vector: one or more of last, max, mean and
    /// attention.
    pub pooling: Pooling,
    /// How padding is handled.
    pub padding: Padding,
    /// Longest n-gram with a weight of its own, for each output, in the linear path beside the recurrent
    /// layers: 2 for words and word pairs; 0 for no linear path.
    pub ngram_order: usize,
    /// How much each path counts: the same for texts of all lengths, or by length.
    #[serde(skip_serializing_if = "PathScaling::is_constant")]
    pub path_scales: PathScaling,
}

impl Default for ModelConfig {
    fn default() -> Self {
        Self {
            embedding_dim: 400,
            cell: CellKind::Lstm,
            hidden_dim: 256,
            num_layers: 2,
            bidirectional: false,
            output_size: None,
            pooling: PoolingPart::Last.into(),
            padding: Padding::Compute,
            ngram_order: 0,
            path_scales: PathScaling::Constant,
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

/// How the logits of a network's paths are scaled before they are added.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PathScaling {
    /// A text's length makes no difference.
    #[default]
    Constant,
    /// By the number of a text's steps n: each path has a scale at 8 steps, one at 80 and one at 800, between which its
    /// scale changes linearly with ln n. A binary task with a linear path then has a third path, the log-count ratios of
    /// the text's n-grams. Padding must be skipped, as it has no length otherwise.
    ByLength,
}

impl PathScaling {
    /// Whether a text's length makes no difference.
    pub fn is_constant(&self) -> bool {
        *self == Self::Constant
    }
}

impl ModelConfig {
    /// Number of outputs, O; 1, as in the notebook, if it is absent.
    pub fn outputs(&self) -> usize {
        self.output_size.unwrap_or(1)
    }

    /// The same architecture with the number of outputs that a task needs.
    ///
    /// # Errors
    /// [`Error::OutputSize`] if the configuration has another number.
    pub fn for_task(&self, task: &Task) -> Result<Self> {
        let (n_classes, expected) = (task.n_classes(), task.n_outputs());
        match self.output_size {
            Some(got) if got != expected => Err(Error::OutputSize { got, n_classes, expected }),
            _ => Ok(Self { output_size: Some(expected), ..self.clone() }),
        }
    }

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
            ("output_size", self.outputs()),
        ];
        for (field, value) in sizes {
            settings::at_least_1(field, value)?;
        }
        let order = self.ngram_order;
        settings::check("ngram_order", order <= MAX_NGRAM_ORDER, "at most 5", order)?;
        let has_lengths = self.path_scales.is_constant() || self.padding == Padding::Skip;
        let expected = "constant where padding is computed, since all texts are then equally long";
        settings::check("path_scales", has_lengths, expected, "by-length")?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task_kind::TaskKind;

    #[test]
    fn outputs_are_those_of_the_task_unless_another_number_is_set() {
        let three = Task::new(TaskKind::OneOf, ["a", "b", "c"]).unwrap();
        let any = ModelConfig::default();
        assert_eq!(any.outputs(), 1);
        assert_eq!(any.for_task(&three).unwrap().output_size, Some(3));
        assert_eq!(any.for_task(&Task::binary()).unwrap().output_size, Some(1));
        let one = ModelConfig { output_size: Some(1), ..ModelConfig::default() };
        let error = one.for_task(&three).unwrap_err().to_string();
        let expected = "model.output_size is 1, but 3 classes need 3 outputs; remove the setting";
        assert_eq!(error, expected);
        let two = ModelConfig { output_size: Some(2), ..ModelConfig::default() };
        let error = two.for_task(&Task::binary()).unwrap_err().to_string();
        let expected = "model.output_size is 2, but 2 classes need 1 output; remove the setting";
        assert_eq!(error, expected);
    }

    #[test]
    fn scales_by_length_need_lengths_and_constant_ones_are_not_written() {
        let by_length =
            ModelConfig { path_scales: PathScaling::ByLength, ..ModelConfig::default() };
        let error = by_length.check().unwrap_err().to_string();
        assert!(error.contains("path_scales is by-length; expected constant where"), "{error}");
        let by_length = ModelConfig { padding: Padding::Skip, ..by_length };
        by_length.check().unwrap();
        let written = serde_json::to_value(&by_length).unwrap();
        assert_eq!(written["path_scales"], "by-length");
        assert_eq!(serde_json::from_value::<ModelConfig>(written).unwrap(), by_length);
        let constant = serde_json::to_value(ModelConfig::default()).unwrap();
        assert!(constant.get("path_scales").is_none(), "{constant}");
    }

    #[test]
    fn an_absent_number_of_outputs_is_not_written() {
        let absent = serde_json::to_value(ModelConfig::default()).unwrap();
        assert!(absent.get("output_size").is_none(), "{absent}");
        let read: ModelConfig = serde_json::from_value(absent).unwrap();
        assert_eq!(read, ModelConfig::default());
    }
}

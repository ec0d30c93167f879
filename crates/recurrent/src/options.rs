//! How to run a layer: state, lengths, dropout; and inputs whose vectors repeat.

use std::fmt;

use candle_core::Tensor;

use crate::dropout::DropoutMasks;

/// How to run a sequence through a layer. The default runs all steps of every row from a zero state, without
/// dropout, and records what a backward pass needs if anything needs a gradient.
///
/// ```
/// use recurrent::{RunOptions, SeededRng};
///
/// let (lengths, mut rng) = ([5, 2, 4], SeededRng::new(1));
/// let options: RunOptions<'_, recurrent::LstmState> =
///     RunOptions::new().lengths(&lengths).dropout(&mut rng);
/// # drop(options);
/// ```
#[non_exhaustive]
pub struct RunOptions<'a, S> {
    /// State before the first step; zeros if absent.
    pub state: Option<&'a S>,
    /// Real steps of each row; all of them if absent. Outputs past a row's length are zero, its
    /// final state is the one after its last real step, and the backward direction starts there
    /// (like `pack_padded_sequence` in PyTorch, without sorting).
    pub lengths: Option<&'a [usize]>,
    /// Set in training: source of the masks for dropout between layers and for weight-drop.
    pub dropout: Option<&'a mut dyn DropoutMasks>,
    /// Whether a backward pass may follow; `false` saves time and memory where weights or inputs are
    /// variables but no gradient is wanted, and the outputs have no graph.
    pub record: bool,
}

impl<'a, S> RunOptions<'a, S> {
    /// The default.
    pub fn new() -> Self {
        Self { state: None, lengths: None, dropout: None, record: true }
    }

    /// Starts from a state.
    #[must_use]
    pub fn state(mut self, state: &'a S) -> Self {
        self.state = Some(state);
        self
    }

    /// Sets the real steps of each row.
    #[must_use]
    pub fn lengths(mut self, lengths: &'a [usize]) -> Self {
        self.lengths = Some(lengths);
        self
    }

    /// Applies dropout, in training.
    #[must_use]
    pub fn dropout(mut self, masks: &'a mut dyn DropoutMasks) -> Self {
        self.dropout = Some(masks);
        self
    }

    /// Says whether a backward pass may follow.
    #[must_use]
    pub fn record(mut self, record: bool) -> Self {
        self.record = record;
        self
    }
}

impl<S> Default for RunOptions<'_, S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S: fmt::Debug> fmt::Debug for RunOptions<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunOptions")
            .field("state", &self.state)
            .field("lengths", &self.lengths)
            .field("dropout", &self.dropout.is_some())
            .field("record", &self.record)
            .finish()
    }
}

/// An input in which vectors repeat, like word vectors in a text: step t of batch row b is
/// `vectors[indexes[b·T + t]]`.
///
/// On the CPU, in f32 and f64, the first layer computes its input product once per vector rather than once per
/// step, and so its two gradients; elsewhere, and if hardly any vector repeats, the steps are written out first.
#[derive(Debug, Clone, Copy)]
pub struct RepeatedInput<'a> {
    /// The distinct vectors, `[N, I]`.
    pub vectors: &'a Tensor,
    /// `[B·T]`, row by row, each below N.
    pub indexes: &'a [u32],
    /// B, the rows of the batch.
    pub batch: usize,
}

/// An input of either form.
#[derive(Debug, Clone, Copy)]
pub enum Input<'a> {
    /// A vector for each step.
    Steps(&'a Tensor),
    /// Vectors that repeat.
    Repeated(RepeatedInput<'a>),
}

impl<'a> From<&'a Tensor> for Input<'a> {
    fn from(x: &'a Tensor) -> Self {
        Self::Steps(x)
    }
}

impl<'a> From<RepeatedInput<'a>> for Input<'a> {
    fn from(input: RepeatedInput<'a>) -> Self {
        Self::Repeated(input)
    }
}

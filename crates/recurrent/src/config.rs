//! Configuration of a recurrent layer; names and defaults are PyTorch's, except that the batch
//! dimension comes first.

use crate::cell::Cell;
use crate::error::Result;
use crate::settings;

/// Configuration of a [`Layer`](crate::Layer), whatever its cell.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct RecurrentConfig {
    /// Features of each step of the input, I.
    pub input_size: usize,
    /// Hidden units, H.
    pub hidden_size: usize,
    /// Stacked layers, L.
    pub num_layers: usize,
    /// Whether a second direction reads each sequence from its end; outputs are then twice as wide.
    pub bidirectional: bool,
    /// Whether the layers have biases.
    pub bias: bool,
    /// Probability of zeroing each output of every layer but the last in training.
    pub dropout: f64,
    /// Probability of zeroing each hidden-to-hidden weight in training, the same ones in all steps
    /// (weight-drop, Merity et al. 2018, [Regularizing and optimizing LSTM language
    /// models](https://arxiv.org/abs/1708.02182)).
    #[serde(default)]
    pub weight_dropout: f64,
    /// Whether inputs and outputs are `(batch, steps, features)` or `(steps, batch, features)`.
    /// States are `(num_layers * directions, batch, hidden)` either way.
    pub batch_first: bool,
    /// Size P of the projection of an LSTM's hidden state after each step, as in
    /// [torch.nn.LSTM](https://docs.pytorch.org/docs/stable/generated/torch.nn.LSTM.html); below
    /// `hidden_size`. 0 means no projection; RNN and GRU have none.
    #[serde(default)]
    pub proj_size: usize,
}

impl RecurrentConfig {
    /// One layer, one direction, with biases, batch first.
    pub fn new(input_size: usize, hidden_size: usize) -> Self {
        Self {
            input_size,
            hidden_size,
            num_layers: 1,
            bidirectional: false,
            bias: true,
            dropout: 0.0,
            weight_dropout: 0.0,
            batch_first: true,
            proj_size: 0,
        }
    }

    /// 2 when bidirectional, else 1.
    pub fn num_directions(&self) -> usize {
        if self.bidirectional { 2 } else { 1 }
    }

    /// Features of the state `h`: `proj_size` with a projection, else `hidden_size`. The LSTM's
    /// `c` always has `hidden_size`.
    pub fn h_size(&self) -> usize {
        if self.proj_size > 0 { self.proj_size } else { self.hidden_size }
    }

    /// Features of each step of the output: `directions * h_size`.
    pub fn output_size(&self) -> usize {
        self.num_directions() * self.h_size()
    }

    /// Features of each state tensor of a cell: a projection narrows `h` but not `c`.
    pub(crate) fn state_sizes(&self, cell: Cell) -> Vec<usize> {
        let mut sizes = vec![self.hidden_size; cell.n_states()];
        sizes[0] = self.h_size();
        sizes
    }

    pub(crate) fn check(&self, cell: Cell) -> Result<()> {
        let sizes = [
            ("input_size", self.input_size),
            ("hidden_size", self.hidden_size),
            ("num_layers", self.num_layers),
        ];
        for (field, value) in sizes {
            settings::at_least_1(field, value)?;
        }
        settings::rate("dropout", self.dropout)?;
        settings::rate("weight_dropout", self.weight_dropout)?;
        if self.proj_size > 0 {
            let expected = match cell {
                Cell::Lstm if self.proj_size < self.hidden_size => return Ok(()),
                Cell::Lstm => "less than hidden_size",
                _ => "0, because only the LSTM has a projection",
            };
            settings::check("proj_size", false, expected, self.proj_size)?;
        }
        Ok(())
    }
}

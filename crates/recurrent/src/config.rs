//! What a recurrent layer looks like; names and defaults are PyTorch's, except that batches come
//! first.

use crate::cell::Cell;
use crate::error::{Error, Result};

/// Configuration shared by [`Rnn`](crate::Rnn), [`Lstm`](crate::Lstm) and [`Gru`](crate::Gru).
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct RecurrentConfig {
    /// Features of each step of the input, I.
    pub input_size: usize,
    /// Hidden units, H.
    pub hidden_size: usize,
    /// Layers stacked on one another, L.
    pub num_layers: usize,
    /// Whether a second direction reads each sequence from its end; outputs are then twice as wide.
    pub bidirectional: bool,
    /// Whether the layers have biases.
    pub bias: bool,
    /// Probability with which each output of every layer but the last is zeroed in training.
    pub dropout: f64,
    /// Probability with which each weight from hidden state to hidden state is zeroed in training, in
    /// all steps alike (weight-drop, Merity et al. 2018, [Regularizing and optimizing LSTM language
    /// models](https://arxiv.org/abs/1708.02182)).
    #[serde(default)]
    pub weight_dropout: f64,
    /// Whether inputs and outputs are `(batch, steps, features)`, else `(steps, batch, features)`.
    /// States are `(num_layers * directions, batch, hidden)` either way.
    pub batch_first: bool,
    /// Features P that an LSTM's hidden state is projected to after each step, as in
    /// [torch.nn.LSTM](https://docs.pytorch.org/docs/stable/generated/torch.nn.LSTM.html); below
    /// `hidden_size`. 0 for no projection. The other layers have none.
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

    pub(crate) fn check(&self, cell: Cell) -> Result<()> {
        let sizes = [
            ("input_size", self.input_size),
            ("hidden_size", self.hidden_size),
            ("num_layers", self.num_layers),
        ];
        for (field, value) in sizes {
            if value == 0 {
                return Err(Error::Config {
                    field,
                    expected: "at least 1",
                    got: value.to_string(),
                });
            }
        }
        for (field, rate) in [("dropout", self.dropout), ("weight_dropout", self.weight_dropout)] {
            if !(0.0..1.0).contains(&rate) {
                let (expected, got) = ("at least 0 and below 1", rate.to_string());
                return Err(Error::Config { field, expected, got });
            }
        }
        if self.proj_size > 0 {
            let expected = match cell {
                Cell::Lstm if self.proj_size < self.hidden_size => return Ok(()),
                Cell::Lstm => "less than hidden_size",
                _ => "0, since only the LSTM has a projection",
            };
            let got = self.proj_size.to_string();
            return Err(Error::Config { field: "proj_size", expected, got });
        }
        Ok(())
    }
}

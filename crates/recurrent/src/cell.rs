//! The recurrences: the number of gates and state tensors of each, and its gate order.

/// One recurrence. The gate order inside stacked weights is PyTorch's.
///
/// - RNN: one block.
/// - LSTM: input, forget, cell, output (`i, f, g, o`).
/// - GRU: reset, update, new (`r, z, n`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cell {
    /// [`Rnn`](crate::Rnn) with tanh.
    RnnTanh,
    /// [`Rnn`](crate::Rnn) with relu.
    RnnRelu,
    /// [`Lstm`](crate::Lstm).
    Lstm,
    /// [`Gru`](crate::Gru), whose reset gate acts after the recurrent product.
    Gru,
    /// [`Gru::reset_before`](crate::Gru::reset_before).
    GruResetBefore,
}

impl Cell {
    /// Gate blocks stacked in each weight's first dimension.
    pub(crate) const fn n_gates(self) -> usize {
        match self {
            Cell::RnnTanh | Cell::RnnRelu => 1,
            Cell::Lstm => 4,
            Cell::Gru | Cell::GruResetBefore => 3,
        }
    }

    /// State tensors passed from step to step: `h`, and for the LSTM also `c`.
    pub(crate) const fn n_states(self) -> usize {
        match self {
            Cell::Lstm => 2,
            _ => 1,
        }
    }
}

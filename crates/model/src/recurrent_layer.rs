//! One type for all three kinds of recurrent layer.

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use recurrent::{
    Gru, Lstm, LstmState, Nonlinearity, RecurrentConfig, RepeatedInput, Rnn, RunOptions, SeededRng,
};

use crate::config::{CellKind, ModelConfig};
use crate::error::Result;

/// The recurrent layers of a network.
#[derive(Debug, Clone)]
pub(crate) enum RecurrentLayer {
    Rnn(Rnn),
    Lstm(Lstm),
    Gru(Gru),
}

/// State of the recurrent layers between chunks of a text: `h`, and for the LSTM `c`, each
/// `(num_layers * directions, batch, hidden_dim)`.
#[derive(Debug, Clone)]
pub struct State {
    /// Hidden state.
    pub h: Tensor,
    /// Cell state; LSTM only.
    pub c: Option<Tensor>,
}

impl State {
    /// The same state, detached from the computation that led to it: for training that carries its
    /// state from batch to batch.
    pub fn detach(&self) -> Self {
        Self { h: self.h.detach(), c: self.c.as_ref().map(Tensor::detach) }
    }

    /// Batch size of this state.
    ///
    /// # Errors
    /// If `h` has no second dimension.
    pub fn batch(&self) -> Result<usize> {
        Ok(self.h.dim(1)?)
    }
}

impl RecurrentLayer {
    pub(crate) fn new(config: &ModelConfig, vb: VarBuilder) -> Result<Self> {
        let (layers, vb) = (layers(config), vb.pp(config.cell.parameter_prefix()));
        Ok(match config.cell {
            CellKind::Lstm => Self::Lstm(Lstm::new(&layers, vb)?),
            CellKind::Gru => Self::Gru(Gru::new(&layers, vb)?),
            CellKind::RnnTanh => Self::Rnn(Rnn::new(&layers, Nonlinearity::Tanh, vb)?),
            CellKind::RnnRelu => Self::Rnn(Rnn::new(&layers, Nonlinearity::Relu, vb)?),
        })
    }

    /// Initial weights by full parameter name.
    pub(crate) fn initial_weights(
        config: &ModelConfig,
        rng: &mut SeededRng,
        device: &Device,
    ) -> Result<Vec<(String, Tensor)>> {
        let layers = layers(config);
        let weights = match config.cell {
            CellKind::Lstm => Lstm::initial_weights(&layers, rng, DType::F32, device)?,
            CellKind::Gru => Gru::initial_weights(&layers, rng, DType::F32, device)?,
            CellKind::RnnTanh | CellKind::RnnRelu => {
                Rnn::initial_weights(&layers, rng, DType::F32, device)?
            }
        };
        let prefix = config.cell.parameter_prefix();
        Ok(weights.into_iter().map(|(name, weight)| (format!("{prefix}.{name}"), weight)).collect())
    }

    /// Shapes by full parameter name.
    pub(crate) fn parameter_shapes(config: &ModelConfig) -> Vec<(String, Vec<usize>)> {
        let layers = layers(config);
        let shapes = match config.cell {
            CellKind::Lstm => Lstm::parameter_shapes(&layers),
            CellKind::Gru => Gru::parameter_shapes(&layers),
            CellKind::RnnTanh | CellKind::RnnRelu => Rnn::parameter_shapes(&layers),
        };
        let prefix = config.cell.parameter_prefix();
        shapes.into_iter().map(|(name, shape)| (format!("{prefix}.{name}"), shape)).collect()
    }

    pub(crate) fn init_state(&self, batch: usize) -> Result<State> {
        Ok(match self {
            Self::Rnn(rnn) => State { h: rnn.init_state(batch)?, c: None },
            Self::Gru(gru) => State { h: gru.init_state(batch)?, c: None },
            Self::Lstm(lstm) => {
                let LstmState { h, c } = lstm.init_state(batch)?;
                State { h, c: Some(c) }
            }
        })
    }

    /// Outputs `[B, T, D·H]` and the new state.
    pub(crate) fn run(
        &self,
        x: LayerInput<'_>,
        state: Option<&State>,
        lengths: &[usize],
        dropout: Option<&mut SeededRng>,
    ) -> Result<(Tensor, State)> {
        let lengths = Some(lengths);
        let h = state.map(|state| &state.h);
        let without_c = |(y, h)| (y, State { h, c: None });
        Ok(match self {
            Self::Rnn(rnn) => {
                let options = RunOptions { state: h, lengths, dropout };
                without_c(match x {
                    LayerInput::Each(x) => rnn.forward_with(x, options)?,
                    LayerInput::Repeated(x) => rnn.forward_repeated(x, options)?,
                })
            }
            Self::Gru(gru) => {
                let options = RunOptions { state: h, lengths, dropout };
                without_c(match x {
                    LayerInput::Each(x) => gru.forward_with(x, options)?,
                    LayerInput::Repeated(x) => gru.forward_repeated(x, options)?,
                })
            }
            Self::Lstm(lstm) => {
                let state = state.map(|state| -> Result<LstmState> {
                    // A state without c belongs to another kind of layer, or is an initial state.
                    let c = match &state.c {
                        Some(c) => c.clone(),
                        None => state.h.zeros_like()?,
                    };
                    Ok(LstmState { h: state.h.clone(), c })
                });
                let state = state.transpose()?;
                let options = RunOptions { state: state.as_ref(), lengths, dropout };
                let (y, LstmState { h, c }) = match x {
                    LayerInput::Each(x) => lstm.forward_with(x, options)?,
                    LayerInput::Repeated(x) => lstm.forward_repeated(x, options)?,
                };
                (y, State { h, c: Some(c) })
            }
        })
    }
}

/// Input of the recurrent layers.
#[derive(Debug, Clone, Copy)]
pub(crate) enum LayerInput<'a> {
    /// `[B, T, E]`
    Each(&'a Tensor),
    /// The distinct vectors of a batch's words.
    Repeated(RepeatedInput<'a>),
}

fn layers(config: &ModelConfig) -> RecurrentConfig {
    RecurrentConfig {
        num_layers: config.num_layers,
        bidirectional: config.bidirectional,
        dropout: config.layer_dropout,
        weight_dropout: config.weight_dropout,
        ..RecurrentConfig::new(config.embedding_dim, config.hidden_dim)
    }
}

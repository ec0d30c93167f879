//! The recurrent layers that a configuration describes.

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use recurrent::{
    Cell, Initialization, Input, Pooling, Recurrent, RecurrentConfig, RunOptions, SeededRng,
};

use crate::config::{CellKind, ModelConfig};
use crate::error::Result;
use crate::regularization::Regularization;

/// State of the recurrent layers between chunks of a text.
pub use recurrent::AnyState as State;

/// The layers with their parameters from `vb`.
pub(crate) fn new(
    config: &ModelConfig,
    regularization: &Regularization,
    vb: VarBuilder,
) -> Result<Recurrent> {
    let vb = vb.pp(config.cell.parameter_prefix());
    let layers = RecurrentConfig {
        dropout: regularization.layer_dropout,
        weight_dropout: regularization.weight_dropout,
        ..layers(config)
    };
    Ok(Recurrent::new(cell(config.cell), &layers, vb)?)
}

/// Initial weights by full parameter name.
pub(crate) fn initial_weights(
    config: &ModelConfig,
    rng: &mut SeededRng,
    device: &Device,
) -> Result<Vec<(String, Tensor)>> {
    let how = Initialization::default();
    let weights =
        cell(config.cell).initial_weights(&layers(config), &how, rng, DType::F32, device)?;
    Ok(weights.into_iter().map(|(name, weight)| (full_name(config, &name), weight)).collect())
}

/// Shapes by full parameter name.
pub(crate) fn parameter_shapes(config: &ModelConfig) -> Vec<(String, Vec<usize>)> {
    let shapes = cell(config.cell).parameter_shapes(&layers(config));
    shapes.into_iter().map(|(name, shape)| (full_name(config, &name), shape)).collect()
}

fn full_name(config: &ModelConfig, name: &str) -> String {
    format!("{}.{name}", config.cell.parameter_prefix())
}

/// Outputs `[B, T, D·H]`, pooled if `pooling` says so, and the new state.
pub(crate) fn run(
    layers: &Recurrent,
    x: Input<'_>,
    pooling: Option<Pooling>,
    state: Option<&State>,
    lengths: &[usize],
    dropout: Option<&mut SeededRng>,
) -> Result<(Tensor, State)> {
    let mut options = RunOptions::new().lengths(lengths);
    options.state = state;
    if let Some(rng) = dropout {
        options = options.dropout(rng);
    }
    Ok(match (x, pooling) {
        (x, Some(pooling)) => layers.forward_pooled(x, pooling, options)?,
        (Input::Steps(x), None) => layers.forward_with(x, options)?,
        (Input::Repeated(x), None) => layers.forward_repeated(x, options)?,
    })
}

fn cell(kind: CellKind) -> Cell {
    match kind {
        CellKind::Lstm => Cell::Lstm,
        CellKind::Gru => Cell::Gru,
        CellKind::RnnTanh => Cell::RnnTanh,
        CellKind::RnnRelu => Cell::RnnRelu,
    }
}

fn layers(config: &ModelConfig) -> RecurrentConfig {
    RecurrentConfig {
        num_layers: config.num_layers,
        bidirectional: config.bidirectional,
        ..RecurrentConfig::new(config.embedding_dim, config.hidden_dim)
    }
}

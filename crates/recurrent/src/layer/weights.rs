//! The weights of one layer in one direction, under PyTorch's names.

use candle_core::Tensor;
use candle_nn::{Init, VarBuilder};

use crate::cell::Cell;
use crate::config::RecurrentConfig;
use crate::error::Result;

/// Weights of one layer in one direction; gates are stacked in the first dimension.
#[derive(Debug, Clone)]
pub(crate) struct LayerWeights {
    /// `weight_ih`: `[G·H, I]`
    pub(crate) input: Tensor,
    /// `weight_hh`: `[G·H, H]`
    pub(crate) recurrent: Tensor,
    /// `bias_ih`, `bias_hh`: `[G·H]` each
    pub(crate) biases: Option<(Tensor, Tensor)>,
}

/// Name and shape of each parameter of a layer and direction, in PyTorch's order.
pub(crate) fn parameters(
    cell: Cell,
    config: &RecurrentConfig,
    layer: usize,
    reverse: bool,
) -> Vec<(String, Vec<usize>)> {
    let suffix = if reverse { "_reverse" } else { "" };
    let rows = cell.n_gates() * config.hidden_size;
    let input_size = if layer == 0 { config.input_size } else { config.output_size() };
    let mut parameters = vec![
        (format!("weight_ih_l{layer}{suffix}"), vec![rows, input_size]),
        (format!("weight_hh_l{layer}{suffix}"), vec![rows, config.hidden_size]),
    ];
    if config.bias {
        parameters.push((format!("bias_ih_l{layer}{suffix}"), vec![rows]));
        parameters.push((format!("bias_hh_l{layer}{suffix}"), vec![rows]));
    }
    parameters
}

impl LayerWeights {
    pub(crate) fn new(
        cell: Cell,
        config: &RecurrentConfig,
        layer: usize,
        reverse: bool,
        vb: &VarBuilder,
    ) -> Result<Self> {
        let bound = initial_bound(config);
        let init = Init::Uniform { lo: -bound, up: bound };
        let mut tensors = Vec::with_capacity(4);
        for (name, shape) in parameters(cell, config, layer, reverse) {
            tensors.push(vb.get_with_hints(shape, &name, init)?);
        }
        let mut tensors = tensors.into_iter();
        let mut next = || tensors.next();
        let (Some(input), Some(recurrent)) = (next(), next()) else {
            unreachable!("every layer has two weight matrices");
        };
        Ok(Self { input, recurrent, biases: next().zip(next()) })
    }
}

/// PyTorch's initial range, ±1/√H
/// ([torch.nn.LSTM](https://docs.pytorch.org/docs/stable/generated/torch.nn.LSTM.html)).
pub(crate) fn initial_bound(config: &RecurrentConfig) -> f64 {
    1.0 / (config.hidden_size as f64).sqrt()
}

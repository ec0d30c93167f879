//! The weights of one layer in one direction, under PyTorch's names.

use candle_core::Tensor;
use candle_nn::{Init, VarBuilder};

use crate::cell::Cell;
use crate::config::RecurrentConfig;
use crate::error::Result;

/// Weights of one layer in one direction; gates are stacked in the first dimension. P is the width
/// of `h`: the projection size, or H without a projection.
#[derive(Debug, Clone)]
pub(crate) struct LayerWeights {
    /// `weight_ih`: `[G·H, I]`
    pub(crate) input: Tensor,
    /// `weight_hh`: `[G·H, P]`
    pub(crate) recurrent: Tensor,
    /// `bias_ih`, `bias_hh`: `[G·H]` each
    pub(crate) biases: Option<(Tensor, Tensor)>,
    /// `weight_hr`: `[P, H]`
    pub(crate) projection: Option<Tensor>,
}

/// A parameter's role in its layer; the order is PyTorch's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    InputWeight,
    RecurrentWeight,
    InputBias,
    RecurrentBias,
    Projection,
}

impl Role {
    const ALL: [Role; 5] = [
        Role::InputWeight,
        Role::RecurrentWeight,
        Role::InputBias,
        Role::RecurrentBias,
        Role::Projection,
    ];

    fn exists(self, config: &RecurrentConfig) -> bool {
        match self {
            Role::InputWeight | Role::RecurrentWeight => true,
            Role::InputBias | Role::RecurrentBias => config.bias,
            Role::Projection => config.proj_size > 0,
        }
    }
}

/// One parameter of a layer and direction.
#[derive(Debug)]
pub(crate) struct Parameter {
    pub(crate) role: Role,
    pub(crate) name: String,
    pub(crate) shape: Vec<usize>,
}

impl Parameter {
    fn new(cell: Cell, config: &RecurrentConfig, layer: usize, reverse: bool, role: Role) -> Self {
        let rows = cell.n_gates() * config.hidden_size;
        let input_size = if layer == 0 { config.input_size } else { config.output_size() };
        let (prefix, shape) = match role {
            Role::InputWeight => ("weight_ih", vec![rows, input_size]),
            Role::RecurrentWeight => ("weight_hh", vec![rows, config.h_size()]),
            Role::InputBias => ("bias_ih", vec![rows]),
            Role::RecurrentBias => ("bias_hh", vec![rows]),
            Role::Projection => ("weight_hr", vec![config.proj_size, config.hidden_size]),
        };
        let suffix = if reverse { "_reverse" } else { "" };
        Self { role, name: format!("{prefix}_l{layer}{suffix}"), shape }
    }
}

/// Every parameter of a layer and direction, in PyTorch's order.
pub(crate) fn parameters(
    cell: Cell,
    config: &RecurrentConfig,
    layer: usize,
    reverse: bool,
) -> impl Iterator<Item = Parameter> {
    Role::ALL
        .into_iter()
        .filter(|role| role.exists(config))
        .map(move |role| Parameter::new(cell, config, layer, reverse, role))
}

impl LayerWeights {
    /// What `f` makes of each tensor.
    pub(crate) fn map(
        &self,
        mut f: impl FnMut(&Tensor) -> candle_core::Result<Tensor>,
    ) -> Result<Self> {
        let biases = self.biases.as_ref();
        let biases =
            biases.map(|(input, recurrent)| candle_core::Result::Ok((f(input)?, f(recurrent)?)));
        Ok(Self {
            biases: biases.transpose()?,
            input: f(&self.input)?,
            recurrent: f(&self.recurrent)?,
            projection: self.projection.as_ref().map(f).transpose()?,
        })
    }

    /// All of them, in PyTorch's order.
    pub(crate) fn tensors(&self) -> impl Iterator<Item = &Tensor> {
        let biases = self.biases.iter().flat_map(|(input, recurrent)| [input, recurrent]);
        [&self.input, &self.recurrent].into_iter().chain(biases).chain(&self.projection)
    }

    pub(crate) fn new(
        cell: Cell,
        config: &RecurrentConfig,
        layer: usize,
        reverse: bool,
        vb: &VarBuilder,
    ) -> Result<Self> {
        let bound = initial_bound(config);
        let init = Init::Uniform { lo: -bound, up: bound };
        let get = |role| {
            let Parameter { name, shape, .. } = Parameter::new(cell, config, layer, reverse, role);
            vb.get_with_hints(shape, &name, init)
        };
        let get_if_any = |role: Role| role.exists(config).then(|| get(role)).transpose();
        Ok(Self {
            input: get(Role::InputWeight)?,
            recurrent: get(Role::RecurrentWeight)?,
            biases: get_if_any(Role::InputBias)?.zip(get_if_any(Role::RecurrentBias)?),
            projection: get_if_any(Role::Projection)?,
        })
    }
}

/// PyTorch's initial range, ±1/√H
/// ([torch.nn.LSTM](https://docs.pytorch.org/docs/stable/generated/torch.nn.LSTM.html)).
pub(crate) fn initial_bound(config: &RecurrentConfig) -> f64 {
    1.0 / (config.hidden_size as f64).sqrt()
}

/// Every parameter of a layer stack, in PyTorch's order.
pub(crate) fn all_parameters(
    cell: Cell,
    config: &RecurrentConfig,
) -> impl Iterator<Item = Parameter> {
    let directions = &[false, true][..config.num_directions()];
    (0..config.num_layers)
        .flat_map(|layer| directions.iter().map(move |&reverse| (layer, reverse)))
        .flat_map(move |(layer, reverse)| parameters(cell, config, layer, reverse))
}

impl Cell {
    /// Name and shape of every parameter of a layer with this cell, in PyTorch's order.
    pub fn parameter_shapes(self, config: &RecurrentConfig) -> Vec<(String, Vec<usize>)> {
        all_parameters(self, config).map(|parameter| (parameter.name, parameter.shape)).collect()
    }
}

//! Initialization of weights.

use candle_core::{DType, Device, Tensor};

use crate::cell::Cell;
use crate::config::RecurrentConfig;
use crate::error::Result;
use crate::orthogonal::orthogonal_matrix;
use crate::random::SeededRng;
use crate::settings;
use crate::weights::{Parameter, Role, all_parameters, initial_bound};

/// How initial weights are drawn. The default is PyTorch's: every number from U(±1/√H)
/// ([torch.nn.LSTM](https://docs.pytorch.org/docs/stable/generated/torch.nn.LSTM.html)). An option
/// changes the parameters that it names; all others come from U(±1/√H).
#[derive(Debug, Clone, Copy, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Initialization {
    /// The recurrent weights, `weight_hh`.
    pub recurrent: RecurrentInit,
    /// The LSTM's whole forget bias, `b_if + b_hf`: `bias_ih` takes the value, `bias_hh` zero. A 1
    /// keeps the memory open at the start of training (Jozefowicz et al. 2015,
    /// [An empirical exploration of recurrent network
    /// architectures](https://proceedings.mlr.press/v37/jozefowicz15.html)).
    pub forget_bias: Option<f64>,
}

/// How recurrent weights are drawn.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum RecurrentInit {
    /// From U(±1/√H).
    #[default]
    Uniform,
    /// Each gate's block is a random matrix with orthonormal columns, as
    /// [torch.nn.init.orthogonal_](https://docs.pytorch.org/docs/stable/nn.init.html) draws it
    /// (Saxe et al. 2014, [Exact solutions to the nonlinear dynamics of learning in deep linear
    /// neural networks](https://arxiv.org/abs/1312.6120)).
    Orthogonal,
}

impl Initialization {
    fn check(&self, cell: Cell, config: &RecurrentConfig) -> Result<()> {
        let Some(bias) = self.forget_bias else {
            return Ok(());
        };
        let expected = if cell != Cell::Lstm {
            "none, because only the LSTM has a forget gate"
        } else if !config.bias {
            "none, because the layers have no biases"
        } else if !bias.is_finite() {
            "a finite number"
        } else {
            return Ok(());
        };
        Ok(settings::check("forget_bias", false, expected, bias)?)
    }
}

impl Cell {
    /// Draws every parameter of a layer with this cell, by name, in PyTorch's order.
    ///
    /// # Errors
    /// If the configuration is out of range, `initialization` sets a forget bias for a cell that has none, or
    /// the device fails.
    pub fn initial_weights(
        self,
        config: &RecurrentConfig,
        initialization: &Initialization,
        rng: &mut SeededRng,
        dtype: DType,
        device: &Device,
    ) -> Result<Vec<(String, Tensor)>> {
        let cell = self;
        config.check(cell)?;
        initialization.check(cell, config)?;
        let bound = initial_bound(config) as f32;
        all_parameters(cell, config)
            .map(|Parameter { role, name, shape }| {
                let is_recurrent = role == Role::RecurrentWeight;
                if is_recurrent && initialization.recurrent == RecurrentInit::Orthogonal {
                    let blocks = (0..cell.n_gates())
                        .map(|_| orthogonal_matrix(config.hidden_size, config.h_size(), rng))
                        .collect::<Result<Vec<_>>>()?;
                    let stacked = Tensor::cat(&blocks, 0)?;
                    return Ok((name, stacked.to_dtype(dtype)?.to_device(device)?));
                }
                // Drawn even if the forget bias overwrites part of it, so that the rest stays the same.
                let drawn = rng.uniform((-bound, bound), shape, dtype, device)?;
                let tensor = match (initialization.forget_bias, role) {
                    (Some(bias), Role::InputBias) => with_forget_bias(&drawn, bias)?,
                    (Some(_), Role::RecurrentBias) => with_forget_bias(&drawn, 0.0)?,
                    _ => drawn,
                };
                Ok((name, tensor))
            })
            .collect()
    }
}

/// An LSTM bias `[4·H]` with its second block, the forget gate's, set to `value`.
fn with_forget_bias(bias: &Tensor, value: f64) -> Result<Tensor> {
    let gates = bias.chunk(Cell::Lstm.n_gates(), 0)?;
    let forget = Tensor::full(value, gates[1].shape(), bias.device())?.to_dtype(bias.dtype())?;
    Ok(Tensor::cat(&[&gates[0], &forget, &gates[2], &gates[3]], 0)?)
}

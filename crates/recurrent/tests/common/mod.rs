//! Shared by the integration tests: layers of any kind, run with gradients.
#![allow(dead_code, clippy::unwrap_used)] // Each test file uses only a part.

pub mod golden_case;

use candle_core::{DType, Device, Result, Tensor, Var};
use candle_nn::VarBuilder;
use recurrent::{
    AnyState, Backend, Cell, Initialization, Recurrent, RecurrentConfig, RunOptions, SeededRng,
    State as _,
};
use std::collections::HashMap;

/// The recurrences under test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    RnnTanh,
    RnnRelu,
    Lstm,
    Gru,
    GruResetBefore,
}

impl Kind {
    /// All of them; PyTorch and cuDNN have the first four.
    pub const ALL: [Kind; 5] =
        [Kind::RnnTanh, Kind::RnnRelu, Kind::Lstm, Kind::Gru, Kind::GruResetBefore];

    pub fn cell(self) -> Cell {
        match self {
            Kind::RnnTanh => Cell::RnnTanh,
            Kind::RnnRelu => Cell::RnnRelu,
            Kind::Lstm => Cell::Lstm,
            Kind::Gru => Cell::Gru,
            Kind::GruResetBefore => Cell::GruResetBefore,
        }
    }

    pub fn n_states(self) -> usize {
        if self == Kind::Lstm { 2 } else { 1 }
    }

    pub fn initial_weights(
        self,
        config: &RecurrentConfig,
        rng: &mut SeededRng,
        dtype: DType,
    ) -> recurrent::Result<Vec<(String, Tensor)>> {
        self.cell().initial_weights(config, &Initialization::default(), rng, dtype, &Device::Cpu)
    }
}

/// One call of a layer, with everything differentiable held in variables.
#[derive(Debug)]
pub struct Case {
    pub kind: Kind,
    pub config: RecurrentConfig,
    pub weights: Vec<(String, Var)>,
    pub x: Var,
    /// One variable per state tensor; `None` starts from zeros.
    pub states: Option<Vec<Var>>,
    pub lengths: Option<Vec<usize>>,
}

impl Case {
    /// A call with standard normal inputs and states and PyTorch's initial weights, in f32.
    pub fn random(
        kind: Kind,
        config: RecurrentConfig,
        (batch, steps): (usize, usize),
        has_state: bool,
        lengths: Option<Vec<usize>>,
        rng: &mut SeededRng,
    ) -> Result<Self> {
        let mut normal = |shape: (usize, usize, usize)| {
            Var::from_tensor(&rng.standard_normal(shape, DType::F32, &Device::Cpu)?)
        };
        let x = normal((batch, steps, config.input_size))?;
        let layers = config.num_layers * config.num_directions();
        let n_states = if has_state { kind.n_states() } else { 0 };
        let sizes = [config.h_size(), config.hidden_size].into_iter().take(n_states);
        let states: Vec<Var> =
            sizes.map(|size| normal((layers, batch, size))).collect::<Result<_>>()?;
        let weights = kind.initial_weights(&config, rng, DType::F32)?.into_iter();
        let weights = weights.map(|(name, weight)| Ok((name, Var::from_tensor(&weight)?)));
        let weights = weights.collect::<Result<_>>()?;
        Ok(Self { kind, config, weights, x, states: has_state.then_some(states), lengths })
    }

    pub fn forward(&self, backend: Backend) -> Result<(Tensor, Vec<Tensor>)> {
        self.forward_with_dropout(backend, None)
    }

    /// The same in training, if there is a generator for the masks.
    pub fn forward_with_dropout(
        &self,
        backend: Backend,
        dropout: Option<&mut SeededRng>,
    ) -> Result<(Tensor, Vec<Tensor>)> {
        let tensors: HashMap<String, Tensor> = self
            .weights
            .iter()
            .map(|(name, var)| (name.clone(), var.as_tensor().clone()))
            .collect();
        let vb = VarBuilder::from_tensors(tensors, self.x.dtype(), self.x.device());
        let layer = Recurrent::new(self.kind.cell(), &self.config, vb)?.with_backend(backend);
        let state = self.states.as_ref().map(|states| AnyState {
            h: states[0].as_tensor().clone(),
            c: states.get(1).map(|c| c.as_tensor().clone()),
        });
        let mut options = RunOptions::new();
        (options.state, options.lengths) = (state.as_ref(), self.lengths.as_deref());
        if let Some(rng) = dropout {
            options = options.dropout(rng);
        }
        let (outputs, state) = layer.forward_with(self.x.as_tensor(), options)?;
        Ok((outputs, state.tensors().into_iter().cloned().collect()))
    }

    /// The same call on another device and in another dtype.
    pub fn to(&self, device: &Device, dtype: DType) -> Result<Self> {
        let var =
            |var: &Var| Var::from_tensor(&var.as_tensor().to_dtype(dtype)?.to_device(device)?);
        let weights = self.weights.iter().map(|(name, weight)| Ok((name.clone(), var(weight)?)));
        let states = self.states.as_ref().map(|states| states.iter().map(var).collect());
        Ok(Self {
            kind: self.kind,
            config: self.config.clone(),
            weights: weights.collect::<Result<_>>()?,
            x: var(&self.x)?,
            states: states.transpose()?,
            lengths: self.lengths.clone(),
        })
    }

    /// A loss that weights every output and final state differently.
    pub fn loss(&self, outputs: &Tensor, states: &[Tensor]) -> Result<Tensor> {
        loss_with_slopes(outputs, states, |_, part| ripple(part))
    }

    /// Outputs, states and every gradient, by name.
    pub fn everything(&self, backend: Backend) -> Result<Vec<(String, Tensor)>> {
        self.everything_with_slopes(backend, |_, part| ripple(part))
    }

    /// The same with another loss: the sum of outputs and final states, which are numbered from 0,
    /// each weighted by the tensor that `slopes` returns.
    pub fn everything_with_slopes(
        &self,
        backend: Backend,
        slopes: impl Fn(usize, &Tensor) -> Result<Tensor>,
    ) -> Result<Vec<(String, Tensor)>> {
        let (outputs, states) = self.forward(backend)?;
        self.with_gradients(outputs, states, slopes)
    }

    /// [`everything`](Self::everything) in training: dropout draws its masks from `rng`.
    pub fn everything_with_dropout(
        &self,
        backend: Backend,
        rng: &mut SeededRng,
    ) -> Result<Vec<(String, Tensor)>> {
        let (outputs, states) = self.forward_with_dropout(backend, Some(rng))?;
        self.with_gradients(outputs, states, |_, part| ripple(part))
    }

    /// The results of a call and every gradient, by name.
    fn with_gradients(
        &self,
        outputs: Tensor,
        states: Vec<Tensor>,
        slopes: impl Fn(usize, &Tensor) -> Result<Tensor>,
    ) -> Result<Vec<(String, Tensor)>> {
        let gradients = loss_with_slopes(&outputs, &states, slopes)?.backward()?;
        let mut all = vec![("outputs".to_string(), outputs)];
        for (index, state) in states.into_iter().enumerate() {
            all.push((format!("state {index}"), state));
        }
        let mut add = |name: String, var: &Var| -> Result<()> {
            let gradient = match gradients.get(var.as_tensor()) {
                Some(gradient) => gradient.clone(),
                None => var.zeros_like()?,
            };
            all.push((name, gradient));
            Ok(())
        };
        add("gradient of x".to_string(), &self.x)?;
        for (name, var) in &self.weights {
            add(format!("gradient of {name}"), var)?;
        }
        for (index, state) in self.states.iter().flatten().enumerate() {
            add(format!("gradient of state {index}"), state)?;
        }
        Ok(all)
    }
}

fn loss_with_slopes(
    outputs: &Tensor,
    states: &[Tensor],
    slopes: impl Fn(usize, &Tensor) -> Result<Tensor>,
) -> Result<Tensor> {
    let mut loss = outputs.mul(&slopes(0, outputs)?)?.sum_all()?;
    for (index, state) in states.iter().enumerate() {
        loss = (loss + state.mul(&slopes(index + 1, state)?)?.sum_all()?)?;
    }
    Ok(loss)
}

/// Numbers between -1 and 1 without a pattern that could cancel in a sum: cos(1.3 i + 0.2).
/// The golden files' script uses the same.
pub fn ripple(like: &Tensor) -> Result<Tensor> {
    let values: Vec<f64> = (0..like.elem_count()).map(|i| (1.3 * i as f64 + 0.2).cos()).collect();
    let ripple = Tensor::from_vec(values, like.shape(), &Device::Cpu)?;
    ripple.to_dtype(like.dtype())?.to_device(like.device())
}

/// The largest difference between two tensors, relative to the second's largest magnitude or to 1:
/// the terms of every sum here are of that size, even if a short tensor's sums happen to cancel.
pub fn relative_difference(got: &Tensor, expected: &Tensor) -> Result<f64> {
    assert_eq!(got.dims(), expected.dims());
    let numbers = |t: &Tensor| {
        t.to_device(&Device::Cpu)?.to_dtype(DType::F64)?.flatten_all()?.to_vec1::<f64>()
    };
    let (got, expected) = (numbers(got)?, numbers(expected)?);
    let largest = expected.iter().fold(1f64, |most, x| most.max(x.abs()));
    let difference = got.iter().zip(&expected).map(|(g, e)| (g - e).abs());
    // `f64::max` would drop a NaN.
    Ok(difference.fold(0.0, |most, d| if d > most || d.is_nan() { d } else { most }) / largest)
}

/// f32 sums in two orders over at most a few thousand terms. Nearly always at most 4e-6; among thousands of random
/// cases, 2.6e-5 was seen, in a bias's gradient.
pub const TOLERANCE_F32: f64 = 5e-5;

/// As [`TOLERANCE_F32`], in f64.
pub const TOLERANCE_F64: f64 = 1e-12;

/// Asserts that a backend's outputs, states and gradients equal the reference's.
pub fn assert_equals_reference(case: &Case, backend: Backend, tolerance: f64) {
    assert_close(case, backend, &case.everything(Backend::Reference).unwrap(), tolerance);
}

/// Asserts that a backend returns the expected tensors.
pub fn assert_close(case: &Case, backend: Backend, expected: &[(String, Tensor)], tolerance: f64) {
    assert_all_close(case, backend, &case.everything(backend).unwrap(), expected, tolerance);
}

/// Asserts that the tensors that a backend returned are the expected ones.
pub fn assert_all_close(
    case: &Case,
    backend: Backend,
    got: &[(String, Tensor)],
    expected: &[(String, Tensor)],
    tolerance: f64,
) {
    assert_eq!(got.len(), expected.len());
    for ((name, got), (_, expected)) in got.iter().zip(expected) {
        let difference = relative_difference(got, expected).unwrap();
        assert!(
            difference <= tolerance,
            "{backend}: {:?} {:?} x {:?} lengths {:?}: {name} differs by {difference:.1e}",
            case.kind,
            case.config,
            case.x.dims(),
            case.lengths,
        );
    }
}

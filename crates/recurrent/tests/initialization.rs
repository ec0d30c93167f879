//! Tests of how initial weights are drawn.
#![allow(clippy::unwrap_used)] // Weights that cannot be drawn are a failure of the test.

use std::collections::HashMap;

use candle_core::{DType, Device, Tensor};
use recurrent::{
    Error, Gru, Initialization, Lstm, OutOfRange, RecurrentConfig, RecurrentInit, Rnn, SeededRng,
};

const ORTHOGONAL: Initialization =
    Initialization { recurrent: RecurrentInit::Orthogonal, forget_bias: None };
const OPEN_MEMORY: Initialization =
    Initialization { recurrent: RecurrentInit::Uniform, forget_bias: Some(1.0) };

fn two_way(proj_size: usize) -> RecurrentConfig {
    RecurrentConfig { num_layers: 2, bidirectional: true, proj_size, ..RecurrentConfig::new(6, 12) }
}

fn lstm(config: &RecurrentConfig, how: &Initialization, seed: u64) -> HashMap<String, Tensor> {
    let rng = &mut SeededRng::new(seed);
    let weights = Lstm::initial_weights_with(config, how, rng, DType::F32, &Device::Cpu);
    weights.unwrap().into_iter().collect()
}

fn numbers(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

#[test]
fn by_default_every_number_is_uniform_and_drawn_in_order() {
    let config = two_way(5);
    let rng = &mut SeededRng::new(3);
    let weights = Lstm::initial_weights(&config, rng, DType::F32, &Device::Cpu).unwrap();
    let shapes = Lstm::parameter_shapes(&config);
    assert_eq!(weights.len(), shapes.len());
    let bound = (1.0 / 12f64.sqrt()) as f32;
    let rng = &mut SeededRng::new(3);
    for ((name, tensor), (expected_name, shape)) in weights.iter().zip(shapes) {
        assert_eq!(*name, expected_name);
        let drawn = rng.uniform((-bound, bound), shape, DType::F32, &Device::Cpu).unwrap();
        assert_eq!(numbers(tensor), numbers(&drawn), "{name}");
    }
}

#[test]
fn one_seed_gives_one_set_of_weights() {
    let config = two_way(0);
    let (a, b, c) = (
        lstm(&config, &ORTHOGONAL, 1),
        lstm(&config, &ORTHOGONAL, 1),
        lstm(&config, &ORTHOGONAL, 2),
    );
    for (name, tensor) in &a {
        assert_eq!(numbers(tensor), numbers(&b[name]), "{name}");
        assert_ne!(numbers(tensor), numbers(&c[name]), "{name}");
    }
}

/// Asserts Qᵀ Q = I for each gate's block, which is square, or narrower with a projection.
fn assert_orthogonal(weights: impl IntoIterator<Item = (String, Tensor)>, n_gates: usize) {
    let mut n_matrices = 0;
    for (name, tensor) in weights {
        if !name.starts_with("weight_hh") {
            continue;
        }
        n_matrices += 1;
        for block in tensor.chunk(n_gates, 0).unwrap() {
            let identity = Tensor::eye(block.dim(1).unwrap(), DType::F32, &Device::Cpu).unwrap();
            let product = block.t().unwrap().matmul(&block).unwrap();
            let off = numbers(&(product - identity).unwrap()).into_iter().map(f32::abs);
            assert!(off.clone().fold(0.0, f32::max) < 1e-6, "{name}");
        }
    }
    assert_eq!(n_matrices, 4);
}

#[test]
fn each_gates_recurrent_block_is_orthogonal() {
    assert_orthogonal(lstm(&two_way(0), &ORTHOGONAL, 1), 4);
    assert_orthogonal(lstm(&two_way(5), &ORTHOGONAL, 1), 4);
    let (config, rng, device) = (two_way(0), &mut SeededRng::new(1), &Device::Cpu);
    let gru = Gru::initial_weights_with(&config, &ORTHOGONAL, rng, DType::F32, device).unwrap();
    assert_orthogonal(gru, 3);
    let rnn = Rnn::initial_weights_with(&config, &ORTHOGONAL, rng, DType::F32, device).unwrap();
    assert_orthogonal(rnn, 1);
}

#[test]
fn the_forget_biases_sum_to_the_given_value_and_nothing_else_changes() {
    let config = two_way(0);
    let (plain, open) =
        (lstm(&config, &Initialization::default(), 1), lstm(&config, &OPEN_MEMORY, 1));
    for suffix in ["l0", "l0_reverse", "l1", "l1_reverse"] {
        let sum =
            (&open[&format!("bias_ih_{suffix}")] + &open[&format!("bias_hh_{suffix}")]).unwrap();
        assert_eq!(numbers(&sum.chunk(4, 0).unwrap()[1]), [1.0; 12]);
    }
    for (name, tensor) in &open {
        let parts = if name.starts_with("bias") { vec![0, 2, 3] } else { vec![0, 1, 2, 3] };
        let (got, expected) = (tensor.chunk(4, 0).unwrap(), plain[name].chunk(4, 0).unwrap());
        for part in parts {
            assert_eq!(numbers(&got[part]), numbers(&expected[part]), "{name}");
        }
    }
}

#[test]
fn a_forget_bias_that_cannot_be_is_an_error() {
    let (rng, dtype, device) = (&mut SeededRng::new(1), DType::F32, &Device::Cpu);
    let config = two_way(0);
    let assert_error = |result: recurrent::Result<Vec<(String, Tensor)>>| {
        assert!(matches!(result, Err(Error::Config(OutOfRange { field: "forget_bias", .. }))));
    };
    assert_error(Gru::initial_weights_with(&config, &OPEN_MEMORY, rng, dtype, device));
    assert_error(Rnn::initial_weights_with(&config, &OPEN_MEMORY, rng, dtype, device));
    let no_bias = RecurrentConfig { bias: false, ..config.clone() };
    assert_error(Lstm::initial_weights_with(&no_bias, &OPEN_MEMORY, rng, dtype, device));
    let nan = Initialization { forget_bias: Some(f64::NAN), ..Initialization::default() };
    assert_error(Lstm::initial_weights_with(&config, &nan, rng, dtype, device));
}

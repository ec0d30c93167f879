//! Identities and errors of the public layers.
#![allow(clippy::unwrap_used)] // A layer that cannot be built is a failure of the test.

mod common;

use candle_core::{DType, Device, Tensor, Var};
use candle_nn::{VarBuilder, VarMap};
use common::{Case, Kind, relative_difference};
use recurrent::{
    Backend, Error, Gru, InstructionSet, Lstm, RecurrentConfig, RunOptions, SeededRng,
};

fn lstm(config: &RecurrentConfig) -> Lstm {
    let variables = VarMap::new();
    Lstm::new(config, VarBuilder::from_varmap(&variables, DType::F32, &Device::Cpu)).unwrap()
}

fn normal(shape: (usize, usize, usize)) -> Tensor {
    SeededRng::new(9).standard_normal(shape, DType::F32, &Device::Cpu).unwrap()
}

#[test]
fn a_stream_of_steps_equals_the_sequence() {
    let layer = lstm(&RecurrentConfig { num_layers: 2, ..RecurrentConfig::new(7, 9) });
    let x = normal((3, 6, 7));
    let (outputs, state) = layer.forward(&x).unwrap();
    let mut running = layer.init_state(3).unwrap();
    for step in 0..6 {
        let (output, next) =
            layer.step(&x.narrow(1, step, 1).unwrap().squeeze(1).unwrap(), &running).unwrap();
        let expected = outputs.narrow(1, step, 1).unwrap().squeeze(1).unwrap();
        assert!(relative_difference(&output, &expected).unwrap() < 1e-6);
        running = next;
    }
    assert!(relative_difference(&running.h, &state.h).unwrap() < 1e-6);
    assert!(relative_difference(&running.c, &state.c).unwrap() < 1e-6);
}

#[test]
fn rows_with_lengths_equal_the_bare_rows() {
    let config =
        RecurrentConfig { bidirectional: true, num_layers: 2, ..RecurrentConfig::new(5, 6) };
    let layer = lstm(&config);
    let x = normal((4, 8, 5));
    let lengths = [8, 3, 1, 0];
    let options = RunOptions { lengths: Some(&lengths), ..RunOptions::default() };
    let (outputs, state) = layer.forward_with(&x, options).unwrap();
    for (row, &length) in lengths.iter().enumerate() {
        let past = outputs.get(row).unwrap().narrow(0, length, 8 - length).unwrap();
        let largest = past.abs().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap();
        assert_eq!(largest, 0.0, "row {row} has outputs past its end");
        let bare = x.narrow(0, row, 1).unwrap().narrow(1, 0, length).unwrap();
        let (bare_outputs, bare_state) = layer.forward(&bare).unwrap();
        let real = outputs.narrow(0, row, 1).unwrap().narrow(1, 0, length).unwrap();
        if length > 0 {
            assert!(relative_difference(&real, &bare_outputs).unwrap() < 1e-6);
        }
        let h = state.h.narrow(1, row, 1).unwrap();
        assert!(relative_difference(&h, &bare_state.h).unwrap() < 1e-6);
    }
}

#[test]
fn time_first_equals_batch_first() {
    let weights = VarMap::new();
    let build = |batch_first| {
        let config = RecurrentConfig { batch_first, ..RecurrentConfig::new(4, 5) };
        Gru::new(&config, VarBuilder::from_varmap(&weights, DType::F32, &Device::Cpu)).unwrap()
    };
    let x = normal((3, 6, 4));
    let (batch_first, _) = build(true).forward(&x).unwrap();
    // A transposed view: not contiguous.
    let (time_first, _) = build(false).forward(&x.transpose(0, 1).unwrap()).unwrap();
    let time_first = time_first.transpose(0, 1).unwrap();
    assert_eq!(relative_difference(&time_first, &batch_first).unwrap(), 0.0);
}

/// Compares f64 gradients with (f(x + ε) - f(x - ε)) / 2ε.
#[test]
fn gradients_equal_finite_differences() {
    const EPSILON: f64 = 1e-5;
    const TOLERANCE: f64 = 1e-7;
    for kind in Kind::ALL {
        let config =
            RecurrentConfig { num_layers: 2, bidirectional: true, ..RecurrentConfig::new(3, 4) };
        let mut rng = SeededRng::new(4);
        let mut normal = |shape: (usize, usize, usize)| {
            let values = rng.standard_normal(shape, DType::F64, &Device::Cpu).unwrap();
            Var::from_tensor(&values).unwrap()
        };
        let x = normal((3, 4, 3));
        let states = Some((0..kind.n_states()).map(|_| normal((4, 3, 4))).collect());
        let weights = kind.initial_weights(&config, &mut SeededRng::new(1), DType::F64).unwrap();
        let weights =
            weights.into_iter().map(|(name, t)| (name, Var::from_tensor(&t).unwrap())).collect();
        let case = Case { kind, config, weights, x, states, lengths: Some(vec![4, 1, 2]) };

        let loss = || {
            let (outputs, states) = case.forward(Backend::Auto).unwrap();
            case.loss(&outputs, &states).unwrap()
        };
        let gradients = loss().backward().unwrap();
        let vars = case.weights.iter().map(|(_, var)| var).chain([&case.x]);
        for var in vars.chain(case.states.iter().flatten()) {
            let original = var.as_tensor().copy().unwrap();
            let values: Vec<f64> = original.flatten_all().unwrap().to_vec1().unwrap();
            let gradient: Vec<f64> =
                gradients.get(var).unwrap().flatten_all().unwrap().to_vec1().unwrap();
            for index in 0..values.len() {
                let loss_at = |shift: f64| {
                    let mut moved = values.clone();
                    moved[index] += shift;
                    let moved = Tensor::from_vec(moved, original.shape(), &Device::Cpu).unwrap();
                    var.set(&moved).unwrap();
                    loss().to_scalar::<f64>().unwrap()
                };
                let expected = (loss_at(EPSILON) - loss_at(-EPSILON)) / (2.0 * EPSILON);
                let difference = (gradient[index] - expected).abs();
                assert!(
                    difference <= TOLERANCE * expected.abs().max(1.0),
                    "{kind:?}: {} where finite differences give {expected}",
                    gradient[index]
                );
            }
            var.set(&original).unwrap();
        }
    }
}

#[test]
fn dropout_acts_between_layers_in_training_alone() {
    let config = RecurrentConfig { num_layers: 2, dropout: 0.5, ..RecurrentConfig::new(4, 6) };
    let layer = lstm(&config);
    let x = normal((2, 5, 4));
    let train = |seed| {
        let mut rng = SeededRng::new(seed);
        let options = RunOptions { dropout: Some(&mut rng), ..RunOptions::default() };
        layer.forward_with(&x, options).unwrap().0
    };
    let (a, b, c) = (train(1), train(1), train(2));
    assert_eq!(relative_difference(&a, &b).unwrap(), 0.0);
    assert!(relative_difference(&a, &c).unwrap() > 1e-3);
    let eval = layer.forward(&x).unwrap().0;
    assert!(relative_difference(&a, &eval).unwrap() > 1e-3);
}

#[test]
fn every_wrong_argument_has_its_error() {
    let layer = lstm(&RecurrentConfig::new(4, 6));
    let x = normal((2, 5, 4));
    let with_lengths = |lengths: &[usize]| {
        let options = RunOptions { lengths: Some(lengths), ..RunOptions::default() };
        layer.forward_with(&x, options).unwrap_err()
    };
    assert!(matches!(layer.forward(&normal((2, 5, 3))), Err(Error::Shape { .. })));
    assert!(matches!(layer.forward(&x.get(0).unwrap()), Err(Error::Shape { .. })));
    assert!(matches!(
        layer.forward(&x.to_dtype(DType::F64).unwrap()),
        Err(Error::Placement { .. })
    ));
    assert!(matches!(layer.forward(&x.narrow(0, 0, 0).unwrap()), Err(Error::EmptyBatch)));
    assert!(matches!(with_lengths(&[5]), Error::LengthCount { got: 1, batch: 2 }));
    assert!(matches!(with_lengths(&[5, 6]), Error::Length { row: 1, got: 6, steps: 5 }));
    let state = layer.init_state(3).unwrap();
    let options = RunOptions { state: Some(&state), ..RunOptions::default() };
    assert!(matches!(layer.forward_with(&x, options), Err(Error::Shape { .. })));
    let two_way = lstm(&RecurrentConfig { bidirectional: true, ..RecurrentConfig::new(4, 6) });
    let state = two_way.init_state(2).unwrap();
    let x0 = x.narrow(1, 0, 1).unwrap().squeeze(1).unwrap();
    assert!(matches!(two_way.step(&x0, &state), Err(Error::BidirectionalStep)));
    let no_config = RecurrentConfig::new(4, 0);
    let vb = VarBuilder::zeros(DType::F32, &Device::Cpu);
    assert!(matches!(Lstm::new(&no_config, vb), Err(Error::Config { field: "hidden_size", .. })));
}

#[test]
fn no_steps_give_no_outputs_and_the_initial_state() {
    let layer = lstm(&RecurrentConfig::new(4, 6));
    let (outputs, state) = layer.forward(&normal((2, 5, 4)).narrow(1, 0, 0).unwrap()).unwrap();
    assert_eq!(outputs.dims(), [2, 0, 6]);
    assert_eq!(state.h.dims(), [1, 2, 6]);
}

#[test]
fn a_forced_instruction_set_must_exist() {
    let layer = lstm(&RecurrentConfig::new(4, 6));
    for set in InstructionSet::ALL {
        let result = layer.clone().with_backend(Backend::Fused(set)).forward(&normal((2, 5, 4)));
        assert_eq!(result.is_ok(), set.is_available(), "{set}");
    }
}

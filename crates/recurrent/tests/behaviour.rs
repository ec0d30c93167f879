//! Identities and errors of the public layers.
#![allow(clippy::unwrap_used)] // A layer that cannot be built is a failure of the test.

mod common;

use candle_core::{DType, Device, Tensor, Var};
use candle_nn::{VarBuilder, VarMap};
use common::{Case, Kind, relative_difference};
use recurrent::{
    Backend, Error, Gru, InstructionSet, Lstm, LstmState, Nonlinearity, OutOfRange,
    RecurrentConfig, Rnn, RunOptions, SeededRng,
};

fn lstm(config: &RecurrentConfig) -> Lstm {
    let variables = VarMap::new();
    Lstm::new(config, VarBuilder::from_varmap(&variables, DType::F32, &Device::Cpu)).unwrap()
}

fn normal(shape: (usize, usize, usize)) -> Tensor {
    SeededRng::new(9).standard_normal(shape, DType::F32, &Device::Cpu).unwrap()
}

/// LSTMs of two layers, without and with a projection.
fn two_layers(bidirectional: bool) -> [Lstm; 2] {
    [0, 4].map(|proj_size| {
        let config = RecurrentConfig {
            num_layers: 2,
            bidirectional,
            proj_size,
            ..RecurrentConfig::new(5, 9)
        };
        lstm(&config)
    })
}

#[test]
fn a_stream_of_steps_equals_the_sequence() {
    let x = normal((3, 6, 5));
    for layer in two_layers(false) {
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
}

#[test]
fn rows_with_lengths_equal_the_bare_rows() {
    let x = normal((4, 8, 5));
    let lengths = [8, 3, 1, 0];
    for layer in two_layers(true) {
        let options = RunOptions::new().lengths(&lengths);
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
            for (state, bare_state) in [(&state.h, bare_state.h), (&state.c, bare_state.c)] {
                let state = state.narrow(1, row, 1).unwrap();
                assert!(relative_difference(&state, &bare_state).unwrap() < 1e-6);
            }
        }
    }
}

/// Its final state is its initial one, gradients included, and it moves no weight.
#[test]
fn a_row_without_steps_keeps_its_state() {
    for layer in two_layers(true) {
        let zeros = layer.init_state(2).unwrap();
        let var = |like: &Tensor| Var::from_tensor(&normal(like.dims3().unwrap())).unwrap();
        let (h, c) = (var(&zeros.h), var(&zeros.c));
        let state = LstmState { h: h.as_tensor().clone(), c: c.as_tensor().clone() };
        let options = RunOptions::new().state(&state).lengths(&[3, 0]);
        let (outputs, last) = layer.forward_with(&normal((2, 3, 5)), options).unwrap();
        let row = |tensor: &Tensor| tensor.narrow(1, 1, 1).unwrap();
        assert_eq!(relative_difference(&row(&last.h), &row(&h)).unwrap(), 0.0);
        assert_eq!(relative_difference(&row(&last.c), &row(&c)).unwrap(), 0.0);
        let slopes = normal(h.dims3().unwrap());
        let loss =
            (outputs.sum_all().unwrap() + (last.h * &slopes).unwrap().sum_all().unwrap()).unwrap();
        let gradients = loss.backward().unwrap();
        let gradient = gradients.get(&h).unwrap();
        assert!(relative_difference(&row(gradient), &row(&slopes)).unwrap() < 1e-6);
        let gradient = gradients.get(&c).unwrap();
        assert_eq!(
            row(gradient).abs().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap(),
            0.0
        );
    }
}

/// Tests inputs and states that are non-contiguous views.
#[test]
fn views_that_are_not_contiguous_give_the_same() {
    for layer in two_layers(true) {
        for backend in [Backend::Auto, Backend::Reference] {
            let layer = layer.clone().with_backend(backend);
            let view = |(a, b, c): (usize, usize, usize)| {
                let wider = normal((b, a, 2 * c)).transpose(0, 1).unwrap();
                let var = Var::from_tensor(&wider.copy().unwrap()).unwrap();
                let view = var.narrow(2, 1, c).unwrap();
                assert!(!view.is_contiguous());
                (var, view)
            };
            let zeros = layer.init_state(3).unwrap();
            let (x, h, c) =
                (view((3, 4, 5)), view(zeros.h.dims3().unwrap()), view(zeros.c.dims3().unwrap()));
            let run = |x: &Tensor, h: &Tensor, c: &Tensor| {
                let state = LstmState { h: h.clone(), c: c.clone() };
                let options = RunOptions::new().state(&state);
                layer.forward_with(x, options).unwrap()
            };
            let whole = |view: &Tensor| view.contiguous().unwrap();
            let (expected, _) = run(&whole(&x.1), &whole(&h.1), &whole(&c.1));
            let (got, _) = run(&x.1, &h.1, &c.1);
            assert!(relative_difference(&got, &expected).unwrap() < 1e-6);
            let gradients =
                |outputs: Tensor| outputs.sqr().unwrap().sum_all().unwrap().backward().unwrap();
            let (expected, got) = (gradients(expected), gradients(got));
            for var in [&x.0, &h.0, &c.0] {
                let (expected, got) = (expected.get(var).unwrap(), got.get(var).unwrap());
                assert!(relative_difference(got, expected).unwrap() < 1e-6);
            }
        }
    }
}

#[test]
fn a_projection_narrows_the_hidden_state_alone() {
    let config =
        RecurrentConfig { bidirectional: true, proj_size: 4, ..RecurrentConfig::new(5, 9) };
    let variables = VarMap::new();
    let vb = VarBuilder::from_varmap(&variables, DType::F32, &Device::Cpu);
    let (outputs, state) = Lstm::new(&config, vb).unwrap().forward(&normal((3, 6, 5))).unwrap();
    assert_eq!(outputs.dims(), [3, 6, 8]);
    assert_eq!(state.h.dims(), [2, 3, 4]);
    assert_eq!(state.c.dims(), [2, 3, 9]);
    let gradients = outputs.sum_all().unwrap().backward().unwrap();
    let variables = variables.data().lock().unwrap();
    let shapes = Lstm::parameter_shapes(&config);
    assert_eq!(shapes.len(), variables.len());
    assert_eq!(shapes[4], ("weight_hr_l0".to_string(), vec![4, 9]));
    assert_eq!(shapes[6], ("weight_hh_l0_reverse".to_string(), vec![36, 4]));
    for (name, shape) in shapes {
        assert_eq!(gradients.get(&variables[&name]).unwrap().dims(), shape, "{name}");
    }
}

#[test]
fn every_wrong_projection_has_its_error() {
    let vb = || VarBuilder::zeros(DType::F32, &Device::Cpu);
    let config = |proj_size| RecurrentConfig { proj_size, ..RecurrentConfig::new(5, 9) };
    for proj_size in [9, 10] {
        let result = Lstm::new(&config(proj_size), vb());
        assert!(matches!(result, Err(Error::Config(OutOfRange { field: "proj_size", .. }))));
    }
    let gru = Gru::new(&config(4), vb());
    assert!(matches!(gru, Err(Error::Config(OutOfRange { field: "proj_size", .. }))));
    let rnn = Rnn::new(&config(4), Nonlinearity::Tanh, vb());
    assert!(matches!(rnn, Err(Error::Config(OutOfRange { field: "proj_size", .. }))));

    let layer = lstm(&config(4));
    let x = normal((2, 3, 5));
    let state = lstm(&config(0)).init_state(2).unwrap();
    let options = RunOptions::new().state(&state);
    assert!(matches!(layer.forward_with(&x, options), Err(Error::Shape { .. })));
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
    let kinds = Kind::ALL.map(|kind| (kind, 0));
    for (kind, proj_size) in kinds.into_iter().chain([(Kind::Lstm, 2)]) {
        let config = RecurrentConfig {
            num_layers: 2,
            bidirectional: true,
            proj_size,
            ..RecurrentConfig::new(3, 4)
        };
        let mut rng = SeededRng::new(4);
        let mut normal = |shape: (usize, usize, usize)| {
            let values = rng.standard_normal(shape, DType::F64, &Device::Cpu).unwrap();
            Var::from_tensor(&values).unwrap()
        };
        let x = normal((3, 4, 3));
        let sizes = [config.h_size(), config.hidden_size];
        let states =
            Some(sizes[..kind.n_states()].iter().map(|&size| normal((4, 3, size))).collect());
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
        let options = RunOptions::new().dropout(&mut rng);
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
        let options = RunOptions::new().lengths(lengths);
        layer.forward_with(&x, options).unwrap_err()
    };
    assert!(matches!(layer.forward(&normal((2, 5, 3))), Err(Error::Shape { .. })));
    let one_number_a_step = x.get(0).unwrap().get(0).unwrap();
    assert!(matches!(layer.forward(&one_number_a_step), Err(Error::Shape { .. })));
    assert!(matches!(
        layer.forward(&x.to_dtype(DType::F64).unwrap()),
        Err(Error::Placement { .. })
    ));
    assert!(matches!(layer.forward(&x.narrow(0, 0, 0).unwrap()), Err(Error::EmptyBatch)));
    assert!(matches!(with_lengths(&[5]), Error::LengthCount { got: 1, batch: 2 }));
    assert!(matches!(with_lengths(&[5, 6]), Error::Length { row: 1, got: 6, steps: 5 }));
    let with_state = |state: &LstmState| {
        let options = RunOptions::new().state(state);
        layer.forward_with(&x, options).unwrap_err()
    };
    assert!(matches!(with_state(&layer.init_state(3).unwrap()), Error::Shape { .. }));
    let mut state = layer.init_state(2).unwrap();
    state.c = state.c.to_dtype(DType::F64).unwrap();
    assert!(matches!(with_state(&state), Error::Placement { .. }));
    let two_way = lstm(&RecurrentConfig { bidirectional: true, ..RecurrentConfig::new(4, 6) });
    let state = two_way.init_state(2).unwrap();
    let x0 = x.narrow(1, 0, 1).unwrap().squeeze(1).unwrap();
    assert!(matches!(two_way.step(&x0, &state), Err(Error::BidirectionalStep)));
    let no_config = RecurrentConfig::new(4, 0);
    let vb = VarBuilder::zeros(DType::F32, &Device::Cpu);
    assert!(matches!(
        Lstm::new(&no_config, vb),
        Err(Error::Config(OutOfRange { field: "hidden_size", .. }))
    ));
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

#[test]
fn weight_drop_zeroes_recurrent_weights_for_all_steps_and_in_training_only() {
    let config =
        RecurrentConfig { bidirectional: true, weight_dropout: 0.4, ..RecurrentConfig::new(5, 9) };
    let variables = VarMap::new();
    let vb = VarBuilder::from_varmap(&variables, DType::F32, &Device::Cpu);
    let layer = Lstm::new(&config, vb.clone()).unwrap();
    let plain = Lstm::new(&RecurrentConfig { weight_dropout: 0.0, ..config.clone() }, vb).unwrap();
    let x = normal((4, 6, 5));
    let run = |layer: &Lstm, seed: Option<u64>| {
        let mut rng = seed.map(SeededRng::new);
        let mut options = RunOptions::new();
        if let Some(rng) = &mut rng {
            options = options.dropout(rng);
        }
        layer.forward_with(&x, options).unwrap().0
    };
    let difference = |a: &Tensor, b: &Tensor| relative_difference(a, b).unwrap();
    assert_eq!(difference(&run(&layer, None), &run(&plain, None)), 0.0);
    assert_eq!(difference(&run(&layer, Some(1)), &run(&layer, Some(1))), 0.0);
    assert!(difference(&run(&layer, Some(1)), &run(&layer, Some(2))) > 1e-3);

    // The gradient shows which weights were kept; no other parameter loses any.
    let gradients = run(&layer, Some(1)).sum_all().unwrap().backward().unwrap();
    let zeros = |name: &str| {
        let var = variables.data().lock().unwrap()[name].clone();
        let gradient = gradients.get(&var).unwrap().flatten_all().unwrap();
        let numbers: Vec<f32> = gradient.to_vec1().unwrap();
        numbers.iter().filter(|x| **x == 0.0).count() as f64 / numbers.len() as f64
    };
    for direction in ["", "_reverse"] {
        let share = zeros(&format!("weight_hh_l0{direction}"));
        // Five standard deviations of 324 draws.
        assert!((share - 0.4).abs() < 0.14, "{share}");
        assert_eq!(zeros(&format!("weight_ih_l0{direction}")), 0.0);
    }
    let bad = RecurrentConfig { weight_dropout: 1.0, ..config };
    let vb = VarBuilder::from_varmap(&variables, DType::F32, &Device::Cpu);
    let error = Lstm::new(&bad, vb).unwrap_err().to_string();
    assert!(error.contains("weight_dropout"), "{error}");
}

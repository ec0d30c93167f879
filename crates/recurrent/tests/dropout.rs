//! Dropout between layers and on recurrent weights: the fused kernels apply the masks that the plain
//! form applies, and the masks are the ones that the generator draws.
#![allow(clippy::unwrap_used)] // A failure to build a case is a failure of the test.

mod common;

use std::collections::HashMap;

use candle_core::{D, DType, Device, Tensor, Var};
use candle_nn::VarBuilder;
use common::{Case, Kind, TOLERANCE_F32, TOLERANCE_F64, assert_all_close, relative_difference};
use proptest::prelude::*;
use recurrent::{
    Backend, DropoutMasks as _, Gru, InstructionSet, Nonlinearity, RecurrentConfig, RepeatedInput,
    Rnn, RunOptions, SeededRng,
};

fn available_sets() -> impl Iterator<Item = InstructionSet> {
    InstructionSet::ALL.into_iter().filter(|set| set.is_available())
}

/// Asserts that every instruction set's outputs, states and gradients equal the plain form's for
/// generators of one seed, and that the generators then continue with the same numbers.
fn assert_sets_equal_the_reference(case: &Case, seed: u64, tolerance: f64) {
    let mut rng = SeededRng::new(seed);
    let expected = case.everything_with_dropout(Backend::Reference, &mut rng).unwrap();
    let next = rng.below(usize::MAX);
    for set in available_sets() {
        let mut rng = SeededRng::new(seed);
        let got = case.everything_with_dropout(Backend::Fused(set), &mut rng).unwrap();
        assert_all_close(case, Backend::Fused(set), &got, &expected, tolerance);
        assert_eq!(rng.below(usize::MAX), next, "{set}: another number of draws");
    }
}

prop_compose! {
    /// A call and the seed of its masks; rates as given.
    fn cases(rates: Vec<f64>)(
        kind in prop::sample::select(Kind::ALL.to_vec()),
        (input, hidden, layers) in (1usize..40, 1usize..70, 2usize..4),
        (batch, steps) in (1usize..14, 1usize..12),
        (dropout, weight_dropout) in (
            prop::sample::select(rates),
            prop::sample::select(vec![0.0, 0.3]),
        ),
        flags in any::<[bool; 4]>(),
        seed in any::<u64>(),
        raw_lengths in prop::collection::vec(0usize..12, 14),
    ) -> (Case, u64) {
        let [bidirectional, bias, has_state, has_lengths] = flags;
        let config = RecurrentConfig {
            num_layers: layers, bidirectional, bias, dropout, weight_dropout,
            ..RecurrentConfig::new(input, hidden)
        };
        let lengths = has_lengths
            .then(|| raw_lengths[..batch].iter().map(|&length| length.min(steps)).collect());
        let mut rng = SeededRng::new(seed);
        let case =
            Case::random(kind, config, (batch, steps), has_state, lengths, &mut rng).unwrap();
        (case, seed ^ 1)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_instruction_set_equals_the_reference(
        (case, seed) in cases(vec![0.1, 0.3, 0.5, 0.8])
    ) {
        assert_sets_equal_the_reference(&case, seed, TOLERANCE_F32);
    }

    /// The plain form rounds its scale to f32, so these rates have a scale without rounding error.
    #[test]
    fn f64_equals_the_reference((case, seed) in cases(vec![0.5, 0.75])) {
        let case = case.to(&Device::Cpu, DType::F64).unwrap();
        assert_sets_equal_the_reference(&case, seed, TOLERANCE_F64);
    }
}

/// Every kind, direction and number of layers, long enough for several chunks of steps: 40 rows are
/// divided among threads; 3 rows are too few, so threads divide the hidden units.
#[test]
fn long_passes_equal_the_reference() {
    for kind in Kind::ALL {
        for (index, (num_layers, bidirectional)) in
            [(2, false), (2, true), (3, false), (3, true)].into_iter().enumerate()
        {
            let config = RecurrentConfig {
                num_layers,
                bidirectional,
                dropout: 0.4,
                weight_dropout: if index % 2 == 0 { 0.2 } else { 0.0 },
                ..RecurrentConfig::new(11, 45)
            };
            for (batch, steps) in [(40, 25), (3, 150)] {
                let lengths = (0..batch).map(|row| steps - row * 17 % (steps + 1)).collect();
                let rng = &mut SeededRng::new(index as u64);
                let shape = (batch, steps);
                let case = Case::random(kind, config.clone(), shape, true, Some(lengths), rng);
                let case = case.unwrap();
                assert_sets_equal_the_reference(&case, 100, TOLERANCE_F32);
                if (kind, num_layers) == (Kind::Lstm, 2) {
                    let config = RecurrentConfig { dropout: 0.5, ..config.clone() };
                    let case = case.to(&Device::Cpu, DType::F64).unwrap();
                    assert_sets_equal_the_reference(&Case { config, ..case }, 100, TOLERANCE_F64);
                }
            }
        }
    }
}

fn identity(size: usize, dtype: DType) -> Tensor {
    Tensor::eye(size, dtype, &Device::Cpu).unwrap()
}

fn numbers(tensor: &Tensor) -> Vec<f64> {
    tensor.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

/// A network without recurrence that passes its input on: relu, identity matrices between layers,
/// each direction on its own half of the features.
fn pass_on(config: &RecurrentConfig, dtype: DType) -> Rnn {
    let size = config.hidden_size;
    let zeros = Tensor::zeros((size, size), dtype, &Device::Cpu).unwrap();
    let identity = identity(size, dtype);
    let mut weights = HashMap::new();
    for layer in 0..config.num_layers {
        for (direction, suffix) in ["", "_reverse"][..config.num_directions()].iter().enumerate() {
            let mut halves = vec![&zeros; if layer == 0 { 1 } else { config.num_directions() }];
            halves[if layer == 0 { 0 } else { direction }] = &identity;
            let input = Tensor::cat(&halves, D::Minus1).unwrap();
            weights.insert(format!("weight_ih_l{layer}{suffix}"), input);
            weights.insert(format!("weight_hh_l{layer}{suffix}"), zeros.clone());
        }
    }
    let vb = VarBuilder::from_tensors(weights, dtype, &Device::Cpu);
    Rnn::new(config, Nonlinearity::Relu, vb).unwrap()
}

/// Ones that pass through a network show its masks: each number is zero, or the product of the
/// scales, as the generator's flags say, and so is its gradient.
#[test]
fn masks_are_the_generators_and_the_scale_keeps_the_mean() {
    let (batch, steps, size, seed) = (7, 90, 21, 5);
    let lengths: Vec<usize> = (0..batch).map(|row| steps - 13 * row).collect();
    let backends = || available_sets().map(Backend::Fused).chain([Backend::Reference]);
    for (num_layers, bidirectional) in [(2, false), (2, true), (3, false), (3, true)] {
        for (dtype, rate) in [(DType::F32, 0.1), (DType::F32, 0.75), (DType::F64, 0.4)] {
            let config = RecurrentConfig {
                num_layers,
                bidirectional,
                bias: false,
                dropout: rate,
                ..RecurrentConfig::new(size, size)
            };
            let width = config.output_size();
            let rng = &mut SeededRng::new(seed);
            let n = batch * steps * width;
            let masks: Vec<_> = (1..num_layers).map(|_| rng.kept(n, rate)).collect();
            let scale = (1.0 / (1.0 - rate)).powi(num_layers as i32 - 1);
            let expected: Vec<f64> = (0..n)
                .map(|index| {
                    let (row, step) = (index / width / steps, index / width % steps);
                    let is_kept = step < lengths[row] && masks.iter().all(|mask| mask[index]);
                    if is_kept { scale } else { 0.0 }
                })
                .collect();
            // The gradient of an input is the sum over the directions, which have the same input.
            let d_input = Tensor::from_slice(&expected, (batch * steps, width), &Device::Cpu)
                .unwrap()
                .reshape((batch * steps, config.num_directions(), size))
                .unwrap()
                .sum(1)
                .unwrap();
            for backend in backends() {
                let x = Tensor::ones((batch, steps, size), dtype, &Device::Cpu).unwrap();
                let x = Var::from_tensor(&x).unwrap();
                let mut rng = SeededRng::new(seed);
                let options = RunOptions::new().lengths(&lengths).dropout(&mut rng);
                let layer = pass_on(&config, dtype).with_backend(backend);
                let (outputs, _) = layer.forward_with(&x, options).unwrap();
                let gradients = outputs.sum_all().unwrap().backward().unwrap();
                let dx = numbers(gradients.get(&x).unwrap());
                let what = || format!("{backend} {dtype:?} {num_layers} layers, rate {rate}");
                // The scale is rounded to f32, and multiplied with others.
                let equal = |got: &[f64], expected: &[f64]| {
                    got.iter().zip(expected).all(|(got, e)| (got - e).abs() <= 1e-6 * e)
                };
                let got = numbers(&outputs);
                assert!(equal(&got, &expected), "{}: outputs", what());
                assert!(equal(&dx, &numbers(&d_input)), "{}: gradients", what());

                let n_real = (lengths.iter().sum::<usize>() * width) as f64;
                let kept_rate = (1.0 - rate).powi(num_layers as i32 - 1);
                let kept = got.iter().filter(|&&number| number != 0.0).count() as f64 / n_real;
                // Five standard deviations.
                let bound = 5.0 * (kept_rate * (1.0 - kept_rate) / n_real).sqrt();
                assert!((kept - kept_rate).abs() < bound, "{}: kept {kept}", what());
                let mean = got.iter().sum::<f64>() / n_real;
                assert!((mean - 1.0).abs() < bound / kept_rate, "{}: mean {mean}", what());
            }
        }
    }
}

/// With an input of zeros, the outputs of a relu network show the recurrent weights alone: of ones,
/// with an initial state of ones, the first output of a unit is the scaled number of its weights that
/// were kept. The next step has the same weights.
#[test]
fn weight_drop_zeroes_and_scales_the_same_weights_in_every_step() {
    let (size, rate, seed) = (40, 0.3, 6);
    let config =
        RecurrentConfig { bias: false, weight_dropout: rate, ..RecurrentConfig::new(1, size) };
    let tensor = |value: f64, shape: (usize, usize)| {
        Tensor::full(value, shape, &Device::Cpu).unwrap().to_dtype(DType::F32).unwrap()
    };
    let weights = HashMap::from([
        ("weight_ih_l0".to_string(), tensor(1.0, (size, 1))),
        ("weight_hh_l0".to_string(), tensor(1.0, (size, size))),
    ]);
    let vb = VarBuilder::from_tensors(weights, DType::F32, &Device::Cpu);
    let layer = Rnn::new(&config, Nonlinearity::Relu, vb).unwrap();
    let kept = SeededRng::new(seed).kept(size * size, rate);
    let share = kept.iter().filter(|&&kept| kept).count() as f64 / kept.len() as f64;
    // Five standard deviations of 1,600 draws.
    assert!((share - 0.7).abs() < 0.058, "{share}");
    let weight =
        |row: usize, column: usize| if kept[row * size + column] { 1.0 / 0.7 } else { 0.0 };
    let product = |h: &[f64]| -> Vec<f64> {
        (0..size).map(|row| (0..size).map(|k| weight(row, k) * h[k]).sum()).collect()
    };
    let first = product(&vec![1.0; size]);
    let expected = [first.clone(), product(&first)].concat();
    let expected = Tensor::from_vec(expected, (1, 2, size), &Device::Cpu).unwrap();
    for backend in available_sets().map(Backend::Fused).chain([Backend::Reference]) {
        let layer = layer.clone().with_backend(backend);
        let state = tensor(1.0, (3, size)).unsqueeze(0).unwrap();
        let x = Tensor::zeros((3, 2, 1), DType::F32, &Device::Cpu).unwrap();
        let mut rng = SeededRng::new(seed);
        let options = RunOptions::new().state(&state).dropout(&mut rng);
        let (outputs, _) = layer.forward_with(&x, options).unwrap();
        for row in 0..3 {
            let got = outputs.narrow(0, row, 1).unwrap();
            let difference = relative_difference(&got, &expected).unwrap();
            assert!(difference < 1e-6, "{backend}: {difference:.1e}");
        }
    }
}

/// Without gradients, too, where the first layer's products are computed once per vector.
#[test]
fn a_repeated_input_has_the_masks_of_its_steps_written_out() {
    let config = RecurrentConfig {
        num_layers: 3,
        bidirectional: true,
        dropout: 0.4,
        ..RecurrentConfig::new(6, 19)
    };
    let rng = &mut SeededRng::new(2);
    let weights = Gru::initial_weights(&config, rng, DType::F32, &Device::Cpu).unwrap();
    let vectors = rng.standard_normal((5, 6), DType::F32, &Device::Cpu).unwrap();
    let indexes: Vec<u32> = (0..4 * 30).map(|_| rng.below(5) as u32).collect();
    let x = vectors.index_select(&Tensor::new(&indexes[..], &Device::Cpu).unwrap(), 0).unwrap();
    let x = x.reshape((4, 30, 6)).unwrap();
    let vb = VarBuilder::from_tensors(weights.into_iter().collect(), DType::F32, &Device::Cpu);
    let layer = Gru::new(&config, vb).unwrap();
    let lengths = [30, 0, 7, 29];
    let mut rngs = [(); 3].map(|()| SeededRng::new(3));
    let [a, b, c] = rngs.each_mut().map(|rng| RunOptions::new().lengths(&lengths).dropout(rng));
    let input = RepeatedInput { vectors: &vectors, indexes: &indexes, batch: 4 };
    let (got, state) = layer.forward_repeated(input, a).unwrap();
    for (layer, options) in
        [(layer.clone(), b), (layer.clone().with_backend(Backend::Reference), c)]
    {
        let (expected, expected_state) = layer.forward_with(&x, options).unwrap();
        assert!(relative_difference(&got, &expected).unwrap() < TOLERANCE_F32);
        assert!(relative_difference(&state, &expected_state).unwrap() < TOLERANCE_F32);
    }
}

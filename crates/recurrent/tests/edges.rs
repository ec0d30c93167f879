//! Infinite numbers, sizes beyond memory, and inputs without a batch.
#![allow(clippy::unwrap_used)] // A layer that cannot be built is a failure of the test.

mod common;

use candle_core::{DType, Device, Tensor, Var};
use candle_nn::{RNN, VarBuilder, VarMap};
use common::{Case, Kind, relative_difference};
use recurrent::{
    Backend, Cell, Error, InstructionSet, Lstm, Recurrent, RecurrentConfig, RepeatedInput,
    RunOptions, SeededRng, State, pad_sequence,
};

fn sets() -> impl Iterator<Item = InstructionSet> {
    InstructionSet::ALL.into_iter().filter(|set| set.is_available())
}

fn recurrent(cell: Cell, config: &RecurrentConfig) -> (VarMap, Recurrent) {
    let variables = VarMap::new();
    let vb = VarBuilder::from_varmap(&variables, DType::F32, &Device::Cpu);
    let layer = Recurrent::new(cell, config, vb).unwrap();
    (variables, layer)
}

/// An infinite input saturates the gates of the units that exist. Those that only fill up a register have
/// weights of zero, and zero times infinity is NaN: that must stay among them. 5 units fill no register.
#[test]
fn an_infinite_input_leaves_finite_gradients_where_the_plain_form_does() {
    for kind in Kind::ALL {
        for proj_size in if kind == Kind::Lstm { vec![0, 3] } else { vec![0] } {
            let config = RecurrentConfig { proj_size, ..RecurrentConfig::new(3, 5) };
            let mut case =
                Case::random(kind, config, (2, 4), false, None, &mut SeededRng::new(8)).unwrap();
            let mut x: Vec<f32> = case.x.flatten_all().unwrap().to_vec1().unwrap();
            x[3] = f32::INFINITY;
            let x = Tensor::from_vec(x, (2, 4, 3), &Device::Cpu).unwrap();
            case.x = Var::from_tensor(&x).unwrap();
            let expected = case.everything(Backend::Reference).unwrap();
            for set in sets() {
                for ((name, got), (_, expected)) in
                    case.everything(Backend::Fused(set)).unwrap().iter().zip(&expected)
                {
                    let numbers = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
                    for (got, expected) in numbers(got).into_iter().zip(numbers(expected)) {
                        // Where the plain form has a number, so have the kernels.
                        let is_close = (got - expected).abs() <= 2e-5 * expected.abs().max(1.0);
                        assert!(
                            is_close || !expected.is_finite(),
                            "{kind:?} {set} {name}: {got} where the plain form has {expected}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn more_steps_than_memory_holds_are_refused() {
    let (_, layer) = recurrent(Cell::Lstm, &RecurrentConfig::new(1, 4));
    // A view of one number.
    let x = Tensor::zeros((1, 1, 1), DType::F32, &Device::Cpu).unwrap();
    let x = x.broadcast_as((1 << 40, 1 << 20, 1)).unwrap();
    assert!(matches!(layer.forward(&x), Err(Error::TooLarge { .. })));
    let huge = Tensor::zeros((1, 1, 1), DType::F32, &Device::Cpu).unwrap();
    let huge = huge.broadcast_as((1, usize::MAX / 4, 1)).unwrap();
    assert!(matches!(layer.forward(&huge), Err(Error::TooLarge { .. })));
}

#[test]
fn an_input_without_a_batch_gives_the_row_of_a_batch() {
    for batch_first in [true, false] {
        let config = RecurrentConfig {
            num_layers: 2,
            bidirectional: true,
            batch_first,
            ..RecurrentConfig::new(4, 6)
        };
        let (_, layer) = recurrent(Cell::Lstm, &config);
        let x = SeededRng::new(1).standard_normal((5, 4), DType::F32, &Device::Cpu).unwrap();
        let (outputs, state) = layer.forward(&x).unwrap();
        assert_eq!(outputs.dims(), [5, 12]);
        assert_eq!(state.h.dims(), [4, 6]);
        let time = usize::from(!batch_first);
        let (of_batch, _) = layer.forward(&x.unsqueeze(time).unwrap()).unwrap();
        let of_batch = of_batch.squeeze(time).unwrap();
        assert_eq!(relative_difference(&outputs, &of_batch).unwrap(), 0.0);
        // The state goes in again as it came out.
        let (_, next) = layer.forward_with(&x, RunOptions::new().state(&state)).unwrap();
        assert_eq!(next.c.unwrap().dims(), [4, 6]);
    }
}

#[test]
fn states_can_be_selected_and_detached() {
    let (_, layer) = recurrent(Cell::Lstm, &RecurrentConfig::new(3, 4));
    let x = SeededRng::new(1).standard_normal((3, 5, 3), DType::F32, &Device::Cpu).unwrap();
    let (_, state) = layer.forward(&x).unwrap();
    let selected = state.index_select(&[2, 0, 2]).unwrap();
    assert_eq!(selected.batch().unwrap(), 3);
    for (to, from) in [(0, 2), (1, 0), (2, 2)] {
        let row = |state: &Tensor, row| state.narrow(1, row, 1).unwrap();
        let difference = relative_difference(&row(&selected.h, to), &row(&state.h, from)).unwrap();
        assert_eq!(difference, 0.0);
    }
    assert!(state.h.track_op() && !state.detach().unwrap().h.track_op());
    assert!(state.index_select(&[3]).is_err());
    assert_eq!(state.to_device(&Device::Cpu).unwrap().tensors().len(), 2);
}

#[test]
fn padded_sequences_give_what_each_gives_alone() {
    let (_, layer) = recurrent(Cell::Gru, &RecurrentConfig::new(3, 4));
    let mut rng = SeededRng::new(2);
    let sequences = [4, 0, 7, 1]
        .map(|steps: usize| rng.standard_normal((steps, 3), DType::F32, &Device::Cpu).unwrap());
    let (batch, lengths) = pad_sequence(&sequences, true).unwrap();
    assert_eq!(lengths, [4, 0, 7, 1]);
    let (_, state) = layer.forward_with(&batch, RunOptions::new().lengths(&lengths)).unwrap();
    for (row, sequence) in sequences.iter().enumerate() {
        let (_, alone) = layer.forward(sequence).unwrap();
        let of_batch = state.h.get(0).unwrap().get(row).unwrap();
        let difference = relative_difference(&of_batch, &alone.h.get(0).unwrap()).unwrap();
        assert!(difference < 1e-6, "{difference}");
    }
    assert!(matches!(pad_sequence(&[], true), Err(Error::EmptyBatch)));
    let wrong = [sequences[0].clone(), batch.get(0).unwrap().t().unwrap()];
    assert!(matches!(pad_sequence(&wrong, true), Err(Error::Shape { .. })));
}

/// Candle's own interface, as its users write it.
#[test]
fn candles_interface_steps_through_a_sequence() {
    fn last_output<R: RNN>(layer: &R, x: &Tensor) -> candle_core::Result<Tensor> {
        layer.states_to_tensor(&layer.seq(x)?)
    }
    let variables = VarMap::new();
    let vb = VarBuilder::from_varmap(&variables, DType::F32, &Device::Cpu);
    let config = RecurrentConfig { num_layers: 2, ..RecurrentConfig::new(3, 5) };
    let layer = Lstm::new(&config, vb).unwrap();
    let x = SeededRng::new(1).standard_normal((2, 4, 3), DType::F32, &Device::Cpu).unwrap();
    let (expected, _) = layer.forward(&x).unwrap();
    let got = last_output(&layer, &x).unwrap();
    assert!(relative_difference(&got, &expected).unwrap() < 1e-6);
}

/// In training, too, products of repeated vectors are computed once per vector; the gradients are those of
/// the steps written out.
#[test]
fn gradients_of_repeated_vectors_equal_those_of_the_steps_written_out() {
    for kind in Kind::ALL {
        for (bidirectional, batch, steps) in [(false, 30, 40), (true, 30, 40), (true, 3, 9)] {
            let config =
                RecurrentConfig { num_layers: 2, bidirectional, ..RecurrentConfig::new(21, 19) };
            let rng = &mut SeededRng::new(3);
            let n_vectors = batch * steps / 2;
            let lengths: Vec<usize> = (0..batch).map(|row| row * 13 % (steps + 1)).collect();
            let indexes: Vec<u32> =
                (0..batch * steps).map(|_| rng.below(n_vectors) as u32).collect();
            let shape = (n_vectors, config.input_size);
            let vectors = rng.standard_normal(shape, DType::F32, &Device::Cpu).unwrap();
            let vectors = Var::from_tensor(&vectors).unwrap();
            let (variables, layer) = recurrent(kind.cell(), &config);
            let everything = |layer: &Recurrent, written_out: bool| -> Vec<(String, Tensor)> {
                let options = RunOptions::new().lengths(&lengths);
                let (outputs, state) = if written_out {
                    let indexes = Tensor::new(&indexes[..], &Device::Cpu).unwrap();
                    let x = vectors.index_select(&indexes, 0).unwrap();
                    let x = x.reshape((batch, steps, config.input_size)).unwrap();
                    layer.forward_with(&x, options).unwrap()
                } else {
                    let input = RepeatedInput { vectors: &vectors, indexes: &indexes, batch };
                    layer.forward_repeated(input, options).unwrap()
                };
                let slopes = common::ripple(&outputs).unwrap();
                let loss = outputs.mul(&slopes).unwrap().sum_all().unwrap();
                let loss = (loss + state.h.sum_all().unwrap()).unwrap();
                let gradients = loss.backward().unwrap();
                let mut all = vec![
                    ("outputs".to_string(), outputs),
                    ("vectors".to_string(), gradients.get(&vectors).unwrap().clone()),
                ];
                let variables = variables.data().lock().unwrap();
                let mut names: Vec<&String> = variables.keys().collect();
                names.sort();
                for name in names {
                    let gradient = gradients.get(&variables[name]).unwrap().clone();
                    all.push((name.clone(), gradient));
                }
                all
            };
            let reference = layer.clone().with_backend(Backend::Reference);
            let expected = everything(&reference, true);
            for set in sets() {
                let layer = layer.clone().with_backend(Backend::Fused(set));
                let got = everything(&layer, false);
                for ((name, got), (_, expected)) in got.iter().zip(&expected) {
                    let difference = relative_difference(got, expected).unwrap();
                    assert!(
                        difference < 2e-5,
                        "{kind:?} {set}: {name} differs by {difference:.1e}"
                    );
                }
            }
        }
    }
}

/// The outputs of lower layers, and gradients that enter there.
#[test]
fn the_outputs_of_every_layer_are_those_of_shorter_stacks() {
    for (cell, bidirectional, batch) in
        [(Cell::Lstm, true, 20), (Cell::Gru, false, 3), (Cell::Lstm, true, 2)]
    {
        let config = RecurrentConfig {
            num_layers: 3,
            bidirectional,
            dropout: 0.3,
            ..RecurrentConfig::new(12, 33)
        };
        let (variables, layer) = recurrent(cell, &config);
        let x = SeededRng::new(1).standard_normal((batch, 30, 12), DType::F32, &Device::Cpu);
        let x = Var::from_tensor(&x.unwrap()).unwrap();
        let lengths: Vec<usize> = (0..batch).map(|row| 30 - row * 7 % 31).collect();
        // Without dropout, the first layers are a stack of their own.
        let options = || RunOptions::new().lengths(&lengths);
        let (outputs, state) = layer.forward_layers(x.as_tensor(), options()).unwrap();
        assert_eq!(outputs.len(), 3);
        for num_layers in 1..=3 {
            let vb = VarBuilder::from_varmap(&variables, DType::F32, &Device::Cpu);
            let shorter = RecurrentConfig { num_layers, ..config.clone() };
            let shorter = Recurrent::new(cell, &shorter, vb).unwrap();
            let (expected, _) = shorter.forward_with(&x, options()).unwrap();
            let difference = relative_difference(&outputs[num_layers - 1], &expected).unwrap();
            assert_eq!(difference, 0.0, "layer {num_layers}");
        }
        assert_eq!(state.h.dim(0).unwrap(), 3 * config.num_directions());
        // In training, with the same masks, gradients enter at every layer.
        let gradients = |layer: &Recurrent| -> Vec<Tensor> {
            let mut rng = SeededRng::new(6);
            let options = RunOptions::new().lengths(&lengths).dropout(&mut rng);
            let (outputs, _) = layer.forward_layers(x.as_tensor(), options).unwrap();
            let losses = outputs.iter().map(|outputs| {
                outputs.mul(&common::ripple(outputs).unwrap()).unwrap().sum_all().unwrap()
            });
            let loss = losses.reduce(|a, b| (a + b).unwrap()).unwrap();
            let store = loss.backward().unwrap();
            let variables = variables.data().lock().unwrap();
            let mut names: Vec<&String> = variables.keys().collect();
            names.sort();
            let weights = names.into_iter().map(|name| store.get(&variables[name]).unwrap());
            std::iter::once(store.get(&x).unwrap()).chain(weights).cloned().collect()
        };
        let expected = gradients(&layer.clone().with_backend(Backend::Reference));
        for set in sets() {
            let got = gradients(&layer.clone().with_backend(Backend::Fused(set)));
            for (got, expected) in got.iter().zip(&expected) {
                assert!(relative_difference(got, expected).unwrap() < 2e-5, "{set}");
            }
        }
    }
}

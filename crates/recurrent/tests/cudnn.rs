//! cuDNN's passes equal the plain reference. Needs the feature `cuda` and a CUDA device.
#![cfg(feature = "cuda")]
#![allow(clippy::panic, clippy::unwrap_used)] // What cannot be set up is a failure of the test.

mod common;

use candle_core::{DType, Device, Var};
use common::{Case, Kind, assert_close, relative_difference};
use recurrent::{
    Backend, CudnnAlgorithm, CudnnLayout, CudnnLengths, CudnnPlan, Lstm, RecurrentConfig, RunOptions,
    SeededRng,
};
use std::collections::BTreeSet;

/// f32 sums in different orders on two machines, without TF32.
const TOLERANCE_F32: f64 = 1e-5;
/// f64 sums in different orders.
const TOLERANCE_F64: f64 = 1e-12;

fn device() -> Device {
    Device::new_cuda(0).unwrap_or_else(|e| panic!("this test needs a CUDA device: {e}"))
}

fn case(kind: Kind, config: RecurrentConfig, flags: [bool; 2]) -> Case {
    let [has_state, has_lengths] = flags;
    let (batch, steps) = (4, 7);
    let mut rng = SeededRng::new(11);
    let weights = kind.initial_weights(&config, &mut rng, DType::F32).unwrap();
    let weights =
        weights.into_iter().map(|(name, t)| (name, Var::from_tensor(&t).unwrap())).collect();
    let mut var = |shape: (usize, usize, usize)| {
        Var::from_tensor(&rng.standard_normal(shape, DType::F32, &Device::Cpu).unwrap()).unwrap()
    };
    let x = var(if config.batch_first {
        (batch, steps, config.input_size)
    } else {
        (steps, batch, config.input_size)
    });
    let layers = config.num_layers * if config.bidirectional { 2 } else { 1 };
    let projected = if config.proj_size > 0 { config.proj_size } else { config.hidden_size };
    let sizes = [projected, config.hidden_size];
    let states =
        has_state.then(|| (0..kind.n_states()).map(|i| var((layers, batch, sizes[i]))).collect());
    // Unsorted, including the shortest possible.
    let lengths = has_lengths.then(|| vec![3, 7, 1, 5]);
    Case { kind, config, weights, x, states, lengths }
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for kind in &Kind::ALL[..4] {
        let kind = *kind;
        for num_layers in [1, 3] {
            for flags in 0..32 {
                let flag = |bit: usize| flags >> bit & 1 == 1;
                let config = RecurrentConfig {
                    num_layers,
                    bidirectional: flag(0),
                    bias: flag(1),
                    batch_first: flag(2),
                    ..RecurrentConfig::new(5, 6)
                };
                cases.push(case(kind, config.clone(), [flag(3), flag(4)]));
                if kind == Kind::Lstm {
                    let config = RecurrentConfig { proj_size: 3, ..config };
                    cases.push(case(kind, config, [flag(3), flag(4)]));
                }
            }
        }
    }
    cases
}

#[test]
fn outputs_states_and_gradients_equal_the_reference() {
    let device = device();
    let mut faults = Vec::new();
    for case in cases() {
        let expected = case.everything(Backend::Reference).unwrap();
        for (dtype, tolerance) in [(DType::F32, TOLERANCE_F32), (DType::F64, TOLERANCE_F64)] {
            let case = case.to(&device, dtype).unwrap();
            let expected = match dtype {
                DType::F64 => {
                    let case = case.to(&Device::Cpu, dtype).unwrap();
                    case.everything(Backend::Reference).unwrap()
                }
                _ => expected.clone(),
            };
            let got = case.everything(Backend::Cudnn).unwrap();
            for ((name, got), (_, expected)) in got.iter().zip(&expected) {
                let difference = relative_difference(got, expected).unwrap();
                if difference > tolerance || difference.is_nan() {
                    faults.push(format!(
                        "{dtype:?} {:?} {:?} state {} lengths {:?}: {name} differs by {difference:.1e}",
                        case.kind,
                        case.config,
                        case.states.is_some(),
                        case.lengths
                    ));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{} faults\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn the_reference_gives_the_same_on_a_gpu() {
    let device = device();
    for case in cases().into_iter().step_by(5) {
        let expected = case.everything(Backend::Reference).unwrap();
        let case = case.to(&device, DType::F32).unwrap();
        assert_close(&case, Backend::Reference, &expected, TOLERANCE_F32);
    }
}

#[test]
fn dropout_draws_the_masks_of_the_reference() {
    let config = RecurrentConfig { num_layers: 3, dropout: 0.4, ..RecurrentConfig::new(5, 6) };
    let case = case(Kind::Lstm, config, [false, false]).to(&device(), DType::F32).unwrap();
    let run = |backend| {
        let tensors = case
            .weights
            .iter()
            .map(|(name, var)| (name.clone(), var.as_tensor().clone()))
            .collect();
        let vb = candle_nn::VarBuilder::from_tensors(tensors, DType::F32, case.x.device());
        let lstm = Lstm::new(&case.config, vb).unwrap().with_backend(backend);
        let mut rng = SeededRng::new(5);
        let options = RunOptions::new().dropout(&mut rng);
        let (outputs, state) = lstm.forward_with(&case.x, options).unwrap();
        let gradients = outputs.sum_all().unwrap().backward().unwrap();
        [outputs, state.c, gradients.get(&case.x).unwrap().clone()]
    };
    for (got, expected) in run(Backend::Cudnn).iter().zip(&run(Backend::Reference)) {
        assert!(relative_difference(got, expected).unwrap() <= TOLERANCE_F32);
    }
}

#[test]
fn a_graph_runs_backward_twice() {
    let case = case(Kind::Gru, RecurrentConfig::new(5, 6), [true, true]);
    let case = case.to(&device(), DType::F32).unwrap();
    let (outputs, _) = case.forward(Backend::Cudnn).unwrap();
    let loss = outputs.sum_all().unwrap();
    let [first, second] = [(); 2].map(|()| {
        let gradients = loss.backward().unwrap();
        gradients.get(&case.x).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap()
    });
    assert_eq!(first, second);
}

/// Rows without steps: an LSTM and a GRU hold their states past the end, others are left to the reference.
#[test]
fn a_row_of_length_0_keeps_its_state() {
    let device = device();
    for kind in [Kind::Lstm, Kind::Gru, Kind::RnnTanh] {
        for (bidirectional, has_state) in [(false, false), (true, false), (false, true)] {
            let config = RecurrentConfig { bidirectional, ..RecurrentConfig::new(5, 6) };
            let mut case = case(kind, config, [has_state, true]);
            case.lengths = Some(vec![3, 0, 1, 5]);
            let expected = case.everything(Backend::Reference).unwrap();
            let case = case.to(&device, DType::F32).unwrap();
            assert_eq!(case.forward(Backend::Cudnn).is_ok(), kind != Kind::RnnTanh, "{kind:?}");
            assert_close(&case, Backend::Auto, &expected, TOLERANCE_F32);
        }
    }
}

/// All ways to ask cuDNN for a network; it may refuse some.
#[test]
fn every_plan_gives_the_same() {
    let device = device();
    let (mut faults, mut n_run, mut refused) = (Vec::new(), 0, BTreeSet::new());
    let mut rng = SeededRng::new(3);
    for kind in [Kind::Lstm, Kind::Gru, Kind::RnnTanh] {
        for (hidden, num_layers, bidirectional) in [
            (6, 1, false),
            (6, 2, true),
            (64, 1, true),
            (128, 2, false),
            (160, 1, true),
            (192, 1, false),
            (256, 2, false),
        ] {
            for mixed in [false, true] {
                for has_state in [false, true] {
                    let config = RecurrentConfig {
                        num_layers,
                        bidirectional,
                        ..RecurrentConfig::new(hidden + 3, hidden)
                    };
                    let lengths = mixed.then(|| vec![7, 23, 1, 12, 23, 22, 5, 9, 16]);
                    let case =
                        Case::random(kind, config, (9, 23), has_state, lengths, &mut rng).unwrap();
                    let expected = case.everything(Backend::Auto).unwrap();
                    let case = case.to(&device, DType::F32).unwrap();
                    for plan in plans() {
                        let name = format!("{kind:?} H {hidden} L {num_layers} bidirectional {bidirectional} mixed {mixed} state {has_state} {plan:?}");
                        let got = match case.everything(Backend::CudnnPlan(plan)) {
                            Ok(got) => got,
                            Err(error) => {
                                let CudnnPlan { algorithm, layout, .. } = plan;
                                let error = error.to_string();
                                refused.insert(format!("{kind:?} H {hidden} bidirectional {bidirectional} mixed {mixed} {algorithm:?} {:?} {layout:?}: {}", plan.lengths, error.lines().next().unwrap_or_default()));
                                continue;
                            }
                        };
                        n_run += 1;
                        for ((part, got), (_, expected)) in got.iter().zip(&expected) {
                            let difference = relative_difference(got, expected).unwrap();
                            if difference > TOLERANCE_F32 || difference.is_nan() {
                                faults.push(format!("{name}: {part} differs by {difference:.1e}"));
                            }
                        }
                    }
                }
            }
        }
    }
    for refused in &refused {
        println!("refused: {refused}");
    }
    println!("{n_run} runs, {} refusals", refused.len());
    assert!(n_run > 300 && faults.is_empty(), "{} faults\n{}", faults.len(), faults.join("\n"));
}

fn plans() -> Vec<CudnnPlan> {
    let algorithms = [
        CudnnAlgorithm::Standard,
        CudnnAlgorithm::PersistStatic,
        CudnnAlgorithm::PersistStaticSmallH,
    ];
    let mut plans = Vec::new();
    for algorithm in algorithms {
        for lengths in [CudnnLengths::Told, CudnnLengths::Held] {
            for layout in [CudnnLayout::BatchMajor, CudnnLayout::TimeMajor] {
                plans.push(CudnnPlan { algorithm, lengths, layout });
            }
        }
    }
    plans
}

/// The device draws a mask itself; it must be the CPU's.
#[test]
fn dropout_drops_what_it_drops_on_the_cpu() {
    let device = device();
    let (mut here, mut there) = (SeededRng::new(8), SeededRng::new(8));
    for (n, rate) in [(1, 0.5), (5, 0.3), (4096, 0.25), (100_003, 0.9)] {
        let x = SeededRng::new(n as u64).standard_normal(n, DType::F32, &Device::Cpu).unwrap();
        let expected = here.dropout(&x, rate).unwrap().to_vec1::<f32>().unwrap();
        let x = Var::from_tensor(&x.to_device(&device).unwrap()).unwrap();
        let y = there.dropout(&x, rate).unwrap();
        assert_eq!(y.to_vec1::<f32>().unwrap(), expected, "{n}");
        let gradients = y.sum_all().unwrap().backward().unwrap();
        let d_x = gradients.get(&x).unwrap().to_vec1::<f32>().unwrap();
        let scale = (1.0 / (1.0 - rate)) as f32;
        let slopes = expected.iter().map(|&y| if y == 0.0 { 0.0 } else { scale });
        assert_eq!(d_x, slopes.collect::<Vec<_>>(), "{n}");
        assert_eq!(here.position(), there.position());
    }
}

/// As on the CPU: an optimiser may change the variables before the backward pass.
#[test]
fn a_backward_pass_reads_the_weights_of_its_forward_pass() {
    let run = |changes: bool| {
        let case = case(Kind::Lstm, RecurrentConfig::new(5, 6), [true, false]);
        let case = case.to(&device(), DType::F32).unwrap();
        let (outputs, states) = case.forward(Backend::Cudnn).unwrap();
        let loss = case.loss(&outputs, &states).unwrap();
        for (_, var) in case.weights.iter().filter(|_| changes) {
            var.set(&(var.as_tensor() * 2.0).unwrap()).unwrap();
        }
        let gradients = loss.backward().unwrap();
        let vars = case.weights.iter().map(|(_, var)| var).chain([&case.x]);
        vars.map(|var| gradients.get(var).unwrap().clone()).collect::<Vec<_>>()
    };
    for (got, expected) in run(true).iter().zip(&run(false)) {
        assert_eq!(relative_difference(got, expected).unwrap(), 0.0);
    }
}

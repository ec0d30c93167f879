//! cuDNN's passes equal the plain reference. Needs the feature `cuda` and a CUDA device.
#![cfg(feature = "cuda")]
#![allow(clippy::panic, clippy::unwrap_used)] // What cannot be set up is a failure of the test.

mod common;

use candle_core::{DType, Device, Tensor, Var};
use common::{Case, Kind, assert_close, relative_difference, ripple};
use recurrent::cuda::n_replayed;
use recurrent::{
    Backend, CudnnAlgorithm, CudnnLayout, CudnnLengths, CudnnPlan, Lstm, Pooling, RecurrentConfig,
    RunOptions, SeededRng, pool,
};
use std::collections::BTreeSet;

/// f32 sums in different orders on two machines, without TF32.
const TOLERANCE_F32: f64 = 1e-5;
/// cuDNN's persistent kernels approximate the exponential function; 2.9e-5 was seen, in a bias's gradient.
const PERSISTENT_F32: f64 = 5e-5;
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
            let is_held = kind == Kind::Gru || kind == Kind::Lstm && !has_state;
            assert_eq!(case.forward(Backend::Cudnn).is_ok(), is_held, "{kind:?}");
            assert_close(&case, Backend::Auto, &expected, TOLERANCE_F32);
        }
    }
}

/// All ways to ask cuDNN for a network; it may refuse some.
#[test]
fn every_plan_gives_the_same() {
    let device = device();
    let (mut faults, mut n_run, mut refused) = (Vec::new(), 0, BTreeSet::new());
    // Of the persistent algorithms, and of the standard one.
    let mut largest = [0f64; 2];
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
                    // In f64, so that only the GPU's rounding counts.
                    let exact = case.to(&Device::Cpu, DType::F64).unwrap();
                    let expected = exact.everything(Backend::Auto).unwrap();
                    let case = case.to(&device, DType::F32).unwrap();
                    for plan in plans() {
                        let name = format!(
                            "{kind:?} H {hidden} L {num_layers} bidirectional {bidirectional} mixed {mixed} state {has_state} {plan:?}"
                        );
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
                        let is_standard = plan.algorithm == CudnnAlgorithm::Standard;
                        let tolerance = if is_standard { TOLERANCE_F32 } else { PERSISTENT_F32 };
                        for ((part, got), (_, expected)) in got.iter().zip(&expected) {
                            let difference = relative_difference(got, expected).unwrap();
                            largest[usize::from(is_standard)] =
                                largest[usize::from(is_standard)].max(difference);
                            if difference > tolerance || difference.is_nan() {
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
    let [persistent, standard] = largest;
    println!(
        "{n_run} runs, {} refusals; largest deviations: standard {standard:.1e}, persistent {persistent:.1e}",
        refused.len()
    );
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

/// A call that comes again and again is replayed as a graph; its numbers are those of the first.
#[test]
fn a_call_that_comes_again_gives_the_same_bit_for_bit() {
    let device = device();
    let mut rng = SeededRng::new(5);
    let standard = Backend::CudnnPlan(CudnnPlan {
        algorithm: CudnnAlgorithm::Standard,
        lengths: CudnnLengths::Held,
        layout: CudnnLayout::BatchMajor,
    });
    for (kind, num_layers, has_state, lengths) in [
        (Kind::Lstm, 2, true, None),
        (Kind::Lstm, 1, false, None),
        (Kind::Gru, 1, true, Some(vec![7, 23, 1, 12, 23, 22, 5, 9, 16])),
    ] {
        let config = RecurrentConfig { num_layers, ..RecurrentConfig::new(200, 200) };
        // Two inputs in turn: a graph must read each anew.
        let cases = [(); 2].map(|()| {
            let case =
                Case::random(kind, config.clone(), (9, 23), has_state, lengths.clone(), &mut rng);
            case.unwrap().to(&device, DType::F32).unwrap()
        });
        let numbers = |case: &Case| -> Vec<Vec<f32>> {
            let all = case.everything(standard).unwrap();
            all.iter().map(|(_, part)| part.flatten_all().unwrap().to_vec1().unwrap()).collect()
        };
        let first = cases.each_ref().map(numbers);
        let n_before = n_replayed();
        for round in 0..6 {
            for (case, first) in cases.iter().zip(&first) {
                assert!(numbers(case) == *first, "{kind:?}, round {round}");
            }
        }
        // All but the third calls, forward and backward.
        assert!(n_replayed() - n_before >= 20, "{kind:?}: {n_before} and {}", n_replayed());
        // Two forward passes before the first one's backward pass.
        let both = cases.each_ref().map(|case| case.forward(standard).unwrap());
        for ((case, (outputs, states)), first) in cases.iter().zip(both).zip(&first) {
            let gradients = case.loss(&outputs, &states).unwrap().backward().unwrap();
            let d_x = gradients.get(&case.x).unwrap().flatten_all().unwrap();
            let d_x = d_x.to_vec1::<f32>().unwrap();
            assert!(first.contains(&d_x), "{kind:?}: the gradient of the input");
        }
    }
}

/// By row, step and feature.
type Outputs = Vec<Vec<Vec<f32>>>;

/// What outputs are pooled to, and their gradient, feature by feature and step by step.
fn pooled_by_hand(
    outputs: &Outputs,
    lengths: &[usize],
    pooling: Pooling,
    d_pooled: &[Vec<f32>],
) -> (Vec<Vec<f32>>, Outputs) {
    let (mut pooled, mut d_outputs) = (Vec::new(), Vec::new());
    for ((steps, &length), d_pooled) in outputs.iter().zip(lengths).zip(d_pooled) {
        let width = steps[0].len();
        let (mut maxima, mut means) = (vec![0.0; width], vec![0.0; width]);
        let mut d_steps = vec![vec![0.0; width]; steps.len()];
        let d_mean = if pooling.max { width } else { 0 };
        for feature in 0..width {
            let real = || steps[..length].iter().map(|step| step[feature]).enumerate();
            let first = |(at, max): (usize, f32), (step, x): (usize, f32)| {
                if x > max || x.is_nan() && !max.is_nan() { (step, x) } else { (at, max) }
            };
            let Some((at, max)) = real().reduce(first) else { continue };
            let sum: f64 = real().map(|(_, x)| f64::from(x)).sum();
            (maxima[feature], means[feature]) = (max, (sum / length as f64) as f32);
            for d_step in d_steps[..length].iter_mut().filter(|_| pooling.mean) {
                d_step[feature] += d_pooled[d_mean + feature] / length as f32;
            }
            if pooling.max {
                d_steps[at][feature] += d_pooled[feature];
            }
        }
        let parts = [(maxima, pooling.max), (means, pooling.mean)];
        let wanted = parts.into_iter().filter(|(_, wanted)| *wanted);
        pooled.push(wanted.flat_map(|(part, _)| part).collect());
        d_outputs.push(d_steps);
    }
    (pooled, d_outputs)
}

/// Pooled outputs, and the outputs' gradient of a loss, which has `d_pooled` as the gradient of the pooled.
fn pooled_by_kernels(
    outputs: &Var,
    lengths: &[usize],
    pooling: Pooling,
) -> (Vec<Vec<f32>>, Outputs, Vec<Vec<f32>>) {
    let pooled = pool(outputs.as_tensor(), lengths, pooling).unwrap();
    let d_pooled = ripple(&pooled).unwrap();
    let loss = pooled.mul(&d_pooled).unwrap().sum_all().unwrap();
    let [d_outputs, again] = [(); 2].map(|()| {
        let gradients = loss.backward().unwrap();
        gradients.get(outputs).unwrap().to_vec3::<f32>().unwrap()
    });
    assert!(d_outputs == again, "a graph runs backward twice");
    (pooled.to_vec2().unwrap(), d_outputs, d_pooled.to_vec2().unwrap())
}

/// The largest difference relative to 1 or to the number; infinite if only one of two numbers is finite.
fn largest_difference<'a>(pairs: impl Iterator<Item = (&'a f32, &'a f32)>) -> f32 {
    let differences = pairs.map(|(got, expected)| {
        if got == expected || got.is_nan() && expected.is_nan() {
            return 0.0;
        }
        let difference = (got - expected).abs() / expected.abs().max(1.0);
        if difference.is_nan() { f32::INFINITY } else { difference }
    });
    differences.fold(0.0, f32::max)
}

const POOLINGS: [Pooling; 3] = [
    Pooling { max: true, mean: false },
    Pooling { max: false, mean: true },
    Pooling { max: true, mean: true },
];

/// Values and gradients, with equal maxima, and with NaN.
#[test]
fn pooling_on_a_gpu_pools_as_on_the_cpu() {
    let (device, mut rng, mut faults) = (device(), SeededRng::new(6), Vec::new());
    let batch = 5;
    let sizes = [1, 7, 800].map(|steps| [1, 33, 128].map(|width| (steps, width)));
    for (steps, width) in sizes.into_iter().flatten() {
        let full = vec![steps; batch];
        let mixed: Vec<usize> = (0..batch).map(|_| 1 + rng.below(steps)).collect();
        let mut with_empty = mixed.clone();
        (with_empty[1], with_empty[2], with_empty[4]) = (0, steps, 0);
        let normal = rng.standard_normal((batch, steps, width), DType::F32, &Device::Cpu).unwrap();
        let normal: Outputs = normal.to_vec3().unwrap();
        let changed = |change: &dyn Fn(usize, f32) -> f32| -> Outputs {
            let of_step = |(step, numbers): (usize, &Vec<f32>)| {
                numbers.iter().enumerate().map(|(f, &x)| change(step * 31 + f, x)).collect()
            };
            normal.iter().map(|row| row.iter().enumerate().map(of_step).collect()).collect()
        };
        let ties = changed(&|_, x| (x * 2.0).round() / 2.0);
        let nan = changed(&|at, x| if at % 97 == 5 { f32::NAN } else { x });
        let lowest = changed(&|at, x| if at % 3 == 0 { x } else { f32::NEG_INFINITY });
        for (of_what, outputs) in
            [("normal", &normal), ("ties", &ties), ("NaN", &nan), ("-inf", &lowest)]
        {
            let var = Tensor::new(outputs.clone(), &device).unwrap();
            let var = Var::from_tensor(&var).unwrap();
            for lengths in [&full, &mixed, &with_empty] {
                for pooling in POOLINGS {
                    let (pooled, d_outputs, d_pooled) = pooled_by_kernels(&var, lengths, pooling);
                    let expected = pooled_by_hand(outputs, lengths, pooling, &d_pooled);
                    let of_values = pooled.iter().flatten().zip(expected.0.iter().flatten());
                    let of_gradients = d_outputs.iter().flatten().flatten();
                    let of_gradients = of_gradients.zip(expected.1.iter().flatten().flatten());
                    let tolerance = if pooling.mean { TOLERANCE_F32 as f32 } else { 0.0 };
                    for (part, difference, tolerance) in [
                        ("values", largest_difference(of_values), tolerance),
                        ("gradients", largest_difference(of_gradients), 1e-7),
                    ] {
                        if difference > tolerance {
                            faults.push(format!(
                                "{of_what} T {steps} F {width} {lengths:?} {pooling:?}: {part} differ by {difference:.1e}"
                            ));
                        }
                    }
                }
            }
        }
    }
    assert!(faults.is_empty(), "{} faults\n{}", faults.len(), faults.join("\n"));
}

/// A part of a larger tensor, and steps before rows.
#[test]
fn pooling_on_a_gpu_takes_outputs_of_any_layout() {
    let (device, mut rng) = (device(), SeededRng::new(7));
    let x = rng.standard_normal((6, 6, 40), DType::F32, &Device::Cpu).unwrap();
    let x = Var::from_tensor(&x.to_device(&device).unwrap()).unwrap();
    let (lengths, pooling) = ([2, 0, 6], Pooling { max: true, mean: true });
    let part = |x: &Tensor| x.narrow(0, 3, 3).unwrap();
    let turned = |x: &Tensor| x.transpose(0, 1).unwrap().narrow(0, 2, 3).unwrap();
    for view in [&part as &dyn Fn(&Tensor) -> Tensor, &turned] {
        let outputs = view(x.as_tensor());
        let pooled = pool(&outputs, &lengths, pooling).unwrap();
        let of_pooled = ripple(&pooled).unwrap();
        let loss = pooled.mul(&of_pooled).unwrap().sum_all().unwrap();
        let gradients = loss.backward().unwrap();
        let (got, d_pooled) = (pooled.to_vec2::<f32>().unwrap(), of_pooled.to_vec2().unwrap());
        let (expected, d_expected) =
            pooled_by_hand(&outputs.to_vec3().unwrap(), &lengths, pooling, &d_pooled);
        let pairs = got.iter().flatten().zip(expected.iter().flatten());
        assert!(largest_difference(pairs) < TOLERANCE_F32 as f32);
        let d_outputs: Outputs = view(gradients.get(&x).unwrap()).to_vec3().unwrap();
        let pairs = d_outputs.iter().flatten().flatten();
        assert!(largest_difference(pairs.zip(d_expected.iter().flatten().flatten())) < 1e-7);
    }
}

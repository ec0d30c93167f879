//! Outputs, final states and gradients equal PyTorch's up to large shapes: every kind of layer with
//! every batch, number of steps and hidden size, and every combination of three option values.
//!
//! The file holds only digests (`golden/make_wide_golden.py`): each tensor's largest magnitude, some
//! entries, and sums with hashed weights. Both sides generate the inputs by hashing.
#![allow(clippy::unwrap_used)] // A golden file that cannot be read is a failure of the test.

mod common;

use std::collections::BTreeMap;

use candle_core::{DType, Device, Shape, Tensor, Var};
use common::golden_case::GoldenCase;
use common::{Case, Kind};
use recurrent::{Backend, InstructionSet, RecurrentConfig};

/// The project's bound for f32: the largest difference between a tensor's numbers, relative to its
/// largest magnitude.
const TOLERANCE: f64 = 1e-5;

const N_ENTRIES: usize = 32;
const N_SUMS: usize = 2;
const N_CASES: usize = 126;

/// Streams of hashed numbers in a case, one per tensor; seeds are 256 apart.
mod stream {
    pub const X: u32 = 0;
    pub const STATES: u32 = 1;
    pub const LENGTHS: u32 = 3;
    pub const LOSS: u32 = 4;
    pub const PARAMETERS: u32 = 16;
    pub const ENTRIES: u32 = 64;
    pub const SUMS: u32 = 128;
    pub const PER_SEED: u32 = 256;
}

/// A permutation of 32-bit numbers: the finaliser of MurmurHash3.
fn mix(mut x: u32) -> u32 {
    x = (x ^ (x >> 16)).wrapping_mul(0x85EB_CA6B);
    x = (x ^ (x >> 13)).wrapping_mul(0xC2B2_AE35);
    x ^ (x >> 16)
}

fn hashed_bits(stream: u32, n: usize) -> impl Iterator<Item = u32> {
    (1..).take(n).map(move |index| mix(mix(index) ^ stream))
}

/// Numbers of 24 bits in [-1, 1).
fn hashed(stream: u32, n: usize) -> impl Iterator<Item = f64> {
    const HALF: f64 = (1 << 23) as f64;
    hashed_bits(stream, n).map(|bits| (f64::from(bits >> 8) - HALF) / HALF)
}

fn hashed_tensor(
    stream: u32,
    shape: impl Into<Shape>,
    of_unit: impl Fn(f64) -> f64,
) -> candle_core::Result<Tensor> {
    let shape = shape.into();
    let values = hashed(stream, shape.elem_count()).map(|unit| of_unit(unit) as f32);
    Tensor::from_vec(values.collect::<Vec<f32>>(), shape, &Device::Cpu)
}

/// The largest power of 2 that is at most `bound`.
fn power_of_2(bound: f64) -> f64 {
    bound.log2().floor().exp2()
}

/// One case in the file: the call and the digests of PyTorch's results.
struct WideCase {
    name: String,
    first_stream: u32,
    shape: GoldenCase,
    largest: Vec<f64>,
    entries: Vec<f64>,
    sums: Vec<f64>,
}

fn wide_cases() -> Vec<WideCase> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/wide.safetensors");
    let mut digests: BTreeMap<String, BTreeMap<String, Vec<f64>>> = BTreeMap::new();
    for (name, tensor) in candle_core::safetensors::load(path, &Device::Cpu).unwrap() {
        let (case, part) = name.split_once('/').unwrap();
        let numbers = tensor.to_dtype(DType::F64).unwrap().to_vec1().unwrap();
        digests.entry(case.to_string()).or_default().insert(part.to_string(), numbers);
    }
    let cases: Vec<WideCase> = digests
        .into_iter()
        .map(|(case, mut digest)| {
            let (seed, name) = case.split_once(' ').unwrap();
            let mut take = |part: &str| digest.remove(part).unwrap();
            WideCase {
                name: name.to_string(),
                first_stream: seed.parse::<u32>().unwrap() * stream::PER_SEED,
                shape: GoldenCase::parse(name),
                largest: take("largest"),
                entries: take("entries"),
                sums: take("sums"),
            }
        })
        .collect();
    assert_eq!(cases.len(), N_CASES);
    cases
}

impl WideCase {
    /// Multiply-adds of the forward pass.
    fn cost(&self) -> usize {
        let weights: usize = parameter_shapes(self.shape.kind, &self.shape.config)
            .into_iter()
            .map(|(_, shape)| shape.into_iter().product::<usize>())
            .sum();
        weights * self.shape.batch * self.shape.steps
    }

    fn case(&self) -> Case {
        let GoldenCase { kind, config, has_state, has_lengths, batch, steps } = self.shape.clone();
        let var = |stream, shape: &[usize], scale: f64| {
            let stream = self.first_stream + stream;
            Var::from_tensor(&hashed_tensor(stream, shape, |unit| unit * scale).unwrap()).unwrap()
        };
        let weight_scale = power_of_2(1.0 / (config.hidden_size as f64).sqrt());
        let input_scale = 4.0 / (weight_scale * (config.input_size as f64).sqrt());
        let x_shape = [batch, steps, config.input_size];
        let weights = (stream::PARAMETERS..)
            .zip(parameter_shapes(kind, &config))
            .map(|(stream, (name, shape))| (name, var(stream, &shape, weight_scale)))
            .collect();
        let states = has_state.then(|| {
            let layers = config.num_layers * config.num_directions();
            let sizes = [config.h_size(), config.hidden_size];
            (stream::STATES..)
                .zip(&sizes[..kind.n_states()])
                .map(|(stream, &size)| var(stream, &[layers, batch, size], 1.0))
                .collect()
        });
        let lengths = has_lengths.then(|| {
            let mut lengths: Vec<usize> = hashed_bits(self.first_stream + stream::LENGTHS, batch)
                .map(|bits| 1 + bits as usize % steps)
                .collect();
            if batch > 1 {
                (lengths[0], lengths[batch - 1]) = (steps, 1);
            }
            lengths
        });
        let x = var(stream::X, &x_shape, power_of_2(input_scale.min(2.0)));
        Case { kind, config, weights, x, states, lengths }
    }

    /// Descriptions of all differences from PyTorch above the tolerance.
    fn differences(&self, backend: Backend) -> Vec<String> {
        let slopes = |index: usize, part: &Tensor| {
            let stream = self.first_stream + stream::LOSS + index as u32;
            hashed_tensor(stream, part.shape(), |unit| unit + 0.75)
        };
        let results = self.case().everything_with_slopes(backend, slopes).unwrap();
        assert_eq!(results.len(), self.largest.len(), "{}", self.name);
        let mut differences = Vec::new();
        let mut entries = &self.entries[..];
        for (index, (part, got)) in results.into_iter().enumerate() {
            let got: Vec<f64> =
                got.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap();
            let largest = self.largest[index];
            let mut check = |what: &str, got: f64, expected: f64, n_terms: f64| {
                let difference = (got - expected).abs();
                let bound = TOLERANCE * largest * n_terms;
                if difference > bound || difference.is_nan() {
                    let relative = difference / largest / n_terms;
                    differences.push(format!(
                        "{backend}: {}: {part}: {what} is {got:e}, PyTorch's {expected:e}: {relative:.1e}",
                        self.name
                    ));
                }
            };
            check("largest", got.iter().fold(0.0, |most, x| x.abs().max(most)), largest, 1.0);
            let (expected, rest) = entries.split_at(got.len().min(N_ENTRIES));
            entries = rest;
            let index = index as u32;
            let places: Vec<usize> = if got.len() <= N_ENTRIES {
                (0..got.len()).collect()
            } else {
                hashed_bits(self.first_stream + stream::ENTRIES + index, N_ENTRIES)
                    .map(|bits| bits as usize % got.len())
                    .collect()
            };
            for (place, &expected) in places.into_iter().zip(expected) {
                check(&format!("entry {place}"), got[place], expected, 1.0);
            }
            for sum in 0..N_SUMS {
                let stream =
                    self.first_stream + stream::SUMS + (N_SUMS as u32) * index + sum as u32;
                let terms = || hashed(stream, got.len());
                let total: f64 = terms().zip(&got).map(|(weight, x)| weight * x).sum();
                // If no entry differs by more than d, Σ w x differs by at most d Σ |w|.
                let n_terms = terms().map(f64::abs).sum();
                check("sum", total, self.sums[N_SUMS * index as usize + sum], n_terms);
            }
        }
        differences
    }
}

fn parameter_shapes(kind: Kind, config: &RecurrentConfig) -> Vec<(String, Vec<usize>)> {
    kind.cell().parameter_shapes(config)
}

/// Runs the cases that fit, and reports all differences at once.
fn assert_equal(backend: Backend, fits: impl Fn(&WideCase) -> bool) -> usize {
    let cases: Vec<WideCase> = wide_cases().into_iter().filter(fits).collect();
    let differences: Vec<String> =
        cases.iter().flat_map(|case| case.differences(backend)).collect();
    assert!(differences.is_empty(), "{} differ:\n{}", differences.len(), differences.join("\n"));
    cases.len()
}

/// Every case on the default backend: kernels, or the reference for a projection.
#[test]
fn the_automatic_backend_equals_pytorch() {
    assert_eq!(assert_equal(Backend::Auto, |_| true), N_CASES);
}

/// Large enough for several chunks and blocks of the kernels, small enough for the slower ones.
const AFFORDABLE: usize = 2_000_000_000;

#[test]
fn every_instruction_set_equals_pytorch() {
    let others = InstructionSet::ALL.into_iter().filter(|&set| set != InstructionSet::best());
    for set in others.filter(|set| set.is_available()) {
        let fits = |case: &WideCase| case.shape.config.proj_size == 0 && case.cost() <= AFFORDABLE;
        assert!(assert_equal(Backend::Fused(set), fits) > 100);
    }
}

#[test]
fn the_reference_equals_pytorch() {
    // The automatic backend already runs projections on it.
    let fits = |case: &WideCase| case.shape.config.proj_size == 0 && case.cost() <= AFFORDABLE;
    assert!(assert_equal(Backend::Reference, fits) > 100);
}

//! Outputs, final states and gradients equal PyTorch's golden files (`golden/make_golden.py`), and for the GRU
//! whose reset gate acts before the product those of `golden/make_reset_before_golden.py`.
#![allow(clippy::unwrap_used)] // A golden file that cannot be read is a failure of the test.

mod common;

use std::collections::{BTreeMap, HashMap};

use candle_core::{Device, Tensor, Var};
use common::golden_case::GoldenCase;
use common::{Case, Kind, relative_difference};
use recurrent::{Backend, InstructionSet};

/// The project's bound for f32.
const TOLERANCE: f64 = 1e-5;

/// Expected number of tensors in the golden files; otherwise a file that lost cases would pass.
const N_TENSORS: usize = 834;
const N_TENSORS_RESET_BEFORE: usize = 145;

/// Each case's tensors, by case and part.
fn golden(file: &str) -> BTreeMap<String, HashMap<String, Tensor>> {
    let path = format!("{}/tests/golden/{file}.safetensors", env!("CARGO_MANIFEST_DIR"));
    let mut cases: BTreeMap<String, HashMap<String, Tensor>> = BTreeMap::new();
    for (name, tensor) in candle_core::safetensors::load(path, &Device::Cpu).unwrap() {
        let (case, part) = name.split_once('/').unwrap();
        cases.entry(case.to_string()).or_default().insert(part.to_string(), tensor);
    }
    cases
}

/// The call that a case's name and tensors describe.
fn parse(name: &str, parts: &HashMap<String, Tensor>) -> Case {
    let GoldenCase { kind, config, has_state, has_lengths, .. } = GoldenCase::parse(name);
    let var = |part: &str| Var::from_tensor(&parts[part]).unwrap();
    let weights = parts
        .keys()
        .filter(|part| part.starts_with("weight_") || part.starts_with("bias_"))
        .map(|part| (part.clone(), var(part)))
        .collect();
    let states = has_state
        .then(|| (0..kind.n_states()).map(|i| var(&format!("initial state {i}"))).collect());
    let lengths = has_lengths.then(|| {
        let lengths: Vec<u32> = parts["lengths"].to_vec1().unwrap();
        lengths.into_iter().map(|length| length as usize).collect()
    });
    Case { kind, config, weights, x: var("x"), states, lengths }
}

/// Compares every case of a file; `kind` replaces the cell that its names say.
fn assert_golden(file: &str, backend: Backend, kind: Option<Kind>) -> usize {
    let mut n_compared = 0;
    for (name, parts) in &golden(file) {
        let mut case = parse(name, parts);
        case.kind = kind.unwrap_or(case.kind);
        for (part, got) in case.everything(backend).unwrap() {
            let difference = relative_difference(&got, &parts[&part]).unwrap();
            assert!(
                difference <= TOLERANCE,
                "{backend}: {name}: {part} differs by {difference:.1e}"
            );
            n_compared += 1;
        }
    }
    n_compared
}

fn backends() -> impl Iterator<Item = Backend> {
    let sets = InstructionSet::ALL.into_iter().filter(|set| set.is_available());
    sets.map(Backend::Fused).chain([Backend::Reference])
}

#[test]
fn every_implementation_equals_pytorch() {
    for backend in backends() {
        assert_eq!(assert_golden("golden", backend, None), N_TENSORS);
    }
}

#[test]
fn a_gru_that_resets_before_the_product_equals_its_golden_numbers() {
    for backend in backends() {
        let n_compared = assert_golden("reset_before", backend, Some(Kind::GruResetBefore));
        assert_eq!(n_compared, N_TENSORS_RESET_BEFORE);
    }
}

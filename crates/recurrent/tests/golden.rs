//! Outputs, final states and gradients equal PyTorch's golden files (`golden/make_golden.py`).
#![allow(clippy::unwrap_used)] // A golden file that cannot be read is a failure of the test.

mod common;

use std::collections::{BTreeMap, HashMap};

use candle_core::{Device, Tensor, Var};
use common::golden_case::GoldenCase;
use common::{Case, relative_difference};
use recurrent::{Backend, InstructionSet};

/// The project's bound for f32.
const TOLERANCE: f64 = 1e-5;

/// Expected number of tensors in the golden files; otherwise a file that lost cases would pass.
const N_TENSORS: usize = 834;
/// Expected number without projections.
const N_TENSORS_OF_KERNELS: usize = 618;

/// Each case's tensors, by case and part.
fn golden() -> BTreeMap<String, HashMap<String, Tensor>> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/golden.safetensors");
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

fn assert_golden(backend: Backend) {
    let mut n_compared = 0;
    for (name, parts) in &golden() {
        let case = parse(name, parts);
        // No kernel supports projections.
        if case.config.proj_size > 0 && backend != Backend::Reference {
            continue;
        }
        for (part, got) in case.everything(backend).unwrap() {
            let difference = relative_difference(&got, &parts[&part]).unwrap();
            assert!(
                difference <= TOLERANCE,
                "{backend}: {name}: {part} differs by {difference:.1e}"
            );
            n_compared += 1;
        }
    }
    let expected = if backend == Backend::Reference { N_TENSORS } else { N_TENSORS_OF_KERNELS };
    assert_eq!(n_compared, expected);
}

#[test]
fn the_reference_equals_pytorch() {
    assert_golden(Backend::Reference);
}

#[test]
fn every_instruction_set_equals_pytorch() {
    for set in InstructionSet::ALL.into_iter().filter(|set| set.is_available()) {
        assert_golden(Backend::Fused(set));
    }
}

//! Outputs, final states and gradients equal PyTorch's, on golden files (`golden/make_golden.py`).
#![allow(clippy::unwrap_used, clippy::panic)] // A golden file that cannot be read is a failure of the test.

mod common;

use std::collections::{BTreeMap, HashMap};

use candle_core::{Device, Tensor, Var};
use common::{Case, Kind, relative_difference};
use recurrent::{Backend, InstructionSet, RecurrentConfig};

/// The project's bound for f32.
const TOLERANCE: f64 = 1e-5;

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
    let fields: Vec<&str> = name.split(',').collect();
    let [cell, layers, directions, bias, state, lengths, _, _, input, hidden] = fields[..] else {
        panic!("case name {name}");
    };
    let kind = match cell {
        "rnn-tanh" => Kind::RnnTanh,
        "rnn-relu" => Kind::RnnRelu,
        "lstm" => Kind::Lstm,
        "gru" => Kind::Gru,
        other => panic!("cell {other}"),
    };
    let config = RecurrentConfig {
        num_layers: layers.parse().unwrap(),
        bidirectional: directions == "2",
        bias: bias == "bias",
        ..RecurrentConfig::new(input.parse().unwrap(), hidden.parse().unwrap())
    };
    let var = |part: &str| Var::from_tensor(&parts[part]).unwrap();
    let weights = parts
        .keys()
        .filter(|part| part.starts_with("weight_") || part.starts_with("bias_"))
        .map(|part| (part.clone(), var(part)))
        .collect();
    let states = (state == "state")
        .then(|| (0..kind.n_states()).map(|i| var(&format!("initial state {i}"))).collect());
    let lengths = (lengths == "lengths").then(|| {
        let lengths: Vec<u32> = parts["lengths"].to_vec1().unwrap();
        lengths.into_iter().map(|length| length as usize).collect()
    });
    Case { kind, config, weights, x: var("x"), states, lengths }
}

fn assert_golden(backend: Backend) {
    let cases = golden();
    assert!(cases.len() >= 48, "only {} golden cases", cases.len());
    let mut n_compared = 0;
    for (name, parts) in &cases {
        for (part, got) in parse(name, parts).everything(backend).unwrap() {
            let difference = relative_difference(&got, &parts[&part]).unwrap();
            assert!(
                difference <= TOLERANCE,
                "{backend}: {name}: {part} differs by {difference:.1e}"
            );
            n_compared += 1;
        }
    }
    assert!(n_compared > 400, "only {n_compared} tensors compared");
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

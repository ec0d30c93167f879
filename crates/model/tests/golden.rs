//! A model saved with PyTorch's `state_dict` makes the same predictions here, on golden files
//! (`golden/make_golden.py`).
#![allow(clippy::unwrap_used)] // A golden file that cannot be read is a failure of the test.

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use model::{CellKind, ModelConfig, RecurrentClassifier};

/// The project's bound for probabilities.
const TOLERANCE: f32 = 1e-5;

fn golden(file: &str) -> std::collections::HashMap<String, Tensor> {
    let path = format!("{}/tests/golden/{file}.safetensors", env!("CARGO_MANIFEST_DIR"));
    candle_core::safetensors::load(path, &Device::Cpu).unwrap()
}

fn assert_golden(cell: CellKind) {
    let name = cell.parameter_prefix();
    let config = ModelConfig { cell, embedding_dim: 12, hidden_dim: 10, ..ModelConfig::default() };
    let vb = VarBuilder::from_tensors(golden(name), DType::F32, &Device::Cpu);
    let network = RecurrentClassifier::new(&config, 60, vb).unwrap();
    let expected = golden(&format!("{name}.expected"));
    let ids = &expected["ids"];
    let state = network.init_hidden(ids.dim(0).unwrap()).unwrap();
    let (got, _) = network.forward(ids, &state).unwrap();
    let got: Vec<f32> = got.flatten_all().unwrap().to_vec1().unwrap();
    let expected: Vec<f32> = expected["probabilities"].to_vec1().unwrap();
    assert_eq!(got.len(), 9);
    for (got, expected) in got.iter().zip(&expected) {
        assert!((got - expected).abs() <= TOLERANCE, "{name}: {got} where PyTorch has {expected}");
    }
}

#[test]
fn lstm_predicts_what_pytorch_predicts() {
    assert_golden(CellKind::Lstm);
}

#[test]
fn gru_predicts_what_pytorch_predicts() {
    assert_golden(CellKind::Gru);
}

#[test]
fn rnn_predicts_what_pytorch_predicts() {
    assert_golden(CellKind::RnnTanh);
}

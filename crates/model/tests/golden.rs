//! A model saved with PyTorch's `state_dict` makes the same predictions here, on golden files
//! (`golden/make_golden.py`).
#![allow(clippy::unwrap_used)] // A golden file that cannot be read is a failure of the test.

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use model::{CellKind, ModelConfig, Padding, RecurrentClassifier, Task, TaskKind};

/// The project's bound for probabilities, and for logits.
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

fn assert_one_of(pooling: &str) {
    let name = format!("one-of-{pooling}");
    let config = ModelConfig {
        embedding_dim: 12,
        hidden_dim: 10,
        bidirectional: true,
        pooling: pooling.parse().unwrap(),
        padding: Padding::Skip,
        ..ModelConfig::default()
    };
    let task = Task::new(TaskKind::OneOf, ["a", "b", "c", "d", "e"]).unwrap();
    let config = config.for_task(&task).unwrap();
    let vb = VarBuilder::from_tensors(golden(&name), DType::F32, &Device::Cpu);
    let network = RecurrentClassifier::new(&config, 60, vb).unwrap();
    let expected = golden(&format!("{name}.expected"));
    let rows = |tensor: &Tensor| tensor.to_vec2::<f32>().unwrap();
    let logits = rows(&network.logits(&expected["ids"], None, None).unwrap().0);
    let probabilities: Vec<Vec<f32>> = logits.iter().map(|row| task.probabilities(row)).collect();
    for (got, key) in [(&logits, "logits"), (&probabilities, "probabilities")] {
        let expected = rows(&expected[key]);
        assert_eq!((got.len(), got[0].len(), expected.len()), (9, 5, 9));
        for (got, expected) in got.iter().flatten().zip(expected.iter().flatten()) {
            let is_close = (got - expected).abs() <= TOLERANCE;
            assert!(is_close, "{name}, {key}: {got} where PyTorch has {expected}");
        }
    }
}

#[test]
fn a_softmax_over_pooled_outputs_is_what_pytorch_predicts() {
    assert_one_of("max-mean");
}

#[test]
fn attention_beside_other_pooling_is_what_pytorch_predicts() {
    assert_one_of("max-mean-attention");
}

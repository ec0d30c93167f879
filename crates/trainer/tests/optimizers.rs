//! Optimisers match PyTorch's over 50 steps with clipping, and resume bit for bit after a restart.
#![allow(clippy::unwrap_used)] // A golden file that cannot be read is a failure.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor, Var};
use trainer::{Gradients, Optimizer, OptimizerConfig, OptimizerKind, RowGradient, clip_factor};

const RATE: f64 = 0.05;
const MAX_NORM: f64 = 2.0;
const N_STEPS: usize = 50;
/// Relative to the largest value in a tensor.
const TOLERANCE: f64 = 1e-6;

fn golden() -> HashMap<String, Tensor> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/optimizers.safetensors");
    candle_core::safetensors::load(path, &Device::Cpu).unwrap()
}

fn config(kind: OptimizerKind) -> OptimizerConfig {
    OptimizerConfig { kind, ..OptimizerConfig::default() }
}

/// Every optimiser of the golden file.
fn cases() -> [(&'static str, OptimizerConfig); 4] {
    [
        ("adam", config(OptimizerKind::Adam)),
        ("adamw", OptimizerConfig { weight_decay: 0.1, ..config(OptimizerKind::Adam) }),
        ("sparse-adam", config(OptimizerKind::SparseAdam)),
        ("sgd", OptimizerConfig { momentum: 0.9, ..config(OptimizerKind::Sgd) }),
    ]
}

/// A table and a matrix in training on the golden file's gradients.
struct Training {
    golden: HashMap<String, Tensor>,
    table: Var,
    matrix: Var,
    optimizer: Optimizer,
}

impl Training {
    fn start(config: OptimizerConfig, dtype: DType) -> Self {
        let golden = golden();
        let var = |name: &str| Var::from_tensor(&golden[name].to_dtype(dtype).unwrap()).unwrap();
        let (table, matrix) = (var("table"), var("matrix"));
        let optimizer = Optimizer::new(config, [("matrix".to_string(), matrix.clone())])
            .and_then(|optimizer| optimizer.with_table("table", table.clone()))
            .unwrap();
        Self { golden, table, matrix, optimizer }
    }

    fn gradients(&mut self, t: usize) -> Gradients {
        let dtype = self.table.dtype();
        let of_step = |name: &str| self.golden[name].get(t).unwrap().to_dtype(dtype).unwrap();
        let ids: Vec<i64> = self.golden["ids"].get(t).unwrap().to_vec1().unwrap();
        let mut rows: Vec<u32> = ids.iter().map(|&id| id as u32).collect();
        rows.sort_unstable();
        rows.dedup();
        let place = |&id: &i64| rows.iter().position(|&row| i64::from(row) == id).unwrap() as u32;
        let places: Vec<u32> = ids.iter().map(place).collect();

        self.optimizer.catch_up("table", &rows).unwrap();
        let select = |ids: &[u32], from: &Tensor| {
            from.index_select(&Tensor::new(ids, &Device::Cpu).unwrap(), 0).unwrap()
        };
        let row_weights = Var::from_tensor(&select(&rows, &self.table)).unwrap();
        let tokens = select(&places, &row_weights);
        let weighed = |x: &Tensor, name: &str| (x * of_step(name)).unwrap().sum_all().unwrap();
        let loss = (weighed(&self.matrix, "matrix_gradients")
            + weighed(&tokens, "token_gradients"))
        .unwrap();
        let store = loss.backward().unwrap();
        let rows = RowGradient::of(rows, &row_weights, &store);
        self.optimizer.gradients(&store).with_rows("table", rows)
    }

    fn step(&mut self, t: usize) {
        let gradients = self.gradients(t);
        let scale = clip_factor(gradients.norm().unwrap(), MAX_NORM);
        self.optimizer.step(&gradients, RATE, scale).unwrap();
    }

    fn numbers(&mut self) -> [Vec<f64>; 2] {
        self.optimizer.catch_up_all().unwrap();
        [&self.table, &self.matrix].map(|var| flat(var))
    }
}

fn flat(tensor: &Tensor) -> Vec<f64> {
    tensor.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

#[test]
fn fifty_clipped_steps_are_pytorchs() {
    let golden = golden();
    for (name, config) in cases() {
        // f64 uses the code for other devices, whole tensors at a time.
        for dtype in [DType::F32, DType::F64] {
            let mut training = Training::start(config, dtype);
            (0..N_STEPS).for_each(|t| training.step(t));
            let parts = ["table", "matrix"].map(|part| flat(&golden[&format!("{name}.{part}")]));
            for (got, expected) in training.numbers().iter().zip(&parts) {
                assert_eq!(got.len(), expected.len());
                let largest = expected.iter().fold(0.0, |largest: f64, x| largest.max(x.abs()));
                let worst =
                    got.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
                assert!(worst / largest < TOLERANCE, "{name}, {dtype:?}: {}", worst / largest);
            }
        }
    }
}

#[test]
fn idle_rows_move_as_if_every_row_had_a_gradient_of_zero() {
    for (name, config) in cases() {
        let run = |catch_up_always: bool| {
            let mut training = Training::start(config, DType::F32);
            // More idle steps than momentum lasts.
            for t in 0..400 {
                if t < N_STEPS {
                    training.step(t);
                } else {
                    training.optimizer.step(&Gradients::default(), RATE, 1.0).unwrap();
                }
                if catch_up_always {
                    training.optimizer.catch_up_all().unwrap();
                }
            }
            training.numbers()
        };
        let (lazy, eager) = (run(false), run(true));
        for (a, b) in lazy[0].iter().zip(&eager[0]) {
            // What is left out after 128 idle steps is a few 1e-5 of the learning rate.
            assert!((a - b).abs() <= 1e-6 * b.abs() + 4e-5 * RATE, "{name}: {a} {b}");
        }
    }
}

#[test]
fn a_restored_state_goes_on_bit_for_bit() {
    let folder = tempfile::tempdir().unwrap();
    for (name, config) in cases() {
        let path = folder.path().join(name);
        let mut whole = Training::start(config, DType::F32);
        (0..20).for_each(|t| whole.step(t));
        whole.optimizer.save(&path).unwrap();

        let mut resumed = Training::start(config, DType::F32);
        resumed.table.set(whole.table.as_tensor()).unwrap();
        resumed.matrix.set(whole.matrix.as_tensor()).unwrap();
        resumed.optimizer.load(&path).unwrap();
        assert_eq!(resumed.optimizer.n_steps(), 20);
        (20..N_STEPS).for_each(|t| {
            whole.step(t);
            resumed.step(t);
        });
        assert_eq!(whole.numbers(), resumed.numbers(), "{name}");
    }
}

#[test]
fn a_state_of_another_optimiser_is_refused_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let mut sgd = Training::start(config(OptimizerKind::Sgd), DType::F32);
    sgd.step(0);
    sgd.optimizer.save(&path).unwrap();
    let mut adam = Training::start(config(OptimizerKind::Adam), DType::F32);
    let message = adam.optimizer.load(&path).unwrap_err().to_string();
    assert!(message.contains("it was saved by Sgd, expected Adam"), "{message}");
    assert_eq!(adam.optimizer.n_steps(), 0);
    // The moments of these two have the same names and shapes.
    adam.optimizer.save(&path).unwrap();
    let mut sparse = Training::start(config(OptimizerKind::SparseAdam), DType::F32);
    let message = sparse.optimizer.load(&path).unwrap_err().to_string();
    assert!(message.contains("it was saved by Adam, expected SparseAdam"), "{message}");
}

#[test]
fn gradients_of_two_batches_add_up_over_the_rows_of_both() {
    let mut training = Training::start(config(OptimizerKind::Sgd), DType::F32);
    let (a, b) = (training.gradients(3), training.gradients(30));
    let sum = a.plus(&b).unwrap();
    training.optimizer.step(&sum, 1.0, 1.0).unwrap();
    let together = training.numbers();

    let mut training = Training::start(config(OptimizerKind::Sgd), DType::F32);
    for t in [3, 30] {
        let gradients = training.gradients(t);
        training.optimizer.step(&gradients, 1.0, 1.0).unwrap();
    }
    // Without momentum, two steps equal one step by the sum.
    for (a, b) in training.numbers().concat().iter().zip(together.concat()) {
        assert!((a - b).abs() < 1e-6, "{a} {b}");
    }
}

#[test]
fn gradients_that_do_not_fit_are_refused_and_change_nothing() {
    let mut training = Training::start(config(OptimizerKind::Adam), DType::F32);
    training.step(0);
    let before = training.numbers();
    let mut message = |rows: Vec<u32>, n_values: usize| {
        let values = Tensor::ones((n_values, 20), DType::F32, &Device::Cpu).unwrap();
        let gradient = RowGradient::new(rows, values);
        let gradients = Gradients::default().with_rows("table", Some(gradient));
        training.optimizer.step(&gradients, RATE, 1.0).unwrap_err().to_string()
    };
    assert!(message(vec![3, 2], 2).contains("ascending"));
    assert!(message(vec![2, 2], 2).contains("strictly ascending"));
    assert!(message(vec![12], 1).contains("below 12"));
    assert!(message(vec![1, 2], 1).contains("expected [2, 20]"));
    assert_eq!(training.numbers(), before);

    // A row that lags must catch up before it has a gradient.
    training.optimizer.step(&Gradients::default(), RATE, 1.0).unwrap();
    let values = Tensor::ones((1, 20), DType::F32, &Device::Cpu).unwrap();
    let gradients =
        Gradients::default().with_rows("table", Some(RowGradient::new(vec![2], values)));
    let message = training.optimizer.step(&gradients, RATE, 1.0).unwrap_err().to_string();
    assert!(message.contains("row 2 was not caught up"), "{message}");
}

#[test]
fn constants_out_of_range_are_refused() {
    let message = |config: OptimizerConfig| config.check().unwrap_err().to_string();
    let sgd = config(OptimizerKind::Sgd);
    assert!(message(OptimizerConfig { weight_decay: 0.1, ..sgd }).contains("0 with optimizer sgd"));
    assert!(message(OptimizerConfig { momentum: 1.0, ..sgd }).contains("below 1"));
    let adam = config(OptimizerKind::Adam);
    assert!(message(OptimizerConfig { weight_decay: -0.1, ..adam }).contains("at least 0"));
}

//! An input with repeated vectors gives the same results as its steps written out.
#![allow(clippy::unwrap_used)] // A failure to build a random case is a failure of the test.

use std::collections::HashMap;

use candle_core::{DType, Device, Tensor, Var};
use candle_nn::{VarBuilder, VarMap};
use proptest::prelude::*;
use recurrent::{
    Backend, Error, Gru, InstructionSet, Lstm, LstmState, Nonlinearity, RecurrentConfig,
    RepeatedInput, Rnn, RunOptions, SeededRng,
};

#[derive(Debug, Clone)]
struct Case {
    config: RecurrentConfig,
    dtype: DType,
    n_vectors: usize,
    lengths: Vec<usize>,
    steps: usize,
    seed: u64,
}

prop_compose! {
    fn cases()(
        (input_size, hidden_size, num_layers) in (1usize..40, 1usize..40, 1usize..3),
        (bidirectional, batch_first) in any::<(bool, bool)>(),
        dtype in prop::sample::select(vec![DType::F32, DType::F64]),
        n_vectors in 1usize..12,
        (steps, shares) in (1usize..12, prop::collection::vec(0.0..=1.0, 1..40)),
        seed in any::<u64>(),
    ) -> Case {
        let config = RecurrentConfig {
            num_layers, bidirectional, batch_first,
            ..RecurrentConfig::new(input_size, hidden_size)
        };
        let lengths = shares.into_iter().map(|share: f64| (share * steps as f64).round() as usize);
        Case { config, dtype, n_vectors, lengths: lengths.collect(), steps, seed }
    }
}

impl Case {
    fn rng(&self) -> SeededRng {
        SeededRng::new(self.seed)
    }

    fn vectors(&self) -> Tensor {
        let shape = (self.n_vectors, self.config.input_size);
        self.rng().standard_normal(shape, self.dtype, &Device::Cpu).unwrap()
    }

    fn indexes(&self) -> Vec<u32> {
        let n = self.lengths.len() * self.steps;
        let high = self.n_vectors as f32;
        let numbers = self.rng().uniform((0.0, high), n, DType::F32, &Device::Cpu).unwrap();
        numbers
            .to_vec1::<f32>()
            .unwrap()
            .into_iter()
            .map(|x| (x as u32).min(high as u32 - 1))
            .collect()
    }

    /// `[B, T, I]`, or `[T, B, I]` if so configured.
    fn written_out(&self, vectors: &Tensor) -> Tensor {
        let indexes = Tensor::new(self.indexes(), &Device::Cpu).unwrap();
        let shape = (self.lengths.len(), self.steps, self.config.input_size);
        let x = vectors.index_select(&indexes, 0).unwrap().reshape(shape).unwrap();
        if self.config.batch_first { x } else { x.transpose(0, 1).unwrap() }
    }

    fn state(&self) -> LstmState {
        let layers = self.config.num_layers * self.config.num_directions();
        let shape = (layers, self.lengths.len(), self.config.hidden_size);
        let draw =
            |seed| SeededRng::new(seed).standard_normal(shape, self.dtype, &Device::Cpu).unwrap();
        LstmState { h: draw(self.seed ^ 1), c: draw(self.seed ^ 2) }
    }

    fn lstm(&self, backend: Backend) -> Lstm {
        let weights =
            Lstm::initial_weights(&self.config, &mut self.rng(), self.dtype, &Device::Cpu).unwrap();
        let weights: HashMap<String, Tensor> = weights.into_iter().collect();
        let vb = VarBuilder::from_tensors(weights, self.dtype, &Device::Cpu);
        Lstm::new(&self.config, vb).unwrap().with_backend(backend)
    }
}

fn numbers(tensor: &Tensor) -> Vec<f64> {
    tensor.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

fn close(a: &Tensor, b: &Tensor, tolerance: f64) -> bool {
    let mut both = numbers(a).into_iter().zip(numbers(b));
    a.dims() == b.dims() && both.all(|(a, b)| (a - b).abs() < tolerance)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn every_implementation_agrees_with_the_steps_written_out(case in cases()) {
        let (vectors, indexes) = (case.vectors(), case.indexes());
        let input =
            RepeatedInput { vectors: &vectors, indexes: &indexes, batch: case.lengths.len() };
        let x = case.written_out(&vectors);
        let state = case.state();
        let options = || RunOptions::new().state(&state).lengths(&case.lengths);
        let written_out =
            |backend| case.lstm(backend).forward_with(&x, options()).unwrap();
        let (reference, _) = written_out(Backend::Reference);
        let sets = InstructionSet::ALL
            .into_iter()
            .filter(|set| set.is_available())
            .map(Backend::Fused);
        for backend in sets.chain([Backend::Auto, Backend::Reference]) {
            let (expected, LstmState { h, c }) = written_out(backend);
            let (got, state) = case.lstm(backend).forward_repeated(input, options()).unwrap();
            prop_assert!(close(&got, &expected, 1e-6), "{} outputs", backend);
            prop_assert!(close(&state.h, &h, 1e-6) && close(&state.c, &c, 1e-6), "{}", backend);
            // The project's bound for fused against plain.
            prop_assert!(close(&got, &reference, 2e-5), "{} against the plain form", backend);
        }
    }
}

#[test]
fn gru_and_rnn_have_it_too() {
    let config = RecurrentConfig { num_layers: 2, ..RecurrentConfig::new(6, 20) };
    let rows = SeededRng::new(3).standard_normal((4, 6), DType::F32, &Device::Cpu).unwrap();
    let indexes: Vec<u32> = (0..30).map(|i| i * i % 4).collect();
    let input = RepeatedInput { vectors: &rows, indexes: &indexes, batch: 5 };
    let x = rows.index_select(&Tensor::new(&*indexes, &Device::Cpu).unwrap(), 0).unwrap();
    let x = x.reshape((5, 6, 6)).unwrap();
    let vb = |weights: Vec<(String, Tensor)>| {
        VarBuilder::from_tensors(weights.into_iter().collect(), DType::F32, &Device::Cpu)
    };
    let mut rng = SeededRng::new(4);
    let weights = Gru::initial_weights(&config, &mut rng, DType::F32, &Device::Cpu).unwrap();
    let gru = Gru::new(&config, vb(weights)).unwrap();
    let (y, h) = gru.forward_repeated(input, RunOptions::default()).unwrap();
    let (expected_y, expected_h) = gru.forward(&x).unwrap();
    assert!(close(&y, &expected_y, 1e-6) && close(&h, &expected_h, 1e-6));

    let weights = Rnn::initial_weights(&config, &mut rng, DType::F32, &Device::Cpu).unwrap();
    let rnn = Rnn::new(&config, Nonlinearity::Relu, vb(weights)).unwrap();
    let (y, h) = rnn.forward_repeated(input, RunOptions::default()).unwrap();
    let (expected_y, expected_h) = rnn.forward(&x).unwrap();
    assert!(close(&y, &expected_y, 1e-6) && close(&h, &expected_h, 1e-6));
}

#[test]
fn gradients_reach_the_vectors_and_the_weights() {
    let config = RecurrentConfig::new(5, 7);
    let variables = VarMap::new();
    let vb = VarBuilder::from_varmap(&variables, DType::F32, &Device::Cpu);
    let gru = Gru::new(&config, vb).unwrap();
    let rows = SeededRng::new(1).standard_normal((3, 5), DType::F32, &Device::Cpu).unwrap();
    let vectors = Var::from_tensor(&rows).unwrap();
    let indexes = [0, 1, 2, 0, 0, 1, 1, 1];
    let input = RepeatedInput { vectors: &vectors, indexes: &indexes, batch: 2 };
    let (y, _) = gru.forward_repeated(input, RunOptions::default()).unwrap();
    let gradients = y.sqr().unwrap().sum_all().unwrap().backward().unwrap();
    assert_eq!(gradients.get(&vectors).unwrap().dims(), [3, 5]);
    assert!(variables.all_vars().iter().all(|weight| gradients.get(weight).is_some()));
}

#[test]
fn what_does_not_fit_is_said() {
    let case = Case {
        config: RecurrentConfig::new(4, 3),
        dtype: DType::F32,
        n_vectors: 2,
        lengths: vec![3, 3],
        steps: 3,
        seed: 0,
    };
    let (lstm, vectors) = (case.lstm(Backend::Auto), case.vectors());
    let error = |indexes: &[u32], batch| {
        let input = RepeatedInput { vectors: &vectors, indexes, batch };
        lstm.forward_repeated(input, RunOptions::default()).unwrap_err()
    };
    assert!(matches!(error(&[0, 1, 2, 0], 2), Error::Index { index: 2, n_vectors: 2 }));
    assert!(matches!(error(&[0, 1, 1], 2), Error::Shape { .. }));
    assert!(matches!(error(&[0, 1], 0), Error::EmptyBatch));
}

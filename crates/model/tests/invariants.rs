//! Invariants of every network: padding and other texts of the batch change nothing, chunks equal the
//! whole, a saved model predicts as before.
#![allow(clippy::unwrap_used)] // A failure to build a random case is a failure of the test.

use candle_core::{Device, Tensor};
use candle_nn::VarMap;
use model::{
    CellKind, InitConfig, LengthScale, LengthScales, ModelConfig, NgramChoice, NgramVocabulary,
    Padding, PathScaling, Pooling, PoolingPart, RecurrentClassifier, Regularization, TextClasses,
    Vocabularies,
};
use proptest::prelude::*;
use recurrent::SeededRng;

/// The project's bound; measured: exactly 0 on the CPU.
const TOLERANCE: f32 = 1e-6;
const VOCAB: u32 = 30;

fn cells() -> impl Strategy<Value = CellKind> {
    use CellKind::{Gru, Lstm, RnnRelu, RnnTanh};
    prop::sample::select(vec![Lstm, Gru, RnnTanh, RnnRelu])
}

fn poolings() -> impl Strategy<Value = Pooling> {
    let names = ["last", "max", "mean", "attention", "max-mean", "last-max-mean-attention"];
    prop::sample::select(names.to_vec()).prop_map(|name| name.parse().unwrap())
}

prop_compose! {
    fn configs()(
        cell in cells(),
        pooling in poolings(),
        bidirectional in any::<bool>(),
        num_layers in 1usize..3,
        embedding_dim in 1usize..9,
        hidden_dim in 1usize..20,
        outputs in 1usize..4,
    ) -> ModelConfig {
        ModelConfig {
            output_size: Some(outputs), cell, pooling, bidirectional, num_layers, embedding_dim, hidden_dim,
            padding: Padding::Skip,
            ..ModelConfig::default()
        }
    }
}

fn texts() -> impl Strategy<Value = Vec<Vec<u32>>> {
    prop::collection::vec(prop::collection::vec(1..VOCAB, 0..12), 1..8)
}

fn init(
    config: &ModelConfig,
    vocabularies: impl Into<Vocabularies>,
    seed: u64,
) -> (RecurrentClassifier, VarMap) {
    let regularization = Regularization::default();
    let start = InitConfig { seed, ..InitConfig::default() };
    RecurrentClassifier::init(config, &regularization, vocabularies, start, &Device::Cpu).unwrap()
}

fn build(config: &ModelConfig) -> RecurrentClassifier {
    // Like a loaded model: without variables, repeated words are computed once.
    let weights = model::weights(&init(config, VOCAB as usize, 5).1);
    RecurrentClassifier::frozen(config, VOCAB as usize, &weights).unwrap()
}

/// `[B, steps]`, padded on the left.
fn padded(texts: &[Vec<u32>], steps: usize) -> Tensor {
    let rows: Vec<u32> = texts
        .iter()
        .flat_map(|ids| std::iter::repeat_n(0, steps - ids.len()).chain(ids.iter().copied()))
        .collect();
    Tensor::from_vec(rows, (texts.len(), steps), &Device::Cpu).unwrap()
}

fn flat(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

fn logits(network: &RecurrentClassifier, ids: &Tensor) -> Vec<f32> {
    network.logits(ids, None, None).unwrap().0.flatten_all().unwrap().to_vec1().unwrap()
}

fn assert_close(a: &[f32], b: &[f32]) {
    assert_eq!(a.len(), b.len());
    for (a, b) in a.iter().zip(b) {
        assert!((a - b).abs() <= TOLERANCE, "{a} {b}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn padding_never_changes_a_prediction(config in configs(), texts in texts()) {
        let network = build(&config);
        assert_close(&logits(&network, &padded(&texts, 12)), &logits(&network, &padded(&texts, 40)));
    }

    #[test]
    fn rows_in_plain_memory_have_the_logits_of_the_same_rows_as_a_tensor(
        config in configs(), texts in texts(), computes in any::<bool>(),
    ) {
        let padding = if computes { Padding::Compute } else { Padding::Skip };
        let network = build(&ModelConfig { padding, ..config });
        let rows: Vec<&[u32]> = texts.iter().map(Vec::as_slice).collect();
        let of_rows = network.path_logits_of_rows(&rows, 12).unwrap().sum().unwrap();
        assert_close(&flat(&of_rows), &logits(&network, &padded(&texts, 12)));
    }

    #[test]
    fn a_row_does_not_depend_on_its_batch(config in configs(), texts in texts()) {
        let network = build(&config);
        let together = logits(&network, &padded(&texts, 12));
        let alone: Vec<f32> = texts
            .iter()
            .flat_map(|text| logits(&network, &padded(std::slice::from_ref(text), text.len().max(1))))
            .collect();
        assert_close(&together, &alone);
    }

    #[test]
    fn chunks_equal_the_whole(
        mut config in configs(),
        texts in texts(),
        compute_padding in any::<bool>(),
        cut in 1usize..11,
    ) {
        config.bidirectional = false;
        config.pooling = PoolingPart::Last.into();
        config.padding = if compute_padding { Padding::Compute } else { Padding::Skip };
        let network = build(&config);
        let ids = padded(&texts, 12);
        let zero = network.init_hidden(texts.len()).unwrap();
        let (whole, state) = network.forward(&ids, &zero).unwrap();
        let (_, between) = network.forward(&ids.narrow(1, 0, cut).unwrap(), &zero).unwrap();
        let (last, end) = network.forward(&ids.narrow(1, cut, 12 - cut).unwrap(), &between).unwrap();
        let numbers = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert_close(&numbers(&whole), &numbers(&last));
        assert_close(&numbers(&state.h), &numbers(&end.h));
    }
}

#[test]
fn a_network_that_needs_the_whole_text_refuses_chunks() {
    for config in [
        ModelConfig {
            bidirectional: true,
            embedding_dim: 3,
            hidden_dim: 3,
            ..ModelConfig::default()
        },
        ModelConfig {
            pooling: PoolingPart::Max.into(),
            embedding_dim: 3,
            hidden_dim: 3,
            ..ModelConfig::default()
        },
    ] {
        let network = build(&config);
        let state = network.init_hidden(1).unwrap();
        let error = network.forward(&padded(&[vec![1, 2]], 2), &state).unwrap_err();
        assert!(error.to_string().contains("in chunks"), "{error}");
    }
}

#[test]
fn only_a_network_in_training_leaves_something_out() {
    let config = ModelConfig { embedding_dim: 6, hidden_dim: 5, ..ModelConfig::default() };
    let (network, variables) = init(&config, VOCAB as usize, 5);
    assert_eq!(*network.regularization(), Regularization::default());
    let frozen =
        RecurrentClassifier::frozen(&config, VOCAB as usize, &model::weights(&variables)).unwrap();
    assert_eq!(*frozen.regularization(), Regularization::NONE);
    let ids = padded(&[vec![1, 2, 3]], 4);
    let dropped = |network: &RecurrentClassifier| {
        let mut rng = SeededRng::new(7);
        flat(&network.logits(&ids, None, Some(&mut rng)).unwrap().0)
    };
    assert_ne!(dropped(&network), logits(&network, &ids));
    assert_eq!(dropped(&frozen), logits(&frozen, &ids));
    assert_eq!(logits(&frozen, &ids), logits(&network, &ids));
}

#[test]
fn a_linear_path_needs_ngrams_and_a_start_needs_a_scale() {
    let config = ModelConfig { ngram_order: 2, ..ModelConfig::default() };
    let start = |config: &ModelConfig, embedding_std| {
        let (none, start) = (Regularization::NONE, InitConfig { embedding_std, seed: 1 });
        let made = RecurrentClassifier::init(config, &none, VOCAB as usize, start, &Device::Cpu);
        made.map(|_| ()).unwrap_err().to_string()
    };
    let error = start(&config, 1.0);
    assert_eq!(error, "ngram_order is 2, but the network's vocabularies have no n-grams");
    let error = start(&ModelConfig::default(), 0.0);
    assert_eq!(error, "embedding_std is 0; expected a number above 0");
    let choice = NgramChoice { order: 1, min_texts: 2, max_ngrams: None };
    let classes = TextClasses::OneOf(&[0, 1]);
    let error = Vocabularies::learn(9, &[[5u32], [6]], classes, 2, choice).unwrap_err().to_string();
    assert!(error.starts_with("no n-gram occurs in 2 or more training texts"), "{error}");
}

#[test]
fn an_id_beyond_the_vocabulary_is_named() {
    let network = build(&ModelConfig { embedding_dim: 3, hidden_dim: 3, ..ModelConfig::default() });
    let error = network.logits(&padded(&[vec![1], vec![VOCAB]], 2), None, None).unwrap_err();
    assert_eq!(error.to_string(), "row 1 holds id 30; the vocabulary has 30 ids, from 0");
}

#[test]
fn hidden_states_have_the_documented_shape() {
    let config = ModelConfig { embedding_dim: 3, hidden_dim: 4, ..ModelConfig::default() };
    let state = build(&config).init_hidden(7).unwrap();
    assert_eq!(state.h.dims(), [2, 7, 4]);
    assert_eq!(state.c.unwrap().dims(), [2, 7, 4]);
}

/// The n-grams of up to `order` ids of 40 texts in two classes, with log-count ratios.
fn ngrams(order: usize) -> Option<NgramVocabulary> {
    let mut rng = SeededRng::new(9);
    let mut ids = |n: usize| -> Vec<u32> { (0..n).map(|_| 1 + rng.below(28) as u32).collect() };
    let texts: Vec<Vec<u32>> = (0..40).map(|i| ids(3 + i % 9)).collect();
    let labels: Vec<u32> = texts.iter().map(|text| u32::from(text[0] > 14)).collect();
    let choice = NgramChoice { order, min_texts: 1, max_ngrams: None };
    let learned = NgramVocabulary::learn(&texts, TextClasses::OneOf(&labels), 2, choice);
    (order > 0).then(|| learned.with_ratios(&texts, &labels))
}

#[test]
fn scales_by_length_are_those_of_the_formula() {
    let mut rng = SeededRng::new(4);
    let texts: Vec<Vec<u32>> = [0, 1, 7, 9, 30, 140, 900]
        .map(|n| (0..n).map(|_| 1 + rng.below(28) as u32).collect())
        .to_vec();
    let rows: Vec<&[u32]> = texts.iter().map(Vec::as_slice).collect();
    let scale = |at_8, at_800| LengthScale { at_8, at_80: 1.5, at_800 };
    for (ngram_order, outputs) in [(0, 1), (0, 3), (2, 1), (2, 3), (3, 1)] {
        let config = ModelConfig {
            embedding_dim: 4,
            hidden_dim: 3,
            num_layers: 1,
            output_size: Some(outputs),
            padding: Padding::Skip,
            ngram_order,
            ..ModelConfig::default()
        };
        let by_length = ModelConfig { path_scales: PathScaling::ByLength, ..config.clone() };
        let vocabularies = Vocabularies { n_ids: VOCAB as usize, ngrams: ngrams(ngram_order) };
        let (network, variables) = init(&by_length, vocabularies.clone(), 7);
        if ngram_order > 0 {
            let table = &model::sorted(&variables)[model::NGRAM_TABLE];
            table.set(&table.ones_like().unwrap().affine(0.3, 0.0).unwrap()).unwrap();
        }
        let mut plain_weights = model::weights(&variables);
        plain_weights.retain(|name, _| !name.starts_with("paths."));
        let plain = RecurrentClassifier::frozen(&config, vocabularies.clone(), &plain_weights);
        let z = plain.unwrap().path_logits_of_rows(&rows, 1000).unwrap();
        let (recurrent, linear) = (flat(&z.recurrent), z.linear.as_ref().map(flat));

        let has_ratios = ngram_order > 0 && outputs == 1;
        let scales = LengthScales {
            recurrent: scale(1.5, 0.25),
            linear: (ngram_order > 0).then_some(scale(0.125, 3.0)),
            ratios: has_ratios.then_some(scale(2.0, 0.5)),
        };
        let bias = [0.5, -1.0, 0.25];
        let weights = model::weights(&variables);
        let weights = scales.applied(&bias[..outputs], &weights).unwrap();
        let frozen =
            RecurrentClassifier::frozen(&by_length, vocabularies.clone(), &weights).unwrap();
        let got = frozen.path_logits_of_rows(&rows, 1000).unwrap();
        let alone = frozen.without_linear_path().path_logits_of_rows(&rows, 1000).unwrap();
        assert_eq!(flat(&alone.recurrent), flat(&got.recurrent));
        let got = flat(&got.sum().unwrap());
        let ngrams = vocabularies.ngrams.as_ref();
        for (text, ids) in texts.iter().enumerate() {
            let n = (ids.len() as f64).clamp(8.0, 800.0);
            // 0 at 8 and at 80, or at 80 and at 800; 1 at the other end.
            let t = (n.ln() - if n < 80.0 { 8f64.ln() } else { 80f64.ln() }) / 10f64.ln();
            let s = |scale: LengthScale| match n < 80.0 {
                true => (1.0 - t) * scale.at_8 + t * scale.at_80,
                false => (1.0 - t) * scale.at_80 + t * scale.at_800,
            };
            for (output, bias) in bias.iter().enumerate().take(outputs) {
                let at = text * outputs + output;
                let mut expected = s(scales.recurrent) * f64::from(recurrent[at]) + bias;
                if let (Some(scale), Some(linear)) = (scales.linear, &linear) {
                    expected += s(scale) * f64::from(linear[at]);
                }
                if let (Some(scale), Some(ngrams)) = (scales.ratios, ngrams) {
                    expected += s(scale) * f64::from(ngrams.ratio(ids));
                }
                let got = f64::from(got[at]);
                assert!((got - expected).abs() < 1e-5, "{ngram_order} {text}: {got} {expected}");
            }
        }
        // Before they are fitted, scales change nothing.
        let first = network.path_logits_of_rows(&rows, 1000).unwrap();
        assert_close(&flat(&first.recurrent), &recurrent);
        assert_eq!(first.linear.as_ref().map(flat), linear);
        // A text in chunks has no known length.
        let state = network.init_hidden(1).unwrap();
        let ids = padded(&[vec![1, 2]], 2);
        let error = frozen.forward(&ids, &state).unwrap_err().to_string();
        assert!(error.contains("in chunks"), "{error}");
    }
}

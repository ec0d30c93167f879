//! A saved model answers as the network that was saved, and the answer to a text depends on nothing but the text.
#![allow(clippy::unwrap_used)] // A model that cannot be built is a failure of the test.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use candle_nn::VarMap;
use classifier::folder::{self, Existing, OutputFolder, SavedModel, SeenTexts};
use classifier::{Classifier, Error, Prediction};
use model::{
    InitConfig, ModelConfig, NgramChoice, NgramVocabulary, Padding, RecurrentClassifier,
    Regularization, Task, TaskKind, TextClasses, Vocabularies,
};
use proptest::prelude::*;
use tempfile::TempDir;
use text_preprocessing::{PreprocessingConfig, TextEncoder};

/// The project's bound for a text in different company.
const TOLERANCE: f32 = 1e-6;

fn init(
    config: &ModelConfig,
    vocabularies: impl Into<Vocabularies>,
    seed: u64,
) -> (RecurrentClassifier, VarMap) {
    let start = InitConfig { seed, ..InitConfig::default() };
    RecurrentClassifier::init(config, &Regularization::NONE, vocabularies, start, &Device::Cpu)
        .unwrap()
}

/// Saves a network that answers negative or positive.
fn save(
    output: &OutputFolder,
    config: &ModelConfig,
    encoder: &TextEncoder,
    ngrams: Option<&NgramVocabulary>,
    variables: &VarMap,
) {
    let (task, seen) = (&Task::binary(), &SeenTexts::default());
    let model = SavedModel {
        config,
        task,
        thresholds: None,
        encoder,
        ngrams,
        weights: &model::weights(variables),
        seen,
    };
    output.save(&model, &serde_json::json!({})).unwrap();
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
    flat(&network.logits(ids, None, None).unwrap().0)
}

const WORDS: [&str; 12] =
    ["a", "fine", "film", "dull", "plot", "and", "acting", "not", "good", "bad", "at", "all"];

/// A network with a linear path and large weights, so that its answers differ.
fn made(kind: TaskKind, padding: Padding) -> (TempDir, PathBuf) {
    let classes: &[&str] = match kind {
        TaskKind::Binary => &["no", "yes"],
        TaskKind::OneOf | TaskKind::AnyOf => &["a", "b", "c", "d"],
    };
    let task = Task::new(kind, classes.iter().copied()).unwrap();
    let config = PreprocessingConfig { seq_len: 20, min_frequency: 1, ..Default::default() };
    let texts: Vec<String> = (0..40).map(|i| text(&[i, 3 * i + 1, 7 * i, i + 5])).collect();
    let encoder = TextEncoder::learn(config, &texts).unwrap();
    let config = ModelConfig {
        embedding_dim: 7,
        hidden_dim: 9,
        padding,
        bidirectional: true,
        ngram_order: 2,
        pooling: "max-mean".parse().unwrap(),
        ..ModelConfig::default()
    };
    let config = config.for_task(&task).unwrap();
    let ids = encoder.encode_batch(&texts).unwrap();
    let of_texts: Vec<u32> = (0..40).map(|i| i % task.n_classes() as u32).collect();
    let starts: Vec<usize> = (0..=40).collect();
    let classes = match kind {
        TaskKind::AnyOf => TextClasses::AnyOf { starts: &starts, classes: &of_texts },
        _ => TextClasses::OneOf(&of_texts),
    };
    let choice = NgramChoice { order: 2, min_texts: 1, max_ngrams: None };
    let vocabularies =
        Vocabularies::learn(encoder.vocab_size(), &ids, classes, task.n_classes(), choice).unwrap();
    let ngrams = vocabularies.ngrams.clone();
    let variables = init(&config, vocabularies, 11).1;
    for (_, variable) in model::sorted(&variables) {
        variable.set(&(variable.as_tensor() * 3.0).unwrap()).unwrap();
    }
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("model");
    let seen = SeenTexts::default();
    let model = SavedModel {
        config: &config,
        task: &task,
        thresholds: None,
        encoder: &encoder,
        ngrams: ngrams.as_ref(),
        weights: &model::weights(&variables),
        seen: &seen,
    };
    let output = OutputFolder::claim(&path, Existing::Refuse).unwrap();
    output.save(&model, &serde_json::json!({})).unwrap();
    (parent, path)
}

fn text(words: &[usize]) -> String {
    let words: Vec<&str> = words.iter().map(|word| WORDS[word % WORDS.len()]).collect();
    words.join(" ")
}

fn open(path: &Path) -> Classifier {
    Classifier::open(path, &Device::Cpu).unwrap()
}

#[track_caller]
fn assert_same(one: &Prediction, other: &Prediction) {
    for (a, b) in one.probabilities.iter().zip(&other.probabilities) {
        assert!((a - b).abs() <= TOLERANCE, "{one:?} {other:?}");
    }
    let decided = |one: &Prediction| (one.classes.clone(), one.n_tokens, one.n_read, one.n_unknown);
    assert_eq!(decided(one), decided(other));
}

const KINDS: [TaskKind; 3] = [TaskKind::Binary, TaskKind::OneOf, TaskKind::AnyOf];

#[test]
fn a_text_has_one_answer_alone_in_any_batch_in_any_order_and_from_memory() {
    let strategy = prop::collection::vec(prop::collection::vec(0usize..40, 0..30), 1..60);
    for (kind, padding) in KINDS.into_iter().zip([Padding::Skip, Padding::Skip, Padding::Compute]) {
        let (_parent, path) = made(kind, padding);
        let classifier = open(&path);
        let files = folder::read_files(&path).unwrap();
        let from_memory = Classifier::open(files, &Device::Cpu).unwrap();
        assert_eq!(from_memory.id(), classifier.id());
        let config = ProptestConfig { cases: 12, failure_persistence: None, ..Default::default() };
        proptest!(config, |(words in &strategy)| {
            let texts: Vec<String> = words.iter().map(|words| text(words)).collect();
            let together = classifier.predict(&texts).unwrap();
            let reversed: Vec<&String> = texts.iter().rev().collect();
            let reversed = from_memory.predict(&reversed).unwrap();
            for ((text, one), other) in texts.iter().zip(&together).zip(reversed.iter().rev()) {
                assert_same(one, other);
                assert_same(one, &classifier.predict(&[text]).unwrap()[0]);
            }
        });
    }
}

#[test]
fn texts_of_many_batches_have_the_answers_that_they_have_alone() {
    for padding in [Padding::Skip, Padding::Compute] {
        let (_parent, path) = made(TaskKind::AnyOf, padding);
        let classifier = open(&path);
        // More than a batch may have, of all lengths, in no order.
        let texts: Vec<String> = (0..2500)
            .map(|i| text(&(0..i * 7919 % 30).map(|j| i + j * j).collect::<Vec<_>>()))
            .collect();
        let mut n_batches = 0;
        let together = classifier
            .predict_with(&texts, &mut |_| {
                n_batches += 1;
                ControlFlow::Continue(())
            })
            .unwrap();
        assert!(n_batches > 2, "{n_batches}");
        for (text, answer) in texts.iter().zip(&together).step_by(37) {
            assert_same(answer, &classifier.predict(&[text]).unwrap()[0]);
        }
    }
}

#[test]
fn parts_that_do_not_fit_together_are_no_classifier() {
    let (_parent, path) = made(TaskKind::OneOf, Padding::Skip);
    let loaded = open(&path);
    let parts = |task: Task, thresholds| {
        let (network, encoder) = (loaded.network().clone(), loaded.encoder().clone());
        Classifier::new(network, encoder, task, thresholds).map(|_| ()).map_err(|e| e.to_string())
    };
    parts(loaded.task().clone(), Some(vec![0.5; 4])).unwrap();
    assert!(parts(Task::binary(), None).unwrap_err().contains("4 outputs, expected 1"));
    assert!(parts(loaded.task().clone(), Some(vec![0.5])).unwrap_err().contains("thresholds"));
    let other = TextEncoder::learn(PreprocessingConfig::default(), &["one two"]).unwrap();
    let other = Classifier::new(loaded.network().clone(), other, loaded.task().clone(), None);
    assert!(other.unwrap_err().to_string().contains("ids, expected"));
}

#[test]
fn threads_that_ask_at_the_same_time_get_the_answers_that_one_gets() {
    let (_parent, path) = made(TaskKind::OneOf, Padding::Skip);
    let classifier = open(&path);
    let texts: Vec<String> =
        (0..200).map(|i| text(&[i, i / 3, i / 7, i * i, i + 1][..1 + i % 5])).collect();
    let expected = classifier.predict(&texts).unwrap();
    for n_threads in [1, 2, 8] {
        recurrent::set_num_threads(n_threads);
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    let answers = classifier.clone().predict(&texts).unwrap();
                    answers.iter().zip(&expected).for_each(|(one, other)| assert_same(one, other));
                });
            }
        });
    }
    recurrent::set_num_threads(0);
}

#[test]
fn a_prediction_can_be_stopped_and_reports_its_progress() {
    let (_parent, path) = made(TaskKind::Binary, Padding::Skip);
    let classifier = open(&path);
    let texts = vec!["a fine film"; 5000];
    let mut n_texts = 0;
    classifier
        .predict_with(&texts, &mut |n| {
            n_texts += n;
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(n_texts, texts.len());
    let stopped = classifier.predict_with(&texts, &mut |_| ControlFlow::Break(()));
    assert!(matches!(stopped, Err(Error::Stopped)));
    assert!(classifier.predict(&[""; 0]).unwrap().is_empty());
}

#[test]
fn weights_that_are_not_finite_are_no_answer() {
    let (_parent, path) = made(TaskKind::OneOf, Padding::Skip);
    let loaded = open(&path);
    let config = loaded.network().config().clone();
    let vocabularies = loaded.network().vocabularies().clone();
    let variables = init(&config, vocabularies.clone(), 3).1;
    let fc = model::sorted(&variables).remove("fc.bias").unwrap();
    fc.set(&(fc.as_tensor() / 0.0).unwrap()).unwrap();
    let network =
        RecurrentClassifier::frozen(&config, vocabularies, &model::weights(&variables)).unwrap();
    let broken =
        Classifier::new(network, loaded.encoder().clone(), loaded.task().clone(), None).unwrap();
    let error = broken.predict(&["a fine film", "dull"]).unwrap_err().to_string();
    assert!(error.contains("for 2 of 2 texts: its weights are not finite"), "{error}");
}

#[test]
fn files_in_memory_that_are_missing_or_mixed_are_refused() {
    let (_parent, path) = made(TaskKind::Binary, Padding::Skip);
    let (_other, other) = made(TaskKind::OneOf, Padding::Skip);
    let files = folder::read_files(&path).unwrap();
    let names: Vec<&str> = files.keys().map(String::as_str).collect();
    let expected = [
        "config.json",
        "metrics.json",
        "model.safetensors",
        "ngrams.safetensors",
        "tokenizer.json",
    ];
    assert_eq!(names, expected);
    let refusal = |files| Classifier::open(files, &Device::Cpu).unwrap_err().to_string();
    for name in expected {
        let mut fewer = files.clone();
        fewer.remove(name);
        if name == "metrics.json" {
            Classifier::open(fewer, &Device::Cpu).unwrap();
            continue;
        }
        let error = refusal(fewer);
        assert!(error.starts_with(&format!("{name} is missing")), "{error}");
        let mut mixed = files.clone();
        mixed.insert(name.to_string(), folder::read_files(&other).unwrap()[name].clone());
        if name != "tokenizer.json" {
            let error = refusal(mixed);
            assert!(error.contains("belongs to a different model"), "{name}: {error}");
        }
        let mut cut = files.clone();
        let half = &files[name][..files[name].len() / 2];
        cut.insert(name.to_string(), half.into());
        let error = refusal(cut);
        assert!(error.contains(name), "{name}: {error}");
    }
}

#[test]
fn a_saved_and_loaded_model_predicts_bit_identically() {
    let texts = ["a fine film", "a dull film", "fine acting and a dull plot"];
    let encoder = TextEncoder::learn(PreprocessingConfig::default(), &texts).unwrap();
    let config = ModelConfig { embedding_dim: 6, hidden_dim: 5, ..ModelConfig::default() };
    let (network, variables) = init(&config, encoder.vocab_size(), 3);
    let parent = tempfile::tempdir().unwrap();
    let target = parent.path().join("model");
    let output = OutputFolder::claim(&target, Existing::Refuse).unwrap();
    save(&output, &config, &encoder, None, &variables);
    // A second save replaces the first and leaves nothing else behind.
    save(&output, &config, &encoder, None, &variables);
    drop(output);
    assert_eq!(std::fs::read_dir(parent.path()).unwrap().count(), 1);

    let loaded = Classifier::open(&target, &Device::Cpu).unwrap();
    let encoded = encoder.encode_batch(&texts).unwrap();
    assert_eq!(loaded.encoder().encode_batch(&texts).unwrap(), encoded);
    let ids = padded(&encoded, 10);
    assert_eq!(logits(&network, &ids), logits(loaded.network(), &ids));
}

#[test]
fn a_linear_path_goes_with_the_folder() {
    let texts = ["a fine film", "a dull film", "fine acting and a dull plot"];
    let encoder = TextEncoder::learn(PreprocessingConfig::default(), &texts).unwrap();
    let config =
        ModelConfig { embedding_dim: 6, hidden_dim: 5, ngram_order: 2, ..ModelConfig::default() };
    let encoded = encoder.encode_batch(&texts).unwrap();
    let classes = TextClasses::OneOf(&[1, 0, 1]);
    let choice = NgramChoice { order: 2, min_texts: 1, max_ngrams: None };
    let vocabularies =
        Vocabularies::learn(encoder.vocab_size(), &encoded, classes, 2, choice).unwrap();
    let ngrams = vocabularies.ngrams.clone();
    let (network, variables) = init(&config, vocabularies, 3);
    let set = |name, value: f64| {
        let var = model::sorted(&variables).remove(name).unwrap();
        var.set(&var.zeros_like().unwrap().affine(0.0, value).unwrap()).unwrap();
    };
    set(model::NGRAM_TABLE, 0.5);
    set(model::NGRAM_BIAS, -0.25);
    let parent = tempfile::tempdir().unwrap();
    let target = parent.path().join("model");
    let output = OutputFolder::claim(&target, Existing::Refuse).unwrap();
    save(&output, &config, &encoder, ngrams.as_ref(), &variables);
    let loaded = Classifier::open(&target, &Device::Cpu).unwrap();
    let ids = padded(&encoded, 10);
    assert_eq!(logits(&network, &ids), logits(loaded.network(), &ids));
    let of_paths = loaded.network().path_logits(&ids, None, None).unwrap().0;
    let alone = loaded.network().without_linear_path();
    assert_eq!(flat(&of_paths.recurrent), logits(&alone, &ids));
    assert_eq!(flat(&of_paths.sum().unwrap()), logits(&network, &ids));
    // Every parameter of the path affects the result.
    for name in [model::NGRAM_TABLE, model::NGRAM_BIAS] {
        set(name, 0.0);
        assert_ne!(logits(&network, &ids), logits(loaded.network(), &ids), "{name}");
        assert_ne!(logits(&network, &ids), logits(&alone, &ids), "{name}");
        set(name, if name == model::NGRAM_TABLE { 0.5 } else { -0.25 });
        assert_eq!(logits(&network, &ids), logits(loaded.network(), &ids), "{name}");
    }

    let file = target.join(folder::NGRAMS_FILE);
    std::fs::write(&file, "cut").unwrap();
    let error = Classifier::open(&target, &Device::Cpu).unwrap_err().to_string();
    assert!(error.contains("ngrams.safetensors cannot be read"), "{error}");
    std::fs::remove_file(&file).unwrap();
    let error = Classifier::open(&target, &Device::Cpu).unwrap_err().to_string();
    assert!(error.contains("ngrams.safetensors is missing"), "{error}");
}

//! Copies and conversions of the training data are recognised as seen.
#![allow(clippy::unwrap_used)] // A training that cannot be set up is a failure of the test.

use std::path::Path;

use candle_core::{Device, Tensor};
use classifier::Classifier;
use classifier::folder::{Existing, OutputFolder, SeenTexts};
use dataset::LabelledTexts;
use model::{
    InitConfig, ModelConfig, Padding, PoolingPart, RecurrentClassifier, Regularization, Task,
};
use text_preprocessing::{PreprocessingConfig, text_digests};
use trainer::{
    DataOrigin, Evaluation, PretrainingConfig, Scope, Silent, SplitPlan, StateCarry,
    TrainingConfig, TrainingJob, encode_rows, evaluate_seen, prepare, split,
};

/// Texts that are unrelated to their labels, so that correct predictions must be memorised.
fn texts() -> (Vec<String>, Vec<u8>) {
    let texts = (0..200).map(|i| format!("a film called w{} by w{}", i * 7919 % 1009, i * 31 % 97));
    (texts.collect(), (0..200u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 31) as u8).collect())
}

fn trained(folder: &Path, epochs: usize) {
    let (texts, labels) = texts();
    let table = LabelledTexts::new(&texts, labels).unwrap();
    let plan = SplitPlan::default();
    let data = prepare(&table, &plan, &PreprocessingConfig::default()).unwrap();
    let options = (dataset::ReadOptions::default(), dataset::LabelOptions::default());
    let origin = DataOrigin::new(
        "made.csv",
        table.columns().clone(),
        options,
        table.fingerprint(),
        plan,
        &data,
    );
    let model = ModelConfig {
        embedding_dim: 16,
        hidden_dim: 16,
        num_layers: 1,
        pooling: PoolingPart::Max.into(),
        padding: Padding::Skip,
        ..ModelConfig::default()
    };
    let training = TrainingConfig {
        epochs,
        batch_size: 16,
        learning_rate: 0.02,
        state: StateCarry::Zero,
        ..TrainingConfig::default()
    };
    let job = TrainingJob {
        recipe: "test",
        model: &model,
        regularization: &Regularization::NONE,
        training: &training,
        pretraining: &PretrainingConfig::default(),
        data: &data,
        origin,
        device: &Device::Cpu,
        folder: &OutputFolder::claim(folder, Existing::Refuse).unwrap(),
    };
    job.run(&mut Silent).unwrap();
}

fn evaluate(folder: &Path, table: &LabelledTexts, seen: Option<&SeenTexts>) -> Evaluation {
    let loaded = Classifier::open(folder, &Device::Cpu).unwrap();
    let rows: Vec<u32> = (0..table.len() as u32).collect();
    let encoded = encode_rows(table, &rows, loaded.encoder()).unwrap();
    let digests = text_digests(&table.texts().collect::<Vec<_>>());
    let of = (&encoded, &digests[..]);
    evaluate_seen(&loaded, of, seen, Scope::Given, &mut |_| {}).unwrap()
}

#[test]
fn seen_and_unseen_texts_are_measured_apart_on_any_copy_of_the_training_data() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("model");
    trained(&folder, 25);
    let seen = SeenTexts::load(&folder).unwrap().unwrap();
    let (texts, labels) = texts();
    let converted: Vec<String> = texts
        .iter()
        .enumerate()
        .map(|(i, text)| match i % 3 {
            0 => text.to_uppercase(),
            1 => format!("  {}. ", text.replace(' ', ",  ")),
            _ => text.replace(' ', "<br />"),
        })
        .collect();
    for copy in [&texts, &converted] {
        let table = LabelledTexts::new(copy, labels.clone()).unwrap();
        let Evaluation { all, by_seen, warnings, .. } = evaluate(&folder, &table, Some(&seen));
        let by_seen = by_seen.unwrap();
        let counts = [&by_seen.learned, &by_seen.chosen_by, &by_seen.unseen]
            .map(|metrics| metrics.as_ref().unwrap().n_rows());
        assert_eq!((counts, all.n_rows()), ([160, 20, 20], 200));
        let told = warnings[0].to_string();
        assert!(told.starts_with("the model was trained on 160 of these 200 texts"), "{told}");
        // Memorised labels are of no use for other texts.
        assert!(by_seen.learned.as_ref().unwrap().accuracy() > 0.9, "{by_seen:?}");
        assert!(by_seen.unseen.as_ref().unwrap().accuracy() < 0.8, "{by_seen:?}");
    }

    // The test split alone is unseen, and so is anything else.
    let table = LabelledTexts::new(&texts, labels).unwrap();
    let test = split(&table, &SplitPlan::default()).unwrap().split.test;
    let rest: Vec<&str> = table.texts_of(&test).collect();
    let table =
        LabelledTexts::with_targets(&rest, table.targets_of(&test), table.classes().clone())
            .unwrap();
    let evaluation = evaluate(&folder, &table, Some(&seen));
    let by_seen = evaluation.by_seen.unwrap();
    assert_eq!((by_seen.learned, by_seen.chosen_by), (None, None));
    assert_eq!(by_seen.unseen, Some(evaluation.all));
    assert!(evaluation.warnings.iter().all(|warning| !warning.to_string().contains("learned")));
}

#[test]
fn without_a_list_of_texts_it_says_that_it_cannot_tell() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("model");
    trained(&folder, 1);
    let (texts, labels) = texts();
    let table = LabelledTexts::new(&texts, labels).unwrap();
    let evaluation = evaluate(&folder, &table, None);
    assert_eq!(evaluation.by_seen, None);
    assert!(evaluation.warnings[0].to_string().contains("unknown whether these are among them"));
    let json = serde_json::to_string(&evaluation).unwrap();
    assert!(json.contains(r#""by_seen":null"#) && json.contains("seen-unknown"), "{json}");
}

#[test]
fn a_network_with_weights_that_are_no_numbers_is_refused() {
    let (texts, labels) = texts();
    let table = LabelledTexts::new(&texts, labels).unwrap();
    let data = prepare(&table, &SplitPlan::default(), &PreprocessingConfig::default()).unwrap();
    let model = ModelConfig { embedding_dim: 4, hidden_dim: 4, ..ModelConfig::default() };
    let device = &Device::Cpu;
    let (dropout, init) = (Regularization::NONE, InitConfig::default());
    let n_ids = data.encoder.vocab_size();
    let (network, variables) =
        RecurrentClassifier::init(&model, &dropout, n_ids, init, device).unwrap();
    let (encoder, task) = (data.encoder.clone(), Task::binary());
    let model = Classifier::new(network, encoder, task, None).unwrap();
    assert!(trainer::evaluate(&model, &data.test, &mut |_| {}).is_ok());
    let bias = Tensor::new(&[f32::NAN], device).unwrap();
    model::sorted(&variables)["fc.bias"].set(&bias).unwrap();
    let error = trainer::evaluate(&model, &data.test, &mut |_| {}).unwrap_err();
    assert!(error.to_string().contains("is NaN for 20 of 20 texts"), "{error}");
}

//! The training loop on small synthetic texts: it learns, repeats bit for bit, and stops as it should.
#![allow(clippy::unwrap_used)] // A training that cannot be set up is a failure of the test.

use std::cell::Cell;
use std::path::Path;
use std::sync::Arc;

use candle_core::Device;
use classifier::Classifier;
use classifier::folder::{self, Existing, OutputFolder, SeenTexts};
use dataset::{EncodedSplit, LabelledTexts, SplitConfig};
use measures::{Binary, Metrics};
use model::{CellKind, ModelConfig, Padding, PoolingPart, Regularization};
use text_preprocessing::PreprocessingConfig;
use trainer::{
    BatchOrder, ClassWeights, Control, DataOrigin, Ending, Error, Event, Keep, Measurements,
    Observer, OptimizerKind, Part, Prepared, PretrainingConfig, Session, Silent, SplitPlan, Stamp,
    StateCarry, Stop, TrainingConfig, TrainingJob, TrainingReport, prepare,
};

/// 240 texts, labelled by whether they contain `good` or `bad` among uninformative words.
fn data() -> (Prepared, DataOrigin) {
    let texts: Vec<String> = (0..240usize)
        .map(|i| {
            let word = if i % 2 == 0 { "bad" } else { "good" };
            let (before, after) = (i * 7 % 5, i * 11 % 6);
            format!("{}{word}{} w{}", "the film ".repeat(before), " it is".repeat(after), i % 13)
        })
        .enumerate()
        .map(|(i, text)| format!("{text} number{i}"))
        .collect();
    let labels = (0..240).map(|i| u8::from(i % 2 == 1)).collect();
    let table = LabelledTexts::new(&texts, labels).unwrap();
    let plan = SplitPlan::default();
    let data =
        prepare(&table, &plan, &PreprocessingConfig { min_frequency: 2, ..Default::default() })
            .unwrap();
    let origin = origin(&table, plan, &data);
    (data, origin)
}

fn origin(table: &LabelledTexts, plan: SplitPlan, data: &Prepared) -> DataOrigin {
    let (columns, fingerprint) = (table.columns().clone(), table.fingerprint());
    let options = (dataset::ReadOptions::default(), dataset::LabelOptions::default());
    DataOrigin::new("made.csv", columns, options, fingerprint, plan, data)
}

fn small_model() -> ModelConfig {
    ModelConfig {
        embedding_dim: 8,
        hidden_dim: 8,
        num_layers: 1,
        cell: CellKind::Lstm,
        pooling: PoolingPart::Max.into(),
        padding: Padding::Skip,
        ..ModelConfig::default()
    }
}

fn little_dropout() -> Regularization {
    Regularization { output_dropout: 0.1, ..Regularization::NONE }
}

fn fast_training() -> TrainingConfig {
    TrainingConfig {
        epochs: 4,
        batch_size: 16,
        learning_rate: 0.02,
        state: StateCarry::Zero,
        keep: Keep::LowestLoss,
        ..TrainingConfig::default()
    }
}

/// The metrics of two classes.
fn binary(metrics: &Metrics) -> Binary {
    let found = match metrics {
        Metrics::Binary(metrics) => Some(metrics),
        _ => None,
    };
    *found.unwrap()
}

fn train(
    model: &ModelConfig,
    training: &TrainingConfig,
    folder: &Path,
    observer: &mut dyn Observer,
) -> Result<TrainingReport, Error> {
    train_after(&PretrainingConfig::default(), model, training, folder, observer)
}

fn train_with(
    regularization: &Regularization,
    model: &ModelConfig,
    training: &TrainingConfig,
    folder: &Path,
) -> Result<TrainingReport, Error> {
    run(regularization, &PretrainingConfig::default(), (model, training), folder, &mut Silent)
}

fn train_after(
    pretraining: &PretrainingConfig,
    model: &ModelConfig,
    training: &TrainingConfig,
    folder: &Path,
    observer: &mut dyn Observer,
) -> Result<TrainingReport, Error> {
    run(&little_dropout(), pretraining, (model, training), folder, observer)
}

fn run(
    regularization: &Regularization,
    pretraining: &PretrainingConfig,
    (model, training): (&ModelConfig, &TrainingConfig),
    folder: &Path,
    observer: &mut dyn Observer,
) -> Result<TrainingReport, Error> {
    let (data, origin) = data();
    let folder = &OutputFolder::claim(folder, Existing::Replace)?;
    let settings = (regularization, pretraining, model, training);
    job(settings, (&data, origin), folder).run(observer)
}

/// A training on the CPU.
fn job<'a>(
    (regularization, pretraining, model, training): (
        &'a Regularization,
        &'a PretrainingConfig,
        &'a ModelConfig,
        &'a TrainingConfig,
    ),
    (data, origin): (&'a Prepared, DataOrigin),
    folder: &'a OutputFolder,
) -> TrainingJob<'a> {
    TrainingJob {
        recipe: "test",
        model,
        regularization,
        training,
        pretraining,
        data,
        origin,
        device: &Device::Cpu,
        folder,
    }
}

/// Trains on other data than [`data`].
fn train_on(
    data: &Prepared,
    (model, training): (&ModelConfig, &TrainingConfig),
    table: &LabelledTexts,
    folder: &Path,
) -> TrainingReport {
    let origin = origin(table, SplitPlan::default(), data);
    let folder = &OutputFolder::claim(folder, Existing::Refuse).unwrap();
    let (little, none) = (&little_dropout(), &PretrainingConfig::default());
    let job = job((little, none, model, training), (data, origin), folder);
    job.run(&mut Silent).unwrap()
}

#[test]
fn a_small_network_learns_the_telling_word() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("model");
    let report = train(&small_model(), &fast_training(), &folder, &mut Silent).unwrap();
    assert_eq!(report.history.len(), 4);
    assert_eq!(report.ended, Ending::Complete);
    let best = report.kept().unwrap();
    assert!(best.validation.accuracy() > 0.95, "{best:?}");
    assert!(report.history[0].train_loss > report.history[3].train_loss);
    // The report on disk is the one that was returned, and the model there is the best.
    let on_disk = TrainingReport::load(&folder).unwrap();
    assert_eq!(on_disk.kept().unwrap().step, best.step);
    assert_eq!((on_disk.model, on_disk.training), (report.model.clone(), report.training.clone()));
    let (data, _) = data();
    let loaded = Classifier::open(&folder, &Device::Cpu).unwrap();
    let again = trainer::evaluate(&loaded, &data.validation, &mut |_| {}).unwrap();
    assert_eq!(again, best.validation);
}

#[test]
fn two_runs_with_one_seed_agree_bit_for_bit() {
    let parent = tempfile::tempdir().unwrap();
    let weights = |name: &str, seed| {
        let folder = parent.path().join(name);
        let training = TrainingConfig { epochs: 2, seed, ..fast_training() };
        let dropout = Regularization { embedding_dropout: 0.2, ..little_dropout() };
        train_with(&dropout, &small_model(), &training, &folder).unwrap();
        std::fs::read(folder.join(folder::WEIGHTS_FILE)).unwrap()
    };
    let first = weights("first", 1);
    assert!(first == weights("second", 1));
    assert!(first != weights("third", 2));
}

#[test]
fn every_way_of_training_learns_and_repeats_bit_for_bit() {
    let parent = tempfile::tempdir().unwrap();
    let base = fast_training();
    let ways = [
        ("sparse", TrainingConfig { optimizer: OptimizerKind::SparseAdam, ..base.clone() }),
        ("decay", TrainingConfig { weight_decay: 0.01, ..base.clone() }),
        (
            "sgd",
            TrainingConfig {
                optimizer: OptimizerKind::Sgd,
                momentum: 0.9,
                learning_rate: 0.5,
                ..base.clone()
            },
        ),
        ("average", TrainingConfig { average_decay: 0.9, ..base.clone() }),
        ("accumulation", TrainingConfig { accumulation: 3, batch_size: 5, ..base.clone() }),
        ("adversarial", TrainingConfig { adversarial_norm: 0.05, ..base.clone() }),
        ("taught", TrainingConfig { distillation: 0.5, ..base.clone() }),
        ("buckets", TrainingConfig { batches: BatchOrder::LengthBuckets, ..base }),
    ];
    for (name, training) in ways {
        let weights = |run: &str| {
            let folder = parent.path().join(format!("{name}-{run}"));
            let report = train(&small_model(), &training, &folder, &mut Silent).unwrap();
            let best = report.kept().unwrap();
            assert!(best.validation.accuracy() > 0.9, "{name}: {:?}", best.validation);
            std::fs::read(folder.join(folder::WEIGHTS_FILE)).unwrap()
        };
        assert!(weights("a") == weights("b"), "{name}");
    }
}

/// As the texts are learned with a teacher as well as without, only the losses tell that it does something.
#[test]
fn a_teacher_changes_what_is_learned() {
    let parent = tempfile::tempdir().unwrap();
    let model = ModelConfig { pooling: "max-mean".parse().unwrap(), ..small_model() };
    let losses = |name: &str, training: TrainingConfig| -> Vec<f64> {
        let report = train(&model, &training, &parent.path().join(name), &mut Silent).unwrap();
        report.history.iter().map(|record| record.train_loss).collect()
    };
    let plain = losses("plain", fast_training());
    let taught = losses("taught", TrainingConfig { distillation: 0.5, ..fast_training() });
    assert_ne!(plain, taught);
    // Half of a target is the teacher's doubt.
    assert!(taught.last() > plain.last(), "{taught:?} {plain:?}");
}

/// Windows make an epoch longer, not the training: it still has as many epochs, and retraining counts texts alone.
#[test]
fn windows_are_learned_from_within_the_same_epochs() {
    let parent = tempfile::tempdir().unwrap();
    let trained = |name: &str, windows: usize| {
        let training = TrainingConfig { windows, refit: true, ..fast_training() };
        train(&small_model(), &training, &parent.path().join(name), &mut Silent).unwrap()
    };
    let (plain, with_windows) = (trained("plain", 0), trained("windows", 3));
    for report in [&plain, &with_windows] {
        let epochs: Vec<f64> = report.history.iter().map(|record| record.epoch).collect();
        assert_eq!(epochs, [1.0, 2.0, 3.0, 4.0]);
        assert_eq!(report.refit.as_ref().unwrap().n_rows, 216);
    }
    let steps = |report: &TrainingReport| report.history[0].step;
    assert!(steps(&with_windows) > steps(&plain), "{} {}", steps(&with_windows), steps(&plain));
    assert!(with_windows.kept().unwrap().validation.accuracy() > 0.9);
}

#[test]
fn every_regularisation_and_pooling_learns_and_repeats_bit_for_bit() {
    let parent = tempfile::tempdir().unwrap();
    let base = ModelConfig { bidirectional: true, ..small_model() };
    let little = little_dropout();
    let all = "last-max-mean-attention".parse().unwrap();
    let attention = PoolingPart::Attention.into();
    let ways = [
        ("weight-drop", base.pooling, Regularization { weight_dropout: 0.3, ..little }),
        ("variational", base.pooling, Regularization { variational_dropout: 0.2, ..little }),
        ("words", base.pooling, Regularization { word_dropout: 0.1, ..little }),
        ("attention", attention, little),
        ("all", all, little),
    ];
    for (name, pooling, regularization) in ways {
        let model = ModelConfig { pooling, ..base.clone() };
        let weights = |run: &str| {
            let folder = parent.path().join(format!("{name}-{run}"));
            let report = train_with(&regularization, &model, &fast_training(), &folder).unwrap();
            let best = report.kept().unwrap();
            assert!(best.validation.accuracy() > 0.9, "{name}: {:?}", best.validation);
            std::fs::read(folder.join(folder::WEIGHTS_FILE)).unwrap()
        };
        assert!(weights("a") == weights("b"), "{name}");
    }
}

#[test]
fn a_linear_path_is_fitted_first_and_measured_alone() {
    let parent = tempfile::tempdir().unwrap();
    let model = ModelConfig { ngram_order: 3, ..small_model() };
    let folder = parent.path().join("model");
    // Hardly anything is learned except by the linear path.
    let training = TrainingConfig { epochs: 1, learning_rate: 1e-5, ..fast_training() };
    let report = train(&model, &training, &folder, &mut Silent).unwrap();
    let kept = report.kept().unwrap();
    assert!(kept.validation.accuracy() > 0.9, "{:?}", kept.validation);
    let alone = kept.alone.unwrap();
    assert_eq!(alone.linear.accuracy, report.linear_path.as_ref().unwrap().accuracy());
    assert!(alone.linear.accuracy > 0.9 && alone.recurrent.accuracy < 0.8, "{alone:?}");
    let loaded = Classifier::open(&folder, &Device::Cpu).unwrap();
    let validation = data().0.validation;
    let again = trainer::test(&loaded, &validation, &mut |_| {}).unwrap();
    // The scales were multiplied into the weights: the sums are rounded differently.
    assert!((again.metrics.loss() - kept.validation.loss()).abs() < 1e-6);
    // A scale above 0 changes no class.
    assert_eq!(again.alone.unwrap().linear.accuracy, alone.linear.accuracy);

    // Of too many n-grams, those in the fewest texts are left out.
    let n_ngrams = |folder: &Path| {
        let file = folder.join("ngrams.safetensors");
        candle_core::safetensors::load(file, &Device::Cpu).unwrap()["keys"].elem_count()
    };
    let all = n_ngrams(&folder);
    for (wanted, expected) in [(7, 7), (all + 1, all)] {
        let training = TrainingConfig { max_ngrams: Some(wanted), ..fast_training() };
        let folder = parent.path().join(format!("most-{wanted}"));
        train(&model, &training, &folder, &mut Silent).unwrap();
        assert_eq!(n_ngrams(&folder), expected);
    }
    let none = TrainingConfig { max_ngrams: Some(0), ..fast_training() };
    let error = none.check().unwrap_err().to_string();
    assert!(error.contains("max_ngrams is 0; expected at least 1"), "{error}");

    let training = TrainingConfig { ngram_min_texts: 1000, ..fast_training() };
    let folder = parent.path().join("none");
    let error = train(&model, &training, &folder, &mut Silent).unwrap_err();
    assert!(error.to_string().contains("lower ngram_min_texts"), "{error}");
}

#[test]
fn dead_recurrent_layers_show_in_their_own_score() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("model");
    let model = ModelConfig { ngram_order: 2, ..small_model() };
    train(&model, &fast_training(), &folder, &mut Silent).unwrap();
    let test = data().0.test;
    let measure = || {
        let loaded = Classifier::open(&folder, &Device::Cpu).unwrap();
        trainer::test(&loaded, &test, &mut |_| {}).unwrap().alone.unwrap()
    };
    let alone = measure();
    assert!(alone.linear.accuracy > 0.9 && alone.recurrent.accuracy > 0.9, "{alone:?}");
    zero_recurrent_weights(&folder);
    let alone = measure();
    assert!(alone.linear.accuracy > 0.9, "{alone:?}");
    // Every text gets the same answer.
    assert_eq!(alone.recurrent.accuracy, 0.5, "{alone:?}");
}

/// Overwrites the LSTM's weights in a model folder with zeros.
fn zero_recurrent_weights(folder: &Path) {
    let path = folder.join(folder::WEIGHTS_FILE);
    let mut bytes = std::fs::read(&path).unwrap();
    // 8 bytes with the header's length, the header as JSON, the numbers.
    let start = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header: serde_json::Value = serde_json::from_slice(&bytes[8..start]).unwrap();
    for (name, tensor) in header.as_object().unwrap() {
        if name.starts_with("lstm.") {
            let offset =
                |idx: usize| start + tensor["data_offsets"][idx].as_u64().unwrap() as usize;
            bytes[offset(0)..offset(1)].fill(0);
        }
    }
    std::fs::write(&path, bytes).unwrap();
}

/// 1 text in 8 is positive.
#[test]
fn weighted_classes_are_found_more_often() {
    let parent = tempfile::tempdir().unwrap();
    let texts: Vec<String> = (0..640usize)
        .map(|i| {
            // The word of the rare class, missing from half of its texts and in a few of the others.
            let told = if i % 8 == 0 { i % 16 == 0 } else { i % 12 == 1 };
            format!("{} w{} x{} number{i}", if told { "rare" } else { "common" }, i % 13, i % 7)
        })
        .collect();
    let table =
        LabelledTexts::new(&texts, (0..640).map(|i| u8::from(i % 8 == 0)).collect()).unwrap();
    let config = PreprocessingConfig { min_frequency: 2, ..Default::default() };
    let data = prepare(&table, &SplitPlan::default(), &config).unwrap();
    let recall = |class_weights: ClassWeights, ngram_order, name: &str| {
        let model = ModelConfig { ngram_order, ..small_model() };
        let is_weighted = class_weights != ClassWeights::None;
        let training = TrainingConfig { class_weights, calibrate: true, ..fast_training() };
        let report = train_on(&data, (&model, &training), &table, &parent.path().join(name));
        let kept = report.kept().unwrap();
        assert_eq!(kept.weighted_loss.is_some(), is_weighted);
        assert_eq!(TrainingReport::load(&parent.path().join(name)).unwrap().training, training);
        // What is said of the validation texts is true of the saved model, each path alone included.
        let loaded = Classifier::open(parent.path().join(name), &Device::Cpu).unwrap();
        let both = trainer::test(&loaded, &data.validation, &mut |_| {}).unwrap();
        let difference = both.metrics.loss() - kept.validation.loss();
        assert!(difference.abs() < 1e-5, "{both:?} {kept:?}");
        let recall = binary(&kept.validation).recall;
        assert_eq!((binary(&both.metrics).recall, both.alone), (recall, kept.alone));
        assert_eq!(kept.shift.is_some(), is_weighted);
        recall
    };
    for order in [0, 2] {
        let plain = recall(ClassWeights::None, order, &format!("plain{order}"));
        let balanced = recall(ClassWeights::Balanced, order, &format!("balanced{order}"));
        assert!(balanced > plain, "order {order}: {balanced} {plain}");
    }
}

#[test]
fn pre_training_learns_which_word_follows_and_repeats_bit_for_bit() {
    let parent = tempfile::tempdir().unwrap();
    let model = ModelConfig { bidirectional: true, ..small_model() };
    let training = TrainingConfig { epochs: 1, ..fast_training() };
    let run = |name: &str, epochs| {
        let pretraining = PretrainingConfig {
            epochs,
            batch_size: 16,
            learning_rate: 0.05,
            ..PretrainingConfig::default()
        };
        let folder = parent.path().join(name);
        let report = train_after(&pretraining, &model, &training, &folder, &mut Silent).unwrap();
        (report, std::fs::read(folder.join(folder::WEIGHTS_FILE)).unwrap())
    };
    let (report, weights) = run("first", 6);
    let history = &report.pretraining_history;
    assert_eq!(history.len(), 6);
    assert!(history[5].train_loss < 0.7 * history[0].train_loss, "{history:?}");
    // The texts repeat the same words: far fewer than the vocabulary can follow each of them.
    let vocab_size = data().0.encoder.vocab_size() as f64;
    for perplexity in history[5].perplexity.as_ref().unwrap() {
        assert!(*perplexity > 1.0 && *perplexity < 0.3 * vocab_size, "{history:?} {vocab_size}");
    }
    assert!(weights == run("second", 6).1);
    assert!(weights != run("none", 0).1);
}

#[test]
fn networks_that_see_the_words_they_would_have_to_tell_are_not_pre_trained() {
    let parent = tempfile::tempdir().unwrap();
    let pretraining = PretrainingConfig { epochs: 1, ..PretrainingConfig::default() };
    let model = ModelConfig { bidirectional: true, num_layers: 2, ..small_model() };
    let folder = parent.path().join("model");
    let error = train_after(&pretraining, &model, &fast_training(), &folder, &mut Silent);
    let error = error.unwrap_err().to_string();
    assert!(error.contains("several bidirectional layers"), "{error}");
}

#[test]
fn word_vectors_are_the_embeddings_start() {
    let parent = tempfile::tempdir().unwrap();
    let file = parent.path().join("vectors.txt");
    std::fs::write(&file, "2 8\ngood 1 2 3 4 5 6 7 8\nunheard-of 0 0 0 0 0 0 0 0\n").unwrap();
    let training = TrainingConfig {
        word_vectors: Some(file.clone()),
        epochs: 1,
        learning_rate: 1e-6,
        ..fast_training()
    };
    let folder = parent.path().join("model");
    let report = train(&small_model(), &training, &folder, &mut Silent).unwrap();
    let used = report.word_vectors.unwrap();
    let encoder = data().0.encoder;
    assert_eq!((used.n_found, used.n_words), (1, encoder.vocab_size() - 2));
    let network = Classifier::open(&folder, &Device::Cpu).unwrap().network().clone();
    let row = network.embed_ids(&[encoder.id_of("good").unwrap()]).unwrap();
    let row: Vec<f32> = row.flatten_all().unwrap().to_vec1().unwrap();
    for (got, expected) in row.iter().zip(1u8..) {
        assert!((got - f32::from(expected)).abs() < 1e-3, "{row:?}");
    }

    let model = ModelConfig { embedding_dim: 9, ..small_model() };
    let error = train(&model, &training, &folder, &mut Silent).unwrap_err().to_string();
    assert!(error.contains("model.embedding_dim=8") && error.contains("vectors.txt"), "{error}");
}

#[test]
fn a_second_training_learns_from_the_validation_texts_too() {
    let parent = tempfile::tempdir().unwrap();
    let model = ModelConfig { ngram_order: 2, ..small_model() };
    let pretraining = PretrainingConfig { epochs: 1, ..PretrainingConfig::default() };
    let run = |name: &str, refit| {
        let training = TrainingConfig { refit, epochs: 3, calibrate: true, ..fast_training() };
        let folder = parent.path().join(name);
        let report = train_after(&pretraining, &model, &training, &folder, &mut Silent).unwrap();
        (report, std::fs::read(folder.join(folder::WEIGHTS_FILE)).unwrap(), folder)
    };
    let (report, weights, folder) = run("again", true);
    let refit = report.refit.clone().unwrap();
    // 192 texts and 24 make 14 batches of 16.
    let epochs = report.kept().unwrap().epoch as usize;
    assert_eq!((refit.n_rows, refit.n_steps), (216, 14 * epochs));
    let (first, first_weights, _) = run("once", false);
    assert_eq!(first.refit, None);
    assert_eq!(first.kept().unwrap().validation, report.kept().unwrap().validation);
    assert!(weights != first_weights);
    assert!(weights == run("repeated", true).1);
    assert_eq!(TrainingReport::load(&folder).unwrap().refit, report.refit);
    let loaded = Classifier::open(&folder, &Device::Cpu).unwrap();
    let test = trainer::evaluate(&loaded, &data().0.test, &mut |_| {}).unwrap();
    assert!(test.accuracy() > 0.9, "{test:?}");
    // Not by its linear path alone.
    let network = loaded.network().without_linear_path();
    let (encoder, task) = (loaded.encoder().clone(), loaded.task().clone());
    let recurrent = Classifier::new(network, encoder, task, None).unwrap();
    let test = trainer::evaluate(&recurrent, &data().0.test, &mut |_| {}).unwrap();
    assert!(test.accuracy() > 0.9, "{test:?}");
    // Now it has been trained on the validation texts, too.
    let (seen, of_data) = (SeenTexts::load(&folder).unwrap().unwrap(), data().0.seen);
    assert_eq!(seen.train.len(), 216);
    assert!(of_data.validation.iter().all(|digest| seen.train.binary_search(digest).is_ok()));
    let first = SeenTexts::load(&parent.path().join("once")).unwrap().unwrap();
    assert_eq!(first, of_data);
}

#[test]
fn accumulated_batches_are_one_large_batch() {
    let parent = tempfile::tempdir().unwrap();
    // Without dropout, whose masks would differ; 192 texts make 12 steps either way.
    let report = |batch_size, accumulation| {
        let training = TrainingConfig { batch_size, accumulation, epochs: 1, ..fast_training() };
        let folder = parent.path().join(format!("model-{batch_size}"));
        train_with(&Regularization::NONE, &small_model(), &training, &folder).unwrap()
    };
    let (whole, parts) = (report(16, 1), report(4, 4));
    assert_eq!((whole.history[0].step, parts.history[0].step), (12, 12));
    let difference = whole.history[0].validation.loss() - parts.history[0].validation.loss();
    assert!(difference.abs() < 1e-5, "{difference}");
}

#[test]
fn the_report_tells_where_the_time_went() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("model");
    let report = train(&small_model(), &fast_training(), &folder, &mut Silent).unwrap();
    let profile = report.profile.unwrap();
    assert_eq!(profile.n_steps, 48);
    for part in Part::ALL {
        assert!(profile.seconds(part) > 0.0, "{}", part.name());
        let has_products = matches!(part, Part::RecurrentForward | Part::RecurrentBackward);
        assert_eq!(profile.gflops(part).is_some(), has_products, "{}", part.name());
    }
    let parts: f64 = Part::ALL.iter().map(|&part| profile.seconds(part)).sum();
    assert!((parts + profile.other_s() - profile.total_s).abs() < 1e-6);
}

#[test]
fn a_calibrated_model_tells_the_same_classes_with_honest_probabilities() {
    let parent = tempfile::tempdir().unwrap();
    let run = |calibrate, name: &str| {
        let keep = Keep::Last;
        let training = TrainingConfig { calibrate, keep, epochs: 2, ..fast_training() };
        let folder = parent.path().join(name);
        let model = ModelConfig { ngram_order: 2, ..small_model() };
        let report = train(&model, &training, &folder, &mut Silent).unwrap();
        let loaded = Classifier::open(&folder, &Device::Cpu).unwrap();
        let logits = trainer::logits(loaded.network(), &data().0.validation, 200, &mut |_| {});
        (report, logits.unwrap())
    };
    let ((plain_report, plain), (report, calibrated)) = (run(false, "plain"), run(true, "own"));
    let temperature = report.kept().unwrap().temperature.clone().unwrap().of(0);
    assert_eq!(plain_report.kept().unwrap().temperature, None);
    for (plain, calibrated) in plain.iter().zip(&calibrated) {
        let difference = f64::from(*plain) - f64::from(*calibrated) * temperature;
        assert!(difference.abs() < 1e-4, "{plain} {calibrated} {temperature}");
    }
    // Training itself is unchanged, and the reported metrics are those of the saved file.
    assert_eq!(plain_report.history[1].train_loss, report.history[1].train_loss);
    let kept = binary(&report.kept().unwrap().validation);
    let validation = data().0.validation;
    let own = Binary::of_logits(&calibrated, validation.targets().unwrap().one_of().unwrap(), 0.5);
    let own = own.unwrap();
    assert!((own.loss - kept.loss).abs() < 1e-6 && own.accuracy == kept.accuracy);
}

#[test]
fn the_notebooks_ways_train_too() {
    let parent = tempfile::tempdir().unwrap();
    let model = ModelConfig {
        num_layers: 2,
        pooling: PoolingPart::Last.into(),
        padding: Padding::Compute,
        ..small_model()
    };
    let training = TrainingConfig { state: StateCarry::Carry, epochs: 1, ..fast_training() };
    let dropout = Regularization { layer_dropout: 0.5, ..little_dropout() };
    let report = train_with(&dropout, &model, &training, &parent.path().join("model")).unwrap();
    assert!(report.history[0].train_loss.is_finite());
}

#[test]
fn a_non_finite_loss_stops_and_names_step_rate_and_batch() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("model");
    let training = TrainingConfig { learning_rate: 1e37, clip_norm: 0.0, ..fast_training() };
    let error = train(&small_model(), &training, &folder, &mut Silent).unwrap_err();
    let message = error.to_string();
    for part in ["epoch 1 at step 2", "learning rate 1000000", "batch 2", "training rows"] {
        assert!(message.contains(part), "{message}");
    }
    assert!(message.contains("no model was kept"), "{message}");
    assert!(error.is_divergence());
    assert!(!folder.exists());
}

/// Every weight, logit and metric of a kept model is finite, and its report says what happened.
fn assert_sound(folder: &Path, report: &TrainingReport) {
    let loaded = Classifier::open(folder, &Device::Cpu).unwrap();
    let again = trainer::evaluate(&loaded, &data().0.validation, &mut |_| {}).unwrap();
    // Rounding differs with the scales in the weights, and is large for weights of 1e30.
    assert!(again.loss().is_finite() && report.kept().unwrap().validation.loss().is_finite());
    let bytes = std::fs::read(folder.join(folder::WEIGHTS_FILE)).unwrap();
    let tensors = candle_core::safetensors::load_buffer(&bytes, &Device::Cpu).unwrap();
    for (name, tensor) in tensors {
        let numbers: Vec<f32> = tensor.flatten_all().unwrap().to_vec1().unwrap();
        assert!(numbers.iter().all(|x| x.is_finite()), "{name}");
    }
    let on_disk = TrainingReport::load(folder).unwrap();
    assert_eq!((&on_disk.ended, &on_disk.diverged), (&report.ended, &report.diverged));
    let steps = |report: &TrainingReport| -> Vec<(usize, bool)> {
        report.history.iter().map(|record| (record.step, record.is_kept)).collect()
    };
    assert_eq!(steps(&on_disk), steps(report));
}

#[test]
fn no_learning_rate_leaves_a_model_that_is_not_sound() {
    let parent = tempfile::tempdir().unwrap();
    for (idx, learning_rate) in [1.0, 1e3, 1e20, 1e30, 1e38, 1e300].into_iter().enumerate() {
        for (ngram_order, clip_norm) in [(0, 0.0), (2, 5.0)] {
            let folder = parent.path().join(format!("model-{idx}-{ngram_order}-{clip_norm}"));
            let model = ModelConfig { ngram_order, ..small_model() };
            let training = TrainingConfig {
                learning_rate,
                clip_norm,
                epochs: 2,
                keep: Keep::Last,
                calibrate: true,
                refit: idx % 2 == 0,
                ..fast_training()
            };
            match train(&model, &training, &folder, &mut Silent) {
                Ok(report) => assert_sound(&folder, &report),
                Err(error) => {
                    assert!(error.is_divergence(), "{learning_rate}: {error}");
                    assert!(!folder.exists(), "{learning_rate}: {error}");
                }
            }
        }
    }
}

#[test]
fn a_training_that_diverges_ends_with_the_model_kept_before_and_the_reason() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("model");
    // The first step succeeds and is validated; the second diverges.
    let training = TrainingConfig {
        learning_rate: 1e30,
        clip_norm: 0.0,
        validate_every: 1,
        ..fast_training()
    };
    let mut heard = Heard::default();
    let report = train(&small_model(), &training, &folder, &mut heard).unwrap();
    assert_eq!(report.ended, Ending::Diverged);
    let reason = report.diverged.clone().unwrap();
    assert!(reason.contains("was kept") && reason.contains("learning rate"), "{reason}");
    assert_eq!(heard.reasons, std::slice::from_ref(&reason));
    assert_sound(&folder, &report);
    let warnings: Vec<String> = report.warnings.iter().map(ToString::to_string).collect();
    assert!(warnings[0].ends_with(&reason), "{warnings:?}");
}

#[test]
fn a_pre_training_that_diverges_leaves_the_linear_path() {
    let parent = tempfile::tempdir().unwrap();
    let pretraining = PretrainingConfig {
        epochs: 2,
        learning_rate: 1e38,
        clip_norm: 0.0,
        ..PretrainingConfig::default()
    };
    let run = |ngram_order, name: &str| {
        let model = ModelConfig { ngram_order, ..small_model() };
        let folder = parent.path().join(name);
        (train_after(&pretraining, &model, &fast_training(), &folder, &mut Silent), folder)
    };
    let (without, folder) = run(0, "without");
    assert!(matches!(without, Err(Error::Pretraining { .. })), "{without:?}");
    assert!(!folder.exists());
    // If what the pre-training left can be mixed with it.
    match run(2, "with") {
        (Ok(report), folder) => {
            assert_eq!(report.ended, Ending::Diverged);
            assert!(report.diverged.as_ref().unwrap().contains("pre-training"), "{report:?}");
            assert!(report.kept().unwrap().validation.accuracy() > 0.9);
            assert_sound(&folder, &report);
        }
        (Err(error), folder) => {
            assert!(matches!(error, Error::Pretraining { .. }), "{error}");
            assert!(!folder.exists());
        }
    }
}

#[test]
fn a_linear_path_that_diverges_is_named() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("model");
    let model = ModelConfig { ngram_order: 2, ..small_model() };
    let training = TrainingConfig { ngram_learning_rate: 1e300, ..fast_training() };
    let error = train(&model, &training, &folder, &mut Silent).unwrap_err();
    assert!(error.to_string().contains("try a lower ngram_learning_rate"), "{error}");
    assert!(!folder.exists());
}

/// Records divergence.
#[derive(Default)]
struct Heard {
    reasons: Vec<String>,
}

impl Observer for Heard {
    fn on(&mut self, _: &Stamp, event: &Event) -> trainer::Result<()> {
        if let Event::Diverged { reason } = event {
            self.reasons.push(reason.clone());
        }
        Ok(())
    }
}

#[test]
fn a_report_names_what_makes_its_figures_mean_less() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("model");
    // Nothing is learned: every text gets the same prediction, or a worse one.
    let training = TrainingConfig { epochs: 1, learning_rate: 1e-9, ..fast_training() };
    let mut report = train(&small_model(), &training, &folder, &mut Silent).unwrap();
    let told = |report: &TrainingReport| -> String {
        report.warnings.iter().map(|warning| format!("{warning}\n")).collect()
    };
    let before = told(&report);
    assert!(before.contains("only 24 texts in the validation split"), "{before}");
    assert!(before.contains("only 24 texts in the test split"), "{before}");
    let judged =
        before.lines().filter(|line| line.contains("accuracy") && !line.starts_with("only"));
    assert!(judged.clone().all(|line| line.contains("validation")), "{before}");
    assert_eq!(told(&TrainingReport::load(&folder).unwrap()), before);
    // As if no text were predicted positive.
    let metrics = Binary::of_logits(&[-1.0; 24], &[[0; 12], [1; 12]].concat(), 0.5).unwrap();
    let (metrics, intervals) = (Metrics::Binary(metrics), trainer::Intervals::default());
    report.add_test(Measurements { metrics, intervals, alone: None });
    let after = told(&report);
    assert!(after.contains("predicts negative for every text in the test split"), "{after}");
}

/// Where a report has `null`, by path.
fn nulls(value: &serde_json::Value, path: &str) -> Vec<String> {
    match value {
        serde_json::Value::Null => vec![path.to_string()],
        serde_json::Value::Array(items) => {
            items.iter().flat_map(|item| nulls(item, &format!("{path}[]"))).collect()
        }
        serde_json::Value::Object(fields) => {
            fields.iter().flat_map(|(key, item)| nulls(item, &format!("{path}.{key}"))).collect()
        }
        _ => Vec::new(),
    }
}

#[test]
fn metrics_json_has_numbers_wherever_a_number_is_meant() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("model");
    let model = ModelConfig { ngram_order: 2, ..small_model() };
    let pretraining = PretrainingConfig { epochs: 1, ..PretrainingConfig::default() };
    for learning_rate in [0.02, 1e20] {
        let training =
            TrainingConfig { calibrate: true, epochs: 1, learning_rate, ..fast_training() };
        train_after(&pretraining, &model, &training, &folder, &mut Silent).unwrap();
        let json = std::fs::read(folder.join(folder::METRICS_FILE)).unwrap();
        let mut nulls = nulls(&serde_json::from_slice(&json).unwrap(), "");
        nulls.retain(|path| path != ".diverged" && !path.starts_with(".data.options."));
        // What is not there yet, or was not asked for.
        let expected = [
            ".data.group_column",
            ".data.weight_column",
            ".data.labels.task",
            ".data.labels.map",
            ".data.labels.separator",
            ".data.labels.known",
            ".data.split.sample",
            ".data.summary.n_groups",
            ".refit",
            ".test",
            ".word_vectors",
            ".linear_baseline",
            ".test_alone",
            ".test_intervals",
            ".history[].weighted_loss",
            ".history[].shift",
        ];
        assert!(nulls.iter().all(|path| expected.contains(&path.as_str())), "{nulls:?}");
        TrainingReport::load(&folder).unwrap();
    }
}

#[test]
fn patience_ends_a_training_that_no_longer_improves() {
    let parent = tempfile::tempdir().unwrap();
    // At this rate the loss falls once and then jumps about.
    let training =
        TrainingConfig { epochs: 40, learning_rate: 0.6, patience: 2, ..fast_training() };
    let folder = parent.path().join("model");
    let report = train(&small_model(), &training, &folder, &mut Silent).unwrap();
    assert_eq!(report.ended, Ending::EarlyStopping);
    let since_best = report.history.iter().rev().take_while(|record| !record.is_kept).count();
    assert_eq!(since_best, 2);
}

#[test]
fn the_model_is_kept_that_was_asked_for() {
    let parent = tempfile::tempdir().unwrap();
    let kept = |keep, name: &str| {
        let training = TrainingConfig { keep, epochs: 8, learning_rate: 0.3, ..fast_training() };
        let report = train(&small_model(), &training, &parent.path().join(name), &mut Silent);
        let report = report.unwrap();
        let kept = report.kept().unwrap().clone();
        (kept, report.history)
    };
    let (last, history) = kept(Keep::Last, "last");
    assert_eq!(last, *history.last().unwrap());
    let (lowest, history) = kept(Keep::LowestLoss, "lowest");
    assert!(history.iter().all(|record| record.validation.loss() >= lowest.validation.loss()));
    let (highest, history) = kept(Keep::HighestAccuracy, "highest");
    assert!(
        history.iter().all(|record| record.validation.accuracy() <= highest.validation.accuracy())
    );
}

#[test]
fn validations_inside_an_epoch_are_records_of_their_own() {
    let parent = tempfile::tempdir().unwrap();
    let training = TrainingConfig { epochs: 1, validate_every: 5, ..fast_training() };
    let folder = parent.path().join("model");
    let report = train(&small_model(), &training, &folder, &mut Silent).unwrap();
    let steps: Vec<usize> = report.history.iter().map(|record| record.step).collect();
    assert_eq!(steps, [5, 10, 12]);
}

/// Fails at the first scored batch, of the validations or of the test, and counts what it hears from then on.
struct FailsWhenScored {
    in_test: bool,
    is_in_test: bool,
    n_heard: usize,
}

impl Observer for FailsWhenScored {
    fn on(&mut self, _: &Stamp, event: &Event) -> trainer::Result<()> {
        self.is_in_test |= matches!(event, Event::TestStart { .. });
        let fails = matches!(event, Event::Scored { .. }) && self.is_in_test == self.in_test;
        if fails || self.n_heard > 0 {
            self.n_heard += 1;
            return Err(Error::Observer { reason: "enough".to_string() });
        }
        Ok(())
    }
}

/// The split with an id that no network knows in its shortest text, which is scored last.
fn with_an_unknown_word(split: &EncodedSplit) -> Arc<EncodedSplit> {
    let mut rows: Vec<Vec<u32>> = (0..split.len()).map(|row| split.row(row).to_vec()).collect();
    rows[0] = vec![u32::MAX];
    assert!(rows[1..].iter().all(|row| row.len() > 1));
    Arc::new(EncodedSplit::with_targets(rows, split.targets().unwrap().clone()).unwrap())
}

/// The observer hears of no second batch, and one that could not be computed is no error.
#[test]
fn an_observer_that_fails_ends_a_validation_or_a_test_after_the_batch() {
    // More texts in either than a batch has.
    let texts: Vec<String> = (0..2600).map(|i| format!("good w{} number{i}", i % 7)).collect();
    let table = LabelledTexts::new(&texts, (0..2600).map(|i| u8::from(i % 7 < 3)).collect());
    let table = table.unwrap();
    let shares = SplitConfig { train: 0.1, validation: 0.45, test: 0.45, seed: 0 };
    let plan = SplitPlan { shares, ..SplitPlan::default() };
    let data = prepare(&table, &plan, &PreprocessingConfig::default()).unwrap();
    assert!(data.validation.len() > 1024 && data.test.len() > 1024);
    let (none, little) = (PretrainingConfig::default(), little_dropout());
    let training = TrainingConfig { epochs: 1, ..fast_training() };
    for (in_test, fails) in [(false, false), (false, true), (true, false), (true, true)] {
        let parent = tempfile::tempdir().unwrap();
        let folder = OutputFolder::claim(&parent.path().join("model"), Existing::Refuse).unwrap();
        let (model, mut data) = (small_model(), data.clone());
        let split = if in_test { &mut data.test } else { &mut data.validation };
        if fails {
            *split = with_an_unknown_word(split);
        }
        let settings = (&little, &none, &model, &training);
        let job = job(settings, (&data, origin(&table, plan, &data)), &folder);
        let mut observer = FailsWhenScored { in_test, is_in_test: false, n_heard: 0 };
        let error = job.run_and_test(false, &mut observer).unwrap_err();
        assert!(matches!(&error, Error::Observer { reason } if reason == "enough"), "{error}");
        assert_eq!((observer.n_heard, observer.is_in_test), (1, in_test));
    }
}

/// Asks to stop after some steps.
struct StopAfter(Cell<usize>);

impl Observer for &StopAfter {
    fn on(&mut self, _: &Stamp, event: &Event) -> trainer::Result<()> {
        if matches!(event, Event::Step { .. }) {
            self.0.set(self.0.get().saturating_sub(1));
        }
        Ok(())
    }
}

impl Control for StopAfter {
    fn stop(&self) -> Option<Stop> {
        (self.0.get() == 0).then_some(Stop::Interrupt)
    }
}

/// Trains for some steps, without a run folder.
fn stopped_after(
    n_steps: usize,
    pretraining: &PretrainingConfig,
    (model, training): (&ModelConfig, &TrainingConfig),
    folder: &Path,
) -> TrainingReport {
    let (data, origin) = data();
    let folder = &OutputFolder::claim(folder, Existing::Replace).unwrap();
    let settings = (&little_dropout(), pretraining, model, training);
    let stop = StopAfter(Cell::new(n_steps));
    let session = &mut Session { observer: &mut &stop, control: &stop, run: None };
    job(settings, (&data, origin), folder).run_in(session).unwrap()
}

#[test]
fn an_interrupted_training_keeps_what_it_learned() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("model");
    let none = PretrainingConfig::default();
    let report = stopped_after(3, &none, (&small_model(), &fast_training()), &folder);
    assert_eq!(report.ended, Ending::Interrupted);
    assert_eq!(report.history.len(), 1);
    assert_eq!(report.history[0].step, 3);
    Classifier::open(&folder, &Device::Cpu).unwrap();
}

#[test]
fn an_interrupted_pre_training_keeps_the_linear_path() {
    let parent = tempfile::tempdir().unwrap();
    let pretraining = PretrainingConfig { epochs: 2, ..PretrainingConfig::default() };
    let run = |ngram_order, name: &str| {
        let model = ModelConfig { ngram_order, ..small_model() };
        let folder = parent.path().join(name);
        let report = stopped_after(2, &pretraining, (&model, &fast_training()), &folder);
        assert_eq!(report.ended, Ending::Interrupted);
        report
    };
    let with_path = run(2, "path");
    assert!(with_path.kept().unwrap().validation.accuracy() > 0.9, "{with_path:?}");
    Classifier::open(parent.path().join("path"), &Device::Cpu).unwrap();
    assert!(run(0, "none").kept().is_none());
}

#[test]
fn an_interrupted_second_training_leaves_the_first_model() {
    let parent = tempfile::tempdir().unwrap();
    let training = TrainingConfig { refit: true, ..fast_training() };
    let folder = parent.path().join("model");
    // 48 steps of the first training, and two of the second.
    let none = PretrainingConfig::default();
    let report = stopped_after(50, &none, (&small_model(), &training), &folder);
    assert_eq!((report.ended, report.refit.clone()), (Ending::Interrupted, None));
    let loaded = Classifier::open(&folder, &Device::Cpu).unwrap();
    let again = trainer::evaluate(&loaded, &data().0.validation, &mut |_| {});
    assert_eq!(again.unwrap(), report.kept().unwrap().validation);
    let on_disk = TrainingReport::load(&folder).unwrap();
    assert_eq!((on_disk.ended, on_disk.refit), (Ending::Interrupted, None));
}

#[test]
fn fewer_texts_than_a_batch_are_refused_before_anything_is_done() {
    let parent = tempfile::tempdir().unwrap();
    let training = TrainingConfig { batch_size: 500, ..fast_training() };
    let folder = parent.path().join("model");
    let error = train(&small_model(), &training, &folder, &mut Silent).unwrap_err();
    assert!(error.to_string().contains("fewer than one batch of 500"), "{error}");
}

//! Trainings with several classes, and with several labels per text.
#![allow(clippy::unwrap_used)] // A training that cannot be set up is a failure of the test.

use std::path::Path;

use candle_core::Device;
use classifier::Classifier;
use classifier::folder::{Existing, OutputFolder};
use dataset::{Classes, LabelOptions, LabelledTexts, ReadOptions, Targets, TaskKind};
use measures::{AnyOf, Metrics, OneOf};
use model::{ModelConfig, Padding, PathScaling, Pooling, Regularization, Task};
use recurrent::SeededRng;
use text_preprocessing::PreprocessingConfig;
use trainer::{
    BatchOrder, ClassWeights, DataOrigin, Keep, Prepared, PretrainingConfig, Schedule, Silent,
    SplitPlan, StateCarry, ThresholdGoal, TrainingConfig, TrainingJob, TrainingReport, prepare,
};

const TOPICS: [&str; 4] = ["arts", "money", "science", "sports"];

/// Texts of 6 to 15 words, of which two or three are of the text's topic, and of each topic as many texts as
/// its share says; of one in `silent` texts no word is of its topic, if it is not 0.
fn topics(n: usize, shares: [usize; 4], silent: usize) -> LabelledTexts {
    let mut rng = SeededRng::new(11);
    let mut labels = Vec::new();
    let texts: Vec<String> = (0..n)
        .map(|i| {
            let mut place = rng.below(shares.iter().sum());
            let topic = shares.iter().position(|&share| {
                let is_here = place < share;
                place = place.saturating_sub(share);
                is_here
            });
            let topic = topic.unwrap();
            labels.push(topic as u32);
            let mut words: Vec<String> =
                (0..6 + rng.below(10)).map(|_| format!("w{}", rng.below(60))).collect();
            let n_telling = if silent > 0 && rng.below(silent) == 0 { 0 } else { 2 + rng.below(2) };
            for _ in 0..n_telling {
                let at = rng.below(words.len());
                words[at] = format!("{}{}", TOPICS[topic], rng.below(12));
            }
            format!("{} n{i}", words.join(" "))
        })
        .collect();
    let names = TOPICS.map(str::to_string).to_vec();
    let classes = Classes::new(TaskKind::OneOf, names);
    LabelledTexts::with_targets(&texts, Targets::OneOf(labels), classes).unwrap()
}

/// Texts with three labels of 20 each, and for each of them a word or two; of one in `silent` labels none, if it
/// is not 0.
fn tags(n: usize, silent: usize) -> LabelledTexts {
    let mut rng = SeededRng::new(12);
    let mut targets = Vec::new();
    let texts: Vec<String> = (0..n)
        .map(|i| {
            let mut labels: Vec<u32> = Vec::new();
            while labels.len() < 3 {
                let label = rng.below(20) as u32;
                if !labels.contains(&label) {
                    labels.push(label);
                }
            }
            let mut words: Vec<String> =
                (0..8 + rng.below(8)).map(|_| format!("w{}", rng.below(60))).collect();
            for label in &labels {
                if silent > 0 && rng.below(silent) == 0 {
                    continue;
                }
                for _ in 0..1 + rng.below(2) {
                    words.insert(rng.below(words.len()), format!("t{label}x{}", rng.below(3)));
                }
            }
            targets.push(labels);
            format!("{} n{i}", words.join(" "))
        })
        .collect();
    let names = (0..20).map(|label| format!("tag {label}")).collect();
    let classes = Classes::new(TaskKind::AnyOf, names);
    LabelledTexts::with_targets(&texts, Targets::any_of(targets), classes).unwrap()
}

fn small_model() -> ModelConfig {
    ModelConfig {
        embedding_dim: 16,
        hidden_dim: 16,
        num_layers: 1,
        bidirectional: true,
        pooling: "max-mean".parse::<Pooling>().unwrap(),
        padding: Padding::Skip,
        ..ModelConfig::default()
    }
}

fn training() -> TrainingConfig {
    TrainingConfig {
        epochs: 5,
        batch_size: 20,
        learning_rate: 0.02,
        schedule: Schedule::OneCycle,
        batches: BatchOrder::LengthBuckets,
        state: StateCarry::Zero,
        keep: Keep::LowestLoss,
        calibrate: true,
        ..TrainingConfig::default()
    }
}

fn train(
    table: &LabelledTexts,
    (model, training): (&ModelConfig, &TrainingConfig),
    folder: &Path,
) -> Result<(TrainingReport, Prepared), trainer::Error> {
    let plan = SplitPlan::default();
    let config = PreprocessingConfig { min_frequency: 2, ..Default::default() };
    let data = prepare(table, &plan, &config)?;
    let options = (ReadOptions::default(), LabelOptions::default());
    let (columns, fingerprint) = (table.columns().clone(), table.fingerprint());
    let origin = DataOrigin::new("made.csv", columns, options, fingerprint, plan, &data);
    let job = TrainingJob {
        recipe: "test",
        model,
        regularization: &Regularization {
            word_dropout: 0.1,
            output_dropout: 0.2,
            ..Regularization::NONE
        },
        training,
        pretraining: &PretrainingConfig::default(),
        data: &data,
        origin,
        device: &Device::Cpu,
        folder: &OutputFolder::claim(folder, Existing::Refuse)?,
    };
    Ok((job.run(&mut Silent)?, data))
}

fn one_of(metrics: &Metrics) -> &OneOf {
    let found = match metrics {
        Metrics::OneOf(metrics) => Some(metrics),
        _ => None,
    };
    found.unwrap()
}

fn any_of(metrics: &Metrics) -> &AnyOf {
    let found = match metrics {
        Metrics::AnyOf(metrics) => Some(metrics),
        _ => None,
    };
    found.unwrap()
}

/// The report's figures are those of the folder read anew, whatever scales were multiplied into its weights.
fn assert_kept(report: &TrainingReport, data: &Prepared, folder: &Path) {
    let loaded = Classifier::open(folder, &Device::Cpu).unwrap();
    assert_eq!(*loaded.task(), report.task);
    let kept = report.kept().unwrap();
    assert_eq!(loaded.thresholds(), kept.thresholds.as_deref());
    let again = trainer::test(&loaded, &data.validation, &mut |_| {}).unwrap();
    let difference = (again.metrics.loss() - kept.validation.loss()).abs();
    assert!(difference < 1e-5, "{difference}");
    assert_eq!(again.metrics.headline(), kept.validation.headline());
    assert_eq!(again.metrics.macro_f1(), kept.validation.macro_f1());
    assert_eq!(again.alone, kept.alone);
    let on_disk = TrainingReport::load(folder).unwrap();
    assert_eq!(on_disk.task, report.task);
    // Scales by length are temperatures themselves, except beside those of labels.
    let numbers = |report: &TrainingReport| {
        let temperature = report.kept().unwrap().temperature.clone();
        temperature.map(|all| all.numbers().to_vec()).unwrap_or_default()
    };
    assert_eq!(kept.path_scales.is_some(), !report.model.path_scales.is_constant());
    // JSON may lose the last bit.
    for (a, b) in numbers(&on_disk).into_iter().zip(numbers(report)) {
        assert!((a - b).abs() < 1e-12, "{a} {b}");
    }
}

#[test]
fn one_of_four_topics_is_learned_by_each_path() {
    let parent = tempfile::tempdir().unwrap();
    let table = topics(900, [2, 2, 2, 2], 0);
    let names = TOPICS.map(str::to_string);
    for ngram_order in [0, 2] {
        let folder = parent.path().join(format!("model-{ngram_order}"));
        let model = ModelConfig { ngram_order, ..small_model() };
        let (report, data) = train(&table, (&model, &training()), &folder).unwrap();
        assert_eq!(report.task, Task::new(model::TaskKind::OneOf, names.clone()).unwrap());
        assert_eq!(report.model.outputs(), 4);
        let kept = report.kept().unwrap();
        assert!(kept.validation.accuracy() > 0.9, "{kept:?}");
        if let Some(alone) = kept.alone {
            assert!(alone.recurrent.accuracy > 0.8 && alone.linear.accuracy > 0.8, "{alone:?}");
        }
        assert_kept(&report, &data, &folder);
    }
}

#[test]
fn three_of_twenty_labels_are_learned_by_each_path() {
    let parent = tempfile::tempdir().unwrap();
    let table = tags(1_500, 0);
    for ngram_order in [0, 1] {
        let folder = parent.path().join(format!("model-{ngram_order}"));
        let model = ModelConfig { ngram_order, hidden_dim: 24, ..small_model() };
        let training = TrainingConfig { epochs: 12, ..training() };
        let (report, data) = train(&table, (&model, &training), &folder).unwrap();
        let loaded = Classifier::open(&folder, &Device::Cpu).unwrap();
        let test = trainer::evaluate(&loaded, &data.test, &mut |_| {}).unwrap();
        assert!(any_of(&test).micro_f1 >= 0.95, "order {ngram_order}: {}", any_of(&test).micro_f1);
        let temperature = report.kept().unwrap().temperature.clone().unwrap();
        assert_eq!(temperature.numbers().len(), 20);
        assert_kept(&report, &data, &folder);
    }
}

#[test]
fn weights_of_classes_raise_the_recall_of_rare_ones_in_each_path() {
    let parent = tempfile::tempdir().unwrap();
    // In a third of the texts nothing tells the topic.
    let table = topics(1_500, [8, 8, 8, 1], 3);
    for ngram_order in [0, 2] {
        let recall = |class_weights: ClassWeights| {
            let folder = parent.path().join(format!("{ngram_order}-{class_weights}"));
            let model = ModelConfig { ngram_order, ..small_model() };
            let training = TrainingConfig { class_weights, ..training() };
            let (report, data) = train(&table, (&model, &training), &folder).unwrap();
            assert_kept(&report, &data, &folder);
            let metrics = one_of(&report.kept().unwrap().validation).clone();
            // What is predicted is fairer to see than what is right by chance.
            (metrics.classes[3].recall, metrics.classes[3].n_predicted)
        };
        let weighted = ClassWeights::Named([("sports".to_string(), 30.0)].into());
        let (plain, balanced, named) =
            (recall(ClassWeights::None), recall(ClassWeights::Balanced), recall(weighted));
        let all = format!("order {ngram_order}: {plain:?} {balanced:?} {named:?}");
        assert!(balanced.0 >= plain.0 && balanced.1 >= plain.1, "{all}");
        assert!(named.0 > plain.0 && named.1 > balanced.1, "{all}");
    }
}

#[test]
fn thresholds_are_chosen_on_validation_texts_and_kept() {
    let parent = tempfile::tempdir().unwrap();
    let table = tags(600, 6);
    let goal: ThresholdGoal = "recall=0.97".parse().unwrap();
    let (model, plain) = (
        ModelConfig { ngram_order: 1, ..small_model() },
        TrainingConfig { epochs: 2, ..training() },
    );
    let chosen = TrainingConfig { threshold: Some(goal), ..plain.clone() };
    let recall = |training: &TrainingConfig, name: &str| {
        let folder = parent.path().join(name);
        let (report, data) = train(&table, (&model, training), &folder).unwrap();
        assert_kept(&report, &data, &folder);
        let metrics = any_of(&report.kept().unwrap().validation).clone();
        metrics.classes.iter().map(|class| class.recall).fold(1.0, f64::min)
    };
    let (plain, chosen) = (recall(&plain, "plain"), recall(&chosen, "chosen"));
    assert!(plain < 0.97 && chosen >= 0.97, "{plain} {chosen}");

    let table = topics(300, [2, 2, 2, 2], 0);
    let training = TrainingConfig { threshold: Some(goal), ..training() };
    let error = train(&table, (&model, &training), &parent.path().join("none")).err().unwrap();
    assert!(error.to_string().contains("only f1 is possible"), "{error}");
}

/// Half of the texts have the label of another topic, and the weight 0.
#[test]
fn rows_that_weigh_nothing_teach_nothing() {
    let parent = tempfile::tempdir().unwrap();
    let honest = topics(800, [2, 2, 2, 2], 0);
    let labels = honest.targets().one_of().unwrap();
    let wrong = |row: usize| row % 2 == 1;
    let mixed: Vec<u32> = (0..800).map(|row| (labels[row] + u32::from(wrong(row))) % 4).collect();
    let table = |weights: Option<Vec<f32>>| {
        let texts: Vec<&str> = honest.texts().collect();
        let classes = honest.classes().clone();
        let table =
            LabelledTexts::with_targets(texts, Targets::OneOf(mixed.clone()), classes).unwrap();
        match weights {
            Some(weights) => table.with_weights(weights).unwrap(),
            None => table,
        }
    };
    let weights: Vec<f32> = (0..800).map(|row| if wrong(row) { 0.0 } else { 3.0 }).collect();
    for ngram_order in [0, 1] {
        let accuracy = |table: &LabelledTexts, name: &str| {
            let folder = parent.path().join(format!("{name}-{ngram_order}"));
            let model = ModelConfig { ngram_order, ..small_model() };
            let (report, data) = train(table, (&model, &training()), &folder).unwrap();
            assert_eq!(report.kept().unwrap().weighted_loss.is_some(), table.weights().is_some());
            let loaded = Classifier::open(&folder, &Device::Cpu).unwrap();
            let logits = trainer::logits(loaded.network(), &data.test, 200, &mut |_| {}).unwrap();
            let divided = trainer::split(table, &SplitPlan::default()).unwrap();
            let is_right = |(row, logits): (&u32, &[f32])| {
                let p = loaded.task().probabilities(logits);
                loaded.task().decide(&p, None) == [labels[*row as usize]]
            };
            let n_right = divided
                .split
                .test
                .iter()
                .zip(logits.chunks(4))
                .filter(|&pair| is_right(pair))
                .count();
            n_right as f64 / data.test.len() as f64
        };
        let weighted = accuracy(&table(Some(weights.clone())), "weighted");
        assert!(weighted > 0.85, "order {ngram_order}: {weighted}");
        let plain = accuracy(&table(None), "plain");
        assert!(plain < weighted, "order {ngram_order}: {plain} {weighted}");
    }
}

#[test]
fn paths_are_scaled_by_length_whatever_the_task() {
    let parent = tempfile::tempdir().unwrap();
    let (topics, tags) = (topics(2_100, [6, 6, 6, 2], 6), tags(2_100, 6));
    let in_arts = topics.targets().one_of().unwrap().iter().map(|&topic| u8::from(topic == 0));
    let texts: Vec<&str> = topics.texts().collect();
    let binary = LabelledTexts::new(texts, in_arts.collect()).unwrap();
    let tables = [("binary", &binary), ("one-of", &topics), ("any-of", &tags)];
    for (name, table) in tables {
        for (ngram_order, class_weights) in [(0, ClassWeights::Balanced), (2, ClassWeights::None)] {
            let folder = parent.path().join(format!("{name}-{ngram_order}"));
            let path_scales = PathScaling::ByLength;
            let model = ModelConfig { ngram_order, path_scales, ..small_model() };
            let training = TrainingConfig { epochs: 2, class_weights, ..training() };
            let (report, data) = train(table, (&model, &training), &folder).unwrap();
            assert_kept(&report, &data, &folder);
            let kept = report.kept().unwrap();
            let scales = kept.path_scales.clone().unwrap().scales;
            assert_eq!(kept.linear_share.is_some(), ngram_order > 0);
            assert_eq!(scales.linear.is_some(), ngram_order > 0);
            assert_eq!(scales.ratios.is_some(), ngram_order > 0 && name == "binary");
            assert_ne!(scales.recurrent.at_8, scales.recurrent.at_800, "{name} {ngram_order}");
            assert_eq!(kept.temperature.is_some(), name == "any-of");
        }
    }
    let model = ModelConfig { path_scales: PathScaling::ByLength, ..small_model() };
    let uncalibrated = TrainingConfig { calibrate: false, ..training() };
    let error = train(&topics, (&model, &uncalibrated), &parent.path().join("no")).err().unwrap();
    assert!(error.to_string().contains("calibrate is false"), "{error}");
}

#[test]
fn settings_that_contradict_the_task_are_refused() {
    let parent = tempfile::tempdir().unwrap();
    let table = topics(200, [2, 2, 2, 2], 0);
    let model = ModelConfig { output_size: Some(1), ..small_model() };
    let error = train(&table, (&model, &training()), &parent.path().join("a")).err().unwrap();
    assert!(error.to_string().contains("output_size is 1"), "{error}");
    let weights = ClassWeights::Named([("sprots".to_string(), 2.0)].into());
    let training = TrainingConfig { class_weights: weights, ..training() };
    let error = train(&table, (&small_model(), &training), &parent.path().join("b")).err().unwrap();
    assert!(error.to_string().contains("did you mean \"sports\"?"), "{error}");
}

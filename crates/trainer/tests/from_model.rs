//! Trainings that start from a trained model: what is kept, what is new, and what was seen.
#![allow(clippy::unwrap_used)] // A training that cannot be set up is a failure of the test.

mod small_runs;

use std::cell::Cell;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use candle_core::Device;
use classifier::folder::{Existing, OutputFolder, SEEN_TEXTS_FILE, SeenTexts};
use classifier::{Classifier, path_logits};
use dataset::{ColumnChoice, DataFile, LabelOptions, LabelledTexts, ReadOptions, Targets};
use small_runs::{by_length, cases, table};
use text_preprocessing::text_digests;
use trainer::{
    Control, DataOrigin, DataRequest, Ending, Error, FewTexts, Identity, ModelPart, Never,
    OwnSplits, Prepared, Recipe, RecordPlan, Result, RunAbout, RunFolder, RunFrom, RunRecorder,
    Session, Silent, SplitPlan, StartModel, Stop, TrainingReport, Warning, load_from, prepare_from,
    test_rows_from,
};

/// The model of the case that has every phase, in `parent/models/m`.
fn trained(parent: &Path) -> Arc<StartModel> {
    let [_, every_phase, ..] = cases();
    every_phase.run(parent, None, &Never, &mut Silent).unwrap();
    Arc::new(StartModel::load(&parent.join("models/m")).unwrap())
}

/// Texts like those of the model, with a word that it does not know; the label is whether they have it.
fn new_texts(n: usize) -> (Vec<String>, Vec<u8>) {
    let of = |i: usize| {
        let word = if i % 2 == 1 { "fine" } else { "poor" };
        (format!("w{} w{} {word} w{} n{i}", i % 9, i % 7, i % 5), (i % 2) as u8)
    };
    (0..n).map(of).unzip()
}

fn new_table(n: usize) -> LabelledTexts {
    let (texts, labels) = new_texts(n);
    LabelledTexts::new(&texts, labels).unwrap()
}

fn origin(table: &LabelledTexts, data: &Prepared) -> DataOrigin {
    DataOrigin::in_memory(table, SplitPlan::default(), data)
}

/// Trains in `parent/models/NAME` on a table.
fn train(
    parent: &Path,
    name: &str,
    table: &LabelledTexts,
    model: &Arc<StartModel>,
    settings: &[&str],
) -> TrainingReport {
    let settings: Vec<String> = settings.iter().map(ToString::to_string).collect();
    let recipe = model.recipe(None, &settings).unwrap();
    let data = prepare_from(table, &SplitPlan::default(), model).unwrap();
    let folder = OutputFolder::claim(&parent.join("models").join(name), Existing::Replace).unwrap();
    let job = recipe.job(&data, origin(table, &data), &Device::Cpu, &folder);
    job.run_and_test_in(false, &mut Session::watched_by(&mut Silent)).unwrap()
}

#[test]
fn a_training_that_does_not_move_has_the_models_recurrent_layers() {
    let parent = tempfile::tempdir().unwrap();
    let model = trained(parent.path());
    let settings = ["training.learning_rate=1e-30", "training.ngram_learning_rate=1e-30"];
    train(parent.path(), "still", &new_table(120), &model, &settings);
    let logits = |name: &str| {
        let classifier =
            Classifier::open(parent.path().join("models").join(name), &Device::Cpu).unwrap();
        let texts: Vec<String> = table().texts().map(str::to_string).collect();
        let encoded = classifier.encoder().encode_batch(&texts).unwrap();
        let rows: Vec<&[u32]> = encoded.iter().map(Vec::as_slice).collect();
        let go_on = &mut |_| std::ops::ControlFlow::Continue(());
        path_logits(classifier.network(), &rows, 24, go_on).unwrap().recurrent
    };
    let (before, after) = (logits("m"), logits("still"));
    // Only the share and the temperature are others.
    let largest = (0..before.len()).max_by(|&a, &b| before[a].abs().total_cmp(&before[b].abs()));
    let largest = largest.unwrap();
    let ratio = after[largest] / before[largest];
    assert!(ratio.is_finite() && ratio > 0.0, "{ratio}");
    let most = after[largest].abs();
    assert!(after.iter().any(|logit| (logit - after[largest]).abs() > 0.1 * most));
    for (before, after) in before.iter().zip(&after) {
        assert!((before * ratio - after).abs() < 1e-4 * most, "{before} {after} {ratio}");
    }
}

#[test]
fn a_training_from_a_model_has_its_scales_by_length_or_its_constant_ones() {
    let parent = tempfile::tempdir().unwrap();
    by_length().run(parent.path(), None, &Never, &mut Silent).unwrap();
    let model = Arc::new(StartModel::load(&parent.path().join("models/m")).unwrap());
    // The network is the model's, whatever a recipe by name has.
    let recipe = model.recipe(Some("quick"), &[]).unwrap();
    assert!(!recipe.model.path_scales.is_constant() && recipe.training.calibrate);
    let constant = model.recipe(None, &["model.path_scales=constant".to_string()]).unwrap_err();
    assert!(constant.to_string().contains("path_scales"), "{constant}");
    let report = train(parent.path(), "more", &new_table(300), &model, &["training.epochs=4"]);
    let scales = report.kept().unwrap().path_scales.clone().unwrap().scales;
    assert!(scales.ratios.is_some() && scales.linear.is_some());
    assert!(report.test.as_ref().unwrap().accuracy() > 0.9, "{:?}", report.test);
    Classifier::open(parent.path().join("models/more"), &Device::Cpu).unwrap();
    // Other classes have outputs, n-grams and scales of their own.
    let (texts, labels) = new_texts(300);
    let classes = dataset::Classes::new(
        dataset::TaskKind::OneOf,
        ["a", "b", "c"].map(str::to_string).to_vec(),
    );
    let labels =
        labels.iter().enumerate().map(|(i, &label)| if i % 5 == 0 { 2 } else { u32::from(label) });
    let other =
        LabelledTexts::with_targets(&texts, Targets::OneOf(labels.collect()), classes).unwrap();
    let report = train(parent.path(), "other", &other, &model, &[]);
    assert_eq!(report.kept().unwrap().path_scales.clone().unwrap().scales.ratios, None);
    Classifier::open(parent.path().join("models/other"), &Device::Cpu).unwrap();
}

#[test]
fn new_texts_are_learned_and_the_report_says_what_was_kept() {
    let parent = tempfile::tempdir().unwrap();
    let model = trained(parent.path());
    let report = train(parent.path(), "more", &new_table(300), &model, &["training.epochs=4"]);
    let from = report.from.clone().unwrap();
    assert_eq!((from.path.as_path(), from.id.as_str()), (model.path(), model.id()));
    use ModelPart::{Embedding, LinearPath, OutputLayer, RecurrentLayers, Vocabulary};
    assert_eq!(from.kept, [Vocabulary, Embedding, RecurrentLayers, OutputLayer, LinearPath]);
    assert!(from.new.is_empty() && from.n_learned == 0 && from.knows_its_texts);
    assert_eq!(from.n_new_words, 2, "fine and poor");
    assert!(from.n_new_ngrams > 10, "{from:?}");
    assert!(report.test.as_ref().unwrap().accuracy() > 0.9, "{:?}", report.test);
    let stored = TrainingReport::load(&parent.path().join("models/more")).unwrap();
    assert_eq!(stored.from, report.from);
    // What such a report says is left out where there is nothing to say.
    let old = fs::read_to_string(parent.path().join("models/m/metrics.json")).unwrap();
    assert!(!old.contains("\"from\": {") && model.report().from.is_none());
}

#[test]
fn new_ngrams_are_those_of_the_saved_model() {
    let parent = tempfile::tempdir().unwrap();
    let model = trained(parent.path());
    let counts = |name: &str, refit: &str| {
        let settings = ["training.epochs=1", refit];
        let report = train(parent.path(), name, &new_table(120), &model, &settings);
        let folder = parent.path().join("models").join(name);
        let classifier = Classifier::open(folder, &Device::Cpu).unwrap();
        let n_all = classifier.network().vocabularies().ngrams.as_ref().unwrap().len();
        (n_all, report.from.unwrap().n_new_ngrams, report.refit.is_some())
    };
    let (n_first, n_new_first, _) = counts("once", "training.refit=false");
    let (n_both, n_new_both, is_retrained) = counts("twice", "training.refit=true");
    assert!(is_retrained && n_both > n_first, "{n_both} {n_first}");
    assert_eq!(n_new_both - n_new_first, n_both - n_first);
    let stored = TrainingReport::load(&parent.path().join("models/twice")).unwrap();
    assert_eq!(stored.from.unwrap().n_new_ngrams, n_new_both);
}

#[test]
fn what_was_seen_is_what_both_trainings_have_seen() {
    let parent = tempfile::tempdir().unwrap();
    let model = trained(parent.path());
    train(parent.path(), "more", &new_table(120), &model, &[]);
    let seen =
        |name: &str| SeenTexts::load(&parent.path().join("models").join(name)).unwrap().unwrap();
    let (before, after) = (seen("m"), seen("more"));
    let knows = |seen: &SeenTexts, digest: &u64| {
        seen.train.binary_search(digest).is_ok() || seen.validation.binary_search(digest).is_ok()
    };
    assert!(before.train.iter().chain(&before.validation).all(|digest| knows(&after, digest)));
    let data = prepare_from(&new_table(120), &SplitPlan::default(), &model).unwrap();
    let digests = text_digests(&new_texts(120).0);
    let n_known = digests.iter().filter(|digest| knows(&after, digest)).count();
    assert_eq!(n_known, data.train.len() + data.validation.len());
    assert!(data.test_texts.digests.iter().all(|digest| !knows(&after, digest)));
    // So the test split is found again by what the new model has seen.
    let (rows, _) = test_rows_from(&new_table(120), &SplitPlan::default(), &after).unwrap();
    let rows: Vec<u32> = rows.iter().map(|row| row + 1).collect();
    assert_eq!(rows, data.test_texts.rows);
}

/// New texts, and all that the model was given, with the other label.
fn with_corrected() -> LabelledTexts {
    let (mut texts, mut labels) = new_texts(60);
    for (row, text) in table().texts().enumerate() {
        texts.push(text.to_uppercase());
        labels.push(1 - table().targets().of_row(row)[0] as u8);
    }
    LabelledTexts::new(&texts, labels).unwrap()
}

#[test]
fn texts_that_the_model_has_seen_are_for_training_only_with_their_new_labels() {
    let parent = tempfile::tempdir().unwrap();
    let model = trained(parent.path());
    let corrected = with_corrected();
    let data = prepare_from(&corrected, &SplitPlan::default(), &model).unwrap();
    assert_eq!(
        data.start.as_ref().unwrap().n_new_words(),
        2,
        "of the new texts alone: fine and poor"
    );
    let seen = SeenTexts::load(model.path()).unwrap().unwrap();
    let start = data.start.clone().unwrap();
    // 180 of 200 texts were for training and validation; the others are unknown to the model.
    assert_eq!((start.n_learned, start.n_in_groups), (180, 0));
    for digest in data.validation_texts.digests.iter().chain(&data.test_texts.digests) {
        assert!(
            seen.train.binary_search(digest).is_err()
                && seen.validation.binary_search(digest).is_err()
        );
    }
    assert_eq!(data.train.len() + data.validation.len() + data.test.len(), 260);
    let Some(Targets::OneOf(labels)) = data.train.targets() else { unreachable!() };
    let all = corrected.targets();
    let n_in_file = (0..corrected.len()).filter(|&row| all.of_row(row) == [1]).count();
    let n_held_back = |split: &dataset::EncodedSplit| {
        let targets = split.targets().unwrap();
        (0..split.len()).filter(|&row| targets.of_row(row) == [1]).count()
    };
    let n_left = n_in_file - n_held_back(&data.validation) - n_held_back(&data.test);
    assert_eq!(labels.iter().filter(|&&label| label == 1).count(), n_left);
}

#[test]
fn a_group_with_a_text_that_the_model_has_seen_is_for_training_only() {
    let parent = tempfile::tempdir().unwrap();
    let model = trained(parent.path());
    let corrected = with_corrected();
    // The first ten new texts are of the group of all old ones; the others have groups of five.
    let groups = (0..corrected.len() as u32).map(|i| if (10..60).contains(&i) { i / 5 } else { 0 });
    let corrected = corrected.with_groups(groups.collect()).unwrap();
    let data = prepare_from(&corrected, &SplitPlan::default(), &model).unwrap();
    let start = data.start.clone().unwrap();
    assert_eq!((start.n_learned, start.n_in_groups), (180, 30));
    let held_back = data.validation_texts.rows.iter().chain(&data.test_texts.rows);
    assert!(held_back.clone().count() >= 10);
    assert!(held_back.clone().all(|row| (11..=60).contains(row)), "{held_back:?}");
}

#[test]
fn corrected_texts_alone_are_too_few_that_are_new() {
    let parent = tempfile::tempdir().unwrap();
    let model = trained(parent.path());
    let data = prepare_from(&table(), &SplitPlan::default(), &model);
    assert!(data.is_ok(), "20 texts of the test are new to it");
    let seen = SeenTexts::load(model.path()).unwrap().unwrap();
    let digests = text_digests(&table().texts().collect::<Vec<_>>());
    let learned: Vec<u32> =
        (0..200).filter(|&row| seen.train.binary_search(&digests[row as usize]).is_ok()).collect();
    let texts: Vec<String> = table().texts_of(&learned).map(str::to_string).collect();
    let learned = LabelledTexts::with_targets(
        &texts,
        table().targets_of(&learned),
        table().classes().clone(),
    )
    .unwrap();
    let error = prepare_from(&learned, &SplitPlan::default(), &model).unwrap_err();
    assert!(matches!(error, Error::NewTexts { n_new: 0, .. }), "{error:?}");
    assert!(error.to_string().ends_with("add texts that are new to the model"), "{error}");
}

#[test]
fn without_a_list_of_what_the_model_has_seen_the_report_says_so_and_there_is_none() {
    let parent = tempfile::tempdir().unwrap();
    let model = trained(parent.path());
    fs::remove_file(model.path().join(SEEN_TEXTS_FILE)).unwrap();
    let model = Arc::new(StartModel::load(model.path()).unwrap());
    let report = train(parent.path(), "more", &with_corrected(), &model, &["training.epochs=1"]);
    assert!(report.warnings.contains(&Warning::SeenByModelUnknown), "{:?}", report.warnings);
    assert!(!report.from.unwrap().knows_its_texts);
    assert_eq!(SeenTexts::load(&parent.path().join("models/more")).unwrap(), None);
}

/// Reads a CSV for a training that starts from a model.
fn load(parent: &Path, csv: &str, model: &Arc<StartModel>) -> Result<Prepared> {
    load_labelled(parent, csv, &LabelOptions::default(), model)
}

fn load_labelled(
    parent: &Path,
    csv: &str,
    labels: &LabelOptions,
    model: &Arc<StartModel>,
) -> Result<Prepared> {
    let path = parent.join("new.csv");
    fs::write(&path, csv).unwrap();
    let file = DataFile::open(&path).unwrap();
    let columns = ColumnChoice::default();
    let (options, plan) = (ReadOptions::default(), SplitPlan::default());
    let preprocessing = model.recipe(None, &[]).unwrap().preprocessing;
    let request = DataRequest {
        file: &file,
        others: OwnSplits::default(),
        columns: &columns,
        labels,
        options: &options,
        plan: &plan,
        preprocessing: &preprocessing,
        few_texts: FewTexts::Keep,
    };
    load_from(&request, model).map(|(loaded, _)| loaded.data)
}

/// A CSV of texts that have these labels in turn.
fn csv(n: usize, labels: &[&str]) -> String {
    let rows = new_texts(n).0.into_iter().enumerate();
    let rows = rows.map(|(i, text)| format!("{text},{}\n", labels[i % labels.len()]));
    format!("text,label\n{}", rows.collect::<String>())
}

/// A model of three classes in `parent/models/three`.
fn of_three_classes(parent: &Path) -> Arc<StartModel> {
    let [_, every_phase, ..] = cases();
    let classes = dataset::Classes::new(
        dataset::TaskKind::OneOf,
        ["red", "green", "blue"].map(String::from).to_vec(),
    );
    let texts = new_texts(150).0.into_iter().map(|text| format!("{text} before"));
    let targets = Targets::OneOf((0..150).map(|i| i % 3).collect());
    let table = LabelledTexts::with_targets(texts, targets, classes).unwrap();
    let recipe = every_phase.recipe;
    let data = trainer::prepare(&table, &SplitPlan::default(), &recipe.preprocessing).unwrap();
    let path = parent.join("models/three");
    let folder = OutputFolder::claim(&path, Existing::Refuse).unwrap();
    recipe.job(&data, origin(&table, &data), &Device::Cpu, &folder).run(&mut Silent).unwrap();
    Arc::new(StartModel::load(&path).unwrap())
}

#[test]
fn labels_are_the_models_classes_in_whatever_order_they_come() {
    let parent = tempfile::tempdir().unwrap();
    let model = of_three_classes(parent.path());
    let data = load(parent.path(), &csv(90, &["blue", "Red", "green"]), &model).unwrap();
    assert!(data.start.as_ref().unwrap().keeps_outputs);
    assert_eq!(data.task, *model.task());
    let counts = &data.summary.splits.as_ref().unwrap().train.class_counts;
    assert_eq!(counts, &[24, 24, 24]);
    // The first row of the file is blue.
    let row = data.test_texts.rows[0] as usize - 1;
    assert_eq!(data.test.targets().unwrap().of_row(0), [[2, 0, 1][row % 3]]);
}

#[test]
fn some_of_the_models_classes_keep_its_outputs_and_the_others_are_named() {
    let parent = tempfile::tempdir().unwrap();
    let model = of_three_classes(parent.path());
    let data = load(parent.path(), &csv(90, &["blue", "red"]), &model).unwrap();
    assert_eq!(data.task, *model.task());
    let table = LabelledTexts::with_targets(
        &new_texts(90).0,
        Targets::OneOf((0..90).map(|i| 2 * (i % 2)).collect()),
        trainer::classes_of(model.task(), None),
    );
    let report = train(parent.path(), "two", &table.unwrap(), &model, &["training.epochs=1"]);
    let expected = Warning::NoNewTexts { classes: vec!["green".to_string()] };
    assert!(report.warnings.contains(&expected), "{:?}", report.warnings);
    let told: Vec<String> = report.warnings.iter().map(ToString::to_string).collect();
    assert!(told.iter().all(|told| !told.contains("cannot be learned")), "{told:?}");
}

#[test]
fn other_classes_get_outputs_of_their_own() {
    let parent = tempfile::tempdir().unwrap();
    let model = of_three_classes(parent.path());
    let data = load(parent.path(), &csv(90, &["good", "bad"]), &model).unwrap();
    assert!(!data.start.as_ref().unwrap().keeps_outputs);
    assert_eq!(data.task.classes(), ["bad", "good"]);
    let report = train(
        parent.path(),
        "other",
        &new_table(300),
        &model,
        &["training.epochs=6", "training.learning_rate=0.02"],
    );
    let from = report.from.clone().unwrap();
    use ModelPart::{Embedding, LinearPath, OutputLayer, RecurrentLayers, Vocabulary};
    assert_eq!(from.kept, [Vocabulary, Embedding, RecurrentLayers]);
    assert_eq!((from.new, from.n_new_ngrams), (vec![OutputLayer, LinearPath], 0));
    assert_eq!(from.trained_share, 1.0);
    assert_eq!(report.task, model::Task::binary());
    assert!(report.test.as_ref().unwrap().accuracy() > 0.9, "{:?}", report.test);
}

#[test]
fn a_few_other_labels_among_the_models_are_refused() {
    let parent = tempfile::tempdir().unwrap();
    let model = of_three_classes(parent.path());
    let mut labels = ["blue", "red", "green"].repeat(30);
    labels[40] = "unclear";
    let error = load(parent.path(), &csv(90, &labels), &model).unwrap_err();
    let Error::OtherLabels { n_known, n_rows, label, task, source } = error else {
        unreachable!("{error:?}")
    };
    assert_eq!((n_known, n_rows, label.as_deref()), (89, 90, Some("unclear")));
    assert_eq!(task, dataset::TaskKind::OneOf);
    let told = source.to_string();
    assert!(told.contains("row 41") && told.contains("not a class of the model"), "{told}");
    // Half of the rows is not most of them.
    let data = load(parent.path(), &csv(90, &["red", "good"]), &model).unwrap();
    assert_eq!(data.task.classes(), ["good", "red"]);
}

#[test]
fn a_stated_task_asks_for_new_outputs_whatever_the_labels() {
    let parent = tempfile::tempdir().unwrap();
    let model = of_three_classes(parent.path());
    let labels = ["blue", "red", "green", "unclear"];
    let csv = csv(120, &labels);
    assert!(matches!(load(parent.path(), &csv, &model), Err(Error::OtherLabels { .. })));
    let stated = LabelOptions { task: Some(dataset::TaskKind::OneOf), ..LabelOptions::default() };
    let data = load_labelled(parent.path(), &csv, &stated, &model).unwrap();
    assert!(!data.start.as_ref().unwrap().keeps_outputs);
    assert_eq!(data.task.classes(), ["blue", "green", "red", "unclear"]);
}

#[test]
fn faults_that_are_not_about_labels_are_told_as_they_are() {
    let parent = tempfile::tempdir().unwrap();
    let model = of_three_classes(parent.path());
    let csv = csv(60, &["blue", "red", "green"]) + ",red\n";
    let error = load(parent.path(), &csv, &model).unwrap_err().to_string();
    assert!(error.contains("row 61") && error.contains("\"text\" has no value"), "{error}");
}

#[test]
fn settings_of_another_network_or_preprocessing_are_refused_by_name() {
    let parent = tempfile::tempdir().unwrap();
    let model = trained(parent.path());
    let recipe = |setting: &str| model.recipe(None, &[setting.to_string()]);
    let message = |setting: &str| recipe(setting).unwrap_err().to_string();
    let told = message("model.hidden_dim=9");
    assert!(told.contains("model.hidden_dim was 5 and is 9"), "{told}");
    assert!(message("preprocessing.seq_len=7").contains("preprocessing.seq_len was 24 and is 7"));
    assert!(recipe("model.hidden_dim=5").is_ok(), "it is the model's");
    assert!(message("training.epoch=7").contains("did you mean `epochs`?"));
    let Recipe { training, .. } = recipe("training.epochs=7").unwrap();
    let of_model = &model.report().training;
    assert_eq!((training.epochs, training.seed), (7, of_model.seed));
    assert_eq!(training.learning_rate, of_model.learning_rate / 2.0);
    // Of a built-in recipe, only how it trains.
    let quick = model.recipe(Some("quick"), &[]).unwrap();
    assert_eq!((quick.training.batch_size, quick.model.hidden_dim), (50, 5));
    let differences = model.differences_from("quick").unwrap();
    assert!(differences.iter().any(|found| found.name == "model.hidden_dim"), "{differences:?}");
}

#[test]
fn rates_are_lowered_once_however_many_trainings_follow() {
    let parent = tempfile::tempdir().unwrap();
    let model = trained(parent.path());
    let first = train(parent.path(), "more", &new_table(120), &model, &[]);
    let second = StartModel::load(&parent.path().join("models/more")).unwrap();
    let recipe = second.recipe(None, &[]).unwrap();
    assert_eq!(recipe.training, first.training);
    assert_eq!(recipe.preprocessing.max_vocab, None);
}

#[test]
fn few_texts_multiply_the_epochs_once_however_many_trainings_follow() {
    let parent = tempfile::tempdir().unwrap();
    let model = trained(parent.path());
    let settings = ["training.few_texts=adapt".to_string(), "training.epochs=4".to_string()];
    let wanted = model.recipe(None, &settings).unwrap();
    let data = prepare_from(&new_table(120), &SplitPlan::default(), &model).unwrap();
    let recipe = wanted.adapted_to(&data, &wanted.split_plan());
    assert_eq!(recipe.training.epochs, 12);
    let path = parent.path().join("models/more");
    let folder = OutputFolder::claim(&path, Existing::Replace).unwrap();
    let job = recipe.job(&data, origin(&new_table(120), &data), &Device::Cpu, &folder);
    job.run(&mut Silent).unwrap();
    let more = Arc::new(StartModel::load(&path).unwrap());
    let next = more.recipe(None, &[]).unwrap();
    assert_eq!((next.training.few_texts, next.training.epochs), (FewTexts::Keep, 12));
    let data = prepare_from(&new_table(240), &SplitPlan::default(), &more).unwrap();
    assert_eq!(next.adapted_to(&data, &next.split_plan()).training.epochs, 12);
}

#[test]
fn settings_that_would_overwrite_what_the_model_has_learned_are_refused_by_name() {
    let parent = tempfile::tempdir().unwrap();
    let model = trained(parent.path());
    let recipe = |setting: &str| model.recipe(None, &[setting.to_string()]);
    for (setting, name) in [
        ("training.word_vectors=glove.txt", "training.word_vectors"),
        ("pretraining.epochs=2", "pretraining.epochs"),
    ] {
        let told = recipe(setting).unwrap_err().to_string();
        assert!(told.contains(&format!("{name} cannot be set")), "{told}");
        assert!(told.contains("leave it out, or train a new model"), "{told}");
    }
    let told = recipe("training.vectors=frozen").unwrap_err().to_string();
    assert!(told.contains("vectors is frozen; expected tuned"), "{told}");
    assert!(recipe("training.vectors=tuned").is_ok() && recipe("pretraining.epochs=0").is_ok());
    // Of a recipe's file they are left out.
    let file = parent.path().join("own.toml");
    let text = "[training]\nword_vectors = \"glove.txt\"\nvectors = \"frozen\"\n[pretraining]\nepochs = 2\n";
    fs::write(&file, text).unwrap();
    let of_file = model.recipe(file.to_str(), &[]).unwrap();
    assert_eq!((of_file.training.word_vectors, of_file.pretraining.epochs), (None, 0));
}

/// Asks to stop at some batch.
struct StopAt(Cell<usize>);

impl Control for StopAt {
    fn stop(&self) -> Option<Stop> {
        let left = self.0.get();
        self.0.set(left.saturating_sub(1));
        (left == 0).then_some(Stop::Interrupt)
    }
}

/// A session of a training that starts from a model, in `parent/models/more` with its run beside it.
fn session(
    parent: &Path,
    model: &Arc<StartModel>,
    control: &dyn Control,
) -> Result<TrainingReport> {
    let plan = RecordPlan {
        checkpoint_every: Duration::from_secs(3600),
        n_checkpoints: 2,
        log_every: 2,
        accepts_minor: false,
    };
    let table = new_table(150);
    let recipe = model.recipe(None, &[]).unwrap();
    let data = prepare_from(&table, &SplitPlan::default(), model)?;
    let path = parent.join("models/more");
    let folder = OutputFolder::claim(&path, Existing::Replace)?;
    let (run, origin) = (RunFolder::beside(&path), origin(&table, &data));
    if !run.holds_a_run() {
        let about = RunAbout::new(&recipe, &path, &origin, &Device::Cpu);
        run.create(&RunAbout { from: Some(RunFrom::of(model)), ..about })?;
    }
    assert_eq!(run.about()?.from, Some(RunFrom::of(model)));
    let mut recorder = RunRecorder::new(&run, plan)?;
    let mut silent = Silent;
    let mut session = Session { observer: &mut silent, control, run: Some(&mut recorder) };
    let job = recipe.job(&data, origin, &Device::Cpu, &folder);
    let outcome = job.run_and_test_in(false, &mut session);
    recorder.end(&outcome)?;
    outcome
}

/// The files of the model, but for figures with times.
fn files(parent: &Path) -> Vec<Vec<u8>> {
    let folder = parent.join("models/more");
    let names = [
        "model.safetensors",
        "ngrams.safetensors",
        "seen_texts.safetensors",
        "tokenizer.json",
        "config.json",
    ];
    names.iter().map(|name| fs::read(folder.join(name)).unwrap()).collect()
}

#[test]
fn a_training_that_is_stopped_ends_as_if_it_had_not_been() {
    let parent = tempfile::tempdir().unwrap();
    let model = trained(parent.path());
    let whole = session(parent.path(), &model, &Never).unwrap();
    let expected = files(parent.path());
    assert!(whole.refit.is_some(), "all phases");
    for n_batches in [0, 1, 7, 12, 18, 22] {
        let other = tempfile::tempdir().unwrap();
        let stop = StopAt(Cell::new(n_batches));
        let first = session(other.path(), &model, &stop).unwrap();
        assert_eq!(first.ended, Ending::Interrupted, "{n_batches}");
        let second = session(other.path(), &model, &Never).unwrap();
        assert_eq!(second.from, whole.from, "{n_batches}");
        assert!(files(other.path()) == expected, "batch {n_batches}");
    }
}

#[test]
fn another_starting_model_is_another_training() {
    let parent = tempfile::tempdir().unwrap();
    let model = trained(parent.path());
    train(parent.path(), "second", &new_table(120), &model, &["training.epochs=1"]);
    let second = Arc::new(StartModel::load(&parent.path().join("models/second")).unwrap());
    let identity = |model: &Arc<StartModel>| {
        // The second model has seen 120 of them.
        let table = new_table(240);
        // The same settings.
        let recipe = second.recipe(None, &[]).unwrap();
        let data = prepare_from(&table, &SplitPlan::default(), model).unwrap();
        let folder =
            OutputFolder::claim(&parent.path().join("models/x"), Existing::Replace).unwrap();
        let job = recipe.job(&data, origin(&table, &data), &Device::Cpu, &folder);
        Identity::of(&job).unwrap()
    };
    let differences = identity(&second).differences(&identity(&model));
    let named = differences.iter().find(|found| found.name == "data: starting model").unwrap();
    assert_eq!((named.was.as_str(), named.is.as_str()), (model.id(), second.id()));
    assert!(!named.is_minor);
}

//! Trainings whose embedding starts from word vectors.
#![allow(clippy::unwrap_used)] // A training that cannot be set up is a failure of the test.

mod small_runs;

use std::fs;
use std::path::Path;

use candle_core::Device;
use classifier::Classifier;
use small_runs::{Case, VECTORS, vectors};
use trainer::{Error, Never, Silent, TrainingReport, VectorTraining};
use word_vectors::{ConvertRequest, Origin, convert};

fn run(case: &Case, parent: &Path) -> trainer::Result<TrainingReport> {
    case.run(parent, None, &Never, &mut Silent)
}

/// The row of each word in the file, as it was read and as a trained model has it.
fn rows(parent: &Path) -> Vec<(Vec<f32>, Vec<f32>)> {
    let classifier = Classifier::open(parent.join("models/m"), &Device::Cpu).unwrap();
    let text = fs::read_to_string(VECTORS).unwrap();
    let of_line = |line: &str| {
        let (word, numbers) = line.split_once(' ').unwrap();
        let id = classifier.encoder().id_of(word)?;
        let row = classifier.network().embed_ids(&[id]).unwrap().flatten_all().unwrap();
        let start = numbers.split(' ').map(|number| number.parse().unwrap()).collect();
        Some((start, row.to_vec1().unwrap()))
    };
    let rows: Vec<_> = text.lines().filter_map(of_line).collect();
    assert!(rows.len() > 20, "{}", rows.len());
    rows
}

fn with(vectors_are: VectorTraining) -> Case {
    let mut case = vectors();
    case.recipe.training.vectors = vectors_are;
    case
}

#[test]
fn frozen_vectors_stay_as_they_were_in_every_phase() {
    let parent = tempfile::tempdir().unwrap();
    let report = run(&with(VectorTraining::Frozen), parent.path()).unwrap();
    assert!(report.refit.is_some() && !report.pretraining_history.is_empty());
    for (start, row) in rows(parent.path()) {
        assert_eq!(start, row);
    }
}

#[test]
fn tuned_vectors_move_and_so_do_those_that_were_frozen_at_first() {
    for vectors_are in [VectorTraining::Tuned, VectorTraining::FrozenThenTuned] {
        let parent = tempfile::tempdir().unwrap();
        run(&with(vectors_are), parent.path()).unwrap();
        assert!(rows(parent.path()).iter().all(|(start, row)| start != row), "{vectors_are}");
    }
}

#[test]
fn a_store_starts_the_same_training_as_the_text_that_it_was_made_of() {
    let parents = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let store = parents[1].path().join("vectors.safetensors");
    let origin = Origin { name: "made".into(), ..Origin::default() };
    let request = ConvertRequest { from: Path::new(VECTORS), member: None, to: &store, origin };
    convert(&request, &mut |_, _| {}).unwrap();
    let mut case = vectors();
    let of_text = run(&case, parents[0].path()).unwrap().word_vectors.unwrap();
    case.recipe.training.word_vectors = Some(store);
    let of_store = run(&case, parents[1].path()).unwrap().word_vectors.unwrap();
    assert_eq!((of_text.n_found, of_text.n_words), (of_store.n_found, of_store.n_words));
    let [text, store] = parents
        .each_ref()
        .map(|parent| fs::read(parent.path().join("models/m/model.safetensors")).unwrap());
    assert!(of_text.n_found > 20);
    // The models have ids of their own.
    let tensors = |bytes: &[u8]| {
        let start = 8 + u64::from_le_bytes(*bytes.first_chunk().unwrap()) as usize;
        bytes[start..].to_vec()
    };
    assert!(tensors(&text) == tensors(&store));
}

/// So a file is no good for a store and good for a training, or the other way round, in no case.
#[test]
fn a_training_reads_text_by_the_rules_by_which_stores_are_made_of_it() {
    let good = fs::read_to_string(VECTORS).unwrap();
    let parent = tempfile::tempdir().unwrap();
    let file = parent.path().join("vectors.txt");
    let mut case = vectors();
    case.recipe.training.word_vectors = Some(file.clone());
    let numbers = " 1 2 3 4 5 6\n";
    for (more, expected) in [
        (format!("neverheard x{}", &numbers[2..]), "\"x\" is not a finite number"),
        (format!("neverheard 7{numbers}"), "more than a word and 6 numbers"),
        ("neverheard 1 2\n".to_string(), "a word and 2 numbers, not 6"),
    ] {
        let text = format!("{good}{more}");
        fs::write(&file, &text).unwrap();
        let to = parent.path().join("store.safetensors");
        let request =
            ConvertRequest { from: &file, member: None, to: &to, origin: Origin::default() };
        let converted = convert(&request, &mut |_, _| {}).unwrap_err().to_string();
        let trained = run(&case, parent.path()).unwrap_err().to_string();
        assert!(trained.contains(expected), "{trained}");
        assert_eq!(trained, converted);
    }
    // It was cut short.
    fs::write(&file, format!("1000 6\n{good}")).unwrap();
    let error = run(&case, parent.path()).unwrap_err().to_string();
    assert!(error.contains("announces 1000 words"), "{error}");
    // Tabs, too.
    fs::write(&file, good.replace(' ', "\t")).unwrap();
    let report = run(&case, parent.path()).unwrap().word_vectors.unwrap();
    assert!(report.n_found > 20, "{report:?}");
}

#[test]
fn a_store_that_does_not_fit_is_refused_before_anything_is_trained() {
    let parent = tempfile::tempdir().unwrap();
    let store = parent.path().join("vectors.safetensors");
    let origin = Origin { name: "made".into(), ..Origin::default() };
    let request = ConvertRequest { from: Path::new(VECTORS), member: None, to: &store, origin };
    convert(&request, &mut |_, _| {}).unwrap();
    let mut case = vectors();
    case.recipe.training.word_vectors = Some(store.clone());
    case.recipe.model.embedding_dim = 7;
    let error = run(&case, parent.path()).unwrap_err();
    assert!(matches!(error, Error::VectorWidth { dim: 6, embedding_dim: 7, .. }), "{error}");
    assert!(error.to_string().contains("set model.embedding_dim=6"), "{error}");

    let bytes = fs::read(&store).unwrap();
    fs::write(&store, &bytes[..bytes.len() - 1]).unwrap();
    let error = run(&case, parent.path()).unwrap_err().to_string();
    assert!(error.contains("not a whole store of word vectors"), "{error}");
}

#[test]
fn vectors_cannot_be_frozen_where_there_are_none_or_no_epoch_is_left() {
    let mut case = vectors();
    case.recipe.training.epochs = 1;
    let error = case.recipe.training.check().unwrap_err().to_string();
    assert!(error.contains("vectors is frozen-then-tuned"), "{error}");
    case.recipe.training.word_vectors = None;
    case.recipe.training.vectors = VectorTraining::Frozen;
    let error = case.recipe.training.check().unwrap_err().to_string();
    assert!(error.contains("tuned without word_vectors"), "{error}");
}

//! Model folders: claimed by one process, replaced as a whole, cleared of leftovers, read while being
//! replaced, and never mixed.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot make its files has failed"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use candle_core::{Device, Tensor};
use candle_nn::VarMap;
use classifier::folder::{self, Existing, OutputFolder, SavedModel, SeenTexts};
use classifier::{Classifier, Error};
use model::{
    InitConfig, ModelConfig, NgramChoice, Padding, PathScaling, RecurrentClassifier,
    Regularization, Task, TaskKind, TextClasses, Vocabularies,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use text_preprocessing::{PreprocessingConfig, TextEncoder};

const TEXTS: [&str; 3] = ["a fine film", "a dull film", "fine acting and a dull plot"];

/// An untrained network, with everything that a folder stores.
struct Made {
    config: ModelConfig,
    task: Task,
    thresholds: Option<Vec<f32>>,
    encoder: TextEncoder,
    vocabularies: Vocabularies,
    network: RecurrentClassifier,
    variables: VarMap,
    metrics: Value,
    seen: SeenTexts,
}

impl Made {
    fn new(seed: u64) -> Self {
        Self::of_texts(seed, &TEXTS)
    }

    fn of_texts(seed: u64, texts: &[&str]) -> Self {
        Self::of_task(seed, texts, Task::binary(), TextClasses::OneOf(&[1, 0, 1]))
    }

    fn of_task(seed: u64, texts: &[&str], task: Task, classes: TextClasses<'_>) -> Self {
        let encoder = TextEncoder::learn(PreprocessingConfig::default(), texts).unwrap();
        let config = ModelConfig {
            embedding_dim: 6,
            hidden_dim: 5,
            padding: Padding::Skip,
            ngram_order: 2,
            ..ModelConfig::default()
        };
        let config = config.for_task(&task).unwrap();
        let ids = encoder.encode_batch(texts).unwrap();
        let choice = NgramChoice { order: 2, min_texts: 1, max_ngrams: None };
        let vocabularies =
            Vocabularies::learn(encoder.vocab_size(), &ids, classes, task.n_classes(), choice)
                .unwrap();
        let init = InitConfig { seed, ..InitConfig::default() };
        let (network, variables) = RecurrentClassifier::init(
            &config,
            &Regularization::NONE,
            vocabularies.clone(),
            init,
            &Device::Cpu,
        )
        .unwrap();
        let seen = SeenTexts { train: vec![seed, 3, 1], validation: vec![u64::MAX] };
        let metrics = json!({ "seed": seed });
        let thresholds = None;
        Self { config, task, thresholds, encoder, vocabularies, network, variables, metrics, seen }
    }

    fn save(&self, folder: &OutputFolder) -> Result<(), Error> {
        let Self { config, task, encoder, variables, metrics, seen, .. } = self;
        let (ngrams, thresholds) = (self.vocabularies.ngrams.as_ref(), self.thresholds.as_deref());
        let weights = &model::weights(variables);
        let model = SavedModel { config, task, thresholds, encoder, ngrams, weights, seen };
        folder.save(&model, metrics)
    }

    /// Saves to a folder of its own.
    fn save_to(&self, path: &Path) {
        self.save(&OutputFolder::claim(path, Existing::Refuse).unwrap()).unwrap();
    }

    fn logits(&self) -> Vec<f32> {
        logits(&self.network, &self.encoder, &TEXTS)
    }
}

fn logits(network: &RecurrentClassifier, encoder: &TextEncoder, texts: &[&str]) -> Vec<f32> {
    let ids: Vec<Vec<u32>> =
        texts.iter().map(|text| encoder.encode_padded(text).unwrap()).collect();
    let ids = Tensor::new(ids, &Device::Cpu).unwrap();
    network.logits(&ids, None, None).unwrap().0.flatten_all().unwrap().to_vec1().unwrap()
}

fn loaded(path: &Path) -> Result<Classifier, Error> {
    Classifier::open(path, &Device::Cpu)
}

fn loaded_logits(path: &Path) -> Vec<f32> {
    let loaded = loaded(path).unwrap();
    logits(loaded.network(), loaded.encoder(), &TEXTS)
}

/// A temporary folder, and the path of a model in it.
fn place() -> (TempDir, PathBuf) {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("model");
    (parent, path)
}

/// All names in a folder, in order.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[track_caller]
fn error_of<T>(result: Result<T, Error>) -> String {
    match result {
        Ok(_) => panic!("it succeeded"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn what_is_saved_is_loaded_and_nothing_else_stays() {
    let (parent, path) = place();
    let made = Made::new(3);
    made.save_to(&path);
    assert_eq!(names(parent.path()), ["model"]);
    assert_eq!(
        names(&path),
        [
            "config.json",
            "metrics.json",
            "model.safetensors",
            "ngrams.safetensors",
            "seen_texts.safetensors",
            "tokenizer.json"
        ]
    );
    let (model, records) = folder::load_with_records(&path, &Device::Cpu).unwrap();
    assert_eq!(logits(model.network(), model.encoder(), &TEXTS), made.logits());
    let metrics: Value = serde_json::from_str(&records.metrics).unwrap();
    assert_eq!(metrics, json!({ "model_id": records.id.unwrap(), "seed": 3 }));
    let seen = SeenTexts { train: vec![1, 3, 3], validation: vec![u64::MAX] };
    assert_eq!(records.seen.as_ref(), Some(&seen), "sorted");
    assert_eq!(SeenTexts::load(&path).unwrap(), Some(seen));
}

#[test]
fn equal_models_are_equal_files_and_other_weights_another_id() {
    let (parent, _) = place();
    let save = |name: &str, seed| {
        let path = parent.path().join(name);
        Made::new(seed).save_to(&path);
        names(&path).iter().map(|file| fs::read(path.join(file)).unwrap()).collect::<Vec<_>>()
    };
    let id = |name: &str| {
        let records = folder::load_with_records(&parent.path().join(name), &Device::Cpu);
        records.unwrap().1.id.unwrap()
    };
    assert_eq!(save("a", 1), save("b", 1));
    assert_ne!(save("c", 2), save("d", 1));
    assert_eq!(id("a"), id("b"));
    assert_ne!(id("a"), id("c"));
}

#[test]
fn scales_by_length_go_with_the_folder_bit_for_bit() {
    let constant = Made::new(1);
    let config = ModelConfig { path_scales: PathScaling::ByLength, ..constant.config.clone() };
    let ids = constant.encoder.encode_batch(&TEXTS).unwrap();
    let ngrams = constant.vocabularies.ngrams.clone().map(|all| all.with_ratios(&ids, &[1, 0, 1]));
    let vocabularies = Vocabularies { ngrams, ..constant.vocabularies.clone() };
    let init = InitConfig { seed: 1, ..InitConfig::default() };
    let (_, variables) = RecurrentClassifier::init(
        &config,
        &Regularization::NONE,
        vocabularies.clone(),
        init,
        &Device::Cpu,
    )
    .unwrap();
    for (name, var) in model::sorted(&variables) {
        if name.starts_with("paths.") || name.starts_with("ngrams.") {
            let n = var.elem_count();
            let numbers: Vec<f32> = (0..n).map(|i| 0.3 + (i as f32 * 0.37).sin()).collect();
            var.set(&Tensor::from_vec(numbers, var.dims(), &Device::Cpu).unwrap()).unwrap();
        }
    }
    let weights = model::weights(&variables);
    let network = RecurrentClassifier::frozen(&config, vocabularies.clone(), &weights).unwrap();
    let (_parent, path) = place();
    let made = Made { config, vocabularies, network, variables, ..constant };
    made.save_to(&path);
    assert_eq!(loaded_logits(&path), made.logits());
    let ratios = loaded(&path).unwrap().network().vocabularies().ngrams.clone().unwrap();
    assert!(ratios.has_ratios() && ratios.ratio(&ids[0]) != 0.0);
    // A model that is told to have them, and has not.
    let (_parent, path) = place();
    Made::new(1).save_to(&path);
    let file = path.join("config.json");
    let config: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    let mut wrong = config.clone();
    wrong["model"]["path_scales"] = json!("by-length");
    fs::write(&file, wrong.to_string()).unwrap();
    let error = error_of(loaded(&path));
    assert!(error.contains("lacks paths."), "{error}");
    // The format before had no such setting, and is the same otherwise.
    let mut older = config;
    older["format_version"] = json!(5);
    fs::write(&file, older.to_string()).unwrap();
    assert_eq!(loaded_logits(&path), Made::new(1).logits());
}

#[test]
fn a_task_and_thresholds_go_with_the_folder_and_make_its_id() {
    let (parent, _) = place();
    let classes = TextClasses::AnyOf { starts: &[0, 2, 2, 3], classes: &[0, 2, 1] };
    let task = |names: [&str; 3]| Task::new(TaskKind::AnyOf, names).unwrap();
    let made = |task, thresholds| Made {
        thresholds,
        config: ModelConfig { output_size: None, ..Made::new(1).config },
        ..Made::of_task(1, &TEXTS, task, classes)
    };
    let saved = |name: &str, made: &Made| {
        let path = parent.path().join(name);
        made.save_to(&path);
        folder::load_with_records(&path, &Device::Cpu).unwrap()
    };
    let plain = made(task(["acting", "plot", "music"]), None);
    let (model, records) = saved("plain", &plain);
    assert_eq!((model.task(), model.thresholds()), (&plain.task, None));
    // The number of outputs is written even if the configuration leaves it to the task.
    let config = fs::read_to_string(parent.path().join("plain/config.json")).unwrap();
    let config: Value = serde_json::from_str(&config).unwrap();
    assert_eq!(config["model"]["output_size"], 3);
    assert_eq!(config["task"]["kind"], "any-of");
    assert!(config.get("thresholds").is_none());
    assert_eq!(logits(model.network(), model.encoder(), &TEXTS), plain.logits());
    assert_eq!(plain.logits().len(), 9);

    let renamed = made(task(["acting", "plot", "sound"]), None);
    let (_, of_renamed) = saved("renamed", &renamed);
    let decided = made(plain.task.clone(), Some(vec![0.5, 0.25, 0.125]));
    let (model, of_decided) = saved("decided", &decided);
    assert_eq!(model.thresholds(), decided.thresholds.as_deref());
    assert_eq!(saved("again", &decided).1.id, of_decided.id);
    assert_ne!(records.id, of_renamed.id);
    assert_ne!(records.id, of_decided.id);
}

#[test]
fn what_does_not_fit_the_task_is_not_saved() {
    let (_parent, path) = place();
    let claimed = OutputFolder::claim(&path, Existing::Refuse).unwrap();
    let made = Made { thresholds: Some(vec![0.5, 0.5]), ..Made::new(1) };
    assert!(matches!(made.save(&claimed), Err(Error::Model(model::Error::Thresholds { .. }))));
    let task = Task::new(TaskKind::OneOf, ["a", "b", "c"]).unwrap();
    let made = Made { task, ..Made::new(1) };
    let error = made.save(&claimed).unwrap_err();
    assert!(
        matches!(error, Error::Model(model::Error::OutputSize { got: 1, expected: 3, .. })),
        "{error:?}"
    );
    assert!(!path.exists());
}

#[test]
fn a_folder_is_claimed_once_at_a_time_under_all_its_names() {
    let (parent, path) = place();
    let claimed = OutputFolder::claim(&path, Existing::Replace).unwrap();
    assert!(claimed.is_locked());
    let mut spellings = vec![path.clone(), path.join(""), parent.path().join("./x/../model")];
    fs::create_dir(parent.path().join("x")).unwrap();
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(parent.path(), parent.path().join("link")).unwrap();
        spellings.push(parent.path().join("link/model"));
    }
    for spelling in &spellings {
        let error = OutputFolder::claim(spelling, Existing::Replace).unwrap_err();
        let own = std::process::id();
        assert!(matches!(error, Error::InUse { pid: Some(pid), .. } if pid == own), "{error}");
        let expected =
            format!("another training run is writing to {} (process {own})", spelling.display());
        assert_eq!(error.to_string(), expected);
    }
    drop(claimed);
    for spelling in &spellings {
        OutputFolder::claim(spelling, Existing::Replace).unwrap();
    }
}

#[cfg(unix)]
#[test]
fn a_link_to_a_model_stays_a_link_and_one_to_nothing_is_refused() {
    let (parent, path) = place();
    Made::new(1).save_to(&path);
    let link = parent.path().join("current");
    std::os::unix::fs::symlink("model", &link).unwrap();
    let claimed = OutputFolder::claim(&link, Existing::Replace).unwrap();
    assert!(OutputFolder::claim(&path, Existing::Replace).is_err(), "two names, one place");
    Made::new(2).save(&claimed).unwrap();
    drop(claimed);
    assert!(link.is_symlink());
    assert_eq!(loaded_logits(&path), Made::new(2).logits());
    assert_eq!(names(parent.path()), ["current", "model"]);

    let nowhere = parent.path().join("nowhere");
    std::os::unix::fs::symlink("away", &nowhere).unwrap();
    let error = error_of(OutputFolder::claim(&nowhere, Existing::Replace));
    assert!(error.contains("it is a broken link"), "{error}");
}

#[test]
fn a_claim_without_a_model_leaves_nothing_and_parents_that_are_shared_stay() {
    let (parent, _) = place();
    let deep = parent.path().join("a/b/model");
    drop(OutputFolder::claim(&deep, Existing::Refuse).unwrap());
    assert_eq!(names(parent.path()), [""; 0]);
    let first = OutputFolder::claim(&deep, Existing::Refuse).unwrap();
    let second = OutputFolder::claim(&parent.path().join("a/other"), Existing::Refuse).unwrap();
    drop(first);
    assert_eq!(names(parent.path()), ["a"]);
    drop(second);
    // At most an empty folder is left of the first.
    Made::new(1).save_to(&deep);
    assert_eq!(names(&parent.path().join("a/b")), ["model"]);
}

#[test]
fn a_free_name_is_neither_there_nor_claimed() {
    let (parent, _) = place();
    let claim =
        || OutputFolder::claim_free(&parent.path().join("models"), "default", |_| true).unwrap();
    let (first, second) = (claim(), claim());
    let name = |folder: &OutputFolder| folder.path().file_name().unwrap().to_owned();
    assert_eq!((name(&first), name(&second)), ("default".into(), "default-2".into()));
    Made::new(1).save(&first).unwrap();
    drop((first, second));
    // The second got no model: its name is free again.
    assert_eq!(name(&claim()), "default-2");
    assert_eq!(names(&parent.path().join("models")), ["default"]);
}

#[test]
fn many_who_look_for_a_free_name_at_once_get_different_ones() {
    let (parent, _) = place();
    let models = parent.path().join("models");
    let mut found: Vec<PathBuf> = thread::scope(|scope| {
        let claim = || {
            let folder = OutputFolder::claim_free(&models, "default", |_| true).unwrap();
            Made::new(1).save(&folder).unwrap();
            folder.path().to_path_buf()
        };
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(claim)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    found.sort();
    found.dedup();
    assert_eq!(found.len(), 8);
    assert_eq!(names(&models).len(), 8);
}

#[test]
fn what_exists_is_replaced_only_if_it_is_a_model_and_that_is_asked_for() {
    let (parent, path) = place();
    Made::new(1).save_to(&path);
    let error = OutputFolder::claim(&path, Existing::Refuse).unwrap_err();
    assert!(matches!(error, Error::Exists { .. }), "{error}");

    // An empty folder is as good as none.
    let empty = parent.path().join("empty");
    fs::create_dir(&empty).unwrap();
    Made::new(1).save_to(&empty);

    for (name, found) in [("notes.txt", "it holds notes.txt"), (".hidden", "it holds .hidden")] {
        let other = parent.path().join(format!("of {name}"));
        fs::create_dir(&other).unwrap();
        fs::write(other.join(name), "precious").unwrap();
        let error = error_of(OutputFolder::claim(&other, Existing::Replace));
        assert!(error.contains("is not a model folder") && error.contains(found), "{error}");
        assert_eq!(names(&other), [name]);
    }
    let file = parent.path().join("file");
    fs::write(&file, "precious").unwrap();
    let error = error_of(OutputFolder::claim(&file, Existing::Replace));
    assert!(error.contains("it is a file"), "{error}");
    assert!(OutputFolder::claim(Path::new("/"), Existing::Replace).is_err());
    assert!(OutputFolder::claim(Path::new(".."), Existing::Replace).is_err());
    assert_eq!(names(parent.path()), ["empty", "file", "model", "of .hidden", "of notes.txt"]);
}

#[test]
fn what_appears_between_claim_and_save_is_not_destroyed() {
    let (parent, path) = place();
    let made = Made::new(1);
    for existing in [Existing::Refuse, Existing::Replace] {
        let claimed = OutputFolder::claim(&path, existing).unwrap();
        fs::create_dir(&path).unwrap();
        fs::write(path.join("notes.txt"), "precious").unwrap();
        assert!(made.save(&claimed).is_err());
        assert_eq!(fs::read_to_string(path.join("notes.txt")).unwrap(), "precious");
        assert!(names(&path) == ["notes.txt"]);
        // A later save must not destroy what somebody else put beside the model's files.
        fs::remove_dir_all(&path).unwrap();
        made.save(&claimed).unwrap();
        fs::write(path.join(".notes"), "precious").unwrap();
        assert!(error_of(made.save(&claimed)).contains("it holds .notes"));
        assert!(path.join(".notes").exists() && loaded(&path).is_ok());
        drop(claimed);
        fs::remove_dir_all(&path).unwrap();
        assert_eq!(names(parent.path()), [""; 0]);
    }
    // A model that was copied to a path that had to be new is not ours to replace.
    let claimed = OutputFolder::claim(&path, Existing::Refuse).unwrap();
    let other = parent.path().join("other");
    Made::new(2).save_to(&other);
    fs::rename(&other, &path).unwrap();
    let error = made.save(&claimed).unwrap_err();
    assert!(matches!(error, Error::Exists { .. }), "{error}");
    assert_eq!(loaded_logits(&path), Made::new(2).logits());
}

#[test]
fn leftovers_of_killed_programs_go_with_the_next_claim_and_others_stay() {
    let (parent, path) = place();
    Made::new(1).save_to(&path);
    let make = |name: &str| {
        let folder = parent.path().join(name);
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("config.json"), "{").unwrap();
    };
    for name in [
        ".model.new-abc123",
        ".model.old-ABC123",
        ".model-2.new-abc123",
        ".model.new-longer1",
        ".model.new-abc123.d",
        ".other.new-abc123",
    ] {
        make(name);
    }
    fs::write(parent.path().join(".model.new-file12"), "{").unwrap();
    fs::write(parent.path().join(".model.lock"), "99999999\n").unwrap();
    // A temporary file that an older version left inside.
    fs::write(path.join(".model-Ab12Cd"), "{").unwrap();
    let claimed = OutputFolder::claim(&path, Existing::Replace).unwrap();
    assert_eq!(
        names(parent.path()),
        [
            ".model-2.new-abc123",
            ".model.lock",
            ".model.new-abc123.d",
            ".model.new-longer1",
            ".other.new-abc123",
            "model"
        ]
    );
    assert_eq!(loaded_logits(&path), Made::new(1).logits());
    Made::new(2).save(&claimed).unwrap();
    assert!(!path.join(".model-Ab12Cd").exists());
}

#[test]
fn a_model_that_a_killed_replacement_left_aside_is_put_back() {
    let (parent, path) = place();
    let aside = parent.path().join(".model.old-abc123");
    Made::new(1).save_to(&path);
    fs::rename(&path, &aside).unwrap();
    fs::create_dir(parent.path().join(".model.new-abc123")).unwrap();
    let error = error_of(loaded(&path));
    assert!(error.ends_with(&format!("did you mean {}?", aside.display())), "{error}");
    let error = OutputFolder::claim(&path, Existing::Refuse).unwrap_err();
    assert!(matches!(error, Error::Exists { .. }), "it is there again: {error}");
    assert_eq!(names(parent.path()), ["model"]);
    assert_eq!(loaded_logits(&path), Made::new(1).logits());
}

#[test]
fn the_lock_is_taken_anew_if_its_file_is_removed_unless_another_has_it() {
    let (parent, path) = place();
    let made = Made::new(1);
    let claimed = OutputFolder::claim(&path, Existing::Replace).unwrap();
    fs::remove_file(parent.path().join(".model.lock")).unwrap();
    made.save(&claimed).unwrap();
    assert!(OutputFolder::claim(&path, Existing::Replace).is_err());
    if cfg!(unix) {
        fs::remove_file(parent.path().join(".model.lock")).unwrap();
        let other = OutputFolder::claim(&path, Existing::Replace).unwrap();
        assert!(matches!(made.save(&claimed), Err(Error::InUse { .. })));
        assert!(matches!(claimed.save_metrics(&json!({})), Err(Error::InUse { .. })));
        Made::new(2).save(&other).unwrap();
    }
}

#[test]
fn single_files_are_replaced_for_the_saved_model_only() {
    let (parent, path) = place();
    Made::new(1).save_to(&path);
    let claimed = OutputFolder::claim(&path, Existing::Replace).unwrap();
    // Metrics of a model that is not saved yet must not get into the folder of the older one.
    for result in [claimed.save_metrics(&json!({})), claimed.write_file("curve.svg", b"<svg/>")] {
        assert!(matches!(result, Err(Error::NothingSaved { .. })));
    }
    let made = Made::new(2);
    made.save(&claimed).unwrap();
    claimed.save_metrics(&json!({ "test": 0.5 })).unwrap();
    claimed.write_file("curve.svg", b"<svg/>").unwrap();
    let (_, records) = folder::load_with_records(&path, &Device::Cpu).unwrap();
    let metrics: Value = serde_json::from_str(&records.metrics).unwrap();
    assert_eq!(metrics, json!({ "model_id": records.id.unwrap(), "test": 0.5 }));
    assert_eq!(fs::read_to_string(path.join("curve.svg")).unwrap(), "<svg/>");
    assert_eq!(names(parent.path()), [".model.lock", "model"]);

    // A program that ignores locks has put another model there.
    let other = parent.path().join("other");
    Made::new(3).save_to(&other);
    fs::remove_dir_all(&path).unwrap();
    fs::rename(&other, &path).unwrap();
    assert!(matches!(claimed.save_metrics(&json!({})), Err(Error::Mixed { .. })));
    assert_eq!(loaded_logits(&path), Made::new(3).logits());
}

#[test]
fn files_of_two_models_of_one_shape_are_told_apart() {
    let (parent, path) = place();
    let other = parent.path().join("other");
    Made::new(1).save_to(&path);
    // As many words, but different ones; as many n-grams; the same configuration.
    let texts = ["b fine film", "b dull film", "fine acting and b dull plot"];
    Made::of_texts(2, &texts).save_to(&other);
    for file in names(&path) {
        let whole = fs::read(path.join(&file)).unwrap();
        let foreign = fs::read(other.join(&file)).unwrap();
        assert!(whole != foreign, "{file}");
        fs::write(path.join(&file), &foreign).unwrap();
        let error = folder::load_with_records(&path, &Device::Cpu).map(|_| ()).unwrap_err();
        assert!(matches!(error, Error::Mixed { .. }), "{file}: {error}");
        let named = if file == "config.json" { "tokenizer.json" } else { &file };
        assert!(error.to_string().contains(&path.join(named).display().to_string()), "{error}");
        fs::write(path.join(&file), &whole).unwrap();
    }
    folder::load_with_records(&path, &Device::Cpu).unwrap();
}

#[test]
fn weights_without_an_id_are_not_taken_for_those_of_a_model_that_has_one() {
    let (_parent, path) = place();
    let made = Made::new(1);
    made.save_to(&path);
    made.variables.save(path.join(folder::WEIGHTS_FILE)).unwrap();
    let error = error_of(loaded(&path));
    let expected =
        "its model_id is missing (a file that this program did not write needs it in its metadata)";
    assert!(error.contains(expected), "{error}");
}

#[test]
fn digests_of_seen_texts_may_be_deleted_and_none_are_not_written() {
    let (parent, path) = place();
    Made::new(1).save_to(&path);
    fs::remove_file(path.join(folder::SEEN_TEXTS_FILE)).unwrap();
    assert_eq!(SeenTexts::load(&path).unwrap(), None);
    assert!(folder::load_with_records(&path, &Device::Cpu).unwrap().1.seen.is_none());
    fs::write(path.join(folder::SEEN_TEXTS_FILE), "cut").unwrap();
    assert!(error_of(SeenTexts::load(&path)).contains("cannot be read"));
    loaded(&path).unwrap();

    let unknown = parent.path().join("unknown");
    Made { seen: SeenTexts::default(), ..Made::new(1) }.save_to(&unknown);
    assert!(!unknown.join(folder::SEEN_TEXTS_FILE).exists());
}

#[test]
fn a_reader_never_fails_and_never_gets_a_mixture_while_a_model_is_replaced() {
    let (parent, path) = place();
    let texts = ["b fine film", "b dull film", "fine acting and b dull plot"];
    let models = [Made::new(1), Made::of_texts(2, &texts)];
    let expected = models.each_ref().map(|made| (made.logits(), json!(made.metrics["seed"])));
    models[0].save_to(&path);
    let (is_over, n_read) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        let reader = || {
            while !is_over.load(Ordering::Relaxed) {
                let (model, records) = folder::load_with_records(&path, &Device::Cpu).unwrap();
                let metrics: Value = serde_json::from_str(&records.metrics).unwrap();
                let got =
                    (logits(model.network(), model.encoder(), &TEXTS), metrics["seed"].clone());
                assert!(expected.contains(&got), "{got:?}");
                let seed = got.1.as_u64().unwrap();
                assert!(records.seen.unwrap().train.contains(&seed));
                n_read.fetch_add(1, Ordering::Relaxed);
            }
        };
        let readers = [scope.spawn(reader), scope.spawn(reader)];
        let claimed = OutputFolder::claim(&path, Existing::Replace).unwrap();
        for round in 0..100 {
            let made = &models[round % 2];
            made.save(&claimed).unwrap();
            claimed.save_metrics(&made.metrics).unwrap();
        }
        is_over.store(true, Ordering::Relaxed);
        readers.into_iter().for_each(|reader| reader.join().unwrap());
    });
    assert!(n_read.load(Ordering::Relaxed) > 0);
    assert_eq!(names(parent.path()), ["model"]);
}

#[test]
fn a_loaded_model_stays_good_when_its_folder_is_replaced_and_removed() {
    let (_parent, path) = place();
    let made = Made::new(1);
    made.save_to(&path);
    let loaded = loaded(&path).unwrap();
    let claimed = OutputFolder::claim(&path, Existing::Replace).unwrap();
    Made::new(2).save(&claimed).unwrap();
    fs::remove_dir_all(&path).unwrap();
    // The embedding's table is memory-mapped, and read only now.
    assert_eq!(logits(loaded.network(), loaded.encoder(), &TEXTS), made.logits());
}

#[cfg(unix)]
#[test]
fn a_replaced_folder_keeps_its_permissions_and_its_files_are_as_public_as_others() {
    use std::os::unix::fs::PermissionsExt as _;
    let (_parent, path) = place();
    Made::new(1).save_to(&path);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o750)).unwrap();
    let claimed = OutputFolder::claim(&path, Existing::Replace).unwrap();
    Made::new(2).save(&claimed).unwrap();
    claimed.write_file("curve.svg", b"<svg/>").unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o750);
    let expected = mode(&path.join("config.json"));
    for file in names(&path) {
        assert_eq!(mode(&path.join(&file)), expected, "{file}");
    }
}

#[test]
fn what_is_no_model_folder_says_what_was_probably_meant() {
    let parent = tempfile::tempdir().unwrap();
    let at = |name: &str| parent.path().join(name);
    let refusal = |name: &str| error_of(loaded(&at(name)));
    let meant = |name: &str| format!("; did you mean {}?", at(name).display());
    assert!(refusal("models/a").ends_with("it does not exist"));
    for name in ["models/a", "models/b"] {
        Made::new(1).save_to(&at(name));
    }
    loaded(&at("models/a/")).unwrap();
    let error = refusal("models/a/model.safetensors");
    assert!(
        error.ends_with(&format!("it is a file in a model folder{}", meant("models/a"))),
        "{error}"
    );
    let error = refusal("models");
    let both = format!("{} or {}", at("models/a").display(), at("models/b").display());
    assert!(error.ends_with(&format!("it is a folder of models; did you mean {both}?")), "{error}");
    let error = refusal("models/c");
    let both = format!("{} and {}", at("models/a").display(), at("models/b").display());
    assert!(error.ends_with(&format!("it does not exist; there are {both}")), "{error}");
    fs::write(at("state_dict.pt"), "PK\u{3}\u{4}").unwrap();
    let error = refusal("state_dict.pt");
    assert!(error.contains("it is a file; a model is a folder with model.safetensors"), "{error}");
    fs::create_dir(at("empty")).unwrap();
    assert!(refusal("empty").contains("it lacks config.json; a model is a folder with"));
    fs::remove_file(at("models/a/config.json")).unwrap();
    assert!(refusal("models/a").contains("config.json is missing; a model folder holds"));
}

/// Committed folders of older formats, and the predictions of the programs that wrote them.
#[test]
fn models_of_older_formats_are_read_and_predict_what_they_did() {
    // The predictions are f32 probabilities; other processors add in a different order.
    const TOLERANCE: f32 = 1e-5;
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    for (format, cleaning) in [("format-2", 1u64), ("format-3", 2), ("format-4", 2)] {
        let (model, records) =
            folder::load_with_records(&golden.join(format), &Device::Cpu).unwrap();
        let has_ids = format != "format-2";
        assert_eq!((records.id.is_some(), records.seen.is_some()), (has_ids, has_ids), "{format}");
        assert_eq!(u64::from(model.encoder().config().cleaning), cleaning);
        assert!(model.network().has_linear_path());
        assert_eq!((model.task(), model.thresholds()), (&Task::binary(), None), "{format}");
        assert_eq!(model.digest().map(str::len), Some(16), "{format}");
        assert_eq!(model.id().is_none(), format == "format-2", "{format}");
        assert_eq!(model.network().config().output_size, Some(1));
        assert_eq!(*model.network().regularization(), Regularization::NONE);
        let answers =
            fs::read_to_string(golden.join(format!("{format}.predictions.json"))).unwrap();
        let answers: Value = serde_json::from_str(&answers).unwrap();
        let answers = answers.as_array().unwrap();
        assert_eq!(answers.len(), 12);
        for answer in answers {
            let text = answer["text"].as_str().unwrap();
            let logit = logits(model.network(), model.encoder(), &[text])[0];
            let got = model.task().probabilities(&[logit])[1];
            let expected = answer["probability"].as_f64().unwrap() as f32;
            assert!(
                (got - expected).abs() <= TOLERANCE,
                "{format}, {text:?}: {got} instead of {expected}"
            );
        }
    }
}

/// A committed folder of format 5, of three classes: the first with a task, before scales by length.
#[test]
fn a_model_of_format_5_is_read_and_predicts_what_it_did() {
    const TOLERANCE: f64 = 1e-5;
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let (model, records) =
        folder::load_with_records(&golden.join("format-5"), &Device::Cpu).unwrap();
    assert!(records.id.is_some() && records.seen.is_some());
    let network = model.network();
    assert!(network.has_linear_path() && network.config().path_scales.is_constant());
    assert!(!network.vocabularies().ngrams.as_ref().unwrap().has_ratios());
    let answers = fs::read_to_string(golden.join("format-5.predictions.json")).unwrap();
    let answers: Value = serde_json::from_str(&answers).unwrap();
    let answers = answers.as_array().unwrap();
    assert_eq!(answers.len(), 12);
    for answer in answers {
        let text = answer["text"].as_str().unwrap();
        let probabilities = model.task().probabilities(&logits(network, model.encoder(), &[text]));
        let names = model.task().classes();
        let class = (0..3).find(|&class| names[class] == answer["label"].as_str().unwrap());
        let got = f64::from(probabilities[class.unwrap()]);
        let expected = answer["probability"].as_f64().unwrap();
        assert!((got - expected).abs() <= TOLERANCE, "{text:?}: {got} instead of {expected}");
    }
}

#[test]
fn other_formats_are_refused_with_what_is_needed() {
    let (_parent, path) = place();
    Made::new(1).save_to(&path);
    let file = path.join("config.json");
    let config = fs::read_to_string(&file).unwrap();
    let config: Value = serde_json::from_str(&config).unwrap();
    assert_eq!(config["format_version"], 6);
    assert_eq!(config["program_version"], env!("CARGO_PKG_VERSION"));
    let mut newer = config.clone();
    newer["format_version"] = json!(7);
    newer["program_version"] = json!("0.7.0");
    fs::write(&file, newer.to_string()).unwrap();
    let error = error_of(loaded(&path));
    let cure = "has format 7, written by sentiment-rnn 0.7.0; this program reads formats 2 to 6: \
                install version 0.7.0 or newer";
    assert!(error.ends_with(cure), "{error}");
}

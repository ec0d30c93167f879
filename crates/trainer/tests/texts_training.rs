//! Training on texts from memory: labels of every task, weights, groups, small data, and what the report says.
#![allow(clippy::unwrap_used)] // A training that cannot be set up is a failure of the test.

use std::path::Path;

use candle_core::Device;
use classifier::Classifier;
use classifier::folder::{Existing, OutputFolder};
use dataset::{Classes, Conflicts, LabelOptions, LabelledTexts, Labels, SplitConfig, TaskKind};
use tempfile::TempDir;
use trainer::{
    Control, Ending, Event, Never, Observer, Recipe, Result, Session, Silent, SmallData, SplitPlan,
    Stamp, Stop, TextsTraining, TrainingReport, Warning,
};

/// A recipe that learns [`texts`] in a tenth of a second.
fn recipe(more: &[&str]) -> Recipe {
    let settings = [
        "preprocessing.seq_len=12",
        "preprocessing.min_frequency=1",
        "model.embedding_dim=8",
        "model.hidden_dim=8",
        "regularization.word_dropout=0.0",
        "training.batch_size=10",
        "training.epochs=3",
        "training.learning_rate=0.02",
    ];
    let settings: Vec<String> = settings.iter().chain(more).map(ToString::to_string).collect();
    Recipe::load("quick", &settings).unwrap()
}

/// Different texts, each with the word of its class.
fn texts(n_texts: usize, n_classes: usize) -> Vec<String> {
    const WORDS: [&str; 4] = ["awful", "plain", "great", "odd"];
    let text = |idx| format!("film {} number{idx} seat{}", WORDS[idx % n_classes], idx % 7);
    (0..n_texts).map(text).collect()
}

fn labels(n_texts: usize, names: &[&str]) -> Labels {
    (0..n_texts).map(|idx| names[idx % names.len()].to_string()).collect::<Vec<_>>().into()
}

fn table(n_texts: usize, names: &[&str]) -> LabelledTexts {
    let (texts, labels) = (texts(n_texts, names.len()), labels(n_texts, names));
    LabelledTexts::from_columns(texts, &labels, &LabelOptions::default()).unwrap()
}

fn train(
    texts: &LabelledTexts,
    recipe: &Recipe,
    small_data: SmallData,
    plan: &SplitPlan,
    path: &Path,
) -> Result<TrainingReport> {
    let folder = &OutputFolder::claim(path, Existing::Replace)?;
    let device = &Device::Cpu;
    let training =
        TextsTraining { texts, recipe, plan, small_data, comparison: true, device, folder };
    training.run(&mut Silent)
}

/// Trains with the recipe's own plan in a new folder.
fn trained(
    texts: &LabelledTexts,
    recipe: &Recipe,
    small_data: SmallData,
) -> Result<TrainingReport> {
    let folder = TempDir::new().unwrap();
    train(texts, recipe, small_data, &recipe.split_plan(), &folder.path().join("model"))
}

/// What is saved is what is returned, but for the last digits of seconds.
#[track_caller]
fn assert_is_saved(report: &TrainingReport, path: &Path) {
    let saved = TrainingReport::load(path).unwrap();
    assert_eq!((&saved.data, &saved.training), (&report.data, &report.training));
    assert_eq!((&saved.warnings, saved.lowered_batch), (&report.warnings, report.lowered_batch));
    let headline = |report: &TrainingReport| report.test.as_ref().map(|test| test.headline().1);
    assert_eq!((saved.ended, headline(&saved)), (report.ended, headline(report)));
}

#[test]
fn texts_of_every_task_are_learned_and_tested() {
    let recipe = recipe(&[]);
    let binary = table(120, &["bad", "good"]);
    let one_of = table(120, &["bad", "plain", "good"]);
    let lists = labels(120, &["bad", "plain", "good"]);
    let Labels::Cells(cells) = lists else { unreachable!() };
    let lists: Vec<Vec<String>> = cells.into_iter().map(|one| one.into_iter().collect()).collect();
    let any_of =
        LabelledTexts::from_columns(texts(120, 3), &lists.into(), &LabelOptions::default())
            .unwrap();
    for (table, kind) in [
        (binary, model::TaskKind::Binary),
        (one_of, model::TaskKind::OneOf),
        (any_of, model::TaskKind::AnyOf),
    ] {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("model");
        let plan = recipe.split_plan();
        let report = train(&table, &recipe, SmallData::Refuse, &plan, &path).unwrap();
        assert_eq!((report.task.kind(), report.ended), (kind, Ending::Complete));
        assert_eq!(report.task.classes(), table.classes().names);
        let test = report.test.as_ref().unwrap();
        assert!(test.headline().1 > 0.8, "{kind:?}: {:?}", test.headline());
        assert!(report.data.in_memory && report.data.path.as_os_str().is_empty());
        assert_eq!(report.data.fingerprint, table.fingerprint());
        assert_is_saved(&report, &path);
        assert_eq!(*Classifier::open(&path, &Device::Cpu).unwrap().task(), report.task);
    }
}

#[test]
fn exact_labels_become_the_names_of_the_model() {
    let (texts, labels) = (texts(60, 2), labels(60, &["pos", "neg"]));
    let classes = Classes::of_labels(&labels, Some(TaskKind::OneOf)).unwrap();
    let table = LabelledTexts::of_classes(texts, &labels, classes).unwrap();
    let report = trained(&table, &recipe(&[]), SmallData::Refuse).unwrap();
    assert_eq!(report.task.classes(), ["neg", "pos"]);
    assert_eq!(report.task.kind(), model::TaskKind::OneOf);
}

#[test]
fn weights_and_groups_reach_the_training_and_are_in_the_report() {
    let table = table(120, &["bad", "good"]);
    let recipe = recipe(&[]);
    let plain = trained(&table, &recipe, SmallData::Refuse).unwrap();
    assert_eq!((&plain.data.weight_column, &plain.data.group_column), (&None, &None));
    let weights = (0..120).map(|idx| if idx % 2 == 0 { 5.0 } else { 0.1 }).collect();
    let weighted = table.clone().with_weights(weights).unwrap();
    let weighted = trained(&weighted, &recipe, SmallData::Refuse).unwrap();
    assert_eq!(weighted.data.weight_column.as_deref(), Some("weight"));
    let share = |report: &TrainingReport| report.history[0].train_loss;
    assert_ne!(share(&plain), share(&weighted));
    let grouped = table.with_group_names((0..120).map(|idx| format!("author {}", idx % 40)));
    let grouped = trained(&grouped.unwrap(), &recipe, SmallData::Refuse).unwrap();
    assert_eq!(grouped.data.summary.n_groups, Some(40));
    assert_eq!(grouped.data.group_column.as_deref(), Some("group"));
}

#[test]
fn a_batch_larger_than_the_data_is_refused_or_lowered_with_a_warning() {
    let (table, recipe) = (table(40, &["bad", "good"]), recipe(&["training.batch_size=50"]));
    let error = trained(&table, &recipe, SmallData::Refuse).unwrap_err();
    assert_eq!(
        error.to_string(),
        "32 training texts are fewer than one batch of 50; use more data or a smaller training.batch_size"
    );
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("model");
    let plan = recipe.split_plan();
    let report = train(&table, &recipe, SmallData::LowerBatch, &plan, &path).unwrap();
    assert_eq!(report.training.batch_size, 32);
    let warning = Warning::LoweredBatch { from: 50, to: 32 };
    assert!(report.warnings.contains(&warning), "{:?}", report.warnings);
    assert_eq!(
        warning.to_string(),
        "training.batch_size was lowered from 50 to 32, because there are only 32 training texts"
    );
    assert_is_saved(&report, &path);
    // Enough texts are left alone.
    let enough = self::table(70, &["bad", "good"]);
    let report = trained(&enough, &recipe, SmallData::LowerBatch).unwrap();
    assert_eq!((report.training.batch_size, report.lowered_batch), (50, None));
}

#[test]
fn every_recipe_trains_on_few_texts() {
    let settings = [
        "preprocessing.min_frequency=1",
        "preprocessing.seq_len=12",
        "model.embedding_dim=8",
        "model.hidden_dim=8",
    ]
    .map(String::from);
    for name in Recipe::names() {
        let recipe = Recipe::load(name, &settings).unwrap();
        let report = trained(&table(20, &["bad", "good"]), &recipe, SmallData::LowerBatch).unwrap();
        assert_eq!((report.recipe.as_str(), report.ended), (name, Ending::Complete));
        assert!(report.kept().is_some() && report.test.is_some(), "{name}");
        assert_eq!(report.lowered_batch.map(|lowered| lowered.to), Some(16), "{name}");
    }
}

#[test]
fn the_fewest_texts_are_ten() {
    let recipe = recipe(&[]);
    let report = trained(&table(10, &["bad", "good"]), &recipe, SmallData::LowerBatch).unwrap();
    assert!(report.test.is_some());
    let error = trained(&table(9, &["bad", "good"]), &recipe, SmallData::LowerBatch).unwrap_err();
    assert_eq!(error.to_string(), "9 texts are too few to split; at least 10 are needed");
    let same = vec!["the same"; 20];
    let same =
        LabelledTexts::from_columns(same, &labels(20, &["a", "b"]), &LabelOptions::default());
    let error = trained(&same.unwrap(), &recipe, SmallData::LowerBatch).unwrap_err();
    assert_eq!(error.to_string(), "all 20 texts are the same: \"the same\"");
}

#[test]
fn without_a_share_for_testing_there_is_no_test() {
    let (table, recipe) = (table(60, &["bad", "good"]), recipe(&["model.ngram_order=0"]));
    let shares = SplitConfig { train: 0.9, validation: 0.1, test: 0.0, seed: 1 };
    let plan = SplitPlan { shares, ..recipe.split_plan() };
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("model");
    let report = train(&table, &recipe, SmallData::Refuse, &plan, &path).unwrap();
    assert_eq!((report.data.summary.n_train, report.data.summary.n_test), (54, 0));
    assert!(report.test.is_none() && report.linear_baseline.is_none());
    let about_test = |warning: &&Warning| warning.to_string().contains("test split");
    assert_eq!(report.warnings.iter().find(about_test), None);
}

#[test]
fn conflicting_labels_name_texts_and_not_rows() {
    let (mut texts, labels) = (texts(60, 2), labels(60, &["bad", "good"]));
    texts[7] = texts[2].clone();
    let table = LabelledTexts::from_columns(&texts, &labels, &LabelOptions::default()).unwrap();
    let recipe = recipe(&[]);
    let report = trained(&table, &recipe, SmallData::Refuse).unwrap();
    let told: Vec<String> = report.warnings.iter().map(ToString::to_string).collect();
    let expected =
        "1 text has different labels (such as texts 3 and 8): each keeps its first label";
    assert!(told.iter().any(|warning| warning == expected), "{told:?}");
    let plan = SplitPlan { conflicts: Conflicts::Error, ..recipe.split_plan() };
    let folder = TempDir::new().unwrap();
    let error = train(&table, &recipe, SmallData::Refuse, &plan, &folder.path().join("model"));
    let message = error.unwrap_err().to_string();
    assert!(message.starts_with("1 text has both labels, for example texts 3 and 8"), "{message}");
}

/// Stops at once.
struct AtOnce;

impl Control for AtOnce {
    fn stop(&self) -> Option<Stop> {
        Some(Stop::Interrupt)
    }
}

/// Remembers what happened.
#[derive(Default)]
struct Watching {
    n_scored: usize,
    n_tested: usize,
    is_testing: bool,
    events: Vec<&'static str>,
}

impl Observer for Watching {
    fn on(&mut self, _: &Stamp, event: &Event) -> Result<()> {
        match *event {
            Event::TestStart { n_rows } => {
                (self.n_tested, self.is_testing) = (n_rows, true);
                self.events.push("test");
            }
            Event::Scored { n_rows } if self.is_testing => self.n_scored += n_rows,
            Event::Tested { .. } => {
                self.is_testing = false;
                self.events.push("tested");
            }
            Event::ComparisonStart => self.events.push("comparison"),
            Event::Compared { ref failure } => {
                assert!(failure.is_none());
                self.events.push("compared");
            }
            _ => {}
        }
        Ok(())
    }
}

#[test]
fn an_observer_is_told_of_test_and_comparison() {
    let (table, recipe) = (table(60, &["bad", "good"]), recipe(&["model.ngram_order=0"]));
    let folder = TempDir::new().unwrap();
    let run = |comparison, control: &dyn Control, watching: &mut Watching| {
        let folder = &OutputFolder::claim(&folder.path().join("model"), Existing::Replace)?;
        let (texts, recipe, plan) = (&table, &recipe, &recipe.split_plan());
        let (small_data, device) = (SmallData::Refuse, &Device::Cpu);
        TextsTraining { texts, recipe, plan, small_data, comparison, device, folder }
            .run_in(&mut Session { observer: watching, control, run: None })
    };
    let mut watching = Watching::default();
    let report = run(true, &Never, &mut watching).unwrap();
    assert_eq!(watching.events, ["test", "tested", "comparison", "compared"]);
    assert_eq!((watching.n_scored, watching.n_tested), (6, 6));
    assert!(report.linear_baseline.is_some());
    let mut watching = Watching::default();
    assert!(run(false, &Never, &mut watching).unwrap().linear_baseline.is_none());
    assert_eq!(watching.events, ["test", "tested"]);
    // Stopped before there is a model: nothing to test, and no error.
    let mut watching = Watching::default();
    let report = run(true, &AtOnce, &mut watching).unwrap();
    assert!(report.kept().is_none() && report.ended == Ending::Interrupted);
    assert_eq!(watching.events, [""; 0]);
}

//! A model that was trained on texts from memory: there is no file to evaluate it on unless one is named.
#![allow(clippy::unwrap_used, reason = "a test that cannot train its model has failed")]

mod common;

use candle_core::Device;
use classifier::folder::{Existing, OutputFolder};
use common::{Workplace, sentence};
use dataset::{LabelOptions, LabelledTexts, Labels};
use serde_json::Value;
use trainer::{Recipe, Silent, SmallData, TextsTraining};

const N_TEXTS: usize = 120;

/// Texts, and labels with the words that tell them.
fn lists() -> (Vec<String>, Vec<String>) {
    let (words, names) = (["bad", "great"], ["neg", "pos"]);
    let texts = (0..N_TEXTS).map(|idx| sentence(idx, words[idx % 2])).collect();
    (texts, (0..N_TEXTS).map(|idx| names[idx % 2].to_string()).collect())
}

/// Trains `model` and returns its report.
fn train(place: &Workplace, groups: bool) -> Value {
    let settings =
        ["training.batch_size=10", "training.epochs=1", "model.hidden_dim=4"].map(String::from);
    let recipe = &Recipe::load("quick", &settings).unwrap();
    let (texts, labels) = lists();
    let labels = Labels::from(labels);
    let mut texts = LabelledTexts::from_columns(texts, &labels, &LabelOptions::default()).unwrap();
    if groups {
        texts = texts.with_groups((0..N_TEXTS as u32).map(|idx| idx / 3).collect()).unwrap();
    }
    let training = TextsTraining {
        texts: &texts,
        recipe,
        plan: &recipe.split_plan(),
        small_data: SmallData::Refuse,
        comparison: false,
        device: &Device::Cpu,
        folder: &OutputFolder::claim(&place.path("model"), Existing::Refuse).unwrap(),
    };
    serde_json::to_value(training.run(&mut Silent).unwrap()).unwrap()
}

/// The same texts in a file.
fn csv() -> String {
    let (texts, labels) = lists();
    let rows = texts.iter().zip(&labels).map(|(text, label)| format!("{text},{label}\n"));
    "text,label\n".to_string() + &rows.collect::<String>()
}

#[test]
fn evaluation_without_data_says_that_the_texts_were_in_memory() {
    let place = Workplace::new();
    train(&place, false);
    place.run(&["evaluate", "--model", "model"]).failed(
        1,
        &["model: the model was trained on texts from memory, so there is no file", "--data FILE"],
    );
}

#[test]
fn the_test_split_is_found_in_a_file_of_the_same_texts() {
    let place = Workplace::new();
    let report = train(&place, false);
    place.write("same.csv", csv());
    let args = ["evaluate", "--model", "model", "--data", "same.csv", "--json"];
    let all = place.run(&args).succeeded().json();
    assert_eq!(all["n_rows"], N_TEXTS);
    let test = place.run(&[&args[..], &["--split", "test"]].concat()).succeeded().json();
    assert_eq!(test["n_rows"], N_TEXTS / 10);
    assert_eq!(test["loss"], report["test"]["loss"]);
}

#[test]
fn a_file_of_other_texts_has_no_test_split() {
    let place = Workplace::new();
    train(&place, false);
    place.write("other.csv", csv().replacen("text,label\n", "text,label\nbad luck,neg\n", 1));
    let args = ["evaluate", "--model", "model", "--data", "other.csv", "--split", "test"];
    place.run(&args).failed(
        1,
        &["other.csv has 121 rows and differs from the training data (120 texts from memory)"],
    );
}

#[test]
fn groups_from_memory_are_in_no_file() {
    let place = Workplace::new();
    train(&place, true);
    place.write("same.csv", csv());
    let args = ["evaluate", "--model", "model", "--data", "same.csv", "--split", "test"];
    place.run(&args).failed(1, &["grouped differently", "--split all"]);
}

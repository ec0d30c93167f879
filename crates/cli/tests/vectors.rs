//! `sentiment vectors`, and a training that starts from a store.
#![allow(clippy::unwrap_used, reason = "a test that cannot make its files has failed")]

mod common;

use common::Workplace;
use serde_json::{Value, json};

const TEXT: &str = "good 1 0\nbad -1 0\ngreat 3 4\ngood 9 9\nfilm 0 1\n";

#[test]
fn a_file_becomes_a_store_that_tells_what_it_is() {
    let place = Workplace::new();
    place.write("mine.txt", TEXT);
    let args = ["vectors", "mine.txt", "--licence", "PDDL", "--nearest", "good", "--top", "2"];
    let made = place.run(&args).succeeded();
    assert!(
        made.stderr.contains("mine.txt: left out 1 word that had occurred before: line 4"),
        "{}",
        made.stderr
    );
    assert!(made.stderr.contains("4 words, made of mine.txt (text)"), "{}", made.stderr);
    for part in [
        "data/vectors/mine.safetensors: 4 words, 2 features",
        "name: mine\n",
        "licence: PDDL",
        "origin: not said",
        "first words: good bad great film",
        "nearest to good:\n    0.6000  great\n    0.0000  film\n",
    ] {
        assert!(made.stdout.contains(part), "no {part:?} in:\n{}", made.stdout);
    }
    let store = "data/vectors/mine.safetensors";
    let shown = place.run(&["vectors", store, "--nearest", "bad", "--json"]).succeeded();
    let shown: Value = serde_json::from_str(&shown.stdout).unwrap();
    assert_eq!((&shown[0]["n_words"], &shown[0]["n_features"]), (&json!(4), &json!(2)));
    assert_eq!(shown[0]["origin"]["licence"], "PDDL");
    assert_eq!(shown[0]["nearest"]["bad"][0]["word"], "film");
}

#[test]
fn what_cannot_be_done_is_an_error_that_says_what_to_do() {
    let place = Workplace::new();
    place.write("mine.txt", TEXT);
    place.write("bad.txt", "good 1 0\nbad x 0\n");
    place.run(&["vectors", "mine.txt"]).succeeded();
    let store = "data/vectors/mine.safetensors";
    for (args, expected) in [
        (&["vectors", "mine.txt"][..], "replace it with --force"),
        (&["vectors", "no.txt"], "cannot read the word vectors no.txt: No such file"),
        (&["vectors", "bad.txt"], "line 2 of bad.txt: \"x\" is not a finite number"),
        (&["vectors", store, "--licence", "MIT"], "it is a store already; leave --licence out"),
        (&["vectors", store, "--nearest", "worse"], "has no word \"worse\""),
        (&["vectors", "mine.txt", "bad.txt", "--output", "a"], "--output names one store"),
    ] {
        place.run(args).failed(1, &[expected]);
    }
    place.run(&["vectors", "mine.txt", "--force"]).succeeded();
    place.run(&["vectors", "mine.txt", "bad.txt"]).failed(1, &["mine.safetensors exists"]);
}

#[test]
fn no_store_is_written_over_another_file_of_the_same_command() {
    let place = Workplace::new();
    for folder in ["a", "b"] {
        std::fs::create_dir(place.path(folder)).unwrap();
        place.write(format!("{folder}/glove.txt"), TEXT);
    }
    let store = "data/vectors/glove.safetensors";
    for force in [&[][..], &["--force"]] {
        let args = [&["vectors", "a/glove.txt", "b/glove.txt"], force].concat();
        let both =
            format!("a/glove.txt and b/glove.txt would both become {store}; make the stores");
        place.run(&args).failed(1, &[&both, "--output STORE"]);
        assert!(!place.path("data").exists());
    }
    let args = ["vectors", "a/glove.txt", "--output", "./a/glove.txt", "--force"];
    place.run(&args).failed(1, &["a/glove.txt would become a/glove.txt, which is read"]);
    assert_eq!(place.read("a/glove.txt"), TEXT);
    place.run(&["vectors", "a/glove.txt"]).succeeded();
    let made = place.bytes(store);
    place.write("good.txt", TEXT);
    // The first is not written either.
    place.run(&["vectors", "good.txt", "a/glove.txt"]).failed(1, &["glove.safetensors exists"]);
    assert!(!place.path("data/vectors/good.safetensors").exists());
    let args = ["vectors", "a/glove.txt", store, "--force"];
    place.run(&args).failed(1, &[&format!("a/glove.txt would become {store}, which is read")]);
    assert!(place.bytes(store) == made);
}

/// The rows of a model's embedding for some words.
fn rows(place: &Workplace, model: &str, words: [&str; 2]) -> [Vec<f32>; 2] {
    let weights = place.path(format!("{model}/model.safetensors"));
    let weights = candle_core::safetensors::load(weights, &candle_core::Device::Cpu).unwrap();
    let tokenizer: Value =
        serde_json::from_str(&place.read(format!("{model}/tokenizer.json"))).unwrap();
    words.map(|word| {
        let id = tokenizer["model"]["vocab"][word].as_u64().unwrap() as usize;
        weights["embedding.weight"].get(id).unwrap().to_vec1().unwrap()
    })
}

#[test]
fn a_training_starts_from_a_store_and_keeps_its_vectors_if_they_are_frozen() {
    let place = Workplace::with_reviews();
    place.write("mine.txt", "good 1 2 3 4 5 6 7 8\nbad 8 7 6 5 4 3 2 1\n");
    place.run(&["vectors", "mine.txt", "--output", "mine.safetensors"]).succeeded();
    let frozen = ["--vectors", "mine.safetensors", "--set", "training.vectors=frozen"];
    let trained = place.train(&[&frozen[..], &["--output", "frozen"]].concat()).succeeded();
    assert!(trained.stderr.contains("mine.safetensors"), "{}", trained.stderr);
    let vectors =
        [[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0], [8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0]]
            .map(|vector: [f32; 8]| vector.to_vec());
    assert_eq!(rows(&place, "frozen", ["good", "bad"]), vectors);
    place.train(&[&frozen[..2], &["--output", "tuned"]].concat()).succeeded();
    let tuned = rows(&place, "tuned", ["good", "bad"]);
    for (tuned, vector) in tuned.iter().zip(&vectors) {
        assert_ne!(tuned, vector);
        let is_near = |(a, b): (&f32, &f32)| (a - b).abs() < 2.0;
        assert!(tuned.iter().zip(vector).all(is_near), "it did not start there: {tuned:?}");
    }

    let other = [&frozen[..], &["--set", "model.embedding_dim=9", "--output", "other"]].concat();
    place.train(&other).failed(1, &["model.embedding_dim is 9", "set model.embedding_dim=8"]);
    let alone = ["--set", "training.vectors=frozen", "--output", "other"];
    place.train(&alone).failed(1, &["vectors is frozen", "tuned without word_vectors"]);
}

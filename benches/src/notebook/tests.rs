//! On a small table of made-up reviews of many lengths.

use std::collections::HashSet;
use std::path::PathBuf;

use tempfile::TempDir;

use super::config::*;
use super::*;
use crate::config::Place;

/// Reviews in the table: a tenth each are for validation and test.
const N_REVIEWS: usize = 200;

fn flags(table: &TempDir, recipe: NotebookRecipe, work: Work) -> NotebookConfig {
    NotebookConfig {
        recipe,
        work,
        steps_per_run: 1,
        padding: None,
        cell: None,
        device: Place::Cpu,
        precision: Precision::F32,
        data: table.path().join("reviews.csv"),
    }
}

fn table() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut table = String::from("text,label\n");
    for review in 0..N_REVIEWS {
        let words = (0..1 + review % 37).map(|word| format!("w{}", (review * 31 + word * 7) % 90));
        let words: Vec<String> = words.collect();
        table.push_str(&format!("r{review} {},{}\n", words.join(" "), review % 2));
    }
    std::fs::write(folder.path().join("reviews.csv"), table).unwrap();
    folder
}

fn numbers(folder: &TempDir, name: &str) -> (Vec<usize>, Vec<u32>) {
    let path: PathBuf = folder.path().join(name).with_extension("npy");
    let tensor = Tensor::read_npy(path).unwrap();
    (tensor.dims().to_vec(), tensor.flatten_all().unwrap().to_vec1().unwrap())
}

#[test]
fn the_notebook_is_the_libraries_defaults_unless_flags_say_otherwise() -> Result<()> {
    let plain = flags(&table(), NotebookRecipe::Notebook, Work::Train);
    let recipe = plain.recipe()?;
    assert_eq!(recipe.model, model::ModelConfig::default());
    assert_eq!(recipe.training, trainer::TrainingConfig::default());
    assert_eq!(recipe.split_plan(), trainer::SplitPlan::default());
    let cell = Some(NotebookCell::Gru);
    let skipping = NotebookConfig { padding: Some(PaddingKind::Skip), cell, ..plain };
    let model = skipping.recipe()?.model;
    assert_eq!((model.padding, model.cell), (model::Padding::Skip, model::CellKind::Gru));
    Ok(())
}

#[test]
fn flags_that_do_not_apply_are_refused() -> Result<()> {
    let default = flags(&table(), NotebookRecipe::Default, Work::Train);
    assert_eq!(default.recipe()?.model.ngram_order, 0);
    let padded = NotebookConfig { padding: Some(PaddingKind::Skip), ..default.clone() };
    assert!(padded.recipe().unwrap_err().to_string().contains("only for --recipe notebook"));
    let rounded = NotebookConfig { precision: Precision::Tf32, ..default };
    assert!(rounded.device().unwrap_err().to_string().contains("only for --device cuda"));
    Ok(())
}

// With CUDA, whether there is a device is not known here.
#[cfg(not(feature = "cuda"))]
#[test]
fn a_build_without_cuda_says_how_to_get_it() {
    let plain = flags(&table(), NotebookRecipe::Default, Work::Train);
    let error = NotebookConfig { device: Place::Cuda, ..plain }.device().unwrap_err().to_string();
    assert!(error.contains("--features cuda"), "{error}");
}

#[test]
fn both_recipes_train_and_evaluate_for_more_than_an_epoch() -> Result<()> {
    let table = table();
    for recipe in [NotebookRecipe::Notebook, NotebookRecipe::Default] {
        for work in [Work::Train, Work::Evaluate] {
            let config = NotebookConfig { steps_per_run: 4, ..flags(&table, recipe, work) };
            let settings = config.recipe()?;
            let small = Recipe {
                model: model::ModelConfig { embedding_dim: 8, hidden_dim: 8, ..settings.model },
                ..settings
            };
            let reviews = config.reviews(&small, None)?;
            let mut pass = Notebook::new(&config, small, reviews)?;
            assert!(pass.time_s()? > 0.0);
            let n_steps = if work == Work::Train { 4 } else { 0 };
            assert_eq!(pass.step.n_steps(), n_steps, "{recipe:?}");
        }
    }
    Ok(())
}

#[test]
fn the_exported_batches_are_those_of_a_training() -> Result<()> {
    let (table, folder) = (table(), tempfile::tempdir()?);
    let config = flags(&table, NotebookRecipe::Default, Work::Train);
    let recipe = config.recipe()?;
    let reviews = config.reviews(&recipe, None)?;
    export(&config, &recipe, &reviews, folder.path())?;

    assert_eq!(numbers(&folder, "vocab").1, [reviews.encoder.vocab_size() as u32]);
    let (_, starts) = numbers(&folder, "train_starts");
    let (_, ids) = numbers(&folder, "train_ids");
    let (shape, rows) = numbers(&folder, "train_batches");
    assert_eq!(shape, [3, 50]);
    let mut pass = Notebook::new(&config, recipe.clone(), reviews.clone())?;
    // The short last batch is left out, and the next epoch has the same batches.
    for of_batch in rows.chunks(50).chain(rows.chunks(50)) {
        let batch = pass.next_batch()?;
        assert_eq!(batch.rows, of_batch);
        for (&row, of_row) in of_batch.iter().zip(batch.ids()) {
            let ends = [starts[row as usize] as usize, starts[row as usize + 1] as usize];
            assert_eq!(&ids[ends[0]..ends[1]], of_row);
        }
    }
    let length = |&row: &u32| (starts[row as usize + 1] - starts[row as usize]) as usize;
    let n_tokens: usize = rows.iter().map(length).sum();
    assert_eq!(config.n_tokens(&recipe, &reviews)?, n_tokens / 3);

    let (_, order) = numbers(&folder, "test_order");
    let (_, sizes) = numbers(&folder, "test_sizes");
    assert_eq!(sizes.iter().sum::<u32>() as usize, reviews.test.len());
    assert_eq!(order.iter().collect::<HashSet<_>>().len(), reviews.test.len());
    assert!(order.is_sorted_by(|a, b| {
        reviews.test.row(*a as usize).len() >= reviews.test.row(*b as usize).len()
    }));
    Ok(())
}

#[test]
fn the_notebooks_reviews_are_exported_padded() -> Result<()> {
    let (table, folder) = (table(), tempfile::tempdir()?);
    let config = flags(&table, NotebookRecipe::Notebook, Work::Evaluate);
    let recipe = config.recipe()?;
    let reviews = config.reviews(&recipe, None)?;
    export(&config, &recipe, &reviews, folder.path())?;
    let (shape, ids) = numbers(&folder, "test_ids");
    assert_eq!(shape, [reviews.test.len(), 200]);
    assert_eq!(config.n_tokens(&recipe, &reviews)?, ids.len());
    let row = reviews.test.row(0);
    assert_eq!(&ids[200 - row.len()..200], row);
    assert!(ids[..200 - row.len()].iter().all(|&id| id == 0));
    Ok(())
}

#[test]
fn a_loss_that_is_not_finite_is_noticed_wherever_it_is() -> Result<()> {
    let there = |loss: f32| Tensor::new(loss, &Device::Cpu).map(Scalar::OnDevice);
    assert!(are_finite(&[Scalar::Number(1.0), there(0.5)?, there(0.25)?])?);
    assert!(!are_finite(&[there(1.0)?, there(f32::NAN)?])?);
    assert!(!are_finite(&[Scalar::Number(f64::INFINITY), there(1.0)?])?);
    assert!(are_finite(&[])?);
    Ok(())
}

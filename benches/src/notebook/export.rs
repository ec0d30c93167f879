//! Writes the encoded reviews for the Python programs, so that all compute on the same numbers.

use std::cmp::Reverse;
use std::path::Path;

use anyhow::{Context as _, Result};
use candle_core::{Device, Shape, Tensor, WithDType};
use dataset::EncodedSplit;
use model::{InitConfig, ModelConfig, RecurrentClassifier, Regularization};
use trainer::{Prepared, Recipe};

use super::batches::full_batches;
use super::config::{NotebookConfig, NotebookRecipe};

/// Writes a recipe's reviews to a folder as .npy files, u32 unless another type is given. N is the number of
/// reviews of a split.
///
/// For all recipes:
///
/// | file | shape | what |
/// |---|---|---|
/// | `vocab.npy` | `[1]` | number of ids, padding (0) and the unknown word (the last) included |
/// | `train_labels.npy`, `test_labels.npy` | `[N]` | f32, 0 or 1 |
///
/// For the notebook:
///
/// | file | shape | what |
/// |---|---|---|
/// | `train_ids.npy`, `test_ids.npy` | `[N, 200]` | ids, padded on the left |
///
/// For other recipes:
///
/// | file | shape | what |
/// |---|---|---|
/// | `train_ids.npy`, `test_ids.npy` | `[tokens]` | ids without padding, one review after the other |
/// | `train_starts.npy`, `test_starts.npy` | `[N + 1]` | where each review starts, and where the last one ends |
/// | `train_batches.npy` | `[batches, 50]` | reviews of each full batch of an epoch, in order |
/// | `test_order.npy` | `[N]` | reviews in the order in which ours evaluates them |
/// | `test_sizes.npy` | `[batches]` | number of reviews in each batch of that order |
///
/// # Errors
/// If the files cannot be written.
pub fn export(
    config: &NotebookConfig,
    recipe: &Recipe,
    reviews: &Prepared,
    folder: &Path,
) -> Result<()> {
    std::fs::create_dir_all(folder)
        .with_context(|| format!("cannot create {}", folder.display()))?;
    let files = Files { folder };
    let vocab_size = u32::try_from(reviews.encoder.vocab_size())?;
    files.save("vocab", vec![vocab_size], 1)?;
    for (name, split) in [("train", &reviews.train), ("test", &reviews.test)] {
        let labels = split.targets().and_then(|targets| targets.one_of());
        let labels = labels.context("the reviews have no labels")?;
        let labels: Vec<f32> = labels.iter().map(|&label| label as f32).collect();
        files.save(&format!("{name}_labels"), labels, split.len())?;
        match config.recipe {
            NotebookRecipe::Notebook => files.save_padded(name, reviews, split)?,
            NotebookRecipe::Default => files.save_ragged(name, split)?,
        }
    }
    match config.recipe {
        NotebookRecipe::Notebook => Ok(()),
        NotebookRecipe::Default => files.save_batches(recipe, reviews),
    }
}

/// The files of a folder.
struct Files<'a> {
    folder: &'a Path,
}

impl Files<'_> {
    fn save<T: WithDType>(
        &self,
        name: &str,
        numbers: Vec<T>,
        shape: impl Into<Shape>,
    ) -> Result<()> {
        let path = self.folder.join(name).with_extension("npy");
        Tensor::from_vec(numbers, shape.into(), &Device::Cpu)?
            .write_npy(&path)
            .with_context(|| format!("cannot write {}", path.display()))
    }

    fn save_padded(&self, name: &str, reviews: &Prepared, split: &EncodedSplit) -> Result<()> {
        let rows = (0..split.len()).flat_map(|row| reviews.encoder.pad(split.row(row)));
        let shape = (split.len(), reviews.encoder.config().seq_len);
        self.save(&format!("{name}_ids"), rows.collect(), shape)
    }

    fn save_ragged(&self, name: &str, split: &EncodedSplit) -> Result<()> {
        let mut starts = vec![0];
        let mut end = 0;
        for row in 0..split.len() {
            end += split.row(row).len();
            starts.push(u32::try_from(end)?);
        }
        self.save(&format!("{name}_starts"), starts, split.len() + 1)?;
        self.save(&format!("{name}_ids"), split.ids().to_vec(), split.n_tokens())
    }

    fn save_batches(&self, recipe: &Recipe, reviews: &Prepared) -> Result<()> {
        let batches = full_batches(recipe, reviews)?;
        let shape = (batches.len(), recipe.training.batch_size);
        let rows = batches.into_iter().flat_map(|batch| batch.rows).collect();
        self.save("train_batches", rows, shape)?;
        let (order, sizes) = evaluation_batches(recipe, reviews)?;
        self.save("test_order", order, reviews.test.len())?;
        let n_batches = sizes.len();
        self.save("test_sizes", sizes, n_batches)
    }
}

/// The test reviews in the order in which [`trainer::logits`] reads them, and the sizes of its batches.
fn evaluation_batches(recipe: &Recipe, reviews: &Prepared) -> Result<(Vec<u32>, Vec<u32>)> {
    // The longest first, those of one length in their order.
    let mut order: Vec<u32> = (0..).take(reviews.test.len()).collect();
    order.sort_by_key(|&row| Reverse(reviews.test.row(row as usize).len()));
    // The sizes depend on the lengths alone: the smallest network of the kind tells them.
    let smallest = ModelConfig { embedding_dim: 1, hidden_dim: 1, ..recipe.model.clone() };
    let (network, _) = RecurrentClassifier::init(
        &smallest,
        &Regularization::NONE,
        reviews.encoder.vocab_size(),
        InitConfig::default(),
        &Device::Cpu,
    )?;
    let mut sizes = Vec::new();
    let seq_len = recipe.preprocessing.seq_len;
    trainer::logits(&network, &reviews.test, seq_len, &mut |n_rows| sizes.push(n_rows as u32))?;
    Ok((order, sizes))
}

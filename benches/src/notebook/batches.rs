//! The batches of an epoch, as a training with the recipe draws them.

use std::sync::Arc;

use anyhow::{Result, ensure};
use dataset::{Batch, BatchPadding, Loader, LoaderConfig, Order};
use model::Padding;
use trainer::{BatchOrder, Prepared, Recipe};

/// An epoch over the training reviews.
pub(super) fn batches(recipe: &Recipe, reviews: &Prepared, epoch: u64) -> Result<Loader> {
    let training = &recipe.training;
    let padding = match recipe.model.padding {
        Padding::Compute => BatchPadding::Fixed(recipe.preprocessing.seq_len),
        Padding::Skip => BatchPadding::Longest,
    };
    let order = match training.batches {
        BatchOrder::Shuffled => Order::Shuffled { seed: training.seed, epoch },
        BatchOrder::LengthBuckets => Order::LengthBuckets { seed: training.seed, epoch },
    };
    let config = LoaderConfig { batch_size: training.batch_size, padding, order };
    Ok(Loader::new(Arc::clone(&reviews.train), &config)?)
}

/// The batches of epoch 0 but for a short last one; at least one.
pub(super) fn full_batches(recipe: &Recipe, reviews: &Prepared) -> Result<Vec<Batch>> {
    let batch_size = recipe.training.batch_size;
    let batches = batches(recipe, reviews, 0)?.collect::<dataset::Result<Vec<_>>>()?;
    let full: Vec<Batch> =
        batches.into_iter().filter(|batch| batch.rows.len() == batch_size).collect();
    let n_rows = reviews.train.len();
    ensure!(!full.is_empty(), "{n_rows} training reviews are fewer than a batch of {batch_size}");
    Ok(full)
}

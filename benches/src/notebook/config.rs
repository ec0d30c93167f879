//! What to time of a recipe's network, and where.

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use candle_core::Device;
use clap::builder::RangedU64ValueParser;
use clap::{Args, ValueEnum};
use dataset::{ColumnChoice, DataFile, LabelOptions, ReadOptions};
use model::{CellKind, DeviceChoice, Padding};
use trainer::{Cache, DataRequest, OwnSplits, Prepared, Recipe, load};

use super::batches::full_batches;
use crate::config::Place;

/// What to time of a recipe's network. `benches/peers/torch_notebook.py` has the same flags.
#[derive(Debug, Clone, Args)]
pub struct NotebookConfig {
    /// The recipe of the network and its training, without its linear path
    #[arg(long, value_enum, default_value = "notebook")]
    pub recipe: NotebookRecipe,
    /// The work to time
    #[arg(long, value_enum, default_value = "train")]
    pub work: Work,
    /// Steps in a run, whose time is that of one step: training steps, or evaluations; on a GPU, where a
    /// run ends by waiting for all that is queued, take several
    #[arg(long, value_name = "N", default_value = "1", value_parser = at_least_one())]
    pub steps_per_run: usize,
    /// How the notebook treats padding: computes it, or skips it [default: compute]
    #[arg(long, value_enum)]
    pub padding: Option<PaddingKind>,
    /// The kind of the notebook's recurrent layers [default: lstm]
    #[arg(long, value_enum)]
    pub cell: Option<NotebookCell>,
    /// Device of the network; cuda is the first CUDA device
    #[arg(long, value_enum, default_value = "cpu")]
    pub device: Place,
    /// Rounding of the products on a GPU
    #[arg(long, value_enum, default_value = "f32")]
    pub precision: Precision,
    /// The labelled reviews
    #[arg(long, value_name = "FILE", default_value = "data/imdb.parquet")]
    pub data: PathBuf,
}

/// A recipe whose network PyTorch builds, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum NotebookRecipe {
    /// The course notebook's
    Notebook,
    /// The default one: one bidirectional layer, pooling, dropout of many kinds, texts of their own lengths
    Default,
}

/// The work to time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Work {
    /// One training step of 50 reviews: forward, backward, clipping, Adam
    Train,
    /// One evaluation of the test split
    Evaluate,
}

/// How to treat padding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PaddingKind {
    /// Compute it like words: every review takes 200 steps
    Compute,
    /// Skip it: a review takes as many steps as it has words, up to 200
    Skip,
}

/// The kind of recurrent layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum NotebookCell {
    /// Long short-term memory
    Lstm,
    /// Gated recurrent unit
    Gru,
    /// Plain recurrent network with tanh
    Rnn,
}

/// Rounding of the products of f32 numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Precision {
    /// None
    F32,
    /// Factors are rounded to TF32, which has 10 bits after the leading one
    Tf32,
    /// Recurrent layers of more than 128 hidden units compute in bf16, which has 7 bits after the leading one
    Bf16,
}

fn at_least_one() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..)
}

impl NotebookConfig {
    /// The recipe, without its linear path, which PyTorch's network does not have.
    ///
    /// # Errors
    /// If a flag does not apply to it.
    pub fn recipe(&self) -> Result<Recipe> {
        let name = match self.recipe {
            NotebookRecipe::Notebook => "notebook",
            NotebookRecipe::Default => "default",
        };
        let mut recipe = Recipe::load(name, &[])?;
        let model = &mut recipe.model;
        model.ngram_order = 0;
        if self.recipe != NotebookRecipe::Notebook {
            let is_plain = self.cell.is_none() && self.padding.is_none();
            ensure!(is_plain, "--cell and --padding are only for --recipe notebook");
            return Ok(recipe);
        }
        if let Some(cell) = self.cell {
            model.cell = match cell {
                NotebookCell::Lstm => CellKind::Lstm,
                NotebookCell::Gru => CellKind::Gru,
                NotebookCell::Rnn => CellKind::RnnTanh,
            };
        }
        if let Some(padding) = self.padding {
            model.padding = match padding {
                PaddingKind::Compute => Padding::Compute,
                PaddingKind::Skip => Padding::Skip,
            };
        }
        Ok(recipe)
    }

    /// The device of the network, with `precision` set for it. Call once: each call creates a new device.
    ///
    /// # Errors
    /// If there is no such device, the program was built without support for it, or it does not round.
    pub fn device(&self) -> Result<Device> {
        ensure!(
            self.device == Place::Cuda || self.precision == Precision::F32,
            "--precision is only for --device cuda"
        );
        // For candle's products and for our layers in cuDNN.
        candle_core::cuda::set_gemm_reduced_precision_f32(self.precision == Precision::Tf32);
        recurrent::set_bf16_on_cuda(self.precision == Precision::Bf16);
        Ok(match self.device {
            Place::Cpu => DeviceChoice::Cpu.open()?,
            Place::Cuda => DeviceChoice::Cuda.open()?,
        })
    }

    /// The reviews, encoded as the recipe says, or taken from a cache.
    ///
    /// # Errors
    /// If the reviews cannot be read.
    pub fn reviews(&self, recipe: &Recipe, cache: Option<&Cache>) -> Result<Prepared> {
        ensure!(
            self.data.exists(),
            "no {}; run `cargo xtask fetch-data` first, or name the reviews with --data",
            self.data.display()
        );
        let request = DataRequest {
            file: &DataFile::open(&self.data)?,
            others: OwnSplits::default(),
            columns: &ColumnChoice::default(),
            labels: &LabelOptions::default(),
            options: &ReadOptions::default(),
            plan: &recipe.split_plan(),
            preprocessing: &recipe.preprocessing,
            few_texts: recipe.training.few_texts,
        };
        Ok(load(&request, cache)?.data)
    }

    /// What all programs must agree on, for one step: places of the notebook's reviews, padding included
    /// however it is treated; tokens of other recipes' reviews, and for training the mean of an epoch's full
    /// batches, rounded down.
    ///
    /// # Errors
    /// If there is no full batch.
    pub fn n_tokens(&self, recipe: &Recipe, reviews: &Prepared) -> Result<usize> {
        Ok(match (self.recipe, self.work) {
            (NotebookRecipe::Notebook, Work::Train) => {
                recipe.training.batch_size * recipe.preprocessing.seq_len
            }
            (NotebookRecipe::Notebook, Work::Evaluate) => {
                reviews.test.len() * recipe.preprocessing.seq_len
            }
            (NotebookRecipe::Default, Work::Train) => {
                let batches = full_batches(recipe, reviews)?;
                let n_tokens: usize = batches.iter().map(dataset::Batch::n_tokens).sum();
                n_tokens.checked_div(batches.len()).context("no batch")?
            }
            (NotebookRecipe::Default, Work::Evaluate) => reviews.test.n_tokens(),
        })
    }

    /// What [`n_tokens`](Self::n_tokens) counts.
    pub fn unit(&self) -> &'static str {
        match self.recipe {
            NotebookRecipe::Notebook => "places",
            NotebookRecipe::Default => "tokens",
        }
    }
}

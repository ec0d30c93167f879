//! Times the whole network of a recipe on the real reviews: training steps, or evaluations of the test split.

mod batches;
mod config;
mod export;

use std::time::Instant;

use anyhow::{Result, bail, ensure};
use candle_core::{Device, Tensor};
use dataset::{Batch, Loader};
use model::{RecurrentClassifier, Task};
use trainer::{Prepared, Recipe, Scalar, StepPlan, TrainingStep};

pub use self::config::{
    NotebookCell, NotebookConfig, NotebookRecipe, PaddingKind, Precision, Work,
};
pub use self::export::export;

use self::batches::batches;
use crate::serve::Timed;

/// The network, ready to be timed.
pub struct Notebook {
    config: NotebookConfig,
    recipe: Recipe,
    reviews: Prepared,
    device: Device,
    step: TrainingStep,
    batches: Loader,
    epoch: u64,
}

impl Notebook {
    /// Draws the network's weights and starts an epoch.
    ///
    /// # Errors
    /// If the device, the network or the loader cannot be had.
    pub fn new(config: &NotebookConfig, recipe: Recipe, reviews: Prepared) -> Result<Self> {
        let device = config.device()?;
        let plan = StepPlan {
            task: &Task::binary(),
            model: &recipe.model,
            regularization: &recipe.regularization,
            training: &recipe.training,
        };
        let step = TrainingStep::new(plan, None, reviews.encoder.vocab_size(), &device)?;
        let batches = batches(&recipe, &reviews, 0)?;
        Ok(Self { config: config.clone(), recipe, reviews, device, step, batches, epoch: 0 })
    }

    /// Training steps on the next full batches.
    fn train(&mut self) -> Result<()> {
        let mut losses = Vec::with_capacity(self.config.steps_per_run);
        for _ in 0..self.config.steps_per_run {
            let batch = self.next_batch()?;
            match self.step.run(&batch, self.recipe.training.learning_rate)? {
                Ok(outcome) => losses.push(outcome.loss),
                Err(_) => bail!("the loss is not finite"),
            }
        }
        ensure!(are_finite(&losses)?, "the loss is not finite");
        Ok(())
    }

    fn next_batch(&mut self) -> Result<Batch> {
        loop {
            match self.batches.next().transpose()? {
                Some(batch) if batch.rows.len() == self.recipe.training.batch_size => {
                    return Ok(batch);
                }
                Some(_) => {}
                None => {
                    // Batches of many lengths are the exported ones in every epoch; the notebook's all take as long.
                    self.epoch += u64::from(self.config.recipe == NotebookRecipe::Notebook);
                    self.batches = batches(&self.recipe, &self.reviews, self.epoch)?;
                    self.step.start_epoch();
                }
            }
        }
    }

    /// One evaluation of the test split: the logits.
    fn evaluate(&mut self) -> Result<()> {
        let (config, reviews) = (&self.recipe.model, &self.reviews);
        let vocab_size = reviews.encoder.vocab_size();
        let network = RecurrentClassifier::frozen(config, vocab_size, &self.step.weights()?)?;
        let seq_len = reviews.encoder.config().seq_len;
        trainer::logits(&network, &reviews.test, seq_len, &mut |_| {})?;
        Ok(())
    }
}

impl Timed for Notebook {
    /// Runs as many steps as a run has, and waits for the device.
    fn run(&mut self) -> Result<()> {
        match self.config.work {
            Work::Train => self.train()?,
            Work::Evaluate => {
                (0..self.config.steps_per_run).try_for_each(|_| self.evaluate())?;
            }
        }
        // A GPU's work is only queued.
        self.device.synchronize()?;
        Ok(())
    }

    /// Seconds per step of one run.
    fn time_s(&mut self) -> Result<f64> {
        let started = Instant::now();
        self.run()?;
        Ok(started.elapsed().as_secs_f64() / self.config.steps_per_run as f64)
    }
}

/// Whether all losses of a run are finite. Those on a GPU are read here, all at once: reading one after its step
/// would make the GPU wait for the next, so a training does not do it, either.
fn are_finite(losses: &[Scalar]) -> Result<bool> {
    let on_device: Vec<&Tensor> = losses
        .iter()
        .filter_map(|loss| match loss {
            Scalar::OnDevice(loss) => Some(loss),
            Scalar::Number(_) => None,
        })
        .collect();
    let read: Vec<f32> = match &*on_device {
        [] => Vec::new(),
        losses => Tensor::stack(losses, 0)?.to_vec1()?,
    };
    let are_here = losses.iter().filter_map(Scalar::number).all(f64::is_finite);
    Ok(are_here && read.iter().all(|loss| loss.is_finite()))
}

#[cfg(test)]
mod tests;

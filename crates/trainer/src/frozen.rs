//! The embedding's table while it is frozen: no optimiser knows it.

use candle_core::Var;
use model::TABLE;

use crate::config::TrainingConfig;
use crate::error::Result;
use crate::optimizer::Optimizer;
use crate::state::{Restored, Snapshot};

/// In a saved state: the optimiser's steps before the table was trained, once it is.
const SINCE: &str = "embedding trained since";

/// A table that waits to be trained, if any does.
#[derive(Default)]
pub(crate) struct FrozenTable {
    table: Option<Var>,
    /// The first epochs, in which it is frozen.
    n_epochs: usize,
    /// Whether it will be trained later, so that a saved state must say whether it is already.
    thaws: bool,
    /// The optimiser's steps before it was trained, once it is.
    since: Option<u64>,
}

impl FrozenTable {
    /// Keeps the table if it is to be frozen, and adds it to the optimiser if not.
    pub(crate) fn of(
        config: &TrainingConfig,
        table: Option<Var>,
        optimizer: &mut Optimizer,
    ) -> Result<Self> {
        let n_epochs = config.vectors.n_frozen_epochs(config.epochs);
        let Some(table) = table else { return Ok(Self::default()) };
        if n_epochs == 0 {
            optimizer.add_table(TABLE, table, 0)?;
            return Ok(Self::default());
        }
        Ok(Self { table: Some(table), n_epochs, thaws: n_epochs < config.epochs, since: None })
    }

    /// Whether no step moves the table now.
    pub(crate) fn is_frozen(&self) -> bool {
        self.table.is_some()
    }

    /// At the beginning of an epoch, from 1: hands the table to the optimiser if it is time.
    pub(crate) fn begin_epoch(&mut self, epoch: usize, optimizer: &mut Optimizer) -> Result<()> {
        if epoch > self.n_epochs { self.thaw(optimizer.n_steps(), optimizer) } else { Ok(()) }
    }

    fn thaw(&mut self, since: u64, optimizer: &mut Optimizer) -> Result<()> {
        let Some(table) = self.table.take() else { return Ok(()) };
        self.since = Some(since);
        optimizer.add_table(TABLE, table, since)
    }

    /// Adds whether the table is still frozen.
    pub(crate) fn snapshot(&self, to: &mut Snapshot<'_>) -> Result<()> {
        if self.thaws { to.fact(SINCE, &self.since) } else { Ok(()) }
    }

    /// Takes over what [`snapshot`](Self::snapshot) saved. The optimiser is restored after it, since its tables follow
    /// from this.
    pub(crate) fn restore(&mut self, from: &mut Restored, optimizer: &mut Optimizer) -> Result<()> {
        if self.thaws
            && let Some(since) = from.fact(SINCE)?
        {
            self.thaw(since, optimizer)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use candle_core::Device;
    use dataset::{BatchPadding, EncodedSplit, Loader, LoaderConfig, Order};
    use model::{ModelConfig, Padding, Regularization, Task};

    use crate::config::VectorTraining;
    use crate::step::{StepPlan, TrainingStep};

    use super::*;

    const RATE: f64 = 0.01;

    fn table(step: &mut TrainingStep) -> Vec<f32> {
        let weights = step.weights().unwrap();
        weights[TABLE].copy().and_then(|table| table.flatten_all()?.to_vec1()).unwrap()
    }

    #[test]
    fn the_first_third_of_the_epochs_is_rounded() {
        for (epochs, expected) in [(2, 1), (3, 1), (4, 1), (5, 2), (6, 2), (7, 2), (9, 3)] {
            let found = VectorTraining::FrozenThenTuned.n_frozen_epochs(epochs);
            assert_eq!(found, expected, "{epochs}");
        }
        assert_eq!(VectorTraining::Tuned.n_frozen_epochs(9), 0);
    }

    #[test]
    fn a_table_moves_from_its_epoch_on_as_if_the_optimiser_were_new() {
        let training = TrainingConfig {
            word_vectors: Some("vectors.txt".into()),
            vectors: VectorTraining::FrozenThenTuned,
            epochs: 3,
            weight_decay: 0.1,
            ..TrainingConfig::default()
        };
        let plan = StepPlan {
            task: &Task::binary(),
            model: &ModelConfig {
                embedding_dim: 4,
                hidden_dim: 3,
                num_layers: 1,
                padding: Padding::Skip,
                ..ModelConfig::default()
            },
            regularization: &Regularization::NONE,
            training: &training,
        };
        let mut step = TrainingStep::new(plan, None, 6, &Device::Cpu).unwrap();
        let rows: [&[u32]; 2] = [&[1, 2, 3], &[4, 1]];
        let split = Arc::new(EncodedSplit::new(rows, vec![0, 1]).unwrap());
        let order = Order::Sequential;
        let config = LoaderConfig { batch_size: 2, padding: BatchPadding::Longest, order };
        let batch = Loader::new(split, &config).unwrap().next().unwrap().unwrap();
        let start = table(&mut step);
        for epoch in 1..=2 {
            step.begin_epoch(epoch).unwrap();
            for _ in 0..20 {
                step.run(&batch, RATE).unwrap().unwrap();
                if epoch == 2 {
                    break;
                }
                assert_eq!(table(&mut step), start);
            }
        }
        // Adam's first step moves every number that has a gradient by the rate; decay adds a thousandth of it.
        let moved: Vec<f32> =
            start.iter().zip(table(&mut step)).map(|(a, b)| (a - b).abs()).collect();
        let largest = f64::from(moved.iter().copied().fold(0.0, f32::max));
        assert!((0.9 * RATE..1.5 * RATE).contains(&largest), "{moved:?}");
    }
}

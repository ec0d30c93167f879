//! Training on texts from memory.

use candle_core::Device;
use classifier::folder::OutputFolder;
use dataset::LabelledTexts;

use crate::error::Result;
use crate::observer::Observer;
use crate::prepare::{SplitPlan, prepare_few};
use crate::recipe::Recipe;
use crate::report::{DataOrigin, LoweredBatch, TrainingReport};
use crate::training::Session;

/// A training on texts from memory, which are prepared anew each time: the cache is for files.
#[derive(Debug, Clone, Copy)]
pub struct TextsTraining<'a> {
    /// The texts with their labels, weights and groups.
    pub texts: &'a LabelledTexts,
    /// All settings.
    pub recipe: &'a Recipe,
    /// Which texts are used, and how they are divided; usually [`Recipe::split_plan`]. Without a share for testing,
    /// there is no test.
    pub plan: &'a SplitPlan,
    /// What to do with fewer training texts than a batch has.
    pub small_data: SmallData,
    /// Whether a linear model is fitted beside a network without a linear path.
    pub comparison: bool,
    /// Where to compute.
    pub device: &'a Device,
    /// Where the model goes.
    pub folder: &'a OutputFolder,
}

/// What to do with fewer training texts than [`TrainingConfig::batch_size`](crate::TrainingConfig::batch_size).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SmallData {
    /// Fail with [`Error::FewerThanABatch`](crate::Error::FewerThanABatch).
    #[default]
    Refuse,
    /// Lower the batch size to the number of training texts, and say so in the report
    /// ([`Warning::LoweredBatch`](crate::Warning::LoweredBatch)).
    LowerBatch,
}

impl TextsTraining<'_> {
    /// Prepares the texts, then trains and tests as [`TrainingJob::run_and_test`](crate::TrainingJob::run_and_test).
    ///
    /// # Errors
    /// As [`prepare`](crate::prepare) and [`run_and_test`](crate::TrainingJob::run_and_test). Errors about the texts
    /// name them by number, from 1.
    pub fn run(self, observer: &mut dyn Observer) -> Result<TrainingReport> {
        self.run_in(&mut Session::watched_by(observer))
    }

    /// The same in a session, which may stop the training.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn run_in(self, session: &mut Session<'_>) -> Result<TrainingReport> {
        let Self { texts, recipe, plan, small_data, comparison, device, folder } = self;
        let data = prepare_few(texts, plan, (&recipe.preprocessing, recipe.training.few_texts))?;
        let recipe = &recipe.adapted_to(&data, plan);
        let origin = DataOrigin::in_memory(texts, *plan, &data);
        let (n_train, batch_size) = (data.train.len(), recipe.training.batch_size);
        if small_data == SmallData::Refuse || n_train >= batch_size {
            return recipe.job(&data, origin, device, folder).run_and_test_in(comparison, session);
        }
        let mut smaller = recipe.clone();
        smaller.training.batch_size = n_train;
        let job = smaller.job(&data, origin, device, folder);
        let mut report = job.run_and_test_in(comparison, session)?;
        if report.kept().is_some() {
            report.lower_batch(LoweredBatch { from: batch_size, to: n_train });
            folder.save_metrics(&report)?;
        }
        Ok(report)
    }
}

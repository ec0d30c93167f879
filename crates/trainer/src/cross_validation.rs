//! Predictions for texts that the model was not trained on, for all texts of a table: each fold is scored by a model
//! that was trained on the others.

use std::path::Path;

use candle_core::Device;
use classifier::Classifier;
use classifier::folder::{Existing, OutputFolder};
use dataset::{Fold, LabelledTexts, Targets};
use model::Task;

use crate::error::{Error, Result};
use crate::evaluate::{finite_path_logits, targets_of, without_stopping};
use crate::prepare::{SplitPlan, prepare_few};
use crate::recipe::Recipe;
use crate::record::Ending;
use crate::report::DataOrigin;
use crate::training::Session;

/// A cross-validation that keeps predictions and no models.
#[derive(Debug, Clone, Copy)]
pub struct OutOfFold<'a> {
    /// The texts with their labels.
    pub texts: &'a LabelledTexts,
    /// All settings.
    pub recipe: &'a Recipe,
    /// Which texts are used, and how those outside a fold are divided; its own fold does not matter.
    pub plan: &'a SplitPlan,
    /// The number of folds, at least 2.
    pub n_folds: usize,
    /// Where to compute.
    pub device: &'a Device,
    /// A folder for the models while they are needed.
    pub scratch: &'a Path,
}

/// What a model makes of one text.
struct OfText {
    row: u32,
    classes: Vec<u32>,
    probabilities: Vec<f32>,
}

/// What models make of texts that they were not trained on.
#[derive(Debug, Clone, PartialEq)]
pub struct HeldOut {
    /// What the models are asked.
    pub task: Task,
    /// `[N]`: the row of each text in the file, from 1, or the number of a text from memory. Repeated texts are left
    /// out.
    pub rows: Vec<u32>,
    /// Of N texts, in the order of `rows`.
    pub targets: Targets,
    /// `[N·C]`: the probability of each class.
    pub probabilities: Vec<f32>,
}

impl OutOfFold<'_> {
    /// Trains on all folds but one and scores that one, for each fold in turn. `None` if the session's control stopped
    /// it. `on_fold` is called before each, with the recipe as it is used and the number of training texts.
    ///
    /// # Errors
    /// As [`prepare`](crate::prepare) and [`TrainingJob::run`](crate::TrainingJob::run); [`Error::NothingKept`];
    /// `TooFewForFolds`.
    pub fn run_in(
        &self,
        session: &mut Session<'_>,
        on_fold: &mut dyn FnMut(Fold, &Recipe, usize),
    ) -> Result<Option<HeldOut>> {
        let &Self { texts, recipe, device, scratch, .. } = self;
        let mut found: Option<(Task, Vec<OfText>)> = None;
        for fold in Fold::all(self.n_folds) {
            let plan = SplitPlan { fold: Some(fold), ..*self.plan };
            let data =
                prepare_few(texts, &plan, (&recipe.preprocessing, recipe.training.few_texts))?;
            let recipe = recipe.adapted_to(&data, &plan);
            on_fold(fold, &recipe, data.train.len());
            let origin = DataOrigin::in_memory(texts, plan, &data);
            let path = scratch.join(format!("fold-{}", fold.number()));
            let folder = OutputFolder::claim(&path, Existing::Refuse)?;
            let report = recipe.job(&data, origin, device, &folder).run_in(session)?;
            if report.ended == Ending::Interrupted {
                return Ok(None);
            }
            if report.kept().is_none() {
                return Err(Error::NothingKept);
            }
            let trained = Classifier::open(folder.path(), device)?;
            let seq_len = data.encoder.config().seq_len;
            let mut ignored = |_| {};
            let on_rows = &mut without_stopping(&mut ignored);
            let (_, logits) = finite_path_logits(trained.network(), &data.test, seq_len, on_rows)?;
            let targets = targets_of(&data.test)?;
            let (_, of_texts) = found.get_or_insert_with(|| (data.task.clone(), Vec::new()));
            let n_outputs = data.task.n_outputs();
            for (text, &row) in data.test_texts.rows.iter().enumerate() {
                let of_text = &logits[text * n_outputs..(text + 1) * n_outputs];
                of_texts.push(OfText {
                    row,
                    classes: targets.of_row(text).to_vec(),
                    probabilities: data.task.probabilities(of_text),
                });
            }
        }
        let Some((task, mut of_texts)) = found else { return Ok(None) };
        of_texts.sort_unstable_by_key(|of_text| of_text.row);
        let classes = of_texts.iter().map(|of_text| of_text.classes.as_slice());
        let targets = match task {
            Task::AnyOf(_) => Targets::any_of(classes),
            Task::Binary(_) | Task::OneOf(_) => {
                Targets::OneOf(classes.flat_map(|classes| classes.iter().copied()).collect())
            }
        };
        Ok(Some(HeldOut {
            task,
            rows: of_texts.iter().map(|of_text| of_text.row).collect(),
            targets,
            probabilities: of_texts.into_iter().flat_map(|of_text| of_text.probabilities).collect(),
        }))
    }
}

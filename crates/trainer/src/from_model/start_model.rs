//! The model that a training starts from.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use classifier::Classifier;
use classifier::folder::{Records, SeenTexts, TrainedModel};
use model::{NgramVocabulary, Renumbered, Task, Weights};
use text_preprocessing::TextEncoder;

use crate::error::Result;
use crate::report::TrainingReport;

/// A trained model from which another training starts. It is read whole: its folder may be replaced meanwhile.
#[derive(Debug, Clone)]
pub struct StartModel {
    path: PathBuf,
    id: String,
    pub(super) classifier: Classifier,
    pub(super) weights: Weights,
    pub(super) seen: Option<SeenTexts>,
    pub(super) report: TrainingReport,
}

impl StartModel {
    /// Reads a model folder.
    ///
    /// # Errors
    /// As [`Classifier::open`]; [`Error::Report`](crate::Error::Report) if its `metrics.json` is not a report.
    pub fn load(folder: &Path) -> Result<Self> {
        let TrainedModel { classifier, records, weights } = TrainedModel::load(folder)?;
        let report = TrainingReport::of(&records, folder)?;
        let Records { seen, .. } = records;
        let id = classifier.digest().unwrap_or_default().to_string();
        Ok(Self { path: folder.to_path_buf(), id, classifier, weights, seen, report })
    }

    /// The folder, as it was given.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The model's id, or a digest of its files if it is older than ids.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What it is asked.
    pub fn task(&self) -> &Task {
        self.classifier.task()
    }

    /// The report of its training.
    pub fn report(&self) -> &TrainingReport {
        &self.report
    }

    /// Whether it is known which texts it has seen.
    pub fn knows_its_texts(&self) -> bool {
        self.seen.is_some()
    }

    pub(crate) fn encoder(&self) -> &TextEncoder {
        self.classifier.encoder()
    }

    /// The number of ids, with padding and the unknown word.
    pub(super) fn n_ids(&self) -> usize {
        self.encoder().vocab_size()
    }

    pub(super) fn ngrams(&self) -> Option<&NgramVocabulary> {
        self.classifier.network().vocabularies().ngrams.as_ref()
    }
}

/// A model from which a training on certain texts starts, and what these texts are to it.
#[derive(Debug, Clone)]
pub struct Start {
    /// The model.
    pub model: Arc<StartModel>,
    /// The number of ids now, with the new words of the texts.
    pub n_ids: usize,
    /// Whether the texts have the model's classes, so that its outputs are kept.
    pub keeps_outputs: bool,
    /// Texts that the model has learned or was chosen by, which are for training only.
    pub n_learned: usize,
    /// Texts that the model has not seen, but whose group has one that it has: they are for training, too.
    pub n_in_groups: usize,
}

impl Start {
    /// Words that the model did not have.
    pub fn n_new_words(&self) -> usize {
        self.n_ids.saturating_sub(self.model.n_ids())
    }

    /// What became of the model's ids.
    pub(super) fn renumbered(&self) -> Renumbered {
        let last = |n_ids: usize| n_ids.saturating_sub(1) as u32;
        Renumbered { unknown_before: last(self.model.n_ids()), unknown: last(self.n_ids) }
    }
}

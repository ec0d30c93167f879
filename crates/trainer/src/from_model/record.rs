//! What a report says about the model that a training started from.

use std::path::PathBuf;

use model::NgramVocabulary;
use serde::{Deserialize, Serialize};

use super::anchor::TRAINED_SHARE;
use super::start_model::Start;

/// The model that a training started from, and what became of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FromRecord {
    /// The folder, as it was given.
    pub path: PathBuf,
    /// The model's id.
    pub id: String,
    /// What started from the model.
    pub kept: Vec<Part>,
    /// What was made anew.
    pub new: Vec<Part>,
    /// Words that the model did not have.
    pub n_new_words: usize,
    /// N-grams of a kept linear path that the model did not have; 0 until that path is fitted. After retraining, those of
    /// the path that was fitted then.
    pub n_new_ngrams: usize,
    /// Where the weights of embedding, recurrent layers and output layer are between those of the model, 0, and those that
    /// the training reached, 1. The linear path is as it was trained.
    pub trained_share: f64,
    /// Whether it is known which texts the model has seen.
    pub knows_its_texts: bool,
    /// Texts that the model has learned or was chosen by, which are for training only, with the labels of the new file.
    pub n_learned: usize,
    /// Texts that are for training because a text of their group is.
    pub n_in_groups: usize,
}

/// A part of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// Which words have an id, besides new ones, and how texts are cleaned and split.
    Vocabulary,
    /// The vectors of words.
    Embedding,
    /// The recurrent layers, with attention if there is any.
    RecurrentLayers,
    /// The layer that makes logits of what the recurrent layers have read.
    OutputLayer,
    /// The weights of n-grams.
    LinearPath,
}

impl Part {
    /// Its name in messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Vocabulary => "vocabulary",
            Self::Embedding => "embedding",
            Self::RecurrentLayers => "recurrent layers",
            Self::OutputLayer => "output layer",
            Self::LinearPath => "linear path",
        }
    }
}

impl FromRecord {
    /// Whether the classes are the model's, so that it goes on to tell them apart.
    pub fn keeps_outputs(&self) -> bool {
        self.kept.contains(&Part::OutputLayer)
    }

    /// Counts the new ones among the n-grams of the linear path that is saved.
    pub(crate) fn count_ngrams(&mut self, start: &Start, ngrams: &NgramVocabulary) {
        self.n_new_ngrams = start.n_new_ngrams(ngrams);
    }

    /// Before anything is trained.
    pub fn of(start: &Start) -> Self {
        let Start { model, keeps_outputs, n_learned, n_in_groups, .. } = start;
        let mut kept = vec![Part::Vocabulary, Part::Embedding, Part::RecurrentLayers];
        let mut outputs = vec![Part::OutputLayer];
        outputs.extend(model.ngrams().map(|_| Part::LinearPath));
        let mut new = Vec::new();
        if *keeps_outputs { &mut kept } else { &mut new }.append(&mut outputs);
        Self {
            path: model.path().to_path_buf(),
            id: model.id().to_string(),
            kept,
            new,
            n_new_words: start.n_new_words(),
            n_new_ngrams: 0,
            trained_share: if *keeps_outputs { TRAINED_SHARE } else { 1.0 },
            knows_its_texts: model.knows_its_texts(),
            n_learned: *n_learned,
            n_in_groups: *n_in_groups,
        }
    }
}

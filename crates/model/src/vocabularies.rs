//! What a network tells apart in a text.

use crate::config::ModelConfig;
use crate::error::{Error, Result};
use crate::ngrams::NgramVocabulary;

/// What a network tells apart: ids, and the n-grams of its linear path. A number stands for a
/// vocabulary of so many ids without n-grams.
#[derive(Debug, Clone)]
pub struct Vocabularies {
    /// How many ids there are, padding and the unknown word among them.
    pub n_ids: usize,
    /// The n-grams; needed if the configuration's `ngram_order` is above 0.
    pub ngrams: Option<NgramVocabulary>,
}

impl From<usize> for Vocabularies {
    fn from(n_ids: usize) -> Self {
        Self { n_ids, ngrams: None }
    }
}

impl Vocabularies {
    /// Those of a network that learns from these texts.
    ///
    /// `n_ids`: of the encoder; `texts`: ids; `labels`: 0 or 1, one a text.
    ///
    /// # Errors
    /// [`Error::NoNgrams`] if the network has a linear path and the texts no n-grams for it.
    pub fn learn<T: AsRef<[u32]> + Sync>(
        config: &ModelConfig,
        n_ids: usize,
        texts: &[T],
        labels: &[u8],
    ) -> Result<Self> {
        let &ModelConfig { ngram_order, ngram_min_texts, .. } = config;
        let ngrams = (ngram_order > 0)
            .then(|| NgramVocabulary::learn(texts, labels, ngram_order, ngram_min_texts));
        let vocabularies = Self { n_ids, ngrams };
        vocabularies.n_ngrams(config)?;
        Ok(vocabularies)
    }

    /// Rows of the linear path's table; 0 if the network has no such path.
    pub(crate) fn n_ngrams(&self, config: &ModelConfig) -> Result<usize> {
        match &self.ngrams {
            _ if config.ngram_order == 0 => Ok(0),
            Some(ngrams) if !ngrams.is_empty() => Ok(ngrams.len()),
            _ => Err(Error::NoNgrams { min_texts: config.ngram_min_texts }),
        }
    }
}

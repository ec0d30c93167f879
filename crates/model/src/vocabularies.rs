//! The vocabularies of a network.

use crate::config::ModelConfig;
use crate::error::{Error, Result};
use crate::ngrams::NgramVocabulary;

/// The vocabularies of a network: ids, and the n-grams of its linear path. A number converts to a
/// vocabulary of that many ids without n-grams.
#[derive(Debug, Clone)]
pub struct Vocabularies {
    /// Number of ids, including padding and the unknown word.
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
    /// Builds the vocabularies of a network from its training texts.
    ///
    /// `n_ids`: of the encoder; `texts`: ids; `labels`: 0 or 1, one per text.
    ///
    /// # Errors
    /// [`Error::NoNgrams`] if the network has a linear path but no n-gram occurs in enough texts.
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

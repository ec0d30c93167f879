//! The vocabularies of a network.

use crate::config::ModelConfig;
use crate::error::{Error, Result};
use crate::ngrams::{NgramChoice, NgramVocabulary, TextClasses};

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
    /// `n_ids`: of the encoder; `texts`: ids; `classes`: those of each text, of `n_classes`; `choice`: which
    /// n-grams, of the order that the network is configured with; none for order 0.
    ///
    /// # Errors
    /// [`Error::NoNgrams`] if the order is above 0 but no n-gram occurs in enough texts.
    pub fn learn<T: AsRef<[u32]> + Sync>(
        n_ids: usize,
        texts: &[T],
        classes: TextClasses<'_>,
        n_classes: usize,
        choice: NgramChoice,
    ) -> Result<Self> {
        if choice.order == 0 {
            return Ok(n_ids.into());
        }
        let ngrams = NgramVocabulary::learn(texts, classes, n_classes, choice);
        if ngrams.is_empty() {
            return Err(Error::NoNgrams { min_texts: choice.min_texts });
        }
        Ok(Self { n_ids, ngrams: Some(ngrams) })
    }

    /// Rows of the linear path's table; 0 if the network has no such path.
    pub(crate) fn n_ngrams(&self, config: &ModelConfig) -> Result<usize> {
        match &self.ngrams {
            _ if config.ngram_order == 0 => Ok(0),
            Some(ngrams) if !ngrams.is_empty() => Ok(ngrams.len()),
            _ => Err(Error::LacksNgrams { order: config.ngram_order }),
        }
    }
}

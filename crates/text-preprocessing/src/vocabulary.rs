//! From token counts to ids: which words get one, and in what order.
//!
//! Id 0 is `[PAD]`, words follow from 1 by descending frequency, and the last id is `[UNK]`.

use std::cmp::Reverse;

use rayon::prelude::*;
use tokenizers::models::bpe::BPE;
use tokenizers::models::wordlevel::WordLevel;
use tokenizers::{Model as _, ModelWrapper, Tokenizer};

use crate::config::PreprocessingConfig;
use crate::counts::WordCounts;
use crate::error::{Error, Result};
use crate::rules::TokenScheme;
use crate::special_tokens::{PAD_TOKEN, UNKNOWN_TOKEN};
use crate::words::Words;
use crate::{bpe, pipeline};

/// The vocabulary of an encoder.
#[derive(Debug, Clone)]
pub(crate) enum Vocabulary {
    /// The word for each id, including `[PAD]` and `[UNK]`.
    Words(Words),
    /// Byte-pair merges. Boxed, since they are large.
    Pieces(Box<BPE>),
}

impl Vocabulary {
    /// Learns from texts; `None` if no token is frequent enough.
    pub(crate) fn learn<S: AsRef<str> + Sync>(
        config: &PreprocessingConfig,
        texts: &[S],
    ) -> Result<Option<Self>> {
        let counts = WordCounts::of_texts(config, texts);
        if config.scheme == TokenScheme::Bpe {
            let model = bpe::learn(config, &counts)?;
            return Ok(model.map(|model| Self::Pieces(Box::new(model))));
        }
        let words = frequent_words(config, counts.iter());
        Ok((!words.is_empty()).then(|| Self::Words(with_special_tokens(words))))
    }

    /// The same with the frequent words of more texts after its own, before `[UNK]`: at most `max_new`, most frequent
    /// first. Pieces make up every word already.
    pub(crate) fn extended<S: AsRef<str> + Sync>(
        &self,
        config: &PreprocessingConfig,
        texts: &[S],
        max_new: usize,
    ) -> Self {
        let Self::Words(own) = self else { return self.clone() };
        let counts = WordCounts::of_texts(config, texts);
        let unlimited = PreprocessingConfig { max_vocab: None, ..config.clone() };
        let new = counts.iter().filter(|(word, _)| own.number_of(word).is_none());
        let new = frequent_words(&unlimited, new);
        let n_own = own.len().saturating_sub(1);
        let words = own.iter().take(n_own).chain(new.into_iter().take(max_new));
        Self::Words(Words::new(words.chain([UNKNOWN_TOKEN])))
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Words(words) => words.len(),
            Self::Pieces(model) => model.get_vocab_size(),
        }
    }

    pub(crate) fn id_of(&self, token: &str) -> Option<u32> {
        match self {
            Self::Words(words) => words.number_of(token),
            Self::Pieces(model) => model.token_to_id(token),
        }
    }

    pub(crate) fn token_of(&self, id: u32) -> Option<String> {
        match self {
            Self::Words(words) => words.word(id as usize).map(str::to_owned),
            Self::Pieces(model) => model.id_to_token(id),
        }
    }

    /// The library's tokenizer for this vocabulary.
    pub(crate) fn to_tokenizer(&self, config: &PreprocessingConfig) -> Result<Tokenizer> {
        match self {
            Self::Words(words) => pipeline::tokenizer(config, word_level(words)?),
            Self::Pieces(model) => pipeline::tokenizer(config, (**model).clone()),
        }
    }
}

/// The words in id order, with the special tokens first and last.
fn with_special_tokens(words: Vec<&str>) -> Words {
    Words::new([PAD_TOKEN].into_iter().chain(words).chain([UNKNOWN_TOKEN]))
}

/// The library's word-level model, with word numbers as ids.
pub(crate) fn word_level(words: &Words) -> Result<ModelWrapper> {
    WordLevel::builder()
        .vocab(words.iter().map(str::to_owned).zip(0..).collect())
        .unk_token(UNKNOWN_TOKEN.to_owned())
        .build()
        .map(ModelWrapper::from)
        .map_err(|source| Error::Build { source })
}

/// The words to keep, most frequent first; ties are ordered by code point, so that every machine and
/// every run gives the same ids.
fn frequent_words<'a>(
    config: &PreprocessingConfig,
    counts: impl Iterator<Item = (&'a str, u64)>,
) -> Vec<&'a str> {
    let mut counted: Vec<(&str, u64)> =
        counts.filter(|&(_, count)| count >= config.min_frequency).collect();
    counted
        .par_sort_unstable_by(|(a, n_a), (b, n_b)| Reverse(n_a).cmp(&Reverse(n_b)).then(a.cmp(b)));
    if let Some(limit) = config.vocab_limit() {
        // `[PAD]` and `[UNK]` take two ids.
        counted.truncate(limit.saturating_sub(2));
    }
    counted.into_iter().map(|(word, _)| word).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts() -> impl Iterator<Item = (&'static str, u64)> {
        [("rare", 1), ("the", 9), ("b", 4), ("a", 4)].into_iter()
    }

    #[test]
    fn words_stand_by_falling_frequency_then_alphabet() {
        let config = PreprocessingConfig::default();
        assert_eq!(frequent_words(&config, counts()), ["the", "a", "b", "rare"]);
    }

    #[test]
    fn rare_words_and_words_beyond_the_limit_go() {
        let config = PreprocessingConfig { min_frequency: 4, ..Default::default() };
        assert_eq!(frequent_words(&config, counts()), ["the", "a", "b"]);
        let config = PreprocessingConfig { max_vocab: Some(4), ..Default::default() };
        assert_eq!(frequent_words(&config, counts()), ["the", "a"]);
    }
}

//! From token counts to ids: which words get one, and in which order.
//!
//! Id 0 is `[PAD]`, words count from 1 by falling frequency, the last id is `[UNK]`.

use std::cmp::Reverse;

use tokenizers::ModelWrapper;
use tokenizers::models::wordlevel::WordLevel;

use crate::config::{PreprocessingConfig, TokenScheme};
use crate::counts::Counts;
use crate::error::{Error, Result};

/// The id of padding.
pub const PAD_ID: u32 = 0;

/// The name of padding in the vocabulary; no text encodes to it.
pub const PAD_TOKEN: &str = "[PAD]";

/// The name that all unknown words share; its id is the last one.
pub const UNKNOWN_TOKEN: &str = "[UNK]";

/// Learns the model of `config.scheme`; `None` if no token is frequent enough.
pub(crate) fn learn(config: &PreprocessingConfig, counts: Counts) -> Result<Option<ModelWrapper>> {
    match config.scheme {
        TokenScheme::Bpe => crate::bpe::learn(config, counts),
        TokenScheme::Words | TokenScheme::WordsAndPunctuation => {
            let words = frequent_words(config, counts);
            if words.is_empty() { Ok(None) } else { word_level(words).map(Some) }
        }
    }
}

/// A model that knows `words` by the ids 1, 2 and so on, in their order.
pub(crate) fn word_level(words: Vec<String>) -> Result<ModelWrapper> {
    let tokens = [PAD_TOKEN.to_owned()].into_iter().chain(words).chain([UNKNOWN_TOKEN.to_owned()]);
    WordLevel::builder()
        .vocab(tokens.zip(PAD_ID..).collect())
        .unk_token(UNKNOWN_TOKEN.to_owned())
        .build()
        .map(ModelWrapper::from)
        .map_err(|source| Error::Build { source })
}

/// The words to know, most frequent first; equally frequent ones by their code points, so that
/// every machine and every run gives the same ids.
fn frequent_words(config: &PreprocessingConfig, counts: Counts) -> Vec<String> {
    let mut counted: Vec<(String, u64)> =
        counts.into_iter().filter(|&(_, count)| count >= config.min_frequency).collect();
    counted.sort_unstable_by(|(a, n_a), (b, n_b)| Reverse(n_a).cmp(&Reverse(n_b)).then(a.cmp(b)));
    if let Some(limit) = config.vocab_limit() {
        // Two ids are taken by `[PAD]` and `[UNK]`.
        counted.truncate(limit.saturating_sub(2));
    }
    counted.into_iter().map(|(word, _)| word).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts() -> Counts {
        [("rare", 1), ("the", 9), ("b", 4), ("a", 4)]
            .map(|(word, count)| (word.to_owned(), count))
            .into()
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

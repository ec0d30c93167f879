//! The user's choices: how texts become tokens, how many a text keeps, how many the vocabulary holds.
//!
//! Only values and their validation; nothing here reads a text.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::rules::{Cleaning, TokenScheme};

/// The greatest `seq_len` accepted, in tokens: far longer than any review, yet safe to allocate.
pub const MAX_SEQ_LEN: usize = 1 << 20;

/// The number of ids that [`TokenScheme::Bpe`] learns when `max_vocab` is not given.
pub const DEFAULT_BPE_VOCAB: usize = 8000;

/// `[PAD]`, one word, `[UNK]`.
const MIN_WORD_VOCAB: usize = 3;

/// `[PAD]`, the 256 bytes, `[UNK]`.
const MIN_BPE_VOCAB: usize = 258;

/// How texts become id lists. The defaults are the course notebook's.
///
/// Missing fields take their defaults when read; unknown fields are errors.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PreprocessingConfig {
    /// Tokens per text after truncation and padding, 1 to [`MAX_SEQ_LEN`]. Default 200.
    pub seq_len: usize,
    /// What a token is. Default [`TokenScheme::Words`].
    pub scheme: TokenScheme,
    /// Rarer words (in `bpe`: rarer pairs) get no id of their own. Default 1; 0 means 1.
    pub min_frequency: u64,
    /// At most this many ids, including `[PAD]` and `[UNK]`; the most frequent words are kept.
    ///
    /// Default: no limit for words, [`DEFAULT_BPE_VOCAB`] for `bpe`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_vocab: Option<usize>,
    /// Which tokens of a long text are kept. Default [`Truncation::Head`].
    pub truncation: Truncation,
    /// How a text is cleaned before it is split. Default: the newest rules, [`Cleaning::V2`].
    pub cleaning: Cleaning,
}

impl Default for PreprocessingConfig {
    fn default() -> Self {
        Self {
            seq_len: 200,
            scheme: TokenScheme::Words,
            min_frequency: 1,
            max_vocab: None,
            truncation: Truncation::Head,
            cleaning: Cleaning::default(),
        }
    }
}

impl PreprocessingConfig {
    /// Checks that the values are in range and fit together.
    ///
    /// # Errors
    /// [`Error::SeqLen`] if `seq_len` is 0 or above [`MAX_SEQ_LEN`]; [`Error::MaxVocab`] if
    /// `max_vocab` is below 3, or below 258 for `bpe`, whose alphabet is the 256 bytes.
    pub fn check(&self) -> Result<()> {
        if !(1..=MAX_SEQ_LEN).contains(&self.seq_len) {
            return Err(Error::SeqLen { found: self.seq_len, max: MAX_SEQ_LEN });
        }
        let min = match self.scheme {
            TokenScheme::Words | TokenScheme::WordsAndPunctuation => MIN_WORD_VOCAB,
            TokenScheme::Bpe => MIN_BPE_VOCAB,
        };
        match self.max_vocab {
            Some(found) if found < min => Err(Error::MaxVocab { found, min, scheme: self.scheme }),
            _ => Ok(()),
        }
    }

    /// The most ids that a vocabulary may have; `None` for no limit.
    pub(crate) fn vocab_limit(&self) -> Option<usize> {
        match self.scheme {
            TokenScheme::Bpe => Some(self.max_vocab.unwrap_or(DEFAULT_BPE_VOCAB)),
            TokenScheme::Words | TokenScheme::WordsAndPunctuation => self.max_vocab,
        }
    }
}

impl TryFrom<u64> for Cleaning {
    type Error = Error;

    /// # Errors
    /// [`Error::UnknownCleaning`] for a version that this program does not know.
    fn try_from(version: u64) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|cleaning| cleaning.version() == version)
            .ok_or(Error::UnknownCleaning { found: version, newest: Self::default().version() })
    }
}

/// Which `seq_len` tokens of a longer text are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Truncation {
    /// The first ones, as in the notebook.
    #[default]
    Head,
    /// The last ones.
    Tail,
    /// The first half and the last half; if `seq_len` is odd, the first half has one more.
    ///
    /// A `tokenizer.json` cannot express this: only this crate cuts then, the saved file does not.
    HeadTail,
}

impl fmt::Display for Truncation {
    /// Writes the name used in configuration files.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Head => "head",
            Self::Tail => "tail",
            Self::HeadTail => "head-tail",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_the_notebooks() {
        let config: PreprocessingConfig = serde_json::from_str("{}").unwrap();
        assert_eq!(config, PreprocessingConfig::default());
        assert_eq!(config.seq_len, 200);
        assert_eq!(config.scheme, TokenScheme::Words);
        assert_eq!(config.truncation, Truncation::Head);
        assert_eq!((config.min_frequency, config.max_vocab), (1, None));
        assert_eq!(config.cleaning, Cleaning::V2);
        config.check().unwrap();
    }

    #[test]
    fn configuration_survives_json() {
        let config = PreprocessingConfig {
            seq_len: 7,
            scheme: TokenScheme::WordsAndPunctuation,
            min_frequency: 2,
            max_vocab: Some(30),
            truncation: Truncation::HeadTail,
            cleaning: Cleaning::V1,
        };
        let json = serde_json::to_string(&config).unwrap();
        assert!(json.contains(r#""scheme":"words-and-punctuation""#), "{json}");
        assert!(json.contains(r#""truncation":"head-tail""#), "{json}");
        assert!(json.contains(r#""cleaning":1"#), "{json}");
        assert_eq!(serde_json::from_str::<PreprocessingConfig>(&json).unwrap(), config);
    }

    #[test]
    fn displayed_names_are_the_serialised_ones() {
        for scheme in TokenScheme::ALL {
            assert_eq!(serde_json::to_value(scheme).unwrap(), scheme.to_string());
        }
        for truncation in [Truncation::Head, Truncation::Tail, Truncation::HeadTail] {
            assert_eq!(serde_json::to_value(truncation).unwrap(), truncation.to_string());
        }
    }

    #[test]
    fn an_unknown_cleaning_names_the_versions_that_there_are() {
        for (json, expected) in [
            (r#"{"cleaning": 3}"#, "cleaning is 3; this program knows 1 to 2"),
            (r#"{"cleaning": 0}"#, "cleaning is 0; this program knows 1 to 2"),
            (r#"{"cleaning": "v2"}"#, "invalid type"),
        ] {
            let error = serde_json::from_str::<PreprocessingConfig>(json).unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
        }
    }

    #[test]
    fn a_misspelt_field_is_an_error() {
        let error = serde_json::from_str::<PreprocessingConfig>(r#"{"seqlen": 3}"#).unwrap_err();
        assert!(error.to_string().contains("seqlen"), "{error}");
    }

    #[test]
    fn impossible_lengths_are_refused() {
        for (seq_len, ok) in [(0, false), (1, true), (MAX_SEQ_LEN, true), (MAX_SEQ_LEN + 1, false)]
        {
            let config = PreprocessingConfig { seq_len, ..Default::default() };
            match config.check() {
                Ok(()) => assert!(ok, "{seq_len} passed"),
                Err(error) => {
                    assert!(!ok, "{seq_len} failed");
                    assert!(matches!(error, Error::SeqLen { found, .. } if found == seq_len));
                }
            }
        }
    }

    #[test]
    fn a_vocabulary_without_room_is_refused() {
        for (scheme, min) in [
            (TokenScheme::Words, 3),
            (TokenScheme::WordsAndPunctuation, 3),
            (TokenScheme::Bpe, 258),
        ] {
            let config =
                |max_vocab| PreprocessingConfig { scheme, max_vocab, ..Default::default() };
            config(None).check().unwrap();
            config(Some(min)).check().unwrap();
            let error = config(Some(min - 1)).check().unwrap_err();
            assert!(matches!(error, Error::MaxVocab { min: m, .. } if m == min), "{error}");
        }
    }
}

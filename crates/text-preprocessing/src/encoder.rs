//! The one type that users hold: learned once from the training texts, then text in, ids out.

use rayon::prelude::*;
use tokenizers::Tokenizer;

use crate::config::{PreprocessingConfig, Truncation};
use crate::counts::count_tokens;
use crate::error::{Error, Result};
use crate::padding::left_pad;
use crate::pipeline;
use crate::vocabulary::{self, PAD_ID, UNKNOWN_TOKEN};

/// Turns texts into id lists with a vocabulary learned from training texts.
///
/// Any text encodes, the same way every time. Empty ones, and those with nothing left after
/// normalising, give an empty list, which pads to all zeros. Words are what white space
/// separates, so a Chinese sentence is one word (in `bpe`, its bytes and their merges). Accents
/// and emoji stay as they are. Lower-casing is Unicode's, one character at a time: `İ` becomes
/// `i` and a combining dot, a final `Σ` becomes `σ`.
#[derive(Debug, Clone)]
pub struct TextEncoder {
    config: PreprocessingConfig,
    /// Cuts (except [`Truncation::HeadTail`]) but never pads.
    tokenizer: Tokenizer,
    unknown_id: u32,
}

impl TextEncoder {
    /// Learns a vocabulary from `texts`, which should be the training split and nothing else.
    ///
    /// # Errors
    /// [`Error::SeqLen`] or [`Error::MaxVocab`] if `config` makes no sense, [`Error::NoTexts`]
    /// for no texts, [`Error::NoWords`] if no word in them is frequent enough.
    pub fn learn<S: AsRef<str> + Sync>(config: PreprocessingConfig, texts: &[S]) -> Result<Self> {
        config.validate()?;
        if texts.is_empty() {
            return Err(Error::NoTexts);
        }
        let splitter = pipeline::tokenizer(&config, vocabulary::word_level(Vec::new())?)?;
        let counts = count_tokens(&splitter, texts)?;
        let Some(model) = vocabulary::learn(&config, counts)? else {
            return Err(Error::NoWords {
                n_texts: texts.len(),
                min_frequency: config.min_frequency.max(1),
            });
        };
        let tokenizer = pipeline::tokenizer(&config, model)?;
        Ok(Self::from_parts(config, tokenizer))
    }

    /// Joins a checked configuration with the tokenizer that it describes.
    pub(crate) fn from_parts(config: PreprocessingConfig, tokenizer: Tokenizer) -> Self {
        let unknown_id = tokenizer.token_to_id(UNKNOWN_TOKEN).unwrap_or(PAD_ID);
        Self { config, tokenizer, unknown_id }
    }

    /// The ids of one text: at most `seq_len`, not padded, never 0, all below
    /// [`vocab_size`](Self::vocab_size).
    ///
    /// # Errors
    /// [`Error::Encode`], which no text is known to cause.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        let encoding =
            self.tokenizer.encode_fast(text, false).map_err(|source| Error::Encode { source })?;
        let ids = encoding.get_ids();
        Ok(match self.config.truncation {
            Truncation::Head | Truncation::Tail => ids.to_vec(),
            Truncation::HeadTail => Truncation::HeadTail.cut(ids, self.config.seq_len),
        })
    }

    /// [`encode`](Self::encode) for many texts on all cores; the lists are in the texts' order.
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    pub fn encode_batch<S: AsRef<str> + Sync>(&self, texts: &[S]) -> Result<Vec<Vec<u32>>> {
        texts.par_iter().map(|text| self.encode(text.as_ref())).collect()
    }

    /// The ids of one text, with zeros in front: exactly `seq_len`.
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    pub fn encode_padded(&self, text: &str) -> Result<Vec<u32>> {
        Ok(self.pad(&self.encode(text)?))
    }

    /// Exactly `seq_len` ids: longer lists are cut as the configuration says, shorter ones get
    /// zeros in front.
    #[must_use]
    pub fn pad(&self, ids: &[u32]) -> Vec<u32> {
        let len = self.config.seq_len;
        if ids.len() > len { self.config.truncation.cut(ids, len) } else { left_pad(ids, len) }
    }

    /// The number of ids, padding and unknown included: the rows of an embedding table.
    #[must_use]
    pub fn vocab_size(&self) -> usize {
        self.tokenizer.get_vocab_size(true)
    }

    /// The id of padding: always 0.
    #[must_use]
    pub fn pad_id(&self) -> u32 {
        PAD_ID
    }

    /// The id that all unknown words share: the last one, `vocab_size() - 1`.
    #[must_use]
    pub fn unknown_id(&self) -> u32 {
        self.unknown_id
    }

    /// The token behind an id, `None` from [`vocab_size`](Self::vocab_size) on.
    ///
    /// In `bpe`, bytes show as the printable stand-ins of byte-level tokenizers.
    #[must_use]
    pub fn token_of(&self, id: u32) -> Option<String> {
        self.tokenizer.id_to_token(id)
    }

    /// The id of a token as the scheme writes it (lower case), `None` if it is unknown.
    #[must_use]
    pub fn id_of(&self, token: &str) -> Option<u32> {
        self.tokenizer.token_to_id(token)
    }

    /// The configuration that the vocabulary was learned or loaded with.
    #[must_use]
    pub fn config(&self) -> &PreprocessingConfig {
        &self.config
    }

    /// The tokenizer inside, for [`save`](Self::save).
    pub(crate) fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }
}

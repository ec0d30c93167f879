//! The one type that users hold: learned once from the training texts, then text in, ids out.

use rayon::prelude::*;
use tokenizers::Tokenizer;

use crate::config::{PreprocessingConfig, Truncation};
use crate::error::{Error, Result};
use crate::padding::left_pad;
use crate::splitter::{Flow, Splitter};
use crate::vocabulary::{PAD_ID, UNKNOWN_TOKEN, Vocabulary};
use crate::words::Words;

/// Texts that one task encodes at least; a splitter keeps its memory between them.
const TEXTS_PER_TASK: usize = 16;

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
    vocabulary: Vocabulary,
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
        let Some(vocabulary) = Vocabulary::learn(&config, texts)? else {
            return Err(Error::NoWords {
                n_texts: texts.len(),
                min_frequency: config.min_frequency.max(1),
            });
        };
        Ok(Self::from_parts(config, vocabulary))
    }

    /// Joins a checked configuration with a vocabulary of its scheme.
    pub(crate) fn from_parts(config: PreprocessingConfig, vocabulary: Vocabulary) -> Self {
        let unknown_id = vocabulary.id_of(UNKNOWN_TOKEN).unwrap_or(PAD_ID);
        Self { config, vocabulary, unknown_id }
    }

    /// The ids of one text: at most `seq_len`, not padded, never 0, all below
    /// [`vocab_size`](Self::vocab_size).
    ///
    /// # Errors
    /// [`Error::Encode`], which no text is known to cause.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        match &self.vocabulary {
            Vocabulary::Words(scheme, words) => {
                Ok(self.encode_words(words, &mut Splitter::new(*scheme), text))
            }
            Vocabulary::Pieces(tokenizer) => self.encode_pieces(tokenizer, text),
        }
    }

    /// [`encode`](Self::encode) for many texts on all cores; the lists are in the texts' order.
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    pub fn encode_batch<S: AsRef<str> + Sync>(&self, texts: &[S]) -> Result<Vec<Vec<u32>>> {
        match &self.vocabulary {
            Vocabulary::Words(scheme, words) => {
                let encode = |splitter: &mut Splitter, text: &S| {
                    self.encode_words(words, splitter, text.as_ref())
                };
                let texts = texts.par_iter().with_min_len(TEXTS_PER_TASK);
                Ok(texts.map_init(|| Splitter::new(*scheme), encode).collect())
            }
            Vocabulary::Pieces(tokenizer) => {
                texts.par_iter().map(|text| self.encode_pieces(tokenizer, text.as_ref())).collect()
            }
        }
    }

    fn encode_words(&self, words: &Words, splitter: &mut Splitter, text: &str) -> Vec<u32> {
        let PreprocessingConfig { seq_len, truncation, .. } = self.config;
        // What comes after the head need not even be split.
        let enough = if truncation == Truncation::Head { seq_len } else { usize::MAX };
        let mut ids = Vec::new();
        splitter.split(text, &mut |word| {
            ids.push(words.number_of(word).unwrap_or(self.unknown_id));
            if ids.len() < enough { Flow::Continue } else { Flow::Stop }
        });
        if ids.len() > seq_len { truncation.cut(&ids, seq_len) } else { ids }
    }

    fn encode_pieces(&self, tokenizer: &Tokenizer, text: &str) -> Result<Vec<u32>> {
        let encoding =
            tokenizer.encode_fast(text, false).map_err(|source| Error::Encode { source })?;
        let ids = encoding.get_ids();
        Ok(match self.config.truncation {
            Truncation::Head | Truncation::Tail => ids.to_vec(),
            Truncation::HeadTail => Truncation::HeadTail.cut(ids, self.config.seq_len),
        })
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
        self.vocabulary.len()
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
        self.vocabulary.token_of(id)
    }

    /// The id of a token as the scheme writes it (lower case), `None` if it is unknown.
    #[must_use]
    pub fn id_of(&self, token: &str) -> Option<u32> {
        self.vocabulary.id_of(token)
    }

    /// The configuration that the vocabulary was learned or loaded with.
    #[must_use]
    pub fn config(&self) -> &PreprocessingConfig {
        &self.config
    }

    pub(crate) fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }
}

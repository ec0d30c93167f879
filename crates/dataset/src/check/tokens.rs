//! What the caller says about texts: their digests and tokens, and how a model would read them.

use crate::error::{Error, Result};

/// The tokens of some texts, and digests that are equal for texts that say the same.
#[derive(Clone, Debug, Default)]
pub struct TextTokens {
    /// `[n_texts]`: equal for texts that count as the same.
    pub digests: Vec<u64>,
    /// `[n_texts]`: the ids of all tokens of each text, not cut.
    pub ids: Vec<Vec<u32>>,
    /// The token of each id, in lower case.
    pub vocabulary: Vec<String>,
    /// For each id, whether it is a word, not a mark.
    is_word: Vec<bool>,
}

/// How a model would read the texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reader {
    /// Tokens of a text that are read at most.
    pub seq_len: usize,
    /// Whether words are split into pieces, so that texts have more tokens than are counted here, and none is
    /// unknown.
    pub has_pieces: bool,
}

impl TextTokens {
    /// Texts with the same vocabulary.
    pub fn new(digests: Vec<u64>, ids: Vec<Vec<u32>>, vocabulary: Vec<String>) -> Self {
        let is_word = vocabulary.iter().map(|token| token.contains(char::is_alphanumeric));
        Self { is_word: is_word.collect(), digests, ids, vocabulary }
    }

    /// Parts these texts after the first `n`.
    pub fn split_off(&mut self, n: usize) -> Self {
        let n = n.min(self.ids.len()).min(self.digests.len());
        Self {
            digests: self.digests.split_off(n),
            ids: self.ids.split_off(n),
            vocabulary: self.vocabulary.clone(),
            is_word: self.is_word.clone(),
        }
    }

    pub(super) fn check(&self, expected: usize) -> Result<()> {
        for (what, got) in [("digests", self.digests.len()), ("lists of ids", self.ids.len())] {
            if got != expected {
                return Err(Error::LengthMismatch { what, expected, got });
            }
        }
        Ok(())
    }

    /// The ids of a text that are words.
    pub(super) fn words(&self, text: usize) -> impl Iterator<Item = u32> + '_ {
        let is_word = |id: &u32| self.is_word.get(*id as usize).copied().unwrap_or(false);
        self.ids[text].iter().copied().filter(is_word)
    }
}

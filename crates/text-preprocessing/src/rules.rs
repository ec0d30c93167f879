//! The rules that decide what a token is.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a token is. All schemes lower-case the text and replace HTML with spaces (see [`Cleaning`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TokenScheme {
    /// The notebook's: ASCII punctuation is removed ("don't" is `dont`), white space separates words.
    ///
    /// Since [`Cleaning::V2`], non-ASCII marks without an ASCII form (`—`, `。`, `¿`) also separate
    /// words; under V1 they are part of words.
    #[default]
    Words,
    /// Words, with punctuation as tokens: "don't stop..." is `do`, `n't`, `stop`, `...`.
    ///
    /// Every `n't` is a token of its own, and curly apostrophes count as straight ones. `.`, `!`,
    /// `?`, `-` and `*` form runs of up to three; any other mark is a token by itself.
    WordsAndPunctuation,
    /// Pieces of words, learned from the training texts by merging frequent pairs.
    ///
    /// Bytes are the alphabet, so no text has an unknown token. Words and punctuation are split
    /// as in [`Self::WordsAndPunctuation`]; the first piece of each begins with `Ġ`.
    Bpe,
}

impl TokenScheme {
    /// Every scheme, in documentation order.
    pub const ALL: [Self; 3] = [Self::Words, Self::WordsAndPunctuation, Self::Bpe];
}

impl fmt::Display for TokenScheme {
    /// Writes the name used in configuration files.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Words => "words",
            Self::WordsAndPunctuation => "words-and-punctuation",
            Self::Bpe => "bpe",
        })
    }
}

/// Version of the rules that clean texts before they are split.
///
/// A vocabulary fits only the rules that it was learned under, so a model keeps its version for good:
/// configurations hold the number, and the `tokenizer.json` holds the rules. A configuration without
/// the number predates versions and means 1.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(try_from = "u64", into = "u64")]
pub enum Cleaning {
    /// Lower case; HTML breaks (`<br />`) become spaces.
    V1,
    /// Lower case, canonical composition (NFC), invisible characters removed, entities decoded, HTML
    /// tags replaced with spaces, full-width forms and typographic quotes folded to ASCII, each emoji a
    /// token: see [`clean`](crate::clean) for the rules.
    #[default]
    V2,
}

impl Cleaning {
    /// Every version, oldest first.
    pub const ALL: [Self; 2] = [Self::V1, Self::V2];

    /// The number used in configurations.
    #[must_use]
    pub fn version(self) -> u64 {
        match self {
            Self::V1 => 1,
            Self::V2 => 2,
        }
    }
}

impl From<Cleaning> for u64 {
    fn from(cleaning: Cleaning) -> Self {
        cleaning.version()
    }
}

impl fmt::Display for Cleaning {
    /// Writes the number used in configuration files.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.version())
    }
}

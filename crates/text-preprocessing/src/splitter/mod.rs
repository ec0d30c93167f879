//! Text to tokens, as the pipeline of [`pipeline`](crate::pipeline) makes them, in one pass.
//!
//! The library's stages keep track of where every character came from, which nobody asks here, and
//! take seconds where this takes tenths. They stay the definition: they are what a saved `tokenizer.json`
//! holds, and the tests below compare the two on every kind of text.

mod version1;
mod version2;

use crate::cleaning::Cleaner;
use crate::config::{Cleaning, PreprocessingConfig, TokenScheme};
use crate::pipeline::MAX_PIECE_CHARS;

/// Splits texts; keeps its memory from text to text.
pub(crate) struct Splitter {
    cleaning: Cleaning,
    scheme: TokenScheme,
    /// A text in lower case, under the first version.
    lower: String,
    cleaner: Cleaner,
    /// Parts of a text that need another form than the cleaned one.
    spare: String,
}

/// Whether there is more to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flow {
    Continue,
    Stop,
}

impl Splitter {
    pub(crate) fn new(config: &PreprocessingConfig) -> Self {
        let PreprocessingConfig { cleaning, scheme, .. } = *config;
        let (lower, spare) = (String::new(), String::new());
        Self { cleaning, scheme, lower, cleaner: Cleaner::default(), spare }
    }

    /// Calls `on_token` with every token of a text, until it says that it has enough. Under `bpe`, tokens
    /// are the pieces that byte-pair merging is applied to, without the space before them.
    pub(crate) fn split(&mut self, text: &str, mut on_token: impl FnMut(&str) -> Flow) {
        match self.scheme {
            TokenScheme::Words | TokenScheme::WordsAndPunctuation => {
                self.split_words(text, &mut on_token);
            }
            TokenScheme::Bpe => {
                self.split_words(text, &mut |word: &str| each_piece(word, &mut on_token))
            }
        }
    }

    fn split_words(&mut self, text: &str, on_token: &mut impl FnMut(&str) -> Flow) {
        match (self.cleaning, self.scheme) {
            (Cleaning::V1, scheme) => version1::split(scheme, text, &mut self.lower, on_token),
            (Cleaning::V2, scheme) => {
                let clean = self.cleaner.clean(text);
                version2::split(scheme, clean, &mut self.spare, on_token);
            }
        }
    }
}

/// Parts of a word that are short enough for byte-pair merging.
fn each_piece(word: &str, on_piece: &mut impl FnMut(&str) -> Flow) -> Flow {
    let mut rest = word;
    // An emoji is never that long.
    while rest.len() > MAX_PIECE_CHARS
        && let Some((end, _)) = rest.char_indices().nth(MAX_PIECE_CHARS)
    {
        if on_piece(&rest[..end]) == Flow::Stop {
            return Flow::Stop;
        }
        rest = &rest[end..];
    }
    on_piece(rest)
}

/// What `char::is_whitespace` says of ASCII; quicker, since it is a range.
fn is_ascii_space(c: char) -> bool {
    matches!(c, '\t'..='\r' | ' ')
}

/// A negation is a token of its own, wherever it stands.
const NEGATION: &str = "n't";

/// Marks that come in runs of up to three.
const RUN_MARKS: [u8; 5] = *b".!?-*";
const LONGEST_RUN: usize = 3;

#[cfg(test)]
mod tests;

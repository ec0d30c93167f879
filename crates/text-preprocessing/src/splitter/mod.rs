//! Splits text into the same tokens as [`pipeline`](crate::pipeline), in one pass.
//!
//! The library's stages track the origin of every character, which nothing here needs, and take seconds
//! where this takes tenths. They remain the definition: a saved `tokenizer.json` holds them, and the
//! tests below compare the two on every kind of text.

mod parts;
mod version1;
mod version2;

use crate::cleaning::Cleaner;
use crate::config::PreprocessingConfig;
use crate::pipeline::MAX_PIECE_CHARS;
use crate::rules::{Cleaning, TokenScheme};

pub(crate) use parts::Flow;

/// Splits texts; reuses its buffers from text to text.
pub(crate) struct Splitter {
    cleaning: Cleaning,
    scheme: TokenScheme,
    /// The lower-cased text, under [`Cleaning::V1`].
    lower: String,
    cleaner: Cleaner,
    /// Parts of a text that must differ from their cleaned form.
    spare: String,
}

impl Splitter {
    pub(crate) fn new(config: &PreprocessingConfig) -> Self {
        let PreprocessingConfig { cleaning, scheme, .. } = *config;
        let (lower, spare) = (String::new(), String::new());
        Self { cleaning, scheme, lower, cleaner: Cleaner::default(), spare }
    }

    /// Calls `on_token` with each token of a text until it returns [`Flow::Stop`]. Under `bpe`, tokens
    /// are the inputs to byte-pair merging, without their leading space.
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

/// Splits a word into parts short enough for byte-pair merging.
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

#[cfg(test)]
mod tests;

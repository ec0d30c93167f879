//! What takes the words that a reader finds: a store, or a function.

use crate::error::{Error, Result};
use crate::writer::{StoreWriter, numbers};

/// Takes words with their vectors.
pub(crate) trait Takes {
    /// Takes a word; false if it was there already, in which case nothing changes.
    ///
    /// # Errors
    /// [`Error::Vector`] as [`StoreWriter::add`]; what the one who takes it runs into.
    fn take(&mut self, word: &str, vector: &[f32]) -> Result<bool>;
}

impl Takes for StoreWriter {
    fn take(&mut self, word: &str, vector: &[f32]) -> Result<bool> {
        self.add(word, vector)
    }
}

impl Takes for &mut StoreWriter {
    fn take(&mut self, word: &str, vector: &[f32]) -> Result<bool> {
        self.add(word, vector)
    }
}

/// A function that gets all words, those that are repeated among them.
pub(super) struct Each<'f> {
    pub(super) on_word: &'f mut dyn FnMut(&str, &[f32]),
    pub(super) n_features: Option<usize>,
    pub(super) n_words: usize,
}

impl Takes for Each<'_> {
    fn take(&mut self, word: &str, vector: &[f32]) -> Result<bool> {
        check(word, vector, &mut self.n_features)?;
        self.n_words += 1;
        (self.on_word)(word, vector);
        Ok(true)
    }
}

/// Checks that a vector has numbers, all of them finite and as many as the first one, which `n_features` is set by.
///
/// # Errors
/// [`Error::Vector`].
pub(crate) fn check(word: &str, vector: &[f32], n_features: &mut Option<usize>) -> Result<()> {
    let wrong = |reason: String| Error::Vector { word: word.to_string(), reason };
    let n_features = *n_features.get_or_insert(vector.len());
    if vector.len() != n_features || vector.is_empty() {
        let (n, expected) = (numbers(vector.len()), n_features.max(1));
        return Err(wrong(format!("has {n}; expected {expected}")));
    }
    match vector.iter().find(|number| !number.is_finite()) {
        Some(number) => Err(wrong(format!("has the number {number}; expected finite numbers"))),
        None => Ok(()),
    }
}

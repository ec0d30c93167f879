//! Picks the pretrained word vectors of a vocabulary's words.

use std::collections::HashMap;
use std::path::Path;

use crate::cleaning::clean;
use crate::encoder::TextEncoder;
use crate::error::{Error, Result};
use crate::rules::{Cleaning, TokenScheme};

/// The vectors in a file for the words of a vocabulary.
#[derive(Debug, Clone, PartialEq)]
pub struct WordVectors {
    /// Dimension of each vector.
    pub dim: usize,
    /// Id and vector of each word found in the file, sorted by id.
    pub vectors: Vec<(u32, Vec<f32>)>,
}

/// How well the word on a line matches a vocabulary word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    LowerCased,
    Exact,
}

impl WordVectors {
    /// Whether [`pick`](Self::pick) may take a word of the file at `path`, so that a reader need not keep the others.
    ///
    /// # Errors
    /// [`Error::VectorsOfPieces`] if the vocabulary holds word pieces.
    pub fn wanted(path: &Path, encoder: &TextEncoder) -> Result<impl Fn(&str) -> bool> {
        refuse_pieces(path, encoder)?;
        Ok(|word: &str| Fit::of(word, encoder).is_some())
    }

    /// Picks the words of a vocabulary. A word with capitals stands for its lower-cased form if that form is missing; of
    /// repeated words, the first counts. `words` come in the order of a file, at `path`, and `vector` gives the `dim`
    /// numbers of the word at a place among them; it is asked only for words that are picked.
    ///
    /// # Errors
    /// [`Error::VectorsOfPieces`] if the vocabulary holds word pieces.
    pub fn pick<'w, 'v>(
        (path, dim): (&Path, usize),
        encoder: &TextEncoder,
        words: impl Iterator<Item = &'w str>,
        vector: impl Fn(usize) -> &'v [f32],
    ) -> Result<Self> {
        refuse_pieces(path, encoder)?;
        // Special tokens have brackets and capitals, so no lower-cased word matches one.
        let mut found: HashMap<u32, (Fit, usize)> = HashMap::new();
        for (place, word) in words.enumerate() {
            let Some((id, fit)) = Fit::of(word, encoder) else { continue };
            if found.get(&id).is_none_or(|(other, _)| *other < fit) {
                found.insert(id, (fit, place));
            }
        }
        let picked = found.into_iter().map(|(id, (_, place))| (id, vector(place).to_vec()));
        let mut vectors: Vec<(u32, Vec<f32>)> = picked.collect();
        vectors.sort_unstable_by_key(|(id, _)| *id);
        Ok(Self { dim, vectors })
    }
}

impl Fit {
    /// The id of the vocabulary word that a word of a file stands for, if there is one.
    fn of(word: &str, encoder: &TextEncoder) -> Option<(u32, Self)> {
        // Vocabulary words are composed (NFC) and have straight quotes.
        let lower = match encoder.config().cleaning {
            Cleaning::V2 if !word.is_ascii() => clean(word),
            _ => word.to_lowercase(),
        };
        let fit = if lower == word { Self::Exact } else { Self::LowerCased };
        encoder.id_of(&lower).map(|id| (id, fit))
    }
}

fn refuse_pieces(path: &Path, encoder: &TextEncoder) -> Result<()> {
    match encoder.config().scheme {
        TokenScheme::Bpe => Err(Error::VectorsOfPieces { path: path.to_path_buf() }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::PreprocessingConfig;

    /// Picks from words whose vectors are their numbers in the list, from 1.
    fn pick(words: &[&str], encoder: &TextEncoder) -> Result<Vec<(u32, Vec<f32>)>> {
        let numbers: Vec<f32> = (1u16..).take(words.len()).map(f32::from).collect();
        let vector = |place: usize| &numbers[place..=place];
        let path = Path::new("made");
        let wanted = WordVectors::wanted(path, encoder)?;
        let found = WordVectors::pick((path, 1), encoder, words.iter().copied(), vector)?.vectors;
        // Nothing that is not wanted is picked, and the rest is enough.
        let kept: Vec<usize> = (0..words.len()).filter(|&place| wanted(words[place])).collect();
        let of_kept = kept.iter().map(|&place| words[place]);
        let again = |place: usize| &numbers[kept[place]..=kept[place]];
        assert_eq!(WordVectors::pick((path, 1), encoder, of_kept, again)?.vectors, found);
        Ok(found)
    }

    #[test]
    fn the_words_own_case_goes_before_another_and_the_first_before_later_ones() -> Result<()> {
        let encoder = TextEncoder::learn(PreprocessingConfig::default(), &["good film", "bad"])?;
        let film = encoder.id_of("film").unwrap_or_default();
        for (words, expected) in [
            (["Film", "film", "FILM"], 2.0),
            (["film", "film", "Film"], 1.0),
            (["Film", "the", "FILM"], 1.0),
        ] {
            assert_eq!(pick(&words, &encoder)?, [(film, vec![expected])]);
        }
        assert!(pick(&["the", "<unk>", "[UNK]", "[PAD]"], &encoder)?.is_empty());
        Ok(())
    }

    #[test]
    fn vectors_of_words_do_not_fit_a_vocabulary_of_pieces() -> Result<()> {
        let config = PreprocessingConfig { scheme: TokenScheme::Bpe, ..Default::default() };
        let encoder = TextEncoder::learn(config, &["good film", "bad film"])?;
        let refused = pick(&["film"], &encoder);
        assert!(matches!(refused, Err(Error::VectorsOfPieces { .. })), "{refused:?}");
        Ok(())
    }

    #[test]
    fn words_are_picked_as_they_are_read() -> Result<()> {
        let encoder = TextEncoder::learn(PreprocessingConfig::default(), &["good film", "bad"])?;
        let lines =
            [("Film", [1.0, 1.0]), ("the", [0.0, 0.0]), ("film", [2.0, 2.0]), ("FILM", [3.0, 3.0])]
                .map(|(word, vector)| (word, vector.to_vec()));
        let asked = std::cell::RefCell::new(Vec::new());
        let vector = |place: usize| -> &[f32] {
            asked.borrow_mut().push(place);
            &lines[place].1
        };
        let words = lines.iter().map(|(word, _)| *word);
        let picked = WordVectors::pick((Path::new("made"), 2), &encoder, words, vector)?;
        let film = encoder.id_of("film").unwrap_or_default();
        assert_eq!(picked, WordVectors { dim: 2, vectors: vec![(film, vec![2.0, 2.0])] });
        assert_eq!(*asked.borrow(), [2]);
        Ok(())
    }

    #[test]
    fn words_in_another_form_are_found() -> Result<()> {
        let config =
            PreprocessingConfig { scheme: TokenScheme::WordsAndPunctuation, ..Default::default() };
        let encoder = TextEncoder::learn(config, &["café 👍 isn't"])?;
        let found = pick(&["Cafe\u{301}", "👍\u{FE0F}", "n’t", "’"], &encoder)?;
        let of = |word: &str, x: f32| encoder.id_of(word).map(|id| (id, vec![x]));
        for expected in [of("café", 1.0), of("👍", 2.0), of("n't", 3.0)] {
            assert!(expected.is_some_and(|expected| found.contains(&expected)), "{found:?}");
        }
        assert_eq!(found.len(), 3);
        Ok(())
    }
}

//! Reads pretrained word vectors from the text files that GloVe, word2vec and fastText write.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
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
    /// Reads a file of lines `WORD NUMBER NUMBER ...`, separated by spaces, with or without a header
    /// line `WORDS NUMBERS` (word2vec and fastText write one, GloVe does not). Skips words outside the
    /// vocabulary. A word with capitals stands for its lower-cased form if the file lacks that form; of
    /// repeated words, the first counts.
    ///
    /// # Errors
    /// [`Error::VectorsOfPieces`] if the vocabulary holds word pieces; [`Error::ReadVectors`] if the
    /// file cannot be read; [`Error::WordVectors`], with the line, if it is not in this format.
    pub fn read(path: impl AsRef<Path>, encoder: &TextEncoder) -> Result<Self> {
        let path = path.as_ref();
        refuse_pieces(path, encoder)?;
        let io = |source| Error::ReadVectors { path: path.to_path_buf(), source };
        let mut lines = BufReader::new(File::open(path).map_err(io)?);
        let mut found: HashMap<u32, (Fit, Vec<f32>)> = HashMap::new();
        // Special tokens have brackets and capitals, so no lower-cased word matches one.
        let (mut dim, mut n_lines, mut bytes) = (None, 0, Vec::new());
        loop {
            bytes.clear();
            if lines.read_until(b'\n', &mut bytes).map_err(io)? == 0 {
                break;
            }
            n_lines += 1;
            let wrong = |reason: String| Error::WordVectors {
                path: path.to_path_buf(),
                line: n_lines,
                reason,
            };
            // Some published files have words with invalid UTF-8; these match none of ours.
            let line = String::from_utf8_lossy(&bytes);
            let line = line.trim_end();
            if line.is_empty() || (n_lines == 1 && is_header(line)) {
                continue;
            }
            let dim = *dim.get_or_insert_with(|| line.split(' ').count() - 1);
            let (word, numbers) = split_line(line, dim)
                .ok_or_else(|| wrong(format!("expected a word and {dim} numbers")))?;
            let Some((id, fit)) = Fit::of(word, encoder) else { continue };
            if found.get(&id).is_none_or(|(other, _)| *other < fit) {
                let parse = |number: &str| match number.parse::<f32>() {
                    Ok(x) if x.is_finite() => Ok(x),
                    _ => Err(wrong(format!("{number:?} is not a finite number"))),
                };
                found.insert(id, (fit, numbers.split(' ').map(parse).collect::<Result<_>>()?));
            }
        }
        let Some(dim) = dim.filter(|&dim| dim > 0) else {
            let reason = "the file has no line with a word and its numbers".to_string();
            return Err(Error::WordVectors { path: path.to_path_buf(), line: n_lines, reason });
        };
        let vectors = found.into_iter().map(|(id, (_, vector))| (id, vector)).collect();
        Ok(Self::sorted(dim, vectors))
    }

    /// Picks the words of a vocabulary by the rules of [`read`](Self::read). `words` come in the order of a file, at
    /// `path`, and `vector` gives the `dim` numbers of the word at a place among them; it is asked only for words that
    /// are picked.
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
        let mut found: HashMap<u32, (Fit, usize)> = HashMap::new();
        for (place, word) in words.enumerate() {
            let Some((id, fit)) = Fit::of(word, encoder) else { continue };
            if found.get(&id).is_none_or(|(other, _)| *other < fit) {
                found.insert(id, (fit, place));
            }
        }
        let picked = found.into_iter().map(|(id, (_, place))| (id, vector(place).to_vec()));
        Ok(Self::sorted(dim, picked.collect()))
    }

    fn sorted(dim: usize, mut vectors: Vec<(u32, Vec<f32>)>) -> Self {
        vectors.sort_unstable_by_key(|(id, _)| *id);
        Self { dim, vectors }
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

/// Whether a first line consists of two counts.
fn is_header(line: &str) -> bool {
    let mut parts = line.split(' ');
    let mut is_count = || parts.next().is_some_and(|part| part.parse::<usize>().is_ok());
    is_count() && is_count() && parts.next().is_none()
}

/// The word, which may contain spaces, and the last `dim` fields.
fn split_line(line: &str, dim: usize) -> Option<(&str, &str)> {
    let (at, _) = line.rmatch_indices(' ').nth(dim.checked_sub(1)?)?;
    let word = &line[..at];
    (!word.is_empty()).then_some((word, &line[at + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::PreprocessingConfig;

    fn read(contents: &str) -> Result<WordVectors> {
        let texts = ["good film", "bad film"];
        let encoder = TextEncoder::learn(PreprocessingConfig::default(), &texts)?;
        let file = tempfile::NamedTempFile::new().and_then(|file| {
            std::fs::write(file.path(), contents)?;
            Ok(file)
        });
        let io = |source| Error::ReadVectors { path: "made".into(), source };
        let vectors = WordVectors::read(file.map_err(io)?.path(), &encoder)?;
        let by_word = |(id, vector): (u32, Vec<f32>)| (encoder.id_of("film") == Some(id), vector);
        let films: Vec<_> = vectors.vectors.iter().cloned().map(by_word).collect();
        assert!(films.iter().filter(|(is_film, _)| *is_film).count() <= 1);
        Ok(vectors)
    }

    #[test]
    fn files_with_and_without_a_header_are_read_alike() -> Result<()> {
        let lines = "the 1 2\nfilm 0.5 -1e-2\nGood 7 8\n. . 3 4\n";
        let plain = read(lines)?;
        assert_eq!(plain, read(&format!("4 2\n{lines}"))?);
        assert_eq!((plain.dim, plain.vectors.len()), (2, 2));
        assert!(plain.vectors.iter().any(|(_, vector)| *vector == [0.5, -0.01]));
        Ok(())
    }

    #[test]
    fn the_words_own_case_goes_before_another() -> Result<()> {
        for lines in ["Film 1 1\nfilm 2 2\nFILM 3 3", "film 2 2\nfilm 5 5\nFilm 1 1"] {
            assert_eq!(read(lines)?.vectors[0].1, [2.0, 2.0]);
        }
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
        let file = tempfile::NamedTempFile::new()
            .map_err(|source| Error::ReadVectors { path: "made".into(), source })?;
        let io = |source| Error::ReadVectors { path: "made".into(), source };
        std::fs::write(file.path(), "Cafe\u{301} 1\n👍\u{FE0F} 2\nn’t 3\n’ 4\n").map_err(io)?;
        let found = WordVectors::read(file.path(), &encoder)?.vectors;
        let of = |word: &str, x: f32| encoder.id_of(word).map(|id| (id, vec![x]));
        for expected in [of("café", 1.0), of("👍", 2.0), of("n't", 3.0)] {
            assert!(expected.is_some_and(|expected| found.contains(&expected)), "{found:?}");
        }
        assert_eq!(found.len(), 3);
        Ok(())
    }

    #[test]
    fn other_files_get_an_error_with_the_line() {
        for (contents, line, reason) in [
            ("", 0, "no line"),
            ("the 1 2\nfilm 1\n", 2, "2 numbers"),
            ("the 1 2\nfilm 1 x\n", 2, "\"x\" is not a finite number"),
            ("the 1 2\nfilm nan 1\n", 2, "not a finite number"),
            ("word\n", 1, "0 numbers"),
        ] {
            let error = read(contents).expect_err(contents);
            assert!(
                matches!(&error, Error::WordVectors { line: at, .. } if *at == line),
                "{error}"
            );
            assert!(error.to_string().contains(reason), "{error}");
        }
    }
}

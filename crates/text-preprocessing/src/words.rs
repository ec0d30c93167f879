//! Distinct words and their numbers, in one block of memory.

use hashbrown::{DefaultHashBuilder, HashTable};
use std::hash::BuildHasher as _;

/// A set of words, numbered from 0 in order of insertion.
#[derive(Debug, Clone, Default)]
pub(crate) struct Words {
    /// All words, concatenated.
    letters: String,
    /// Where each word ends in `letters`.
    ends: Vec<usize>,
    /// Finds a word's number by its letters.
    numbers: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

impl Words {
    /// Builds the set from words in order; a repeated word counts once.
    pub(crate) fn new<S: AsRef<str>>(words: impl IntoIterator<Item = S>) -> Self {
        let mut set = Self::default();
        for word in words {
            set.insert(word.as_ref());
        }
        set
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The number of a known word.
    pub(crate) fn number_of(&self, word: &str) -> Option<u32> {
        let is_word = |&number: &u32| self.letters_of(number as usize) == word;
        self.numbers.find(self.hasher.hash_one(word), is_word).copied()
    }

    /// The word with a given number.
    pub(crate) fn word(&self, number: usize) -> Option<&str> {
        (number < self.len()).then(|| self.letters_of(number))
    }

    /// The number of a word, adding it if it is new.
    pub(crate) fn insert(&mut self, word: &str) -> u32 {
        if let Some(number) = self.number_of(word) {
            return number;
        }
        // No text has 2³² distinct words: they would take tens of gigabytes.
        let number = self.len() as u32;
        self.letters.push_str(word);
        self.ends.push(self.letters.len());
        let Self { letters, ends, numbers, hasher } = self;
        let rehash = |&number: &u32| hasher.hash_one(letters_of(letters, ends, number as usize));
        numbers.insert_unique(hasher.hash_one(word), number, rehash);
        number
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).map(|number| self.letters_of(number))
    }

    fn letters_of(&self, number: usize) -> &str {
        letters_of(&self.letters, &self.ends, number)
    }
}

fn letters_of<'a>(letters: &'a str, ends: &[usize], number: usize) -> &'a str {
    let start = if number == 0 { 0 } else { ends[number - 1] };
    &letters[start..ends[number]]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_numbered_in_the_order_in_which_they_came() {
        let mut words = Words::new(["b", "", "a", "b"]);
        assert_eq!(words.iter().collect::<Vec<_>>(), ["b", "", "a"]);
        assert_eq!((words.insert("a"), words.insert("c")), (2, 3));
        assert_eq!((words.number_of(""), words.number_of("x")), (Some(1), None));
        assert_eq!((words.word(3), words.word(4)), (Some("c"), None));
        for i in 0..10_000 {
            assert_eq!(words.insert(&format!("w{i}")), 4 + i);
        }
        assert_eq!(words.number_of("w777"), Some(781));
    }
}

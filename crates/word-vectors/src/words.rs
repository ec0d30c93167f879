//! Words one behind the other, with a table that finds them.

use std::hash::{BuildHasher as _, RandomState};

use hashbrown::HashTable;

/// Different words, in order, in one piece of memory.
#[derive(Debug, Default)]
pub(crate) struct Words {
    text: String,
    /// Where each word ends.
    ends: Vec<u32>,
    places: HashTable<u32>,
    hasher: RandomState,
}

/// What became of a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Added {
    New,
    Repeated,
    /// There is no room for it.
    Full,
}

impl Words {
    /// Adds a word, unless it is there already.
    pub(crate) fn add(&mut self, word: &str) -> Added {
        let Self { text, ends, places, hasher } = self;
        let hash = hasher.hash_one(word);
        if places.find(hash, |&place| at(text, ends, place) == word).is_some() {
            return Added::Repeated;
        }
        let (Ok(end), Ok(place)) =
            (u32::try_from(text.len() + word.len()), u32::try_from(ends.len()))
        else {
            return Added::Full;
        };
        text.push_str(word);
        ends.push(end);
        places.insert_unique(hash, place, |&place| hasher.hash_one(at(text, ends, place)));
        Added::New
    }

    /// All words, without anything between them.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Where each word ends.
    pub(crate) fn ends(&self) -> &[u32] {
        &self.ends
    }
}

/// The word at a place, which must be there.
fn at<'a>(text: &'a str, ends: &[u32], place: u32) -> &'a str {
    let place = place as usize;
    let start = place.checked_sub(1).map_or(0, |before| ends[before]);
    &text[start as usize..ends[place] as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_kept_once_in_order() {
        let mut words = Words::default();
        let all: Vec<String> = (0..1000).map(|i| format!("é{i}")).collect();
        assert!(all.iter().all(|word| words.add(word) == Added::New));
        assert!(all.iter().all(|word| words.add(word) == Added::Repeated));
        assert_eq!((words.text(), words.ends().len()), (all.concat().as_str(), 1000));
        assert_eq!(at(words.text(), words.ends(), 999), "é999");
    }
}

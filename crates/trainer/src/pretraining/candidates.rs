//! Which words to predict from a batch's outputs, and among which candidates.

use std::ops::Range;

/// Number of words to predict that share their candidates: the more, the more candidates for each.
const WORDS_PER_GROUP: usize = 1024;

/// Words to predict, from the outputs at some positions, among the candidates of their group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Group {
    /// Indices of the outputs in `[B·T]`.
    pub(super) places: Vec<u32>,
    /// For each, the index of its word among the candidates.
    pub(super) targets: Vec<u32>,
    /// The distinct words to predict, ascending.
    pub(super) candidates: Vec<u32>,
}

/// The groups of a batch.
///
/// `words`: `[B·T]`, each below the vocabulary's size; `lengths`: real steps of each text; `forward`:
/// whether to predict the word after each position, or else the one before; `is_real`: whether an id is
/// a word and not padding.
pub(super) fn groups(
    words: &[u32],
    lengths: &[usize],
    forward: bool,
    is_real: impl Fn(u32) -> bool,
) -> Vec<Group> {
    let steps = words.len() / lengths.len().max(1);
    let mut groups = Vec::new();
    let (mut places, mut told) = (Vec::new(), Vec::new());
    for (row, &length) in lengths.iter().enumerate() {
        let from: Range<usize> = if forward { 0..length.saturating_sub(1) } else { 1..length };
        for step in from {
            let place = row * steps + step;
            let word = words[if forward { place + 1 } else { place - 1 }];
            if is_real(word) && is_real(words[place]) {
                places.push(place as u32);
                told.push(word);
            }
        }
        if places.len() >= WORDS_PER_GROUP {
            groups.push(group(std::mem::take(&mut places), std::mem::take(&mut told)));
        }
    }
    if !places.is_empty() {
        groups.push(group(places, told));
    }
    groups
}

fn group(places: Vec<u32>, told: Vec<u32>) -> Group {
    let mut candidates = told.clone();
    candidates.sort_unstable();
    candidates.dedup();
    // Every word is among them.
    let target = |&word: &u32| candidates.partition_point(|&other| other < word) as u32;
    let targets = told.iter().map(target).collect();
    Group { places, targets, candidates }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_direction_tells_its_next_word_within_the_text() {
        let words = [7, 5, 7, 0, 9, 0, 0, 0];
        let told = |forward| groups(&words, &[3, 1], forward, |word| word != 0);
        let forward = Group { places: vec![0, 1], targets: vec![0, 1], candidates: vec![5, 7] };
        assert_eq!(told(true), [forward]);
        let backward = Group { places: vec![1, 2], targets: vec![1, 0], candidates: vec![5, 7] };
        assert_eq!(told(false), [backward]);
    }

    #[test]
    fn groups_have_whole_texts_and_all_words() {
        let words: Vec<u32> = (0..10 * 900).map(|i| 1 + i % 77).collect();
        let groups = groups(&words, &[900; 10], true, |_| true);
        assert_eq!(groups.iter().map(|group| group.places.len()).sum::<usize>(), 10 * 899);
        assert_eq!(groups[0].places.len(), 2 * 899);
    }
}

//! Counts n-grams by class, and chooses those that get a weight.
//!
//! Each n-gram of each text is a number: its hash, then the text's class. Sorted, they are the counts: the memory
//! that this takes does not depend on the number of classes, which a table of n-grams and classes would.

use std::cmp::Reverse;

use rayon::prelude::*;

use super::classes::TextClasses;
use super::keys::keys_of;

/// Which n-grams of the training texts get a weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NgramChoice {
    /// The longest n-grams: 1 to 5 ids.
    pub order: usize,
    /// Number of texts in which an n-gram must occur; 0 means 1.
    pub min_texts: usize,
    /// Most n-grams, at least 1: of more, those in most texts; of those in equally many, the ones with the lowest
    /// hashes. No limit if absent.
    pub max_ngrams: Option<usize>,
}

/// Stands for a text itself beside its classes, where a text may have any number of them. It is the largest
/// class.
const TEXT: u32 = u32::MAX;

/// An n-gram's hash and a class.
fn pair(key: u32, class: u32) -> u64 {
    u64::from(key) << 32 | u64::from(class)
}

fn key_of(pair: u64) -> u32 {
    (pair >> 32) as u32
}

/// The pairs of an n-gram's hash and a class of all texts, sorted; classes of `n_classes` and above are
/// ignored.
pub(super) fn sorted_pairs<T: AsRef<[u32]> + Sync>(
    texts: &[T],
    classes: TextClasses<'_>,
    n_classes: usize,
    order: usize,
) -> Vec<u64> {
    let is_one_of = classes.is_one_of();
    let mut pairs: Vec<u64> = texts
        .par_iter()
        .enumerate()
        .flat_map_iter(|(text, ids)| {
            let known = classes.of_text(text).iter().filter(|class| (**class as usize) < n_classes);
            let text = (!is_one_of).then_some(&TEXT);
            let (keys, of_text) = (keys_of(ids.as_ref(), order), known.chain(text));
            // A list of every text, rather than one of every n-gram.
            let pairs: Vec<u64> =
                of_text.flat_map(|&class| keys.iter().map(move |&key| pair(key, class))).collect();
            pairs
        })
        .collect();
    pairs.par_sort_unstable();
    pairs
}

/// An n-gram in the training texts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ngram<'a> {
    /// All of its pairs of hash and class, sorted; at least one.
    pairs: &'a [u64],
    /// Number of texts in which it occurs.
    pub(super) n_texts: usize,
}

impl Ngram<'_> {
    /// Its hash.
    pub(super) fn key(&self) -> u32 {
        self.pairs.first().map_or(0, |&pair| key_of(pair))
    }

    /// The classes in whose texts it occurs, ascending, and in how many of them.
    pub(super) fn counts(&self) -> impl Iterator<Item = (usize, usize)> {
        self.pairs
            .chunk_by(|a, b| a == b)
            .map(|run| (run[0] as u32, run.len()))
            .filter(|(class, _)| *class != TEXT)
            .map(|(class, count)| (class as usize, count))
    }

    /// The number of texts of one class in which it occurs.
    pub(super) fn count_of(&self, class: usize) -> usize {
        let first_from =
            |class: usize| self.pairs.partition_point(|&pair| (pair as u32 as usize) < class);
        first_from(class + 1) - first_from(class)
    }
}

/// The n-grams of sorted pairs that get a weight, by hash.
pub(super) fn chosen<'a>(
    pairs: &'a [u64],
    classes: TextClasses<'_>,
    choice: NgramChoice,
) -> Vec<Ngram<'a>> {
    let is_one_of = classes.is_one_of();
    let n_texts = |pairs: &[u64]| match is_one_of {
        true => pairs.len(),
        false => pairs.iter().rev().take_while(|&&pair| pair as u32 == TEXT).count(),
    };
    let mut ngrams: Vec<Ngram<'a>> = pairs
        .chunk_by(|a, b| key_of(*a) == key_of(*b))
        .map(|pairs| Ngram { pairs, n_texts: n_texts(pairs) })
        .filter(|ngram| ngram.n_texts >= choice.min_texts.max(1))
        .collect();
    if let Some(most) = choice.max_ngrams.filter(|&most| most < ngrams.len()) {
        let rank = |ngram: &Ngram<'_>| (Reverse(ngram.n_texts), ngram.key());
        if most > 0 {
            ngrams.select_nth_unstable_by_key(most - 1, rank);
        }
        ngrams.truncate(most);
        ngrams.sort_unstable_by_key(Ngram::key);
    }
    ngrams
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: NgramChoice = NgramChoice { order: 1, min_texts: 1, max_ngrams: None };

    /// Texts in which it occurs, and its counts by class, of each n-gram, from the rarest.
    fn counted(
        texts: &[Vec<u32>],
        classes: TextClasses<'_>,
        choice: NgramChoice,
    ) -> Vec<(usize, Vec<(usize, usize)>)> {
        let pairs = sorted_pairs(texts, classes, 3, choice.order);
        let ngrams = chosen(&pairs, classes, choice);
        assert!(ngrams.is_sorted_by_key(Ngram::key));
        let mut counted: Vec<_> =
            ngrams.iter().map(|ngram| (ngram.n_texts, ngram.counts().collect())).collect();
        counted.sort();
        counted
    }

    #[test]
    fn ngrams_are_counted_once_a_text_by_class() {
        let texts = [vec![5, 5, 6], vec![5], vec![0, 6], vec![5]];
        let got = counted(&texts, TextClasses::OneOf(&[0, 2, 2, 2]), ALL);
        assert_eq!(got, [(2, vec![(0, 1), (2, 1)]), (3, vec![(0, 1), (2, 2)])]);
    }

    #[test]
    fn texts_of_several_classes_and_of_none_count_as_one_text() {
        let texts = [vec![5, 6], vec![5], vec![5, 7], vec![]];
        let classes = TextClasses::AnyOf { starts: &[0, 2, 3, 3, 4], classes: &[0, 2, 2, 1] };
        let got = counted(&texts, classes, ALL);
        let expected = [(1, vec![]), (1, vec![(0, 1), (2, 1)]), (3, vec![(0, 1), (2, 2)])];
        assert_eq!(got, expected);
    }

    #[test]
    fn of_too_many_ngrams_those_in_most_texts_are_kept() {
        // 1 in one text, 2 in two, and so on; 10 and 11 in three as well.
        let texts: Vec<Vec<u32>> = (0..6u32)
            .map(|text| {
                (text + 1..7).chain((text < 3).then_some([10, 11]).into_iter().flatten()).collect()
            })
            .collect();
        let classes = TextClasses::OneOf(&[0; 6]);
        let kept = |max_ngrams, min_texts| {
            let pairs = sorted_pairs(&texts, classes, 3, 1);
            let choice = NgramChoice { order: 1, min_texts, max_ngrams };
            chosen(&pairs, classes, choice).iter().map(Ngram::key).collect::<Vec<u32>>()
        };
        let keys = |ids: &[u32]| keys_of(ids, 1);
        assert_eq!(kept(Some(3), 1), keys(&[6, 5, 4]));
        assert_eq!(kept(None, 5), keys(&[6, 5]));
        assert_eq!(kept(Some(100), 1), keys(&[1, 2, 3, 4, 5, 6, 10, 11]));
        assert!(kept(Some(0), 1).is_empty());
        // Of the three n-grams in three texts, the one with the lowest hash.
        let mut expected = keys(&[6, 5, 4]);
        expected.push(keys(&[3, 10, 11])[0]);
        expected.sort_unstable();
        assert_eq!(kept(Some(4), 1), expected);
    }
}

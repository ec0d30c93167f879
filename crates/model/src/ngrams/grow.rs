//! The n-grams of a model and those of the texts that it is trained on next, in one vocabulary.
//!
//! N-grams that are only in the new texts get their values there. Those of the model keep theirs, unless the new texts
//! say more of them: a value says how much an n-gram tells, and of a word that told nothing of films but does of cars,
//! nothing could be learned while its value is near 0. It then gets half of its value in the new texts: with all of it
//! the n-grams of new texts, in which values are uncertain, drown those of older ones.

use std::collections::HashMap;
use std::sync::Arc;

use super::NgramVocabulary;
use super::keys::keys_of;

/// What counts of an n-gram's value in the new texts, if the model has the n-gram.
const NEW_VALUE_SHARE: f32 = 0.5;

/// What became of the ids of a model when words were added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Renumbered {
    /// The id of unknown words before: the last one.
    pub unknown_before: u32,
    /// Their id now.
    pub unknown: u32,
}

/// Where the weights of an n-gram start.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NgramStart {
    /// The row of the n-gram before.
    pub row: u32,
    /// The factor of its weights: the value before, divided by that now.
    pub factor: f32,
}

/// The rows of an n-gram in the model's vocabulary and in that of the new texts: at least one of them.
#[derive(Clone, Copy)]
struct Origin {
    own: Option<u32>,
    new: Option<u32>,
}

impl Origin {
    /// The n-gram's value, or ratio, in both together.
    fn number(self, own: &[f32], new: &[f32]) -> f32 {
        let of = |row: Option<u32>, numbers: &[f32]| row.map(|row| numbers[row as usize]);
        let of_new = of(self.new, new).unwrap_or(0.0);
        let Some(own) = of(self.own, own) else { return of_new };
        let of_new = of_new * NEW_VALUE_SHARE;
        if of_new.abs() > own.abs() { of_new } else { own }
    }
}

impl NgramVocabulary {
    /// The n-grams of this vocabulary, and those of `new` that it lacks. Both must have the same order; `new` has the
    /// ids after words were added. N-grams of one and two ids with an unknown word are found under its new id, too;
    /// longer ones are not: only their hashes are known, and there are too many that they may be of. Log-count ratios,
    /// if both have them, become those of both by the same rule as values.
    ///
    /// `max_ngrams`: of more, the last of `new`'s are left out, by hash; this vocabulary's are all kept.
    #[must_use]
    pub fn grown(&self, new: &Self, ids: Renumbered, max_ngrams: usize) -> Self {
        let copies = self.copies(ids);
        let copied = copies.iter().map(|(key, row)| (*key, *row));
        let own = self.keys.iter().copied().zip(0..).chain(copied);
        let mut all: Vec<(u32, Origin)> =
            own.map(|(key, row)| (key, Origin { own: Some(row), new: new.row(key) })).collect();
        let room = max_ngrams.saturating_sub(all.len());
        let of_new = new.keys.iter().copied().zip(0..);
        let lacks = |key: &u32| self.row(*key).is_none() && !copies.contains_key(key);
        let origin = |(key, row)| (key, Origin { own: None, new: Some(row) });
        all.extend(of_new.filter(|(key, _)| lacks(key)).take(room).map(origin));
        all.sort_unstable_by_key(|(key, _)| *key);
        let (keys, origins): (Vec<u32>, Vec<Origin>) = all.into_iter().unzip();
        let merged = |own: &[f32], new: &[f32]| -> Arc<Vec<f32>> {
            Arc::new(origins.iter().map(|origin| origin.number(own, new)).collect())
        };
        let ratios = self.ratios.as_ref().zip(new.ratios.as_ref());
        Self {
            order: self.order,
            keys: Arc::new(keys),
            values: merged(&self.values, &new.values),
            ratios: ratios.map(|(own, new)| merged(own, new)),
        }
    }

    /// Where the weights of each n-gram start in a vocabulary that is this one [grown](Self::grown): `[n-grams]`,
    /// `None` for a new one. A weight times its value is what it was.
    #[must_use]
    pub fn starts_in(&self, grown: &Self, ids: Renumbered) -> Vec<Option<NgramStart>> {
        let copies = self.copies(ids);
        let start = |(key, &value): (&u32, &f32)| {
            let row = self.row(*key).or_else(|| copies.get(key).copied())?;
            let before = self.values[row as usize];
            // A value of 0 was not changed, or says that its weights made no difference.
            let factor = if before == value { 1.0 } else { before / value };
            Some(NgramStart { row, factor })
        };
        grown.keys.iter().zip(grown.values.iter()).map(start).collect()
    }

    /// The hashes, under the new id of unknown words, of n-grams that have one, with their rows here.
    fn copies(&self, ids: Renumbered) -> HashMap<u32, u32> {
        let Renumbered { unknown_before: before, unknown: now } = ids;
        let mut copies = HashMap::new();
        if before == now {
            return copies;
        }
        let mut copy = |was: &[u32], is: &[u32]| {
            if let (Some(was), Some(is)) = (whole_key(was), whole_key(is))
                && let Some(row) = self.row(was)
                && self.row(is).is_none()
            {
                copies.insert(is, row);
            }
        };
        copy(&[before], &[now]);
        if self.order > 1 {
            copy(&[before, before], &[now, now]);
            for id in 1..before {
                copy(&[id, before], &[id, now]);
                copy(&[before, id], &[now, id]);
            }
        }
        copies
    }
}

/// The hash of an n-gram of one or two ids.
fn whole_key(ids: &[u32]) -> Option<u32> {
    // Of the hashes of two ids, the one that neither of them has alone is that of both.
    let shorter: Vec<u32> = ids.iter().flat_map(|&id| keys_of(&[id], 1)).collect();
    let mut all = keys_of(ids, ids.len()).into_iter();
    if ids.len() == 1 { all.next() } else { all.find(|key| !shorter.contains(key)) }
}

#[cfg(test)]
mod tests {
    use super::super::{NgramChoice, TextClasses};
    use super::*;

    const SAME: Renumbered = Renumbered { unknown_before: 9, unknown: 9 };

    fn learn(texts: &[[u32; 2]], classes: &[u32]) -> NgramVocabulary {
        let choice = NgramChoice { order: 2, min_texts: 1, max_ngrams: None };
        NgramVocabulary::learn(texts, TextClasses::OneOf(classes), 2, choice)
    }

    /// 5, 6, 7 and two pairs.
    fn old() -> NgramVocabulary {
        learn(&[[5, 6], [7, 6]], &[0, 1])
    }

    /// 5, 6, 3, 4 and three pairs.
    fn new() -> NgramVocabulary {
        learn(&[[5, 3], [6, 3], [5, 4]], &[1, 0, 1])
    }

    #[test]
    fn a_grown_vocabulary_has_the_ngrams_of_both_and_products_stay() {
        let (old, new) = (old(), new());
        let both = old.grown(&new, SAME, 1000);
        assert_eq!((old.len(), new.len(), both.len()), (5, 7, 10));
        assert!(both.keys.is_sorted_by(|a, b| a < b));
        let starts = old.starts_in(&both, SAME);
        assert_eq!(starts.iter().flatten().count(), 5);
        let mut n_raised = 0;
        for (row, start) in starts.iter().enumerate() {
            let (key, value) = (both.keys[row], both.values[row]);
            let Some(NgramStart { row, factor }) = *start else {
                let of_new = new.row(key).unwrap();
                assert_eq!(value, new.values[of_new as usize]);
                continue;
            };
            let before = old.values[row as usize];
            assert_eq!(key, old.keys[row as usize]);
            assert!((factor * value - before).abs() < 1e-6, "{factor} {value} {before}");
            assert!(value.abs() >= before.abs());
            n_raised += usize::from(value != before);
        }
        // 6 is in a text of either class of the old ones: it told nothing.
        assert_eq!(n_raised, 1);
    }

    #[test]
    fn ratios_of_both_follow_the_rule_of_values() {
        let old_texts = [[5, 6], [7, 6]];
        let new_texts = [[5, 3], [6, 3], [5, 4]];
        let (old, new) =
            (old().with_ratios(&old_texts, &[0, 1]), new().with_ratios(&new_texts, &[1, 0, 1]));
        let both = old.grown(&new, SAME, 1000);
        let ratio = |of: &NgramVocabulary, id: u32| of.ratio(&[id]);
        assert_eq!(ratio(&both, 3), ratio(&new, 3));
        assert_eq!(ratio(&both, 7), ratio(&old, 7));
        assert!((ratio(&both, 6) - NEW_VALUE_SHARE * ratio(&new, 6)).abs() < 1e-6);
        assert!(!old.grown(&super::tests::new(), SAME, 1000).has_ratios());
    }

    #[test]
    fn a_full_vocabulary_keeps_its_own_ngrams() {
        let (old, new) = (old(), new());
        assert_eq!(old.grown(&new, SAME, 3).keys, old.keys);
        let both = old.grown(&new, SAME, 7);
        let n_kept = old.starts_in(&both, SAME).into_iter().flatten().count();
        assert_eq!((both.len(), n_kept), (7, 5));
    }

    #[test]
    fn ngrams_with_an_unknown_word_are_found_under_its_new_id() {
        // 9 was the id of unknown words, and 12 is it.
        let ids = Renumbered { unknown_before: 9, unknown: 12 };
        let old = learn(&[[5, 9], [9, 7], [9, 9], [5, 7]], &[0, 1, 0, 1]);
        let grown = old.grown(&old, ids, 1000);
        // In whatever order their hashes are.
        let values = |of: &NgramVocabulary, ids: [u32; 2]| {
            let (_, mut values) = of.of_text(&ids);
            values.sort_by(f32::total_cmp);
            values
        };
        for (was, is) in [([5, 9], [5, 12]), ([9, 7], [12, 7]), ([9, 9], [12, 12])] {
            let (before, now) = (values(&old, was), values(&grown, is));
            assert_eq!(before.len(), now.len(), "{is:?}");
            let are_close = before.iter().zip(&now).all(|(a, b)| (a - b).abs() < 1e-6);
            assert!(are_close, "{is:?}: {before:?} {now:?}");
        }
        // Whatever gets the old id starts as the unknown word that it was.
        assert_eq!(grown.of_text(&[5, 9]).1, old.of_text(&[5, 9]).1);
        let n_starts = old.starts_in(&grown, ids).into_iter().flatten().count();
        // 9, and four pairs with it.
        assert_eq!((n_starts, grown.len()), (grown.len(), old.len() + 4));
    }
}

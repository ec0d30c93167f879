//! Texts that are nearly the same: of their sequences of five words, at least 80 % are in both.
//!
//! All pairs of that similarity are found, not only probable ones: of two sets of which so many elements are common,
//! at least one common element is among the first fifth of each, in any order that is the same for all. With the
//! rarest first, nearly all of these are in one text only, and few pairs are left to be compared.

use std::collections::HashSet;

use rayon::prelude::*;

use super::duplicates::named;
use super::finding::{Finding, Found, Severity};
use super::rows::Rows;
use super::tokens::TextTokens;

/// Words of a sequence.
const N_WORDS: usize = 5;
/// Texts are nearly the same if so many of so many sequences that either has are in both.
const SIMILAR: [usize; 2] = [4, 5];
/// Up to this fraction of the texts, only a note.
const FEW: f64 = 0.01;
/// Counters of sequences; several sequences may share one, so that counts may be too large, never too small.
const N_COUNTERS: usize = 1 << 22;
/// Of more texts with the same sequence, each is compared with so many before it and with the first.
const N_COMPARED: usize = 8;

/// The hashes of a text's sequences of words, ascending, each once.
pub(super) type Shingles = Vec<u32>;

/// The sequences of each text.
pub(super) fn shingles(tokens: &TextTokens) -> Vec<Shingles> {
    let of_text = |words: &mut Vec<u32>, text: usize| {
        words.clear();
        words.extend(tokens.words(text));
        let mut hashes: Shingles = words.windows(N_WORDS).map(hash).collect();
        hashes.sort_unstable();
        hashes.dedup();
        hashes
    };
    (0..tokens.ids.len()).into_par_iter().map_init(Vec::new, of_text).collect()
}

/// Looks for texts of a table that are nearly the same and not quite.
pub(super) fn find(rows: &Rows<'_>, shingles: &[Shingles]) -> Option<Finding> {
    // Of texts with the same digest, the first stands for all.
    let mut seen = HashSet::new();
    let is_new = |row: &&u32| seen.insert(rows.tokens.digests[**row as usize]);
    let firsts: Vec<u32> = rows.with_text.iter().filter(is_new).copied().collect();
    let sets: Vec<&[u32]> = firsts.iter().map(|&row| &*shingles[row as usize]).collect();
    let row_of = |at: u32| firsts[at as usize];
    // One pair for each text: with the first that it is similar to.
    let mut pairs: Vec<[u32; 2]> =
        similar(&sets, Sides::One).into_iter().map(|[a, b]| [row_of(a), row_of(b)]).collect();
    pairs.sort_unstable_by_key(|&[first, row]| (row, first));
    let classes = |row: u32| rows.table.targets().of_row(row as usize);
    let n_contradicting = pairs.iter().filter(|[a, b]| classes(*a) != classes(*b)).count();
    pairs.dedup_by_key(|[_, row]| *row);
    let n_texts = pairs.len();
    let is_few = rows.share(n_texts) <= FEW;
    let severity = if is_few { Severity::Note } else { Severity::Warning };
    let later: Vec<u32> = pairs.iter().map(|[_, row]| *row).collect();
    let found = Found::NearDuplicates { n_texts, n_contradicting, pairs: named(rows, &pairs) };
    (n_texts > 0).then(|| rows.finding(severity, found, &later))
}

/// Which pairs are wanted.
#[derive(Clone, Copy)]
pub(super) enum Sides {
    /// All.
    One,
    /// Those of one of the first so many sets with one of the others.
    Two(usize),
}

/// Pairs of sets that are similar, the first set first.
pub(super) fn similar(sets: &[&[u32]], sides: Sides) -> Vec<[u32; 2]> {
    let mut counters = vec![0u8; N_COUNTERS];
    for &hash in sets.iter().flat_map(|set| set.iter()) {
        let counter = &mut counters[hash as usize % N_COUNTERS];
        *counter = counter.saturating_add(1);
    }
    let mut entries: Vec<(u32, u32)> = sets
        .par_iter()
        .zip(0u32..sets.len() as u32)
        .flat_map_iter(|(set, at)| shared_of_rarest(set, &counters).map(move |hash| (hash, at)))
        .collect();
    drop(counters);
    entries.par_sort_unstable();
    let mut candidates = Vec::new();
    for same in entries.chunk_by(|(a, _), (b, _)| a == b) {
        let mut add = |a: u32, b: u32| {
            if may_be_similar(sets[a as usize].len(), sets[b as usize].len()) {
                candidates.push([a, b]);
            }
        };
        let n_first = match sides {
            Sides::One => 0,
            Sides::Two(n) => same.partition_point(|(_, at)| (*at as usize) < n),
        };
        for (idx, (_, at)) in same.iter().enumerate().skip(n_first) {
            let before = match sides {
                Sides::One => &same[..idx],
                Sides::Two(_) => &same[..n_first],
            };
            let near = before.len().saturating_sub(N_COMPARED);
            before[near..].iter().for_each(|(_, other)| add(*other, *at));
            before[..near].first().into_iter().for_each(|(_, other)| add(*other, *at));
        }
    }
    candidates.par_sort_unstable();
    candidates.dedup();
    candidates.retain(|[a, b]| a != b);
    let is_similar = |[a, b]: &[u32; 2]| {
        let (a, b) = (sets[*a as usize], sets[*b as usize]);
        let n_common = n_common(a, b);
        SIMILAR[1] * n_common >= SIMILAR[0] * (a.len() + b.len() - n_common)
    };
    candidates.into_par_iter().filter(is_similar).collect()
}

/// Of the rarest fifth of a set, the elements that other sets may have, too.
fn shared_of_rarest(set: &[u32], counters: &[u8]) -> impl Iterator<Item = u32> + use<> {
    let n_common = (SIMILAR[0] * set.len()).div_ceil(SIMILAR[1]);
    let n_rarest = if set.is_empty() { 0 } else { set.len() - n_common + 1 };
    let count = |hash: u32| counters[hash as usize % N_COUNTERS];
    let mut order: Vec<(u8, u32)> = set.iter().map(|&hash| (count(hash), hash)).collect();
    if n_rarest < order.len() {
        order.select_nth_unstable(n_rarest);
        order.truncate(n_rarest);
    }
    order.into_iter().filter(|(count, _)| *count > 1).map(|(_, hash)| hash)
}

/// Whether sets of these sizes can be similar at all.
fn may_be_similar(a: usize, b: usize) -> bool {
    SIMILAR[1] * a.min(b) >= SIMILAR[0] * a.max(b)
}

/// Elements that are in both of two ascending lists.
fn n_common(a: &[u32], b: &[u32]) -> usize {
    let (mut at_a, mut at_b, mut n) = (0, 0, 0);
    while let (Some(of_a), Some(of_b)) = (a.get(at_a), b.get(at_b)) {
        n += usize::from(of_a == of_b);
        at_a += usize::from(of_a <= of_b);
        at_b += usize::from(of_b <= of_a);
    }
    n
}

/// A hash of a sequence of ids, the same on every machine.
fn hash(ids: &[u32]) -> u32 {
    let mix = |hash: u64, &id: &u32| {
        let mixed = (hash ^ u64::from(id)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        mixed ^ (mixed >> 29)
    };
    (ids.iter().fold(0x51_7C_C1_B7, mix) >> 16) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sets of numbers, some of them with most elements in common, the same each time.
    fn sets() -> Vec<Vec<u32>> {
        let mut state = 7u64;
        let mut next = move |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            ((state >> 33) % below) as u32
        };
        let mut sets: Vec<Vec<u32>> = Vec::new();
        for _ in 0..300 {
            let base = next(3);
            let mut set: Vec<u32> = match sets.len() {
                n if n > 0 && base > 0 => sets[next(n as u64) as usize].clone(),
                _ => (0..20 + next(80)).map(|_| next(4000)).collect(),
            };
            for _ in 0..next(12) {
                let at = next(set.len() as u64) as usize;
                set[at] = next(4000);
            }
            set.sort_unstable();
            set.dedup();
            sets.push(set);
        }
        sets
    }

    fn compared_one_by_one(sets: &[Vec<u32>]) -> Vec<[u32; 2]> {
        let mut pairs = Vec::new();
        for (b, of_b) in sets.iter().enumerate() {
            for (a, of_a) in sets[..b].iter().enumerate() {
                let common = of_a.iter().filter(|element| of_b.contains(element)).count();
                if common as f64 >= 0.8 * (of_a.len() + of_b.len() - common) as f64 {
                    pairs.push([a as u32, b as u32]);
                }
            }
        }
        pairs.sort_unstable();
        pairs
    }

    #[test]
    fn all_similar_pairs_are_found_where_no_sequence_is_in_many_texts() {
        let mut sets = sets();
        sets.extend([vec![], vec![], vec![5], vec![5]]);
        let borrowed: Vec<&[u32]> = sets.iter().map(Vec::as_slice).collect();
        let expected: HashSet<[u32; 2]> = compared_one_by_one(&sets).into_iter().collect();
        let found = similar(&borrowed, Sides::One);
        assert!(found.len() > 50, "{}", found.len());
        // Two empty sets are not similar: they say nothing.
        let expected: HashSet<[u32; 2]> =
            expected.into_iter().filter(|[a, _]| !sets[*a as usize].is_empty()).collect();
        let found_set: HashSet<[u32; 2]> = found.iter().copied().collect();
        assert!(found_set.is_subset(&expected));
        // Of families of more than eight, some pairs are left out, but no member is.
        let later =
            |pairs: &HashSet<[u32; 2]>| pairs.iter().map(|[_, b]| *b).collect::<HashSet<u32>>();
        assert_eq!(later(&found_set), later(&expected));
    }

    #[test]
    fn pairs_of_two_tables_have_one_side_in_each() {
        let sets = sets();
        let borrowed: Vec<&[u32]> = sets.iter().map(Vec::as_slice).collect();
        let found = similar(&borrowed, Sides::Two(150));
        assert!(!found.is_empty());
        assert!(found.iter().all(|[a, b]| *a < 150 && *b >= 150), "{found:?}");
        let crossing = |[a, b]: &[u32; 2]| *a < 150 && *b >= 150;
        let expected: HashSet<u32> = compared_one_by_one(&sets)
            .iter()
            .filter(|pair| crossing(pair))
            .map(|pair| pair[1])
            .collect();
        assert_eq!(found.iter().map(|pair| pair[1]).collect::<HashSet<u32>>(), expected);
    }

    #[test]
    fn a_thousand_times_the_same_set_is_no_million_of_pairs() {
        let set: Vec<u32> = (0..50).collect();
        let found = similar(&vec![&*set; 1000], Sides::One);
        assert!(found.len() < 10_000, "{}", found.len());
        assert_eq!(found.iter().map(|[_, b]| *b).collect::<HashSet<u32>>().len(), 999);
    }
}

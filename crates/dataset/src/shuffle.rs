//! Shuffles that are the same on every machine and in every release.
//!
//! Written out instead of using `rand`, whose range sampling may change in a later version and depends
//! on the width of `usize`. ChaCha8's stream is fixed by its definition.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// What the numbers are for; with equal seeds, a split and an epoch must still be independent.
#[derive(Clone, Copy)]
pub(crate) enum Purpose {
    Split,
    Folds,
    Epoch(u64),
}

/// The numbers from 0 to `n` - 1 in the order of an epoch: random, the same for the same seed and epoch.
pub fn epoch_order(n: usize, seed: u64, epoch: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    shuffle(&mut order, &mut generator(seed, Purpose::Epoch(epoch)));
    order
}

/// A generator for a seed and a purpose.
pub(crate) fn generator(seed: u64, purpose: Purpose) -> ChaCha8Rng {
    let (tag, stream) = match purpose {
        Purpose::Split => (b"split\0\0\0", 0),
        Purpose::Folds => (b"folds\0\0\0", 0),
        Purpose::Epoch(epoch) => (b"epoch\0\0\0", epoch),
    };
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..16].copy_from_slice(tag);
    let mut rng = ChaCha8Rng::from_seed(key);
    rng.set_stream(stream);
    rng
}

/// Fisher–Yates shuffle from the end; every order is equally likely.
pub(crate) fn shuffle<T>(items: &mut [T], rng: &mut ChaCha8Rng) {
    // There are fewer than 2³² items, so neither the cast nor the sum can overflow.
    for last in (1..items.len()).rev() {
        items.swap(last, below(rng, last as u32 + 1) as usize);
    }
}

/// A number in `0..bound`, all equally likely: Lemire's multiplication with rejection
/// ("Fast random integer generation in an interval", 2019).
pub(crate) fn below(rng: &mut ChaCha8Rng, bound: u32) -> u32 {
    let threshold = bound.wrapping_neg() % bound;
    loop {
        let product = u64::from(rng.next_u32()) * u64::from(bound);
        if product as u32 >= threshold {
            return (product >> 32) as u32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shuffled(n: u32, seed: u64, purpose: Purpose) -> Vec<u32> {
        let mut rows: Vec<u32> = (0..n).collect();
        shuffle(&mut rows, &mut generator(seed, purpose));
        rows
    }

    #[test]
    fn seed_purpose_and_epoch_each_change_the_order() {
        let first = shuffled(50, 1, Purpose::Epoch(0));
        assert_eq!(first, shuffled(50, 1, Purpose::Epoch(0)));
        assert_ne!(first, shuffled(50, 2, Purpose::Epoch(0)));
        assert_ne!(first, shuffled(50, 1, Purpose::Epoch(1)));
        assert_ne!(first, shuffled(50, 1, Purpose::Split));
    }

    #[test]
    fn each_order_of_three_comes_up_about_as_often() {
        let mut counts = std::collections::BTreeMap::new();
        for epoch in 0..6000 {
            *counts.entry(shuffled(3, 7, Purpose::Epoch(epoch))).or_insert(0) += 1;
        }
        assert_eq!(counts.len(), 6);
        // 1000 expected; the standard deviation is 29, and the seed is fixed.
        assert!(counts.values().all(|count| (880..1120).contains(count)), "{counts:?}");
    }

    #[test]
    fn nothing_and_one_thing_stay_as_they_are() {
        assert!(shuffled(0, 0, Purpose::Split).is_empty());
        assert_eq!(shuffled(1, 0, Purpose::Split), [0]);
    }
}

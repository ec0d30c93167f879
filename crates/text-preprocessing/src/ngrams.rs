//! Single words and pairs of neighbours as numbers, for linear models.

use crate::config::{PreprocessingConfig, TokenScheme};
use crate::splitter::{Flow, Splitter};

/// Turns texts into the numbers of their words and pairs of neighbouring words, by hashing (Weinberger
/// et al. 2009): no vocabulary is learned, and with enough buckets few of them share one.
///
/// Words are those of [`TokenScheme::WordsAndPunctuation`] under the newest
/// [`Cleaning`](crate::Cleaning), so that `not good` and `n't like` are pairs.
pub struct NgramHasher {
    splitter: Splitter,
    n_bits: u32,
}

impl NgramHasher {
    /// Numbers below 2 to the power of `n_bits`, which is at most 31.
    #[must_use]
    pub fn new(n_bits: u32) -> Self {
        let scheme = TokenScheme::WordsAndPunctuation;
        let config = PreprocessingConfig { scheme, ..PreprocessingConfig::default() };
        Self { splitter: Splitter::new(&config), n_bits: n_bits.min(31) }
    }

    /// The numbers of all words and pairs of a text, in their order, repeated ones repeatedly.
    ///
    /// ```
    /// use text_preprocessing::NgramHasher;
    ///
    /// let mut hasher = NgramHasher::new(20);
    /// let numbers = hasher.hash("Good, good!");
    /// assert_eq!(numbers.len(), 4 + 3); // good , good !
    /// assert_eq!(numbers, hasher.hash("GOOD , GOOD !"));
    /// ```
    #[must_use]
    pub fn hash(&mut self, text: &str) -> Vec<u32> {
        let shift = 64 - self.n_bits.max(1);
        let bucket = |hash: u64| (spread_bits(hash) >> shift) as u32;
        let mut numbers = Vec::new();
        let mut before = None;
        self.splitter.split(text, |word| {
            let hash = hash_word(word);
            numbers.push(bucket(hash));
            if let Some(before) = before {
                numbers.push(bucket(spread_bits(before) ^ hash));
            }
            before = Some(hash);
            Flow::Continue
        });
        numbers
    }
}

/// FNV-1a.
fn hash_word(word: &str) -> u64 {
    word.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Spreads the differences of numbers over all bits, so that any of them make a good hash: one step of
/// SplitMix64 (Steele et al. 2014).
#[must_use]
pub fn spread_bits(number: u64) -> u64 {
    let hash = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn order_matters_and_buckets_are_spread() {
        let mut hasher = NgramHasher::new(20);
        assert_ne!(hasher.hash("not good").last(), hasher.hash("good not").last());
        let text: String = (0..20_000).map(|i| format!("w{i} ")).collect();
        let numbers = hasher.hash(&text);
        assert!(numbers.iter().all(|&number| number < 1 << 20));
        let distinct: HashSet<u32> = numbers.iter().copied().collect();
        // 39,999 in a million buckets: about 750 meet another by chance.
        assert!(distinct.len() > numbers.len() - 1_000, "{}", distinct.len());
    }
}

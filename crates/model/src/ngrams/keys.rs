//! The hashes by which n-grams are known.

use text_preprocessing::PAD_ID;

/// The distinct hashes of a text's n-grams, ascending.
pub(super) fn keys_of(ids: &[u32], order: usize) -> Vec<u32> {
    let mut keys = Vec::with_capacity(order * ids.len());
    // The hashes of the n-grams that end at the previous id, the longest last.
    let mut before: Vec<u64> = Vec::with_capacity(order);
    for &id in ids.iter().filter(|&&id| id != PAD_ID) {
        before.truncate(order.saturating_sub(1));
        before.insert(0, 0);
        for hash in &mut before {
            *hash = spread_bits(hash.wrapping_add(u64::from(id)));
            keys.push((*hash >> 32) as u32);
        }
    }
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// Spreads the differences of numbers over all bits, so that any of them make a good hash: one step of
/// SplitMix64 (Steele et al. 2014).
pub(super) fn spread_bits(number: u64) -> u64 {
    let hash = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_counts_and_padding_does_not() {
        assert_eq!(keys_of(&[5, 6, 5, 6], 2).len(), 4); // 5, 6, 5 6, 6 5
        assert_eq!(keys_of(&[0, 0, 5, 6], 3), keys_of(&[5, 6], 3));
        assert_ne!(keys_of(&[5, 6], 2), keys_of(&[6, 5], 2));
    }
}

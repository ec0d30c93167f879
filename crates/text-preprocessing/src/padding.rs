//! Brings id lists to the fixed length that a batch needs: truncates long ones, left-pads short ones.

use crate::config::Truncation;
use crate::special_tokens::PAD_ID;

/// Exactly `len` ids: `ids` left-padded with [`PAD_ID`], or its first `len` if it is longer.
///
/// ```
/// assert_eq!(text_preprocessing::left_pad(&[5, 6], 4), [0, 0, 5, 6]);
/// assert_eq!(text_preprocessing::left_pad(&[5, 6, 7], 2), [5, 6]);
/// ```
#[must_use]
pub fn left_pad(ids: &[u32], len: usize) -> Vec<u32> {
    let kept = &ids[..ids.len().min(len)];
    let mut padded = vec![PAD_ID; len - kept.len()];
    padded.extend_from_slice(kept);
    padded
}

impl Truncation {
    /// At most `len` of `ids`, in order; all of them if there are no more than `len`.
    ///
    /// ```
    /// use text_preprocessing::Truncation;
    ///
    /// assert_eq!(Truncation::Head.cut(&[1, 2, 3, 4, 5], 3), [1, 2, 3]);
    /// assert_eq!(Truncation::Tail.cut(&[1, 2, 3, 4, 5], 3), [3, 4, 5]);
    /// assert_eq!(Truncation::HeadTail.cut(&[1, 2, 3, 4, 5], 3), [1, 2, 5]);
    /// ```
    #[must_use]
    pub fn cut(self, ids: &[u32], len: usize) -> Vec<u32> {
        if ids.len() <= len {
            return ids.to_vec();
        }
        let n_first = match self {
            Self::Head => len,
            Self::Tail => 0,
            Self::HeadTail => len.div_ceil(2),
        };
        let n_last = len - n_first;
        [&ids[..n_first], &ids[ids.len() - n_last..]].concat()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TRUNCATIONS: [Truncation; 3] = [Truncation::Head, Truncation::Tail, Truncation::HeadTail];

    #[test]
    fn nothing_becomes_padding_only() {
        assert_eq!(left_pad(&[], 3), [0, 0, 0]);
        assert!(left_pad(&[1, 2], 0).is_empty());
    }

    proptest! {
        #[test]
        fn padding_fills_the_front_and_keeps_the_rest(
            ids in prop::collection::vec(1_u32..50, 0..40), len in 0_usize..60,
        ) {
            let padded = left_pad(&ids, len);
            prop_assert_eq!(padded.len(), len);
            let n_padding = len.saturating_sub(ids.len());
            prop_assert!(padded[..n_padding].iter().all(|&id| id == PAD_ID));
            prop_assert_eq!(&padded[n_padding..], &ids[..len - n_padding]);
        }

        #[test]
        fn a_cut_has_the_shorter_length_and_the_promised_ends(
            ids in prop::collection::vec(1_u32..50, 0..40), len in 0_usize..60,
        ) {
            let n_kept = ids.len().min(len);
            for truncation in TRUNCATIONS {
                prop_assert_eq!(truncation.cut(&ids, len).len(), n_kept);
            }
            prop_assert_eq!(Truncation::Head.cut(&ids, len), &ids[..n_kept]);
            prop_assert_eq!(Truncation::Tail.cut(&ids, len), &ids[ids.len() - n_kept..]);
            let both = Truncation::HeadTail.cut(&ids, len);
            let n_first = n_kept.div_ceil(2);
            prop_assert_eq!(&both[..n_first], &ids[..n_first]);
            prop_assert_eq!(&both[n_first..], &ids[ids.len() - (n_kept - n_first)..]);
        }
    }
}

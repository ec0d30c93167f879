//! Which texts are read together: those of similar length, and as many as a number of tokens allows.

use std::ops::Range;

/// Tokens of a batch, padding included. A word that occurs several times in a batch is multiplied by the first
/// layer's weights once, so larger batches cost less per text; smaller ones need less memory, and are answered
/// sooner.
pub(crate) const TOKENS: usize = 1 << 16;

/// Most texts of a batch: each needs room of its own for its states, however short it is.
const TEXTS: usize = 1024;

/// The positions of texts in the order in which they are read, and the batches as ranges of that order. The
/// longest texts come first, so that no batch needs more memory than the first.
///
/// `lengths`: steps of each text.
pub(crate) fn plan(lengths: &[usize]) -> (Vec<u32>, Vec<Range<usize>>) {
    let mut order: Vec<u32> = (0..).take(lengths.len()).collect();
    // Stable: texts of one length stay in their order.
    order.sort_by_key(|&text| std::cmp::Reverse(lengths[text as usize]));
    let mut batches = Vec::new();
    let mut start = 0;
    while let Some(&longest) = order.get(start) {
        let n_texts = (TOKENS / lengths[longest as usize].max(1)).clamp(1, TEXTS);
        let end = order.len().min(start + n_texts);
        batches.push(start..end);
        start = end;
    }
    (order, batches)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_is_in_one_batch_and_no_batch_has_too_many_tokens() {
        let lengths: Vec<usize> =
            (0..5000).map(|i| i * 7919 % 1201).chain([3 * TOKENS, 0]).collect();
        let (order, batches) = plan(&lengths);
        let mut seen = vec![false; lengths.len()];
        let mut next = 0;
        for batch in batches {
            assert_eq!(batch.start, next);
            next = batch.end;
            let texts = &order[batch];
            let longest = texts.iter().map(|&text| lengths[text as usize]).max().unwrap();
            assert!(texts.len() == 1 || texts.len() * longest <= TOKENS, "{longest}");
            assert!(!texts.is_empty() && texts.len() <= TEXTS);
            for &text in texts {
                assert!(!std::mem::replace(&mut seen[text as usize], true));
            }
        }
        assert!(next == lengths.len() && seen.iter().all(|&seen| seen));
        assert_eq!(plan(&[]), (vec![], vec![]));
        assert_eq!(plan(&[2, 9, 2, 9]).0, [1, 3, 0, 2]);
    }
}

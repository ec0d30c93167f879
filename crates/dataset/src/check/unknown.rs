//! Words that a model would not know: those of a tenth of the texts that are in no other text.

use super::finding::{Finding, Found, Severity};
use super::rows::Rows;

/// One text in so many is held out.
const HELD_OUT: u64 = 10;
/// A larger fraction of unknown words is a warning.
const MANY: f64 = 0.2;

/// Holds out a tenth of the texts, the same in every run and however often a text occurs, and looks up their words.
pub(super) fn find(rows: &Rows<'_>) -> Option<Finding> {
    let is_held_out = |row: &u32| {
        // The digest decides, so that a text is not in both parts.
        (rows.tokens.digests[*row as usize] >> 32).is_multiple_of(HELD_OUT)
    };
    let (held_out, rest): (Vec<u32>, Vec<u32>) =
        rows.with_text.iter().copied().partition(is_held_out);
    let mut is_known = vec![false; rows.tokens.vocabulary.len()];
    for word in rest.iter().flat_map(|&row| rows.tokens.words(row as usize)) {
        is_known[word as usize] = true;
    }
    let (mut n_words, mut n_unknown) = (0_usize, 0_usize);
    for word in held_out.iter().flat_map(|&row| rows.tokens.words(row as usize)) {
        n_words += 1;
        n_unknown += usize::from(!is_known[word as usize]);
    }
    let share = n_unknown as f64 / n_words.max(1) as f64;
    (share > MANY && !rest.is_empty()).then(|| {
        let found = Found::UnknownWords { share, n_texts: held_out.len() };
        Finding::of(Severity::Warning, found)
    })
}

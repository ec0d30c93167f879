//! Finds the nearest word, for "did you mean".

/// The candidate with the smallest edit distance from `word`, if it is small for its length.
///
/// An edit inserts, deletes or replaces one character, or swaps two neighbours; case is ignored. One
/// edit is always allowed, and more if there is at most one per three characters. The first wins a tie.
#[must_use]
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.trim().to_lowercase();
    let n_letters = word.chars().count();
    candidates
        .into_iter()
        .filter_map(|candidate| {
            let name = candidate.trim().to_lowercase();
            let n_of_name = name.chars().count();
            let limit = (n_of_name / 3).max(1);
            // The lengths alone can rule out a pair, and a wrong "label" may be a whole review.
            if n_letters.abs_diff(n_of_name) > limit {
                return None;
            }
            let edits = strsim::osa_distance(&word, &name);
            (edits <= limit).then_some((edits, candidate))
        })
        .min_by_key(|&(edits, _)| edits)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_found_and_far_ones_are_not() {
        let words = ["negative", "positive", "neg", "pos"];
        assert_eq!(nearest("postive", words), Some("positive"));
        assert_eq!(nearest(" NEGITIVE", words), Some("negative"));
        assert_eq!(nearest("poz", words), Some("pos"));
        assert_eq!(nearest("neutral", words), None);
        assert_eq!(nearest("5", words), None);
        assert_eq!(nearest("", words), None);
    }
}

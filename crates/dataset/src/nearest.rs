//! The nearest word, for "did you mean".

/// The candidate with the fewest edits from `word`, if they are few for its length.
///
/// An edit is one character more, less or other, or two neighbours swapped; case is ignored. Up to
/// one edit in three characters counts as near, and one edit always does. The first wins a tie.
#[must_use]
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word: Vec<char> = word.trim().to_lowercase().chars().collect();
    candidates
        .into_iter()
        .filter_map(|candidate| {
            let letters: Vec<char> = candidate.trim().to_lowercase().chars().collect();
            let limit = (letters.len() / 3).max(1);
            // Lengths alone can rule a pair out, and a wrong "label" may be a whole review.
            if word.len().abs_diff(letters.len()) > limit {
                return None;
            }
            let edits = edit_distance(&word, &letters);
            (edits <= limit).then_some((edits, candidate))
        })
        .min_by_key(|&(edits, _)| edits)
        .map(|(_, candidate)| candidate)
}

/// Optimal string alignment: Levenshtein's distance, and a swap of neighbours is one edit.
fn edit_distance(a: &[char], b: &[char]) -> usize {
    // Three rows of the usual table: the one before last, the last and the present one.
    let mut before: Vec<usize> = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    let mut row = vec![0; b.len() + 1];
    for i in 1..=a.len() {
        row[0] = i;
        for j in 1..=b.len() {
            let replaced = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = replaced.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        std::mem::swap(&mut before, &mut last);
        std::mem::swap(&mut last, &mut row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_of_known_pairs() {
        let cases = [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("kitten", "sitting", 3),
            ("postive", "positive", 1),
            ("laebl", "label", 1),
            ("ca", "abc", 3),
        ];
        for (a, b, expected) in cases {
            let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
            assert_eq!(edit_distance(&a, &b), expected, "{a:?} {b:?}");
        }
    }

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

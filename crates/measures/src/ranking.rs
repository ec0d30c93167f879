//! Measures of the order in which scores put texts or classes.

/// Texts in descending order of a score, each positive or negative, with equal scores together.
#[derive(Debug, Clone)]
pub(crate) struct Ranking(Vec<Place>);

/// A text's index, whether it is positive, and whether it is the last one with its score, in one number.
#[derive(Debug, Clone, Copy)]
struct Place(usize);

impl Place {
    const POSITIVE: usize = 1;
    const LAST: usize = 2;

    fn text(self) -> usize {
        self.0 >> 2
    }
}

/// What a ranking is worth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Areas {
    /// Area under the ROC curve: the fraction of pairs of a positive and a negative text in which the
    /// positive one has the higher score; equal scores count half.
    pub(crate) roc_auc: f64,
    /// Precision at each score, weighted by the recall gained there, as
    /// [`average_precision_score`](https://scikit-learn.org/stable/modules/generated/sklearn.metrics.average_precision_score.html).
    pub(crate) average_precision: f64,
}

impl Ranking {
    /// Sorts texts by score; `texts`: score, and whether the text is positive.
    pub(crate) fn of(texts: impl Iterator<Item = (f32, bool)>) -> Self {
        let mut sorted: Vec<(f32, usize)> = texts
            .enumerate()
            .map(|(text, (score, positive))| (score, text << 2 | usize::from(positive)))
            .collect();
        sorted.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
        let is_last =
            |place: usize| sorted.get(place + 1).is_none_or(|next| next.0 != sorted[place].0);
        let places = sorted
            .iter()
            .enumerate()
            .map(|(place, &(_, text))| Place(text | if is_last(place) { Place::LAST } else { 0 }));
        Self(places.collect())
    }

    /// The areas if text i occurs `times[i]` times; `None` without positive or without negative texts.
    pub(crate) fn areas(&self, times: &[u32]) -> Option<Areas> {
        // Texts with higher scores, and with this one: negative, positive.
        let (mut above, mut here) = ([0u64; 2], [0u64; 2]);
        // Twice the pairs in order, so that ties count whole.
        let mut ordered = 0u64;
        let mut precision = 0.0;
        for place in &self.0 {
            here[place.0 & Place::POSITIVE] += u64::from(times[place.text()]);
            if place.0 & Place::LAST == 0 {
                continue;
            }
            ordered += here[0] * (2 * above[1] + here[1]);
            above = [above[0] + here[0], above[1] + here[1]];
            if here[1] > 0 {
                precision += here[1] as f64 * above[1] as f64 / (above[0] + above[1]) as f64;
            }
            here = [0; 2];
        }
        let [n_negative, n_positive] = above.map(|n| n as f64);
        (n_negative > 0.0 && n_positive > 0.0).then(|| Areas {
            roc_auc: ordered as f64 / (2.0 * n_negative * n_positive),
            average_precision: precision / n_positive,
        })
    }
}

/// Label ranking average precision of one text: the mean over its labels of the fraction of classes ranked
/// at least as high that are its labels, too; 1 if it has none or all, as
/// [`label_ranking_average_precision_score`](https://scikit-learn.org/stable/modules/generated/sklearn.metrics.label_ranking_average_precision_score.html).
///
/// `classes`: score, and whether the class is one of the text's labels.
pub(crate) fn label_ranking(classes: impl Iterator<Item = (f32, bool)>) -> f64 {
    let mut classes: Vec<(f32, bool)> = classes.collect();
    let n_labels = classes.iter().filter(|(_, is_label)| *is_label).count();
    if n_labels == 0 || n_labels == classes.len() {
        return 1.0;
    }
    classes.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
    let (mut rank, mut labels_above, mut sum) = (0, 0, 0.0);
    for equal in classes.chunk_by(|a, b| a.0 == b.0) {
        let labels_here = equal.iter().filter(|(_, is_label)| *is_label).count();
        rank += equal.len();
        labels_above += labels_here;
        sum += labels_here as f64 * labels_above as f64 / rank as f64;
    }
    sum / n_labels as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn areas(scores: &[f32], positive: &[bool], times: &[u32]) -> Option<Areas> {
        Ranking::of(scores.iter().copied().zip(positive.iter().copied())).areas(times)
    }

    #[test]
    fn auc_counts_ordered_pairs_and_half_of_ties() {
        // Of the six pairs, (0.9, 0.1), (0.9, 0.4), (0.9, 0.4) are ordered, (0.4, 0.1) too, and
        // (0.4, 0.4) ties twice.
        let positive = [true, true, false, false, false];
        let found = areas(&[0.9, 0.4, 0.1, 0.4, 0.4], &positive, &[1; 5]).unwrap();
        assert_eq!(found.roc_auc, 5.0 / 6.0);
        assert_eq!(areas(&[0.9, 0.4], &[true, true], &[1; 2]), None);
        assert_eq!(areas(&[], &[], &[]), None);
    }

    #[test]
    fn a_text_that_occurs_twice_is_two_texts() {
        let once = areas(&[0.3, 0.2, 0.2, 0.1], &[true, false, false, true], &[1; 4]);
        let twice = areas(&[0.3, 0.2, 0.5, 0.1], &[true, false, true, true], &[1, 2, 0, 1]);
        assert_eq!(once, twice);
        assert!(once.is_some());
    }

    #[test]
    fn zeros_of_both_signs_are_equal() {
        let positive = [true, false, true, false];
        let found = areas(&[0.0, -0.0, -0.0, 0.0], &positive, &[1; 4]).unwrap();
        assert_eq!((found.roc_auc, found.average_precision), (0.5, 0.5));
    }

    #[test]
    fn labels_that_are_ranked_first_have_a_label_ranking_of_1() {
        assert_eq!(label_ranking([(2.0, true), (1.0, true), (0.0, false)].into_iter()), 1.0);
        assert_eq!(label_ranking([(0.0, true), (1.0, false), (2.0, false)].into_iter()), 1.0 / 3.0);
        assert_eq!(label_ranking([(1.0, true), (1.0, false)].into_iter()), 0.5);
        assert_eq!(label_ranking([(1.0, false), (1.0, false)].into_iter()), 1.0);
        assert_eq!(label_ranking([].into_iter()), 1.0);
    }
}

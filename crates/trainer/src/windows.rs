//! Short texts, cut from others: a data set of long texts has none, and what is trained on it is asked about short texts,
//! too. Of validation texts, they say how much each path counts on a text of a few words; of training texts, the network
//! learns from them ([`Lessons`](crate::lessons::Lessons)).

use dataset::EncodedSplit;
use recurrent::SeededRng;

/// Ids up to which a text is short itself: nothing is cut from it.
const MAX_SHORT: usize = 16;
/// The shortest window, and the longest; none is longer than half of its text.
const LENGTHS: [usize; 2] = [8, 80];
/// How much a window of a validation text counts as a share of its text. Labels are those of the whole text, which a window need not bear out.
pub(crate) const WEIGHT: f32 = 0.25;
/// Keeps the places of windows apart from other random numbers.
const SEED: u64 = 0x7769_6e64_6f77_7321;

/// A run of a text's ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    /// The row of the text.
    pub(crate) text: u32,
    start: usize,
    length: usize,
}

impl Window {
    /// Its ids.
    pub(crate) fn ids<'a>(&self, texts: &'a EncodedSplit) -> &'a [u32] {
        &texts.row(self.text as usize)[self.start..][..self.length]
    }
}

/// `n_of_text` windows of each text that is not short, by text. Lengths are equally likely on a logarithmic scale, and all places in
/// a text, too.
pub(crate) fn cut(texts: &EncodedSplit, n_of_text: usize, seed: u64) -> Vec<Window> {
    let mut rng = SeededRng::new(seed ^ SEED);
    let [shortest, longest] = LENGTHS;
    let mut windows = Vec::new();
    for text in 0..texts.len() {
        let n_ids = texts.row(text).len();
        if n_ids <= MAX_SHORT {
            continue;
        }
        for _ in 0..n_of_text {
            let most = longest.min(n_ids / 2) as f64;
            let fraction = rng.below(1 << 20) as f64 / f64::from(1 << 20);
            let shortest = shortest as f64;
            let length = (shortest * (most / shortest).powf(fraction)).round() as usize;
            let start = rng.below(n_ids - length + 1);
            windows.push(Window { text: text as u32, start, length });
        }
    }
    windows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_short_runs_of_texts_that_are_not_short() {
        let lengths = [0usize, 16, 17, 40, 161, 900];
        let rows: Vec<Vec<u32>> = (0..600).map(|i| (0..lengths[i % 6] as u32).collect()).collect();
        let texts = EncodedSplit::unlabelled(&rows).unwrap();
        let windows = cut(&texts, 2, 3);
        assert_eq!(windows.len(), 2 * 400);
        assert_eq!(windows, cut(&texts, 2, 3));
        assert_ne!(windows, cut(&texts, 2, 4));
        let mut of_longest = Vec::new();
        for window in &windows {
            let (ids, n_ids) = (window.ids(&texts), texts.row(window.text as usize).len());
            assert!(n_ids > 16 && ids.len() >= 8 && ids.len() <= 80.min(n_ids / 2));
            assert!(ids.windows(2).all(|pair| pair[1] == pair[0] + 1));
            if n_ids == 900 {
                of_longest.push(ids.len());
            }
        }
        of_longest.sort_unstable();
        // The middle of 8 and 80 on a logarithmic scale is 25.
        let (middle, last) = (of_longest[of_longest.len() / 2], of_longest[of_longest.len() - 1]);
        assert!((20..33).contains(&middle) && of_longest[0] < 10 && last > 70, "{of_longest:?}");
    }
}

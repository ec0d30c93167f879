//! What a network learns from: texts, and short windows cut from them.
//!
//! A window need not bear out the label of its text, so a teacher, who has not seen the text, says half of its target.

use std::sync::Arc;

use dataset::{EncodedSplit, Targets};

use crate::error::Result;
use crate::evaluate::targets_of;
use crate::windows;

/// Keeps the places of these windows apart from those of other windows.
const SEED: u64 = 0x6c65_7373_6f6e_7321;

/// The rows that a network learns from: N texts, then W windows cut from them.
#[derive(Debug, Clone)]
pub(crate) struct Lessons {
    /// `[N+W]`: windows have the classes and weights of their texts.
    rows: Arc<EncodedSplit>,
    n_texts: usize,
    /// `[W]`: the text of each window.
    of_windows: Vec<u32>,
}

impl Lessons {
    /// Some windows of each text that is long enough for it, or none.
    ///
    /// # Errors
    /// [`Error::NoLabels`](crate::Error::NoLabels) if the texts have none;
    /// [`Error::Dataset`](crate::Error::Dataset) if there are too many rows.
    pub(crate) fn new(texts: &Arc<EncodedSplit>, n_of_text: usize, seed: u64) -> Result<Self> {
        let (n_texts, cut) = (texts.len(), windows::cut(texts, n_of_text, seed ^ SEED));
        if cut.is_empty() {
            return Ok(Self { rows: Arc::clone(texts), n_texts, of_windows: Vec::new() });
        }
        let of_windows: Vec<u32> = cut.iter().map(|window| window.text).collect();
        let targets = targets_of(texts)?;
        let targets = Targets::joined(targets, &targets.select(&of_windows))?;
        let of_texts = (0..n_texts).map(|text| texts.row(text));
        let ids = of_texts.chain(cut.iter().map(|window| window.ids(texts)));
        let mut rows = EncodedSplit::with_targets(ids, targets)?;
        if let Some(weights) = texts.weights() {
            let of_windows = of_windows.iter().map(|&text| weights[text as usize]);
            rows = rows.with_weights(weights.iter().copied().chain(of_windows).collect())?;
        }
        Ok(Self { rows: Arc::new(rows), n_texts, of_windows })
    }

    /// `[N+W]`.
    pub(crate) fn rows(&self) -> &Arc<EncodedSplit> {
        &self.rows
    }

    /// N.
    pub(crate) fn n_texts(&self) -> usize {
        self.n_texts
    }

    /// Whether a row is a window.
    pub(crate) fn is_window(&self, row: u32) -> bool {
        row as usize >= self.n_texts
    }

    /// The text that a row is, or that it was cut from.
    pub(crate) fn text_of(&self, row: u32) -> u32 {
        (row as usize).checked_sub(self.n_texts).map_or(row, |window| self.of_windows[window])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_have_the_classes_and_weights_of_their_texts() -> Result<()> {
        let rows: Vec<Vec<u32>> =
            (0..9u32).map(|i| (0..i * 6).map(|at| 100 * i + at).collect()).collect();
        let texts =
            EncodedSplit::with_targets(&rows, Targets::OneOf((0..9).map(|i| i % 2).collect()))?;
        // The longest count for nothing.
        let weight = |text: u32| if text < 6 { text as f32 / 4.0 } else { 0.0 };
        let texts = Arc::new(texts.with_weights((0..9).map(weight).collect())?);
        let none = Lessons::new(&texts, 0, 1)?;
        assert!(Arc::ptr_eq(none.rows(), &texts) && !none.is_window(8));
        // Texts of 18 and more words are six.
        let lessons = Lessons::new(&texts, 3, 1)?;
        assert_eq!((lessons.n_texts(), lessons.rows().len()), (9, 9 + 6 * 3));
        let weights = lessons.rows().weights().unwrap();
        for row in 0..27u32 {
            let text = lessons.text_of(row);
            assert_eq!(lessons.is_window(row), row >= 9);
            let ids = lessons.rows().row(row as usize);
            assert!(ids.iter().all(|id| id / 100 == text), "{row}: {ids:?}");
            assert_eq!(lessons.rows().targets().unwrap().of_row(row as usize), [text % 2]);
            assert_eq!(weights[row as usize], weight(text));
        }
        Ok(())
    }
}

//! Counts how often each token occurs in the training texts: all that learning a vocabulary needs.

use rayon::prelude::*;

use crate::config::PreprocessingConfig;
use crate::splitter::{Flow, Splitter};
use crate::words::Words;

/// Chunks of texts per thread: few, since each has its own table, but more than one, since texts differ
/// in length.
const PIECES_PER_THREAD: usize = 2;

/// Words, or pieces for byte-pair merging, and how often each occurs.
#[derive(Debug, Default)]
pub(crate) struct WordCounts {
    words: Words,
    counts: Vec<u64>,
}

impl WordCounts {
    /// Counts the words of all `texts` on all cores.
    pub(crate) fn of_texts<S: AsRef<str> + Sync>(
        config: &PreprocessingConfig,
        texts: &[S],
    ) -> Self {
        let n_pieces = rayon::current_num_threads() * PIECES_PER_THREAD;
        let pieces: Vec<Self> = texts
            .par_chunks(texts.len().div_ceil(n_pieces).max(1))
            .map(|texts| {
                let mut splitter = Splitter::new(config);
                let mut counts = Self::default();
                for text in texts {
                    splitter.split(text.as_ref(), |word| {
                        counts.add(word, 1);
                        Flow::Continue
                    });
                }
                counts
            })
            .collect();
        let mut pieces = pieces.into_iter();
        let mut all = pieces.next().unwrap_or_default();
        for piece in pieces {
            piece.iter().for_each(|(word, count)| all.add(word, count));
        }
        all
    }

    fn add(&mut self, word: &str, count: u64) {
        let number = self.words.insert(word) as usize;
        match self.counts.get_mut(number) {
            Some(sum) => *sum += count,
            None => self.counts.push(count),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.words.iter().zip(self.counts.iter().copied())
    }
}

//! How often each token occurs in the training texts: all that a vocabulary is learned from.

use std::collections::HashMap;

use rayon::prelude::*;
use tokenizers::pre_tokenizer::OffsetType;
use tokenizers::{
    NormalizedString, Normalizer, OffsetReferential, PreTokenizedString, PreTokenizer, Tokenizer,
};

use crate::error::{Error, Result};
use crate::splitter::{Flow, Splitter, WordScheme};
use crate::words::Words;

/// Pieces for each thread: few, since each has a table of its own, and more than one, since texts
/// differ in length.
const PIECES_PER_THREAD: usize = 2;

/// Words and how often each occurs.
#[derive(Debug, Default)]
pub(crate) struct WordCounts {
    words: Words,
    counts: Vec<u64>,
}

impl WordCounts {
    /// Counts the words of all `texts` on all cores.
    pub(crate) fn of_texts<S: AsRef<str> + Sync>(scheme: WordScheme, texts: &[S]) -> Self {
        let n_pieces = rayon::current_num_threads() * PIECES_PER_THREAD;
        let pieces: Vec<Self> = texts
            .par_chunks(texts.len().div_ceil(n_pieces).max(1))
            .map(|texts| {
                let mut splitter = Splitter::new(scheme);
                let mut counts = Self::default();
                for text in texts {
                    splitter.split(text.as_ref(), &mut |word| {
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

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.words.iter().zip(self.counts.iter().copied())
    }
}

/// Occurrences by token.
pub(crate) type Counts = HashMap<String, u64>;

/// Counts the tokens of all `texts` after normalising and splitting, on all cores.
pub(crate) fn count_tokens<S: AsRef<str> + Sync>(
    tokenizer: &Tokenizer,
    texts: &[S],
) -> Result<Counts> {
    texts
        .par_iter()
        .try_fold(Counts::new, |mut counts, text| {
            add_tokens(tokenizer, text.as_ref(), &mut counts)?;
            Ok(counts)
        })
        .try_reduce(Counts::new, |left, right| Ok(merge(left, right)))
        .map_err(|source| Error::Encode { source })
}

fn add_tokens(tokenizer: &Tokenizer, text: &str, counts: &mut Counts) -> tokenizers::Result<()> {
    let mut normalized = NormalizedString::from(text);
    if let Some(normalizer) = tokenizer.get_normalizer() {
        normalizer.normalize(&mut normalized)?;
    }
    let mut split = PreTokenizedString::from(normalized);
    if let Some(pre_tokenizer) = tokenizer.get_pre_tokenizer() {
        pre_tokenizer.pre_tokenize(&mut split)?;
    }
    for (token, _, _) in split.get_splits(OffsetReferential::Normalized, OffsetType::None) {
        // Most tokens were seen before: look up first, and allocate only for new ones.
        match counts.get_mut(token) {
            Some(count) => *count += 1,
            None => {
                counts.insert(token.to_owned(), 1);
            }
        }
    }
    Ok(())
}

fn merge(left: Counts, right: Counts) -> Counts {
    let (mut into, from) = if left.len() >= right.len() { (left, right) } else { (right, left) };
    for (token, count) in from {
        *into.entry(token).or_default() += count;
    }
    into
}

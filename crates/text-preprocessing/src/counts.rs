//! How often each token occurs in the training texts: all that a vocabulary is learned from.

use std::collections::HashMap;

use rayon::prelude::*;
use tokenizers::pre_tokenizer::OffsetType;
use tokenizers::{
    NormalizedString, Normalizer, OffsetReferential, PreTokenizedString, PreTokenizer, Tokenizer,
};

use crate::error::{Error, Result};

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

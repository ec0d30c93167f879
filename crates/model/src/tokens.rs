//! From left-padded ids to what the recurrent layers take.
//!
//! Users and the notebook pad on the left; the layers count each row's real steps from the left.
//! Moving the ids is cheap, so it is done here, before they are embedded.

use candle_core::Tensor;
use recurrent::SeededRng;
use text_preprocessing::PAD_ID;

use crate::config::Padding;
use crate::error::{Error, Result};

/// A batch of texts as the network reads them: B rows whose ids begin at the left, T steps.
#[derive(Debug, Clone)]
pub struct Tokens {
    /// `[B·T]`, row after row.
    pub(crate) ids: Vec<u32>,
    /// T, the longest row's length.
    pub(crate) steps: usize,
    /// `[B]`: how many steps of each row are real.
    pub(crate) lengths: Vec<usize>,
}

impl Tokens {
    /// Takes `ids [B, T]`, u32, padded on the left.
    pub(crate) fn new(ids: &Tensor, padding: Padding, vocab_size: usize) -> Result<Self> {
        let (n_rows, n_columns) = ids.dims2()?;
        let flat: Vec<u32> = ids.flatten_all()?.to_vec1()?;
        if let Some(at) = flat.iter().position(|&id| id as usize >= vocab_size) {
            return Err(Error::UnknownId { row: at / n_columns, id: flat[at], vocab_size });
        }
        Ok(match padding {
            Padding::Compute => {
                Self { ids: flat, steps: n_columns, lengths: vec![n_columns; n_rows] }
            }
            Padding::Skip => Self::without_padding(&flat, n_columns.max(1)),
        })
    }

    /// Takes the padding off the left; padding inside a row stays.
    fn without_padding(flat: &[u32], n_columns: usize) -> Self {
        let real: Vec<&[u32]> = flat
            .chunks_exact(n_columns)
            .map(|row| {
                let n_padding = row.iter().take_while(|&&id| id == PAD_ID).count();
                &row[n_padding..]
            })
            .collect();
        let lengths: Vec<usize> = real.iter().map(|row| row.len()).collect();
        let (ids, steps) = left_aligned(&real);
        Self { ids, steps, lengths }
    }

    /// `[B·T]`: the ids row after row, each row's first at its left.
    pub fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// B, the number of texts.
    pub fn n_rows(&self) -> usize {
        self.lengths.len()
    }

    /// How many steps of each row are real, and computed.
    pub fn lengths(&self) -> &[usize] {
        &self.lengths
    }

    /// How many steps of all rows together are real, and computed.
    pub fn n_tokens(&self) -> usize {
        self.lengths.iter().sum()
    }

    /// The same texts with each word replaced by another id with probability `rate`.
    pub fn with_word_dropout(mut self, rate: f64, replacement: u32, rng: &mut SeededRng) -> Self {
        if rate > 0.0 {
            let kept = rng.kept_flags(self.ids.len(), rate);
            for (id, kept) in self.ids.iter_mut().zip(kept) {
                if !kept && *id != PAD_ID {
                    *id = replacement;
                }
            }
        }
        self
    }

    /// Of each text a run of its words by chance: of a length between `smallest` of its own and all of
    /// it, and anywhere in it.
    pub fn with_random_windows(self, smallest: f64, rng: &mut SeededRng) -> Self {
        if smallest >= 1.0 {
            return self;
        }
        let windows: Vec<&[u32]> = self
            .ids
            .chunks_exact(self.steps.max(1))
            .zip(&self.lengths)
            .map(|(ids, &length)| {
                let least = ((smallest * length as f64).ceil() as usize).max(1).min(length);
                let kept = least + rng.below(length - least + 1);
                let start = rng.below(length - kept + 1);
                &ids[start..start + kept]
            })
            .collect();
        let lengths: Vec<usize> = windows.iter().map(|window| window.len()).collect();
        let (ids, steps) = left_aligned(&windows);
        Self { ids, steps, lengths }
    }

    /// The distinct ids of the batch.
    pub fn distinct(&self) -> DistinctIds {
        let mut rows = self.ids.clone();
        rows.sort_unstable();
        rows.dedup();
        // Every id is in `rows`, so that none is missing.
        let place = |&id: &u32| rows.partition_point(|&other| other < id) as u32;
        let places = self.ids.iter().map(place).collect();
        DistinctIds { rows, places }
    }
}

/// Rows of ids as one matrix of the longest row's length, each beginning at the left.
fn left_aligned(rows: &[&[u32]]) -> (Vec<u32>, usize) {
    let steps = rows.iter().map(|row| row.len()).max().unwrap_or(0).max(1);
    let mut ids = vec![PAD_ID; rows.len() * steps];
    for (to, from) in ids.chunks_exact_mut(steps).zip(rows) {
        to[..from.len()].copy_from_slice(from);
    }
    (ids, steps)
}

/// The distinct ids of a batch: the rows of the embedding's table that it reads.
#[derive(Debug, Clone)]
pub struct DistinctIds {
    /// The ids, ascending.
    pub rows: Vec<u32>,
    /// `[B·T]`: where each token's id is among `rows`.
    pub(crate) places: Vec<u32>,
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn windows_are_runs_of_their_texts() -> Result<()> {
        let rows: Vec<Vec<u32>> = [7u32, 1, 0, 4]
            .map(|length| (0..7).map(|i| if i < 7 - length { 0 } else { i + 1 }).collect())
            .to_vec();
        let ids = Tensor::new(rows, &Device::Cpu)?;
        let mut rng = SeededRng::new(1);
        let mut lengths = [0; 8];
        for _ in 0..300 {
            let tokens = Tokens::new(&ids, Padding::Skip, 9)?;
            let cut = tokens.with_random_windows(0.5, &mut rng);
            assert_eq!(cut.ids.len(), 4 * cut.steps);
            lengths[cut.lengths[0]] += 1;
            assert_eq!(cut.lengths[1..3], [1, 0]);
            for (ids, &length) in cut.ids.chunks_exact(cut.steps).zip(&cut.lengths) {
                assert!(ids[..length].is_sorted_by(|a, b| a + 1 == *b));
                assert!(ids[length..].iter().all(|&id| id == PAD_ID));
            }
        }
        assert!(lengths[..4] == [0; 4] && lengths[4..].iter().all(|&n| n > 40), "{lengths:?}");
        Ok(())
    }
}

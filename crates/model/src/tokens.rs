//! Converts left-padded ids to the input of the recurrent layers.
//!
//! Users and the notebook pad on the left; the layers expect each row's real steps first. Moving the
//! ids is cheap, so it is done here, before they are embedded.

use candle_core::{Device, Tensor};
use recurrent::{DropoutMasks as _, SeededRng};
use text_preprocessing::PAD_ID;

use crate::config::Padding;
use crate::error::{Error, Result};

/// A batch of texts as the network reads them: B left-aligned rows of T steps.
#[derive(Debug, Clone)]
pub struct Tokens {
    /// `[B·T]`, row after row.
    pub(crate) ids: Vec<u32>,
    /// T, the longest row's length.
    pub(crate) steps: usize,
    /// `[B]`: number of real steps in each row.
    pub(crate) lengths: Vec<usize>,
}

impl Tokens {
    /// Takes `ids [B, T]`, u32, padded on the left.
    pub(crate) fn new(ids: &Tensor, padding: Padding, vocab_size: usize) -> Result<Self> {
        let (_, n_columns) = ids.dims2()?;
        let flat: Vec<u32> = ids.flatten_all()?.to_vec1()?;
        let rows: Vec<&[u32]> = flat.chunks_exact(n_columns.max(1)).collect();
        Self::of_rows(&rows, n_columns, padding, vocab_size)
    }

    /// Takes a row of ids for each text, with any padding on the left or none.
    ///
    /// `width`: steps of every row where padding is computed; longer rows make it larger.
    pub(crate) fn of_rows(
        rows: &[&[u32]],
        width: usize,
        padding: Padding,
        vocab_size: usize,
    ) -> Result<Self> {
        for (row, ids) in rows.iter().enumerate() {
            if let Some(&id) = ids.iter().find(|&&id| id as usize >= vocab_size) {
                return Err(Error::UnknownId { row, id, vocab_size });
            }
        }
        Ok(match padding {
            Padding::Compute => {
                let steps = rows.iter().map(|row| row.len()).max().unwrap_or(0).max(width);
                let mut ids = vec![PAD_ID; rows.len() * steps];
                for (to, row) in ids.chunks_exact_mut(steps.max(1)).zip(rows) {
                    to[steps - row.len()..].copy_from_slice(row);
                }
                Self { ids, steps, lengths: vec![steps; rows.len()] }
            }
            Padding::Skip => Self::without_padding(rows),
        })
    }

    /// Strips the padding on the left; padding inside a row stays.
    fn without_padding(rows: &[&[u32]]) -> Self {
        let real: Vec<&[u32]> = rows
            .iter()
            .map(|row| {
                let n_padding = row.iter().take_while(|&&id| id == PAD_ID).count();
                &row[n_padding..]
            })
            .collect();
        Self::left_aligned(&real)
    }

    /// Rows of ids without padding.
    pub(crate) fn left_aligned(rows: &[&[u32]]) -> Self {
        let lengths: Vec<usize> = rows.iter().map(|row| row.len()).collect();
        let steps = lengths.iter().copied().max().unwrap_or(0).max(1);
        let mut ids = vec![PAD_ID; rows.len() * steps];
        for (to, from) in ids.chunks_exact_mut(steps).zip(rows) {
            to[..from.len()].copy_from_slice(from);
        }
        Self { ids, steps, lengths }
    }

    /// `[B·T]`: the ids row by row, left-aligned.
    pub fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// B, the number of texts.
    pub fn n_rows(&self) -> usize {
        self.lengths.len()
    }

    /// Number of real steps in each row, which are computed.
    pub fn lengths(&self) -> &[usize] {
        &self.lengths
    }

    /// Number of real steps in all rows, which are computed.
    pub fn n_tokens(&self) -> usize {
        self.lengths.iter().sum()
    }

    /// The same texts with each word replaced by another id with probability `rate`.
    pub fn with_word_dropout(mut self, rate: f64, replacement: u32, rng: &mut SeededRng) -> Self {
        if rate > 0.0 {
            let kept = rng.kept(self.ids.len(), rate);
            for (id, kept) in self.ids.iter_mut().zip(kept) {
                if !kept && *id != PAD_ID {
                    *id = replacement;
                }
            }
        }
        self
    }

    /// The distinct ids of the batch, in plain memory only.
    pub(crate) fn distinct(&self) -> DistinctIds {
        let n_ids = self.ids.iter().max().map_or(0, |&id| id as usize + 1);
        // For each id first whether it occurs, then its place among those that do.
        let mut place_of = vec![0u32; n_ids];
        self.ids.iter().for_each(|&id| place_of[id as usize] = 1);
        let mut rows = Vec::new();
        for (id, place) in (0u32..).zip(&mut place_of).filter(|(_, occurs)| **occurs == 1) {
            *place = rows.len() as u32;
            rows.push(id);
        }
        let places = self.ids.iter().map(|&id| place_of[id as usize]).collect();
        DistinctIds { rows, places, on_device: None }
    }

    /// The distinct words of each text: a vector for each text and word in it.
    pub(crate) fn words_by_text(&self) -> Words {
        let n_ids = self.ids.iter().max().map_or(0, |&id| id as usize + 1);
        // For each id the text that had it last, counted from 1, and its vector there.
        let mut last = vec![(0u32, 0u32); n_ids];
        let (mut ids, mut texts) = (Vec::new(), Vec::new());
        let mut places = vec![0; self.ids.len()];
        let steps = self.steps.max(1);
        let rows = self.ids.chunks_exact(steps).zip(places.chunks_exact_mut(steps));
        for (text, ((row, places), &length)) in (0u32..).zip(rows.zip(&self.lengths)) {
            for (&id, place) in row[..length].iter().zip(places) {
                let (of_text, vector) = &mut last[id as usize];
                if *of_text != text + 1 {
                    (*of_text, *vector) = (text + 1, ids.len() as u32);
                    ids.push(id);
                    texts.push(text);
                }
                *place = *vector;
            }
        }
        Words { ids, texts: Some(texts), places }
    }
}

/// Words of a batch whose vectors several tokens share.
#[derive(Debug, Clone)]
pub struct Words {
    /// `[N]`: the id of each vector.
    pub(crate) ids: Vec<u32>,
    /// `[N]`: the text whose tokens share the vector; absent if those of all texts do.
    pub(crate) texts: Option<Vec<u32>>,
    /// `[B·T]`: each token's vector; any past a text's end.
    pub(crate) places: Vec<u32>,
}

impl Words {
    /// The id of each vector, `[N]`.
    pub fn ids(&self) -> &[u32] {
        &self.ids
    }
}

/// The distinct ids of a batch: the rows of the embedding's table that it reads.
#[derive(Debug, Clone)]
pub struct DistinctIds {
    /// The ids, ascending.
    pub rows: Vec<u32>,
    /// `[B·T]`: index of each token's id in `rows`.
    pub(crate) places: Vec<u32>,
    on_device: Option<OnDevice>,
}

/// The same ids on a device, u32.
#[derive(Debug, Clone)]
pub(crate) struct OnDevice {
    rows: Tensor,
    pub(crate) places: Tensor,
    /// The tokens of each row, as [`Grouped`] has them: only CUDA devices sum by them.
    #[cfg_attr(not(feature = "cuda"), allow(dead_code))]
    pub(crate) order: Tensor,
    #[cfg_attr(not(feature = "cuda"), allow(dead_code))]
    pub(crate) starts: Tensor,
}

/// Tokens grouped by the row of the table that they read.
pub(crate) struct Grouped {
    /// `[B·T]`: the tokens of row r, ascending, are `order[starts[r]..starts[r + 1]]`.
    pub(crate) order: Vec<u32>,
    /// `[rows + 1]`
    pub(crate) starts: Vec<u32>,
}

impl Grouped {
    /// `places`: each token's row, below `n_rows`.
    pub(crate) fn new(places: &[u32], n_rows: usize) -> Self {
        let mut starts = vec![0u32; n_rows + 1];
        for &place in places {
            starts[place as usize + 1] += 1;
        }
        for row in 0..n_rows {
            starts[row + 1] += starts[row];
        }
        let mut next = starts.clone();
        let mut order = vec![0u32; places.len()];
        for (token, &place) in (0u32..).zip(places) {
            order[next[place as usize] as usize] = token;
            next[place as usize] += 1;
        }
        Self { order, starts }
    }
}

impl DistinctIds {
    /// The same, uploaded to a device in one copy: all that a step needs to know there of the texts, apart from their
    /// lengths.
    pub(crate) fn uploaded(self, device: &Device) -> Result<Self> {
        let Grouped { order, starts } = Grouped::new(&self.places, self.rows.len());
        let parts = [&*self.rows, &*self.places, &*order, &*starts];
        let all = parts.concat();
        let all = Tensor::new(&*all, device)?;
        let mut start = 0;
        let mut next = |part: &[u32]| {
            start += part.len();
            all.narrow(0, start - part.len(), part.len())
        };
        let [rows, places, order, starts] = parts.map(&mut next);
        let on_device = OnDevice { rows: rows?, places: places?, order: order?, starts: starts? };
        Ok(Self { on_device: Some(on_device), ..self })
    }

    /// The ids on the network's device, u32, if that is not the CPU.
    pub fn uploaded_rows(&self) -> Option<&Tensor> {
        self.on_device.as_ref().map(|ids| &ids.rows)
    }

    /// The ids on the network's device, if that is not the CPU.
    pub(crate) fn on_device(&self) -> Option<&OnDevice> {
        self.on_device.as_ref()
    }

    /// Every token's id on the network's device, `[B·T]`, if that is not the CPU.
    pub(crate) fn uploaded_ids(&self) -> Option<candle_core::Result<Tensor>> {
        self.on_device.as_ref().map(|OnDevice { rows, places, .. }| rows.index_select(places, 0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distinct_ids_ascend_and_every_token_has_its_place_among_them() -> Result<()> {
        let rows: [&[u32]; 3] = [&[7, 3, 7], &[], &[900, 3]];
        let tokens = Tokens::of_rows(&rows, 0, Padding::Skip, 1000)?;
        let DistinctIds { rows, places, .. } = tokens.distinct();
        assert_eq!(rows, [0, 3, 7, 900]);
        let ids: Vec<u32> = places.iter().map(|&place| rows[place as usize]).collect();
        assert_eq!(ids, tokens.ids);
        let nothing = Tokens::of_rows(&[], 0, Padding::Skip, 1000)?.distinct();
        assert!(nothing.places.iter().all(|&place| nothing.rows[place as usize] == 0));
        Ok(())
    }

    #[test]
    fn each_text_has_a_vector_for_each_of_its_words() -> Result<()> {
        let ids = Tensor::new(&[[0u32, 4, 2, 4], [0, 0, 0, 4], [0, 0, 0, 0]], &Device::Cpu)?;
        let tokens = Tokens::new(&ids, Padding::Skip, 7)?;
        let Words { ids, texts, places } = tokens.words_by_text();
        assert_eq!(ids, [4, 2, 4]);
        assert_eq!(texts, Some(vec![0, 0, 1]));
        assert_eq!(places, [0, 1, 0, 2, 0, 0, 0, 0, 0]);

        let empty = Tensor::new(&[[0u32], [0]], &Device::Cpu)?;
        let words = Tokens::new(&empty, Padding::Skip, 7)?.words_by_text();
        assert!(words.ids.is_empty() && words.places == [0, 0]);
        Ok(())
    }
}

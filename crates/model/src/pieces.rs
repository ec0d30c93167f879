//! Texts that the recurrent layers read in pieces, each from a zero state, and that are pooled as wholes (chopping,
//! Johnson and Zhang 2016, [Supervised and semi-supervised text categorization using LSTM for region
//! embeddings](https://arxiv.org/abs/1602.02373)).

use candle_core::{D, Tensor};
use recurrent::SeededRng;

use crate::error::Result;
use crate::tokens::Tokens;

/// Which rows are the pieces of which text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pieces {
    /// `[texts + 1]`: the pieces of text t are the rows `starts[t]..starts[t + 1]`, at least one.
    starts: Vec<usize>,
}

impl Tokens {
    /// The same texts in pieces of `length` steps, in their order. The first cut is at a random place, so that the first piece
    /// and the last one are usually shorter; a text of at most `length` steps is one piece. Pooling makes one vector
    /// of a text's pieces again.
    #[must_use]
    pub fn in_pieces(&self, length: usize, rng: &mut SeededRng) -> Self {
        let length = length.max(1);
        let (mut rows, mut starts): (Vec<&[u32]>, _) = (Vec::new(), vec![0]);
        for text in 0..self.n_rows() {
            let ids = self.row(text);
            let first = if ids.len() > length { 1 + rng.below(length) } else { ids.len() };
            let (head, rest) = ids.split_at(first);
            rows.push(head);
            rows.extend(rest.chunks(length));
            starts.push(rows.len());
        }
        Self { pieces: Some(Pieces { starts }), ..Self::left_aligned(&rows) }
    }
}

impl Pieces {
    /// The pooled vectors of texts, from those of their pieces.
    ///
    /// `pooled`: `[pieces, parts·F]`, first the max and then the mean if both are there; `lengths`: steps of each piece.
    /// Returns `[texts, parts·F]`: the largest of the maxima, and the mean of the means weighted by the pieces' lengths.
    pub(crate) fn pool(
        &self,
        pooled: &Tensor,
        pooling: recurrent::Pooling,
        lengths: &[usize],
    ) -> Result<Tensor> {
        let n_texts = self.starts.len() - 1;
        let pieces = |text: usize| self.starts[text]..self.starts[text + 1];
        let counts: Vec<usize> = (0..n_texts).map(|text| pieces(text).len()).collect();
        let most = counts.iter().copied().max().unwrap_or(0);
        // Pieces become steps; past a text's last one stands a row of zeros, which pooling skips.
        let zeros = Tensor::zeros((1, pooled.dim(1)?), pooled.dtype(), pooled.device())?;
        let zero_row = pooled.dim(0)? as u32;
        let mut places = Vec::with_capacity(n_texts * most);
        // The mean over pieces of these multiples of their means is the mean over steps.
        let mut factors = Vec::with_capacity(n_texts * most);
        for (text, &count) in counts.iter().enumerate() {
            let n_steps: usize = lengths[pieces(text)].iter().sum();
            for piece in pieces(text) {
                places.push(piece as u32);
                factors.push((lengths[piece] * count) as f32 / n_steps.max(1) as f32);
            }
            places.resize((text + 1) * most, zero_row);
            factors.resize((text + 1) * most, 0.0);
        }
        let device = pooled.device();
        let steps = Tensor::cat(&[pooled, &zeros], 0)?
            .index_select(&Tensor::new(&*places, device)?, 0)?
            .reshape((n_texts, most, ()))?;
        let n_parts = usize::from(pooling.max) + usize::from(pooling.mean);
        let mut parts = steps.chunk(n_parts, D::Minus1)?;
        let mut vectors = Vec::with_capacity(n_parts);
        if pooling.mean
            && let Some(means) = parts.pop()
        {
            let factors = Tensor::from_vec(factors, (n_texts, most, 1), device)?;
            let weighted = means.broadcast_mul(&factors.to_dtype(means.dtype())?)?;
            let mean = recurrent::Pooling { max: false, mean: true };
            vectors.push(recurrent::pool(&weighted, &counts, mean)?);
        }
        if let Some(maxima) = parts.pop() {
            let max = recurrent::Pooling { max: true, mean: false };
            vectors.insert(0, recurrent::pool(&maxima.contiguous()?, &counts, max)?);
        }
        Ok(Tensor::cat(&vectors, 1)?)
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;
    use crate::config::Padding;

    fn tokens(rows: &[&[u32]]) -> Tokens {
        Tokens::of_rows(rows, 0, Padding::Skip, 1000).unwrap()
    }

    #[test]
    fn pieces_in_their_order_are_the_text() {
        let texts: Vec<Vec<u32>> = [0, 1, 4, 5, 6, 23].iter().map(|&n| (1..=n).collect()).collect();
        let rows: Vec<&[u32]> = texts.iter().map(Vec::as_slice).collect();
        let whole = tokens(&rows);
        let mut rng = SeededRng::new(1);
        let mut firsts = std::collections::BTreeSet::new();
        for _ in 0..50 {
            let chopped = whole.in_pieces(5, &mut rng);
            let Pieces { starts } = chopped.pieces.clone().unwrap();
            for (text, ids) in texts.iter().enumerate() {
                let pieces: Vec<&[u32]> =
                    (starts[text]..starts[text + 1]).map(|piece| chopped.row(piece)).collect();
                assert_eq!(pieces.concat(), *ids);
                assert!(pieces.iter().all(|piece| piece.len() <= 5));
                assert_eq!(pieces.len() == 1, ids.len() <= 5, "{pieces:?}");
                if text == 5 {
                    firsts.insert(pieces[0].len());
                    assert!(pieces[1..pieces.len() - 1].iter().all(|piece| piece.len() == 5));
                }
            }
        }
        assert_eq!(firsts, (1..=5).collect());
    }

    #[test]
    fn the_max_and_mean_of_pieces_are_those_of_all_their_steps() -> Result<()> {
        let texts: [&[u32]; 3] = [&[1, 2, 3, 4, 5, 6, 7], &[], &[8, 9]];
        let chopped = tokens(&texts).in_pieces(3, &mut SeededRng::new(4));
        // Some outputs for each word, always below 0, where a zero of padding would show.
        let of_word = |id: u32| [-(f32::from(id as u16)).sin().abs() - 0.1, -(id as f32)];
        for (max, mean) in [(true, true), (true, false), (false, true)] {
            let pooling = recurrent::Pooling { max, mean };
            let plain = |ids: &[u32]| -> Vec<f32> {
                let of = |feature: usize| ids.iter().map(move |&id| of_word(id)[feature]);
                let n = ids.len() as f32;
                let largest =
                    |x: usize| if ids.is_empty() { 0.0 } else { of(x).fold(f32::MIN, f32::max) };
                let average = |x: usize| if ids.is_empty() { 0.0 } else { of(x).sum::<f32>() / n };
                let mut parts = Vec::new();
                if max {
                    parts.extend((0..2).map(largest));
                }
                if mean {
                    parts.extend((0..2).map(average));
                }
                parts
            };
            let n_pieces = chopped.n_rows();
            let of_pieces: Vec<f32> =
                (0..n_pieces).flat_map(|piece| plain(chopped.row(piece))).collect();
            let pooled = Tensor::from_vec(of_pieces, (n_pieces, ()), &Device::Cpu)?;
            let got = chopped.pieces.as_ref().unwrap().pool(&pooled, pooling, &chopped.lengths)?;
            let got: Vec<Vec<f32>> = got.to_vec2()?;
            for (got, ids) in got.iter().zip(texts) {
                let expected = plain(ids);
                assert_eq!(got.len(), expected.len());
                let close = got.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-5);
                assert!(close, "{got:?}, not {expected:?}");
            }
        }
        Ok(())
    }
}

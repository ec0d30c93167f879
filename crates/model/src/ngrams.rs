//! A linear path beside the recurrent layers: words and pairs of neighbouring words, each with a
//! weight of its own, added to the logits (wide and deep learning, Cheng et al. 2016).
//!
//! Pairs are numbered by hashing their ids, so that no vocabulary of pairs is needed.

use candle_core::{CpuStorage, CustomOp1, DType, Layout, Shape, Tensor};
use rayon::prelude::*;
use text_preprocessing::{PAD_ID, spread_bits};

use crate::embedding::contiguous;
use crate::error::Result;
use crate::tokens::Tokens;

/// The distinct words and pairs of each text of a batch, as buckets of the weights' table.
#[derive(Debug, Clone)]
pub struct Ngrams {
    /// The buckets of the whole batch, ascending.
    pub rows: Vec<u32>,
    /// Where each bucket of each text is among `rows`, text after text.
    places: Vec<u32>,
    /// `[B + 1]`: text b has `places[starts[b]..starts[b + 1]]`.
    starts: Vec<usize>,
    /// `[B]`: what the weights of a text are multiplied by: 1 / √n for n buckets, dropout or not, so
    /// that long texts weigh no more than short ones.
    factors: Vec<f32>,
}

impl Ngrams {
    /// Of a batch's tokens; `buckets`: rows of the table, at least 1.
    pub(crate) fn new(tokens: &Tokens, buckets: usize, scale: f64) -> Self {
        let texts: Vec<Vec<u32>> = tokens
            .ids
            .par_chunks_exact(tokens.steps.max(1))
            .zip(&tokens.lengths)
            .map(|(ids, &length)| buckets_of(&ids[..length], buckets as u64))
            .collect();
        let factors = texts.iter().map(|text| scale as f32 / (text.len().max(1) as f32).sqrt());
        Self::of_texts(factors.collect(), &texts)
    }

    fn of_texts(factors: Vec<f32>, texts: &[Vec<u32>]) -> Self {
        let mut rows = texts.concat();
        rows.par_sort_unstable();
        rows.dedup();
        let places = texts
            .par_iter()
            .flat_map_iter(|text| {
                text.iter().map(|&bucket| rows.partition_point(|&other| other < bucket) as u32)
            })
            .collect();
        let mut starts = vec![0];
        starts.extend(texts.iter().scan(0, |end, text| {
            *end += text.len();
            Some(*end)
        }));
        Self { rows, places, starts, factors }
    }

    /// Leaves each bucket of each text out where `kept` is false, and makes up for it in the others.
    /// `kept`: one for each of [`n_buckets`](Self::n_buckets).
    pub fn with_dropout(&self, kept: &[bool], rate: f64) -> Self {
        let texts: Vec<Vec<u32>> = self
            .starts
            .windows(2)
            .map(|text| {
                let own = self.places[text[0]..text[1]].iter().zip(&kept[text[0]..text[1]]);
                own.filter(|(_, kept)| **kept)
                    .map(|(&place, _)| self.rows[place as usize])
                    .collect()
            })
            .collect();
        let factors = self.factors.iter().map(|factor| factor / (1.0 - rate) as f32).collect();
        Self::of_texts(factors, &texts)
    }

    /// The buckets of all texts together.
    pub fn n_buckets(&self) -> usize {
        self.places.len()
    }

    fn n_texts(&self) -> usize {
        self.factors.len()
    }
}

/// The distinct buckets of one text's words and pairs, ascending.
fn buckets_of(ids: &[u32], buckets: u64) -> Vec<u32> {
    let bucket = |hash: u64| ((u128::from(spread_bits(hash)) * u128::from(buckets)) >> 64) as u32;
    let mut of_text = Vec::with_capacity(2 * ids.len());
    let mut before = PAD_ID;
    for &id in ids.iter().filter(|&&id| id != PAD_ID) {
        of_text.push(bucket(u64::from(id)));
        if before != PAD_ID {
            of_text.push(bucket(u64::from(before) << 32 | u64::from(id)));
        }
        before = id;
    }
    of_text.sort_unstable();
    of_text.dedup();
    of_text
}

/// The sum of each text's weights, `[B, O]`, out of the batch's rows of the table `[N, O]`, which get
/// their gradients.
pub(crate) fn sums(rows: &Tensor, ngrams: &Ngrams) -> Result<Tensor> {
    if rows.device().is_cpu() && rows.dtype() == DType::F32 {
        return Ok(rows.contiguous()?.apply_op1(Sums { ngrams: ngrams.clone() })?);
    }
    // Elsewhere each text's rows are a product with its factor.
    let sums = ngrams.starts.windows(2).zip(&ngrams.factors).map(|(text, &factor)| {
        let places = Tensor::new(&ngrams.places[text[0]..text[1]], rows.device())?;
        rows.index_select(&places, 0)?.sum_keepdim(0)? * f64::from(factor)
    });
    Ok(Tensor::cat(&sums.collect::<candle_core::Result<Vec<_>>>()?, 0)?)
}

struct Sums {
    ngrams: Ngrams,
}

impl CustomOp1 for Sums {
    fn name(&self) -> &'static str {
        "ngram-sums"
    }

    fn cpu_fwd(
        &self,
        storage: &CpuStorage,
        layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let width = layout.shape().dims2()?.1;
        let (rows, ngrams) = (contiguous(storage, layout)?, &self.ngrams);
        let mut sums = vec![0f32; ngrams.n_texts() * width];
        let texts = ngrams.starts.windows(2).zip(&ngrams.factors);
        for (sum, (text, factor)) in sums.chunks_exact_mut(width).zip(texts) {
            for &place in &ngrams.places[text[0]..text[1]] {
                let row = &rows[place as usize * width..][..width];
                sum.iter_mut().zip(row).for_each(|(sum, weight)| *sum += factor * weight);
            }
        }
        Ok((CpuStorage::F32(sums), Shape::from((ngrams.n_texts(), width))))
    }

    fn bwd(
        &self,
        rows: &Tensor,
        _sums: &Tensor,
        d_sums: &Tensor,
    ) -> candle_core::Result<Option<Tensor>> {
        let (n_rows, width) = rows.dims2()?;
        let d_sums: Vec<f32> = d_sums.flatten_all()?.to_vec1()?;
        let ngrams = &self.ngrams;
        let mut d_rows = vec![0f32; n_rows * width];
        let texts = ngrams.starts.windows(2).zip(&ngrams.factors);
        for (d_sum, (text, factor)) in d_sums.chunks_exact(width).zip(texts) {
            for &place in &ngrams.places[text[0]..text[1]] {
                let d_row = &mut d_rows[place as usize * width..][..width];
                d_row.iter_mut().zip(d_sum).for_each(|(d_row, d)| *d_row += factor * d);
            }
        }
        Ok(Some(Tensor::from_vec(d_rows, (n_rows, width), rows.device())?))
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};

    use super::*;
    use crate::config::Padding;

    fn ngrams() -> Result<Ngrams> {
        let ids =
            Tensor::new(&[[0u32, 7, 8, 7, 8], [0, 0, 0, 0, 0], [0, 0, 7, 9, 9]], &Device::Cpu)?;
        Ok(Ngrams::new(&Tokens::new(&ids, Padding::Compute, 10)?, 1 << 20, 1.0))
    }

    #[test]
    fn words_and_pairs_count_once_a_text_and_padding_not_at_all() -> Result<()> {
        let ngrams = ngrams()?;
        // 7, 8, 7 8, 8 7; nothing; 7, 9, 7 9, 9 9.
        assert_eq!(ngrams.starts, [0, 4, 4, 8]);
        assert_eq!(ngrams.rows.len(), 7);
        assert_eq!(ngrams.factors[0], 0.5);
        Ok(())
    }

    #[test]
    fn sums_and_gradients_are_those_of_candles_operations() -> Result<()> {
        let ngrams = ngrams()?;
        let run = |dtype| -> Result<[Vec<Vec<f64>>; 2]> {
            let weights: Vec<f64> = (0..14).map(|i| f64::from(i).sin()).collect();
            let weights = Tensor::from_vec(weights, (7, 2), &Device::Cpu)?.to_dtype(dtype)?;
            let rows = Var::from_tensor(&weights)?;
            let sums = sums(&rows, &ngrams)?;
            let gradients = sums.sqr()?.sum_all()?.backward()?;
            let gradient = gradients.get(&rows).unwrap_or(&weights).to_dtype(DType::F64)?;
            Ok([sums.to_dtype(DType::F64)?.to_vec2()?, gradient.to_vec2()?])
        };
        let (own, candles) = (run(DType::F32)?, run(DType::F64)?);
        let close = |a: &[Vec<f64>], b: &[Vec<f64>]| {
            a.concat().iter().zip(b.concat()).all(|(a, b)| (a - b).abs() < 1e-5)
        };
        assert!(close(&own[0], &candles[0]) && close(&own[1], &candles[1]), "{own:?} {candles:?}");
        assert_eq!(own[0][1], [0.0, 0.0]);
        Ok(())
    }

    #[test]
    fn dropout_leaves_out_what_it_is_told_to() -> Result<()> {
        let ngrams = ngrams()?;
        let mut kept = [true; 8];
        kept[..3].fill(false);
        let dropped = ngrams.with_dropout(&kept, 0.5);
        assert_eq!(dropped.starts, [0, 1, 1, 5]);
        assert_eq!(dropped.factors[2], 2.0 * ngrams.factors[2]);
        Ok(())
    }
}

//! A linear path beside the recurrent layers: words and runs of neighbouring words, each with a weight
//! of its own, added to the logits (wide and deep learning, Cheng et al. 2016).

mod vocabulary;

use candle_core::{CpuStorage, CustomOp1, DType, Layout, Shape, Tensor};
use rayon::prelude::*;

use crate::embedding::contiguous;
use crate::error::Result;
use crate::tokens::Tokens;

pub use vocabulary::NgramVocabulary;

/// What [`NgramVocabulary`] takes as the longest run.
pub(crate) const MAX_ORDER: usize = vocabulary::MAX_ORDER;

/// The n-grams of each text of a batch, as rows of the weights' table, and their values.
#[derive(Debug, Clone)]
pub struct Ngrams {
    /// The rows of the whole batch, ascending.
    pub rows: Vec<u32>,
    /// Where each n-gram of each text is among `rows`, text after text.
    places: Vec<u32>,
    /// What the weight of each is multiplied by.
    values: Vec<f32>,
    /// `[B + 1]`: text b has `places[starts[b]..starts[b + 1]]`.
    starts: Vec<usize>,
}

impl Ngrams {
    /// Of a batch's tokens.
    pub(crate) fn new(tokens: &Tokens, vocabulary: &NgramVocabulary) -> Self {
        let texts: Vec<(Vec<u32>, Vec<f32>)> = tokens
            .ids
            .par_chunks_exact(tokens.steps.max(1))
            .zip(&tokens.lengths)
            .map(|(ids, &length)| vocabulary.of_text(&ids[..length]))
            .collect();
        Self::of_texts(&texts)
    }

    fn of_texts(texts: &[(Vec<u32>, Vec<f32>)]) -> Self {
        let mut rows: Vec<u32> = texts.iter().flat_map(|(rows, _)| rows).copied().collect();
        rows.par_sort_unstable();
        rows.dedup();
        let places = texts
            .par_iter()
            .flat_map_iter(|(of_text, _)| {
                of_text.iter().map(|&row| rows.partition_point(|&other| other < row) as u32)
            })
            .collect();
        let values = texts.iter().flat_map(|(_, values)| values).copied().collect();
        let mut starts = vec![0];
        starts.extend(texts.iter().scan(0, |end, (rows, _)| {
            *end += rows.len();
            Some(*end)
        }));
        Self { rows, places, values, starts }
    }

    /// Leaves each n-gram of each text out where `kept` is false, and makes up for it in the others.
    /// `kept`: one for each of [`len`](Self::len).
    #[must_use]
    pub fn with_dropout(&self, kept: &[bool], rate: f64) -> Self {
        let scale = (1.0 / (1.0 - rate)) as f32;
        let texts: Vec<_> = self
            .texts()
            .map(|text| {
                let own = self.places[text.clone()].iter().zip(&self.values[text.clone()]);
                own.zip(&kept[text])
                    .filter(|(_, kept)| **kept)
                    .map(|((&place, value), _)| (self.rows[place as usize], value * scale))
                    .unzip()
            })
            .collect();
        Self::of_texts(&texts)
    }

    /// The n-grams of all texts together.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether no text has any.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    fn n_texts(&self) -> usize {
        self.starts.len() - 1
    }

    /// Where each text's n-grams are among all.
    fn texts(&self) -> impl Iterator<Item = std::ops::Range<usize>> + '_ {
        self.starts.windows(2).map(|text| text[0]..text[1])
    }
}

/// The sum of each text's weights, `[B, O]`, out of the batch's rows of the table `[N, O]`, which get
/// their gradients.
pub(crate) fn sums(rows: &Tensor, ngrams: &Ngrams) -> Result<Tensor> {
    if rows.device().is_cpu() && rows.dtype() == DType::F32 {
        return Ok(rows.contiguous()?.apply_op1(Sums { ngrams: ngrams.clone() })?);
    }
    let (n_texts, width, device) = (ngrams.n_texts(), rows.dim(1)?, rows.device());
    let sums = Tensor::zeros((n_texts, width), rows.dtype(), device)?;
    if ngrams.is_empty() {
        return Ok(sums);
    }
    // Elsewhere all n-grams are weighed at once and added to their texts.
    let values = Tensor::from_slice(&ngrams.values, (ngrams.len(), 1), device)?;
    let places = Tensor::new(&*ngrams.places, device)?;
    let weighed = rows.index_select(&places, 0)?.broadcast_mul(&values.to_dtype(rows.dtype())?)?;
    let text_of: Vec<u32> =
        (0..).zip(ngrams.texts()).flat_map(|(text, its)| its.map(move |_| text)).collect();
    Ok(sums.index_add(&Tensor::new(text_of, device)?, &weighed, 0)?)
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
        for (sum, text) in sums.chunks_exact_mut(width).zip(ngrams.texts()) {
            for (&place, value) in ngrams.places[text.clone()].iter().zip(&ngrams.values[text]) {
                let row = &rows[place as usize * width..][..width];
                sum.iter_mut().zip(row).for_each(|(sum, weight)| *sum += value * weight);
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
        for (d_sum, text) in d_sums.chunks_exact(width).zip(ngrams.texts()) {
            for (&place, value) in ngrams.places[text.clone()].iter().zip(&ngrams.values[text]) {
                let d_row = &mut d_rows[place as usize * width..][..width];
                d_row.iter_mut().zip(d_sum).for_each(|(d_row, d)| *d_row += value * d);
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
        let rows = [[0u32, 7, 8, 7, 8], [0, 0, 0, 0, 0], [0, 0, 7, 9, 9]];
        let vocabulary = NgramVocabulary::learn(&rows, &[1, 0, 0], 2, 1);
        let tokens = Tokens::new(&Tensor::new(&rows, &Device::Cpu)?, Padding::Compute, 10)?;
        Ok(Ngrams::new(&tokens, &vocabulary))
    }

    #[test]
    fn ngrams_count_once_a_text_and_padding_not_at_all() -> Result<()> {
        let ngrams = ngrams()?;
        // 7, 8, 7 8, 8 7; nothing; 7, 9, 7 9, 9 9.
        assert_eq!(ngrams.starts, [0, 4, 4, 8]);
        assert_eq!(ngrams.rows.len(), 7);
        let squares: f32 = ngrams.values[4..].iter().map(|value| value * value).sum();
        assert!((squares - 1.0).abs() < 1e-5, "{squares}");
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
        assert_eq!(dropped.values[1], 2.0 * ngrams.values[4]);
        Ok(())
    }
}

//! How well words are predicted among candidates: the loss, and its gradient.

use std::sync::{Mutex, PoisonError};

use candle_core::{CpuStorage, CustomOp3, Device, Layout, Result as CandleResult, Shape, Tensor};
use rayon::prelude::*;
use recurrent::contiguous;

use crate::error::Result;
use crate::numbers::is_f32_on_cpu;
use crate::pretraining::candidates::Group;

/// Minimum number of rows per task.
const ROWS_PER_TASK: usize = 32;

/// Words to predict, and their candidates.
#[derive(Debug, Clone)]
pub(super) struct Told {
    /// Its candidates are row indices of the word vectors.
    pub(super) group: Group,
    /// `[C]`: what is subtracted from each candidate's logit.
    pub(super) offsets: Vec<f32>,
}

/// The sum of `scale · -ln softmax(logits)[word]` over all words to predict, a scalar: the logits at a
/// position are `e_c · p + b_c - offset_c` over its group's candidates c.
///
/// `p`: `[P, E]`, at each position; `e`: `[N, E]`, the word vectors; `b`: `[N, 1]`, their biases.
///
/// # Errors
/// If the shapes do not fit or a device fails.
pub(super) fn loss(
    (p, e, b): (&Tensor, &Tensor, &Tensor),
    told: Vec<Told>,
    scale: f64,
) -> Result<Tensor> {
    if is_f32_on_cpu(p) {
        let op = ToldWords { told, scale, gradients: Mutex::new(None) };
        return Ok(p.contiguous()?.apply_op3(&e.contiguous()?, &b.contiguous()?, op)?);
    }
    let losses = told.iter().map(|told| plain_loss((p, e, b), told, scale));
    Ok(Tensor::stack(&losses.collect::<Result<Vec<_>>>()?, 0)?.sum_all()?)
}

/// The loss of one group in candle's own operations.
fn plain_loss((p, e, b): (&Tensor, &Tensor, &Tensor), told: &Told, scale: f64) -> Result<Tensor> {
    let device = p.device();
    let Told { group: Group { places, targets, candidates }, offsets } = told;
    let p = p.index_select(&Tensor::new(&**places, device)?, 0)?;
    let candidates = Tensor::new(&**candidates, device)?;
    let e = e.index_select(&candidates, 0)?;
    let offsets = Tensor::from_slice(offsets, (1, offsets.len()), device)?.to_dtype(p.dtype())?;
    let b = (b.index_select(&candidates, 0)?.t()? - offsets)?;
    let logits = p.matmul(&e.t()?)?.broadcast_add(&b)?;
    let n = places.len() as f64;
    let mean = candle_nn::loss::cross_entropy(&logits, &Tensor::new(&**targets, device)?)?;
    Ok((mean * (n * scale))?)
}

/// The same for all groups, with the gradient computed in the forward pass: candle's own backward pass
/// would write a whole `[P, E]` for each group, and pass over the logits a dozen times on one core.
struct ToldWords {
    told: Vec<Told>,
    scale: f64,
    /// The gradients of p, e and b, found by the forward pass.
    gradients: Mutex<Option<[Vec<f32>; 3]>>,
}

impl CustomOp3 for ToldWords {
    fn name(&self) -> &'static str {
        "told-words"
    }

    fn cpu_fwd(
        &self,
        p: &CpuStorage,
        p_layout: &Layout,
        e: &CpuStorage,
        e_layout: &Layout,
        b: &CpuStorage,
        b_layout: &Layout,
    ) -> CandleResult<(CpuStorage, Shape)> {
        let width = e_layout.shape().dims2()?.1;
        let p: &[f32] = contiguous(p, p_layout)?;
        let (e, b): (&[f32], &[f32]) = (contiguous(e, e_layout)?, contiguous(b, b_layout)?);
        let mut gradients = [vec![0f32; p.len()], vec![0f32; e.len()], vec![0f32; b.len()]];
        let mut loss = 0.0;
        for told in &self.told {
            loss += told.add((p, e, b), width, self.scale, &mut gradients)?;
        }
        *self.gradients.lock().unwrap_or_else(PoisonError::into_inner) = Some(gradients);
        Ok((CpuStorage::F32(vec![loss as f32]), Shape::from(())))
    }

    fn bwd(
        &self,
        p: &Tensor,
        e: &Tensor,
        b: &Tensor,
        _loss: &Tensor,
        d_loss: &Tensor,
    ) -> CandleResult<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let saved = self.gradients.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some([d_p, d_e, d_b]) = saved else {
            candle_core::bail!("{} goes backward once", self.name());
        };
        let d_loss = f64::from(d_loss.to_scalar::<f32>()?);
        let tensor = |numbers: Vec<f32>, like: &Tensor| -> CandleResult<Option<Tensor>> {
            let gradient = Tensor::from_vec(numbers, like.shape(), like.device())?;
            Ok(Some(if d_loss == 1.0 { gradient } else { (gradient * d_loss)? }))
        };
        Ok((tensor(d_p, p)?, tensor(d_e, e)?, tensor(d_b, b)?))
    }
}

impl Told {
    /// Adds one group's gradients; returns its loss.
    fn add(
        &self,
        (p, e, b): (&[f32], &[f32], &[f32]),
        width: usize,
        scale: f64,
        [d_p, d_e, d_b]: &mut [Vec<f32>; 3],
    ) -> CandleResult<f64> {
        let Self { group: Group { places, targets, candidates }, offsets } = self;
        let rows = |of: &[f32], rows: &[u32]| -> CandleResult<Tensor> {
            let rows: Vec<f32> = rows
                .iter()
                .flat_map(|&row| &of[row as usize * width..][..width])
                .copied()
                .collect();
            let n_rows = rows.len() / width.max(1);
            Tensor::from_vec(rows, (n_rows, width), &Device::Cpu)
        };
        let (p, e) = (rows(p, places)?, rows(e, candidates)?);
        let b: Vec<f32> = candidates
            .iter()
            .zip(offsets)
            .map(|(&candidate, offset)| b[candidate as usize] - offset)
            .collect();
        let n_candidates = candidates.len();
        let mut d_logits: Vec<f32> = p.matmul(&e.t()?)?.flatten_all()?.to_vec1()?;
        let losses: Vec<f64> = d_logits
            .par_chunks_exact_mut(n_candidates.max(1))
            .zip(targets)
            .with_min_len(ROWS_PER_TASK)
            .map(|(row, &target)| {
                row.iter_mut().zip(&b).for_each(|(logit, b)| *logit += b);
                let logit = row[target as usize];
                let log_sum = exponentials(row);
                let factor = (scale / log_sum.sum) as f32;
                row.iter_mut().for_each(|x| *x *= factor);
                row[target as usize] -= scale as f32;
                scale * (log_sum.ln() - f64::from(logit))
            })
            .collect();
        let mut of_biases = vec![0f32; n_candidates];
        for row in d_logits.chunks_exact(n_candidates.max(1)) {
            of_biases.iter_mut().zip(row).for_each(|(sum, d)| *sum += d);
        }
        for (&candidate, d) in candidates.iter().zip(of_biases) {
            d_b[candidate as usize] += d;
        }
        let d_logits = Tensor::from_vec(d_logits, (places.len(), n_candidates), &Device::Cpu)?;
        add_rows(d_p, &d_logits.matmul(&e)?, places, width)?;
        add_rows(d_e, &d_logits.t()?.matmul(&p)?, candidates, width)?;
        Ok(losses.iter().sum())
    }
}

/// Adds the rows of a matrix to some rows of a sum.
fn add_rows(sum: &mut [f32], matrix: &Tensor, rows: &[u32], width: usize) -> CandleResult<()> {
    let matrix: Vec<f32> = matrix.flatten_all()?.to_vec1()?;
    for (&row, numbers) in rows.iter().zip(matrix.chunks_exact(width.max(1))) {
        let to = &mut sum[row as usize * width..][..width];
        to.iter_mut().zip(numbers).for_each(|(sum, x)| *sum += x);
    }
    Ok(())
}

/// The sum of the exponentials of some numbers, each less the largest of them.
pub(super) struct LogSum {
    largest: f32,
    sum: f64,
}

impl LogSum {
    /// The logarithm of the sum of the numbers' exponentials.
    pub(super) fn ln(&self) -> f64 {
        f64::from(self.largest) + self.sum.ln()
    }
}

/// Replaces each number by the exponential of its difference from the largest.
pub(super) fn exponentials(row: &mut [f32]) -> LogSum {
    let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    for x in row.iter_mut() {
        *x = (*x - largest).exp();
    }
    // Short sums in f32, added up in f64.
    let sum = row.chunks(64).map(|part| f64::from(part.iter().sum::<f32>())).sum();
    LogSum { largest, sum }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Var};

    #[test]
    fn value_and_gradients_are_those_of_candles_operations() -> Result<()> {
        // 50 positions, 20 words of dimension 6, two groups.
        let group = |places: std::ops::Range<u32>, first: u32| {
            let candidates: Vec<u32> = (first..20).step_by(3).collect();
            let n = candidates.len() as u32;
            let offsets = candidates.iter().map(|c| *c as f32 * 0.1 - 1.0).collect();
            let targets = places.clone().map(|place| place * 5 % n).collect();
            Told { group: Group { places: places.collect(), targets, candidates }, offsets }
        };
        let told = [group(1..34, 0), group(34..50, 1)];
        let made = |n: usize, factor: f32| -> Vec<f32> {
            (0..n).map(|i| (i as f32 * factor).sin() * 3.0).collect()
        };
        let run = |dtype| -> Result<(f64, Vec<Vec<f64>>)> {
            let var = |numbers, shape: (usize, usize)| -> Result<Var> {
                Ok(Var::from_tensor(
                    &Tensor::from_vec(numbers, shape, &Device::Cpu)?.to_dtype(dtype)?,
                )?)
            };
            let p = var(made(300, 0.37), (50, 6))?;
            let (e, b) = (var(made(120, 0.7), (20, 6))?, var(made(20, 1.1), (20, 1))?);
            let loss = (loss((&p, &e, &b), told.to_vec(), 0.5)? * 3.0)?;
            let store = loss.backward()?;
            let gradients = [p, e, b].map(|var| -> Result<Vec<f64>> {
                let gradient = store.get(&var).map(|d| d.to_dtype(DType::F64)).transpose()?;
                let gradient = gradient.map(|d| d.flatten_all()?.to_vec1()).transpose()?;
                Ok(gradient.unwrap_or_default())
            });
            let gradients = gradients.into_iter().collect::<Result<_>>()?;
            Ok((loss.to_dtype(DType::F64)?.to_scalar()?, gradients))
        };
        let ((loss, own), (expected, candles)) = (run(DType::F32)?, run(DType::F64)?);
        assert!((loss - expected).abs() < 1e-5 * expected, "{loss} {expected}");
        for (own, candles) in own.iter().zip(&candles) {
            assert_eq!(own.len(), candles.len());
            for (own, candle) in own.iter().zip(candles) {
                assert!((own - candle).abs() < 2e-5, "{own} {candle}");
            }
        }
        Ok(())
    }
}

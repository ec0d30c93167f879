//! Pooling in candle's own operations. Where only max and mean are made of the outputs, the recurrent layers
//! do it themselves, which is faster; see [`Pooling::of_layers`].

use candle_core::{D, Tensor};
use candle_nn::ops::softmax;

use super::{Pooling, PoolingPart};
use crate::error::Result;

/// Max and mean over each row's real steps, feature by feature: those of the two that `pooling` includes,
/// in this order, or `None` if it includes neither.
///
/// `outputs`: `[B, T, F]`, zero past `lengths [B]`. Returns `[B, F]`, or `[B, 2 F]` for both. An empty row
/// gives zeros.
pub(crate) fn max_and_mean(
    pooling: Pooling,
    outputs: &Tensor,
    lengths: &[usize],
) -> Result<Option<Tensor>> {
    let [max, mean] = [PoolingPart::Max, PoolingPart::Mean].map(|part| pooling.has(part));
    if !max && !mean {
        return Ok(None);
    }
    Ok(Some(recurrent::pool(outputs, lengths, recurrent::Pooling { max, mean })?))
}

/// Mean over each row's real steps, weighted by the softmax of their products with `weight [1, F]`. An
/// empty row gives zeros.
pub(crate) fn attention(outputs: &Tensor, weight: &Tensor, lengths: &[usize]) -> Result<Tensor> {
    let scores = outputs.broadcast_mul(&weight.unsqueeze(0)?)?.sum_keepdim(D::Minus1)?;
    let shares = softmax(&with_lowest_past_the_end(&scores, lengths)?, 1)?;
    Ok(outputs.broadcast_mul(&shares)?.sum(1)?)
}

/// `x [B, T, F]` with -∞ past each row's end; an empty row keeps its first step.
fn with_lowest_past_the_end(x: &Tensor, lengths: &[usize]) -> Result<Tensor> {
    let steps = x.dim(1)?;
    let real: Vec<u8> = lengths
        .iter()
        .flat_map(|&length| (0..steps).map(move |step| u8::from(step < length.max(1))))
        .collect();
    let real =
        Tensor::from_vec(real, (lengths.len(), steps, 1), x.device())?.broadcast_as(x.shape())?;
    let lowest = Tensor::full(f32::NEG_INFINITY, x.shape(), x.device())?.to_dtype(x.dtype())?;
    Ok(real.where_cond(x, &lowest)?)
}

/// The last layer's final state, its directions concatenated: `h [L·D, B, H]` gives `[B, D·H]`.
pub(crate) fn last(h: &Tensor, num_directions: usize) -> Result<Tensor> {
    let n_layers = h.dim(0)?;
    let directions = (n_layers - num_directions..n_layers)
        .map(|index| h.get(index))
        .collect::<candle_core::Result<Vec<_>>>()?;
    Ok(Tensor::cat(&directions, D::Minus1)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    fn outputs() -> Result<Tensor> {
        let rows =
            [[[-1f32, 4.0], [-3.0, 2.0]], [[-5.0, 6.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]]];
        Ok(Tensor::new(&rows, &Device::Cpu)?)
    }

    #[test]
    fn mean_counts_real_steps_only() -> Result<()> {
        let mean = max_and_mean(PoolingPart::Mean.into(), &outputs()?, &[2, 1, 0])?;
        let mean: Option<Vec<Vec<f32>>> = mean.map(|mean| mean.to_vec2()).transpose()?;
        assert_eq!(mean, Some(vec![vec![-2.0, 3.0], vec![-5.0, 6.0], vec![0.0, 0.0]]));
        Ok(())
    }

    #[test]
    fn max_does_not_see_the_zeros_past_a_rows_end() -> Result<()> {
        let max = max_and_mean(PoolingPart::Max.into(), &outputs()?, &[2, 1, 0])?;
        let max: Option<Vec<Vec<f32>>> = max.map(|max| max.to_vec2()).transpose()?;
        assert_eq!(max, Some(vec![vec![-1.0, 4.0], vec![-5.0, 6.0], vec![0.0, 0.0]]));
        Ok(())
    }

    #[test]
    fn attention_weighs_real_steps_by_the_softmax_of_their_scores() -> Result<()> {
        let weight = Tensor::new(&[[0.5f32, 0.0]], &Device::Cpu)?;
        let pooled: Vec<Vec<f32>> = attention(&outputs()?, &weight, &[2, 1, 0])?.to_vec2()?;
        // Scores -0.5 and -1.5: weights e / (e + 1) and 1 / (e + 1).
        let share = std::f32::consts::E / (std::f32::consts::E + 1.0);
        let expected = [-share - 3.0 * (1.0 - share), 4.0 * share + 2.0 * (1.0 - share)];
        assert!(pooled[0].iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{pooled:?}");
        assert_eq!(pooled[1..], [[-5.0, 6.0], [0.0, 0.0]]);
        Ok(())
    }
}

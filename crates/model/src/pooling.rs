//! From the outputs of all steps to one vector per text.

use candle_core::{D, Tensor};

use crate::error::Result;

/// Mean over each row's real steps: `outputs [B, T, F]`, zero past `lengths`, gives `[B, F]`. A
/// row without a step gives zeros.
pub(crate) fn mean(outputs: &Tensor, lengths: &[usize]) -> Result<Tensor> {
    let counts: Vec<f32> = lengths.iter().map(|&length| length.max(1) as f32).collect();
    let counts = Tensor::from_vec(counts, (lengths.len(), 1), outputs.device())?;
    Ok(outputs.sum(1)?.broadcast_div(&counts.to_dtype(outputs.dtype())?)?)
}

/// Largest value over each row's real steps, feature by feature. A row without a step gives zeros.
pub(crate) fn max(outputs: &Tensor, lengths: &[usize]) -> Result<Tensor> {
    let steps = outputs.dim(1)?;
    if lengths.iter().all(|&length| length == steps) {
        return Ok(outputs.max(1)?);
    }
    let real: Vec<u8> = lengths
        .iter()
        .flat_map(|&length| (0..steps).map(move |step| u8::from(step < length.max(1))))
        .collect();
    let real = Tensor::from_vec(real, (lengths.len(), steps, 1), outputs.device())?
        .broadcast_as(outputs.shape())?;
    let lowest = Tensor::full(f32::NEG_INFINITY, outputs.shape(), outputs.device())?
        .to_dtype(outputs.dtype())?;
    Ok(real.where_cond(outputs, &lowest)?.max(1)?)
}

/// The last layer's final state, its directions side by side: `h [L·D, B, H]` gives `[B, D·H]`.
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
        let mean: Vec<Vec<f32>> = mean(&outputs()?, &[2, 1, 0])?.to_vec2()?;
        assert_eq!(mean, [[-2.0, 3.0], [-5.0, 6.0], [0.0, 0.0]]);
        Ok(())
    }

    #[test]
    fn max_does_not_see_the_zeros_past_a_rows_end() -> Result<()> {
        let max: Vec<Vec<f32>> = max(&outputs()?, &[2, 1, 0])?.to_vec2()?;
        assert_eq!(max, [[-1.0, 4.0], [-5.0, 6.0], [0.0, 0.0]]);
        Ok(())
    }
}

//! Adversarial training: perturbs embedded texts.

use candle_core::{DType, Tensor};

use crate::error::Result;

/// Avoids division by 0 for a text without a gradient.
const SMALLEST_NORM: f64 = 1e-20;

/// The embedded texts `x [B, T, E]`, each moved by `relative_norm` times its own norm in the direction
/// in which its loss rises fastest: `x + ε ‖x‖ g / ‖g‖`, with x the text and g its gradient, each as
/// one vector (Miyato et al. 2017, [Adversarial training methods for semi-supervised text
/// classification](https://arxiv.org/abs/1605.07725)). The paper uses an absolute norm with normalised
/// embeddings; here the norm is relative to the text's, which has the same effect.
///
/// `lengths`: real steps of each text; `gradient`: `[B, T, E]`, 0 past them.
///
/// # Errors
/// If the shapes do not fit or a device fails.
pub(crate) fn perturbed(
    x: &Tensor,
    gradient: &Tensor,
    lengths: &[usize],
    relative_norm: f64,
) -> Result<Tensor> {
    let (batch, steps, _) = x.dims3()?;
    let x = x.detach();
    let is_real: Vec<f32> = lengths
        .iter()
        .flat_map(|&length| (0..steps).map(move |step| f32::from(u8::from(step < length))))
        .collect();
    let is_real = Tensor::from_vec(is_real, (batch, steps, 1), x.device())?.to_dtype(x.dtype())?;
    let norms = |of: &Tensor| -> Result<Tensor> {
        let squares = of.sqr()?.sum_keepdim((1, 2))?;
        Ok(squares.to_dtype(DType::F32)?.sqrt()?.to_dtype(of.dtype())?)
    };
    let lengths = norms(&x.broadcast_mul(&is_real)?)?;
    // The gradient of a mean loss is tiny: scaled first, so that its squares do not underflow.
    let largest = (gradient.abs()?.flatten(1, 2)?.max(1)?.reshape((batch, 1, 1))? + SMALLEST_NORM)?;
    let direction = gradient.broadcast_div(&largest)?;
    let factors = (lengths / (norms(&direction)? + SMALLEST_NORM)?)?;
    Ok((x + (direction.broadcast_mul(&factors)? * relative_norm)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn every_text_moves_along_its_gradient_by_a_share_of_its_length() -> Result<()> {
        let x = Tensor::new(&[[[3f32, 0.0], [0.0, 4.0]], [[6.0, 8.0], [9.0, 9.0]]], &Device::Cpu)?;
        let gradient =
            Tensor::new(&[[[0f32, 0.0], [1e-12, 0.0]], [[0.0, -5.0], [0.0, 0.0]]], &Device::Cpu)?;
        let moved: Vec<Vec<Vec<f32>>> = perturbed(&x, &gradient, &[2, 1], 0.1)?.to_vec3()?;
        // Lengths 5 and 10; values past a text's end are ignored.
        let expected = [[[3.0, 0.0], [0.5, 4.0]], [[6.0, 7.0], [9.0, 9.0]]];
        let numbers = moved.concat().concat();
        for (got, expected) in numbers.iter().zip(expected.concat().concat()) {
            assert!((got - expected).abs() < 1e-5, "{moved:?}");
        }
        let unmoved = perturbed(&x, &gradient.zeros_like()?, &[2, 1], 0.1)?;
        assert_eq!(unmoved.to_vec3::<f32>()?, x.to_vec3::<f32>()?);
        Ok(())
    }
}

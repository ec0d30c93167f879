//! Binary cross-entropy from logits.

use candle_core::Tensor;
use candle_nn::ops::sigmoid;

use crate::error::Result;

/// Label smoothing and class weighting of the loss. The default changes nothing.
#[derive(Debug, Clone, Copy)]
pub struct BceOptions {
    /// Label smoothing s: y becomes (1 - s) y + s / 2.
    pub label_smoothing: f64,
    /// Weights of the terms of label 0 and of label 1; `[1, p]` is PyTorch's `pos_weight` of p.
    pub class_weights: [f64; 2],
}

impl Default for BceOptions {
    fn default() -> Self {
        Self { label_smoothing: 0.0, class_weights: [1.0; 2] }
    }
}

/// Mean binary cross-entropy of logits `[B, 1]` or `[B]` against labels `[B]` in 0..=1: a scalar.
///
/// With weights n and p of the labels 0 and 1 it is `(n (1 - y) + p y) softplus(x) - p y x`, the form of
/// [torch.nn.BCEWithLogitsLoss](https://docs.pytorch.org/docs/stable/generated/torch.nn.BCEWithLogitsLoss.html);
/// softplus(x) as `max(x, 0) + ln(1 + e^-|x|)` is finite for every finite logit. Its terms have kinks
/// at 0 that the sum does not have, so the gradient is not derived from them: it is
/// `((n (1 - y) + p y) σ(x) - p y) / B`.
///
/// # Errors
/// If the shapes do not fit.
pub fn bce_with_logits(logits: &Tensor, labels: &Tensor, options: BceOptions) -> Result<Tensor> {
    let BceOptions { label_smoothing, class_weights: [negative, positive] } = options;
    let x = logits.flatten_all()?;
    let y = labels.flatten_all()?.to_dtype(x.dtype())?;
    let y = y.affine(1.0 - label_smoothing, label_smoothing / 2.0)?;
    let positive = (&y * positive)?;
    let both = (y.affine(-negative, negative)? + &positive)?;
    let fixed = x.detach();
    let softplus = (fixed.relu()? + (fixed.abs()?.neg()?.exp()? + 1.0)?.log()?)?;
    let value = ((&both * softplus)? - (&fixed * &positive)?)?.mean_all()?;
    // A line with the loss's slope: same gradient, and the constant gives it the loss's value.
    let slope = ((both * sigmoid(&fixed)?)? - positive)?;
    let line = (x * slope)?.mean_all()?;
    Ok((&line + (value - line.detach())?)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Var};

    fn loss_and_gradient(
        logits: &[f32],
        labels: &[f32],
        options: BceOptions,
    ) -> Result<(f32, Vec<f32>)> {
        let x = Var::new(logits, &Device::Cpu)?;
        let loss = bce_with_logits(&x, &Tensor::new(labels, &Device::Cpu)?, options)?;
        let gradients = loss.backward()?;
        let gradient = gradients.get(&x).map(Tensor::to_vec1).transpose()?;
        Ok((loss.to_scalar()?, gradient.unwrap_or_default()))
    }

    #[test]
    fn equals_the_definition_at_moderate_logits() -> Result<()> {
        let (logits, labels) = ([-2.0f32, 0.0, 0.5, 3.0], [0.0f32, 1.0, 0.0, 1.0]);
        for (label_smoothing, weight) in [(0.0, 1.0), (0.2, 1.0), (0.0, 3.0), (0.1, 0.5)] {
            let options = BceOptions { label_smoothing, class_weights: [1.0, weight] };
            let (loss, gradient) = loss_and_gradient(&logits, &labels, options)?;
            let mut expected = 0.0;
            for ((&x, &y), got) in logits.iter().zip(&labels).zip(gradient) {
                let p = 1.0 / (1.0 + (-f64::from(x)).exp());
                let y = f64::from(y) * (1.0 - label_smoothing) + label_smoothing / 2.0;
                expected -= (weight * y * p.ln() + (1.0 - y) * (1.0 - p).ln()) / 4.0;
                let slope = ((1.0 - y) * p - weight * y * (1.0 - p)) / 4.0;
                assert!((f64::from(got) - slope).abs() < 1e-7, "{options:?}: gradient at {x}");
            }
            assert!((f64::from(loss) - expected).abs() < 1e-6, "{options:?}: {loss} {expected}");
        }
        Ok(())
    }

    #[test]
    fn huge_logits_give_a_finite_loss_where_candles_own_gives_nan() -> Result<()> {
        let (logits, labels) = ([1e4f32, -1e4, 1e4, -1e4], [1.0f32, 0.0, 0.0, 1.0]);
        let (loss, gradient) = loss_and_gradient(&logits, &labels, BceOptions::default())?;
        assert_eq!(loss, 5e3);
        assert_eq!(gradient, [0.0, 0.0, 0.25, -0.25]);

        let (x, y) = (Tensor::new(&logits, &Device::Cpu)?, Tensor::new(&labels, &Device::Cpu)?);
        let candles = candle_nn::loss::binary_cross_entropy_with_logit(&x, &y)?;
        assert!(candles.to_scalar::<f32>()?.is_nan(), "candle's is sound now: use it");
        Ok(())
    }
}

//! Probabilities that are as sure as they should be.

/// Times that the interval of the temperature is narrowed by a third: to a ten-millionth.
const N_NARROWINGS: usize = 45;

/// The temperature T > 0 for which the probabilities `σ(logit / T)` fit the labels best: the one with
/// the lowest binary cross-entropy (temperature scaling, Guo et al. 2017, [On calibration of modern
/// neural networks](https://arxiv.org/abs/1706.04599)). Above 1, the logits were too sure of themselves.
///
/// Labels are drawn a little to the middle, as if each class had two texts more, one of each label
/// (Platt 1999): a few texts that are all told right are no reason to be certain.
///
/// `labels`: 0 or 1 for each logit; between 1/20 and 20; 1 if there is nothing to fit.
pub fn fit_temperature(logits: &[f32], labels: &[u8]) -> f64 {
    temperature_and_loss(logits, labels).0
}

/// The temperature of [`fit_temperature`], and the sum of the losses that it leaves; 1 and infinity if
/// there is nothing to fit.
pub(crate) fn temperature_and_loss(logits: &[f32], labels: &[u8]) -> (f64, f64) {
    if logits.is_empty() || logits.iter().any(|logit| !logit.is_finite()) {
        return (1.0, f64::INFINITY);
    }
    let n_positive = labels.iter().filter(|&&label| label == 1).count() as f64;
    let n_negative = labels.len() as f64 - n_positive;
    let targets = [1.0 / (n_negative + 2.0), (n_positive + 1.0) / (n_positive + 2.0)];
    let loss = |ln_temperature: f64| {
        let scale = (-ln_temperature).exp();
        let losses = logits.iter().zip(labels).map(|(&logit, &label)| {
            let x = f64::from(logit) * scale;
            // ln(1 + eˣ) - t x, finite for every x.
            x.max(0.0) + (-x.abs()).exp().ln_1p() - targets[usize::from(label == 1)] * x
        });
        losses.sum::<f64>()
    };
    // The loss has one minimum in 1/T, so narrowing an interval finds it.
    let (mut low, mut high) = ((1.0f64 / 20.0).ln(), 20f64.ln());
    for _ in 0..N_NARROWINGS {
        let (a, b) = (low + (high - low) / 3.0, high - (high - low) / 3.0);
        if loss(a) < loss(b) { high = b } else { low = a }
    }
    let ln_temperature = (low + high) / 2.0;
    (ln_temperature.exp(), loss(ln_temperature))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logits_that_were_stretched_are_found_out() {
        // Of 1,000 texts with logit x, σ(x) are positive.
        let (mut logits, mut labels) = (Vec::new(), Vec::new());
        for x in [-3.0f32, -1.0, 0.5, 2.0] {
            let n_positive = (1_000.0 / (1.0 + (-f64::from(x)).exp())).round() as usize;
            logits.extend([x * 2.5; 1_000]);
            labels.extend((0..1_000).map(|i| u8::from(i < n_positive)));
        }
        let temperature = fit_temperature(&logits, &labels);
        assert!((temperature - 2.5).abs() < 0.01, "{temperature}");
    }

    #[test]
    fn what_cannot_be_fitted_stays_as_it_is_or_in_bounds() {
        assert_eq!(fit_temperature(&[], &[]), 1.0);
        assert_eq!(fit_temperature(&[f32::NAN], &[1]), 1.0);
        // Two texts told right: sure to 2 in 3, whose logit is ln 2.
        assert!((fit_temperature(&[1.0, -1.0], &[1, 0]) - 1.0 / 2f64.ln()).abs() < 1e-3);
        assert!((fit_temperature(&[1.0, -1.0], &[0, 1]) - 20.0).abs() < 0.1);
    }
}

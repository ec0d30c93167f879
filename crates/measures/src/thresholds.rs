//! Thresholds of probabilities, as thresholds of logits.

use crate::error::{Error, Result, check_length};

/// The threshold of a probability unless another is given.
pub(crate) const HALF: f32 = 0.5;

/// The logit at and above which a probability is at least `threshold`: `ln(t / (1 - t))`.
///
/// # Errors
/// If the threshold is not in 0 to 1.
pub(crate) fn logit_of(threshold: f32, class: usize) -> Result<f64> {
    if (0.0..=1.0).contains(&threshold) {
        let t = f64::from(threshold);
        Ok((t / (1.0 - t)).ln())
    } else {
        let expected = "a probability, 0 to 1";
        Err(Error::Threshold { class, got: threshold, expected })
    }
}

/// [`logit_of`] for every class; 0 without thresholds.
pub(crate) fn logits_of(thresholds: Option<&[f32]>, n_classes: usize) -> Result<Vec<f64>> {
    let Some(thresholds) = thresholds else { return Ok(vec![0.0; n_classes]) };
    check_length("thresholds", thresholds.len(), n_classes)?;
    thresholds.iter().enumerate().map(|(class, &t)| logit_of(t, class)).collect()
}

/// What is subtracted from the logits of each class so that the largest is that of the class with the
/// largest `probability / threshold`: the threshold's logarithm. `None` without thresholds.
///
/// # Errors
/// If a threshold is not above 0 and at most 1, or not every class has one.
pub(crate) fn logarithms(thresholds: Option<&[f32]>, n_classes: usize) -> Result<Option<Vec<f64>>> {
    let Some(thresholds) = thresholds else { return Ok(None) };
    check_length("thresholds", thresholds.len(), n_classes)?;
    let of_class = |(class, &got): (usize, &f32)| {
        if got > 0.0 && got <= 1.0 {
            Ok(f64::from(got).ln())
        } else {
            Err(Error::Threshold { class, got, expected: "a probability above 0, at most 1" })
        }
    };
    thresholds.iter().enumerate().map(of_class).collect::<Result<Vec<f64>>>().map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_is_a_logit_of_exactly_0() {
        assert_eq!(logit_of(HALF, 0).unwrap(), 0.0);
        assert_eq!(logits_of(Some(&[0.5, 0.5]), 2).unwrap(), logits_of(None, 2).unwrap());
    }

    #[test]
    fn nothing_reaches_a_threshold_of_1_and_everything_one_of_0() {
        assert_eq!(logit_of(0.0, 0).unwrap(), f64::NEG_INFINITY);
        assert_eq!(logit_of(1.0, 0).unwrap(), f64::INFINITY);
    }

    #[test]
    fn a_threshold_that_is_no_probability_is_refused() {
        for wrong in [-0.1, 1.5, f32::NAN] {
            assert!(
                matches!(logit_of(wrong, 2), Err(Error::Threshold { class: 2, .. })),
                "{wrong}"
            );
            assert!(logarithms(Some(&[0.5, wrong]), 2).is_err(), "{wrong}");
        }
        assert!(logarithms(Some(&[0.5, 0.0]), 2).is_err());
        assert!(logarithms(Some(&[0.5]), 2).is_err());
        assert!(logits_of(Some(&[0.5]), 2).is_err());
    }
}

//! The softmax of one text's logits, without overflow or cancellation.

/// One text's logits `[C]`, and what their softmax needs: with m the largest logit and r the sum of
/// `exp(z - m)` over the other classes, the probabilities are `exp(z - m) / (1 + r)`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Softmax<'a> {
    logits: &'a [f32],
    /// The class of the largest logit, the first among equals.
    pub(crate) largest: usize,
    rest: f64,
}

impl<'a> Softmax<'a> {
    pub(crate) fn of(logits: &'a [f32]) -> Self {
        let largest = first_largest(logits.iter().map(|&logit| f64::from(logit)));
        let mut softmax = Self { logits, largest, rest: 0.0 };
        let others = (0..logits.len()).filter(|&class| class != largest);
        softmax.rest = others.map(|class| softmax.distance(class).exp()).sum();
        softmax
    }

    /// The class's logit less the largest, at most 0.
    fn distance(&self, class: usize) -> f64 {
        f64::from(self.logits[class]) - f64::from(self.logits[self.largest])
    }

    pub(crate) fn probability(&self, class: usize) -> f64 {
        self.distance(class).exp() / (1.0 + self.rest)
    }

    /// The negative logarithm of the class's probability; NaN if a logit is not finite.
    pub(crate) fn loss(&self, class: usize) -> f64 {
        if self.logits.iter().all(|logit| logit.is_finite()) {
            self.rest.ln_1p() - self.distance(class)
        } else {
            f64::NAN
        }
    }

    /// `ln(p / (1 - p))` of the class, which orders texts as p does, and does not become equal where p
    /// is 1 after rounding. In single precision, as logits are: rounding errors of the sum do not order
    /// texts of the same probability.
    pub(crate) fn log_odds(&self, class: usize) -> f32 {
        let odds = if class == self.largest {
            -self.rest.ln()
        } else {
            let distance = self.distance(class);
            distance - (1.0 + self.rest - distance.exp()).ln()
        };
        odds as f32
    }
}

/// The place of the largest number, the first among equals; 0 if there is none.
pub(crate) fn first_largest(numbers: impl Iterator<Item = f64>) -> usize {
    let mut best = (0, f64::NEG_INFINITY);
    for (place, number) in numbers.enumerate() {
        if number > best.1 {
            best = (place, number);
        }
    }
    best.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_sum_to_1_and_are_finite_at_huge_logits() {
        for logits in [&[0.5, -1.0, 2.0][..], &[1e30, -1e30, f32::MAX], &[-1e4, -1e4], &[3.0]] {
            let softmax = Softmax::of(logits);
            let sum: f64 = (0..logits.len()).map(|class| softmax.probability(class)).sum();
            assert!((sum - 1.0).abs() < 1e-15, "{logits:?}");
            assert!((0..logits.len()).all(|class| softmax.loss(class).is_finite()), "{logits:?}");
        }
        assert_eq!(Softmax::of(&[1e4, 0.0]).loss(1), 1e4);
    }

    #[test]
    fn log_odds_order_texts_whose_probabilities_round_to_1() {
        let (sure, surer) = ([50.0, 0.0, 0.0], [60.0, 0.0, 0.0]);
        let (sure, surer) = (Softmax::of(&sure), Softmax::of(&surer));
        assert_eq!((sure.probability(0), surer.probability(0)), (1.0, 1.0));
        assert!(surer.log_odds(0) > sure.log_odds(0));
        assert!((sure.log_odds(0) - (50.0 - 2f32.ln())).abs() < 1e-5);
        assert!((sure.log_odds(1) + 50.0).abs() < 1e-5);
    }

    #[test]
    fn a_logit_that_is_not_finite_makes_the_loss_nan() {
        for wrong in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            assert!(Softmax::of(&[0.0, wrong, 1.0]).loss(2).is_nan());
        }
    }

    #[test]
    fn the_first_of_equal_numbers_is_the_largest() {
        assert_eq!(first_largest([1.0, 2.0, 2.0].into_iter()), 1);
        assert_eq!(first_largest([f64::NAN, -1.0].into_iter()), 1);
        assert_eq!(first_largest([].into_iter()), 0);
    }
}

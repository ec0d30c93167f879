//! Whether one setting is better than another: figures of the same seeds, pair by pair.

/// The difference of two settings over the seeds that both have.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Difference {
    /// The mean difference.
    pub(super) mean: f64,
    /// The standard error of that mean; 0 of one pair.
    pub(super) error: f64,
    /// Pairs.
    pub(super) n: usize,
    /// The probability of a mean difference at least this far from 0 if the sign of each difference were chance (a
    /// permutation test over all signs: two-sided, exact). It cannot be below 2 / 2ⁿ.
    pub(super) p: f64,
}

/// Most pairs whose signs are all tried.
pub(super) const MOST: usize = 20;

/// `None` without a pair, or with more than [`MOST`].
pub(super) fn difference(pairs: &[(f64, f64)]) -> Option<Difference> {
    let n = pairs.len();
    if n == 0 || n > MOST {
        return None;
    }
    let differences: Vec<f64> = pairs.iter().map(|(before, after)| after - before).collect();
    let mean = differences.iter().sum::<f64>() / n as f64;
    let squares: f64 = differences.iter().map(|difference| (difference - mean).powi(2)).sum();
    let error = (squares / (n as f64 - 1.0).max(1.0) / n as f64).sqrt();
    let total = differences.iter().sum::<f64>().abs();
    let as_far = (0u32..1 << n).filter(|signs| {
        let flipped = differences.iter().enumerate().map(|(pair, difference)| {
            if signs >> pair & 1 == 1 { -difference } else { *difference }
        });
        // Sums in another order differ in the last digits.
        flipped.sum::<f64>().abs() >= total * (1.0 - 1e-9)
    });
    let p = as_far.count() as f64 / f64::from(1u32 << n);
    Some(Difference { mean, error, n, p })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gain_in_every_seed_is_as_sure_as_the_seeds_allow() {
        let pairs: Vec<(f64, f64)> = (0..5).map(|i| (f64::from(i), f64::from(i) + 0.5)).collect();
        let found = difference(&pairs).unwrap();
        assert_eq!((found.mean, found.error, found.n), (0.5, 0.0, 5));
        assert_eq!(found.p, 2.0 / 32.0);
    }

    #[test]
    fn gains_and_losses_of_the_same_size_are_chance() {
        let found = difference(&[(0.0, 0.1), (0.1, 0.0)]).unwrap();
        assert!(found.mean.abs() < 1e-12 && found.p == 1.0);
        assert_eq!(difference(&[]), None);
        assert!(difference(&[(0.0, 0.1); MOST]).is_some());
    }
}

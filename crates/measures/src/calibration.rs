//! How far probabilities are from the fraction of cases in which they are right.
//!
//! The expected calibration error (Naeini et al. 2015, <https://doi.org/10.1609/aaai.v29i1.9602>; Guo et
//! al. 2017, <https://arxiv.org/abs/1706.04599>): probabilities are sorted into 15 bins of equal width,
//! and the error is the mean over all of them of the difference between the mean probability and the
//! fraction of cases that came true in their bin.

/// Number of bins.
const N_BINS: usize = 15;

/// One probability: its bin, and how much larger it is than the truth.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Excess {
    bin: usize,
    amount: f64,
}

impl Excess {
    /// `happened`: whether what has this probability was so.
    pub(crate) fn of(probability: f64, happened: bool) -> Self {
        let bin = ((probability * N_BINS as f64) as usize).min(N_BINS - 1);
        Self { bin, amount: probability - f64::from(u8::from(happened)) }
    }
}

/// Sums of the excesses in each bin.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Bins([f64; N_BINS]);

impl Bins {
    /// Adds a probability that occurs `times` times.
    pub(crate) fn add(&mut self, excess: Excess, times: f64) {
        self.0[excess.bin] += times * excess.amount;
    }

    /// Adds the sums of a text that occurs `times` times.
    pub(crate) fn add_all(&mut self, bins: &Self, times: f64) {
        self.0.iter_mut().zip(bins.0).for_each(|(sum, of_text)| *sum += times * of_text);
    }

    /// The calibration error of `n` probabilities; 0 for none.
    pub(crate) fn error(&self, n: usize) -> f64 {
        self.0.iter().map(|excess| excess.abs()).sum::<f64>() / n.max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(cases: &[(f64, bool)]) -> f64 {
        let mut bins = Bins::default();
        cases.iter().for_each(|&(p, happened)| bins.add(Excess::of(p, happened), 1.0));
        bins.error(cases.len())
    }

    #[test]
    fn the_error_is_that_of_each_bin_by_its_cases() {
        let honest =
            |p: f64, right: bool| [(p, right), (p, right), (p, right), (p, right), (p, !right)];
        assert!(error(&[honest(0.8, true), honest(0.2, false)].concat()) < 1e-12);
        // 0.8 where 1 of 5 is right: 0.6 too much for half of the cases.
        assert!((error(&[honest(0.8, true), honest(0.8, false)].concat()) - 0.3).abs() < 1e-12);
        assert_eq!(error(&[]), 0.0);
    }

    #[test]
    fn a_probability_of_1_is_in_the_last_bin() {
        assert!(error(&[(1.0, true), (0.95, false)]) > 0.4);
        assert_eq!(Excess::of(1.0, true).bin, Excess::of(0.95, true).bin);
    }
}

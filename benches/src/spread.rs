//! Median, quartiles and range of a set of times.

use std::fmt;

/// The spread of a set of times, in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// Minimum.
    pub min_s: f64,
    /// Lower quartile.
    pub lower_quartile_s: f64,
    /// Median.
    pub median_s: f64,
    /// Upper quartile.
    pub upper_quartile_s: f64,
    /// Maximum.
    pub max_s: f64,
}

impl Spread {
    /// Computes the spread, with linear interpolation between times; `None` for no times.
    pub fn of(times_s: &[f64]) -> Option<Self> {
        let mut sorted = times_s.to_vec();
        sorted.sort_by(f64::total_cmp);
        let last = sorted.len().checked_sub(1)?;
        let quantile = |share: f64| {
            let at = share * last as f64;
            let (below, above) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
            below + (above - below) * at.fract()
        };
        Some(Self {
            min_s: sorted[0],
            lower_quartile_s: quantile(0.25),
            median_s: quantile(0.5),
            upper_quartile_s: quantile(0.75),
            max_s: sorted[last],
        })
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, scale) = if self.median_s < 1e-3 { ("µs", 1e6) } else { ("ms", 1e3) };
        write!(
            f,
            "median {:.1} {unit}, quartiles {:.1} and {:.1}, range {:.1} to {:.1}",
            self.median_s * scale,
            self.lower_quartile_s * scale,
            self.upper_quartile_s * scale,
            self.min_s * scale,
            self.max_s * scale,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_between_neighbours() {
        assert_eq!(Spread::of(&[]), None);
        let spread = Spread::of(&[4.0, 1.0, 3.0, 2.0]).unwrap();
        assert_eq!((spread.min_s, spread.median_s, spread.max_s), (1.0, 2.5, 4.0));
        assert_eq!((spread.lower_quartile_s, spread.upper_quartile_s), (1.75, 3.25));
    }
}

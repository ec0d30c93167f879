//! A measure over several trainings.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::metrics::Metrics;

/// Mean and standard deviation of a measure.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// The mean.
    pub mean: f64,
    /// The standard deviation of the values themselves, not of their mean, with n - 1 in the denominator; 0 of a
    /// single value.
    pub deviation: f64,
    /// The smallest value.
    pub min: f64,
    /// The largest value.
    pub max: f64,
}

impl Spread {
    /// Of some values; `None` of none.
    pub fn of(values: &[f64]) -> Option<Self> {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let deviation = (squares / (n - 1.0).max(1.0)).sqrt();
        let (min, max) =
            (values.iter().copied().reduce(f64::min)?, values.iter().copied().reduce(f64::max)?);
        Some(Self { mean, deviation, min, max })
    }
}

impl Metrics {
    /// The spread of each measure over several metrics, by its name as in [`Intervals`](crate::Intervals). What is not
    /// defined for one of them, such as the recall of a class without texts, has none.
    pub fn spreads<'a>(all: impl IntoIterator<Item = &'a Self>) -> BTreeMap<String, Spread> {
        let mut values: BTreeMap<String, Vec<f64>> = BTreeMap::new();
        let mut n = 0;
        for metrics in all {
            n += 1;
            for (name, value) in metrics.scalars() {
                if let Some(value) = value {
                    values.entry(name.to_string()).or_default().push(value);
                }
            }
        }
        let complete = values.into_iter().filter(|(_, values)| values.len() == n);
        complete.filter_map(|(name, values)| Some((name, Spread::of(&values)?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::binary::Binary;

    #[test]
    fn the_deviation_is_that_of_a_sample() {
        let spread = Spread::of(&[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]).unwrap();
        assert_eq!((spread.mean, spread.min, spread.max), (5.0, 2.0, 9.0));
        assert!((spread.deviation - (32.0f64 / 7.0).sqrt()).abs() < 1e-12);
        assert_eq!(Spread::of(&[3.0]).unwrap().deviation, 0.0);
        assert_eq!(Spread::of(&[]), None);
    }

    #[test]
    fn a_measure_that_one_of_them_lacks_has_no_spread() {
        let both = Metrics::Binary(Binary::of_logits(&[2.0, -1.0], &[1, 0], 0.5).unwrap());
        let one_class = Metrics::Binary(Binary::of_logits(&[2.0, -1.0], &[1, 1], 0.5).unwrap());
        let spreads = Metrics::spreads([&both, &one_class]);
        assert_eq!(spreads["accuracy"].mean, 0.75);
        assert!(!spreads.contains_key("roc_auc"));
        assert!(Metrics::spreads([&both]).contains_key("roc_auc"));
    }
}

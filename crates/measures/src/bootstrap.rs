//! How far measures would vary with other texts: bootstrap intervals.
//!
//! Texts are drawn with replacement as often as there are texts, and everything is measured again; the
//! interval holds the middle part of the results (the percentile bootstrap: Efron and Tibshirani 1993, An
//! Introduction to the Bootstrap, chapter 13). Measured are the same functions as for the estimate, which
//! is that of each text once.

use std::collections::BTreeMap;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::any_of;
use crate::binary;
use crate::error::{Error, Result};
use crate::label_sets::LabelSets;
use crate::one_of;
use crate::scalars::Scalars;

/// How intervals are computed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Bootstrap {
    /// Number of times that texts are drawn.
    pub n_resamples: usize,
    /// The same seed gives the same intervals, on any number of threads.
    pub seed: u64,
    /// The fraction of results that an interval holds, between 0 and 1.
    pub level: f64,
}

impl Default for Bootstrap {
    fn default() -> Self {
        Self { n_resamples: 1000, seed: 0, level: 0.95 }
    }
}

/// Intervals `[low, high]` by the serialised names of measures: `accuracy`, `macro_f1`; of class 2,
/// `classes.2.recall`; of the accuracy within three classes, `top_k.3`.
///
/// A measure that is undefined in a resample (a recall without texts) is left out there; one that is
/// undefined in more than half of them has no interval. Areas of single classes have intervals for up to 50
/// classes. An interval need not hold the estimate: the calibration error in particular is larger in
/// resamples, because repeated texts look like badly calibrated ones.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Intervals(pub BTreeMap<String, [f64; 2]>);

impl Intervals {
    /// The interval of a measure.
    pub fn get(&self, name: &str) -> Option<[f64; 2]> {
        self.0.get(name).copied()
    }
}

/// Intervals of the measures of [`Binary::of_logits`](crate::Binary::of_logits). Time: N a resample.
///
/// # Errors
/// As there, and [`Error::Level`].
pub fn intervals_binary(
    logits: &[f32],
    labels: &[u32],
    threshold: f32,
    config: Bootstrap,
) -> Result<Intervals> {
    let sample = binary::Sample::new(logits, labels, threshold)?;
    intervals(sample.len(), |times| sample.measure(times).scalars(), config)
}

/// Intervals of the measures of [`OneOf::of_logits`](crate::OneOf::of_logits). Time: N · C a resample;
/// memory: twice that of the logits, and the results.
///
/// # Errors
/// As there, and [`Error::Level`].
pub fn intervals_one_of(
    logits: &[f32],
    n_classes: usize,
    labels: &[u32],
    thresholds: Option<&[f32]>,
    config: Bootstrap,
) -> Result<Intervals> {
    let sample = one_of::Sample::new(logits, n_classes, labels, thresholds)?;
    let rankings = sample.rankings();
    intervals(sample.len(), |times| sample.measure(times, Some(&rankings)).scalars(), config)
}

/// Intervals of the measures of [`AnyOf::of_logits`](crate::AnyOf::of_logits). Time and memory as
/// [`intervals_one_of`].
///
/// # Errors
/// As there, and [`Error::Level`].
pub fn intervals_any_of(
    logits: &[f32],
    n_classes: usize,
    targets: LabelSets<'_>,
    thresholds: Option<&[f32]>,
    config: Bootstrap,
) -> Result<Intervals> {
    let sample = any_of::Sample::new(logits, n_classes, targets, thresholds)?;
    let rankings = sample.rankings();
    intervals(sample.len(), |times| sample.measure(times, Some(&rankings)).scalars(), config)
}

/// `measure`: measures by name, always in the same order, if text i occurs `times[i]` times.
fn intervals(
    n_rows: usize,
    measure: impl Fn(&[u32]) -> Scalars + Sync,
    config: Bootstrap,
) -> Result<Intervals> {
    let Bootstrap { n_resamples, seed, level } = config;
    if !(level > 0.0 && level < 1.0) {
        return Err(Error::Level { got: level });
    }
    if n_rows == 0 {
        return Ok(Intervals::default());
    }
    let resample = |times: &mut Vec<u32>, index: usize| -> Vec<Option<f64>> {
        times.clear();
        times.resize(n_rows, 0);
        let mut random = SplitMix64::stream(seed, index as u64);
        (0..n_rows).for_each(|_| times[random.below(n_rows)] += 1);
        measure(times).into_iter().map(|(_, value)| value).collect()
    };
    let results: Vec<Vec<Option<f64>>> =
        (0..n_resamples).into_par_iter().map_init(Vec::new, resample).collect();
    let names = measure(&vec![1; n_rows]).into_iter().map(|(name, _)| name);
    let of_measure = |(place, name): (usize, crate::scalars::Name)| {
        let values = results.iter().filter_map(|result| result[place]).collect();
        Some((name.to_string(), middle(values, n_resamples, level)?))
    };
    Ok(Intervals(names.enumerate().filter_map(of_measure).collect()))
}

/// The middle part of results, if at least half of `n_resamples` have one.
fn middle(mut values: Vec<f64>, n_resamples: usize, level: f64) -> Option<[f64; 2]> {
    values.retain(|value| value.is_finite());
    if values.is_empty() || 2 * values.len() < n_resamples {
        return None;
    }
    values.sort_unstable_by(f64::total_cmp);
    let outside = (1.0 - level) / 2.0;
    Some([quantile(&values, outside), quantile(&values, 1.0 - outside)])
}

/// A quantile of sorted numbers, at least one, interpolated linearly (Hyndman and Fan 1996, definition 7).
fn quantile(sorted: &[f64], fraction: f64) -> f64 {
    let last = sorted.len() - 1;
    let place = fraction * last as f64;
    let below = (place as usize).min(last);
    let above = (below + 1).min(last);
    sorted[below] + (place - below as f64) * (sorted[above] - sorted[below])
}

/// A small generator (Steele et al. 2014, <https://doi.org/10.1145/2660193.2660195>).
struct SplitMix64(u64);

impl SplitMix64 {
    /// One of many independent streams of a seed.
    fn stream(seed: u64, index: u64) -> Self {
        Self(Self(Self(seed).next() ^ index).next())
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = self.0;
        let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below n; the numbers' chances differ by n / 2⁶⁴ at most.
    fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.next()) * n as u128) >> 64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_is_splitmix64() {
        // The first numbers of the reference implementation for seed 1234567.
        let mut random = SplitMix64(1_234_567);
        assert_eq!(random.next(), 6_457_827_717_110_365_317);
        assert_eq!(random.next(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn draws_are_below_their_bound_and_reach_all_of_it() {
        let mut random = SplitMix64::stream(7, 3);
        let mut n_drawn = [0; 5];
        (0..5000).for_each(|_| n_drawn[random.below(5)] += 1);
        assert!(n_drawn.iter().all(|n| (850..1150).contains(n)), "{n_drawn:?}");
    }

    #[test]
    fn quantiles_are_interpolated() {
        assert_eq!(quantile(&[1.0, 2.0, 4.0], 0.5), 2.0);
        assert_eq!(quantile(&[1.0, 2.0, 4.0], 0.75), 3.0);
        assert_eq!(quantile(&[1.0, 2.0, 4.0], 1.0), 4.0);
        assert_eq!(quantile(&[1.0], 0.3), 1.0);
    }

    #[test]
    fn results_that_are_absent_in_more_than_half_of_the_resamples_have_no_interval() {
        assert!(middle(vec![1.0; 50], 100, 0.95).is_some());
        assert_eq!(middle(vec![1.0; 49], 100, 0.95), None);
        assert_eq!(middle(vec![f64::NAN; 100], 100, 0.95), None);
        assert_eq!(middle(vec![], 0, 0.95), None);
    }

    #[test]
    fn no_texts_have_no_intervals_and_a_level_is_between_0_and_1() {
        let config = Bootstrap::default();
        assert_eq!(intervals_binary(&[], &[], 0.5, config), Ok(Intervals::default()));
        for level in [0.0, 1.0, f64::NAN] {
            let config = Bootstrap { level, ..config };
            let refused = intervals_binary(&[1.0], &[1], 0.5, config);
            assert!(matches!(refused, Err(Error::Level { .. })), "{level}");
        }
    }

    /// Texts of three classes, some with equal logits, and how often each occurs.
    const TIMES: [u32; 8] = [1, 0, 3, 2, 0, 1, 4, 1];
    const LABELS: [u32; 8] = [0, 1, 2, 0, 2, 1, 1, 0];
    const STARTS: [usize; 9] = [0, 1, 3, 3, 5, 5, 5, 6, 8];
    const CLASSES: [u32; 8] = [0, 1, 2, 0, 1, 2, 0, 1];

    fn logits(n_classes: usize) -> Vec<f32> {
        let mut random = SplitMix64::stream(1, 1);
        (0..8 * n_classes).map(|_| (random.below(17) as f32 - 8.0) / 4.0).collect()
    }

    /// Rows, each as often as its text occurs.
    fn repeated<T: Copy>(rows: &[T], n_columns: usize) -> Vec<T> {
        let rows = rows.chunks(n_columns).zip(TIMES);
        rows.flat_map(|(row, times)| row.repeat(times as usize)).collect()
    }

    fn assert_same(got: Scalars, expected: Scalars) {
        assert_eq!(got.len(), expected.len());
        for ((name, got), (of, expected)) in got.into_iter().zip(expected) {
            assert_eq!((name, got.is_some()), (of, expected.is_some()), "{name}");
            let difference = got.unwrap_or(0.0) - expected.unwrap_or(0.0);
            assert!(difference.abs() < 1e-12, "{name}: {got:?}, {expected:?}");
        }
    }

    #[test]
    fn a_resample_of_two_classes_measures_what_its_texts_written_out_do() {
        let (logits, labels) = (logits(1), LABELS.map(|label| label % 2));
        let sample = binary::Sample::new(&logits, &labels, 0.4).unwrap();
        let (logits, labels) = (repeated(&logits, 1), repeated(&labels, 1));
        let expected = binary::Binary::of_logits(&logits, &labels, 0.4).unwrap();
        assert_same(sample.measure(&TIMES).scalars(), expected.scalars());
    }

    #[test]
    fn a_resample_of_one_of_several_classes_measures_what_its_texts_written_out_do() {
        let logits = logits(3);
        let thresholds = Some(&[0.3, 0.5, 0.4][..]);
        let sample = one_of::Sample::new(&logits, 3, &LABELS, thresholds).unwrap();
        let (logits, labels) = (repeated(&logits, 3), repeated(&LABELS, 1));
        let expected = one_of::OneOf::of_logits(&logits, 3, &labels, thresholds).unwrap();
        let ranked = sample.measure(&TIMES, Some(&sample.rankings()));
        assert_eq!(ranked, sample.measure(&TIMES, None));
        assert_same(ranked.scalars(), expected.scalars());
    }

    #[test]
    fn a_resample_of_any_number_of_labels_measures_what_its_texts_written_out_do() {
        let logits = logits(3);
        let targets = LabelSets { starts: &STARTS, classes: &CLASSES };
        let sample = any_of::Sample::new(&logits, 3, targets, None).unwrap();
        let (mut starts, mut classes) = (vec![0], Vec::new());
        for (range, times) in STARTS.windows(2).zip(TIMES) {
            for _ in 0..times {
                classes.extend(&CLASSES[range[0]..range[1]]);
                starts.push(classes.len());
            }
        }
        let targets = LabelSets { starts: &starts, classes: &classes };
        let expected = any_of::AnyOf::of_logits(&repeated(&logits, 3), 3, targets, None).unwrap();
        let ranked = sample.measure(&TIMES, Some(&sample.rankings()));
        assert_eq!(ranked, sample.measure(&TIMES, None));
        assert_same(ranked.scalars(), expected.scalars());
    }
}

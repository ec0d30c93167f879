//! One logistic fit on validation texts for two purposes: to weight a network's paths (stacking), and to
//! calibrate the probabilities of one output with a sigmoid (temperature scaling): of two classes, or of one label
//! among any number. `softmax_calibration` is the same for one class of several; `stacking` chooses.

use crate::newton::{Convex, dot, minimum};
use crate::ties::{Tie, Tied, says_nothing};

/// The highest temperature of a single path, and the inverse of the lowest; beyond them the fit follows a
/// handful of texts.
pub(crate) const MAX_TEMPERATURE: f64 = 20.0;

/// Fewest texts with and without a label for a temperature, or a threshold, of its own.
pub(crate) const FEW_TEXTS: usize = 5;

/// What a fit found: the logits are `Σ scale · logit + intercept`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Fit {
    /// One for each path, none negative.
    pub(crate) scales: Vec<f64>,
    /// 0 if it was not fitted.
    pub(crate) intercept: f64,
}

/// Whether an intercept is fitted beside the scales. Without one, the scale of a single path changes no text's
/// class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Intercept {
    None,
    Fitted,
}

/// Texts that have a label or have it not: of two classes, the positive one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample<'a> {
    /// 0 or 1 for each text.
    pub(crate) labels: &'a [u32],
    /// Weights of texts with label 0 and with label 1.
    pub(crate) class_weights: [f64; 2],
    /// The weight of each text beside its class's; 1 if absent.
    pub(crate) row_weights: Option<&'a [f32]>,
}

impl<'a> Sample<'a> {
    /// Texts that count equally.
    pub(crate) fn of(labels: &'a [u32]) -> Self {
        Self { labels, class_weights: [1.0; 2], row_weights: None }
    }
}

/// The scales of one or several paths' logits, and the intercept, for which
/// `σ(Σ scale · logit + intercept)` has the lowest binary cross-entropy. The loss is convex; Newton's
/// method finds its minimum.
///
/// Labels are pulled slightly towards the middle, as if each class had two texts more, one of each label
/// (Platt 1999): a few correct texts do not justify certainty.
///
/// `paths`: one logit per text. `None` if there are no texts, or a logit is not finite.
pub(crate) fn fit(paths: &[&[f32]], sample: Sample<'_>, intercept: Intercept) -> Option<Fit> {
    fit_tied(paths, &[], sample, intercept)
}

/// The same with scales of some paths pulled towards each other.
pub(crate) fn fit_tied(
    paths: &[&[f32]],
    ties: &[Tie],
    sample: Sample<'_>,
    intercept: Intercept,
) -> Option<Fit> {
    let is_finite = paths.iter().flat_map(|path| path.iter()).all(|logit| logit.is_finite());
    if paths.is_empty() || sample.labels.is_empty() || !is_finite {
        return None;
    }
    let mut used: Vec<Column> = (0..paths.len()).map(Column::Path).collect();
    if intercept == Intercept::Fitted {
        used.push(Column::Ones);
    }
    loop {
        let problem = Problem { paths, sample, targets: targets(sample.labels), used: &used };
        let place = |path| used.iter().position(|column| *column == Column::Path(path));
        let problem = Tied::new(problem, ties, place);
        // At 0 no probability is extreme, so that the first step is a good one whatever the logits are.
        let found = minimum(&problem, vec![0.0; used.len()]);
        // A path that would count against itself is left out.
        let paths_found = used.iter().zip(&found).filter(|(column, _)| **column != Column::Ones);
        match paths_found.min_by(|a, b| a.1.total_cmp(b.1)) {
            Some((&worst, scale)) if *scale < 0.0 => used.retain(|&column| column != worst),
            _ => {
                let mut fit = Fit { scales: vec![0.0; paths.len()], intercept: 0.0 };
                for (&column, value) in used.iter().zip(found) {
                    match column {
                        // Any scale fits a path whose logits are all 0.
                        Column::Path(path) if says_nothing(paths, path, ties) => {
                            fit.scales[path] = 1.0;
                        }
                        Column::Path(path) => fit.scales[path] = value,
                        Column::Ones => fit.intercept = value,
                    }
                }
                return Some(fit);
            }
        }
    }
}

/// The temperature T > 0 for which the probabilities `σ(logit / T)` fit the labels best: the one with
/// the lowest binary cross-entropy (temperature scaling, Guo et al. 2017, [On calibration of modern
/// neural networks](https://arxiv.org/abs/1706.04599)). Above 1, the logits were overconfident. Labels
/// are smoothed slightly (Platt 1999).
///
/// `labels`: 0 or 1 for each logit. Returns a value between 1/20 and 20; 1 if there is nothing to fit.
pub fn fit_temperature(logits: &[f32], labels: &[u32]) -> f64 {
    let fit = fit(&[logits], Sample::of(labels), Intercept::None);
    fit.map_or(1.0, |fit| temperature(fit.scales[0]))
}

/// The inverse of a single path's scale, within bounds.
pub(crate) fn temperature(scale: f64) -> f64 {
    1.0 / scale.clamp(1.0 / MAX_TEMPERATURE, MAX_TEMPERATURE)
}

/// The targets for labels 0 and 1.
fn targets(labels: &[u32]) -> [f64; 2] {
    let n_positive = labels.iter().filter(|&&label| label == 1).count() as f64;
    let n_negative = labels.len() as f64 - n_positive;
    [1.0 / (n_negative + 2.0), (n_positive + 1.0) / (n_positive + 2.0)]
}

/// A column of a regression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    /// The logits of a path.
    Path(usize),
    /// 1 for every text.
    Ones,
}

/// A logistic regression over the columns `used`.
struct Problem<'a> {
    paths: &'a [&'a [f32]],
    sample: Sample<'a>,
    targets: [f64; 2],
    used: &'a [Column],
}

impl Problem<'_> {
    /// Each text's features, target and weight.
    fn rows(&self) -> impl Iterator<Item = (Vec<f64>, f64, f64)> {
        let Sample { labels, class_weights, row_weights } = self.sample;
        labels.iter().enumerate().map(move |(row, &label)| {
            let class = usize::from(label == 1);
            let feature = |column: &Column| match *column {
                Column::Path(path) => f64::from(self.paths[path][row]),
                Column::Ones => 1.0,
            };
            let features = self.used.iter().map(feature).collect();
            let row_weight = row_weights.map_or(1.0, |weights| f64::from(weights[row]));
            let weight = class_weights[class] * row_weight / labels.len() as f64;
            (features, self.targets[class], weight)
        })
    }
}

impl Convex for Problem<'_> {
    fn loss(&self, scales: &[f64]) -> f64 {
        self.rows()
            .map(|(features, target, weight)| {
                let x = dot(&features, scales);
                // ln(1 + eˣ) - t x, finite for every x.
                weight * (x.max(0.0) + (-x.abs()).exp().ln_1p() - target * x)
            })
            .sum()
    }

    fn derivatives(&self, scales: &[f64]) -> (Vec<f64>, Vec<Vec<f64>>) {
        let n = self.used.len();
        let (mut gradient, mut hessian) = (vec![0.0; n], vec![vec![0.0; n]; n]);
        for (features, target, weight) in self.rows() {
            let p = 1.0 / (1.0 + (-dot(&features, scales)).exp());
            for i in 0..n {
                gradient[i] += weight * (p - target) * features[i];
                for j in 0..n {
                    hessian[i][j] += weight * p * (1.0 - p) * features[i] * features[j];
                }
            }
        }
        (gradient, hessian)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of 1,000 texts with logit x, a fraction σ(x) is positive.
    fn honest() -> (Vec<f32>, Vec<u32>) {
        let (mut logits, mut labels) = (Vec::new(), Vec::new());
        for x in [-3.0f32, -1.0, 0.5, 2.0] {
            let n_positive = (1_000.0 / (1.0 + (-f64::from(x)).exp())).round() as usize;
            logits.extend([x; 1_000]);
            labels.extend((0..1_000).map(|i| u32::from(i < n_positive)));
        }
        (logits, labels)
    }

    #[test]
    fn logits_that_were_stretched_are_found_out() {
        let (logits, labels) = honest();
        let stretched: Vec<f32> = logits.iter().map(|x| x * 2.5).collect();
        let temperature = fit_temperature(&stretched, &labels);
        assert!((temperature - 2.5).abs() < 0.01, "{temperature}");
    }

    #[test]
    fn what_cannot_be_fitted_stays_as_it_is_or_in_bounds() {
        assert_eq!(fit_temperature(&[], &[]), 1.0);
        assert_eq!(fit_temperature(&[f32::NAN], &[1]), 1.0);
        assert_eq!(fit_temperature(&[0.0, 0.0], &[1, 0]), 1.0);
        // Two correct predictions: a probability of 2/3, whose logit is ln 2.
        assert!((fit_temperature(&[1.0, -1.0], &[1, 0]) - 1.0 / 2f64.ln()).abs() < 1e-6);
        assert_eq!(fit_temperature(&[1.0, -1.0], &[0, 1]), 20.0);
        assert_eq!(fit_temperature(&[1e-9, -1e-9], &[1, 0]), 1.0 / 20.0);
        assert_eq!(fit_temperature(&[1e30, -1e30, 1e30], &[1, 0, 0]), 20.0);
    }

    /// Logits so large that every probability is 0 or 1, in a fifth of the texts the wrong one.
    #[test]
    fn overconfident_logits_are_scaled_down() {
        let labels: Vec<u32> = (0..500).map(|i| (i % 2) as u32).collect();
        let sure = |size: f32| -> Vec<f32> {
            let sign = |i: usize| if (i % 2 == 1) != i.is_multiple_of(5) { 1.0 } else { -1.0 };
            (0..500).map(|i| sign(i) * size).collect()
        };
        // Of those predicted positive four in five are: the logit is ln 4, less a little for Platt's targets.
        for size in [2.0, 10.0, 30.0, 100.0, 3000.0] {
            let fit = fit(&[&sure(size)], Sample::of(&labels), Intercept::None);
            let logit = fit.map_or(0.0, |fit| fit.scales[0] * f64::from(size));
            assert!((logit - 4f64.ln()).abs() < 0.02, "{size}: {logit}");
        }
        assert_eq!(fit_temperature(&sure(100.0), &labels), 20.0);
    }

    #[test]
    fn the_scale_goes_to_the_path_that_knows() {
        let labels: Vec<u32> = (0..200).map(|i| (i % 2) as u32).collect();
        let knowing: Vec<f32> = labels.iter().map(|&label| label as f32 * 4.0 - 2.0).collect();
        let guessing: Vec<f32> = (0..200).map(|i| (i as f32 * 0.7).sin()).collect();
        let against: Vec<f32> = knowing.iter().map(|x| -x + 0.1).collect();
        let fit = |paths: &[&[f32]]| {
            fit(paths, Sample::of(&labels), Intercept::None)
                .map(|fit| fit.scales)
                .unwrap_or_default()
        };
        let scales = fit(&[&guessing, &knowing]);
        assert!(scales[1] > 20.0 * scales[0], "{scales:?}");
        // One that is wrong, one that is constant, one that is redundant.
        let alone = fit(&[&knowing]);
        let dead = vec![0.0; 200];
        for other in [&against, &dead] {
            let scales = fit(&[&knowing, other]);
            assert!((scales[0] - alone[0]).abs() < 1e-6, "{scales:?} {alone:?}");
            assert!(scales.iter().all(|scale| *scale >= 0.0 && scale.is_finite()), "{scales:?}");
        }
        let twice = fit(&[&knowing, &knowing]);
        assert!((twice[0] + twice[1] - alone[0]).abs() < 1e-6, "{twice:?} {alone:?}");
    }

    /// At the minimum no small change of any scale lowers the loss.
    #[test]
    fn the_fit_is_the_minimum_with_weights_and_three_paths() {
        let (logits, labels) = honest();
        let wave = |speed: f32| -> Vec<f32> {
            logits.iter().enumerate().map(|(i, x)| x * 0.5 + (i as f32 * speed).sin()).collect()
        };
        let paths = [&logits[..], &wave(0.3), &wave(1.7)];
        for weights in [[1.0, 1.0], [1.0, 9.0]] {
            let sample = Sample { class_weights: weights, ..Sample::of(&labels) };
            let Some(Fit { mut scales, intercept }) = fit(&paths, sample, Intercept::Fitted) else {
                panic!("no fit");
            };
            scales.push(intercept);
            let used = [Column::Path(0), Column::Path(1), Column::Path(2), Column::Ones];
            let problem = Problem { paths: &paths, sample, targets: targets(&labels), used: &used };
            let lowest = problem.loss(&scales);
            for k in 0..4 {
                for change in [-1e-3, 1e-3] {
                    let mut moved = scales.clone();
                    moved[k] += change;
                    let is_allowed = k == 3 || moved[k] >= 0.0;
                    assert!(!is_allowed || problem.loss(&moved) >= lowest, "{scales:?}");
                }
            }
        }
    }

    #[test]
    fn a_text_that_weighs_twice_counts_like_two() {
        let logits = [1.5f32, -0.5, 0.25, 2.0, -1.0];
        let labels = [1u32, 0, 0, 1, 1];
        let doubled = [1.5f32, -0.5, 0.25, 0.25, 2.0, -1.0];
        let weights = [1.0f32, 1.0, 2.0, 1.0, 1.0];
        let sample = Sample { row_weights: Some(&weights), ..Sample::of(&labels) };
        // The targets count texts, so they are made equal.
        let loss = |logits: &[f32], sample, scales: &[f64], n: f64| {
            let (paths, used) = ([logits], [Column::Path(0)]);
            Problem { paths: &paths, sample, targets: [0.1, 0.9], used: &used }.loss(scales) * n
        };
        for scale in [0.5, 1.0, 2.0] {
            let once = loss(&logits, sample, &[scale], 5.0);
            let twice = loss(&doubled, Sample::of(&[1, 0, 0, 0, 1, 1]), &[scale], 6.0);
            assert!((once - twice).abs() < 1e-12, "{once} {twice}");
        }
    }
}

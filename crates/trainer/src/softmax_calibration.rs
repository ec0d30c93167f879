//! `calibration` for one class of several: one multinomial logistic fit on validation texts weights a network's
//! paths and calibrates its probabilities.

use crate::newton::{Convex, minimum};
use crate::ties::{Tie, Tied, says_nothing};

/// With more classes there are too few texts of each to fit an intercept for every one.
pub(crate) const MAX_INTERCEPTS: usize = 100;
/// Weight of the penalty on half the squared intercepts, in texts: an intercept of 1 costs as much as a loss of half
/// a nat on one text.
const PENALTY: f64 = 1.0;

/// What a fit found: the logits are `Σ scale · logit + intercept`, one intercept for each class.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Fit {
    /// One for each path, none negative.
    pub(crate) scales: Vec<f64>,
    /// `[C]`; empty if none were fitted.
    pub(crate) intercepts: Vec<f64>,
}

/// Texts with one label of several.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample<'a> {
    pub(crate) labels: &'a [u32],
    /// The weight of each class, `[C]`.
    pub(crate) class_weights: &'a [f64],
    /// The weight of each text beside its class's; 1 if absent.
    pub(crate) row_weights: Option<&'a [f32]>,
}

/// The scales of the paths' logits, and the intercepts if wanted, for which the softmax of
/// `Σ scale · logit + intercept` has the lowest cross-entropy. Labels are pulled slightly towards the other
/// classes, as if one text more were labelled by chance; intercepts are pulled slightly towards 0.
///
/// `paths`: `[N·C]`, row by row. `None` if there are no texts, or a logit is not finite.
pub(crate) fn fit(paths: &[&[f32]], sample: Sample<'_>, with_intercepts: bool) -> Option<Fit> {
    fit_tied(paths, &[], sample, with_intercepts)
}

/// The same with scales of some paths pulled towards each other.
pub(crate) fn fit_tied(
    paths: &[&[f32]],
    ties: &[Tie],
    sample: Sample<'_>,
    with_intercepts: bool,
) -> Option<Fit> {
    let is_finite = paths.iter().flat_map(|path| path.iter()).all(|logit| logit.is_finite());
    if paths.is_empty() || sample.labels.is_empty() || !is_finite {
        return None;
    }
    let n_classes = sample.class_weights.len();
    let n_intercepts = if with_intercepts && n_classes <= MAX_INTERCEPTS { n_classes } else { 0 };
    let mut used: Vec<usize> = (0..paths.len()).collect();
    loop {
        let problem = Problem { paths, sample, used: &used, n_intercepts };
        let place = |path| used.iter().position(|&other| other == path);
        let problem = Tied::new(problem, ties, place);
        let found = minimum(&problem, vec![0.0; used.len() + n_intercepts]);
        let (scales, intercepts) = found.split_at(used.len());
        // A path that would count against itself is left out.
        match used.iter().zip(scales).min_by(|a, b| a.1.total_cmp(b.1)) {
            Some((&worst, scale)) if *scale < 0.0 => used.retain(|&path| path != worst),
            _ => {
                let mut fit =
                    Fit { scales: vec![0.0; paths.len()], intercepts: intercepts.to_vec() };
                for (&path, &scale) in used.iter().zip(scales) {
                    // Any scale fits a path whose logits are all 0.
                    fit.scales[path] = if says_nothing(paths, path, ties) { 1.0 } else { scale };
                }
                return Some(fit);
            }
        }
    }
}

/// A multinomial logistic regression on the paths `used`.
struct Problem<'a> {
    paths: &'a [&'a [f32]],
    sample: Sample<'a>,
    used: &'a [usize],
    n_intercepts: usize,
}

/// A text at some scales.
struct Text<'a> {
    label: usize,
    weight: f64,
    /// The logits of each path used, `[C]` each.
    features: Vec<&'a [f32]>,
    /// `[C]`: logarithms of the probabilities.
    log_p: Vec<f64>,
}

impl Problem<'_> {
    fn n_classes(&self) -> usize {
        self.sample.class_weights.len()
    }

    /// The targets of the labelled class and of each other one.
    fn targets(&self) -> [f64; 2] {
        let n_texts = self.sample.labels.len() as f64;
        let others = (self.n_classes() - 1).max(1) as f64;
        [(n_texts + 1.0) / (n_texts + 2.0), 1.0 / (n_texts + 2.0) / others]
    }

    fn texts(&self, x: &[f64]) -> impl Iterator<Item = Text<'_>> {
        let n_classes = self.n_classes();
        let Sample { labels, class_weights, row_weights } = self.sample;
        let (scales, intercepts) = x.split_at(self.used.len());
        labels.iter().enumerate().map(move |(row, &label)| {
            let features: Vec<&[f32]> = self
                .used
                .iter()
                .map(|&path| &self.paths[path][row * n_classes..(row + 1) * n_classes])
                .collect();
            let logit = |class: usize| {
                let scaled = features.iter().zip(scales).map(|(x, s)| f64::from(x[class]) * s);
                scaled.sum::<f64>() + intercepts.get(class).copied().unwrap_or(0.0)
            };
            let logits: Vec<f64> = (0..n_classes).map(logit).collect();
            let largest = logits.iter().copied().fold(f64::MIN, f64::max);
            let sum = logits.iter().map(|x| (x - largest).exp()).sum::<f64>();
            let log_sum = sum.ln() + largest;
            let row_weight = row_weights.map_or(1.0, |weights| f64::from(weights[row]));
            let weight = class_weights[label as usize] * row_weight / labels.len() as f64;
            let log_p = logits.into_iter().map(|x| x - log_sum).collect();
            Text { label: label as usize, weight, features, log_p }
        })
    }

    fn penalty(&self) -> f64 {
        PENALTY / self.sample.labels.len() as f64
    }
}

impl Convex for Problem<'_> {
    fn loss(&self, x: &[f64]) -> f64 {
        let [labelled, other] = self.targets();
        let of_texts = self.texts(x).map(|text| {
            let all: f64 = text.log_p.iter().sum();
            -text.weight * ((labelled - other) * text.log_p[text.label] + other * all)
        });
        let squares: f64 = x[self.used.len()..].iter().map(|b| b * b).sum();
        of_texts.sum::<f64>() + self.penalty() * squares / 2.0
    }

    fn derivatives(&self, x: &[f64]) -> (Vec<f64>, Vec<Vec<f64>>) {
        let (n, n_paths) = (x.len(), self.used.len());
        let [labelled, other] = self.targets();
        let (mut gradient, mut hessian) = (vec![0.0; n], vec![vec![0.0; n]; n]);
        for Text { label, weight, features, log_p } in self.texts(x) {
            let p: Vec<f64> = log_p.iter().map(|log| log.exp()).collect();
            let target = |class: usize| if class == label { labelled } else { other };
            let mean = |path: usize| -> f64 {
                p.iter().zip(features[path]).map(|(p, x)| p * f64::from(*x)).sum()
            };
            let means: Vec<f64> = (0..n_paths).map(mean).collect();
            for (class, &p) in p.iter().enumerate() {
                let error = weight * (p - target(class));
                for (i, x) in features.iter().enumerate() {
                    let x_i = f64::from(x[class]);
                    gradient[i] += error * x_i;
                    for j in 0..n_paths {
                        let centred = f64::from(features[j][class]) - means[j];
                        hessian[i][j] += weight * p * x_i * centred;
                    }
                    if self.n_intercepts > 0 {
                        let mixed = weight * p * (x_i - means[i]);
                        hessian[i][n_paths + class] += mixed;
                        hessian[n_paths + class][i] += mixed;
                    }
                }
                if self.n_intercepts > 0 {
                    gradient[n_paths + class] += error;
                    hessian[n_paths + class][n_paths + class] += weight * p;
                }
            }
            for a in 0..self.n_intercepts {
                for b in 0..self.n_intercepts {
                    hessian[n_paths + a][n_paths + b] -= weight * p[a] * p[b];
                }
            }
        }
        for (k, b) in x.iter().enumerate().skip(n_paths) {
            gradient[k] += self.penalty() * b;
            hessian[k][k] += self.penalty();
        }
        (gradient, hessian)
    }
}

#[cfg(test)]
mod tests {
    use recurrent::SeededRng;

    use super::*;

    /// Logits of 3 classes, and labels drawn with their probabilities.
    fn honest(n: usize) -> (Vec<f32>, Vec<u32>) {
        let mut rng = SeededRng::new(5);
        let mut logits = Vec::new();
        let labels = (0..n)
            .map(|_| {
                let of_text: Vec<f64> =
                    (0..3).map(|_| rng.below(4_000) as f64 / 1_000.0 - 2.0).collect();
                let sum: f64 = of_text.iter().map(|x| x.exp()).sum();
                let mut rest = rng.below(1_000_000) as f64 / 1e6 * sum;
                logits.extend(of_text.iter().map(|x| *x as f32));
                let class = of_text.iter().position(|x| {
                    rest -= x.exp();
                    rest < 0.0
                });
                class.unwrap_or(2) as u32
            })
            .collect();
        (logits, labels)
    }

    fn equal(labels: &[u32]) -> Sample<'_> {
        Sample { labels, class_weights: &[1.0; 3], row_weights: None }
    }

    #[test]
    fn stretched_logits_are_found_out_and_intercepts_too() {
        let (logits, labels) = honest(20_000);
        let stretched: Vec<f32> = logits.iter().map(|x| x * 2.5).collect();
        let found = fit(&[&stretched], equal(&labels), false).unwrap();
        assert!((found.scales[0] - 0.4).abs() < 0.01 && found.intercepts.is_empty(), "{found:?}");
        let moved: Vec<f32> =
            logits.chunks(3).flat_map(|x| [x[0] + 1.0, x[1] - 0.5, x[2] - 0.5]).collect();
        let found = fit(&[&moved], equal(&labels), true).unwrap();
        for (got, expected) in found.intercepts.iter().zip([-1.0, 0.5, 0.5]) {
            assert!((got - expected).abs() < 0.05, "{found:?}");
        }
    }

    #[test]
    fn the_scale_goes_to_the_path_that_knows() {
        let (logits, labels) = honest(2_000);
        let against: Vec<f32> = logits.iter().map(|x| -x).collect();
        let noise: Vec<f32> = (0..6_000).map(|i| (i as f32 * 0.7).sin()).collect();
        let scales =
            |paths: &[&[f32]]| fit(paths, equal(&labels), false).map(|fit| fit.scales).unwrap();
        assert_eq!(scales(&[&against, &logits])[0], 0.0);
        let with_noise = scales(&[&noise, &logits]);
        assert!(with_noise[1] > 10.0 * with_noise[0], "{with_noise:?}");
        assert_eq!(scales(&[&[0.0; 6_000], &logits])[0], 1.0);
        assert!(fit(&[&[f32::NAN; 6_000]], equal(&labels), false).is_none());
        assert!(fit(&[&[]], equal(&[]), false).is_none());
    }

    /// At the minimum no small change lowers the loss.
    #[test]
    fn the_fit_is_the_minimum_with_weights_and_two_paths() {
        let (logits, labels) = honest(500);
        let wave: Vec<f32> =
            logits.iter().enumerate().map(|(i, x)| x * 0.5 + (i as f32 * 0.3).sin()).collect();
        let rows: Vec<f32> = (0..500).map(|i| 0.5 + (i % 3) as f32).collect();
        let sample =
            Sample { labels: &labels, class_weights: &[1.0, 4.0, 0.5], row_weights: Some(&rows) };
        let paths = [&logits[..], &wave];
        let found = fit(&paths, sample, true).unwrap();
        let x = [found.scales.clone(), found.intercepts].concat();
        let problem = Problem { paths: &paths, sample, used: &[0, 1], n_intercepts: 3 };
        let lowest = problem.loss(&x);
        for k in 0..x.len() {
            for change in [-1e-3, 1e-3] {
                let mut moved = x.clone();
                moved[k] += change;
                let is_allowed = k >= 2 || moved[k] >= 0.0;
                assert!(!is_allowed || problem.loss(&moved) >= lowest, "{k} {x:?}");
            }
        }
    }
}

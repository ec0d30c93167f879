//! Scales of a network's paths by length, fitted on validation texts and on windows cut from them.
//!
//! A path has three scales, at 8, 80 and 800 words, and a text between two of these has a share of each. So each path is
//! three columns of the same fits as elsewhere: its logits times the text's share of each scale.

use classifier::PathLogits;
use dataset::{EncodedSplit, Targets};
use model::{LengthScale, LengthScales, NgramVocabulary, Task, length_position};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::calibration::{self, FEW_TEXTS, Intercept, MAX_TEMPERATURE, temperature};
use crate::class_weights::{LossWeights, Weighting};
use crate::error::Result;
use crate::evaluate::targets_of;
use crate::job::rows_of;
use crate::per_output::PerOutput;
use crate::softmax_calibration::{self, MAX_INTERCEPTS};
use crate::stacking::{Pooled, SMALLEST_SCALE, SMALLEST_SHARE, Stacked, fits_of_labels};
use crate::ties::Tie;
use crate::windows;

/// Windows of each validation text.
const N_WINDOWS: usize = 2;
/// Most logits of a path that the fit is on.
const MAX_FITTED: usize = 2_000_000;
/// Fewest validation texts for scales by length; of fewer, each path has one for all lengths.
const MIN_TEXTS: usize = 200;
/// How strongly the scales of a path are pulled towards each other, as a share of its mean squared logit.
/// Where all texts are about equally long, the columns are nearly the same one, and only their sum is known: the pull
/// makes their scales nearly equal. Where texts have all lengths, it takes a few hundredths off the differences.
const PULL: f64 = 1e-3;

/// The scales of each path by length, and what is added to the scaled logits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScalesByLength {
    /// At 8, at 80 and at 800 words.
    #[serde(flatten)]
    pub scales: LengthScales,
    /// Of each output.
    pub bias: PerOutput,
}

/// The texts that scales by length are fitted on: N validation texts, then W windows cut from them.
#[derive(Debug)]
pub(crate) struct LengthSample {
    n_texts: usize,
    /// `[W]`: their ids.
    pub(crate) windows: EncodedSplit,
    /// `[W·O]`: the linear path's logits of the windows, once it is fitted.
    pub(crate) linear: Option<Vec<f32>>,
    /// `[N+W]`, of each text and window: its classes,
    targets: Targets,
    /// its weight, so that all together weigh as much as their number where the texts count equally,
    weights: Vec<f32>,
    /// its position between 8 and 800 words,
    positions: Vec<f64>,
    /// and its log-count ratio, if the ratios are a path.
    ratios: Option<Vec<f32>>,
}

impl LengthSample {
    /// `ngrams`: of the network, with log-count ratios if they are a path.
    ///
    /// # Errors
    /// [`Error::NoLabels`](crate::Error::NoLabels) if the texts have none.
    pub(crate) fn new(
        texts: &EncodedSplit,
        ngrams: Option<&NgramVocabulary>,
        seed: u64,
    ) -> Result<Self> {
        let (targets, cut) = (targets_of(texts)?, windows::cut(texts, N_WINDOWS, seed));
        let of: Vec<u32> = cut.iter().map(|window| window.text).collect();
        let windows = EncodedSplit::unlabelled(cut.iter().map(|window| window.ids(texts)))?;
        let (n_texts, n_windows) = (texts.len(), windows.len());
        let of_text = |text: usize| texts.weights().map_or(1.0, |weights| weights[text]);
        let n_rows = (n_texts + n_windows) as f32;
        let unit = n_rows / (n_texts as f32 + windows::WEIGHT * n_windows as f32);
        let of_texts = (0..n_texts).map(|text| of_text(text) * unit);
        let of_windows = of.iter().map(|&text| of_text(text as usize) * windows::WEIGHT * unit);
        let weights = of_texts.chain(of_windows).collect();
        let rows = [rows_of(texts), rows_of(&windows)].concat();
        let positions = rows.iter().map(|row| length_position(row.len())).collect();
        let ngrams = ngrams.filter(|ngrams| ngrams.has_ratios());
        let ratios = ngrams.map(|ngrams| rows.par_iter().map(|row| ngrams.ratio(row)).collect());
        let targets = Targets::joined(targets, &targets.select(&of))?;
        Ok(Self { n_texts, windows, linear: None, targets, weights, positions, ratios })
    }

    /// Those that the fit is on: all, unless they are so many that fewer tell as much.
    fn rows(&self, n_outputs: usize) -> Vec<u32> {
        let step = (self.positions.len() * n_outputs).div_ceil(MAX_FITTED).max(1);
        (0..self.positions.len() as u32).step_by(step).collect()
    }

    /// Some of the texts and windows, in their order, without the windows' ids.
    fn of_rows(&self, rows: &[u32]) -> Self {
        let n_texts = rows.partition_point(|&row| (row as usize) < self.n_texts);
        let each = |row: &u32| *row as usize;
        Self {
            n_texts,
            windows: self.windows.select(&[]),
            linear: None,
            targets: self.targets.select(rows),
            weights: rows.iter().map(|row| self.weights[each(row)]).collect(),
            positions: rows.iter().map(|row| self.positions[each(row)]).collect(),
            ratios: self.ratios.as_ref().map(|all| rows.iter().map(|row| all[each(row)]).collect()),
        }
    }

    /// Whether there are some texts of both classes, if there are two: of one alone, a bias would say everything.
    fn has_both(&self, task: &Task) -> bool {
        let Task::Binary(_) = task else { return true };
        let n_second = (0..self.n_texts).filter(|&text| self.targets.has(text, 1)).count();
        n_second.min(self.n_texts - n_second) >= FEW_TEXTS
    }

    /// The position of the median validation text.
    fn median(&self) -> f64 {
        let mut of_texts = self.positions[..self.n_texts].to_vec();
        of_texts.sort_unstable_by(f64::total_cmp);
        of_texts.get(self.n_texts / 2).copied().unwrap_or(0.0)
    }
}

/// The columns of a fit.
struct Columns {
    /// `[N·O]` each: of the first path, one or three, then those of the next.
    logits: Vec<Vec<f32>>,
    ties: Vec<Tie>,
    n_of_path: usize,
}

impl Columns {
    /// One column for each path, of the texts alone.
    fn constant(paths: &[&[f32]], n_logits: usize) -> Self {
        let logits = paths.iter().map(|path| path[..n_logits].to_vec()).collect();
        Self { logits, ties: Vec::new(), n_of_path: 1 }
    }

    /// Three columns for each path, each tied to the next, of texts and windows.
    fn by_length(paths: &[&[f32]], n_outputs: usize, positions: &[f64]) -> Self {
        let times = |path: &[f32], factor: &dyn Fn(f64) -> f64| -> Vec<f32> {
            let scaled = |(i, logit): (usize, &f32)| {
                (f64::from(*logit) * factor(positions[i / n_outputs])) as f32
            };
            path.iter().enumerate().map(scaled).collect()
        };
        let of_path = |path: &&[f32]| {
            [0, 1, 2].map(|scale| times(path, &|position| LengthScale::shares(position)[scale]))
        };
        let tie = |(index, path): (usize, &&[f32])| {
            let squares: f64 = path.iter().map(|logit| f64::from(*logit).powi(2)).sum();
            let weight = PULL * squares / path.len().max(1) as f64;
            [0, 1].map(|scale| Tie { columns: [3 * index + scale, 3 * index + scale + 1], weight })
        };
        let ties = paths.iter().enumerate().flat_map(tie).collect();
        Self { logits: paths.iter().flat_map(of_path).collect(), ties, n_of_path: 3 }
    }

    fn all(&self) -> Vec<&[f32]> {
        self.logits.iter().map(Vec::as_slice).collect()
    }

    /// The scales of paths, of those of their columns, as many of each; 0 for a path without any.
    fn scales(of_columns: &[f64], n_of_path: usize, with: WhichPaths) -> LengthScales {
        let mut of_paths = of_columns.chunks(n_of_path).map(|scales| match *scales {
            [short, middle, long] => [short, middle, long].into(),
            _ => LengthScale::constant(scales.first().copied().unwrap_or(0.0)),
        });
        let mut next = || of_paths.next().unwrap_or(LengthScale::constant(0.0));
        LengthScales {
            recurrent: next(),
            linear: with.linear.then(&mut next),
            ratios: with.ratios.then(&mut next),
        }
    }
}

/// The paths besides the recurrent layers.
#[derive(Clone, Copy)]
struct WhichPaths {
    linear: bool,
    ratios: bool,
}

/// The scales of each column, and what is added and divided by for each output.
struct Fitted {
    scales: Vec<f64>,
    bias: PerOutput,
    temperature: Option<PerOutput>,
}

impl Stacked {
    /// Fits scales by length, and a bias where classes are weighted or ratios are a path. Of any number of labels, the
    /// scales are those of all together, and each label has a temperature beside them.
    ///
    /// `paths`: of the N validation texts; `windows`: the recurrent layers' logits of the windows, `[W·O]`. With fewer
    /// than 200 texts, with hardly any of one of two classes, or where the fit fails, scales are the same for all lengths,
    /// and ratios do not count.
    pub(crate) fn fit_by_length(
        task: &Task,
        (paths, windows): (&PathLogits, &[f32]),
        sample: &LengthSample,
        weighting: Weighting<'_>,
    ) -> Self {
        let n_outputs = paths.n_outputs;
        let (rows, of_windows) = (sample.rows(n_outputs), sample.linear.as_deref());
        let sample = &sample.of_rows(&rows);
        let weighting = Weighting {
            rows: weighting.rows.map(|_| &sample.weights[..sample.n_texts]),
            ..weighting
        };
        let n_all = paths.recurrent.len() / n_outputs;
        let joined = |texts: &[f32], windows: &[f32]| -> Vec<f32> {
            let of_row = |&row: &u32| match (row as usize).checked_sub(n_all) {
                None => &texts[row as usize * n_outputs..][..n_outputs],
                Some(window) => &windows[window * n_outputs..][..n_outputs],
            };
            rows.iter().flat_map(of_row).copied().collect()
        };
        let linear = paths.linear.as_deref().zip(of_windows);
        let linear = linear.map(|(texts, windows)| joined(texts, windows));
        let all = PathLogits { recurrent: joined(&paths.recurrent, windows), linear, n_outputs };
        let shift = explained_shift(task, weighting).map(PerOutput::Each);
        let shifted = match shift {
            Some(_) => Self { shift: shift.clone(), ..Self::default() }.shifted(&all),
            None => all,
        };
        let of_paths = shifted.all();
        let with = WhichPaths { linear: shifted.linear.is_some(), ratios: sample.ratios.is_some() };

        let by_length = || {
            let paths: Vec<&[f32]> =
                of_paths.iter().copied().chain(sample.ratios.as_deref()).collect();
            Columns::by_length(&paths, n_outputs, &sample.positions)
        };
        let constant = || Columns::constant(&of_paths, sample.n_texts * n_outputs);
        let fit = |columns: Columns| {
            let fitted = fitted(task, &columns, sample, weighting)?;
            let scales = Columns::scales(&fitted.scales, columns.n_of_path, with);
            Some((scales, fitted.bias, fitted.temperature))
        };
        let is_enough = n_all >= MIN_TEXTS && sample.has_both(task);
        let fitted = is_enough.then(by_length).and_then(fit).or_else(|| fit(constant()));
        let (scales, bias, temperature) = fitted.unwrap_or_else(|| {
            let ones = vec![1.0; of_paths.len()];
            (Columns::scales(&ones, 1, with), PerOutput::All(0.0), None)
        });
        let scales = within_bounds(scales);
        let linear_share = scales.linear.map(|linear| {
            let (recurrent, linear) =
                (scales.recurrent.at(sample.median()), linear.at(sample.median()));
            linear / (recurrent + linear)
        });
        let by_length = Some(ScalesByLength { scales, bias });
        Self { linear_share, temperature, shift, by_length }
    }
}

impl ScalesByLength {
    /// The logits of each path of a saved network for the validation texts, as [`Stacked::scaled`].
    ///
    /// `divided`: the logits of each path with shift and temperature.
    pub(crate) fn scaled(&self, divided: PathLogits, sample: &LengthSample) -> PathLogits {
        let PathLogits { mut recurrent, mut linear, n_outputs } = divided;
        let Self { scales, bias } = self;
        let at = |row: usize, scale: LengthScale| scale.at(sample.positions[row]);
        let has_linear = linear.is_some();
        for (i, logit) in recurrent.iter_mut().enumerate() {
            // The path that comes last has the bias.
            let bias = if has_linear { 0.0 } else { bias.of(i % n_outputs) };
            *logit = (at(i / n_outputs, scales.recurrent) * f64::from(*logit) + bias) as f32;
        }
        for (i, logit) in linear.iter_mut().flatten().enumerate() {
            let row = i / n_outputs;
            let of_linear = scales.linear.map_or(0.0, |scale| at(row, scale));
            let mut sum = of_linear * f64::from(*logit) + bias.of(i % n_outputs);
            if let (Some(scale), Some(ratios)) = (scales.ratios, &sample.ratios) {
                sum += at(row, scale) * f64::from(ratios[row]);
            }
            *logit = sum as f32;
        }
        PathLogits { recurrent, linear, n_outputs }
    }
}

/// What is added to the logits of each path before the fit: what the weights alone explain, where there are too few texts
/// of each class to fit it.
fn explained_shift(task: &Task, weighting: Weighting<'_>) -> Option<Vec<f64>> {
    let Weighting { classes, trained, .. } = weighting;
    let is_explained = match task {
        Task::Binary(_) => false,
        Task::OneOf(_) => task.n_classes() > MAX_INTERCEPTS,
        Task::AnyOf(_) => true,
    };
    (is_explained && !classes.are_equal()).then(|| classes.shift_from(trained))
}

/// `None` if the fit fails.
fn fitted(
    task: &Task,
    columns: &Columns,
    sample: &LengthSample,
    weighting: Weighting<'_>,
) -> Option<Fitted> {
    let is_weighted = !weighting.classes.are_equal();
    let n_rows = columns.logits.first()?.len() / task.n_outputs();
    let texts: Vec<u32> = (0..n_rows as u32).collect();
    let targets = sample.targets.select(&texts);
    let row_weights = match n_rows == sample.n_texts {
        true => weighting.rows,
        false => Some(&*sample.weights),
    };
    match (task, weighting.classes) {
        (Task::Binary(_), LossWeights::Sigmoid(weights)) => {
            let (labels, &class_weights) = (targets.one_of()?, weights.first()?);
            // The ratios of all words together are not centred.
            let with_ratios = columns.n_of_path > 1 && sample.ratios.is_some();
            let intercept =
                if is_weighted || with_ratios { Intercept::Fitted } else { Intercept::None };
            let sample = calibration::Sample { labels, class_weights, row_weights };
            let fit = calibration::fit_tied(&columns.all(), &columns.ties, sample, intercept)?;
            let bias = PerOutput::All(fit.intercept);
            Some(Fitted { scales: fit.scales, bias, temperature: None })
        }
        (Task::OneOf(_), LossWeights::Softmax(class_weights)) => {
            let labels = targets.one_of()?;
            let sample = softmax_calibration::Sample { labels, class_weights, row_weights };
            let fit =
                softmax_calibration::fit_tied(&columns.all(), &columns.ties, sample, is_weighted)?;
            let bias = match fit.intercepts.is_empty() {
                true => PerOutput::All(0.0),
                false => PerOutput::Each(fit.intercepts),
            };
            Some(Fitted { scales: fit.scales, bias, temperature: None })
        }
        (Task::AnyOf(_), LossWeights::Sigmoid(weights)) => {
            let pooled = Pooled::of(&targets, row_weights, weights);
            let some: Vec<Vec<f32>> =
                columns.logits.iter().map(|column| pooled.logits(column)).collect();
            let some: Vec<&[f32]> = some.iter().map(Vec::as_slice).collect();
            let intercept = Intercept::None;
            let fit = calibration::fit_tied(&some, &columns.ties, pooled.sample(), intercept)?;
            of_labels(fit.scales, columns, sample, weighting, weights)
        }
        _ => None,
    }
}

/// Temperatures and biases of labels whose paths have these scales together, fitted to the whole texts.
fn of_labels(
    scales: Vec<f64>,
    columns: &Columns,
    sample: &LengthSample,
    weighting: Weighting<'_>,
    weights: &[[f64; 2]],
) -> Option<Fitted> {
    let mut mixed = vec![0f32; sample.n_texts * weights.len()];
    for (column, scale) in columns.logits.iter().zip(&scales) {
        mixed.iter_mut().zip(column).for_each(|(sum, logit)| *sum += *scale as f32 * logit);
    }
    let texts: Vec<u32> = (0..sample.n_texts as u32).collect();
    let fits = fits_of_labels(&mixed, &sample.targets.select(&texts), weighting, weights);
    let of_label = |fit: Option<calibration::Fit>| match fit {
        Some(fit) => (temperature(fit.scales[0]), fit.intercept),
        None => (1.0, 0.0),
    };
    let (temperatures, biases) = fits.into_iter().map(of_label).unzip();
    let temperature = Some(PerOutput::Each(temperatures));
    Some(Fitted { scales, bias: PerOutput::Each(biases), temperature })
}

/// No scale is 0, as a path that counts nothing could not be measured alone, except that of the ratios, which are part of
/// the linear path's figures; and a single path is scaled within the bounds of temperatures.
fn within_bounds(scales: LengthScales) -> LengthScales {
    let each = |scale: LengthScale, bound: &dyn Fn(f64, f64) -> f64| {
        let [short, middle, long] = scale.numbers();
        LengthScale::from([bound(short, 0.0), bound(middle, 0.5), bound(long, 1.0)])
    };
    let Some(linear) = scales.linear else {
        let bounded = |scale: f64, _| scale.clamp(1.0 / MAX_TEMPERATURE, MAX_TEMPERATURE);
        return LengthScales { recurrent: each(scales.recurrent, &bounded), ..scales };
    };
    let least = |scale: f64, position: f64| {
        let sum = scales.recurrent.at(position) + linear.at(position);
        scale.max(SMALLEST_SHARE * sum.max(SMALLEST_SCALE))
    };
    LengthScales {
        recurrent: each(scales.recurrent, &least),
        linear: Some(each(linear, &least)),
        ..scales
    }
}

#[cfg(test)]
mod tests {
    use recurrent::SeededRng;

    use super::*;
    use crate::class_weights::ClassWeights;

    /// Two paths' logits of texts at random positions, or all at one, with labels of a binary task drawn with the
    /// probabilities that these scales give.
    fn made(n: usize, at: Option<f64>, scales: [LengthScale; 2]) -> (PathLogits, LengthSample) {
        let mut rng = SeededRng::new(6);
        let mut number = |most: f64| rng.below(1 << 20) as f64 / f64::from(1 << 20) * most;
        let (mut recurrent, mut linear) = (Vec::new(), Vec::new());
        let (mut positions, mut labels) = (Vec::new(), Vec::new());
        for _ in 0..n {
            let position = at.unwrap_or_else(|| number(1.0));
            let z = [number(4.0) - 2.0, number(4.0) - 2.0];
            let logit = scales[0].at(position) * z[0] + scales[1].at(position) * z[1];
            labels.push(u32::from(number(1.0) < 1.0 / (1.0 + (-logit).exp())));
            positions.push(position);
            recurrent.push(z[0] as f32);
            linear.push(z[1] as f32);
        }
        let sample = LengthSample {
            n_texts: n,
            windows: EncodedSplit::unlabelled(Vec::<Vec<u32>>::new()).unwrap(),
            linear: Some(Vec::new()),
            targets: Targets::OneOf(labels),
            weights: vec![1.0; n],
            positions,
            ratios: None,
        };
        (PathLogits { recurrent, linear: Some(linear), n_outputs: 1 }, sample)
    }

    fn fit(paths: &PathLogits, sample: &LengthSample) -> Stacked {
        let task = Task::binary();
        let weights = ClassWeights::None.of(&task, &sample.targets).unwrap();
        let weighting = Weighting { classes: &weights, trained: &weights, rows: None };
        Stacked::fit_by_length(&task, (paths, &[]), sample, weighting)
    }

    const OPPOSITE: [LengthScale; 2] = [
        LengthScale { at_8: 2.0, at_80: 1.0, at_800: 0.25 },
        LengthScale { at_8: 0.25, at_80: 1.0, at_800: 2.0 },
    ];

    fn numbers(stacked: &Stacked) -> [[f64; 3]; 2] {
        let scales = stacked.by_length.as_ref().unwrap().scales;
        [scales.recurrent, scales.linear.unwrap()].map(LengthScale::numbers)
    }

    #[test]
    fn the_scales_that_made_the_labels_are_found() {
        let (paths, sample) = made(20_000, None, OPPOSITE);
        let stacked = fit(&paths, &sample);
        for (got, expected) in numbers(&stacked).into_iter().zip(OPPOSITE) {
            for (got, expected) in got.into_iter().zip(expected.numbers()) {
                assert!((got - expected).abs() < 0.2, "{got} {expected}");
            }
        }
        let bias = stacked.by_length.as_ref().unwrap().bias.of(0);
        assert_eq!(bias, 0.0, "without ratios, and without weights of classes");
        // In the middle both paths count alike.
        assert!((stacked.linear_share.unwrap() - 0.5).abs() < 0.05, "{stacked:?}");
        // What is made of it are the logits of the formula.
        let scaled = stacked.by_length.as_ref().unwrap().scaled(paths.clone(), &sample);
        let linear = paths.linear.unwrap();
        let [of_recurrent, of_linear] = numbers(&stacked);
        for (row, got) in scaled.sum().into_iter().enumerate().take(50) {
            let s = |scale: [f64; 3]| LengthScale::from(scale).at(sample.positions[row]);
            let expected = s(of_recurrent) * f64::from(paths.recurrent[row])
                + s(of_linear) * f64::from(linear[row])
                + bias;
            assert!((f64::from(got) - expected).abs() < 1e-5, "{got} {expected}");
        }
    }

    #[test]
    fn where_all_texts_are_equally_long_the_scales_of_a_path_are_equal() {
        for position in [0.0, 0.02, 0.4, 1.0] {
            let (paths, sample) = made(1_000, Some(position), OPPOSITE);
            for [short, middle, long] in numbers(&fit(&paths, &sample)) {
                let is_equal = (short - middle).abs() < 2e-3 && (middle - long).abs() < 2e-3;
                assert!(is_equal && (0.0..4.0).contains(&short), "{short} {middle} {long}");
            }
        }
    }

    #[test]
    fn of_few_texts_scales_are_constant_and_none_of_logits_that_are_not_finite() {
        let (mut paths, sample) = made(MIN_TEXTS - 1, None, OPPOSITE);
        for [short, middle, long] in numbers(&fit(&paths, &sample)) {
            assert!(short == middle && middle == long && short > 0.0, "{short} {middle} {long}");
        }
        paths.recurrent[0] = f32::NAN;
        assert_eq!(numbers(&fit(&paths, &sample)), [[1.0; 3]; 2]);
    }

    /// All reviews of a user's validation file may be positive: that is no reason to call every text positive.
    #[test]
    fn validation_texts_of_one_class_give_no_bias() {
        let (paths, mut sample) = made(1_000, None, OPPOSITE);
        sample.targets = Targets::OneOf(vec![1; 1_000]);
        sample.ratios = Some(paths.recurrent.clone());
        let by_length = fit(&paths, &sample).by_length.unwrap();
        assert_eq!(by_length.bias, PerOutput::All(0.0));
        assert_eq!(by_length.scales.ratios, Some(LengthScale::constant(0.0)));
    }

    #[test]
    fn ratios_come_with_a_bias_that_is_found() {
        let (paths, mut sample) = made(20_000, None, OPPOSITE);
        // The linear path's logits, but with an offset.
        let ratios: Vec<f32> = paths.linear.iter().flatten().map(|logit| logit + 3.0).collect();
        sample.ratios = Some(ratios);
        let stacked = fit(&paths, &sample);
        let ScalesByLength { scales, bias } = stacked.by_length.unwrap();
        let ratios = scales.ratios.unwrap();
        // What made the labels has no offset, so the bias takes back what the ratios bring.
        for scale in ratios.numbers() {
            assert!((3.0 * scale + bias.of(0)).abs() < 0.3, "{scales:?} {bias:?}");
        }
    }

    #[test]
    fn of_very_many_logits_some_are_enough() {
        let (_, sample) = made(10, None, OPPOSITE);
        assert_eq!(sample.rows(1).len(), 10);
        assert_eq!(sample.rows(400_000), [0, 2, 4, 6, 8]);
        let some = sample.of_rows(&[0, 2, 4]);
        assert_eq!((some.n_texts, some.targets.len(), some.weights.len()), (3, 3, 3));
        assert_eq!(some.positions, [0, 2, 4].map(|row| sample.positions[row]));
    }

    #[test]
    fn a_path_that_does_not_help_hardly_counts_and_a_single_one_is_in_bounds() {
        let (mut paths, sample) = made(2_000, None, OPPOSITE);
        let linear = paths.linear.take().unwrap();
        let against = linear.iter().map(|logit| -logit).collect();
        paths.linear = Some(against);
        let [_, linear] = numbers(&fit(&paths, &sample));
        assert!(linear.iter().all(|&scale| scale > 0.0 && scale < 1e-3), "{linear:?}");
        paths.recurrent.iter_mut().for_each(|logit| *logit *= -1.0);
        let single = PathLogits { linear: None, ..paths };
        let scales = fit(&single, &sample).by_length.unwrap().scales;
        let least = LengthScale::constant(1.0 / MAX_TEMPERATURE);
        assert_eq!((scales.recurrent, scales.linear), (least, None));
    }

    #[test]
    fn a_sample_has_windows_with_the_labels_of_their_texts_and_a_quarter_of_the_weight() {
        let rows: Vec<Vec<u32>> = (0..6).map(|i| vec![1 + i; [4, 60][i as usize % 2]]).collect();
        let texts = EncodedSplit::new(&rows, vec![0, 1, 0, 0, 1, 1]).unwrap();
        let texts = texts.with_weights(vec![1.0, 2.0, 1.0, 0.5, 1.0, 1.0]).unwrap();
        let sample = LengthSample::new(&texts, None, 1).unwrap();
        assert_eq!((sample.n_texts, sample.windows.len(), sample.targets.len()), (6, 6, 12));
        assert_eq!(sample.targets.one_of().unwrap()[6..], [1, 1, 0, 0, 1, 1]);
        let unit = 12.0 / 7.5;
        for (window, weight) in [2.0, 2.0, 0.5, 0.5, 1.0, 1.0].into_iter().enumerate() {
            assert!((sample.weights[6 + window] - 0.25 * weight * unit).abs() < 1e-6);
            let ids = sample.windows.row(window);
            assert_eq!(ids[0], [2, 4, 6][window / 2]);
            assert_eq!(sample.positions[6 + window], length_position(ids.len()));
        }
        // The last of two in the middle.
        assert_eq!(sample.median(), length_position(60));
    }
}

//! How a network's paths are weighted against each other and calibrated, by task.

use classifier::PathLogits;
use dataset::Targets;
use model::{PathScales, Task, Weights};
use rayon::prelude::*;

use crate::calibration::{self, FEW_TEXTS, Intercept, temperature};
use crate::class_weights::{LossWeights, Weighting};
use crate::error::Result;
use crate::path_scaling::ScalesByLength;
use crate::per_output::PerOutput;
use crate::softmax_calibration;

/// Neither path's fraction is 0: a saved path whose logits are all 0 could not be measured alone.
pub(crate) const SMALLEST_SHARE: f64 = 1e-4;
/// The least sum of scales, so that the temperature is a number.
pub(crate) const SMALLEST_SCALE: f64 = 1e-6;
/// Most pairs of a text and a label that a fit to all labels together takes.
const MAX_POOLED: usize = 200_000;

/// What is done to a network's logits: `Σ share · (logit + shift) / temperature` over its paths, or the same with scales
/// by length.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Stacked {
    /// The linear path's share, if there is one; the rest is the recurrent layers'.
    pub(crate) linear_share: Option<f64>,
    pub(crate) temperature: Option<PerOutput>,
    pub(crate) shift: Option<PerOutput>,
    /// Scales by length, in place of the share: then the logits are `Σ scale · (logit + shift) / temperature + bias`.
    pub(crate) by_length: Option<ScalesByLength>,
}

impl Stacked {
    /// Fits shares, temperatures and shifts on validation texts.
    ///
    /// A share is fitted if there are two paths, a temperature if `calibrate` says so, a shift if the classes are
    /// weighted and one of the others is fitted. Of two classes and of one of several, there is one temperature;
    /// of any number of labels, one for each.
    pub(crate) fn fit(
        task: &Task,
        paths: &PathLogits,
        targets: &Targets,
        weighting: Weighting<'_>,
        calibrate: bool,
    ) -> Self {
        if paths.linear.is_none() && !calibrate {
            // Nothing to fit: the logits stay as they are.
            return Self::default();
        }
        let is_weighted = !weighting.classes.are_equal();
        let fitted = match (task, weighting.classes, targets.one_of()) {
            (Task::Binary(_), LossWeights::Sigmoid(weights), Some(labels)) => {
                let &[class_weights] = &weights[..] else { return Self::default() };
                let sample =
                    calibration::Sample { labels, class_weights, row_weights: weighting.rows };
                binary(&paths.all(), sample, is_weighted)
            }
            (Task::OneOf(_), LossWeights::Softmax(class_weights), Some(labels)) => {
                let row_weights = weighting.rows;
                let sample = softmax_calibration::Sample { labels, class_weights, row_weights };
                one_of(paths, sample, weighting.trained, is_weighted)
            }
            (Task::AnyOf(_), LossWeights::Sigmoid(weights), _) => {
                any_of(paths, targets, weighting, weights)
            }
            _ => Self::default(),
        };
        Self { temperature: fitted.temperature.filter(|_| calibrate), ..fitted }
    }

    /// `Σ scale · logit + intercept` as shares, a temperature and a shift. The last of two scales is the linear
    /// path's.
    fn of(scales: &[f64], shift: impl FnOnce(f64) -> PerOutput) -> Self {
        let sum = scales.iter().sum::<f64>();
        let share = if sum > 0.0 { scales.last().unwrap_or(&0.0) / sum } else { 0.5 };
        // If no path counts, the intercept still does.
        let sum = sum.max(SMALLEST_SCALE);
        Self {
            linear_share: (scales.len() > 1)
                .then(|| share.clamp(SMALLEST_SHARE, 1.0 - SMALLEST_SHARE)),
            temperature: Some(PerOutput::All(1.0 / sum)),
            shift: Some(shift(sum)),
            by_length: None,
        }
    }

    /// The logits of each path with the shift.
    pub(crate) fn shifted(&self, paths: &PathLogits) -> PathLogits {
        let Some(shift) = &self.shift else { return paths.clone() };
        let n_outputs = paths.n_outputs;
        let shifted = |logits: &Vec<f32>| -> Vec<f32> {
            let of_output =
                |(index, logit): (usize, &f32)| logit + shift.of(index % n_outputs) as f32;
            logits.iter().enumerate().map(of_output).collect()
        };
        PathLogits {
            recurrent: shifted(&paths.recurrent),
            linear: paths.linear.as_ref().map(shifted),
            n_outputs,
        }
    }

    /// The network's logits from those of its paths, already [shifted](Self::shifted).
    pub(crate) fn combined(&self, shifted: &PathLogits) -> Vec<f32> {
        let n_outputs = shifted.n_outputs;
        let scale = |index: usize| {
            let temperature = self.temperature.as_ref();
            (1.0 / temperature.map_or(1.0, |all| all.of(index % n_outputs))) as f32
        };
        match (&shifted.linear, self.linear_share) {
            (Some(linear), Some(share)) => {
                let share = share as f32;
                let both = shifted.recurrent.iter().zip(linear).enumerate();
                both.map(|(i, (r, l))| ((1.0 - share) * r + share * l) * scale(i)).collect()
            }
            _ => shifted.recurrent.iter().enumerate().map(|(i, logit)| logit * scale(i)).collect(),
        }
    }

    /// The logits of each path of a saved network, whose sum is the network's, from those already
    /// [shifted](Self::shifted).
    pub(crate) fn scaled(&self, shifted: PathLogits) -> PathLogits {
        let PathLogits { mut recurrent, mut linear, n_outputs } = shifted;
        let PathScales { recurrent: of_recurrent, linear: of_linear, .. } = self.path_scales();
        let scale = |logits: &mut [f32], scales: &[f64]| {
            for (i, logit) in logits.iter_mut().enumerate() {
                *logit *= scales[i % n_outputs % scales.len().max(1)] as f32;
            }
        };
        scale(&mut recurrent, &of_recurrent);
        linear.iter_mut().for_each(|linear| scale(linear, &of_linear));
        PathLogits { recurrent, linear, n_outputs }
    }

    /// The weights that give a saved network these logits.
    pub(crate) fn applied(&self, weights: &Weights, n_outputs: usize) -> Result<Weights> {
        let scaled = self.path_scales().applied(weights)?;
        match &self.by_length {
            None => Ok(scaled),
            Some(ScalesByLength { scales, bias }) => {
                let bias: Vec<f64> = (0..n_outputs).map(|output| bias.of(output)).collect();
                Ok(scales.applied(&bias, &scaled)?)
            }
        }
    }

    /// What is multiplied into the weights of each path.
    fn path_scales(&self) -> PathScales {
        let share = self.linear_share.unwrap_or(0.0);
        let shares = match self.by_length {
            // The network has them itself.
            Some(_) => [1.0; 2],
            None => [1.0 - share, share],
        };
        let temperature = self.temperature.clone().unwrap_or(PerOutput::All(1.0));
        let scales = temperature.numbers().iter().map(|temperature| 1.0 / temperature);
        PathScales {
            recurrent: scales.clone().map(|scale| shares[0] * scale).collect(),
            linear: scales.map(|scale| shares[1] * scale).collect(),
            shift: self.shift.as_ref().map_or(vec![0.0], |shift| shift.numbers().to_vec()),
        }
    }
}

fn binary(paths: &[&[f32]], sample: calibration::Sample<'_>, is_weighted: bool) -> Stacked {
    let intercept = if is_weighted { Intercept::Fitted } else { Intercept::None };
    let Some(fit) = calibration::fit(paths, sample, intercept) else { return Stacked::default() };
    if let (&[scale], false) = (&fit.scales[..], is_weighted) {
        let temperature = Some(PerOutput::All(temperature(scale)));
        return Stacked { temperature, ..Stacked::default() };
    }
    let stacked = Stacked::of(&fit.scales, |sum| PerOutput::All(fit.intercept / sum));
    Stacked { shift: stacked.shift.filter(|_| is_weighted), ..stacked }
}

fn one_of(
    paths: &PathLogits,
    sample: softmax_calibration::Sample<'_>,
    trained: &LossWeights,
    is_weighted: bool,
) -> Stacked {
    let n_classes = sample.class_weights.len();
    if !is_weighted || n_classes <= softmax_calibration::MAX_INTERCEPTS {
        return one_of_shifted(paths, sample, is_weighted);
    }
    // Too few texts of each class for intercepts: the shift that the weights alone explain.
    let wanted = LossWeights::Softmax(sample.class_weights.to_vec());
    let shift = Some(PerOutput::Each(wanted.shift_from(trained)));
    let explained = Stacked { shift: shift.clone(), ..Stacked::default() };
    Stacked { shift, ..one_of_shifted(&explained.shifted(paths), sample, false) }
}

fn one_of_shifted(
    paths: &PathLogits,
    sample: softmax_calibration::Sample<'_>,
    with_intercepts: bool,
) -> Stacked {
    let Some(fit) = softmax_calibration::fit(&paths.all(), sample, with_intercepts) else {
        return Stacked::default();
    };
    if let (&[scale], true) = (&fit.scales[..], fit.intercepts.is_empty()) {
        let temperature = Some(PerOutput::All(temperature(scale)));
        return Stacked { temperature, ..Stacked::default() };
    }
    let shifts = |sum: f64| PerOutput::Each(fit.intercepts.iter().map(|b| b / sum).collect());
    let stacked = Stacked::of(&fit.scales, shifts);
    Stacked { shift: stacked.shift.filter(|_| !fit.intercepts.is_empty()), ..stacked }
}

/// The share of the linear path is fitted to all labels together, then each label gets a temperature, and an
/// intercept where classes are weighted. Labels that too few texts have or lack get the temperature of all together
/// and the shift that the weights alone explain.
fn any_of(
    paths: &PathLogits,
    targets: &Targets,
    weighting: Weighting<'_>,
    weights: &[[f64; 2]],
) -> Stacked {
    let is_weighted = !weighting.classes.are_equal();
    let explained = weighting.classes.shift_from(weighting.trained);
    let shift = is_weighted.then(|| PerOutput::Each(explained.clone()));
    let paths = Stacked { shift, ..Stacked::default() }.shifted(paths);
    let pooled = pooled(&paths, targets, weighting.rows, weights);
    let Some(of_all) = pooled.temperature.as_ref().map(|all| all.of(0)) else {
        return Stacked::default();
    };
    let mixed = pooled.combined(&paths);
    let fits = fits_of_labels(&mixed, targets, weighting, weights);
    let of_label = |(fit, explained): (Option<calibration::Fit>, f64)| match fit {
        Some(fit) => {
            // The logits have the temperature of all labels already.
            let temperature = of_all * temperature(fit.scales[0]);
            (temperature, explained + fit.intercept * temperature)
        }
        None => (of_all, explained),
    };
    let (temperatures, shifts) = fits.into_iter().zip(explained).map(of_label).unzip();
    Stacked {
        linear_share: pooled.linear_share,
        temperature: Some(PerOutput::Each(temperatures)),
        shift: is_weighted.then_some(PerOutput::Each(shifts)),
        by_length: None,
    }
}

/// For each label a scale of the network's logits, `[N·O]`, above 0, and an intercept where classes are weighted; `None`
/// for labels that too few texts have or lack, and where a fit fails.
pub(crate) fn fits_of_labels(
    logits: &[f32],
    targets: &Targets,
    weighting: Weighting<'_>,
    weights: &[[f64; 2]],
) -> Vec<Option<calibration::Fit>> {
    let (n_labels, is_weighted) = (weights.len(), !weighting.classes.are_equal());
    let of_label = |label: usize| {
        let logits: Vec<f32> = logits.iter().skip(label).step_by(n_labels).copied().collect();
        let has_label = |text| u32::from(targets.has(text, label as u32));
        let labels: Vec<u32> = (0..targets.len()).map(has_label).collect();
        let n_having = labels.iter().filter(|&&label| label == 1).count();
        let (class_weights, row_weights) = (weights[label], weighting.rows);
        let sample = calibration::Sample { labels: &labels, class_weights, row_weights };
        let intercept = if is_weighted { Intercept::Fitted } else { Intercept::None };
        let is_rare = n_having.min(labels.len() - n_having) < FEW_TEXTS;
        let fit = calibration::fit(&[&logits], sample, intercept);
        fit.filter(|fit| !is_rare && fit.scales[0] > 0.0)
    };
    (0..n_labels).into_par_iter().map(of_label).collect()
}

/// Share and temperature of all labels together, on at most [`MAX_POOLED`] pairs of a text and a label.
fn pooled(
    paths: &PathLogits,
    targets: &Targets,
    rows: Option<&[f32]>,
    weights: &[[f64; 2]],
) -> Stacked {
    let pooled = Pooled::of(targets, rows, weights);
    let some: Vec<Vec<f32>> = paths.all().into_iter().map(|path| pooled.logits(path)).collect();
    let some: Vec<&[f32]> = some.iter().map(Vec::as_slice).collect();
    binary(&some, pooled.sample(), false)
}

/// At most [`MAX_POOLED`] pairs of a text and a label, as texts of two classes.
pub(crate) struct Pooled {
    texts: Vec<usize>,
    n_labels: usize,
    labels: Vec<u32>,
    weights: Vec<f32>,
}

impl Pooled {
    /// `rows`: the weight of each text; `weights`: those of lacking and of having each label.
    pub(crate) fn of(targets: &Targets, rows: Option<&[f32]>, weights: &[[f64; 2]]) -> Self {
        let n_labels = weights.len();
        let step = (targets.len() * n_labels).div_ceil(MAX_POOLED).max(1);
        let texts: Vec<usize> = (0..targets.len()).step_by(step).collect();
        let (mut labels, mut all_weights) = (Vec::new(), Vec::new());
        for &text in &texts {
            let of_row = rows.map_or(1.0, |rows| f64::from(rows[text]));
            for (label, of_label) in weights.iter().enumerate() {
                let has_label = targets.has(text, label as u32);
                labels.push(u32::from(has_label));
                all_weights.push((of_row * of_label[usize::from(has_label)]) as f32);
            }
        }
        Self { texts, n_labels, labels, weights: all_weights }
    }

    /// The logits of the pairs, of those of all texts, `[N·O]`.
    pub(crate) fn logits(&self, logits: &[f32]) -> Vec<f32> {
        let of_text = |text: &usize| &logits[text * self.n_labels..][..self.n_labels];
        self.texts.iter().flat_map(of_text).copied().collect()
    }

    pub(crate) fn sample(&self) -> calibration::Sample<'_> {
        let of_labels = calibration::Sample::of(&self.labels);
        calibration::Sample { row_weights: Some(&self.weights), ..of_labels }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_text(recurrent: f32, linear: f32) -> PathLogits {
        PathLogits { recurrent: vec![recurrent], linear: Some(vec![linear]), n_outputs: 1 }
    }

    #[test]
    fn shares_temperature_and_shift_give_the_logits_of_the_fit() {
        for (scales, intercept) in [
            ([0.5, 1.5], 0.0),
            ([0.5, 1.5], -1.25),
            // Untrained layers with tiny logits, and overconfident ones.
            ([130.0, 0.62], -3.7),
            ([0.001, 0.002], -1.3),
            ([0.0, 0.0], -1.1),
        ] {
            let stacked = Stacked::of(&scales, |sum| PerOutput::All(intercept / sum));
            let expected = scales[0] * 0.02 + scales[1] * 3.0 + intercept;
            let got = f64::from(stacked.combined(&stacked.shifted(&of_text(0.02, 3.0)))[0]);
            // The floor of the shares moves a little.
            assert!((got - expected).abs() < 0.05, "{scales:?}: {got}, not {expected}");
        }
    }

    #[test]
    fn no_share_is_0() {
        let share = |scales: [f64; 2]| Stacked::of(&scales, |_| PerOutput::All(0.0)).linear_share;
        assert_eq!(share([3.0, 0.0]), Some(SMALLEST_SHARE));
        assert_eq!(share([0.0, 3.0]), Some(1.0 - SMALLEST_SHARE));
        assert_eq!(share([0.0, 0.0]), Some(0.5));
    }
}

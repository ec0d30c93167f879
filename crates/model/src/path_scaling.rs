//! Scales of a network's paths that depend on a text's length.
//!
//! ```text
//! logit = Σ_k s_k(n) · z_k + b
//! ```
//!
//! over the paths k: the recurrent layers, the linear path and the log-count ratios, as far as the network has them. n is
//! the number of a text's steps. s_k has a value at 8, one at 80 and one at 800 steps, between which it is linear in ln n,
//! and stays as it is below 8 and above 800.

use candle_core::{Device, Tensor};
use candle_nn::VarBuilder;
use serde::{Deserialize, Serialize};

use crate::config::ModelConfig;
use crate::error::Result;
use crate::parameters::{PATH_BIAS, PATH_SCALES, Weights};
use crate::vocabularies::Vocabularies;

/// Steps of the shortest texts and of the longest between which scales differ; 80 are in the middle.
const STEPS: [f64; 2] = [8.0, 800.0];

/// Scales of a path.
const N_SCALES: usize = 3;

/// Where a text of `n_steps` is between 8 and 800 steps, as a logarithm: 0 up to 8 steps, ½ at 80, 1 from 800 on.
#[must_use]
pub fn length_position(n_steps: usize) -> f64 {
    let [short, long] = STEPS;
    // Also for a text without steps, whose logarithm is not a number to count with.
    let n_steps = (n_steps as f64).clamp(short, long);
    (n_steps / short).ln() / (long / short).ln()
}

/// The scales of one path: at 8, at 80 and at 800 steps.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LengthScale {
    /// Up to 8 steps.
    pub at_8: f64,
    /// At 80 steps.
    pub at_80: f64,
    /// From 800 steps on.
    pub at_800: f64,
}

impl LengthScale {
    /// The same for texts of all lengths.
    #[must_use]
    pub fn constant(scale: f64) -> Self {
        [scale; N_SCALES].into()
    }

    /// How much each of the scales counts at a [position](length_position): 1 in all.
    #[must_use]
    pub fn shares(position: f64) -> [f64; 3] {
        let before = (1.0 - 2.0 * position).max(0.0);
        let after = (2.0 * position - 1.0).max(0.0);
        [before, 1.0 - before - after, after]
    }

    /// The scale at a [position](length_position).
    #[must_use]
    pub fn at(self, position: f64) -> f64 {
        let shares = Self::shares(position);
        self.numbers().iter().zip(shares).map(|(scale, share)| scale * share).sum()
    }

    /// The scales, the one of short texts first.
    #[must_use]
    pub fn numbers(self) -> [f64; 3] {
        [self.at_8, self.at_80, self.at_800]
    }
}

impl From<[f64; 3]> for LengthScale {
    fn from([at_8, at_80, at_800]: [f64; 3]) -> Self {
        Self { at_8, at_80, at_800 }
    }
}

/// The scales by length of a network's paths.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LengthScales {
    /// Of the recurrent layers.
    pub recurrent: LengthScale,
    /// Of the linear path, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub linear: Option<LengthScale>,
    /// Of the log-count ratios, if they are a path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ratios: Option<LengthScale>,
}

/// Which paths a network with scales by length has, besides the recurrent layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Paths {
    linear: bool,
    ratios: bool,
}

impl Paths {
    /// Those of a network; `None` if it has no scales by length.
    ///
    /// # Errors
    /// If the n-grams of a linear path are missing.
    pub(crate) fn by_length(
        config: &ModelConfig,
        vocabularies: &Vocabularies,
    ) -> Result<Option<Self>> {
        if config.path_scales.is_constant() {
            return Ok(None);
        }
        let linear = vocabularies.n_ngrams(config)? > 0;
        let of_ngrams = vocabularies.ngrams.as_ref();
        // The ratios are one number: they say how much the second of two classes is favoured.
        let ratios =
            linear && config.outputs() == 1 && of_ngrams.is_some_and(|ngrams| ngrams.has_ratios());
        Ok(Some(Self { linear, ratios }))
    }

    /// The shape of their scales, `[paths, 3]`.
    pub(crate) fn shape(self) -> (usize, usize) {
        (1 + usize::from(self.linear) + usize::from(self.ratios), N_SCALES)
    }
}

impl LengthScales {
    /// Before they are fitted: the paths are added as they are, and the ratios do not count.
    pub(crate) fn initial(paths: Paths) -> Self {
        Self {
            recurrent: LengthScale::constant(1.0),
            linear: paths.linear.then(|| LengthScale::constant(1.0)),
            ratios: paths.ratios.then(|| LengthScale::constant(0.0)),
        }
    }

    /// The weights of a network with these scales and `bias`, `[O]`. All others share their memory with the given ones.
    ///
    /// # Errors
    /// If the device fails.
    pub fn applied(&self, bias: &[f64], weights: &Weights) -> candle_core::Result<Weights> {
        let mut scaled = weights.clone();
        if let Some(scales) = scaled.get_mut(PATH_SCALES) {
            *scales = self.tensor(scales.device())?;
        }
        if let Some(of_paths) = scaled.get_mut(PATH_BIAS) {
            let bias: Vec<f32> = bias.iter().map(|&bias| bias as f32).collect();
            *of_paths = Tensor::new(&*bias, of_paths.device())?;
        }
        Ok(scaled)
    }

    /// `[paths, 3]`, f32.
    pub(crate) fn tensor(&self, device: &Device) -> candle_core::Result<Tensor> {
        let rows = [Some(self.recurrent), self.linear, self.ratios].into_iter().flatten();
        let numbers: Vec<f32> =
            rows.flat_map(LengthScale::numbers).map(|scale| scale as f32).collect();
        let n_paths = numbers.len() / N_SCALES;
        Tensor::from_vec(numbers, (n_paths, N_SCALES), device)
    }

    /// The reverse; `tensor` has a row for each of the paths.
    fn of_tensor(tensor: &Tensor, paths: Paths) -> candle_core::Result<Self> {
        let rows: Vec<Vec<f32>> = tensor.to_vec2()?;
        let mut rows = rows.iter().filter_map(|row| {
            let numbers: [f32; N_SCALES] = row.as_slice().try_into().ok()?;
            Some(LengthScale::from(numbers.map(f64::from)))
        });
        let lacks = || candle_core::Error::msg(format!("{PATH_SCALES} lacks the scales of a path"));
        let mut next = || rows.next().ok_or_else(lacks);
        Ok(Self {
            recurrent: next()?,
            linear: paths.linear.then(&mut next).transpose()?,
            ratios: paths.ratios.then(&mut next).transpose()?,
        })
    }
}

/// What a network does to the logits of its paths.
#[derive(Debug, Clone)]
pub(crate) struct ScaledPaths {
    pub(crate) scales: LengthScales,
    /// `[O]`.
    pub(crate) bias: Vec<f32>,
}

impl ScaledPaths {
    /// Loads the parameters from `vb`; `None` if the network has no scales by length.
    pub(crate) fn new(
        config: &ModelConfig,
        vocabularies: &Vocabularies,
        vb: &VarBuilder,
    ) -> Result<Option<Self>> {
        let Some(paths) = Paths::by_length(config, vocabularies)? else { return Ok(None) };
        let scales = vb.get(paths.shape(), PATH_SCALES)?;
        let bias = vb.get(config.outputs(), PATH_BIAS)?.to_vec1()?;
        Ok(Some(Self { scales: LengthScales::of_tensor(&scales, paths)?, bias }))
    }

    /// The recurrent layers' logits, `[B, O]`, of texts of these lengths, scaled.
    ///
    /// `with_bias`: whether the bias is added here, as no other path is there to have it.
    pub(crate) fn of_recurrent(
        &self,
        logits: &Tensor,
        lengths: &[usize],
        with_bias: bool,
    ) -> Result<Tensor> {
        let scale = |&length: &usize| self.scales.recurrent.at(length_position(length)) as f32;
        let scales: Vec<f32> = lengths.iter().map(scale).collect();
        let scales = Tensor::from_vec(scales, (lengths.len(), 1), logits.device())?;
        let scaled = logits.broadcast_mul(&scales)?;
        if !with_bias {
            return Ok(scaled);
        }
        Ok(scaled.broadcast_add(&Tensor::new(&*self.bias, logits.device())?)?)
    }

    /// The linear path's logits of a text, `[O]`, scaled, plus the scaled ratio and the bias.
    pub(crate) fn of_linear(&self, logits: &mut [f32], n_steps: usize, ratio: f32) {
        let position = length_position(n_steps);
        let at = |scale: Option<LengthScale>| scale.map_or(0.0, |scale| scale.at(position)) as f32;
        let (linear, ratios) = (at(self.scales.linear), at(self.scales.ratios));
        for (logit, bias) in logits.iter_mut().zip(&self.bias) {
            *logit = linear * *logit + ratios * ratio + bias;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_follow_the_logarithm_of_the_length_within_bounds() {
        for (n_steps, expected) in
            [(0, 0.0), (1, 0.0), (8, 0.0), (80, 0.5), (800, 1.0), (9999, 1.0)]
        {
            let got = length_position(n_steps);
            assert!((got - expected).abs() < 1e-12, "{n_steps}: {got}");
        }
        let scale = LengthScale::from([2.0, 6.0, 1.0]);
        // √(8 · 80) is about 25, √(80 · 800) about 253.
        for (n_steps, expected) in
            [(0, 2.0), (8, 2.0), (25, 4.0), (80, 6.0), (253, 3.5), (800, 1.0), (9999, 1.0)]
        {
            let got = scale.at(length_position(n_steps));
            assert!((got - expected).abs() < 0.03, "{n_steps}: {got}");
        }
    }

    #[test]
    fn scales_are_the_rows_of_a_tensor() -> candle_core::Result<()> {
        let scale = |first| LengthScale::from([first, first + 0.25, first + 0.5]);
        for (linear, ratios) in [(false, false), (true, false), (true, true)] {
            let scales = LengthScales {
                recurrent: scale(1.0),
                linear: linear.then(|| scale(2.0)),
                ratios: ratios.then(|| scale(3.0)),
            };
            let paths = Paths { linear, ratios };
            let tensor = scales.tensor(&Device::Cpu)?;
            let (n_paths, n_scales) = paths.shape();
            assert_eq!(tensor.dims(), [n_paths, n_scales]);
            assert_eq!(LengthScales::of_tensor(&tensor, paths)?, scales);
        }
        Ok(())
    }
}

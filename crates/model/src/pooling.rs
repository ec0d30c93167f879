//! From the outputs of all steps to one vector per text.

use std::fmt;
use std::str::FromStr;

use candle_core::{D, Tensor};
use candle_nn::ops::softmax;
use serde::{Deserialize, Serialize};

use crate::error::Result;

/// How the outputs of all steps are pooled into one vector: by one or more [`PoolingPart`]s, whose
/// vectors are concatenated.
///
/// As a string, the parts' names joined by hyphens:
///
/// ```
/// use model::{Pooling, PoolingPart};
///
/// let pooling: Pooling = "last-max-mean".parse()?;
/// assert!(pooling.has(PoolingPart::Max) && !pooling.has(PoolingPart::Attention));
/// assert_eq!(pooling.len(), 3);
/// assert!("max-median".parse::<Pooling>().is_err());
/// # Ok::<(), String>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pooling {
    /// `[part]`, in the order of [`PoolingPart::ALL`]; at least one is present.
    parts: [bool; PoolingPart::ALL.len()],
}

/// One way to pool the outputs of all steps into one vector. Padding is ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PoolingPart {
    /// The state after the last step (of each direction).
    Last,
    /// The largest value over the steps, feature by feature.
    Max,
    /// The mean over the steps.
    Mean,
    /// Attention: a mean weighted by the softmax over the steps of `a · output`, where a is learned
    /// (after Yang et al. 2016, [Hierarchical attention networks](https://aclanthology.org/N16-1174/),
    /// without their hidden layer).
    Attention,
}

impl PoolingPart {
    /// All parts, in the order in which they are concatenated.
    pub const ALL: [Self; 4] = [Self::Last, Self::Max, Self::Mean, Self::Attention];

    fn name(self) -> &'static str {
        match self {
            Self::Last => "last",
            Self::Max => "max",
            Self::Mean => "mean",
            Self::Attention => "attention",
        }
    }
}

impl From<PoolingPart> for Pooling {
    fn from(part: PoolingPart) -> Self {
        Self { parts: PoolingPart::ALL.map(|other| other == part) }
    }
}

impl Pooling {
    /// The parts, in order.
    pub fn parts(self) -> impl Iterator<Item = PoolingPart> {
        PoolingPart::ALL.into_iter().zip(self.parts).filter_map(|(part, is)| is.then_some(part))
    }

    /// Whether the pooling includes a part.
    #[must_use]
    pub fn has(self, part: PoolingPart) -> bool {
        self.parts().any(|own| own == part)
    }

    /// Number of parts: at least one.
    #[must_use]
    #[allow(clippy::len_without_is_empty)] // Never empty.
    pub fn len(self) -> usize {
        self.parts().count()
    }
}

impl fmt::Display for Pooling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.parts().map(PoolingPart::name).collect();
        f.write_str(&names.join("-"))
    }
}

impl From<Pooling> for String {
    fn from(pooling: Pooling) -> Self {
        pooling.to_string()
    }
}

impl FromStr for Pooling {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let mut pooling = Self { parts: [false; PoolingPart::ALL.len()] };
        for name in text.split('-') {
            match PoolingPart::ALL.iter().position(|part| part.name() == name) {
                Some(index) => pooling.parts[index] = true,
                None => {
                    return Err(format!(
                        "pooling {text:?} is not known: expected one or several of last, max, mean \
                         and attention, joined by hyphens, such as max-mean"
                    ));
                }
            }
        }
        Ok(pooling)
    }
}

impl TryFrom<String> for Pooling {
    type Error = String;

    fn try_from(text: String) -> std::result::Result<Self, String> {
        text.parse()
    }
}

/// Mean over each row's real steps: `outputs [B, T, F]`, zero past `lengths`, gives `[B, F]`. An empty
/// row gives zeros.
pub(crate) fn mean(outputs: &Tensor, lengths: &[usize]) -> Result<Tensor> {
    let counts: Vec<f32> = lengths.iter().map(|&length| length.max(1) as f32).collect();
    let counts = Tensor::from_vec(counts, (lengths.len(), 1), outputs.device())?;
    Ok(outputs.sum(1)?.broadcast_div(&counts.to_dtype(outputs.dtype())?)?)
}

/// Largest value over each row's real steps, feature by feature. An empty row gives zeros.
pub(crate) fn max(outputs: &Tensor, lengths: &[usize]) -> Result<Tensor> {
    let steps = outputs.dim(1)?;
    if lengths.iter().all(|&length| length == steps) {
        return Ok(outputs.max(1)?);
    }
    Ok(with_lowest_past_the_end(outputs, lengths)?.max(1)?)
}

/// Mean over each row's real steps, weighted by the softmax of their products with `weight [1, F]`. An
/// empty row gives zeros.
pub(crate) fn attention(outputs: &Tensor, weight: &Tensor, lengths: &[usize]) -> Result<Tensor> {
    let scores = outputs.broadcast_mul(&weight.unsqueeze(0)?)?.sum_keepdim(D::Minus1)?;
    let shares = softmax(&with_lowest_past_the_end(&scores, lengths)?, 1)?;
    Ok(outputs.broadcast_mul(&shares)?.sum(1)?)
}

/// `x [B, T, F]` with -∞ past each row's end; an empty row keeps its first step.
fn with_lowest_past_the_end(x: &Tensor, lengths: &[usize]) -> Result<Tensor> {
    let steps = x.dim(1)?;
    let real: Vec<u8> = lengths
        .iter()
        .flat_map(|&length| (0..steps).map(move |step| u8::from(step < length.max(1))))
        .collect();
    let real =
        Tensor::from_vec(real, (lengths.len(), steps, 1), x.device())?.broadcast_as(x.shape())?;
    let lowest = Tensor::full(f32::NEG_INFINITY, x.shape(), x.device())?.to_dtype(x.dtype())?;
    Ok(real.where_cond(x, &lowest)?)
}

/// The last layer's final state, its directions concatenated: `h [L·D, B, H]` gives `[B, D·H]`.
pub(crate) fn last(h: &Tensor, num_directions: usize) -> Result<Tensor> {
    let n_layers = h.dim(0)?;
    let directions = (n_layers - num_directions..n_layers)
        .map(|index| h.get(index))
        .collect::<candle_core::Result<Vec<_>>>()?;
    Ok(Tensor::cat(&directions, D::Minus1)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    fn outputs() -> Result<Tensor> {
        let rows =
            [[[-1f32, 4.0], [-3.0, 2.0]], [[-5.0, 6.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]]];
        Ok(Tensor::new(&rows, &Device::Cpu)?)
    }

    #[test]
    fn names_are_read_in_any_order_and_written_in_one() -> std::result::Result<(), String> {
        let pooling: Pooling = "mean-last".parse()?;
        assert_eq!(pooling.to_string(), "last-mean");
        assert!("".parse::<Pooling>().is_err());
        Ok(())
    }

    #[test]
    fn mean_counts_real_steps_only() -> Result<()> {
        let mean: Vec<Vec<f32>> = mean(&outputs()?, &[2, 1, 0])?.to_vec2()?;
        assert_eq!(mean, [[-2.0, 3.0], [-5.0, 6.0], [0.0, 0.0]]);
        Ok(())
    }

    #[test]
    fn max_does_not_see_the_zeros_past_a_rows_end() -> Result<()> {
        let max: Vec<Vec<f32>> = max(&outputs()?, &[2, 1, 0])?.to_vec2()?;
        assert_eq!(max, [[-1.0, 4.0], [-5.0, 6.0], [0.0, 0.0]]);
        Ok(())
    }

    #[test]
    fn attention_weighs_real_steps_by_the_softmax_of_their_scores() -> Result<()> {
        let weight = Tensor::new(&[[0.5f32, 0.0]], &Device::Cpu)?;
        let pooled: Vec<Vec<f32>> = attention(&outputs()?, &weight, &[2, 1, 0])?.to_vec2()?;
        // Scores -0.5 and -1.5: weights e / (e + 1) and 1 / (e + 1).
        let share = std::f32::consts::E / (std::f32::consts::E + 1.0);
        let expected = [-share - 3.0 * (1.0 - share), 4.0 * share + 2.0 * (1.0 - share)];
        assert!(pooled[0].iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{pooled:?}");
        assert_eq!(pooled[1..], [[-5.0, 6.0], [0.0, 0.0]]);
        Ok(())
    }
}
